# daemonize --ready notify: whose messages are taken, and what of them a service manager gets to hear.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# manager: a service manager's end of NOTIFY_SOCKET; what it receives goes to manager.out, a line each.
manager() {
  background manager "$HELPERS/tell" -l "$here/notify"
  until_line manager.out '^up$'
}

# heard LINE...: that is all that the manager has heard.
heard() {
  [ "$(cat manager.out)" = "$(printf '%s\n' up "$@")" ]
}

# service SCRIPT: sh runs it as PROG, with tell in PATH, under a manager
service() {
  manager
  background service env NOTIFY_SOCKET="$here/notify" daemonize --foreground --ready notify -t 100 sh -c "$1"
}

# other_user: its id in $other
other_user() {
  need_root
  need setpriv util-linux
  other=$(id -u nobody)
}

@test "lines about PROG's state are passed on, all others are not" {
  service "tell 'STATUS=a
FDSTORE=1
FDNAME=x
READY=1
FDPOLL=0' FDSTOREREMOVE=1 'RELOADING=1
MONOTONIC_USEC=5' X_ANY=1 'ERRNO=5
BUSERROR=x
' WATCHDOG=1 'WATCHDOG_USEC=1
XREADY=1
READY
STATUS' STOPPING=1 '
EXTEND_TIMEOUT_USEC=7' =1 'MAINPIDFD=1' BARRIER=1 STATUS=last; exec sleep 6070s"
  until_line manager.out STATUS=last
  heard STATUS=a/READY=1 RELOADING=1/MONOTONIC_USEC=5 ERRNO=5 WATCHDOG=1 STOPPING=1 EXTEND_TIMEOUT_USEC=7 STATUS=last
}

@test "MAINPID is passed on if it is PROG or one of its descendants" {
  # shellcheck disable=SC2016
  service 'tell READY=1 "MAINPID=$$
STATUS=its own" MAINPID=1 "MAINPID='$$'
STATUS=not ours" "MAINPID=$PPID" MAINPID= MAINPID=0 MAINPID=x MAINPID=-1 MAINPID=99999999999 "MAINPID=$$ "
    setsid sh -c "(echo \$\$ >pid; exec sleep 6071s) & sleep 6072s" & until [ -s pid ]; do sleep 0.01; done
    tell "MAINPID=$(cat pid)"; tell STATUS=last; exec sleep 6073s'
  until_line manager.out STATUS=last
  local prog
  prog=$(sed -n 's,^MAINPID=\([0-9]*\)/STATUS=its own$,\1,p' manager.out)
  [ "$(field_of ppid "$prog")" -eq "$service" ]
  heard READY=1 "MAINPID=$prog/STATUS=its own" "STATUS=not ours" "MAINPID=$(cat pid)" STATUS=last
}

@test "a message of 4096 bytes is whole; of a longer one the lines that fit are passed on, and it is reported" {
  local most more
  most=$(printf '%04085d' 0)
  more=$(printf '%05000d' 0)
  service "tell 'STATUS=$most
READY' READY=1 'STATUS=$more' 'STATUS=fits
RELOADING=1
STATUS=$more' 'STATUS=more
STATUS=$more' STATUS=last; exec sleep 6074s"
  until_line manager.out STATUS=last
  heard "STATUS=$most" READY=1 STATUS=fits/RELOADING=1 STATUS=more STATUS=last
  [ "$(cat service.err)" = "daemonize: take a message of PROG: it is too long: only lines that fit are passed on" ]
}

@test "a READY=1 among much else is passed on with it" {
  local much
  much=$(printf '%03000d' 0)
  service "tell 'STATUS=$much
READY=1
X=1'; exec sleep 6075s"
  until_line manager.out READY=1
  heard "STATUS=$much/READY=1"
}

@test "fds that come along are closed at once: BARRIER=1 is answered, nothing is kept" {
  local before socket
  # shellcheck disable=SC2016
  service 'tell READY=1; echo "$NOTIFY_SOCKET"; exec sleep 6076s'
  until_line service.out .
  until_line manager.out READY=1
  socket=$(cat service.out)
  before=$(fd_count "$service")
  NOTIFY_SOCKET=$socket timeout 60 "$HELPERS/tell" -b STATUS=one FDSTORE=1
  NOTIFY_SOCKET=$socket timeout 60 "$HELPERS/tell" -b STATUS=two
  until_line manager.out STATUS=two
  heard READY=1 STATUS=one STATUS=two
  [ "$(fd_count "$service")" -eq "$before" ]
}

@test "READY=1 from a PROG that becomes another user by itself, and from its children" {
  local other how
  other_user
  for how in 'exec tell' 'tell' 'setsid tell' '(tell & wait)'; do
    # it lives until its message has been taken
    daemonized --ready notify -t 100 -P pid sh -c "${how/tell/\'$HELPERS/tell\' -b -u $other READY=1}; exec sleep 6077s"
    [ "$how" = 'exec tell' ] || refused 0 --stop -P pid
  done
}

# bats test_tags=long
@test "systemd-notify as a child of PROG, as PROG's user or another: 100 of 100" {
  local other n
  other_user
  need systemd-notify systemd
  for n in {1..50}; do
    daemonized --ready notify -t 100 -P pid sh -c "systemd-notify --ready --status=$n; exec sleep 6078s"
    refused 0 --stop -P pid
    daemonized --ready notify -t 100 -P pid sh -c "setpriv --reuid $other systemd-notify --ready; exec sleep 6079s"
    refused 0 --stop -P pid
  done
}

@test "another user's message does not count, nor that of one of the family that has gone" {
  local other socket
  other_user
  mkfifo go
  service "tell READY=1; echo \$NOTIFY_SOCKET; read -r line <'$here/go'
    kill -STOP \$PPID; tell -u $other STATUS=gone; kill -CONT \$PPID
    tell -b -u $other STATUS=there; tell STATUS=last; exec sleep 6080s"
  until_line service.out .
  socket=$(cat service.out)
  NOTIFY_SOCKET=$socket "$HELPERS/tell" -u "$other" STATUS=stranger READY=1 MAINPID=1
  NOTIFY_SOCKET=$socket "$HELPERS/tell" STATUS=known
  echo now >go
  until_line manager.out STATUS=last
  heard READY=1 STATUS=known STATUS=there STATUS=last
}

@test "WATCHDOG_PID is PROG's if it was ours, and stays if it was not" {
  # shellcheck disable=SC2016
  run -0 sh -c 'WATCHDOG_PID=$$ WATCHDOG_USEC=7000000 exec daemonize --foreground sh -c "
    [ \$WATCHDOG_PID = \$\$ ] && echo \$WATCHDOG_USEC"'
  [ "$output" = 7000000 ]
  # shellcheck disable=SC2016
  run -0 env WATCHDOG_PID=1 daemonize --foreground sh -c 'echo $WATCHDOG_PID'
  [ "$output" = 1 ]
  # shellcheck disable=SC2016
  run -0 sh -c 'WATCHDOG_PID=$$ LISTEN_PID=$$ exec deadline 1h sh -c "echo \$\$ \$WATCHDOG_PID \$LISTEN_PID"'
  read -ra pids <<<"$output"
  [ "${pids[0]}" -eq "${pids[1]}" ] && [ "${pids[0]}" -eq "${pids[2]}" ]
}
