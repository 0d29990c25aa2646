# sigtrap: a program whose signals are ignored, rewritten, answered by a handler or a restart, or passed on.

load helper/sigtrap

setup() {
  sigtrap_setup
}

teardown() {
  common_teardown
}

# ---- ignore, rewrite, pass on ----

@test "ignore: the signal goes no further" {
  trapped USR1=ignore HUP=ignore ./recorder USR1 USR2 HUP
  kill -USR1 "$trap"
  kill -HUP "$trap"
  until_true quiet "$trap"
  kill -USR2 "$trap"
  until_true heard USR2
  finish "$trap"
  [ "$status" -eq 143 ]
  heard USR2
}

@test "a signal's name: PROG gets that one instead" {
  trapped USR1=USR2 SIGHUP=sigusr1 RTMIN+1=12 INT=RTMAX ./recorder USR1 USR2 HUP INT RTMAX
  kill -USR1 "$trap"
  until_true heard USR2
  kill -HUP "$trap"
  until_true heard USR2 USR1
  kill -35 "$trap"
  until_true heard USR2 USR1 USR2
  kill -INT "$trap"
  until_true heard USR2 USR1 USR2 RTMAX
  finish "$trap"
}

@test "a rewritten signal is not rewritten again" {
  trapped USR1=USR2 USR2=USR1 ./recorder USR1 USR2
  kill -USR1 "$trap"
  until_true heard USR2
  kill -USR2 "$trap"
  until_true heard USR2 USR1
  finish "$trap"
}

@test "a later action for the same signal wins" {
  trapped USR1=ignore USR1=USR2 ./recorder USR1 USR2
  kill -USR1 "$trap"
  until_true heard USR2
  finish "$trap"
}

@test "all else is passed on" {
  local want=() name
  trapped ALRM=ignore ./recorder HUP INT QUIT USR1 USR2 TERM XCPU VTALRM PROF IO PWR RTMIN RTMAX
  for name in HUP INT QUIT USR1 USR2 TERM XCPU VTALRM PROF IO PWR RTMIN RTMAX; do
    kill -"$name" "$trap"
    want+=("$name")
    until_true heard "${want[@]}"
  done
  kill -KILL "$prog"
  ends_with 137 "$trap"
}

@test "so are signals that would not end sigtrap: WINCH, URG, CONT" {
  local name
  trapped ALRM=ignore ./recorder WINCH URG CONT
  # in any order: those that come together may be passed on, and handled, in that of their numbers
  for name in WINCH URG CONT; do
    kill -"$name" "$trap"
  done
  until_true lines trap.out 4
  [ "$(tail -n +2 trap.out | sort | paste -sd ' ')" = "CONT URG WINCH" ]
  finish "$trap"
}

@test "WINCH, TSTP and CONT can have actions, though they do not end a process" {
  trapped WINCH=USR1 TSTP=USR2 CONT=HUP ./recorder WINCH USR1 USR2 TSTP HUP CONT
  kill -WINCH "$trap"
  until_true heard USR1
  kill -TSTP "$trap"
  until_true heard USR1 USR2
  kill -CONT "$trap"
  until_true heard USR1 USR2 HUP
  finish "$trap"
}

@test "PROG has the signal state that sigtrap was given, even where sigtrap acts on it" {
  program state '#!/bin/sh
    grep -E "^Sig(Ign|Blk):" /proc/self/status'
  env --ignore-signal=HUP,USR1,PIPE --block-signal=USR2 ./state >before
  env --ignore-signal=HUP,USR1,PIPE --block-signal=USR2 sigtrap HUP=ignore TERM=USR1 WINCH=exec:true ./state >after
  grep -q SigIgn before
  cmp before after
}

@test "an action holds for a signal that was inherited as ignored, too" {
  : >runs
  background trap env --ignore-signal=HUP sigtrap HUP=USR1 ./recorder USR1
  until_line trap.out ready
  kill -HUP "$trap"
  until_line trap.out USR1
  finish "$trap"
}

# ---- PROG's end ----

@test "PROG's status is kept" {
  local code
  for code in 0 1 7 100 111 124 127 255; do
    run "-$code" timeout --foreground 60 sigtrap HUP=ignore sh -c "exit $code"
    [ -z "$output" ]
  done
}

@test "PROG's death by a signal is sigtrap's" {
  local sig
  for sig in TERM KILL INT USR1 RTMIN; do
    run -0 timeout --foreground 60 how-it-ends sigtrap HUP=ignore does default INT kill "$(signame "$sig")" self sleep
    [ "$output" = "exit 0 signal $(signame "$sig")" ]
  done
}

@test "a program that does not exist is 127, one that cannot be executed 126" {
  run -127 sigtrap HUP=ignore ./nothing
  [ "$output" = "sigtrap: ./nothing: No such file or directory" ]
  echo >plain
  run -126 sigtrap HUP=ignore ./plain
  [ "$output" = "sigtrap: ./plain: Permission denied" ]
}

@test "--status-fd: a line for every PROG, none for handlers; the fd stays sigtrap's" {
  # shellcheck disable=SC2016
  background trap sh -c 'exec sigtrap --status-fd 9 HUP=restart USR1=exec:./gated -- sh -c "
    ls /proc/self/fd >fds; echo \$\$ >>pids; exec sleep 99.71" 9>status'
  nth 1
  mkfifo go
  kill -USR1 "$trap"
  until_line runs begin
  echo >go
  until_line runs end
  kill -HUP "$trap"
  nth 2
  finish "$trap"
  [ "$status" -eq 143 ]
  [ "$(sed 's/seconds=[0-9]*\.[0-9]\{3\}$/seconds=T/' status)" = "\
stage=0 pid=$(sed -n 1p pids) exec_errno=0 exit=0 signal=15 core=0 timed_out=0 seconds=T
stage=0 pid=$(sed -n 2p pids) exec_errno=0 exit=0 signal=15 core=0 timed_out=0 seconds=T" ]
  run ! grep -qx 9 fds
}

# ---- the command line ----

@test "words that are no actions are PROG's, behind -- even with a =" {
  # shellcheck disable=SC2016
  program a=b '#!/bin/sh
    echo "$0 $*"'
  run -0 timeout --foreground 60 sigtrap HUP=ignore -- ./a=b INT=ignore -k --
  [ "$output" = "./a=b INT=ignore -k --" ]
  run -0 timeout --foreground 60 sigtrap HUP=ignore echo INT=ignore -- -k
  [ "$output" = "INT=ignore -- -k" ]
}

@test "usage errors: nothing is run" {
  local word
  program a=b '#!/bin/sh
    touch ran'
  wrong_call sigtrap
  wrong_call sigtrap HUP=ignore
  wrong_call sigtrap HUP=ignore --
  wrong_call sigtrap HUP=ignore ./a=b
  for word in =ignore =TERM NOPE=ignore 0=ignore 65=ignore -1=ignore HUP= HUP=NOPE HUP=0 HUP=65 HUP=IGNORE HUP=ignored \
    HUP=RESTART HUP=exec HUP=exec: 'HUP=exec:  ' HUP=restart: HUP=ignore=x ' HUP=ignore' 'HUP =ignore' \
    HUP,INT=ignore; do
    wrong_call sigtrap -- "$word" touch ran
    wrong_call sigtrap USR1=ignore "$word" touch ran
  done
  for word in KILL STOP 9 19 CHLD SIGKILL; do
    wrong_call sigtrap "$word=ignore" touch ran
    wrong_call sigtrap "$word=TERM" touch ran
    wrong_call sigtrap "$word=exec:true" touch ran
    wrong_call sigtrap "$word=restart" touch ran
  done
  # the word is said as it was given, not as it was split
  wrong_call sigtrap 'KILL=exec:true true' touch ran
  [ "${stderr_lines[0]}" = "sigtrap: 'KILL=exec:true true': this signal can't be trapped" ]
  for word in '' -1 x 5x 0x10; do
    wrong_call sigtrap -k "$word" HUP=restart touch ran
  done
  wrong_call sigtrap --status-fd 99 HUP=ignore touch ran
  wrong_call sigtrap --status-fd x HUP=ignore touch ran
  wrong_call sigtrap --no-such-option HUP=ignore touch ran
  [ ! -e ran ]
}

@test "signals that libc keeps for itself can't be trapped" {
  wrong_call sigtrap 32=ignore touch ran
  wrong_call sigtrap 33=TERM touch ran
  [ ! -e ran ]
}
