# `ipcbox status`: tables on a terminal, and --watch.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  teardown_with_programs
}

# at_columns N COMMAND...: at a terminal of that width.
at_columns() {
  timeout --foreground 60 at-terminal -- sh -c 'stty cols "$1" rows 50 && shift && exec "$@"' '' "$@" 3>&- </dev/null
}

@test "on a terminal: tables, whose columns are aligned; with --json, the objects" {
  start server tcpserver 127.0.0.1 0 cat
  at_columns 500 "$IPCBOX" status >shown
  grep -qE '^PID +USER +APPLET +AGE +STATE +COMMAND$' shown
  local head row
  head=$(grep -m 1 '^PID ' shown)
  row=$(grep -m 1 "^$server " shown)
  [[ $row == *tcpserver*"limit 40"*"tcpserver -1 127.0.0.1 0 cat"* ]]
  local before=${head%%COMMAND*}
  [ "${row:${#before}:9}" = "tcpserver" ]
  grep -qE "^$server +tcpserver +tcp +127\.0\.0\.1:$server_at +0$" shown
  at_columns 500 "$IPCBOX" status --json >shown
  json-values type <shown >values
  grep -qx process values
}

@test "lines are cut to the width of the terminal, and what stands in names cannot move the cursor" {
  background server reap tail -f /dev/null $'\e[2J\n\rx' "$(printf 'ä日%.0s' {1..100})"
  until_true eval '[[ $(readlink /proc/'"$server"'/exe) == "$IPCBOX" ]]'
  local n line
  for n in 80 40 21; do
    at_columns "$n" "$IPCBOX" status >shown
    run ! grep -q $'\e' shown
    run ! grep -qE "^.{$((2 * n + 1)),}$" shown # bytes, of which a wide character has three for two columns
    grep -q "^$server " shown
  done
  at_columns 300 "$IPCBOX" status >shown
  grep -qF 'reap tail -f /dev/null \x1b[2J\n\rx ä日ä日' shown
  need perl perl
  perl -CS -ne 'chomp; my $w = 0; $w += ord > 0x2e00 ? 2 : 1 for split //; exit 1 if $w > 300' <shown
}

@test "--watch at a terminal draws again, and leaves it as it was; so does Ctrl-C" {
  background one reap tail -f /dev/null
  run timeout --foreground 60 at-terminal 'PID .*USER' '' 'PID .*USER' '\cC' -- \
    sh -c 'stty cols 100 rows 10; "$0" status --watch=100ms; echo "status $?"; stty -a | grep -o " -*echo "' "$IPCBOX" 3>&-
  [[ $output == *$'\e[?1049h\e[?25l\e[H'* ]]
  [[ $output == *$'\e[J'*$'\e[?25h\e[?1049l'* ]]
  [[ $output == *$'\nstatus 130'* || $status -eq 130 ]]
}

@test "--watch: Ctrl-Z gives the terminal back to the shell, and fg draws again" {
  background one reap tail -f /dev/null
  PS1='ready> ' run -0 timeout --foreground 60 at-terminal 'ready> ' '"$IPCBOX" status --watch=1h\n' 'PID .*USER' '\cZ' \
    'Stopped.*\r\n(.*\r\n)?ready> ' 'fg\n' 'PID .*USER' '\cC' 'ready> ' 'echo s=$?; exit 0\n' -- \
    bash --norc --noediting -i 3>&-
  [[ $output == *$'\e[?1049h'*$'\e[?1049l'*Stopped*$'\e[?1049h'*$'\e[?1049l'*s=130* ]]
}

@test "--watch is drawn again when the terminal changes its size, and no higher than it is" {
  background one reap tail -f /dev/null
  run timeout --foreground 60 at-terminal 'PID .*USER' 'x\n' 'PID .*USER' '\cC' -- \
    bash -c 'stty cols 100 rows 4; { read -r _ </dev/tty; stty rows 5 </dev/tty; } & exec "$0" status --watch=1h' "$IPCBOX" 3>&-
  [ "$status" -eq 130 ]
  # of the first drawing, 4 lines: 3 line ends
  local first=${output#*$'\e[H'}
  first=${first%%$'\e[J'*}
  [ "$(grep -c . <<<"$first")" -le 4 ]
}

@test "--watch elsewhere: a snapshot each time; TERM ends it, and so does a reader that has left" {
  background watcher "$IPCBOX" status --watch=50ms
  until_true eval '[ "$(grep -c "\"type\":\"snapshot\"" watcher.out)" -ge 3 ]'
  finish "$watcher"
  [ "$status" -eq 0 ]
  json-values type <watcher.out >values
  [ "$(tail -n 1 values)" = unseen ]
  mkfifo out
  "$IPCBOX" status --watch=50ms >out 2>err 3>&- &
  watcher=$!
  started+=("$watcher")
  head -n 1 out >/dev/null
  status=0
  wait "$watcher" || status=$?
  [ "$status" -eq 111 ]
  grep -q 'status: write stdout: Broken pipe' err
}

@test "--watch to a reader who does not read ends within a second at TERM" {
  mkfifo out
  exec {held}<>out
  "$IPCBOX" status --watch=10ms >out 3>&- &
  local watcher=$!
  started+=("$watcher")
  until_true idle "$watcher"
  finish "$watcher"
  [ "$status" -eq 0 ]
}
