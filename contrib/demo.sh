#!/bin/sh
# demo.sh IPCBOX: the main job, live: a server on a port that the kernel picks, clients, a Unix socket; what is sent
# and what comes back. Everything is on this machine and is gone at the end.
set -eu
box=$(readlink -f "$1")
dir=$(mktemp -d)
servers=
cleanup() {
  for pid in $servers; do
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '  $ %s\n' "$*"; }
indent() { sed 's/^/  /'; }

# serve FILE APPLET ARGS...: starts a server; its first line, the port or path, goes through a FIFO, so that we
# wait for the event and not for a while
serve() {
  fifo=$dir/ready
  applet=$1
  shift
  mkfifo "$fifo"
  "$box" "$applet" -1 "$@" >"$fifo" &
  servers="$servers $!"
  server=$!
  read -r at <"$fifo"
  rm "$fifo"
}

say "A greeting server on a port that the kernel picks; every client is greeted"
show "tcpserver -1 0 0"
serve tcpserver 0 0
show "tcpclient 127.0.0.1 $at </dev/null"
"$box" tcpclient 127.0.0.1 "$at" </dev/null | indent

say "A program per connection: fds 0 and 1 are the connection, the environment says who is there"
# shellcheck disable=SC2016 # the words are the handler's
handler='read -r line; echo "$TCPREMOTEIP port $TCPREMOTEPORT said: $line"'
show "tcpserver -1 0 0 sh -c '$handler'"
serve tcpserver 0 0 sh -c "$handler"
show "echo 'good morning' | tcpclient 127.0.0.1 $at"
echo 'good morning' | "$box" tcpclient 127.0.0.1 "$at" | indent

say "Twenty clients at once, each gets its own line back"
serve tcpserver 127.0.0.1 0 cat
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  echo "client $i" | "$box" tcpclient 127.0.0.1 "$at" >"$dir/answer.$i" &
  clients="${clients:-} $!"
done
right=0
# shellcheck disable=SC2086 # a list of pids
wait $clients
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ "$(cat "$dir/answer.$i")" != "client $i" ] || right=$((right + 1))
done
echo "  $right of 20 answers are right"
[ "$right" -eq 20 ]

say "64 MiB through the relay and back: half-close, nothing lost"
show "head -c 64M /dev/zero | tcpclient 127.0.0.1 $at | wc -c      # the server runs cat"
bytes=$(head -c 67108864 /dev/zero | "$box" tcpclient 127.0.0.1 "$at" | wc -c)
echo "  $((bytes)) bytes came back"
[ "$((bytes))" -eq 67108864 ]

say "Access rules: which one decides, and why"
printf '127.:allow,GREETING="hello, neighbour"\n10.0.0.0/8:deny\n:deny\n' >"$dir/rules"
indent <"$dir/rules"
for ip in 127.0.0.1 10.2.3.4; do
  show "tcpserver --explain $ip -x rules"
  status=0
  "$box" tcpserver --explain "$ip" -x "$dir/rules" >"$dir/explained" || status=$?
  indent <"$dir/explained"
  [ "$status" -le 1 ] # 0 allow, 1 deny
done

say "The same over a Unix socket: the kernel says which user is there"
# shellcheck disable=SC2016
handler='echo "you are uid $UNIXREMOTEEUID, pid $UNIXREMOTEPID"'
show "unixserver -1 -p 0600 talk sh -c '$handler'"
serve unixserver -p 0600 "$dir/talk" sh -c "$handler"
show "unixclient talk </dev/null"
"$box" unixclient "$dir/talk" </dev/null | indent

say "TERM ends a server, and its socket file is gone"
kill -TERM "$server"
wait "$server"
[ ! -e "$dir/talk" ] && echo "  exit status 0, no file"
