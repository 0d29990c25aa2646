# daemonize as a service: supervision, --hup, --foreground, and what a service manager wants of one.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# manager NAME: a service manager's end of NOTIFY_SOCKET; what it receives goes to manager.out, a line each.
manager() {
  background manager "$HELPERS/tell" -l "$1"
  until_line manager.out '^up$'
}

# heard LINE...: that is all that the manager has heard.
heard() {
  [ "$(cat manager.out)" = "$(printf '%s\n' up "$@")" ]
}

# new_pid: the pid in prog, once it is another than in $pid; it is $pid then.
new_pid() {
  until_true other prog "$pid"
  pid=$(cat prog)
}

# ---- --supervise ----

@test "--supervise: PROG is restarted whenever it exits, and -p's file has its new pid" {
  daemonized --supervise --backoff 10ms:20ms -p prog -P monitor "$HELPERS/daemon" "$here/noted"
  local pid monitor round
  pid=$(cat prog) monitor=$(cat monitor)
  for round in 1 2 3 4; do
    until_line noted "^$pid start$"
    kill -KILL "$pid"
    new_pid
    locked prog
    says 0 prog
    [ "$(field_of ppid "$pid")" -eq "$monitor" ]
  done
  [ "$(cat monitor)" = "$monitor" ]
  refused 0 --stop -p prog
  ended "$pid"
  ended "$monitor"
  [ ! -e prog ]
  [ ! -e monitor ]
}

@test "--backoff: the pauses double from MIN to MAX" {
  daemonized --supervise --backoff 100ms:400ms -P monitor bash -c "echo \${EPOCHREALTIME/./} >>'$here/times'"
  until_true lines 6 times
  refused 0 --stop -P monitor
  # at least: a machine may be slow
  local n times least=(0 100 200 400 400 400)
  mapfile -t times <times
  for n in 1 2 3 4 5; do
    ((times[n] - times[n - 1] >= least[n] * 1000 * 9 / 10))
  done
  # no longer than MAX: 40 starts that keep on doubling would take years
  daemonized --supervise --backoff 1ms:4ms -P monitor sh -c "echo run >>$here/runs"
  until_true lines 40 runs
}

# PROG has ended, and the file `prog`, its pidfile, is empty until the next start.
no_prog() {
  [ -e prog ] && [ ! -s prog ]
}

@test "--stop does not wait for a pause to end, and nothing is started after it" {
  daemonized --supervise --backoff 1h:1h -P monitor -p prog sh -c "echo run >>$here/runs"
  local monitor
  monitor=$(cat monitor)
  until_true no_prog
  refused 0 --stop -p prog -t 20
  ended "$monitor"
  [ "$(cat runs)" = run ]
  [ ! -e prog ]
  [ ! -e monitor ]
}

@test "--restart and HUP end a pause" {
  daemonized --supervise --backoff 1h:1h -P monitor -p prog sh -c "echo run >>$here/runs"
  until_true lines 1 runs
  until_true no_prog
  refused 0 --restart -p prog
  until_true lines 2 runs
  until_true no_prog
  kill -HUP "$(cat monitor)"
  until_true lines 3 runs
}

terms() {
  [ "$(grep -c ' TERM$' noted)" -eq "$1" ]
}

# bats test_tags=long
@test "a stop that overtakes a --restart waits for PROG without a busy loop" {
  how=-k # it ignores TERM
  noting -P monitor -p prog --supervise
  local monitor n
  monitor=$(cat monitor)
  refused 0 --restart -P monitor
  until_line noted ' TERM$'
  kill -TERM "$monitor"
  until_true terms 2
  for ((n = 0; n < 24; n++)); do # past the 10 s after which the restart would have killed PROG
    idle "$monitor"
  done
  alive "$(cat prog)"
  refused 124 --stop -t 0.1 -P monitor
}

@test "HUP restarts PROG every time, not only once" {
  local pid round monitor expected
  noting --supervise -p prog -P monitor
  pid=$(cat prog) monitor=$(cat monitor) expected="$pid start"
  for round in 1 2 3 4; do
    kill -HUP "$monitor"
    expected+=$'\n'"$pid TERM"
    new_pid
    expected+=$'\n'"$pid start"
    until_line noted "^$pid start$"
  done
  [ "$(cat noted)" = "$expected" ]
}

@test "the monitor waits for the orphans of PROG: no zombie stays" {
  daemonized --supervise -p prog -P monitor sh -c "
    for n in 1 2 3; do (sh -c 'echo >>$here/ended; exit 3' &); done; exec sleep 6049s"
  until_true lines 3 ended
  until_true only_child "$(cat monitor)" "$(cat prog)"
}

# only_child PARENT CHILD
only_child() {
  [ "$(tr -d ' ' <"/proc/$1/task/$1/children")" = "$2" ]
}

@test "TERM to the monitor terminates PROG and its descendants, without a restart" {
  daemonized --supervise --backoff 1ms:1ms -p prog -P monitor sh -c "
    echo run >>$here/runs; setsid sleep 6050s & echo \$! >$here/child; echo >$here/up; wait"
  until_true [ -e up ]
  local monitor prog
  monitor=$(cat monitor) prog=$(cat prog)
  kill -TERM "$monitor"
  until_true ended "$monitor"
  ended "$prog"
  ended "$(cat child)"
  [ "$(cat runs)" = run ]
  [ ! -e prog ]
  [ ! -e monitor ]
}

@test "--hup forward with --supervise: PROG gets it and stays" {
  noting --supervise --hup forward -p prog -P monitor
  local pid
  pid=$(cat prog)
  kill -HUP "$(cat monitor)"
  until_true lines 2 noted
  kill -HUP "$(cat monitor)"
  until_true lines 3 noted
  [ "$(cat noted)" = "$pid start
$pid HUP
$pid HUP" ]
  [ "$(cat prog)" = "$pid" ]
}

@test "--hup restart without --supervise: restarted, and its own end is the end" {
  noting --hup restart -p prog -P monitor
  local pid monitor
  pid=$(cat prog) monitor=$(cat monitor)
  kill -HUP "$monitor"
  new_pid
  until_line noted "^$pid start$"
  kill -TERM "$pid"
  until_true ended "$monitor"
  [ ! -e prog ]
}

@test "a restarted PROG has the same state: fds, signals, ids, and READY_FD that it may write to" {
  daemonized --supervise --backoff 10ms:10ms -p prog --ready fd sh -c "
    echo >&\$READY_FD && echo told >>$here/told; exec '$HELPERS/daemon-state' '$here/state'"
  local pid before
  pid=$(cat prog)
  before=$(grep -vE '^(pid|pgid|fds|files)=' <(state fds >/dev/null; cat state))
  rm state
  kill -KILL "$pid"
  new_pid
  until_true [ -e state ]
  [ "$(grep -vE '^(pid|pgid|fds|files)=' state)" = "$before" ]
  until_true lines 2 told
}

# ---- --foreground ----

@test "--foreground: the caller is the monitor, in its place, with PROG's output and status" {
  mkfifo go
  background service daemonize --foreground -p prog -P monitor \
    sh -c "echo out; echo err >&2; read -r line <$here/go; exit 7"
  until_line service.out '^out$'
  until_line service.err '^err$'
  until_true [ -s prog ]
  until_true [ -s monitor ]
  [ "$(cat monitor)" = "$service" ]
  [ "$(field_of sid "$service")" -eq "$(field_of sid $$)" ]
  [ "$(readlink "/proc/$service/cwd")" = "$here" ]
  [ "$(readlink "/proc/$(cat prog)/cwd")" = "$here" ]
  echo now >go
  ends_with 7 "$service"
  [ "$(cat service.out service.err)" = $'out\nerr' ]
  [ ! -e prog ]
  [ ! -e monitor ]
}

@test "--foreground: PROG's death by a signal, 126 and 127" {
  run -137 timeout 60 daemonize --foreground sh -c 'kill -KILL $$'
  run -143 timeout 60 daemonize --foreground sh -c 'kill -TERM $$'
  run -0 timeout 60 daemonize --foreground true
  run -1 timeout 60 daemonize --foreground -p prog false
  [ ! -e prog ]
}

@test "--foreground: TERM terminates both, with status 0" {
  local signal
  for signal in TERM INT; do
    background service daemonize --foreground -p prog -P monitor "$HELPERS/daemon" "$here/noted" INT
    until_true lines 1 noted
    until_true [ -s monitor ]
    local prog
    prog=$(cat prog)
    kill -"$signal" "$service"
    if [ "$signal" = INT ]; then
      # PROG gets the same, and may take its time
      until_line noted "^$prog INT$"
      kill -TERM "$service"
    fi
    ends_with 0 "$service"
    until_line noted "^$prog TERM$"
    ended "$prog"
    [ ! -e prog ]
    [ ! -e monitor ]
    rm noted
  done
}

@test "--foreground: a killed monitor takes PROG along" {
  background service daemonize --foreground -p prog sleep 6051s
  until_true [ -s prog ]
  kill -KILL "$service"
  ends_with 137 "$service"
  until_true ended "$(cat prog)"
}

@test "--foreground --supervise: HUP restarts, TERM stops with status 0" {
  background service daemonize --foreground --supervise -p prog "$HELPERS/daemon" "$here/noted"
  until_true lines 1 noted
  until_true [ -s prog ]
  local pid
  pid=$(cat prog)
  kill -HUP "$service"
  new_pid
  until_line noted "^$pid start$"
  refused 0 --restart -p prog
  new_pid
  until_line noted "^$pid start$"
  finish "$service"
  [ "$status" -eq 0 ]
  ended "$pid"
}

# ---- a service manager ----

@test "READY=1 once PROG is up, STOPPING=1 at its end; PROG doesn't see the manager's socket" {
  local name
  for name in "$here/notify" "@ipcbox-daemonize-$$"; do
    manager "$name"
    background service env NOTIFY_SOCKET="$name" daemonize --foreground -p prog \
      sh -c 'env; exec sleep 6052s'
    until_line manager.out '^READY=1$'
    [ -s prog ]
    until_line service.out '^OF_TEST='
    finish "$service"
    [ "$status" -eq 0 ]
    until_line manager.out '^STOPPING=1$'
    heard READY=1 STOPPING=1
    run ! grep NOTIFY_SOCKET service.out
    finish "$manager"
  done
}

@test "READY=1 waits for PROG's readiness, and for --settle" {
  local words
  mkfifo go
  for words in '--ready fd' '--ready fd --settle 10ms'; do
    manager "$here/notify"
    # shellcheck disable=SC2086 # words
    background service env NOTIFY_SOCKET="$here/notify" daemonize --foreground $words \
      sh -c "echo started; read -r line <$here/go; echo >&\$READY_FD; exec sleep 6053s"
    until_line service.out started
    heard
    echo now >go
    until_line manager.out '^READY=1$'
    heard READY=1
    finish "$service"
    finish "$manager"
    rm notify
  done
}

@test "what never comes up: no READY=1, and its status" {
  manager "$here/notify"
  run -3 env NOTIFY_SOCKET="$here/notify" timeout 60 daemonize --foreground --settle 1h sh -c 'exit 3'
  run -124 env NOTIFY_SOCKET="$here/notify" timeout 60 daemonize --foreground --ready fd -t 100ms sleep 6054s
  run -127 env NOTIFY_SOCKET="$here/notify" timeout 60 daemonize --foreground ./nothing
  NOTIFY_SOCKET=$here/notify "$HELPERS/tell" last
  until_line manager.out last
  heard last
}

@test "--ready notify: PROG's messages reach the manager, READY=1 once, in their order" {
  manager "$here/notify"
  mkfifo go
  background service env NOTIFY_SOCKET="$here/notify" daemonize --foreground --ready notify sh -c "
    echo \$NOTIFY_SOCKET; '$HELPERS/tell' STATUS=starting READY=1 'STATUS=at once'; read -r line <$here/go
    '$HELPERS/tell' 'STATUS=at work
WATCHDOG=1' RELOADING=1 STATUS=again; exec sleep 6055s"
  until_line manager.out '^STATUS=at once$'
  heard STATUS=starting READY=1 'STATUS=at once'
  # a socket of its own, not the manager's
  [ "$(cat service.out)" != "$here/notify" ]
  echo now >go
  until_line manager.out again
  heard STATUS=starting READY=1 'STATUS=at once' 'STATUS=at work/WATCHDOG=1' RELOADING=1 STATUS=again
  finish "$service"
  until_line manager.out '^STOPPING=1$'
  heard STATUS=starting READY=1 'STATUS=at once' 'STATUS=at work/WATCHDOG=1' RELOADING=1 STATUS=again STOPPING=1
}

@test "a manager that can't be told is a failure, and PROG is ended" {
  run -111 env NOTIFY_SOCKET="$here/nobody" timeout 60 daemonize --foreground -p prog sh -c \
    "echo \$\$ >$here/was; exec sleep 6057s"
  [ "$output" = "daemonize: report readiness to NOTIFY_SOCKET: No such file or directory" ]
  [ ! -s was ] || ended "$(cat was)"
  [ ! -e prog ]
}

@test "Type=forking: when the starter has ended, PIDFile= is there, of its user, with a living pid" {
  local option pid
  for option in -p -P; do
    (umask 077 && daemonized "$option" pidfile sleep 6058s)
    # what systemd looks at: no symbolic link, its owner, the pid alive and not the starter
    [ -f pidfile ]
    [ ! -L pidfile ]
    [ "$(stat -c %u pidfile)" -eq "$(id -u)" ]
    pid=$(cat pidfile)
    alive "$pid"
    [ "$(stat -c %u "/proc/$pid")" -eq "$(id -u)" ]
    refused 0 --stop "$option" pidfile
    [ ! -e pidfile ]
  done
  (umask 0 && daemonized -m 0 -P pidfile sleep 6059s)
  [ "$(stat -c %a pidfile)" = 644 ]
}

@test "Type=forking with -u: the pidfile is not PROG's to change" {
  need_root
  mkdir -m 755 run
  daemonized -u nobody -P run/pidfile -p run/prog sleep 6060s
  [ "$(stat -c '%u %a' run/pidfile run/prog)" = $'0 644\n0 644' ]
  [ "$(stat -c %u "/proc/$(cat run/pidfile)")" -eq 0 ]
}

@test "Type=forking: NOTIFY_SOCKET is notified as well, before the starter exits" {
  manager "$here/notify"
  NOTIFY_SOCKET=$here/notify daemonized -P pidfile sleep 6061s
  NOTIFY_SOCKET=$here/notify "$HELPERS/tell" returned
  until_line manager.out returned
  heard READY=1 returned
  refused 0 --stop -P pidfile
  until_line manager.out STOPPING=1
}
