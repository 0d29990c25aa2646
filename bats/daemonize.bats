# daemonize: what a daemon is like, and that the caller is told the truth about it. Pidfiles and the control commands
# are in daemonize-pidfile.bats, the log in daemonize-log.bats, supervision, --foreground and service managers in
# daemonize-systemd.bats.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# adopter: the pid of the process that inherits orphans here.
adopter() {
  # shellcheck disable=SC2016
  mkfifo adopted
  sh -c 'sh -c "read -r line <adopted; sed -n s/^PPid:.//p /proc/\$\$/status >adopter.new; mv adopter.new adopter" &' 3>&-
  echo go >adopted
  until_true [ -e adopter ]
  cat adopter
}

# at_once COMMAND...: it and what reads its stdout, stderr and fd 9 to their ends come back, whoever lives on.
at_once() {
  timeout --foreground 30 bash -c 'set -o pipefail; "$@" 2>&1 9>&1 3>&- | cat' '' "$@"
}

# ---- what a daemon is like ----

@test "the plain double fork: a process of its own, nobody's child, with no way to a terminal" {
  daemonized "$HELPERS/daemon-state" "$here/state"
  local caller_session
  caller_session=$(field_of sid $$)
  [ "$(state sid)" -ne "$caller_session" ]
  [ "$(state sid)" -ne "$(state pid)" ]
  [ "$(state pgid)" -ne "$(field_of pgid $$)" ]
  # its session's leader has gone: no terminal can come back
  until_true gone "$(state sid)"
  until_true nobodys_child
  [ "$(state cwd)" = / ]
  [ "$(state terminal)" = no ]
  [ "$(state terminal_why)" = 1 ]
}

nobodys_child() {
  [ "$(field_of ppid "$(state pid)")" -eq "$(adopter)" ]
}

@test "a daemon started at a terminal can't open /dev/tty, and hears nothing of the terminal's end" {
  timeout 60 at-terminal -- daemonize "$HELPERS/daemon-state" "$here/state" 3>&-
  [ "$(state terminal_why)" = 1 ]
  [ "$(state fds)" = "0 1 2" ]
  rm state
  timeout 60 at-terminal -- daemonize -P "$here/monitor" "$HELPERS/daemon-state" "$here/state" 3>&-
  [ "$(state terminal_why)" = 1 ]
  [ "$(field_of tty "$(cat monitor)")" -eq 0 ]
}

@test "it has /dev/null in fds 0 to 2, and no other fd, whatever is open in the caller" {
  (
    for fd in {3..20}; do
      eval "exec $fd</dev/zero"
    done
    [ -e "/proc/$BASHPID/fd/20" ]
    timeout 60 daemonize "$HELPERS/daemon-state" "$here/state" </dev/zero >out 2>err
  )
  [ "$(state fds)" = "0 1 2" ]
  [ "$(state files)" = "/dev/null /dev/null /dev/null" ]
}

@test "the same when the caller has no stdin, stdout and stderr at all" {
  timeout 60 daemonize "$HELPERS/daemon-state" "$here/state" 3>&- <&- >&- 2>&-
  [ "$(state fds)" = "0 1 2" ]
  [ "$(state files)" = "/dev/null /dev/null /dev/null" ]
  rm state
  timeout 60 daemonize -P "$here/monitor" "$HELPERS/daemon-state" "$here/state" 3>&- <&- >&- 2>&-
  [ "$(state fds)" = "0 1 2" ]
  [ "$(state files)" = "/dev/null /dev/null /dev/null" ]
}

@test "with a monitor: not the caller's session, nor its leader, /, and the monitor is its parent" {
  daemonized -p prog -P monitor "$HELPERS/daemon-state" "$here/state"
  [ "$(state pid)" = "$(cat prog)" ]
  [ "$(state ppid)" = "$(cat monitor)" ]
  [ "$(state sid)" -ne "$(field_of sid $$)" ]
  [ "$(state sid)" -ne "$(state pid)" ]
  [ "$(state cwd)" = / ]
  [ "$(state fds)" = "0 1 2" ]
  [ "$(state files)" = "/dev/null /dev/null /dev/null" ]
}

@test "signals are clean: nothing ignored, nothing blocked" {
  local how=plain
  for how in plain "-P $here/monitor"; do
    # shellcheck disable=SC2086 # words
    does ignore HUP ignore INT ignore USR1 ignore PIPE ignore CHLD block TERM block USR2 block CHLD exec \
      timeout 60 daemonize ${how#plain} -o "$here/signals" grep -E '^Sig(Ign|Blk|Pnd)' /proc/self/status 3>&-
    until_true lines 3 signals
    [ "$(awk '{print $2}' signals)" = "$(printf '%016d\n' 0 0 0)" ]
    rm signals
  done
}

@test "the caller's fds are closed at once: a reader of its output sees end of file" {
  at_once daemonize sleep 6001s
  at_once daemonize -E a=b --settle 10ms sleep 6002s
}

@test "the monitor keeps none of the caller's fds either" {
  at_once daemonize -P monitor sleep 6003s
  local list
  list=$(find /proc/"$(cat monitor)"/fd -lname 'pipe:*' | wc -l)
  (exec 8< <(:) && daemonize -P another sleep 6004s 3>&-)
  [ "$(find /proc/"$(cat another)"/fd -lname 'pipe:*' | wc -l)" -eq "$list" ]
}

@test "-c goes there first, -m sets the umask; without -m it is the caller's" {
  mkdir there
  (umask 027 && daemonized "$HELPERS/daemon-state" "$here/state")
  [ "$(state umask)" = 027 ]
  rm state
  daemonized -m 013 -c there "$HELPERS/daemon-state" "$here/state"
  [ "$(state umask)" = 013 ]
  [ "$(state cwd)" = "$here/there" ]
  refused 111 -c nowhere "$HELPERS/daemon" ran
  [ "$output" = "daemonize: chdir $here/nowhere: No such file or directory" ]
  [ ! -e ran ]
}

@test "relative paths are the caller's: of PROG, of -o and of pidfiles" {
  mkdir sub
  printf '#!/bin/sh\npwd\nsleep 6005\n' >prog
  chmod +x prog
  daemonized -o out -p pid ./prog
  until_line out '^/$'
  [ -s pid ]
}

@test "-E puts into the environment, --clear-env leaves nothing else" {
  NOISE=1 daemonized -E ONE=1 -E TWO='a b=c' -E ONE=3 -o env env
  until_line env '^NOISE=1$'
  until_line env '^ONE=3$'
  until_line env '^TWO=a b=c$'
  NOISE=1 daemonized --clear-env -E ONE=1 -o clear "$(command -v env)"
  until_line clear ONE
  [ "$(cat clear)" = ONE=1 ]
}

@test "what was meant for daemonize does not reach PROG" {
  NOTIFY_SOCKET='' LISTEN_FDS=1 LISTEN_PID=1 LISTEN_FDNAMES=x READY_FD=5 KEPT=yes daemonized -o env env
  until_line env '^KEPT=yes$'
  until_line env '^OF_TEST='
  run ! grep -E '^(NOTIFY_SOCKET|LISTEN_|READY_FD)' env
}

@test "-o and -e: emptied first, or appended to with -a; one file for both" {
  echo old | tee out err both >/dev/null
  daemonized -o out -e err sh -c 'echo one; echo two >&2'
  until_line err two
  [ "$(cat out)" = one ]
  [ "$(cat err)" = two ]
  daemonized -a -o out -e err sh -c 'echo three; echo four >&2'
  until_line err four
  [ "$(cat out)" = $'one\nthree' ]
  [ "$(cat err)" = $'two\nfour' ]
  daemonized -o both -e both sh -c 'echo 1; echo 2 >&2; echo 3; echo 4 >&2'
  until_true lines 4 both
  [ "$(cat both)" = $'1\n2\n3\n4' ]
  daemonized -a -o both -e both sh -c 'echo 5; echo 6 >&2'
  until_true lines 6 both
  [ "$(cat both)" = $'1\n2\n3\n4\n5\n6' ]
  refused 111 -o nowhere/out "$HELPERS/daemon" "$here/ran"
  [ "$output" = "daemonize: $here/nowhere: No such file or directory" ]
  [ ! -e ran ]
}

@test "-u and -g: PROG's ids, all of them, with no way back" {
  need_root
  local uid gid
  # where nobody can run it
  for_others "$HELPERS/daemon-state" daemon-state
  daemonized -u nobody -o state "$open_directory/daemon-state" -
  until_line state '^umask='
  uid=$(id -u nobody) gid=$(id -g nobody)
  [ "$(state uids)" = "$uid $uid $uid $uid" ]
  [ "$(state gids)" = "$gid $gid $gid $gid" ]
  [ "$(state groups)" = "$(id -G nobody)" ]
  [ "$(state fds)" = "0 1 2" ]
  rm state
  daemonized -u "nobody:$(id -gn)" -g nogroup -P monitor -o state "$open_directory/daemon-state" -
  until_line state '^umask='
  gid=$(getent group nogroup | cut -d: -f3)
  [ "$(state uids)" = "$uid $uid $uid $uid" ]
  [ "$(state gids)" = "$gid $gid $gid $gid" ]
}

# ---- the truth about PROG's start ----

@test "a program that does not exist is 127, one that cannot be executed 126, and no file is left" {
  local how
  touch plain
  for how in -q '-p pid' '-P pid' '-l lock' --supervise '--log log' --foreground; do
    # shellcheck disable=SC2086 # words
    refused 127 $how ./nothing
    [ "$output" = "daemonize: ./nothing: No such file or directory" ]
    # shellcheck disable=SC2086 # words
    refused 126 $how ./plain
    [ "$output" = "daemonize: ./plain: Permission denied" ]
    # shellcheck disable=SC2086 # words
    PATH=$here/bin:/usr/bin:/bin refused 127 $how no-such-program-anywhere
  done
  [ "$(ls)" = $'bin\nplain' ]
}

@test "an exec that fails after the lookup is 126 or 127 as well, and leaves no pidfile" {
  printf '#!%s/nothing\n' "$here" >no-interpreter
  printf '\177ELF\0 but no more' >no-format
  chmod +x no-interpreter no-format
  local how
  for how in -q '-p pid -P monitor' --supervise '-l lock --log log' '--ready fd' '--settle 1h' --foreground; do
    # shellcheck disable=SC2086 # words
    refused 127 $how ./no-interpreter
    [ "$output" = "daemonize: exec ./no-interpreter: No such file or directory" ]
    # shellcheck disable=SC2086 # words
    refused 126 $how ./no-format
    [ "$output" = "daemonize: exec ./no-format: Exec format error" ]
    [ ! -e pid ]
    [ ! -e monitor ]
  done
}

@test "without --settle, a PROG that exits soon has been started" {
  daemonized false
  daemonized -o out sh -c 'echo ran; exit 3'
  until_line out ran
}

@test "--settle: PROG's status if it exits within the time, and 111 for 0" {
  refused 3 --settle 1h sh -c 'exit 3'
  [ "$output" = "daemonize: bring up sh: it exited with status 3" ]
  refused 111 --settle 1h true
  [ "$output" = "daemonize: bring up true: it exited with status 0" ]
  refused 137 --settle 1h -p pid sh -c 'kill -KILL $$'
  [ "$output" = "daemonize: bring up sh: it was killed by SIGKILL" ]
  [ ! -e pid ]
  # who supervises does not try again what has never been up
  refused 3 --settle 1h --supervise --backoff 1ms:1ms sh -c "echo run >>$here/runs; exit 3"
  [ "$(cat runs)" = run ]
}

@test "--settle: PROG lives on after it" {
  daemonized --settle 100ms -p pid "$HELPERS/daemon" "$here/lives"
  until_line lives "^$(cat pid) start$"
  alive "$(cat pid)"
}

# ---- readiness ----

@test "--ready fd: returns after the newline, and not before" {
  local how
  mkfifo go
  for how in -q '-p pid'; do
    # shellcheck disable=SC2086 # words
    background caller sh -c 'daemonize "$@"; echo "returned $?" >>order' '' $how --ready fd \
      sh -c "read -r line <$here/go; echo ready >>$here/order; echo >&\$READY_FD; exec sleep 6006s"
    echo now >go
    ends_with 0 "$caller"
    [ "$(cat order)" = $'ready\nreturned 0' ]
    rm order
  done
}

@test "--ready fd: nothing but the newline counts, and the caller waits until it comes" {
  mkfifo go
  background caller daemonize --ready fd sh -c "exec does write \$READY_FD 'not yet' drained \$READY_FD \
    to '$here/told' read open '$here/go' write \$READY_FD 'but now
' sleep"
  until_true [ -s told ]
  until_true asleep "$caller" daemonize
  echo now >go
  ends_with 0 "$caller"
}

@test "--ready fd: READY_FD is the one fd more that PROG has" {
  refused 111 --ready fd -c "$here" -o "$here/env" sh -c 'echo $READY_FD; exec ls /proc/self/fd'
  [ "$(cat env)" = $'3\n0\n1\n2\n3\n4' ] # 4 is what ls reads
}

@test "--ready fd closed without a newline: 111, and PROG is ended" {
  refused 111 --ready fd -p pid bash -c 'echo $$ >'"$here"'/was; exec 3>&-; exec sleep 6008s'
  [ "$output" = "daemonize: bring up bash: it closed READY_FD without writing a newline" ]
  ended "$(cat was)"
  [ ! -e pid ]
}

# bats test_tags=long
@test "--ready fd: the end of PROG before its newline is its status" {
  local round
  # many times: its end and the end of its pipe are two events, in either order
  for round in {1..100}; do
    refused 5 --ready fd sh -c 'exit 5'
    [ "$output" = "daemonize: bring up sh: it exited with status 5" ]
  done
}

@test "--ready fd -t: no word until then is 124, and PROG and its children are dead" {
  with_time 'pids all' -124 timeout --foreground 60 daemonize --ready fd -t @T@ -p pid -k 100ms bash -c "
    (trap '' TERM; echo \$BASHPID >>$here/pids; while :; do sleep 6009s; done) &
    setsid sleep 6010s & echo \$! >>$here/pids; echo \$\$ >>$here/pids
    until [ \$(wc -l <$here/pids) -eq 3 ]; do sleep 0.01; done; echo >$here/all; wait"
  [ "$output" = "daemonize: bring up bash: it was not ready in time" ]
  [ "$(wc -l <pids)" -eq 3 ]
  while read -r pid; do
    ended "$pid"
  done <pids
  [ ! -e pid ]
}

@test "--ready notify: READY=1 on a line of a message to NOTIFY_SOCKET" {
  mkfifo go
  background caller sh -c 'daemonize "$@"; echo "returned $?" >>order' '' --ready notify sh -c "
    '$HELPERS/tell' STATUS=starting READY=11 XREADY=1 'READY=1 '; echo said >$here/said
    read -r line <$here/go; echo ready >>$here/order; '$HELPERS/tell' 'STATUS=up
READY=1'; exec sleep 6011s"
  until_line said said
  kill -0 "$caller"
  echo now >go
  ends_with 0 "$caller"
  [ "$(cat order)" = $'ready\nreturned 0' ]
}

@test "--ready notify -t: no word until then is 124, and PROG is dead" {
  with_time 'was told' -124 timeout --foreground 60 daemonize --ready notify -t @T@ -P pid sh -c "
    echo \$\$ >$here/was; '$HELPERS/tell' STATUS=slow; echo >$here/told; exec sleep 6012s"
  [ "$output" = "daemonize: bring up sh: it was not ready in time" ]
  ended "$(cat was)"
  [ ! -e pid ]
}

@test "--ready notify: a message from another user is not believed" {
  need_root
  # one that is not PROG's: it is started by us, once PROG has said where
  script stranger "until [ -s socket ]; do read -rt 0.01 <> <(:) || :; done
    NOTIFY_SOCKET=\$(cat socket) tell -u $(id -u nobody) READY=1 && echo sent >sent"
  script asked 'rm -f socket; ./stranger & daemonize "$@" || status=$?; wait $!; exit $status'
  with_time sent -124 timeout --foreground 60 ./asked --ready notify -t @T@ sh -c "
    echo \$NOTIFY_SOCKET >'$here/socket.new'; mv '$here/socket.new' '$here/socket'; exec sleep 6013s"
  # but PROG's own user is
  for_others "$HELPERS/tell" tell
  daemonized --ready notify -u nobody sh -c "'$open_directory/tell' READY=1; exec sleep 6014s"
}

@test "a signal to the waiting caller undoes what was begun" {
  background caller daemonize --ready fd -p "$here/pid" "$HELPERS/daemon" "$here/noted"
  until_true lines 1 noted
  until_true [ -s pid ]
  local prog
  prog=$(cat pid)
  kill -TERM "$caller"
  ends_with 143 "$caller"
  ended "$prog"
  [ ! -e pid ]
}

# ---- wrong calls ----

@test "usage errors start nothing" {
  mkdir empty
  cd empty
  wrong_call daemonize
  wrong_call daemonize -p pid
  wrong_call daemonize -m 8 touch ran
  wrong_call daemonize -m rw touch ran
  wrong_call daemonize -t -1 touch ran
  wrong_call daemonize -t 5x touch ran
  wrong_call daemonize --settle '' touch ran
  wrong_call daemonize --ready maybe touch ran
  wrong_call daemonize --hup stop touch ran
  wrong_call daemonize --hup reopen touch ran
  wrong_call daemonize --backoff 5 touch ran
  wrong_call daemonize --backoff 5:1 touch ran
  wrong_call daemonize --backoff :1 touch ran
  wrong_call daemonize --backoff 1:x touch ran
  wrong_call daemonize -u no-such-user-anywhere touch ran
  wrong_call daemonize -g no-such-group-anywhere touch ran
  wrong_call daemonize -E NAME touch ran
  wrong_call daemonize -E =value touch ran
  wrong_call daemonize --log log -o out touch ran
  wrong_call daemonize --log log -e err touch ran
  wrong_call daemonize --log-size 5 touch ran
  wrong_call daemonize --log log --log-size 0 touch ran
  wrong_call daemonize --log log --log-size 5x touch ran
  wrong_call daemonize --log log --log-keep 1001 touch ran
  wrong_call daemonize --log log --log-keep -1 touch ran
  wrong_call daemonize --supervised touch ran
  for command in --status --stop --restart --reload; do
    wrong_call daemonize "$command"
    wrong_call daemonize "$command" -p pid touch ran
    wrong_call daemonize "$command" -l pid
  done
  run -0 ls
  [ -z "$output" ]
}
