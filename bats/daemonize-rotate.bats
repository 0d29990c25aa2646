# daemonize: rotation on request and what runs after it, times in the log, a log for stderr alone, and -o under copytruncate.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# writer ARG...: a daemon that writes what it reads from the FIFO `say`, line by line, and `err LINE` to stderr.
writer() {
  mkfifo say
  script writer "while read -r line; do case \$line in err*) echo \"\$line\" >&2 ;; *) echo \"\$line\" ;; esac; done <>'$here/say'"
  daemonized -P monitor -p prog "$@" ./writer
}

# say LINE FILE: PROG writes it, and it is in FILE.
say() {
  echo "$1" >say
  until_line "$2" "^$1$"
}

rotated() {
  refused 0 --rotate -P monitor
  until_true [ -e "$1" ]
}

# ---- --rotate ----

@test "--rotate rotates now, with and without --log-size; an empty log is left as it is" {
  writer --log log
  refused 0 --rotate -P monitor # nothing is in it
  say one log
  rotated log.1
  say two log
  rotated log.2
  [ "$(cat log.2)" = one ]
  [ "$(cat log.1)" = two ]
  [ ! -s log ]
  say three log
  [ ! -e log.3 ]
}

@test "--rotate waits for the end of the line that is being written" {
  mkfifo go
  daemonized -P monitor --log log sh -c "head -c 200000 /dev/zero | tr '\0' x; read -r line <'$here/go'; echo; exec sleep 6101s"
  until_true lines_of 100000 log
  refused 0 --rotate -P monitor
  echo >go
  until_true [ -e log.1 ]
  [ "$(wc -c <log.1)" -eq 200001 ]
}

# lines_of SIZE FILE: it is as large.
lines_of() {
  [ -e "$2" ] && [ "$(stat -c %s "$2")" -ge "$1" ]
}

@test "--rotate keeps --log-keep files; 0 truncates" {
  writer --log log --log-keep 0
  say one log
  refused 0 --rotate -P monitor
  until_true [ ! -s log ]
  [ "$(compgen -G 'log*')" = log ]
  say two log
}

@test "--rotate in the back-off works; without a log file, or a daemon, it is 1" {
  daemonized -P monitor -p prog --supervise --backoff 1h:1h --log log sh -c 'echo one'
  until_line log 'restart 1'
  rotated log.1
  refused 0 --stop -P monitor
  refused 1 --rotate -P monitor
  [ "$output" = "daemonize: rotate $here/monitor: not running" ]
  daemonized -P monitor sleep 6102s
  refused 1 --rotate -P monitor
  [ "$output" = "daemonize: rotate $here/monitor: the daemon has no log file" ]
  alive "$(cat monitor)"
}

@test "--rotate after one that has failed, and on a log that others have truncated" {
  writer --log log --log-keep 1
  say one log
  mkdir -p log.1/full
  refused 0 --rotate -P monitor
  until_line log "^daemonize: rotate $here/log: "
  rm -r log.1
  rotated log.1
  grep -qx one log.1
  rm log.1
  say two log
  : >log
  refused 0 --rotate -P monitor
  say three log
  [ ! -e log.1 ]
}

@test "--rotate and a HUP do not wait for a command of --on-exit" {
  mkfifo go
  daemonized -P monitor --supervise --hup reopen --backoff 1ms:1h --log log --on-exit "echo begun; read -r line <'$here/go'" true
  until_line log begun
  rotated log.1
  mv log log.old
  kill -HUP "$(cat monitor)"
  until_true [ -e log ]
  timeout 20 sh -c 'echo >go'
}

@test "--rotate under load: no line is lost or cut" {
  local n
  mkfifo go
  daemonized -P monitor --log log --log-keep 1000 sh -c "'$HELPERS/number-lines' 300000; read -r line <'$here/go'"
  until_true [ -s log ]
  for n in 1 2 3 4 5; do
    refused 0 --rotate -P monitor
  done
  until_true grep -qs ' 300000 of 300000$' log log.1
  echo >go
  until_true [ ! -e monitor ]
  [ -e log.1 ]
  cmp <(compgen -G 'log*' | sort -t. -k2,2nr | awk '/\./ {print; next} {last = $0} END {if (last) print last}' | xargs cat) \
    <(seq -f 'line %.0f of 300000' 300000)
}

# ---- --log-run ----

@test "--log-run gets each rotated file once, in order, as its stdin and in LOG_FILE" {
  writer --log log --log-run "echo \"\$LOG_FILE: \$(cat)\" >>'$here/runs'"
  say one log
  rotated log.1
  until_line runs one
  say two log
  rotated log.2
  until_line runs two
  [ "$(cat runs)" = "$here/log.1: one
$here/log.1: two" ]
}

@test "--log-run: never two at once, never in the pump's way; what was rotated meanwhile comes later, the oldest first" {
  mkfifo go
  writer --log log --log-run "echo \"begin \$LOG_FILE \$(cat)\" >>'$here/runs'; until read -r line <'$here/go'; do :; done; echo end >>'$here/runs'"
  say one log
  rotated log.1
  until_line runs '^begin'
  say two log
  rotated log.2
  say three log
  rotated log.3
  say four log
  [ "$(cat runs)" = "begin $here/log.1 one" ]
  echo >go
  until_true lines 3 runs
  echo >go
  until_true lines 5 runs
  echo >go
  until_true lines 6 runs
  [ "$(cat runs)" = "begin $here/log.1 one
end
begin $here/log.2 two
end
begin $here/log.1 three
end" ]
}

@test "--log-run: the log of stderr has its turn although that of stdout is rotated all the time" {
  mkfifo go
  writer --log log --err-log errors --log-run "echo \"\${LOG_FILE##*/} \$(cat)\" >>'$here/runs'; until read -r line <'$here/go'; do :; done"
  say one log
  rotated log.1
  until_true lines 1 runs
  say two log
  rotated log.2
  say 'err one' errors
  rotated errors.1
  say three log
  rotated log.3
  echo >go
  until_true lines 2 runs
  echo >go
  until_true lines 3 runs
  diff - runs <<<$'log.1 one\nerrors.1 err one\nlog.2 two'
  echo >go
}

@test "--log-run that hangs: lines and rotations go on, a restart and a stop do not wait for it, nor end it" {
  script prog.sh "echo \$\$ >>'$here/pids'; exec \"$HELPERS/number-lines\" 20000"
  daemonized -P monitor --supervise --backoff 1ms:1ms --log log --log-size 64k --log-keep 3 \
    --log-run "echo \$\$ >>'$here/runs'; exec sleep 6103s" ./prog.sh
  until_true lines 5 pids
  [ "$(wc -l <runs)" -eq 1 ]
  refused 0 --stop -P monitor
  alive "$(cat runs)"
}

@test "--log-run with --err-log alone: its output is there, too" {
  writer --err-log errors --log-run 'echo "ran for $LOG_FILE"'
  say 'err one' errors
  rotated errors.1
  until_line errors "^ran for $here/errors.1$"
}

@test "--log-run: a failure is reported" {
  writer --log log --log-run 'exit 9'
  say one log
  rotated log.1
  until_line log '^daemonize: --log-run exited with status 9$'
}

# ---- --log-time ----

@test "--log-time: each line begins with the time in UTC, in microseconds" {
  local before after
  before=$(date -u +%FT%T)
  daemonized -P monitor --log log --log-time sh -c "echo one; echo; printf 'tw'; sleep 0.1; echo o; exit 3"
  until_true [ ! -e monitor ]
  after=$(date -u +%FT%T.999999Z)
  [ "$(sed -E 's/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z /T /; s/[0-9]+ exited/PID exited/' log)" = "$(printf '%s\n' \
    'T one' 'T ' 'T two' 'T daemonize: PID exited with status 3; no restart')" ]
  while read -r time _; do
    [[ ! $time < $before && ! $time > $after ]]
  done <log
  [ "$(cut -c 1-27 log)" = "$(cut -c 1-27 log | sort)" ]
}

@test "--log-time: 200,000 lines under rotation, and lines longer than the buffer" {
  daemonized -P monitor --log log --log-time --log-size 1M --log-keep 100 "$HELPERS/number-lines" 200000
  until_true [ ! -e monitor ]
  cmp <(compgen -G 'log*' | sort -t. -k2,2nr | awk '/\./ {print; next} {last = $0} END {if (last) print last}' | xargs cat |
    cut -c 29-) <(seq -f 'line %.0f of 200000' 200000)
  rm log*
  { head -c 500000 /dev/zero | tr '\0' x; echo; printf '\n%.0s' {1..3000}; } >long
  daemonized -P monitor --log log --log-time cat "$here/long"
  until_true [ ! -e monitor ]
  cmp <(cut -c 29- log) long
}

# ---- --err-log ----

@test "--err-log: stderr apart; both are rotated, and the monitor's lines are in the log" {
  writer --log log --err-log errors
  say one log
  say 'err two' errors
  [ "$(cat log)" = one ]
  [ "$(cat errors)" = 'err two' ]
  rotated log.1
  until_true [ -e errors.1 ]
  kill -KILL "$(cat prog)"
  until_true [ ! -e monitor ]
  run -0 cat log
  [[ $output == *" was killed by SIGKILL; no restart" ]]
  [ ! -s errors ]
}

@test "--err-log alone, with -o, with --log-size; HUP opens both again" {
  writer -o out --err-log errors --log-size 20
  say one out
  say 'err a longer line' errors
  say 'err another one' errors
  until_true [ -e errors.1 ]
  mv errors moved
  kill -HUP "$(cat monitor)"
  until_true [ -e errors ]
  kill -KILL "$(cat prog)"
  until_true [ ! -e monitor ]
  grep -q 'was killed by SIGKILL; no restart' errors
}

@test "--err-log whose disk is full does not stop the log" {
  small_disk 65536 0
  writer --log log --err-log small/errors
  echo 'err lost' >say
  say one log
  refused 0 --stop -P monitor
  grep -q "^daemonize: [0-9]* bytes of output were lost $here/small/errors: No space left on device$" log
}

# is_of_size BYTES FILE
is_of_size() {
  [ "$(stat -c %s "$2")" -eq "$1" ]
}

@test "--rotate of a log that takes no more does not wait for the end of the line" {
  local keep
  for keep in 0 1; do
    rm -f log*
    (
      ulimit -f 8
      daemonized -P monitor --log log --log-keep "$keep" sh -c 'seq -f %040g 300; exec sleep 6096s'
    )
    until_true is_of_size 8192 log
    refused 0 --rotate -P monitor
    until_true grep -q '0300$' log
    cmp log <(seq -f %040g 300 | tail -c +8193)
    refused 0 --stop -P monitor
  done
  is_of_size 8192 log.1
}

@test "both logs on a full disk: each reports its own loss" {
  small_disk 65536 65536
  daemonized -P monitor --log small/log --err-log small/errors \
    sh -c "for i in \$(seq 400); do printf '%0200d\n' 0; printf '%0200d\n' 0 >&2; done; echo >'$here/done'; exec sleep 6115s"
  until_true [ -e done ]
  refused 0 --stop -P monitor
  local log errors
  log=$(tail -n 1 small/log) errors=$(tail -n 1 small/errors)
  [[ $log =~ ^daemonize:\ [0-9]+\ bytes\ of\ output\ were\ lost:\ No ]]
  [[ $errors =~ ^daemonize:\ [0-9]+\ bytes\ of\ output\ were\ lost:\ No ]]
}

@test "the logs must be different files; a log excludes -o and -e for its stream" {
  refused 100 -P monitor --log log --err-log ./log true
  [[ ${lines[0]} == "daemonize: -p, -P, -l and logs need different files: "* ]]
  refused 100 -P monitor --err-log log -e errors true
  refused 100 -P monitor --log-run true true
  [ "${lines[0]}" = "daemonize: --log-run needs --log" ]
}

# ---- -o ----

@test "-o: what is truncated by others has no NULs, with and without -a" {
  local flags
  for flags in '' -a; do
    rm -f say out
    # shellcheck disable=SC2086 # words
    writer -o out -e out $flags
    say one out
    cp out copy
    : >out # logrotate's copytruncate
    say two out
    [ "$(od -An -c out | tr -d ' ')" = 'two\n' ]
    refused 0 --stop -P monitor
  done
}

@test "--log-run is not run for a file that has gone, and that is reported" {
  mkfifo go
  writer --log log --log-keep 3 --log-run "echo \"\${LOG_FILE##*/}\" >>'$here/runs'; read -r line <'$here/go'"
  say one log
  rotated log.1
  until_line runs log.1
  say two log
  rotated log.2
  rm log.1
  echo >go
  until_line log "^daemonize: --log-run was not started: LOG_FILE=$here/log.1: No such file or directory$"
  [ "$(cat runs)" = log.1 ]
}
