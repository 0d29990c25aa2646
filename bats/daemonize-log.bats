# daemonize --log: what PROG says, whole, by line, in files that are rotated.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# logged LINES ARG...: a daemon with the log `log` that writes so many numbered lines, to its end.
logged() {
  daemonized -P monitor --log log "${@:2}" "$HELPERS/number-lines" "$1"
  until_true [ ! -e monitor ]
}

# joined: the log's files, the oldest first.
joined() {
  compgen -G 'log*' | sort -t. -k2,2nr | awk '/\./ {print; next} {last = $0} END {if (last) print last}' | xargs cat
}

numbered() {
  seq -f "line %.0f of $1" "${2:-1}" "$1"
}

# in_whole_lines FILE...: each ends with a newline.
in_whole_lines() {
  local file
  for file in "$@"; do
    [ -s "$file" ]
    [ "$(tail -c 1 "$file" | od -An -tx1)" = ' 0a' ]
  done
}

# not_larger SIZE FILE...
not_larger() {
  local file
  for file in "${@:2}"; do
    [ "$(stat -c %s "$file")" -le "$1" ]
  done
}

# ---- lines and files ----

@test "stdout and stderr go to the log, in their order, and PROG has no other output" {
  daemonized -P monitor --log log sh -c 'echo 1; echo 2 >&2; echo 3; printf 4; printf " and more\n" >&2'
  until_true [ ! -e monitor ]
  [ "$(cat log)" = $'1\n2\n3\n4 and more' ]
  in_whole_lines log
}

@test "the log is appended to; a last line without an end is written too" {
  echo old >log
  daemonized -P monitor --log log printf 'new\nhalf'
  until_true [ ! -e monitor ]
  [ "$(od -c -An log | tr -d ' ')" = "$(printf 'old\nnew\nhalf' | od -c -An | tr -d ' ')" ]
}

@test "a log that can't be opened is 111, and PROG is not started" {
  refused 111 --log nowhere/log touch ran
  [ "$output" = "daemonize: $here/nowhere: No such file or directory" ]
  mkdir directory
  refused 111 --log directory --log-size 1k touch ran
  [ ! -e ran ]
}

@test "a line appears while PROG runs, and an unfinished line does not hold it back" {
  daemonized --log log -p prog sh -c 'echo whole; printf half; exec sleep 6040s'
  until_line log '^whole$'
  alive "$(cat prog)"
  refused 0 --stop -p prog
  [ "$(cat log)" = $'whole\nhalf' ]
}

@test "200,000 lines under rotation: none lost, none cut, no file too large" {
  logged 200000 --log-size 64k --log-keep 1000
  cmp <(joined) <(numbered 200000)
  in_whole_lines log*
  not_larger 65536 log*
  [ "$(compgen -G 'log*' | wc -l)" -gt 60 ]
}

@test "without --log-size the log is one file" {
  logged 200000
  cmp log <(numbered 200000)
  [ "$(compgen -G 'log*')" = log ]
}

@test "--log-keep: so many rotated files stay, and they are the last" {
  local first
  logged 20000 --log-size 10k --log-keep 2
  [ "$(compgen -G 'log*' | sort | paste -sd ' ')" = "log log.1 log.2" ]
  read -r _ first _ < <(joined)
  ((first > 18000))
  cmp <(joined) <(numbered 20000 "$first")
  not_larger 10240 log*
  in_whole_lines log*
}

@test "without --log-keep five stay" {
  logged 20000 --log-size 10k
  [ "$(compgen -G 'log*' | sort | paste -sd ' ')" = "log log.1 log.2 log.3 log.4 log.5" ]
}

@test "--log-keep 0: the file starts afresh" {
  local first
  logged 20000 --log-size 10k --log-keep 0
  [ "$(compgen -G 'log*')" = log ]
  read -r _ first _ <log
  ((first > 19000))
  cmp log <(numbered 20000 "$first")
  not_larger 10240 log
}

@test "a log that is near its size already is rotated before the first line" {
  head -c 1000 /dev/zero | tr '\0' x >log
  echo >>log
  daemonized -P monitor --log log --log-size 1k sh -c 'echo this one is too much for it'
  until_true [ ! -e monitor ]
  [ "$(wc -c <log.1)" -eq 1001 ]
  [ "$(cat log)" = "this one is too much for it" ]
}

@test "lines that are longer than --log-size, or than anything, are whole" {
  {
    echo short
    head -c 5000 /dev/zero | tr '\0' x
    echo
    head -c 300000 /dev/zero | tr '\0' y
    printf '\nend\n'
  } >long
  daemonized -P monitor --log log --log-size 1k --log-keep 10 \
    cat "$here/long"
  until_true [ ! -e monitor ]
  [ "$(joined | wc -l)" -eq 4 ]
  cmp <(joined) long
  in_whole_lines log*
}

@test "--log-size is kept across PROG's restarts" {
  daemonized -P monitor -p prog -q --log log --log-size 50 --log-keep 9 --supervise --backoff 1ms:1ms \
    sh -c 'echo this run has a line of forty bytes in all'
  until_true [ -e log.9 ]
  refused 0 --stop -P monitor
  not_larger 50 log*
  in_whole_lines log*
  [ "$(sort -u log*)" = "this run has a line of forty bytes in all" ]
}

# ---- HUP ----

# moved N: what logrotate does.
moved() {
  mv log "log.$1"
  kill -HUP "$(cat monitor)"
  until_true [ -e log ]
}

@test "HUP opens the log again after a mv, and no line is lost under load" {
  local round
  # stops when told to
  daemonized -P monitor -p prog --log log bash -c '
    trap hup=1 HUP; trap stop=1 TERM
    until [ -n "$stop" ]; do echo "line $((++n))"; done; echo "end $hup"'
  local prog
  prog=$(cat prog)
  for round in {30..1}; do
    until_true [ -s log ]
    moved "$round"
  done
  refused 0 --stop -P monitor
  local count
  count=$(($(joined | wc -l) - 1))
  ((count > 30))
  # PROG itself got no HUP
  cmp <(joined) <(seq -f 'line %.0f' "$count"; echo 'end ')
  in_whole_lines log*
}

@test "HUP: what was written before it belongs to the old file" {
  mkfifo go
  daemonized -P monitor --log log sh -c "echo before; read -r line <$here/go; echo after; exec sleep 6041s"
  until_line log before
  moved 1
  echo now >go
  until_line log after
  [ "$(cat log.1)" = before ]
  [ "$(cat log)" = after ]
}

@test "HUP when the log cannot be reopened: reported in the old one, which stays in use" {
  mkdir logs
  mkfifo go
  daemonized -P monitor --log logs/log sh -c "echo before; read -r line <$here/go; echo after; exec sleep 6042s"
  until_line logs/log before
  mv logs old
  kill -HUP "$(cat monitor)"
  until_line old/log "^daemonize: open $here/logs/log: No such file or directory$"
  echo now >go
  until_line old/log '^after$'
  mkdir logs
  kill -HUP "$(cat monitor)"
  until_true [ -e logs/log ]
}

@test "--hup reopen with --supervise: the log is opened again, and PROG stays; --hup forward: PROG gets it" {
  noting -P monitor -p prog --log log --supervise --hup reopen
  local prog
  prog=$(cat prog)
  moved 1
  [ "$(cat prog)" = "$prog" ]
  refused 0 --stop -P monitor
  [ "$(cat noted)" = "$prog start
$prog TERM" ]
  rm noted log*
  noting -P monitor -p prog --log log --hup forward
  prog=$(cat prog)
  mv log log.1
  kill -HUP "$(cat monitor)"
  until_line noted "^$prog HUP$"
  [ ! -e log ]
}

@test "--hup restart with --log: PROG is started again, and the log opened again" {
  noting -P monitor -p prog --log log --hup restart
  local prog
  prog=$(cat prog)
  moved 1
  until_true other prog "$prog"
  until_true lines 3 noted
  [ "$(cat noted)" = "$prog start
$prog TERM
$(cat prog) start" ]
}

# ---- a full disk ----

# full: nothing more goes in.
full() {
  [ "$(df --output=avail small | tail -n 1)" -eq 0 ]
}

@test "a full disk: PROG waits, goes on when there is room, and no line is lost" {
  small_disk 1048576 32768
  daemonized -P monitor -p prog --log small/log "$HELPERS/number-lines" 20000 "$here/waits"
  local prog
  prog=$(cat prog)
  until_true [ -e waits ]
  full
  [ ! -e waits.end ]
  alive "$prog"
  rm small/ballast
  until_true [ ! -e monitor ]
  [ -e waits.end ]
  cmp small/log <(numbered 20000)
}

@test "a full disk, --foreground: lost output is counted and reported at the end" {
  small_disk 131072 32768
  background monitor daemonize --foreground -p prog --log small/log "$HELPERS/number-lines" 20000 "$here/waits"
  until_true [ -e waits ]
  full
  local written lost
  kill -TERM "$monitor"
  ends_with 0 "$monitor"
  run -0 cat monitor.err
  [[ $output == "daemonize: "*" bytes of output were lost $here/small/log: No space left on device" ]]
  lost=$(tr -dc '0-9 ' <<<"${output%% bytes*}")
  [ "$(wc -l <monitor.err)" -eq 1 ]
  written=$(stat -c %s small/log)
  # PROG's last write may have been cut by its end; else all that it has written is there or counted
  ((lost > 0 && written > 0 && written + lost <= $(numbered 20000 | wc -c)))
  cmp -n "$written" small/log <(numbered 20000)
}

@test "a full disk, in the background: lost output is counted and reported in the log" {
  small_disk 131072 32768
  daemonized -P monitor -p prog --log small/log "$HELPERS/number-lines" 20000 "$here/waits"
  local monitor prog
  monitor=$(cat monitor) prog=$(cat prog)
  until_true [ -e waits ]
  full
  kill -KILL "$prog"
  until_true ended "$monitor"
  [ ! -e monitor ]
  run -0 tail -n 1 small/log
  [[ $output =~ ^daemonize:\ [0-9]+\ bytes\ of\ output\ were\ lost ]]
}

@test "a full disk: TERM stops the daemon although output waits for room" {
  small_disk 131072 32768
  daemonized -P monitor -p prog --log small/log "$HELPERS/number-lines" 20000 "$here/waits"
  until_true [ -e waits ]
  refused 0 --stop -P monitor
  [ ! -e monitor ]
  [ ! -e prog ]
  in_whole_lines small/log || cmp -n "$(stat -c %s small/log)" small/log <(numbered 20000)
}

@test "a full disk can't be rotated away: the log's files are whole and in order once there is room" {
  small_disk 1048576 32768
  daemonized -P monitor --log small/log --log-size 20k --log-keep 100 "$HELPERS/number-lines" 20000 "$here/waits"
  until_true [ -e waits ]
  rm small/ballast
  until_true [ ! -e monitor ]
  cd small
  cmp <(joined) <(numbered 20000)
  in_whole_lines log*
  not_larger 20480 log*
}

# ---- a log that takes nothing ----

@test "RLIMIT_FSIZE: PROG and the monitor live on, without a busy loop, --stop works, and the loss is reported" {
  (
    ulimit -f 8
    daemonized -P monitor -p prog --log log "$HELPERS/number-lines" 20000 "$here/waits"
  )
  until_true [ -e waits ]
  alive "$(cat prog)"
  idle "$(cat monitor)"
  refused 0 --stop -P monitor
  [ ! -e prog ]
  run -0 tail -n 1 log
  [[ $output =~ ^daemonize:\ [0-9]+\ bytes\ of\ output\ were\ lost:\ File\ too\ large$ ]]
}

@test "a FIFO whose reader has stopped reading: the commands work, and PROG goes on when it reads again" {
  local reader
  mkfifo log
  exec {reader}<>log
  daemonized -P monitor -p prog --log log "$HELPERS/number-lines" 30000 "$here/waits"
  until_true [ -e waits ]
  alive "$(cat prog)"
  idle "$(cat monitor)"
  says 0 prog
  head -n 30000 <&"$reader" >got
  until_true [ ! -e monitor ]
  cmp got <(numbered 30000)
  rm waits
  daemonized -P monitor --log log "$HELPERS/number-lines" 30000 "$here/waits"
  until_true [ -e waits ]
  refused 0 --stop -t 20 -P monitor
  exec {reader}<&-
}

# ---- what the monitor says ----

@test "what the monitor has to say later goes to the log, between PROG's lines" {
  # it goes while it runs, not while sh has still to open it
  mkfifo go
  script prog "echo run; read -r line <'$here/go'"
  daemonized -P monitor --log log --supervise --backoff 20ms:20ms ./prog
  until_line log run
  rm prog
  echo >go
  until_line log "^daemonize: exec ./prog: No such file or directory$"
  run -1 grep -vE '^(run|daemonize: exec ./prog: No such file or directory|daemonize: [^ ]+ (exited with|could not be) .*)$' log
  # it goes on trying
  script prog 'echo new run'
  until_line log '^new run$'
}
