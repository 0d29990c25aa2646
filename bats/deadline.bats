# deadline: PROG and all its descendants end in time.

load helper/launch

setup() {
  launch_setup
  script ready-then-sleep 'echo >ready; exec sleep infinity'
}

teardown() {
  launch_teardown
}

# ---- in time ----

@test "in time: PROG's exit status is ours" {
  local code
  for code in 0 1 2 7 100 111 124 126 127 128 137 143 254 255; do
    run "-$code" timeout --foreground 60 deadline 1h sh -c "exit $code"
    [ -z "$output" ]
  done
}

@test "in time: a signal that kills PROG kills us, too" {
  local signal
  for signal in 1 2 6 9 10 13 14 15 35 64; do
    run -0 how_it_ends deadline 1h does default "$signal" kill "$signal" self sleep
    [ "$output" = "exit 0 signal $signal" ]
  done
}

@test "in time: descendants are left alone" {
  run -3 timeout --foreground 60 deadline 1h \
    "$HELPERS/descendants" log plain session orphan session-orphan deaf -- sh -c 'exit 3'
  [ "$(wc -l <log)" -eq 5 ]
  local pid
  for pid in $(grep -oE ' [0-9]+$' log); do
    kill -0 "$pid"
    kill -KILL "$pid"
  done
}

@test "a program that does not exist is 127, one that cannot be executed 126" {
  touch plain
  printf '#!/nowhere/sh\n' >script
  chmod +x script
  run -127 deadline 5 ./nothing
  [ "$output" = "deadline: ./nothing: No such file or directory" ]
  run -126 deadline 5 ./plain
  [ "$output" = "deadline: ./plain: Permission denied" ]
  run -127 deadline 5 ./script
  [ "$output" = "deadline: exec ./script: No such file or directory" ]
}

@test "--status-fd in time, and not" {
  run -3 deadline --status-fd 1 1h sh -c 'exit 3'
  [[ $output =~ ^'stage=0 pid='[0-9]+' exec_errno=0 exit=3 signal=0 core=0 timed_out=0 seconds='[0-9]+\.[0-9]+$ ]]
  run -124 --separate-stderr deadline --status-fd 1 -k 50 0.2 sleep infinity
  [[ $output =~ ^'stage=0 pid='[0-9]+' exec_errno=0 exit=0 signal=15 core=0 timed_out=1 seconds='[0-9]+\.[0-9]+$ ]]
  [[ $output != *=0.[01]* ]]
}

# ---- too late ----

@test "too late: 124, and one line" {
  run -124 --separate-stderr timeout --foreground 60 deadline 0.1 sleep infinity
  [ -z "$output" ]
  [ "$stderr" = "deadline: terminate sleep: the deadline passed" ]
}

@test "every form of a duration" {
  local began duration least
  while read -r duration least; do
    began=${EPOCHREALTIME/./}
    run -124 timeout --foreground 60 deadline "$duration" sleep infinity
    ((${EPOCHREALTIME/./} - began >= least * 1000))
    ((${EPOCHREALTIME/./} - began < 30000000))
  done <<<"0 0
0.25 250
250ms 250
0.004m 240
0.0001h 360
00.3 300"
}

@test "too late: all descendants end, and no zombie is left" {
  with_time 'ready log' -124 timeout --foreground 60 deadline -k 50 @T@ \
    "$HELPERS/descendants" log plain session orphan session-orphan stopped -- ./ready-then-sleep
  ((SECONDS < 30))
  run sort log
  [ "$(grep TERM <<<"$output")" = 'orphan TERM
plain TERM
session TERM
session-orphan TERM
stopped TERM' ]
  all_gone log
}

# bats test_tags=long
@test "too late: processes that ignore TERM are killed after -k, the others are not" {
  local began=${EPOCHREALTIME/./}
  with_time 'prog log' -124 timeout --foreground 60 deadline -k 3 @T@ \
    "$HELPERS/descendants" log deaf session-orphan-deaf session -- \
    does ignore TERM to prog 'prog %' sleep
  ((${EPOCHREALTIME/./} - began >= 3300000))
  [ "$(grep TERM log)" = "session TERM" ]
  [ "$(wc -l <log)" -eq 4 ]
  all_gone log
  all_gone prog
}

@test "--death-signal: PROG gets it when deadline is killed" {
  background limit deadline --death-signal USR1 1h does note2 USR1 to ready '%' sleep
  until_true test -s ready
  kill -KILL "$limit"
  until_line limit.err '^USR1$'
  kill "$(cat ready)"
  wrong_call deadline --death-signal 0 1 touch ran
  wrong_call deadline --death-signal '' 1 touch ran
}

@test "-k 0 kills at once" {
  with_time ready -124 timeout --foreground 60 deadline -k 0 @T@ \
    does ignore TERM to ready ready sleep
  ((SECONDS < 30))
}

@test "a tree of many processes whose parents have all exited is terminated" {
  # each of 100 in a session of its own or not, and an orphan
  script prog 'does fork 50 fork 1 to log "x %" sleep ";" ";" fork 50 sid fork 1 to log "x %" sleep ";" ";"
    until [ "$(wc -l <log)" -eq 100 ]; do read -rt 0.01 <> <(:); done
    echo ready >ready; exec sleep infinity'
  with_time 'ready log' -124 timeout --foreground 60 deadline -k 20 @T@ ./prog
  [ "$(wc -l <log)" -eq 100 ]
  all_gone log
}

@test "a process that forks all the time does not get away" {
  with_time ready -124 timeout --foreground 60 deadline -k 100ms @T@ \
    does ignore TERM fork 1 to ready ready churn 5 ';' sleep
  # launch_teardown sees who has got away
}

@test "-s sends another signal" {
  local signal
  for signal in USR1 SIGHUP 10; do
    with_time 'ready log' -124 timeout --foreground 60 deadline -s "$signal" -k 20 @T@ \
      "$HELPERS/descendants" log session -- ./ready-then-sleep
    run grep -oE '(USR1|HUP)$' log
    [ -n "$output" ]
    all_gone log
  done
  with_time 'ready log' -124 timeout --foreground 60 deadline --signal KILL @T@ \
    "$HELPERS/descendants" log session-orphan-deaf -- ./ready-then-sleep
  all_gone log
}

@test "--preserve-status: PROG's own status" {
  script prog 'trap "exit 7" TERM; echo >ready; sleep infinity & wait'
  with_time ready timeout --foreground 60 deadline --preserve-status -k 50 @T@ ./prog
  [ "$status" -eq 7 ]
  run -143 timeout --foreground 60 deadline --preserve-status -k 50 0.2 sleep infinity
  with_time ready timeout --foreground 60 deadline --preserve-status -k 0.1 @T@ \
    does ignore TERM to ready ready sleep
  [ "$status" -eq 137 ]
  run -3 timeout --foreground 60 deadline --preserve-status 1h sh -c 'exit 3'
}

@test "a stopped PROG is ended" {
  with_time prog -124 timeout --foreground 60 deadline -k 50 @T@ sh -c 'echo $$ >prog; kill -STOP $$'
  gone "$(cat prog)"
}

@test "a child that was there before deadline is left alone" {
  with_time 'ready log' -124 with_stranger deadline @T@ "$HELPERS/descendants" log session -- ./ready-then-sleep
  all_gone log
  kill -0 "$(cat stranger)"
  kill "$(cat stranger)"
}

# ---- signals ----

@test "TERM is passed on, and PROG's end is ours" {
  background late deadline 1h "$HELPERS/signals"
  until_line late.out ready
  kill -USR1 "$late"
  until_line late.out 'it 10'
  finish "$late"
  [ "$status" -eq 0 ]
  until_line late.out 'it 15'
  script prog 'echo running; exec sleep infinity'
  background late deadline 1h ./prog
  until_line late.out running
  finish "$late"
  [ "$status" -eq 143 ]
}

@test "a signal during -k cuts the wait short" {
  # blocked until somebody is there to handle it
  background late env --block-signal=USR1 deadline -s USR1 -k 1h 0.5 "$HELPERS/descendants" log deaf -- \
    does note USR1 unblock USR1 sleep
  until_line late.out USR1
  finish "$late"
  [ "$status" -eq 124 ]
  all_gone log
}

@test "PROG is in our process group" {
  run -0 deadline 1h does group
  [ "$output" = "same 0" ]
}

@test "dispositions, mask, fds and LISTEN_PID reach PROG" {
  signals_ignored_and_blocked env >want
  signals_ignored_and_blocked deadline 1h >found
  cmp want found
  run -0 sh -c 'LISTEN_PID=$$ exec deadline 1h sh -c "[ \$LISTEN_PID = \$\$ ] && echo yes"'
  [ "$output" = yes ]
  exec 9</dev/null
  does fds >before
  deadline 1h does fds >after
  cmp before after
}

@test "process substitutions work" {
  need diff diffutils
  run -0 timeout --foreground 60 bash -c 'deadline 5 diff <(echo a) <(echo a)'
  run -1 timeout --foreground 60 bash -c 'deadline 5 diff <(echo a) <(echo b)'
  [ "$output" = "1c1
< a
---
> b" ]
}

@test "in a pipeline: a reader that leaves early" {
  run -0 timeout --foreground 60 env --default-signal=PIPE bash -c \
    'deadline 1h yes | head -n 1; echo "${PIPESTATUS[0]}"'
  [ "$output" = $'y\n141' ]
}

@test "as another user" {
  need_root
  chmod 755 . ..
  run -124 timeout --foreground 60 setpriv --reuid nobody --clear-groups deadline 0.2 sleep infinity
  run -3 timeout --foreground 60 setpriv --reuid nobody --clear-groups deadline 1h sh -c 'exit 3'
}

@test "a process that we may not signal stays, and is not waited for" {
  need_root
  with_time log -124 timeout --foreground 60 setpriv --bounding-set -kill --inh-caps -kill deadline -k 0.2 @T@ \
    sh -c 'exec >log 2>&1; exec does to all % setuid 65534 say "x $$" sleep'
  ((SECONDS < 30))
  [ "$output" = "deadline: terminate sh: the deadline passed" ]
  kill -0 "$(pid_of log x)"
  local pid
  while read -r pid; do
    kill -KILL "$pid" 2>/dev/null || : # one that had too little time may have ended
  done <all
}

@test "usage errors are reported, and nothing is run" {
  local time
  wrong_call deadline
  wrong_call deadline 5
  wrong_call deadline -s TERM
  for time in '' x 5x -1 0x10 1y '5 ' ' 5' 1e3 5:00; do
    wrong_call deadline -- "$time" touch ran
    wrong_call deadline -k "$time" 5 touch ran
  done
  wrong_call deadline -s NOSUCH 5 touch ran
  wrong_call deadline -s 0 5 touch ran
  wrong_call deadline -s 65 5 touch ran
  wrong_call deadline -s '' 5 touch ran
  wrong_call deadline --preserve 5 touch ran
  wrong_call deadline --status-fd 77 5 touch ran
  [ ! -e ran ]
}

# ---- terminals ----

# shown REGEX: how often, in what the terminal has shown.
shown() {
  grep -cE "$1" <<<"$output" || :
}

@test "at a terminal: PROG reads it, Ctrl-C comes once, Ctrl-Z stops us both, fg goes on" {
  cp "$HELPERS/signals" signals
  at_terminal 'ready> ' 'deadline 1h ./signals reader; echo s=\$?\n' 'reader ready' '\cC' 'reader 2' '\x1c' \
    'reader 3' '\cZ' \
    'Stopped' '' 'ready> ' 'fg; echo s=\$?\n' 'reader 18' 'a line\n' 'reader read' '' '^s=0' 'exit\n'
  [ "$(shown 'reader 2$')" -eq 1 ]
}

@test "at a terminal: Ctrl-C terminates PROG, and a shell's loop around us" {
  at_terminal 'ready> ' "for n in 1 2 3; do echo round-\\\$n; deadline 1h cat; done\n" 'round-1\r' 'echoed\n' \
    'echoed\r\nechoed\r' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
  [ "$(shown '^round-')" -eq 1 ]
  [ "$(shown '^s=130')" -eq 1 ]
}

# bats test_tags=long
@test "at a terminal: the deadline passes while we are stopped" {
  script prog 'echo running; exec cat'
  at_terminal 'ready> ' 'deadline 4 ./prog\n' 'running\r' '\cZ' 'Stopped' '' 'ready> ' \
    'sleep 4s; fg; echo s=\$?\n' \
    '^s=124' 'exit\n'
}

@test "at a terminal: a PROG that reads it is too late, and the shell has it back" {
  at_terminal 'ready> ' 'deadline 0.5 cat; echo s=\$?\n' '^s=124' '' 'ready> ' \
    'read -r line; echo got-\$line; exit 0\n' \
    'read' 'x\n'
  [ "$(shown '^got-x')" -eq 1 ]
}

@test "at a terminal: a pager behind us works" {
  need less less
  TERM=xterm at_terminal 'ready> ' 'deadline 1h seq 200 | less\n' '^23\r' 'G' '^200\r' 'q' 'ready> ' \
    'echo s=\$?; exit\n'
  [ "$(shown '^s=0')" -eq 1 ]
}

@test "in tmux: a pager behind us works" {
  need less less
  need tmux tmux
  local tmux="tmux -f /dev/null -S $PWD/tmux"
  env -u TMUX TERM=xterm $tmux new-session -d -x 80 -y 24 'deadline 1h seq 200 | less; echo $? >less.status' 3>&-
  until_true on_screen "$tmux" '^23$'
  $tmux send-keys G
  until_true on_screen "$tmux" '^200$'
  $tmux send-keys q
  until_true grep -q 0 less.status
  $tmux kill-server || :
}

# on_screen TMUX REGEX
on_screen() {
  $1 capture-pane -p | grep -qE "$2"
}

@test "an earlier child and an orphan of its session are left alone" {
  mkfifo gate
  # shellcheck disable=SC2016
  script earlier 'setsid bash -c "echo \$\$ >child; (read -r line <gate; does ignore TERM to orphan % sleep &); exec does sleep" >/dev/null 2>&1 3>&- &
until [ -s child ]; do :; done
exec deadline -k 0.1 2 bash -c "echo >gate; until [ -s orphan ]; do :; done; exec does sleep"'
  run -124 timeout --foreground 60 ./earlier
  alive "$(cat child)" "$(cat orphan)"
  kill -KILL "$(cat child)" "$(cat orphan)"
}
