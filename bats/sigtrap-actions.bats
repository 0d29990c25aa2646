# sigtrap's larger actions: handlers, one at a time, and restarts.

load helper/sigtrap

setup() {
  sigtrap_setup
}

teardown() {
  common_teardown
}

# in_turn: of the handlers' lines every begin is followed by its own end.
in_turn() {
  awk 'NR % 2 { bad += $1 != "begin"; name = $2; next } { bad += $1 != "end" || $2 != name }
    END { exit bad || NR == 0 || NR % 2 }' runs
}

# ---- handlers ----

@test "exec: runs the words behind it, without a shell, with SIGNAL and PROG_PID" {
  program handler '#!/bin/sh
    echo "$SIGNAL $PROG_PID $GIVEN $# $*" >>told'
  export GIVEN=yes
  # shellcheck disable=SC2016
  trapped 'USR1=exec:./handler  one $HOME "two  x" *' USR2=exec:./handler RTMIN+2=exec:./handler ./recorder USR1 USR2
  kill -USR1 "$trap"
  until_true lines told 1
  kill -USR2 "$trap"
  until_true lines told 2
  kill -36 "$trap"
  until_true lines told 3
  finish "$trap"
  # shellcheck disable=SC2016
  [ "$(cat told)" = "USR1 $prog yes 5 one \$HOME \"two x\" *
USR2 $prog yes 0 
RTMIN+2 $prog yes 0 " ]
  heard ''
}

@test "a handler's signal state is that which sigtrap was given" {
  program state '#!/bin/sh
    grep -E "^Sig(Ign|Blk|Cgt):" /proc/self/status >$1.new; mv $1.new $1'
  background trap env --ignore-signal=HUP --block-signal=USR2 sigtrap 'USR1=exec:./state handler' ./recorder
  until_line trap.out ready
  kill -USR1 "$trap"
  until_true test -e handler
  env --default-signal=INT,QUIT --ignore-signal=HUP --block-signal=USR2 ./state direct
  cmp direct handler
  kill -KILL "$(awk '/^ready/ { print $2 }' trap.out)"
  ends_with 137 "$trap"
}

@test "one handler at a time; what comes meanwhile is run afterwards, once" {
  mkfifo go
  trapped USR1=exec:./gated USR2=exec:./gated ./recorder
  kill -USR1 "$trap"
  until_true lines runs 1
  exec 8<>go # held open: a handler finds no end of file, but only lines
  local n
  for n in {1..5}; do
    kill -USR1 "$trap"
    kill -USR2 "$trap"
    until_true quiet "$trap"
  done
  [ "$(cat runs)" = "begin USR1" ]
  echo >&8
  until_true lines runs 3
  echo >&8
  until_true lines runs 5
  echo >&8
  until_true lines runs 6
  until_true no_children_but "$trap" "$prog"
  finish "$trap"
  in_turn
  [ "$(sort runs | paste -sd ' ')" = "begin USR1 begin USR1 begin USR2 end USR1 end USR1 end USR2" ]
}

# no_children_but PID CHILD: it has only that child, so no handler runs.
no_children_but() {
  local children
  children=$(cat /proc/"$1"/task/"$1"/children)
  [ "${children// /}" = "$2" ]
}

@test "of 10,000 signals in a row the last is followed by a handler's start, and never two run at once" {
  program handler '#!/bin/sh
    echo "begin $SIGNAL" >>runs; wc -c <counter >>seen; echo "end $SIGNAL" >>runs'
  : >counter
  trapped USR1=exec:./handler USR2=exec:./handler ./recorder USR1 USR2
  does storm "$trap" 10000 counter USR1 USR2
  until_line seen '^10000$'
  kill -TERM "$trap"
  ends_with 143 "$trap"
  in_turn
  heard ''
  [ "$(sort -nc seen && tail -n 1 seen)" = 10000 ]
}

@test "a storm of a rewritten signal and of a handler's leaves PROG and sigtrap alive" {
  trapped USR1=exec:true HUP=USR2 ./recorder USR2 INT
  does storm "$trap" 6000 '' USR1 HUP
  kill -INT "$trap"
  until_line trap.out INT
  until_line trap.out USR2
  finish "$trap"
  [ "$status" -eq 143 ]
}

@test "a handler that cannot be run is reported, and PROG keeps running" {
  echo >plain
  trapped USR1=exec:./nothing USR2=exec:./plain ./recorder HUP
  kill -USR1 "$trap"
  until_line trap.err '^sigtrap: ./nothing: No such file or directory$'
  kill -USR2 "$trap"
  until_line trap.err '^sigtrap: ./plain: Permission denied$'
  program nothing '#!/bin/sh
    touch made'
  kill -USR1 "$trap"
  until_true test -e made
  kill -HUP "$trap"
  until_true heard HUP
  finish "$trap"
  [ "$status" -eq 143 ]
  lines trap.err 2
}

@test "a handler that fails or is killed has no other effect" {
  # shellcheck disable=SC2016
  program handler '#!/bin/sh
    echo >>told; test "$SIGNAL" = USR1 && exit 3; kill -KILL $$'
  trapped USR1=exec:./handler USR2=exec:./handler ./recorder HUP
  kill -USR1 "$trap"
  until_true lines told 1
  kill -USR2 "$trap"
  until_true lines told 2
  kill -HUP "$trap"
  until_true heard HUP
  finish "$trap"
  [ "$status" -eq 143 ]
}

@test "a handler that runs when PROG exits finishes; sigtrap then exits with PROG's status" {
  mkfifo go
  trapped USR1=exec:./gated ./recorder
  kill -USR1 "$trap"
  until_true lines runs 1
  kill -KILL "$prog"
  until_true gone "$prog"
  kill -0 "$trap"
  echo >go
  ends_with 137 "$trap"
  [ "$(cat runs)" = $'begin USR1\nend USR1' ]
}

@test "after PROG has exited a handler's PROG_PID is unset: not 0, which kill takes for the whole group" {
  program handler '#!/bin/sh
    echo "begin ${PROG_PID-unset}" >>runs; until read -r line <go; do :; done; echo end >>runs'
  mkfifo go
  trapped USR1=exec:./handler ./recorder
  kill -USR1 "$trap"
  until_true lines runs 1
  kill -USR1 "$trap"
  until_true quiet "$trap"
  kill -KILL "$prog"
  until_true gone "$prog"
  # for this one, and for a second that may or may not start
  exec 8<>go
  printf '\n\n' >&8
  ends_with 137 "$trap"
  run ! grep -qE '^begin -?[01]?$' runs
}

# ---- restarts ----

@test "restart: twice in a row, PROG's pid is new each time" {
  # shellcheck disable=SC2016
  background trap sigtrap HUP=restart sh -c 'echo $$ >>pids; exec sleep 99.72'
  local first second
  nth 1
  first=$pid
  until_true asleep "$first" sleep
  kill -HUP "$trap"
  nth 2
  second=$pid
  [ "$first" != "$second" ]
  until_true gone "$first"
  until_true asleep "$second" sleep
  kill -HUP "$trap"
  nth 3
  [ "$pid" != "$second" ]
  [ "$pid" != "$first" ]
  until_true gone "$second"
  kill -0 "$pid"
  kill -TERM "$trap"
  ends_with 143 "$trap"
  until_true gone "$pid"
  lines pids 3
  run ! lines pids 4
}

@test "restart: PROG is asked with TERM, may clean up, and there are never two" {
  program tidy '#!/bin/sh
    exec does leave TERM 0 end to log begin to pids % sleep 2>>log'
  background trap sigtrap HUP=restart USR1=restart ./tidy
  nth 1
  kill -HUP "$trap"
  nth 2
  kill -USR1 "$trap"
  nth 3
  kill -TERM "$trap"
  ends_with 0 "$trap"
  [ "$(paste -sd ' ' log)" = "begin end begin end begin end" ]
}

@test "restart: a handler is told the new PROG_PID" {
  # shellcheck disable=SC2016
  program handler '#!/bin/sh
    echo "$PROG_PID" >>told'
  # shellcheck disable=SC2016
  background trap sigtrap HUP=restart USR1=exec:./handler sh -c 'echo $$ >>pids; exec sleep 99.73'
  nth 1
  kill -USR1 "$trap"
  until_true lines told 1
  kill -HUP "$trap"
  nth 2
  kill -USR1 "$trap"
  until_true lines told 2
  kill -TERM "$trap"
  ends_with 143 "$trap"
  cmp pids told
}

@test "-k: a PROG that won't end is killed for its restart" {
  program stubborn '#!/bin/sh
    exec does ignore TERM to pids % sleep'
  background trap sigtrap -k 100ms HUP=restart ./stubborn
  nth 1
  local first=$pid
  kill -HUP "$trap"
  nth 2
  until_true gone "$first"
  kill -KILL "$pid"
  ends_with 137 "$trap"
}

@test "restart: a stopped PROG exits, too" {
  # shellcheck disable=SC2016
  background trap sigtrap -k 1h HUP=restart sh -c 'echo $$ >>pids; exec sleep 99.74'
  nth 1
  local first=$pid
  kill -STOP "$first"
  kill -HUP "$trap"
  nth 2
  until_true gone "$first"
  kill -TERM "$trap"
  ends_with 143 "$trap"
}

@test "restart: TERM or INT that comes meanwhile is the end, and not lost" {
  local sig
  for sig in TERM INT; do
    rm -f pids asked
    script slow 'echo $$ >>pids
trap "echo >asked" TERM
trap "exit 7" '$sig'
while :; do read -rt 0.05 <> <(:); done'
    background trap sigtrap -k 1h HUP=restart ./slow
    until_true [ -s pids ]
    kill -STOP "$trap"
    kill -HUP "$trap"
    kill "-$sig" "$trap"
    kill -CONT "$trap"
    ends_with 7 "$trap"
    [ "$(wc -l <pids)" -eq 1 ]
  done
}

@test "restart: a PROG that no longer exists is reported, and the status is 127" {
  # shellcheck disable=SC2016
  program vanishing '#!/bin/sh
    echo $$ >>pids; rm "$0"; exec sleep 99.75'
  background trap sigtrap HUP=restart ./vanishing
  nth 1
  until_true asleep "$pid" sleep
  kill -HUP "$trap"
  ends_with 127 "$trap"
  [ "$(cat trap.err)" = "sigtrap: exec ./vanishing: No such file or directory" ]
}

@test "without restart PROG's own end is the end" {
  # shellcheck disable=SC2016
  run -3 timeout --foreground 60 sigtrap HUP=restart sh -c 'echo once >>runs; exit 3'
  [ "$(cat runs)" = once ]
}

@test "restart: a PROG that may not be signaled is reported, and waited for" {
  need strace strace
  # shellcheck disable=SC2016
  background trap strace -D -qq -o calls -e trace=kill -e inject=kill:error=EPERM \
    sigtrap -k 100ms HUP=restart sh -c 'echo $$ >>pids; exec sleep 99.76'
  nth 1
  until_true asleep "$pid" sleep
  kill -HUP "$trap"
  until_line trap.err '^sigtrap: kill sh: Operation not permitted$'
  # SIGKILL is sent once a second from now on; that is said once
  until_true eval '[ "$(grep -c "SIGKILL.*INJECTED" calls)" -ge 3 ]'
  kill -KILL "$pid"
  nth 2
  kill -KILL "$pid"
  ends_with 137 "$trap"
  [ "$(cat trap.err)" = "sigtrap: ask to end sh: Operation not permitted
sigtrap: kill sh: Operation not permitted" ]
}
