# mkfifo-sig as a server: readiness, signals, logs, and what it costs.

load helper/mkfifo

setup() {
  mkfifo_setup
}

teardown() {
  server_teardown
}

@test "readiness: -1, --ready-fd" {
  start server mkfifo-sig sig ./counter
  [ "$server_at" = sig ]
  until_true [ "/proc/$server/fd/1" -ef /dev/null ] # closed, as it is after the line
  mkfifo ready
  mkfifo-sig --ready-fd 5 other ./counter 5>ready >out 2>other.err 3>&- </dev/null &
  started+=("$!")
  [ "$(od -An -tx1 <ready)" = " 0a" ]
  [ -p other ]
  kill -0 "$!"
  [ ! -s out ]
  run -111 --separate-stderr timeout --foreground 60 bash -c 'exec mkfifo-sig -1 third ./counter >/dev/full'
  [ "$stderr" = "mkfifo-sig: report readiness to stdout: No space left on device" ]
  [ ! -e third ]
}

@test "readiness: NOTIFY_SOCKET gets READY=1 and STOPPING=1, and is hidden from PROG" {
  background manager "$HELPERS/tell" -l notify
  until_line manager.out '^up$'
  script managed 'exec env NOTIFY_SOCKET="$PWD/notify" mkfifo-sig "$@"'
  start server ./managed sig sh -c 'echo "${NOTIFY_SOCKET-none}"'
  until_line manager.out '^READY=1$'
  answers none
  [ "$(cat manager.out)" = $'up\nREADY=1' ]
  finish "$server"
  [ "$status" -eq 0 ]
  until_line manager.out '^STOPPING=1$'
  [ "$(cat manager.out)" = $'up\nREADY=1\nSTOPPING=1' ]
  run -111 --separate-stderr timeout --foreground 60 env NOTIFY_SOCKET="$PWD/nobody" mkfifo-sig sig ./counter
  [ "$stderr" = "mkfifo-sig: report readiness to NOTIFY_SOCKET: No such file or directory" ]
  [ ! -e sig ]
}

# stopped_by SIGNAL STATUS: by that signal it ends so, while PROG runs and while it waits; FIFO and PROG are gone.
stopped_by() {
  local pid reader
  start server mkfifo-sig sig ./counter
  kill -"$1" "$server"
  ends_with "$2" "$server"
  [ ! -e sig ]
  start server mkfifo-sig sig sh -c 'echo said; echo "pid $$" >&2; exec sleep infinity'
  background reader cat sig
  until_line server.err '^pid'
  pid=$(sed -n 's/^pid //p' server.err)
  kill -"$1" "$server"
  ends_with "$2" "$server"
  [ ! -e sig ]
  gone "$pid"
  # the reader is not left behind
  ends_with 0 "$reader"
}

@test "a FIFO may get the inode of one that another server has just removed" {
  need strace strace
  script slow 'exec strace -D -qq -o trace -e trace=close -e inject=close:delay_exit=200000 mkfifo-sig "$@"'
  touch new{1..9}.{out,err}
  start server ./slow sig ./counter
  kill -TERM "$server"
  until_true test ! -e sig
  local n name
  for n in {1..9}; do
    background "new$n" mkfifo-sig "fifo$n" ./counter
  done
  for n in {1..9}; do
    name=new$n
    until_true fifo_or_end "fifo$n" "${!name}"
    [ -p "fifo$n" ]
  done
  ends_with 0 "$server"
}

# fifo_or_end FIFO PID
fifo_or_end() {
  [ -p "$1" ] || ! kill -0 "$2" 2>/dev/null
}

@test "TERM: FIFO and PROG are gone, status 0" {
  stopped_by TERM 0
}

@test "INT, HUP, QUIT: it dies of them, FIFO and PROG are gone" {
  ulimit -c 0
  stopped_by INT 130
  stopped_by HUP 129
  stopped_by QUIT 131
}

@test "TERM reaches a PROG that ignores it by KILL" {
  mkfifo go
  start server mkfifo-sig sig sh -c 'trap "" TERM; echo "pid $$" >&2; while :; do read -r line <>go; done'
  background reader cat sig
  until_line server.err '^pid'
  finish "$server"
  [ "$status" -eq 0 ]
  gone "$(sed -n 's/^pid //p' server.err)"
}

# events FILE: its lines, each an object, as "applet event key=value..." (without time and pid, which must be there).
events() {
  perl -MJSON::PP -ne 'my $o = decode_json $_; my ($ts, $pid) = delete @$o{qw(ts pid)}; $ts && $pid or die;
    print join(" ", delete $o->{applet}, delete $o->{event}, map { "$_=$o->{$_}" } sort keys %$o), "\n"' "$1"
}

@test "--log-format=json: every line is an object" {
  need_perl JSON::PP
  script prog 'exit 3'
  start server mkfifo-sig -v --log-format=json sig ./prog
  answers ""
  until_line server.err '"event":"answer"'
  mv prog away
  answers ""
  until_line server.err '"action":"exec"'
  finish "$server"
  run -0 events server.err
  [[ $output == *"mkfifo-sig answer number=1 outcome=read"* ]]
  [[ $output == *"mkfifo-sig error action=run object=./prog reason=exit status 3"* ]]
  [[ $output =~ "mkfifo-sig end child="[0-9]+" exit=3 signal=0"$'\n' ]]
  [[ $output == *"mkfifo-sig error action=exec object=./prog reason=No such file or directory"* ]]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig --log-format=json $'no\n"dir"\xff/sig' ./away
  [ "${#stderr_lines[@]}" -eq 1 ]
  echo "$stderr" >line
  run -0 events line
  [[ $output == "mkfifo-sig error "*"object=no"*"No such file or directory"* ]]
}

@test "--log-format=json: an end by a signal, and an answer that is cut off" {
  need_perl JSON::PP
  start server mkfifo-sig -v --log-format=json sig sh -c 'echo one; kill -KILL $$'
  answers one
  until_line server.err '"event":"answer"'
  finish "$server"
  run -0 events server.err
  [[ $output =~ "mkfifo-sig end child="[0-9]+" exit=137 signal=9"$'\n' ]]
  start server mkfifo-sig -v -t 300ms --log-format=json sig sleep 600s
  answers ""
  until_line server.err '"outcome":"cut"'
  finish "$server"
}

# switches PID: how often it has slept and been woken.
switches() {
  grep ctxt_switches "/proc/$1/status"
}

# idle PID: for half a second it does nothing.
idle() {
  local before
  before=$(switches "$1")
  read -rt 0.5 <> <(:) || :
  [ "$(switches "$1")" = "$before" ]
}

# bats test_tags=long
@test "it does nothing while nothing happens: no reader, PROG silent, a reader that does not read, one that stays" {
  mkfifo go go2
  start server mkfifo-sig --linger 1h sig sh -c './counter; read -r line <go; echo "$line"'
  until_true idle "$server"
  background reader sh -c 'exec 5<sig; read -r line <go2; cat <&5 >/dev/null; echo end >&2; exec sleep infinity'
  until_true test -s count
  until_true idle "$server"
  echo line >go
  until_true no_children "$server"
  until_true idle "$server"
  echo line >go2
  until_line reader.err end
  until_true idle "$server"
  [ "$(cat count)" = 1 ]
}

# bats test_tags=long
@test "300 readers, and 30 new FIFOs, cost no file descriptor and no child" {
  start server mkfifo-sig sig ./counter
  answers "answer 1"
  until_true idle "$server"
  local before n
  before=$(fd_count "$server")
  for n in $(seq 2 300); do
    answers "answer $n"
  done
  for n in $(seq 301 330); do
    rm sig
    until_true test -p sig
    answers "answer $n"
  done
  until_true idle "$server"
  [ "$(fd_count "$server")" -eq "$before" ]
  no_children "$server"
}
