# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# lib.sh - what the parts of the benchmark are made of: contestants that take turns in rounds, and tables of ratios.
#
# A contestant NAME has a row (row), its values of each round in $dir/main.NAME (a rate, or seconds), $dir/cpu.NAME (CPU
# microseconds for one of what is counted, or seconds) and, for servers, $dir/tail.NAME (the 99th percentile of their
# answers).

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
  for kind in main cpu tail timed count few pair words; do
    rm -f "$dir/$kind".*
  done
  rm -f "$dir/after" "$dir/rows"
  contestants=
  loader=load
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
  awk -v dir="$dir" -v base=ipcbox -v subject=base -v unit=us -v kind=tail -v part="$part" \
    -f "$bench/table.awk" "$dir/rows"
}

# A row of another table of the same measurement, if it was there to be measured: NAME GOAL LABEL
measured_row() {
  [ ! -s "$dir/main.$1" ] || row "$@"
}

label_of() { # NAME
  awk -F '|' -v name="$1" '$1 == name {print $3}' "$dir/rows"
}

# The 99th percentiles, and whether ipcbox's is at most 1.1 times that of the best of these: NAME...
tails() {
  echo
  tail_table
  best='' best_name=''
  for name in ipcbox "$@"; do
    [ -s "$dir/tail.$name" ] || continue
    median=$(sort -n "$dir/tail.$name" | awk '{v[NR] = $1} END {print(v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}')
    if [ "$name" = ipcbox ]; then
      ours=$median
    elif [ "$median" = 0 ]; then
      continue # it has failed
    elif [ -z "$best" ] || awk -v a="$median" -v b="$best" 'BEGIN {exit !(a < b)}'; then
      best=$median best_name=$name
    fi
  done
  [ -z "$best" ] || awk -v a="$ours" -v b="$best" -v name="$(label_of "$best_name")" 'BEGIN {
    printf "  The 99th percentile of ipcbox is %.2f x that of the best of the others (%s); goal at most 1.10: %s\n",
      a / b, name, (a <= 1.1 * b ? "met" : "missed")
  }'
}

# ---- commands that are run to their end ----

# A program of bench/, linked statically: NAME musl|glibc; it is $dir/NAME.musl or $dir/NAME.glibc. False: no musl-gcc.
static_program() {
  case $2 in
  musl) has /usr/bin/musl-gcc musl-tools || return ;;
  esac
  compiler=${CC:-cc}
  [ "$2" = glibc ] || compiler=musl-gcc
  "$compiler" -std=c11 -Os -D_GNU_SOURCE -I"$bench" -static -s -o "$dir/$1.$2" "$bench/$1.c" || die "no $1.$2"
}

# A command that is measured by whole runs: NAME GOAL LABEL COMMAND...
repeated() {
  name=$1
  contestant "$1" "$2" "$3"
  shift 3
  printf '%s\n' "$@" >"$dir/words.$name"
}

# The same of two programs that are run in turn, with ::: between them.
paired() {
  repeated "$@"
  : >"$dir/pair.$name"
}

# What `timed` has written of N things done: their rate in a second and CPU microseconds each; by themselves for N = 1:
# seconds.
took() { # N; of the contestant whose turn it is
  sed 's/[a-z_]*=//g' "$dir/timed" |
    awk -v n="$1" -v main="$dir/main.$contestant" -v cpu="$dir/cpu.$contestant" '{
      print(n == 1 ? $1 : n / $1) >>main
      print(n == 1 ? $2 + $3 : ($2 + $3) * 1e6 / n) >>cpu
    }'
}

# WORD... and then the contestant's own words, as one command; behind them those of $dir/after, if there is one.
run_with() { # NAME WORD...
  words=$dir/words.$1
  shift
  while read -r word; do
    set -- "$@" "$word"
  done <"$words"
  # shellcheck disable=SC2046 # words
  [ ! -f "$dir/after" ] || set -- "$@" $(cat "$dir/after")
  rm -f "$dir/timed"
  "$@"
}

# N runs of it, one after the other, or of its two programs in turn, into $dir/out.
timed_runs() { # NAME N
  runner=repeat
  [ ! -f "$dir/pair.$1" ] || runner=pair
  run_with "$1" "$tools/timed" -o "$dir/timed" "$tools/$runner" "$2" >"$dir/out"
}

# The same, each of which ends with 0 and writes nothing but LINE.
repeat_turn() { # NAME N [LINE]
  name=$1 n=$2 line=${3-}
  [ ! -f "$dir/few.$1" ] || n=$((n / 4))
  if ! timed_runs "$1" "$n" ||
    ! awk -v n="$n" -v line="$line" '{bad += $0 "" != line ""} END {exit(bad || NR != (line == "" ? 0 : n))}' "$dir/out"; then
    echo "  $name: a run has failed, or has written something else"
    status=1
  fi
  took "$n"
}

repeat_rounds() { # N [LINE]
  rounds_of repeat_turn "$@"
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
  until "$tools/$loader" -n 1 -t 5 ${answer:+-e "$answer"} "$address" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "$name does not answer: $(cat "$dir/err.$name")"
    sleep 0.1
  done
}

# Some connections to it, all of whose replies must be right: the line hello; with udpload, the question.
turn() { # NAME
  n=$connections
  [ -f "$dir/few.$1" ] && n=$((connections / 4))
  expected='hello\n'
  [ "$loader" = load ] || expected=
  result=$("$tools/$loader" -n "$n" ${expected:+-e "$expected"} "$(cat "$dir/address.$1")" 2>"$dir/complaints")
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

# ---- connections that are held ----

# Opens N connections to a server and keeps them until there is nothing more to read from fd 8, which the caller has
# open for writing: when this returns, a program runs for each of them. The verdict comes into $dir/report.NAME
hold() { # NAME N
  {
    "$tools/load" -w -n "$2" -t 60 "$(cat "$dir/address.$1")" <"$dir/go" 2>&1 | {
      exec 8>&-
      read -r first
      echo "$first" >"$dir/fifo"
      echo "$first"
      cat
    } >"$dir/report.$1"
  } 8>&- &
  holders="${holders-} $!"
  read -r held <"$dir/fifo"
  [ "$held" = "held $2" ] || {
    echo "  $1: not all of $2 connections are open: $held"
    status=1
  }
}

# fd 8, until release
prepare_to_hold() {
  holders=
  rm -f "$dir/go"
  mkfifo "$dir/go" || exit
  exec 8<>"$dir/go"
}

# Ends all connections that are held; each must have got its line, nothing else, and an end.
release() {
  exec 8>&-
  # shellcheck disable=SC2086 # numbers
  wait $holders
  for report in "$dir"/report.*; do
    grep -q ' wrong=0 failed=0 ' "$report" || {
      echo "  ${report##*/report.}: $(cat "$report")"
      status=1
    }
  done
  rm -f "$dir"/report.* "$dir/go"
}
