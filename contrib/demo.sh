#!/bin/sh
# demo.sh [IPCBOX]: one thing of each theme, live, in a few seconds: signals and processes, pipes and FIFOs, a coprocess, a
# daemon, sockets, time, System V IPC. IPCBOX is the binary (default: ipcbox in PATH). Everything is on this machine, belongs
# to the caller, and is gone at the end. In color only on a terminal, and without NO_COLOR.
set -eu
box=${1:-$(command -v ipcbox || :)}
[ -x "$box" ] || {
  echo "usage: demo.sh IPCBOX (no ipcbox in PATH)" >&2
  exit 100
}
box=$(readlink -f "$box")
dir=$(mktemp -d)
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ] && [ "${TERM-dumb}" != dumb ]; then
  bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

# A queue, a semaphore and a daemon outlive a shell that is interrupted, so they are removed by name.
cleanup() {
  trap '' INT TERM
  cd "$dir"
  [ ! -e pid ] || daemonize -q -p "$dir/pid" --stop 2>/dev/null || :
  msgdemo -q rm "$dir:1" 2>/dev/null || :
  semset -q rm "$dir:2" 2>/dev/null || :
  if [ -n "${server-}" ] && kill "$server" 2>/dev/null; then wait "$server" || :; fi
  cd /
  rm -rf "$dir"
}

mkdir "$dir/bin"
"$box" --install -s "$dir/bin"
PATH=$dir/bin:$PATH
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$dir"

theme() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '  %s\n' "$*"; }
indent() { sed 's/^/  /'; }

# try COMMAND: shows it, runs it, shows what it prints, and its status when that isn't 0
try() {
  printf '  $ %s\n' "$1"
  got=0
  sh -c "$1" >out 2>&1 </dev/null || got=$?
  indent <out
  [ "$got" -eq 0 ] || say "(exit status $got)"
}

# expect STATUS [TEXT]: of what was tried last; a demonstration that lies is a failure
expect() {
  if [ "$got" -ne "$1" ] || { [ $# -gt 1 ] && ! grep -qE -e "$2" out; }; then
    echo "demo.sh: expected exit status $1${2:+ and: $2}" >&2
    exit 1
  fi
}

theme "Signals and processes: a deadline ends every descendant, even one in a session of its own"
try "deadline -q 0.3 sh -c 'setsid sleep 100 & echo \$! >orphan; sleep 100'"
expect 124
# shellcheck disable=SC2016 # for that shell
try 'alive -q $(cat orphan) || echo "the orphan is gone, too"'
expect 0 gone
try "lockrun ./lock lockrun -n ./lock echo never"
expect 1

theme "Pipes and FIFOs: a pipeline without a shell; each reader of a FIFO gets fresh output"
# shellcheck disable=SC2016 # these are exact words
try 'safepipe echo "exact words: \$(date); rm *" ::: tr a-z A-Z'
expect 0 'EXACT WORDS: .*; RM'
# shellcheck disable=SC2016
try 'mkfifo-sig -n 2 fifo sh -c "date +%s.%N" & waitfor file fifo; cat fifo; cat fifo; wait'
expect 0

theme "A coprocess: a line in, its answer out, also from a program that buffers its output"
try "printf 'one\\ntwo\\n' | open2 -l --pty -t 10 tr a-z A-Z"
expect 0 TWO

theme "A daemon: ready when its start returns; a pidfile that is right; a second start is refused"
# shellcheck disable=SC2016
try 'daemonize -p "$PWD/pid" --ready fd -t 10 sh -c '\''echo >&"$READY_FD"; exec sleep 100'\'''
expect 0
# shellcheck disable=SC2016
try 'daemonize -p "$PWD/pid" sleep 100'
expect 1
# shellcheck disable=SC2016
try 'daemonize -p "$PWD/pid" --stop; ls pid 2>/dev/null || echo "daemon and pidfile are gone"'
expect 0 gone

theme "Sockets: any filter is a server; the environment names the client"
# shellcheck disable=SC2016
try "withserver tcpserver -1 127.0.0.1 0 sh -c 'read -r line; echo \"\$TCPREMOTEIP says \$line\"' ::: \\
    sh -c 'echo hello | tcpclient 127.0.0.1 \$PORT'"
expect 0 '127.0.0.1 says hello'
# shellcheck disable=SC2016
try "withserver unixserver -1 -p 0600 ./talk sh -c 'echo \"you are uid \$UNIXREMOTEEUID\"' ::: unixclient ./talk"
expect 0 "uid $(id -u)"
say "and twenty clients at once, of which each gets its own line back:"
mkfifo ready
tcpserver -1 127.0.0.1 0 cat >ready &
server=$!
read -r port <ready
clients=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  echo "client $i" | tcpclient 127.0.0.1 "$port" >"answer.$i" &
  clients="$clients $!"
done
# shellcheck disable=SC2086 # a list of pids
wait $clients
right=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ "$(cat "answer.$i")" != "client $i" ] || right=$((right + 1))
done
say "$right of 20 answers are right"
[ "$right" -eq 20 ]
kill "$server"
wait "$server"
server=

theme "Time: many clocks are asked at once; here is one that is a minute fast"
try "withserver timeserver -1 -o 60 0 0 ::: udptime -p {PORT} 127.0.0.1 127.0.0.2"
expect 0 '127.0.0.1 .* (59|60|61) ' # a second may end in between

theme "System V IPC: a queue of jobs and two workers; a semaphore that is never left taken"
# shellcheck disable=SC2016
try 'seq 4 | msgsend --create "$PWD:1"
    for w in a b; do msgrecv -f -t 0.3 "$PWD:1" sh -c '\''read -r n; echo "job $n is done"'\'' 2>/dev/null & done; wait
    msgdemo rm "$PWD:1"'
expect 0 'job 4 is done'
# shellcheck disable=SC2016
try 'semtake --create "$PWD:2" sh -c '\''kill -KILL $$'\'' 2>/dev/null
    semtake --try "$PWD:2" echo "it is free again"; semset rm "$PWD:2"'
expect 0 free

printf '\nipcbox --help lists all applets; docs/perlipc.md is the tutorial.\n'
