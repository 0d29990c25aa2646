# daemonize: what is told about a PROG that ends and is started again: in the log, to syslog, and by --status.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# restarts N FILE: --status tells of N restarts, or more.
restarts() {
  local text
  text=$(timeout 60 daemonize --status -P "$2") && [[ $text =~ ,\ ([0-9]+)\ restarts? ]] && ((BASH_REMATCH[1] >= $1))
}

# crashing ARG... -- TEXT: a daemon whose PROG, a script, ends at once each time.
crashing() {
  local args=()
  while [ "$1" != -- ]; do
    args+=("$1")
    shift
  done
  script crash "$2"
  daemonized -P monitor --supervise "${args[@]}" ./crash
}

# ---- the log ----

@test "a crash loop: each end of PROG is a line in the log, with the restart that follows and its pause" {
  crashing --log log --backoff 100ms:400ms -- "echo \$\$ >>'$here/pids'; exit 7"
  until_true lines 4 log
  refused 0 --stop -P monitor
  local n pid pauses=('' 0.1 0.2 0.4 0.4)
  for n in 1 2 3 4; do
    pid=$(sed -n "${n}p" pids)
    [ "$(sed -n "${n}p" log)" = "daemonize: $pid exited with status 7; restart $n in ${pauses[n]} s" ]
  done
}

@test "a signal's name in the log, and whole seconds" {
  # shellcheck disable=SC2016
  crashing --log log --backoff 2:2 -- 'ulimit -c 0; kill -SEGV $$'
  until_line log '^daemonize: [1-9][0-9]* was killed by SIGSEGV; restart 1 in 2 s$'
}

@test "a restart that was asked for, and the end" {
  daemonized -P monitor -p prog --supervise --log log sleep 6070s
  local first second
  first=$(cat prog)
  refused 0 --restart -p prog
  until_true other prog "$first"
  second=$(cat prog)
  refused 0 --stop -p prog
  [ "$(cat log)" = "daemonize: $first was killed by SIGTERM; restart 1 now
daemonize: $second was killed by SIGTERM; no restart" ]
}

@test "the line stands on its own, wherever PROG's output ends, and comes after it" {
  crashing --log log --backoff 10ms:10ms -- "printf 'whole\nhalf'; exit 3"
  until_true lines 9 log
  refused 0 --stop -P monitor
  run -0 head -n 9 log
  [ "$(sed 's/: [0-9]* exited/: PID exited/' <<<"$output")" = "$(printf '%s\n' \
    whole half 'daemonize: PID exited with status 3; restart 1 in 0.01 s' \
    whole half 'daemonize: PID exited with status 3; restart 2 in 0.01 s' \
    whole half 'daemonize: PID exited with status 3; restart 3 in 0.01 s')" ]
  # no empty lines
  run -1 grep -c '^$' log
}

@test "the lines are rotated like PROG's" {
  crashing --log log --log-size 100 --log-keep 5 --backoff 1ms:1ms -- 'echo some output'
  until_true [ -e log.5 ]
  refused 0 --stop -P monitor
  local file
  for file in log*; do
    [ "$(stat -c %s "$file")" -le 100 ]
    run -1 grep -vE '^(some output|daemonize: [0-9]+ (exited|was killed) [^;]*; (restart [0-9]+ in 0.001 s|no restart))$' "$file"
  done
}

@test "without --supervise a failure is reported, success and a stop are not" {
  daemonized -P monitor --log log sh -c 'exit 4'
  until_true [ ! -e monitor ]
  run -0 cat log
  [[ $output =~ ^'daemonize: '[0-9]+' exited with status 4; no restart'$ ]]
  daemonized -P monitor --log good true
  until_true [ ! -e monitor ]
  [ ! -s good ]
  daemonized -P monitor --log stopped sleep 6071s
  refused 0 --stop -P monitor
  [ ! -s stopped ]
}

@test "-q keeps the log to PROG's own output" {
  crashing -q --log log --backoff 1ms:1ms -- 'echo run'
  until_true lines 5 log
  refused 0 --stop -P monitor
  [ "$(sort -u log)" = run ]
}

@test "--foreground without a log: on stderr" {
  script crash "echo run; exit 5"
  background service daemonize --foreground --supervise --backoff 10ms:10ms ./crash
  until_true lines 3 service.err
  finish "$service"
  run -1 grep -vE '^daemonize: [0-9]+ (exited|was killed) [^;]*; (restart [0-9]+ in 0.01 s|no restart)$' service.err
  [ "$(sort -u service.out)" = run ]
}

@test "a PROG that can't be started again: why, and that it is tried again" {
  mkfifo go
  script prog "echo run; read -r line <'$here/go'"
  daemonized -P monitor --log log --supervise --backoff 20ms:20ms ./prog
  until_line log '^run$'
  rm prog
  echo >go
  until_line log '^daemonize: ./prog could not be started: No such file or directory; restart 3 in 0.02 s$'
  run -0 daemonize --status -P monitor
  [[ $output == "restarting: monitor "*", last start failed (No such file or directory) at "* ]]
}

# ---- syslog ----

# more_restarts: until there have been some more.
more_restarts() {
  run -0 timeout 60 daemonize --status -P monitor
  [[ $output =~ ,\ ([0-9]+)\ restart ]]
  until_true restarts "$((BASH_REMATCH[1] + 5))" monitor
}

# A command behind these words has a /dev of its own, in which /dev/log can be made.
with_dev_log=(unshare --user --map-root-user --mount sh -c "mkdir -p dev && touch dev/null &&
  mount --bind /dev/null dev/null && mount --rbind dev /dev && exec \"\$@\"" '')

@test "without a log the lines go to syslog; where there is none, or nobody reads it, nothing waits" {
  "${with_dev_log[@]}" true || skip "needs a user namespace and mounts in it"
  # tell -l reads; then it is stopped and its queue is full; then it is gone
  script crash 'exit 9'
  mkfifo go
  background service "${with_dev_log[@]}" sh -c '
    tell -l /dev/log & reader=$!
    until [ -S /dev/log ]; do :; done
    daemonize -P monitor --supervise --backoff 10ms:10ms ./crash
    next() { until read -r line <go; do :; done; } # one that opens it before the last writer has closed it reads nothing
    next; kill -STOP $reader
    NOTIFY_SOCKET=/dev/log tell $(seq 10000) & echo $! >filler
    next; kill -KILL $reader; rm /dev/log
    next; daemonize --stop -P monitor'
  until_line service.out 'restart 3 in'
  run -0 grep -E '^<28>[A-Z][a-z]{2} [ 123][0-9] [0-9:]{8} daemonize\[[0-9]+\]: [0-9]+ exited with status 9; restart 3 in 0.01 s$' \
    service.out
  [[ $output == *"daemonize[$(cat monitor)]"* ]]
  echo >go
  until_true [ -s filler ]
  until_true asleep "$(cat filler)" tell
  more_restarts
  echo >go
  more_restarts
  echo >go
  ends_with 0 "$service"
}

# ---- --status ----

@test "--status: PROG's pid, the monitor's, how many restarts, the last exit and when" {
  daemonized -p prog -P monitor --supervise --backoff 10ms:10ms sleep 6072s
  local prog monitor file
  prog=$(cat prog) monitor=$(cat monitor)
  says 0 prog
  [ "$output" = "running: pid $prog, monitor $monitor, 0 restarts" ]
  kill -KILL "$prog"
  until_true other prog "$prog"
  prog=$(cat prog)
  until_true restarts 1 monitor
  for file in prog monitor; do
    says 0 "$file"
    [[ $output =~ ^"running: pid $prog, monitor $monitor, 1 restart, last killed by SIGKILL at "20[0-9-]{8}T[0-9:]{8}Z$ ]]
  done
}

@test "--status of a crash loop: restarts are counted, the pause has its end, and the pidfile of PROG is empty in it" {
  crashing --backoff 10ms:1h -p prog -- 'exit 7'
  until_true restarts 3 monitor
  until_true between_runs
  [[ $output =~ ^"restarting: monitor $(cat monitor), "[0-9]+" restarts, last exit status 7 at "[^,]*"Z, next start at "[^,]*Z$ ]]
  # no process may get what was meant for one that has ended; the pauses grow, until we see one
  until_true is_empty prog
}

is_empty() {
  [ -e "$1" ] && [ ! -s "$1" ]
}

between_runs() {
  run timeout 60 daemonize --status -P monitor
  [[ $status -eq 0 && $output == *", next start at "* ]]
}

@test "--status while the descendants of a stopped PROG have still to go" {
  mkfifo go
  daemonized -P monitor -k 100 --supervise sh -c "
    (trap '' TERM; echo >$here/up; read -r line <$here/go) & read -r line <$here/never || exec sleep 6073s"
  until_true [ -e up ]
  background stop daemonize --stop -P monitor
  until_true stopping
  [[ $output == "stopping: monitor $(cat monitor), 0 restarts, last killed by SIGTERM at "* ]]
  echo >go
  ends_with 0 "$stop"
}

stopping() {
  run timeout 60 daemonize --status -P monitor
  [ "$status" -eq 0 ] && [[ $output == stopping:* ]]
}

@test "a user who may not look into the monitor: --status has its pid, and PROG's where -p tells it" {
  need_root
  local as=(setpriv --reuid nobody --clear-groups)
  for_others "$IPCBOX" daemonize
  cd "$open_directory"
  "${as[@]}" ./daemonize --version || skip "nobody can't run a copy here"
  daemonized -p prog -P monitor sleep 6074s
  run -0 "${as[@]}" ./daemonize --status -p prog
  [ "$output" = "running: pid $(cat prog), monitor $(cat monitor)" ]
  run -0 "${as[@]}" ./daemonize --status -P monitor
  [ "$output" = "running: monitor $(cat monitor)" ]
  # who may not signal it is told that, not that it is no monitor
  for command in restart reload rotate stop; do
    run -111 "${as[@]}" ./daemonize "--$command" -P monitor
    [ "$output" = "daemonize: signal the holder of $PWD/monitor: Operation not permitted" ]
  done
  # a number in the file that is no child of the monitor's is not PROG
  local prog
  prog=$(cat prog)
  echo $$ >prog
  run -0 "${as[@]}" ./daemonize --status -p prog
  [ "$output" = "running: monitor $(cat monitor)" ]
  # root sees all of it
  run -0 ./daemonize --status -p prog
  [ "$output" = "running: pid $prog, monitor $(cat monitor), 0 restarts" ]
}

@test "PROG has nothing of what the monitor keeps for --status" {
  daemonized -P monitor --supervise -o fds ls -l /proc/self/fd
  until_line fds ' 2 -> '
  run -1 grep ipcbox-status fds
  ls -l "/proc/$(cat monitor)/fd" | grep 'ipcbox-status'
}
