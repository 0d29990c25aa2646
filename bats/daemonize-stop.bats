# daemonize --stop-signal: how PROG is asked to end.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# deaf ARG...: a daemon that notes INT, QUIT and TERM and lives on, with its pidfiles.
deaf() {
  daemonized "$@" -p prog -P monitor --ready fd "$HELPERS/daemon" -r -k "$here/noted" INT QUIT
  prog=$(cat prog) monitor=$(cat monitor)
}

# noted NAME...: PROG noted its start, these signals, and nothing else.
noted() {
  [ "$(cat noted)" = "$(printf "$prog %s\n" start "$@")" ]
}

# stopped_by SCHEDULE NAME...: --stop, after which PROG has noted these signals. @ is a time, twice as long each round until
# PROG had the time to note them.
stopped_by() {
  local ms
  for ((ms = 100; ms < 20000; ms *= 2)); do
    rm -f noted
    deaf --log log --stop-signal "${1//@/${ms}ms}" -v
    refused 0 --stop -P monitor
    [ "$(wc -l <noted)" -lt "$#" ] || break
  done
  noted "${@:2}"
}

@test "--stop sends the signals of the schedule, one after the other, then SIGKILL" {
  stopped_by INT:@,SIGQUIT:@,15:@,KILL INT QUIT TERM
  grep -qx "daemonize: $prog was killed by SIGKILL; no restart" log
  [ ! -e prog ]
}

@test "SIGKILL follows the last signal, named or not; KILL alone kills at once" {
  stopped_by QUIT:@ QUIT
  rm noted
  deaf --log log --stop-signal KILL
  refused 0 --stop -P monitor
  noted
}

@test "a PROG that exits at the first signal gets no other" {
  daemonized -p prog -P monitor --ready fd --stop-signal TERM:50,INT:50 "$HELPERS/daemon" -r "$here/noted" INT
  prog=$(cat prog)
  refused 0 --stop -P monitor
  noted TERM
}

@test "the monitor's own TERM begins the schedule, once; others are passed on and count as its first signal" {
  deaf --stop-signal INT:300ms,QUIT:300ms
  kill -TERM "$monitor"
  until_line noted ' INT$'
  kill -TERM "$monitor"
  until_true ended "$monitor"
  noted INT QUIT
  rm noted
  deaf --stop-signal INT:50,KILL
  kill -QUIT "$monitor"
  until_line noted ' QUIT$'
  refused 124 --stop -t 0.1 -P monitor
  noted QUIT
}

@test "a signal without a TIME has that of -k; alone, it sets no limit to a stop, but --stop -t does" {
  deaf --stop-signal INT
  kill -TERM "$monitor"
  until_line noted ' INT$'
  idle "$monitor"
  refused 124 --stop -t 0.1 -P monitor
  [ "$output" = "daemonize: stop $here/monitor: it did not stop in time and was killed" ]
  noted INT
  rm noted
  deaf --stop-signal INT,QUIT -k 2
  refused 0 --stop -P monitor
  noted INT QUIT
}

@test "--restart goes by the schedule" {
  deaf --supervise --log log --stop-signal QUIT:2,INT:2
  refused 0 --restart -P monitor
  until_true other prog "$prog"
  [ "$(grep -c "^$prog" noted)" -eq 3 ]
  grep -qx "daemonize: $prog was killed by SIGKILL; restart 1 now" log
}

@test "descendants that PROG leaves behind at a stop are asked by the same signals" {
  daemonized -P monitor --stop-signal INT:20 sh -c "'$HELPERS/daemon' -k '$here/noted' INT & exec sleep 6081s"
  until_line noted start
  # it notes INT, lives on, and is killed: at --stop's -t
  refused 124 --stop -t 2 -P monitor
  grep -q ' INT$' noted
  run ! grep TERM noted
}

@test "a start that is late is undone by the schedule" {
  prog=[0-9]*
  refused 124 -P monitor --ready notify -t 2 --stop-signal QUIT:2 "$HELPERS/daemon" -k "$here/noted" QUIT
  grep -q QUIT noted
  run ! grep TERM noted
  [ ! -e monitor ]
}

@test "--foreground: Ctrl-C of the terminal and TERM of a service manager" {
  background monitor daemonize --foreground --stop-signal INT:2,QUIT:2 -p prog "$HELPERS/daemon" -k "$here/noted" INT QUIT
  until_line noted start
  prog=$(cat prog)
  kill -TERM "$monitor"
  ends_with 0 "$monitor"
  noted INT QUIT
}

@test "sigtrap TERM=INT is the recipe for a PROG in a pipeline of launchers" {
  daemonized -P monitor -p prog --ready fd sigtrap TERM=INT "$HELPERS/daemon" -r -k "$here/noted" INT
  kill -TERM "$(cat monitor)"
  until_line noted ' INT$'
  refused 124 --stop -t 0.1 -P monitor
  run ! grep TERM noted
}

@test "--stop-signal needs the monitor, and strict words" {
  local word
  refused 100 --stop-signal INT:5 true
  [[ ${lines[0]} == "daemonize: --stop-signal needs the monitor: "* ]]
  for word in '' , INT, ,INT INT: INT:x INT:5: KILL,INT NOSUCH 0 65 "$(printf 'INT,%.0s' {1..8})TERM"; do
    refused 100 -P monitor --stop-signal "$word" true
    [[ ${lines[0]} == "daemonize: option --stop-signal '$word': expected signals such as INT:10,TERM:5,KILL" ]]
  done
  [ ! -e monitor ]
}

@test "descendants have their time although a HUP or a TERM comes meanwhile" {
  mkfifo go
  script child "trap 'echo USR1 >>noted; read -r line <go; echo saved >>noted; exit 0' USR1; trap '' TERM
    echo start >>noted; while :; do sleep 0.05; done"
  local sig
  for sig in HUP TERM; do
    rm -f noted
    # not started again before --stop
    daemonized -P monitor -p prog -c "$here" --supervise --backoff 600:600 --hup reopen --log log --stop-signal USR1:50 \
      sh -c './child & exec sleep 6082s'
    until_line noted start
    kill -KILL "$(cat prog)"
    until_line noted USR1
    kill -"$sig" "$(cat monitor)"
    until_true has_heard "$(cat monitor)"
    timeout 20 sh -c 'echo >go'
    until_line noted saved
    refused 0 --stop -t 50 -P monitor
  done
}

# has_heard PID: no signal waits for it.
has_heard() {
  grep -q '^ShdPnd:[[:space:]]*0*$' "/proc/$1/status"
}

@test "a pidfile that somebody else is about to change stays at the end, empty and nobody's; the next start has it" {
  need flock util-linux
  local monitor
  daemonized -p prog -P monitor sleep 6083s
  monitor=$(cat monitor)
  (umask 077 && : >.prog.lock)
  background holder lockrun .prog.lock sh -c 'echo locked; exec sleep 6084s'
  until_line holder.out locked
  kill -TERM "$monitor"
  until_true ended "$monitor"
  [ -e prog ]
  [ ! -s prog ]
  [ ! -e monitor ]
  says 1 prog
  kill -KILL "$holder"
  until_true free .prog.lock
  daemonized -p prog sleep 6083s
  says 0 prog
  timeout 60 daemonize --stop -p prog
  [ ! -e prog ]
}

# free FILE: nobody has locked it.
free() {
  flock -n "$1" true
}

@test "--stop-signal: what ends nothing is a usage error" {
  local signal
  for signal in STOP TSTP TTIN TTOU CONT CHLD INT:10,CONT,KILL; do
    wrong_call daemonize --stop-signal "$signal" touch ran
  done
  [ ! -e ran ]
}

@test "a pidfile that can't be removed at the end is reported, with status 111" {
  need strace strace
  local option
  for option in -p -P; do
    run -111 strace -f -qq -o calls -e trace=unlinkat -e inject=unlinkat:error=EROFS \
      daemonize --foreground "$option" pid true
    [ "$output" = "daemonize: remove $here/pid: Read-only file system" ]
    rm pid
  done
}
