# daemonize: after which ends PROG is restarted, how often, what is run then, and what is said of one that daemonized itself.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# once WHAT ARG...: a daemon whose first PROG ends by the shell command WHAT, and whose second stays.
once() {
  script prog.sh "if mkdir '$here/second' 2>/dev/null; then $1; fi; exec sleep 6090s"
  rm -rf second log
  daemonized -P monitor -p prog --log log --backoff 10ms:10ms "${@:2}" ./prog.sh
}

restarted() {
  until_line log "restart 1 in 0.01 s$"
  refused 0 --stop -P monitor
}

not_restarted() {
  until_true [ ! -e monitor ]
  run -0 cat log
  [[ $output == "daemonize: "*" $1; no restart" ]]
  [ ! -e prog ]
}

@test "--restart-on always, failure, signal: three ends each" {
  once 'exit 0' --restart-on always
  restarted
  once 'exit 7' --restart-on always
  restarted
  once 'exit 0' --restart-on failure
  not_restarted 'exited with status 0'
  once 'exit 7' --restart-on failure
  restarted
  once 'kill -USR1 $$' --restart-on failure
  restarted
  once 'exit 0' --restart-on signal
  not_restarted 'exited with status 0'
  once 'exit 7' --restart-on signal
  not_restarted 'exited with status 7'
  once 'kill -USR1 $$' --restart-on signal
  restarted
}

@test "--restart-on: --restart restarts PROG all the same" {
  daemonized -P monitor -p prog --restart-on failure sleep 6091s
  local first
  first=$(cat prog)
  refused 0 --restart -P monitor
  until_true other prog "$first"
}

@test "--restart-on failure: a restart that fails for lack of descriptors is a failure, and is tried again" {
  need prlimit util-linux
  daemonized -P monitor -p prog --log log --restart-on failure --backoff 50ms:50ms \
    sh -c 'trap "exit 0" TERM; sleep 6095s & wait'
  local pid
  pid=$(cat prog)
  prlimit --nofile=5: --pid "$(cat monitor)"
  refused 0 --restart -P monitor
  until_true grep -q 'sh could not be started: Too many open files; restart 2 in 0.05 s$' log
  prlimit --nofile=64: --pid "$(cat monitor)"
  until_true other prog "$pid"
  refused 0 --stop -P monitor
}

@test "--restart-on, --foreground: the status is that of PROG" {
  run -7 timeout --foreground 60 daemonize --foreground --restart-on signal sh -c 'exit 7'
  run -0 timeout --foreground 60 daemonize --foreground --restart-on failure true
}

@test "--max-restarts: then daemonize gives up, without pidfiles, with the reason in the log" {
  script crash "echo run >>'$here/runs'; exit 3"
  daemonized -P monitor -p prog --log log --supervise --backoff 1ms:1ms --max-restarts 3/1h ./crash
  until_true [ ! -e monitor ]
  [ ! -e prog ]
  [ "$(wc -l <runs)" -eq 4 ]
  run -3 daemonize --status -P monitor
  [ "$output" = "not running" ]
  run -0 tail -n 1 log
  [[ $output =~ ^daemonize:\ [0-9]+\ exited\ with\ status\ 3\;\ gave\ up\ after\ 3\ restarts\ in\ 3600\ s$ ]]
  # and what PROG left is ended
  rm log
  daemonized -P monitor --log log --supervise --backoff 1ms:1ms --max-restarts 1/1h \
    sh -c "sleep 6092s & echo \$! >>'$here/left'; exit 1"
  until_true [ ! -e monitor ]
  [[ $(tail -n 1 log) == *"; gave up after 1 restart in 3600 s" ]]
  ended "$(tail -n 1 left)"
}

@test "--max-restarts counts within its TIME, and not what --restart did" {
  script crash "echo run >>'$here/runs'; exit 3"
  daemonized -P monitor --log log --supervise --backoff 20ms:20ms --max-restarts 1/1ms ./crash
  until_true lines 10 runs
  refused 0 --stop -P monitor
  local n pid
  daemonized -P monitor -p prog --supervise --max-restarts 1/1h sleep 6093s
  for n in 1 2 3; do
    pid=$(cat prog)
    refused 0 --restart -P monitor
    until_true other prog "$pid"
  done
}

@test "--max-restarts, --foreground: the status is that of the last PROG" {
  run -3 timeout --foreground 60 daemonize --foreground --supervise --backoff 1ms:1ms --max-restarts 2/1h sh -c 'exit 3'
  [[ ${lines[-1]} == *"; gave up after 2 restarts in 3600 s" ]]
}

@test "--max-restarts counts starts that fail" {
  script prog.sh "rm '$here/prog.sh'"
  daemonized -P monitor --log log --supervise --backoff 1ms:1ms --max-restarts 2/1h ./prog.sh
  until_true [ ! -e monitor ]
  run -0 tail -n 1 log
  [ "$output" = "daemonize: ./prog.sh could not be started: No such file or directory; gave up after 2 restarts in 3600 s" ]
}

@test "a restart for which the monitor has no descriptor left is a failed start, and is tried again" {
  need prlimit util-linux
  daemonized -P monitor -p prog --log log --restart-on failure --backoff 0.1:0.4 sleep 6099s
  local old until=$((${EPOCHREALTIME/./} + 500000))
  old=$(cat prog)
  prlimit --pid "$(cat monitor)" --nofile=3:
  until ((${EPOCHREALTIME/./} > until)); do :; done # it has lived for longer than the longest pause
  kill -KILL "$old"
  until_line log 'sleep could not be started: Too many open files; restart 2 in 0.2 s'
  [ "$(grep -c "$old was killed" log)" -eq 1 ]
  prlimit --pid "$(cat monitor)" --nofile=64:
  until_true [ -s prog ]
}

@test "a restart that fails is tried again, also where nothing else wakes the monitor" {
  need strace strace
  run -1 --separate-stderr timeout --foreground 60 strace -D -f -qq -b execve -o /dev/null -e trace=pipe2 -e inject=pipe2:error=EMFILE:when=2 \
    daemonize --foreground --supervise --backoff 0:0 --max-restarts 3/60 false
  [[ $stderr == *"fork false: Too many open files"*"false could not be started: Too many open files; restart 2 now"*"gave up after 3 restarts"* ]]
}

@test "--on-exit has the status in its environment, at each end; the restart waits for it" {
  script crash "echo run >>'$here/order'; exit 7"
  daemonized -P monitor --supervise --backoff 1ms:1ms --max-restarts 1/1h --on-exit \
    "echo \"\$EXIT_CODE \$EXIT_STATUS\" >>'$here/order'" ./crash
  until_true [ ! -e monitor ]
  [ "$(cat order)" = $'run\nexited 7\nrun\nexited 7' ]
  rm order
  daemonized -P monitor --on-exit "echo \"\$EXIT_CODE \$EXIT_STATUS\" >'$here/order'" sleep 6094s
  refused 0 --stop -P monitor
  [ "$(cat order)" = 'killed TERM' ]
  rm order
  daemonized -P monitor --on-exit "echo \"\$EXIT_CODE \$EXIT_STATUS\" >'$here/order'" true
  until_true [ ! -e monitor ]
  [ "$(cat order)" = 'exited 0' ]
}

@test "--on-exit: its output and its failure are in the log, its stdin is empty" {
  daemonized -P monitor --log log --on-exit 'cat; echo out; echo err >&2; exit 5' true
  until_true [ ! -e monitor ]
  [ "$(cat log)" = $'out\nerr\ndaemonize: --on-exit exited with status 5' ]
}

@test "--on-exit has some time, and an end, when --stop has had to kill PROG" {
  script deaf "trap '' TERM; echo >'$here/up'; while :; do sleep 0.05; done"
  daemonized -P monitor --log log --on-exit 'echo saved; echo $$ >pid; exec sleep 6098s' -c "$here" ./deaf
  until_true [ -e up ]
  refused 124 --stop -t 1 -P monitor
  grep -qx saved log
  grep -qx 'daemonize: --on-exit was killed by SIGKILL' log
  run ! alive "$(cat pid)"
}

@test "--on-exit that hangs is killed after -t; --stop's end kills it, too" {
  daemonized -P monitor --log log -t 0.2 --on-exit 'exec sleep 6095s' true
  until_true [ ! -e monitor ]
  [ "$(cat log)" = "daemonize: --on-exit was killed by SIGKILL" ]
  rm log
  daemonized -P monitor --log log -t 1h --on-exit "echo begun; exec sleep 6096s" sleep 6097s
  refused 124 --stop -t 1 -P monitor
  grep -qx begun log
}

@test "--on-exit with -E and --clear-env: the environment of PROG, and the status" {
  daemonized -P monitor --clear-env -E COLOR=blue -E PATH="$PATH" --on-exit "env >'$here/environment'" true
  until_true [ ! -e monitor ]
  run -0 grep -cE '^(COLOR=blue|PATH=.*|EXIT_CODE=exited|EXIT_STATUS=0)$' environment
  [ "$output" = 4 ]
  run ! grep OF_TEST environment
}

@test "--on-exit is for a PROG that came up" {
  refused 7 -P monitor --settle 20 --on-exit "touch '$here/ran'" sh -c 'exit 7'
  [ ! -e ran ]
}

@test "a PROG that exits 0 at once and leaves processes seems to have daemonized itself" {
  refused 111 -P monitor --settle 20 sh -c 'sleep 6098s & exit 0'
  [ "$output" = "daemonize: bring up sh: it exited with status 0 and left processes: it seems to have daemonized itself" ]
  daemonized -P monitor --log log sh -c 'sleep 6099s & exit 0'
  until_true [ ! -e monitor ]
  run -0 cat log
  [[ $output =~ ^daemonize:\ [0-9]+\ exited\ with\ status\ 0\ and\ left\ processes:\ it\ seems\ to\ have\ daemonized\ itself\;\ no\ restart$ ]]
  # one that leaves nothing has only ended
  refused 111 -P monitor --settle 20 true
  [ "$output" = "daemonize: bring up true: it exited with status 0" ]
}

@test "--reload in the back-off says that nobody was told" {
  daemonized -P monitor -p prog --supervise --backoff 1h:1h false
  until_true [ ! -s prog ]
  refused 1 --reload -P monitor
  [ "$output" = "daemonize: reload $here/monitor: PROG does not run now: nobody was told" ]
}

@test "--restart-on, --max-restarts, --on-exit: strict words, and what they need" {
  local word
  for word in '' 5 5/ /5 0/5 x/5 5/x -1/5 10001/5; do
    refused 100 -P monitor --supervise --max-restarts "$word" true
    [ "${lines[0]}" = "daemonize: option --max-restarts '$word': expected a number and a time such as 5/60" ]
  done
  refused 100 -P monitor --restart-on never true
  refused 100 -P monitor --max-restarts 5/60 true
  [ "${lines[0]}" = "daemonize: --max-restarts needs --supervise or --restart-on" ]
  refused 100 --on-exit true true
  [[ ${lines[0]} == "daemonize: --on-exit needs the monitor: "* ]]
}

@test "--on-exit before a restart: when a stop comes meanwhile, --status says stopping" {
  mkfifo go
  daemonized -P monitor --supervise --backoff 1ms:1ms --on-exit "echo >'$here/exits'; read -r line <'$here/go'" true
  until_true [ -s exits ]
  run -0 daemonize --status -P monitor
  [[ $output == "restarting: "* ]]
  kill -TERM "$(cat monitor)"
  until_true is_stopping
  echo >go
  until_true [ ! -e monitor ]
}

is_stopping() {
  daemonize --status -P monitor | grep -q '^stopping: '
}
