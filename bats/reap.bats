# reap: an init for one program, as process 1 of a pid namespace and as a subreaper.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# The two ways to be an init; COMMAND's pid is that of $BASHPID or of its child.
as_subreaper() {
  timeout --foreground 110 "$@"
}

as_process_1() {
  timeout --foreground 110 unshare --pid --fork --kill-child --mount-proc "$@"
}

need_namespace() {
  need_root
  unshare --pid --fork --mount-proc true || skip "needs a pid namespace of its own"
}

# background_1 VAR COMMAND...: COMMAND in the background as process 1; its pid outside in $VAR.
background_1() {
  local _at=$1 _child
  shift
  background outside unshare --pid --fork --kill-child --mount-proc "$@"
  until_true has_become_1
  # it has opened them by now, and would make new ones if it had not
  mv outside.out "$_at.out"
  mv outside.err "$_at.err"
  _child=$(cat /proc/"$outside"/task/"$outside"/children)
  printf -v "$_at" %s "${_child// /}"
}

has_become_1() {
  local child
  child=$(cat /proc/"$outside"/task/"$outside"/children)
  [ -n "$child" ] && [ "/proc/${child// /}/exe" -ef "$IPCBOX" ]
}

# ---- status ----

statuses_are_exact() {
  local code
  for code in 0 1 2 7 99 100 111 124 126 127 128 129 143 200 254 255; do
    run "-$code" "$1" reap sh -c "exit $code"
    [ -z "$output" ]
  done
}

@test "PROG's exit status is ours" {
  statuses_are_exact as_subreaper
}

@test "as process 1: PROG's exit status is ours" {
  need_namespace
  statuses_are_exact as_process_1
}

@test "a signal that kills PROG kills us, too" {
  local signal
  for signal in 1 2 3 6 9 10 13 14 15 34 35 64; do
    run -0 how_it_ends reap does default "$signal" kill "$signal" self sleep
    [ "$output" = "exit 0 signal $signal" ]
  done
}

@test "as process 1: PROG's death by signal N is 128+N" {
  need_namespace
  local signal
  for signal in 1 2 9 13 15 35; do
    run "-$((128 + signal))" as_process_1 reap does default "$signal" kill "$signal" self sleep
    [ -z "$output" ]
  done
}

@test "a program that does not exist is 127, one that cannot be executed 126" {
  touch plain
  mkdir directory
  printf '#!/nowhere/sh\n' >script
  chmod +x script
  run -127 reap ./nothing
  [ "$output" = "reap: ./nothing: No such file or directory" ]
  run -127 reap ipcbox-no-such-program
  [ "$output" = "reap: ipcbox-no-such-program: command not found" ]
  run -126 reap ./plain
  [ "$output" = "reap: ./plain: Permission denied" ]
  run -126 reap ./directory
  run -127 --separate-stderr reap --status-fd 1 ./script
  [ "$stderr" = "reap: exec ./script: No such file or directory" ]
  [[ $output == "stage=0 pid=0 exec_errno=2 exit=127 "* ]]
}

@test "as process 1: 126 and 127" {
  need_namespace
  touch plain
  run -127 as_process_1 reap ./nothing
  run -126 as_process_1 reap ./plain
}

@test "-e exits with another status" {
  run -0 reap -e 3 sh -c 'exit 3'
  run -7 reap -e 3:7 -e 4:8 sh -c 'exit 3'
  run -8 reap -e 3:7 --remap 4:8 sh -c 'exit 4'
  run -5 reap -e 3:7 sh -c 'exit 5'
  run -9 reap -e 3:7 -e 3:9 sh -c 'exit 3'
  run -0 how_it_ends reap -e 143 sh -c 'kill $$'
  [ "$output" = "exit 0 signal 0" ]
  run -0 how_it_ends reap -e 0:255 true
  [ "$output" = "exit 255 signal 0" ]
}

@test "as process 1: -e exits with another status" {
  need_namespace
  run -7 as_process_1 reap -e 3:7 sh -c 'exit 3'
  run -0 as_process_1 reap -e 143 sh -c 'kill -TERM $$'
}

@test "--status-fd says how PROG has ended" {
  reap --status-fd 5 sh -c 'exit 3' 5>line || :
  run cat line
  [[ $output =~ ^'stage=0 pid='[0-9]+' exec_errno=0 exit=3 signal=0 core=0 timed_out=0 seconds='[0-9]+\.[0-9]{3}$ ]]
}

# ---- orphans ----

# PROG for the next: 100 children that leave 100 orphans each; it exits 7 when its parent has no other child left. (The
# next 100 are started when the last are no more, lest there be too many processes at once.)
leave_orphans() {
  # shellcheck disable=SC2016
  script prog 'for n in {1..100}; do
      does fork 99 exit 3 ";" fork 1 exec true ";"
      until [ "$(tr -d " " <"/proc/$PPID/task/$PPID/children")" = $$ ]; do read -rt 0.01 <> <(:); done
    done; exit 7'
}

# bats test_tags=long
@test "10000 orphans are reaped" {
  leave_orphans
  run -7 as_subreaper reap ./prog
  [ -z "$output" ]
}

# bats test_tags=long
@test "as process 1: 10000 orphans are reaped" {
  need_namespace
  leave_orphans
  run -7 as_process_1 reap ./prog
  [ -z "$output" ]
}

# orphan_gets_parent WAY: an orphan of PROG in a session of its own has reap as its parent.
orphan_gets_parent() {
  # shellcheck disable=SC2016
  script orphan 'until [ "$(sed -n "s/^PPid:.//p" "/proc/$$/status")" = "$1" ]; do read -rt 0.01 <> <(:); done
    echo adopted >adopted'
  # shellcheck disable=SC2016
  script prog 'mkfifo adopted; sh -c "setsid ./orphan $PPID &"; exec cat adopted'
  run -0 "$1" reap ./prog
  [ "$output" = adopted ]
}

@test "an orphan becomes ours" {
  orphan_gets_parent as_subreaper
}

@test "as process 1: an orphan becomes ours" {
  need_namespace
  orphan_gets_parent as_process_1
}

# ---- who is left at PROG's end ----

leftovers_are_asked() {
  SECONDS=0
  run -3 "$1" reap --grace 60 "$HELPERS/descendants" log plain session orphan session-orphan stopped -- sh -c 'exit 3'
  ((SECONDS < 30))
  run sort log
  [ "$(grep TERM <<<"$output")" = 'orphan TERM
plain TERM
session TERM
session-orphan TERM
stopped TERM' ]
}

@test "remaining processes get TERM when PROG exits, and the wait is no longer than they take" {
  leftovers_are_asked as_subreaper
  all_gone log
}

@test "as process 1: remaining processes get TERM when PROG exits" {
  need_namespace
  leftovers_are_asked as_process_1
}

# deaf_are_killed WAY MILLISECONDS: the grace.
deaf_are_killed() {
  local began=${EPOCHREALTIME/./}
  run -4 "$1" reap --grace "$2ms" "$HELPERS/descendants" log deaf session-orphan-deaf polite -- sh -c 'exit 4'
  ((${EPOCHREALTIME/./} - began >= $2 * 1000))
  ((${EPOCHREALTIME/./} - began < 30000000))
  [ "$(grep TERM log)" = "polite TERM" ]
  [ "$(wc -l <log)" -eq 4 ]
}

# bats test_tags=long
@test "what does not exit is killed after --grace, which is not the default" {
  deaf_are_killed as_subreaper 5500
  all_gone log
}

@test "as process 1: what does not exit is killed after --grace" {
  need_namespace
  deaf_are_killed as_process_1 2000
}

@test "--grace 0 kills at once" {
  SECONDS=0
  run -0 as_subreaper reap --grace 0 "$HELPERS/descendants" log deaf session-orphan-deaf
  # or it was the default
  ((SECONDS < 5))
  all_gone log
}

@test "a signal during --grace cuts the wait short" {
  background reap reap --grace 1h "$HELPERS/descendants" log deaf -- sh -c 'echo $$ >prog; exit 6'
  until_true test -s prog
  until_true gone "$(cat prog)"
  kill -TERM "$reap"
  ends_with 6 "$reap"
  all_gone log
}

@test "a child that was there before reap is left alone" {
  run -0 with_stranger reap "$HELPERS/descendants" log plain
  all_gone log
  kill -0 "$(cat stranger)"
  kill "$(cat stranger)"
}

# ---- signals ----

# passes_all PID: signals that are sent to PID reach helper/signals.c, which writes to reap.out
passes_all() {
  local signal
  until_line reap.out 'it ready'
  for signal in USR1 HUP WINCH CONT INT QUIT USR2 URG RTMIN RTMIN+1 RTMAX TERM; do
    kill -"$signal" "$1"
    until_line reap.out "^it $(kill -l "$signal")$"
  done
}

@test "signals are passed on" {
  background reap reap "$HELPERS/signals"
  passes_all "$reap"
  ends_with 0 "$reap"
  [ "$(wc -l <reap.out)" -eq 13 ]
}

@test "as process 1: signals are passed on, once each" {
  need_namespace
  background_1 reap reap "$HELPERS/signals"
  passes_all "$reap"
  ends_with 0 "$outside"
  [ "$(wc -l <reap.out)" -eq 13 ]
}

@test "as process 1: those of job control are passed on, too" {
  need_namespace
  background_1 reap reap does note TSTP note TTIN note TTOU say ready sleep
  until_line reap.out ready
  local signal
  for signal in TSTP TTIN TTOU; do
    kill -"$signal" "$reap"
    until_line reap.out "$signal"
  done
  kill -KILL "$reap"
  wait "$outside" || :
}

@test "signals that have queued up are passed on one by one" {
  background reap reap "$HELPERS/signals"
  until_line reap.out 'it ready'
  kill -STOP "$reap"
  until_true grep -q "^State:.T" "/proc/$reap/status"
  local i
  for i in {1..5}; do
    kill -RTMIN+1 "$reap"
    kill -USR1 "$reap" # this does not queue
  done
  kill -RTMAX "$reap"
  kill -CONT "$reap"
  until_line reap.out '^it 64$'
  finish "$reap"
  [ "$(grep -c '^it 35$' reap.out)" -eq 5 ]
  [ "$(grep -c '^it 10$' reap.out)" -eq 1 ]
}

@test "where the call that waits for signals fails, another one does it" {
  need strace strace
  run -0 --separate-stderr timeout --foreground -k 1 60 strace -qq -o trace -e trace=rt_sigtimedwait \
    -e inject=rt_sigtimedwait:error=ENOSYS reap echo done
  [ "$output" = done ]
  [ -z "$stderr" ]
  grep -q INJECTED trace
}

@test "as process 1: orphans are reaped where the kernel refuses a subreaper, which process 1 is without" {
  need_namespace
  need strace strace
  run -7 --separate-stderr timeout --foreground 60 strace -f -qq -o trace -e trace=prctl -e inject=prctl:error=EINVAL \
    unshare --pid --fork --mount-proc "$IPCBOX" reap sh -c 'sh -c "sleep 1000 &"; exit 7'
  [ -z "$stderr" ]
}

@test "where the kernel refuses a subreaper, that is said, and PROG runs" {
  need strace strace
  run -7 timeout --foreground 60 strace -f -qq -o trace -e trace=prctl -e inject=prctl:error=EINVAL:when=1 reap sh -c 'exit 7'
  [ "$output" = 'reap: become a subreaper for orphans: Invalid argument' ]
}

@test "a signal that kills PROG by way of us kills us" {
  script prog 'echo running; exec sleep infinity'
  background reap reap ./prog
  until_line reap.out running
  finish "$reap"
  [ "$status" -eq 143 ]
}

@test "without -g a signal is PROG's only, with it all of the group's" {
  local group
  for group in "" -g; do
    background reap reap $group sh -c '"$0" child & exec "$0"' "$HELPERS/signals"
    until_line reap.out 'it ready'
    until_line reap.out 'child ready'
    kill -USR1 "$reap"
    until_line reap.out 'it 10'
    kill -USR2 "$(sed -n 's/^child ready //p' reap.out)"
    until_line reap.out 'child 12'
    [ "$(grep -c 'child 10' reap.out)" -eq $((${#group} / 2)) ]
    [ -z "$group" ] || [ "$(sed 's/.*) . [0-9]* \([0-9]*\) .*/\1/' "/proc/$(sed -n 's/^it ready //p' reap.out)/stat")" != "$reap" ]
    finish "$reap"
    [ "$status" -eq 0 ]
  done
}

@test "without -g PROG is in our process group, with it in its own" {
  run -0 reap does group
  [ "$output" = "same 0" ]
  run -0 reap -g does group
  [ "$output" = "own 1" ]
}

@test "--rewrite A:B passes another signal on, A:0 none" {
  background reap reap --rewrite HUP:USR1 --rewrite SIGQUIT:0 --rewrite RTMIN:35 --rewrite 28:2 "$HELPERS/signals"
  until_line reap.out ready
  kill -QUIT "$reap"
  kill -HUP "$reap"
  until_line reap.out 'it 10'
  kill -RTMIN "$reap"
  until_line reap.out 'it 35'
  kill -WINCH "$reap"
  until_line reap.out 'it 2$'
  finish "$reap"
  [ "$status" -eq 0 ]
  [ "$(wc -l <reap.out)" -eq 5 ]
}

@test "as process 1: --rewrite, also of job control" {
  need_namespace
  background_1 reap reap --rewrite TERM:QUIT --rewrite TSTP:HUP --rewrite USR1:0 "$HELPERS/signals"
  until_line reap.out ready
  kill -TSTP "$reap"
  until_line reap.out 'it 1$'
  kill -USR1 "$reap"
  kill -TERM "$reap"
  until_line reap.out 'it 3'
  [ "$(wc -l <reap.out)" -eq 3 ]
  kill -KILL "$reap"
  wait "$outside" || :
}

@test "--rewrite of job control's signals counts without -g, too" {
  background reap reap --rewrite TSTP:HUP "$HELPERS/signals"
  until_line reap.out ready
  kill -TSTP "$reap"
  until_line reap.out 'it 1$' # a SIGCONT would take it back until it has been heard
  kill -CONT "$reap"
  until_line reap.out 'it 18'
  finish "$reap"
}

# ---- what PROG finds ----

@test "dispositions and mask reach PROG as they were" {
  signals_ignored_and_blocked env >want
  signals_ignored_and_blocked reap >found
  cmp want found
  signals_ignored_and_blocked reap -g >found
  cmp want found
  grep -E '^(Sig(Blk|Ign|Cgt))' /proc/self/status >want
  reap grep -E '^(Sig(Blk|Ign|Cgt))' /proc/self/status >found
  run grep -E 'Blk|Ign' found
  [ "$output" = "$(grep -E 'Blk|Ign' want)" ]
}

@test "as process 1: dispositions and mask reach PROG as they were" {
  need_namespace
  as_process_1 true
  signals_ignored_and_blocked unshare --pid --fork --mount-proc >want
  signals_ignored_and_blocked unshare --pid --fork --mount-proc reap >found
  cmp want found
}

@test "an inherited ignored SIGPIPE stays so, and a default one, too" {
  run -0 bash -c 'trap "" PIPE; reap does broken-pipe say ignored'
  [ "$output" = ignored ]
  run -0 how_it_ends env --default-signal=PIPE reap does broken-pipe say ignored
  [ "$output" = "exit 0 signal 13" ]
}

@test "LISTEN_PID is PROG's if it was ours, and stays if it was not" {
  run -0 sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec reap sh -c "[ \$LISTEN_PID = \$\$ ] && echo \$LISTEN_FDS"'
  [ "$output" = 1 ]
  run -0 env LISTEN_PID=7 reap sh -c 'echo $LISTEN_PID'
  [ "$output" = 7 ]
}

@test "as process 1: LISTEN_PID is PROG's if it was ours" {
  need_namespace
  run -0 as_process_1 env LISTEN_PID=1 reap sh -c '[ "$LISTEN_PID" = $$ ] && echo rewritten'
  [ "$output" = rewritten ]
}

@test "PROG has the fds that we had, and no other" {
  exec 9</dev/null
  does fds >before
  reap does fds >after
  cmp before after
}

@test "usage errors are reported, and nothing is run" {
  wrong_call reap --rewrite TERM touch ran
  wrong_call reap --rewrite TERM: touch ran
  wrong_call reap --rewrite :TERM touch ran
  wrong_call reap --rewrite TERM:NOSUCH touch ran
  wrong_call reap --rewrite NOSUCH:TERM touch ran
  wrong_call reap --rewrite TERM:65 touch ran
  wrong_call reap --rewrite CHLD:TERM touch ran
  wrong_call reap --rewrite 32:TERM touch ran
  wrong_call reap --rewrite 0:TERM touch ran
  wrong_call reap --rewrite KILL:TERM touch ran
  wrong_call reap --rewrite STOP:TERM touch ran
  wrong_call reap -e 256 touch ran
  wrong_call reap -e 1:256 touch ran
  wrong_call reap -e 1: touch ran
  wrong_call reap -e '' touch ran
  wrong_call reap -e 0x1 touch ran
  wrong_call reap --grace 5x touch ran
  wrong_call reap --grace -1 touch ran
  wrong_call reap --grace '' touch ran
  wrong_call reap --status-fd 77 touch ran
  wrong_call reap --gr 5 touch ran
  [ ! -e ran ]
}

@test "a stopped PROG hears TERM, whatever it got before" {
  local prog
  background init reap does to prog '%' block USR1 sleep
  until_true [ -s prog ]
  prog=$(cat prog)
  kill -STOP "$prog"
  until_true grep -q ') T ' "/proc/$prog/stat"
  kill -USR1 "$init"
  until_true grep -qE '^ShdPnd:.*[1-9a-f]' "/proc/$prog/status"
  kill -TERM "$init"
  ends_with 143 "$init"
}

@test "orphans that cannot be listed are reported" {
  need strace strace
  run -111 --separate-stderr timeout --foreground 60 strace -qq -o trace -e trace=getdents64 -e inject=getdents64:error=EIO \
    reap --grace 0 sh -c 'sleep 6120s >/dev/null 2>&1 & echo $!'
  started+=("${lines[0]}")
  [ "$stderr" = "reap: kill descendants that cannot be listed: still there after SIGKILL" ]
}
