#!/bin/sh
# shellcheck disable=SC2317 # the parts are called by name
# soak.sh BUILD [PART]...: what servers, daemons, queues and launchers are like after a million of what they do: nothing lost,
# and descriptors, memory and children as they were after the first hundredth. A table; exits 1 if anything was lost or has grown.
#
# Parts: tcp unix supervise messages visits signals crowd. SCALE=N does the Nth part of each. `make soak` builds what it needs.
set -u
export LC_ALL=C
build=$(readlink -f "$1")
shift
scale=${SCALE:-1}
ipcbox=$build/ipcbox
tools=$build/bench
dir=$(mktemp -d)
cd "$dir" || exit
pids=
trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
bad=0
growth=512 # kB that a process may have grown: what malloc keeps

stop() {
  for pid in $pids; do
    kill "$pid" && wait "$pid"
  done 2>/dev/null
  pids=
}

# The state of a process, in $fds $kb $children
look() { # PID
  fds=$(find "/proc/$1/fd" -mindepth 1 | wc -l)
  kb=$(awk '/^VmRSS/ {print $2}' "/proc/$1/status")
  children=$(wc -w <"/proc/$1/task/$1/children")
}

# The same once what the work has left under way is over: the least of some looks.
settled() { # PID
  least=
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    look "$1"
    [ -n "$least" ] && [ "$children" -ge "${least%% *}" ] && [ "$fds" -ge "${least##* }" ] || least="$children $fds"
    sleep 0.1
  done
  children=${least%% *} fds=${least##* }
}

row() {
  printf '%-34s %10s %7s %8s %13s %17s %12s\n' "$@"
}

# Work of one kind for one process: a hundredth, a look, and the rest. WORK is called with a number, and counts in $lost what was.
soak() { # LABEL PID N WORK [CHILDREN THAT STAY]
  label=$1 pid=$2 n=$(($3 / scale)) work=$4 stay=${5:-0} lost=0
  started=$(date +%s)
  "$work" $((n / 100 + 1))
  settled "$pid"
  fds_before=$fds kb_before=$kb children_before=$children
  "$work" $((n - n / 100 - 1))
  settled "$pid"
  row "$label" "$n" "$lost" "$(($(date +%s) - started)) s" "$fds_before -> $fds" "$kb_before -> $kb" "$children_before -> $children"
  [ "$lost" -eq 0 ] && [ "$fds" -eq "$fds_before" ] && [ "$kb" -le $((kb_before + growth)) ] && [ "$children" -le "$stay" ] || bad=1
}

# A server that prints where it listens, in $at and $server
serve() {
  mkfifo ready 2>/dev/null
  "$@" >ready 2>>err &
  server=$!
  pids="$pids $server"
  read -r at <ready || { cat err >&2; exit 111; }
}

connections() { # N
  "$tools/load" -n "$1" -c 50 -e 'hello\n' "$at" >load.out || cat load.out >&2
  lost=$((lost + $1 - $(sed 's/^ok=\([0-9]*\) .*/\1/' load.out)))
}

soak_tcp() {
  serve "$ipcbox" tcpserver -1 -c 1000 127.0.0.1 0 "$tools/hello"
  soak 'connections to tcpserver' "$server" 1000000 connections
}

soak_unix() {
  serve "$ipcbox" unixserver -1 -c 1000 "$dir/sock" "$tools/hello"
  soak 'connections to unixserver' "$server" 1000000 connections
}

# One program after another, until so many more have been started.
restarts() {
  "$ipcbox" daemonize --status -P pid | sed -n 's/.* \([0-9]*\) restarts.*/\1/p'
}
runs() { # N
  wanted=$(($(restarts) + $1))
  while [ "$(restarts)" -lt "$wanted" ]; do sleep 0.5; done
}
soak_supervise() {
  "$ipcbox" daemonize -q --supervise --backoff 0:0 -c "$dir" -P "$dir/pid" "$tools/nothing" || exit
  pids="$pids $(cat pid)" # also when we are interrupted
  soak 'runs under daemonize --supervise' "$(cat pid)" 1000000 runs 1
  "$ipcbox" daemonize --stop -P pid
}

# Numbered lines through a queue; both processes end with it, so what is looked at is the shell that is their parent.
messages() { # N
  seq "$1" | "$ipcbox" msgsend "$key" &
  sender=$!
  "$ipcbox" msgrecv -n "$1" "$key" >received || lost=$((lost + 1))
  wait "$sender" || lost=$((lost + 1))
  seq "$1" | cmp -s - received || lost=$((lost + 1))
}
soak_messages() {
  key=$(printf '0x%x' $$)
  "$ipcbox" msgdemo -q create "$key" || exit
  soak 'messages through msgsend, msgrecv' $$ 10000000 messages 1000
  "$ipcbox" msgdemo -q rm "$key"
}

visits() { # N
  i=0
  while [ "$i" -lt "$1" ]; do
    line=
    { read -r line && ! read -r _; } <fifo
    [ "$line" = hello ] || lost=$((lost + 1))
    i=$((i + 1))
  done
}
soak_visits() {
  serve "$ipcbox" mkfifo-sig -1 fifo "$tools/hello"
  soak 'readers of mkfifo-sig' "$server" 100000 visits
}

# Real-time signals, which queue up, a thousand at a time: each arrives. 864,000 are ten a second for a day.
signals() { # N
  i=0
  while [ "$i" -lt "$1" ]; do
    step=$(($1 - i < 1000 ? $1 - i : 1000))
    j=0
    while [ "$j" -lt "$step" ]; do
      kill -35 "$server" || lost=$((lost + 1))
      j=$((j + 1))
    done
    sent=$((sent + step)) i=$((i + step)) tries=0
    until [ "$(wc -l <counted)" -gt "$sent" ]; do # and the first line
      tries=$((tries + 1))
      [ "$tries" -lt 1000 ] || { lost=$((lost + sent + 1 - $(wc -l <counted))) sent=$(($(wc -l <counted) - 1)); break; }
      sleep 0.01
    done
  done
}
soak_signals() {
  sent=0
  "$ipcbox" deadline 1h "$ipcbox" sigtrap HUP=ignore -- "$ipcbox" reap "$build/helper/signals" >counted 2>>err &
  server=$!
  pids="$pids $server"
  until [ -s counted ]; do sleep 0.05; done
  soak 'signals through three launchers' "$server" 864000 signals 1
}

crowd() { # SECONDS
  [ "$1" -gt 0 ] || return
  "$tools/crowd" -n 5000 -t "$1" "$at" >crowd.out || lost=$((lost + $(sed 's/.*wrong=//' crowd.out)))
  cat crowd.out >>crowds
}
soak_crowd() {
  serve "$ipcbox" tcpserver -1 -c 5000 127.0.0.1 0 "$tools/copy"
  soak 's of 5,000 clients that misbehave' "$server" 120 crowd
  sed 's/^/  /' crowds
}

[ $# -gt 0 ] || set -- tcp unix supervise messages visits signals crowd
row 'what' 'how many' 'lost' 'time' 'descriptors' 'memory, kB' 'children'
for part; do
  "soak_$part"
  stop
done
[ ! -s err ] || { sed 's/^/said: /' err; bad=1; }
exit "$bad"
