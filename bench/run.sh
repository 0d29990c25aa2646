#!/bin/sh
# run.sh - measures ipcbox against its peers, against the bare system calls, and against itself.
#
#     sh bench/run.sh BUILD             from the top directory; BUILD as in make B=BUILD
#                                       QUICK=1: 3 rounds instead of 7, relays of 256 MiB instead of 2 GiB
#                                       PARTS='tcp options unix relay calls take': these parts of it
#
# All contestants of a part take turns within each round, so that what else the machine does hits all of them; what
# counts is the median over the rounds of the ratio within a round. Every reply and every relayed byte is checked: one
# wrong byte, or a connection that ipcbox loses, is a failure (exit 1). Peers that are missing are named and
# left out. All it makes is under BUILD, and gone when it ends, as are all processes that it starts.
set -u

[ $# -eq 1 ] || {
  echo 'usage: sh bench/run.sh BUILD' >&2
  exit 100
}
bench=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bench" || exit
build=$(cd "$1" && pwd)
tools=$build/bench
ipcbox=$build/ipcbox
rounds=${QUICK:+3}
rounds=${rounds:-7}
size=${QUICK:+268435456}
size=${size:-2147483648}
slices=8        # a round's connections, in so many turns
connections=500 # in each of them
pids='' missing='' status=0
dir=$(mktemp -d "$tools/run.XXXXXX") || exit

stop_servers() {
  for pid in $pids; do
    kill "$pid" && wait "$pid"
  done 2>/dev/null
  pids=
}

trap 'stop_servers; [ -z "${key-}" ] || "$ipcbox" semset rm "$key" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
  echo "bench: $*" >&2
  exit 1
}

# Is the peer there? If not, its package is named at the end.
has() {
  [ -x "$1" ] && return
  case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
  return 1
}

wanted() {
  case " ${PARTS:-$1} " in *" $1 "*) return 0 ;; esac
  return 1
}

# The first goes last: what comes before a contestant's turn is not always the same.
rotate() {
  # shellcheck disable=SC2086 # names
  set -- $contestants
  first=$1
  shift
  contestants="$* $first"
}

# ---- servers ----

# A row of the next table: NAME GOAL LABEL
row() {
  echo "$1|$2|$3" >>"$dir/rows"
}

new_part() {
  rm -f "$dir"/main.* "$dir"/cpu.* "$dir"/timed.* "$dir"/count.* "$dir"/few.* "$dir"/rows
  contestants=
  printf '\n%s\n' "$1"
}

# A server that prints its port (or path) when it is ready: NAME GOAL LABEL COMMAND...
tells_port() {
  name=$1
  row "$1" "$2" "$3"
  shift 3
  "$tools/timed" -o "$dir/timed.$name" "$@" >"$dir/fifo" 2>>"$dir/err.$name" &
  pids="$pids $!"
  read -r address <"$dir/fifo" || die "$name did not start: $(cat "$dir/err.$name")"
  echo "$address" >"$dir/address.$name"
  contestants="$contestants $name"
}

# A server that doesn't: NAME GOAL LABEL ADDRESS COMMAND...
silent() {
  name=$1 address=$4
  row "$1" "$2" "$3"
  echo "$4" >"$dir/address.$1"
  shift 4
  "$tools/timed" -o "$dir/timed.$name" "$@" >/dev/null 2>>"$dir/err.$name" &
  pids="$pids $!"
  tries=0
  until "$tools/load" -n 1 -t 5 -e 'hello\n' "$address" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "$name does not answer: $(cat "$dir/err.$name")"
    sleep 0.1
  done
  contestants="$contestants $name"
}

# It is slow: fewer connections will do.
few() {
  : >"$dir/few.$1"
}

turn() {
  n=$connections
  [ -f "$dir/few.$1" ] && n=$((connections / 4))
  result=$("$tools/load" -n "$n" -e 'hello\n' "$(cat "$dir/address.$1")" 2>"$dir/complaints")
  echo "$result" | sed 's/[a-z0-9_]*=//g' >>"$dir/turns.$1"
  case $result in
  *' wrong=0 failed=0 '*) return ;;
  *' wrong=0 '*) [ "${1#ipcbox}" = "$1" ] || status=1 ;;
  *) status=1 ;;
  esac
  echo "  $1: $result"
  cat "$dir/complaints"
}

serve_rounds() {
  round=0
  while [ "$round" -lt "$rounds" ]; do
    rm -f "$dir"/turns.*
    slice=0
    while [ "$slice" -lt "$slices" ]; do
      for name in $contestants; do
        turn "$name"
      done
      slice=$((slice + 1))
      rotate
    done
    for name in $contestants; do
      awk '{n += $1; s += $4} END {print n / s}' "$dir/turns.$name" >>"$dir/main.$name"
      awk '{n += $1} END {print n}' "$dir/turns.$name" >>"$dir/count.$name"
    done
    round=$((round + 1))
  done
  stop_servers
  for name in $contestants; do
    count=$(awk '{n += $1} END {print n}' "$dir/count.$name")
    sed 's/[a-z_]*=//g' "$dir/timed.$name" | awk -v n="$count" '{print ($2 + $3) * 1e6 / n}' >"$dir/cpu.$name"
  done
}

table() { # base|row rate|time
  awk -v dir="$dir" -v base=ipcbox -v subject="$1" -v main="$2" -f "$bench/table.awk" "$dir/rows"
}

free_port() {
  port=$("$tools/bytes" port)
}

tcp_part() {
  new_part "1. A program per TCP connection: accept, environment, exec of a static program, reap; 30 at a time."
  tells_port ipcbox '' 'ipcbox tcpserver' "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  tells_port bare 0.9 'bareloop: one start at a time' "$tools/bareloop" 40 "$tools/hello"
  tells_port bare-beside '' 'bareloop -b: starts that overlap' "$tools/bareloop" -b 40 "$tools/hello"
  if has /usr/bin/tcpserver ucspi-tcp-ipv6; then
    tells_port ucspi 1.2 'ucspi-tcp tcpserver' /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
  fi
  if has /usr/bin/tcpsvd ipsvd; then
    free_port
    silent tcpsvd '' 'ipsvd tcpsvd' "$port" /usr/bin/tcpsvd -c 40 -b 128 -l 0 127.0.0.1 "$port" "$tools/hello"
  fi
  if has /usr/bin/socat socat; then
    free_port
    silent socat '' 'socat fork, nofork' "$port" /usr/bin/socat \
      "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=128,max-children=40" "EXEC:$tools/hello,nofork"
    few socat
  fi
  if has /usr/bin/perl perl; then
    tells_port perl '' 'perl, as in perlipc' /usr/bin/perl "$bench/perl-server.pl" 40 "$tools/hello"
    few perl
  fi
  if [ -x "$build/static/ipcbox" ]; then
    tells_port ipcbox-static '' 'ipcbox tcpserver, static with musl' "$build/static/ipcbox" tcpserver -1 -c 40 \
      127.0.0.1 0 "$tools/hello"
  else
    echo '  (no musl-gcc, Debian package musl-tools: no static build to compare)'
  fi
  serve_rounds
  table base rate
}

options_part() {
  new_part "2. What options cost tcpserver; the same, against itself without."
  awk 'BEGIN {
    for (i = 0; i < 99999; i++)
      printf "10.%d.%d.%d:%s\n", i / 65536, i / 256 % 256, i % 256, i % 2 ? "deny" : "allow,NUMBER=\"" i "\""
    print "127.0.0.1:allow,WHO=\"us\""
  }' >"$dir/rules"
  set -- 127.0.0.1 0 "$tools/hello"
  tells_port ipcbox '' 'no options' "$ipcbox" tcpserver -1 -c 40 "$@"
  tells_port ipcbox-again '' 'no options, again: the noise' "$ipcbox" tcpserver -1 -c 40 "$@"
  tells_port ipcbox-rules 0.9 '-x, 100,000 access rules' "$ipcbox" tcpserver -1 -c 40 -x "$dir/rules" "$@"
  tells_port ipcbox-per-client 0.9 '-C 1000' "$ipcbox" tcpserver -1 -c 40 -C 1000 "$@"
  tells_port ipcbox-log 0.9 '-v --log-format=json, to a file' "$ipcbox" tcpserver -1 -c 40 -v --log-format=json "$@"
  serve_rounds
  table row rate
  [ "$(grep -c '"ok"' "$dir/err.ipcbox-log")" -eq "$(awk '{n += $1} END {print n}' "$dir/count.ipcbox-log")" ] ||
    die 'the log has not one line for each connection'
}

unix_part() {
  new_part "3. A program per connection to a Unix socket; 30 at a time."
  tells_port ipcbox '' 'ipcbox unixserver' "$ipcbox" unixserver -1 -c 40 ./ipcbox.sock "$tools/hello"
  if has /usr/bin/unixserver ucspi-unix; then
    silent ucspi '' 'ucspi-unix unixserver' ./ucspi.sock \
      /usr/bin/unixserver -q -c 40 -b 128 ./ucspi.sock "$tools/hello"
  fi
  if has /usr/bin/s6-ipcserver s6; then
    silent s6 '' 's6-ipcserver' ./s6.sock /usr/bin/s6-ipcserver -q -c 40 -b 128 ./s6.sock "$tools/hello"
  fi
  serve_rounds
  table base rate
}

# ---- relays ----

relay() { # NAME send|receive PORT: stdin to the server, or the server to stdout
  case $1-$2 in
  ipcbox-*) set -- "$ipcbox" tcpclient 127.0.0.1 "$3" ;;
  bare-splice-send) set -- "$tools/barerelay" splice "$3" ;;
  bare-*) set -- "$tools/barerelay" "$2" "$3" ;;
  nc-send) set -- /usr/bin/nc.openbsd -N 127.0.0.1 "$3" ;;
  nc-receive) set -- /usr/bin/nc.openbsd -d 127.0.0.1 "$3" ;;
  ncat-send) set -- /usr/bin/ncat 127.0.0.1 "$3" ;;
  ncat-receive) set -- /usr/bin/ncat --recv-only 127.0.0.1 "$3" ;;
  socat-send) set -- /usr/bin/socat -b 131072 -t 60 - "TCP:127.0.0.1:$3" ;;
  socat-receive) set -- /usr/bin/socat -u -b 131072 "TCP:127.0.0.1:$3" - ;;
  esac
  "$tools/timed" -o "$dir/timed" "$@"
}

# One relay of a way, by NAME; the verdict into $dir/verdict, its times into $dir/timed
relay_once() { # WAY NAME
  case $1 in
  file-to-socket) relay "$2" send "$sink" <"$dir/data" >"$dir/verdict" ;;
  pipe-to-socket) "$tools/bytes" make "$size" | relay "$2" send "$sink" >"$dir/verdict" ;;
  socket-to-pipe) relay "$2" receive "$source" </dev/null | "$tools/bytes" check "$size" >"$dir/verdict" ;;
  socket-to-file) # over zeros that are in memory, so that it is not the file system that is measured
    head -c "$size" /dev/zero 1<>"$dir/out"
    relay "$2" receive "$source" </dev/null 1<>"$dir/out"
    "$tools/bytes" check "$size" <"$dir/out" >"$dir/verdict"
    ;;
  esac
}

relay_way() { # WAY
  new_part "4. Relay of $((size / 1048576)) MiB, $1."
  row ipcbox '' 'ipcbox tcpclient'
  row bare '' 'barerelay: sendfile, splice, copy'
  contestants='ipcbox bare'
  [ "$1" != pipe-to-socket ] || {
    row bare-splice '' 'barerelay: splice'
    contestants="$contestants bare-splice"
  }
  has /usr/bin/nc.openbsd netcat-openbsd && row nc '' 'nc (netcat-openbsd)' && contestants="$contestants nc"
  has /usr/bin/ncat ncat && row ncat '' 'ncat' && contestants="$contestants ncat"
  has /usr/bin/socat socat && row socat '' 'socat -b 131072' && contestants="$contestants socat"
  round=0
  while [ "$round" -lt "$rounds" ]; do
    for name in $contestants; do
      rm -f "$dir/timed"
      relay_once "$1" "$name"
      if [ "$(cat "$dir/verdict")" != "ok $size" ]; then
        echo "  $name: $(cat "$dir/verdict")"
        status=1
      fi
      sed 's/[a-z_]*=//g' "$dir/timed" >"$dir/times"
      awk '{print $1}' "$dir/times" >>"$dir/main.$name"
      awk '{print $2 + $3}' "$dir/times" >>"$dir/cpu.$name"
    done
    rotate
    round=$((round + 1))
  done
  table base time
}

relay_part() {
  "$tools/bytes" make "$size" >"$dir/data" || die 'no room for the data'
  contestants=
  tells_port sink '' '' "$tools/bytes" sink "$size"
  tells_port source '' '' "$tools/bytes" source "$size"
  sink=$(cat "$dir/address.sink") source=$(cat "$dir/address.source")
  for way in file-to-socket pipe-to-socket socket-to-pipe socket-to-file; do
    relay_way "$way"
  done
  stop_servers
  rm -f "$dir/data" "$dir/out"
}

# ---- system calls ----

# The calls of 1000 connections, by strace, into $dir/calls.NAME: NAME COMMAND...
count_calls() {
  name=$1
  shift
  # the shell tells its pid, which is the server's after exec: to end strace, end what it follows
  strace -f -c -o "$dir/strace" sh -c 'echo $$; exec "$@"' sh "$@" >"$dir/fifo" 2>/dev/null &
  tracer=$!
  {
    read -r server
    read -r port
  } <"$dir/fifo"
  "$tools/load" -n 1000 -e 'hello\n' "$port" >/dev/null || status=1
  kill "$server"
  wait "$tracer"
  awk -v name="$name" '$1 ~ /^[0-9.]+$/ && $NF != "total" && $4 >= 50 {print $NF, name, $4 / 1000}' "$dir/strace" \
    >>"$dir/calls"
}

calls_part() {
  has /usr/bin/strace strace || return
  printf '\n%s\n' "5. System calls for one connection, of the server and its child, with the program's write and exit."
  count_calls ipcbox "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  has /usr/bin/tcpserver ucspi-tcp-ipv6 &&
    count_calls ucspi /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
  sort "$dir/calls" | awk '
    function out() {
      if (call != "")
        printf "  %-34s %10s %10s\n", call, n["ipcbox"] == "" ? "-" : sprintf("%.1f", n["ipcbox"]),
          n["ucspi"] == "" ? "-" : sprintf("%.1f", n["ucspi"])
      split("", n)
    }
    BEGIN {printf "  %-34s %10s %10s\n", "", "ipcbox", "ucspi-tcp"}
    $1 != call {out(); call = $1}
    {n[$2] = $3; sum[$2] += $3}
    END {out(); printf "  %-34s %10.1f %10.1f\n", "all", sum["ipcbox"], sum["ucspi"]}'
}

# ---- a program under a semaphore ----

taker() { # NAME GOAL LABEL COMMAND...: what takes, and its program
  name=$1
  row "$1" "$2" "$3"
  shift 3
  printf '%s\n' "$@" >"$dir/words.$name"
  contestants="$contestants $name"
}

# A turn's runs in a second. Each must have had its turn: nobody else holds the semaphore at the end.
take_turn() { # NAME N
  name=$1 n=$2
  set --
  while read -r word; do
    set -- "$@" "$word"
  done <"$dir/words.$name"
  rm -f "$dir/timed"
  if ! "$tools/timed" -o "$dir/timed" "$tools/repeat" "$n" "$@" >"$dir/out" ||
    [ "$(wc -l <"$dir/out")" -ne "$n" ]; then
    echo "  $name: a run has failed"
    status=1
  fi
  sed 's/[a-z_]*=//g' "$dir/timed" >"$dir/times"
  awk -v n="$n" '{print n / $1}' "$dir/times" >>"$dir/main.$name"
  awk -v n="$n" '{print ($2 + $3) * 1e6 / n}' "$dir/times" >>"$dir/cpu.$name"
}

take_part() {
  new_part "6. A static program under a semaphore or a lock, one run after the other."
  : >"$dir/lock"
  key=$dir/lock:1
  "$ipcbox" semset create "$key" || die 'no semaphore'
  taker ipcbox '' 'ipcbox semtake' "$ipcbox" semtake "$key" "$tools/hello"
  taker ipcbox-lockrun '' 'ipcbox lockrun' "$ipcbox" lockrun "$dir/lock" "$tools/hello"
  [ ! -x "$build/static/ipcbox" ] ||
    taker ipcbox-static '' 'ipcbox semtake, static with musl' "$build/static/ipcbox" semtake "$key" "$tools/hello"
  taker none '' 'the program alone' "$tools/hello"
  has /usr/bin/flock util-linux && taker flock 1 'flock' /usr/bin/flock "$dir/lock" "$tools/hello"
  has /usr/bin/perl perl &&
    taker perl 3 'perl, as in perlipc' /usr/bin/perl "$bench/take.pl" \
      "$("$ipcbox" semset stat "$key" | awk '$1 == "key" {print $2}' | while read -r hex; do echo $((hex)); done)" \
      "$tools/hello"
  round=0
  while [ "$round" -lt "$rounds" ]; do
    for name in $contestants; do
      take_turn "$name" 500
    done
    rotate
    round=$((round + 1))
  done
  "$ipcbox" semgive "$key" 2>/dev/null && {
    echo '  the semaphore was still taken at the end'
    status=1
  }
  "$ipcbox" semset rm "$key"
  table base rate
}

# ---- all of it ----

prepare() {
  for tool in load hello bareloop timed bytes barerelay repeat; do
    make -s B="$1" "$1/bench/$tool" >/dev/null || exit
  done
  make -s B="$1" >/dev/null || exit
  ! command -v musl-gcc >/dev/null || make -s B="$1" static >/dev/null || exit
  cd "$dir" || exit
  mkfifo fifo || exit
}

describe() {
  echo "cores: $(getconf _NPROCESSORS_ONLN), kernel: $(uname -sr), $(uname -m)"
  echo "compiler: $("${CC:-cc}" --version | head -n 1)"
  sed -n 's/^model name[^:]*: /processor: /p' /proc/cpuinfo 2>/dev/null | head -n 1
  echo "load average before: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null)"
  echo "rounds: $rounds; each round $((slices * connections)) connections to each server (slow ones: a quarter)"
}

prepare "$1"
describe
wanted tcp && tcp_part
wanted options && options_part
wanted unix && unix_part
wanted relay && relay_part
wanted calls && calls_part
wanted take && take_part
[ -z "$missing" ] || printf '\nNot installed, so not compared with (Debian packages):%s\n' "$missing"
[ "$status" -eq 0 ] || echo "bench: there were wrong or lost replies" >&2
exit "$status"
