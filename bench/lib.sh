# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# lib.sh - what the parts of the benchmark are made of: contestants that take turns in rounds, and tables of ratios.
#
# A contestant NAME has a row (row), its values of each round in $dir/main.NAME (a rate, or seconds), $dir/cpu.NAME (CPU
# microseconds for one of what is counted, or seconds) and, for servers, $dir/tail.NAME (the 99th percentile of their answers).

die() {
  echo "bench: $*" >&2
  exit 1
}

# Is the peer there? If not, its package is named at the end. PATH PACKAGE
has() {
  [ -x "$1" ] && return
  case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
  return 1
}

new_part() { # TITLE
  rm -f "$dir"/main.* "$dir"/cpu.* "$dir"/tail.* "$dir"/timed.* "$dir"/count.* "$dir"/few.* "$dir"/words.* "$dir"/rows
  contestants=
  part=$((part + 1))
  printf '\n%s\n' "$part. $1"
  echo "$part|$1" >>"$dir/plot" # a heading
}

# A row of the next table: NAME GOAL LABEL. GOAL is the smallest ratio that is wanted, or empty.
row() {
  echo "$1|$2|$3" >>"$dir/rows"
}

contestant() { # NAME GOAL LABEL
  row "$@"
  contestants="$contestants $1"
}

# The first goes last: what comes before a contestant's turn is not always the same.
rotate() {
  # shellcheck disable=SC2086 # names
  set -- $contestants
  first=$1
  shift
  contestants="$* $first"
}

# Gives each contestant its turn in each round: COMMAND NAME [ARG...] measures one.
rounds_of() { # COMMAND [ARG...]
  command=$1
  shift
  round=0
  while [ "$round" -lt "$rounds" ]; do
    for contestant in $contestants; do
      "$command" "$contestant" "$@"
    done
    rotate
    round=$((round + 1))
  done
}

# The table of what was measured. base: how many times as good BASE (ipcbox) is as each row; row: each row as BASE.
# rate: more is better, and CPU is in microseconds; time: seconds. ROWS are the names of the rows that are shown (all).
table() { # base|row rate|time [BASE [ROW...]]
  subject=$1 unit=$2 base=${3:-ipcbox}
  [ $# -lt 3 ] || shift
  shift 2
  awk -v dir="$dir" -v base="$base" -v subject="$subject" -v unit="$unit" -v kind=main -v names="$*" -v part="$part" \
    -v plot="$dir/plot" -f "$bench/table.awk" "$dir/rows"
}

# The same of the servers' 99th percentiles.
tail_table() { # [GOAL for the best of the others]
  awk -v dir="$dir" -v base=ipcbox -v subject=base -v unit=us -v kind=tail -v part="$part" -f "$bench/table.awk" "$dir/rows"
}

# ---- commands that are run to their end ----

# A command that is measured by whole runs: NAME GOAL LABEL COMMAND...
repeated() {
  name=$1
  contestant "$1" "$2" "$3"
  shift 3
  printf '%s\n' "$@" >"$dir/words.$name"
}

# What `timed` has written of N things done: their rate in a second and CPU microseconds each; by themselves for N = 1: seconds.
took() { # N; of the contestant whose turn it is
  sed 's/[a-z_]*=//g' "$dir/timed" |
    awk -v n="$1" -v main="$dir/main.$contestant" -v cpu="$dir/cpu.$contestant" '{
      print(n == 1 ? $1 : n / $1) >>main
      print(n == 1 ? $2 + $3 : ($2 + $3) * 1e6 / n) >>cpu
    }'
}

# N runs of it, one after the other, each of which writes one line and ends with 0.
repeat_turn() { # NAME N
  name=$1 n=$2
  [ ! -f "$dir/few.$1" ] || n=$((n / 4))
  set --
  while read -r word; do
    set -- "$@" "$word"
  done <"$dir/words.$name"
  rm -f "$dir/timed"
  if ! "$tools/timed" -o "$dir/timed" "$tools/repeat" "$n" "$@" >"$dir/out" || [ "$(wc -l <"$dir/out")" -ne "$n" ]; then
    echo "  $name: a run has failed"
    status=1
  fi
  took "$n"
}

repeat_rounds() { # N
  rounds_of repeat_turn "$1"
}

# It is slow: a quarter of the work will do.
few() { # NAME
  : >"$dir/few.$1"
}

# ---- servers ----

free_port() {
  port=$("$tools/bytes" port)
}

stop_servers() {
  for pid in $pids; do
    kill "$pid" && wait "$pid"
  done 2>/dev/null
  pids=
}

# A server that prints its port (or path) when it is ready: NAME GOAL LABEL COMMAND...
tells_port() {
  name=$1
  contestant "$1" "$2" "$3"
  shift 3
  "$tools/timed" -o "$dir/timed.$name" "$@" >"$dir/fifo" 2>>"$dir/err.$name" &
  pids="$pids $!"
  read -r address <"$dir/fifo" || die "$name did not start: $(cat "$dir/err.$name")"
  echo "$address" >"$dir/address.$name"
}

# A server that doesn't, whose program says hello: NAME GOAL LABEL ADDRESS COMMAND...
silent() {
  start_silent 'hello\n' "$@"
}

# The same, whose program echoes.
silent_echo() {
  start_silent '' "$@"
}

start_silent() { # ANSWER|'' NAME GOAL LABEL ADDRESS COMMAND...
  answer=$1 name=$2 address=$5
  contestant "$2" "$3" "$4"
  echo "$5" >"$dir/address.$name"
  shift 5
  "$tools/timed" -o "$dir/timed.$name" "$@" >/dev/null 2>>"$dir/err.$name" &
  pids="$pids $!"
  tries=0
  until "$tools/load" -n 1 -t 5 ${answer:+-e "$answer"} "$address" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "$name does not answer: $(cat "$dir/err.$name")"
    sleep 0.1
  done
}

# Some connections to it, all of whose replies must be right: the line hello.
turn() { # NAME
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

# Each round many short turns. Ends the servers.
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
      awk '{p += $7} END {print p / NR}' "$dir/turns.$name" >>"$dir/tail.$name"
    done
    round=$((round + 1))
  done
  stop_servers
  for name in $contestants; do
    count=$(awk '{n += $1} END {print n}' "$dir/count.$name")
    sed 's/[a-z_]*=//g' "$dir/timed.$name" | awk -v n="$count" '{print ($2 + $3) * 1e6 / n}' >"$dir/cpu.$name"
  done
}
