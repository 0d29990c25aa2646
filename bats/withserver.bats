# withserver: when SERVER is ready, and what CLIENT and SERVER inherit. The exit status and termination:
# withserver-life.bats.

load helper/launch

setup() {
  launch_setup
  # a SERVER that is ready at once, and notes its pid
  forever='echo "server $$" >>log; echo 7; exec sleep infinity'
  # one that never is
  never='echo "server $$" >>log; exec sleep infinity'
}

teardown() {
  launch_teardown
}

# ---- ready with its first line ----

@test "a port: CLIENT has it in its words and its environment" {
  run -0 with_server tcpserver -1 127.0.0.1 0 tr a-z A-Z ::: tcpclient 127.0.0.1 '{PORT}' <<<hello
  [ "$output" = HELLO ]
  run -0 with_server sh -c "$forever" ::: sh -c 'echo "{PORT}{PORT} {SOCKET} {port} $PORT ${SOCKET-none} $1"' '' 'at {PORT}'
  [ "$output" = "77 {SOCKET} {port} 7 none at 7" ]
}

@test "a path or an abstract name: CLIENT has it as SOCKET" {
  local name="@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER" path
  for path in "$name" "$PWD/sock" 'a{PORT} sock'; do
    run -0 with_server unixserver -1 "$path" tr a-z A-Z ::: unixclient '{SOCKET}' <<<hello
    [ "$output" = HELLO ]
    run -0 with_server unixserver -1 "$path" cat ::: sh -c 'echo "<$PORT> <$SOCKET> $1"' '' '{PORT}-{SOCKET}'
    [ "$output" = "<> <$path> {PORT}-$path" ]
  done
}

@test "PORT and SOCKET of an outer withserver are not passed to CLIENT" {
  PORT=1 SOCKET=/old run -0 with_server sh -c "$forever" ::: sh -c 'echo "$PORT ${SOCKET-none}"'
  [ "$output" = "7 none" ]
}

@test "perl programs: their clients and our servers, our clients and their servers" {
  run -0 with_server tcpserver -1 127.0.0.1 0 tr a-z A-Z ::: "$PERL/tcp-client" 127.0.0.1 '{PORT}' hello you
  [ "$output" = $'HELLO\nYOU' ]
  run -0 with_server unixserver -1 sock tr a-z A-Z ::: "$PERL/unix-client" '{SOCKET}' hello
  [ "$output" = HELLO ]
  run -0 with_server "$PERL/line-server" -f 0 ::: tcpclient 127.0.0.1 '{PORT}' <<<hello
  [ "$output" = "you said: hello" ]
  run -0 with_server "$PERL/line-server" sock ::: unixclient '{SOCKET}' <<<hello
  [ "$output" = "you said: hello" ]
}

@test "a first line that is neither port nor socket is 111, and control characters in it are escaped" {
  local line
  for line in '' 0 65536 80x ' 80' '80 ' -1 no-such-path . '\033[1m\r' '8\0009'; do
    : >log
    run -111 with_server sh -c "echo \"server \$\$\" >>log; printf -- '$line\n'; exec sleep infinity" ::: touch ran
    [[ $output == "withserver: start sh: SERVER's first line is neither a port nor the path of a socket"* ]]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output != *$'\e'* ]]
    all_gone log
  done
  [ ! -e ran ]
}

@test "a first line that is too long, has no newline, or never comes is 111" {
  local what
  for what in "printf '7%.0s' {1..600}; echo; exec sleep infinity" 'printf 7; exec >&-; exec sleep infinity'; do
    run -111 with_server bash -c "$what" ::: touch ran
    [[ ${lines[-1]} == "withserver: start bash: SERVER's first line is too long or has no newline: 7"* ]]
  done
  run -111 with_server sh -c 'exec >&-; exec sleep infinity' ::: touch ran
  [ "$output" = "withserver: start sh: SERVER closed its stdout" ]
  [ ! -e ran ]
}

@test "only the first line is waited for, in whatever pieces it arrives" {
  mkfifo go
  run -0 --separate-stderr with_server sh -c 'printf 1; printf 2; printf "34\n56"; read -r _ <go; exec sleep infinity' ::: \
    sh -c 'echo $PORT; echo >go'
  [ "$output" = 1234 ]
  [ "$stderr" = 56 ]
}

# ---- ready in other ways ----

@test "--port: SERVER is ready when that port answers" {
  local port
  port=$(free_port)
  run -0 with_server --port="$port" peer -p "$port" 127.0.0.1 accept sh 'read -r line; echo "you said: $line"' close again ::: \
    tcpclient 127.0.0.1 '{PORT}' <<<hello
  [ "${lines[-1]}" = "you said: hello" ]
  run -0 with_server --port="$port" tcpserver 0 "$port" cat ::: sh -c 'echo "$PORT <$SOCKET>"'
  [ "$output" = "$port <>" ]
}

@test "--port: of a SERVER that listens on ::1 only" {
  need_ipv6
  local port
  port=$(free_port)
  run -0 with_server -r 20 --port="$port" tcpserver ::1 "$port" echo six ::: tcpclient ::1 '{PORT}' </dev/null
  [ "$output" = six ]
}

@test "--port: python's web server" {
  need python3 python3
  local port
  port=$(free_port)
  echo contents >file
  run -0 --separate-stderr with_server --port="$port" python3 -m http.server --bind 127.0.0.1 "$port" ::: \
    webget -b http://127.0.0.1:'{PORT}'/file
  [ "$output" = contents ]
  [[ $stderr == *'"GET /file '* ]]
}

@test "--port: socat" {
  need socat socat
  local port
  port=$(free_port)
  run -0 with_server --port="$port" socat -t 60 "TCP4-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" EXEC:cat ::: \
    tcpclient 127.0.0.1 '{PORT}' <<<hello
  [ "$output" = hello ]
}

@test "--socket: SERVER is ready when that socket answers, and a dead socket is not taken for it" {
  run -0 with_server --socket=sock peer sock accept sh cat close again ::: unixclient '{SOCKET}' <<<hello
  [ "${lines[-1]}" = hello ]
  rm -f sock
  start dead unixserver sock cat
  kill -KILL "$dead"
  ends_with 137 "$dead"
  run -0 with_server --socket=sock unixserver sock cat ::: sh -c 'unixclient "$SOCKET"; echo "<$PORT>"' <<<hello
  [ "$output" = $'hello\n<>' ]
}

@test "--port, --socket: another server that answers there is an error" {
  start server tcpserver 127.0.0.1 0 cat
  run -111 with_server --port="$server_at" touch ran ::: touch ran
  [ "$output" = "withserver: start touch: another server already answers at that port" ]
  start other unixserver sock cat
  run -111 with_server --socket=sock touch ran ::: touch ran
  [ "$output" = "withserver: start touch: another server already answers at that socket" ]
  [ ! -e ran ]
}

@test "--notify: SERVER is ready when it sends READY=1 to NOTIFY_SOCKET, CLIENT has the manager's" {
  script server 'for state in STATUS=READY=1 READY=0 $'"'XREADY=1\\nREADY=11' '' \$'STATUS=soon\\nREADY=1\\n'"'; do
    echo "$state" >>order
    tell "$state"
  done
  mapfile -t many < <(yes STATUS=on | head -n 500)
  tell "${many[@]}"
  exec sleep infinity'
  NOTIFY_SOCKET=/managers run -0 with_server --notify --port=5 --socket=@x ./server ::: \
    sh -c 'grep -c "^STATUS=soon" order; echo "$NOTIFY_SOCKET {PORT} $SOCKET"'
  [ "${lines[0]}" = 1 ]
  [ "${lines[1]}" = "/managers 5 @x" ]
}

@test "--notify: tcpserver, unixserver and systemd-notify" {
  local port
  port=$(free_port)
  run -0 with_server --notify --port="$port" tcpserver 127.0.0.1 "$port" echo here ::: tcpclient 127.0.0.1 '{PORT}' </dev/null
  [ "$output" = here ]
  run -0 with_server --notify unixserver sock echo here ::: unixclient sock </dev/null
  [ "$output" = here ]
  need systemd-notify systemd
  # it waits until its message has been taken
  run -0 with_server --notify sh -c 'systemd-notify --ready --status=up; : >took; exec sleep infinity' ::: waitfor file took
  [ -z "$output" ]
}

@test "--notify: a message of another user does not count, except from SERVER and its descendants" {
  need_root
  local other
  other=$(id -u nobody)
  # sleep does not wait for it: it stays, as a zombie, so that its parent can be looked up
  script say "until [ \"\$(cat /proc/\$PPID/comm)\" = sleep ]; do read -rt 0.01 <> <(:); done; exec tell -u $other READY=1"
  run -4 with_server --notify sh -c "./say & exec sleep infinity" ::: sh -c 'exit 4'
  run -4 with_server --notify sh -c "setsid -w tell -b -u $other READY=1; exec sleep infinity" ::: sh -c 'exit 4'
  script stranger "until [ -s socket ]; do read -rt 0.01 <> <(:) || :; done
    NOTIFY_SOCKET=\$(cat socket) tell -u $other READY=1 && echo said >said"
  script asked 'rm -f socket; ./stranger & withserver "$@" || status=$?; wait $!; exit $status'
  with_time said -124 ./asked -t 100 -r @T@ --notify sh -c \
    'echo $NOTIFY_SOCKET >new; mv new socket; exec sleep infinity' ::: touch ran
  [ ! -e ran ]
}

# ---- not ready ----

@test "a SERVER that exits early is 111 at once with a reason, whatever is waited for" {
  local how port
  port=$(free_port)
  SECONDS=0
  for how in '' "--port=$port" --socket=sock --notify; do
    # shellcheck disable=SC2086 # none, or one
    run -111 with_server $how sh -c 'exit 3' ::: touch ran
    [ "$output" = "withserver: start sh: SERVER exited with status 3 before it was ready" ]
    # shellcheck disable=SC2086
    run -111 with_server $how sh -c 'exit 0' ::: touch ran
    [ "$output" = "withserver: start sh: SERVER exited with status 0 before it was ready" ]
    # shellcheck disable=SC2086
    run -111 with_server $how sh -c 'kill -KILL $$' ::: touch ran
    [ "$output" = "withserver: start sh: SERVER was killed by SIGKILL before it was ready" ]
  done
  ((SECONDS < 30))
  [ ! -e ran ]
}

@test "-r and -t: a SERVER that is never ready is terminated: 124, one line, and no process is left" {
  local how limit port
  port=$(free_port)
  for how in '' "--port=$port" --socket=sock --notify; do
    for limit in -r -t; do
      # shellcheck disable=SC2086 # none, or one
      with_time log -124 with_server $limit @T@ $how sh -c "$never" ::: touch ran
      [ "$output" = "withserver: start sh: SERVER was not ready in time" ]
      all_gone log
    done
  done
  [ ! -e ran ]
}

@test "a SERVER that is not ready after 5 s: one message says what is missing, none with -q" {
  local how port
  port=$(free_port)
  mkfifo go
  exec 8<>go
  background quiet withserver -q sh -c 'read -r line <go; echo 7; exec sleep infinity' ::: true
  background line withserver sh -c 'printf 7; read -r line <go; echo; exec sleep infinity' ::: true
  background by_port withserver --port="$port" sh -c "read -r line <go; exec tcpserver 127.0.0.1 $port cat" ::: true
  background by_socket withserver --socket=sock sh -c 'read -r line <go; exec unixserver sock cat' ::: true
  background notify withserver --notify sh -c 'read -r line <go; tell READY=1; exec sleep infinity' ::: true
  for how in line by_port by_socket notify; do
    until_line "$how.err" .
  done
  printf '\n\n\n\n\n' >&8
  for how in "$line" "$by_port" "$by_socket" "$notify" "$quiet"; do
    ends_with 0 "$how"
  done
  [ "$(cat line.err)" = "withserver: wait for sh: it has printed no line yet; expected its port or the path of its socket \
(servers of ipcbox print it with -1); or use --port, --socket or --notify" ]
  [ "$(cat by_port.err)" = "withserver: wait for sh: its port does not answer yet" ]
  [ "$(cat by_socket.err)" = "withserver: wait for sh: its socket does not answer yet" ]
  [ "$(cat notify.err)" = "withserver: wait for sh: it has not sent READY=1 to NOTIFY_SOCKET yet" ]
  [ ! -s quiet.err ]
}

# ---- CLIENT and SERVER ----

@test "SERVER's arguments end at the first separator: CLIENT may be another withserver" {
  run -0 with_server tcpserver -1 127.0.0.1 0 echo tcp ::: withserver unixserver -1 sock echo unix ::: \
    sh -c 'tcpclient 127.0.0.1 {PORT} </dev/null; unixclient {SOCKET} </dev/null; echo $1' '' :::
  [ "$output" = $'tcp\nunix\n:::' ]
  run -0 with_server --sep -- sh -c "echo \$1 >&2; echo 7; exec sleep infinity" '' ::: -- echo client --
  [[ $output == *"client --"* ]]
  [[ $output == *":::"* ]]
}

@test "a program that is missing is 127, one that can't be executed 126, and neither is started" {
  touch plain
  printf '#!/nowhere/sh\n' >script
  chmod +x script
  run -127 with_server ./nothing ::: touch ran
  [ "$output" = "withserver: ./nothing (stage 0): No such file or directory" ]
  run -127 with_server touch ran ::: no-such-program
  [ "$output" = "withserver: no-such-program (stage 1): command not found" ]
  run -126 with_server touch ran ::: ./plain
  [ ! -e ran ]
  run -127 with_server ./script ::: touch ran
  [ "$output" = "withserver: exec ./script (stage 0): No such file or directory" ]
  run -127 with_server sh -c "$forever" ::: ./script
  [ "$output" = "withserver: exec ./script (stage 1): No such file or directory" ]
  all_gone log
  [ ! -e ran ]
}

@test "stdin and stdout are CLIENT's, SERVER has /dev/null" {
  run -0 --separate-stderr with_server sh -c 'echo 7; echo "from $(wc -c) bytes"; exec >&-; : >over; exec sleep infinity' ::: \
    sh -c 'waitfor file over; cat' <<<hello
  [ "$output" = hello ]
  [ "$stderr" = "from 0 bytes" ]
}

@test "SERVER and CLIENT inherit the fds of withserver, and no others" {
  local before fds='cd /proc/$$/fd; echo *' how
  exec 9</dev/null
  before=$(sh -c "$fds" </dev/null)
  for how in '' --notify; do
    # shellcheck disable=SC2086 # none, or one
    with_server $how --status-fd 20 sh -c 'sh -c "$1" >server; echo 7
      [ -z "$NOTIFY_SOCKET" ] || tell READY=1; exec sleep infinity' '' "$fds" ::: \
      sh -c "$fds" 20>/dev/null </dev/null >client
    [ "$(cat server)" = "$before" ]
    [ "$(cat client)" = "$before" ]
  done
}

@test "both inherit which signals are ignored and blocked" {
  signals_ignored_and_blocked env >want
  signals_ignored_and_blocked withserver -t 60 -k 0 sh -c "$forever" ::: env >found
  diff want found
  # not by a shell, which has a mask of its own
  run -111 signals_ignored_and_blocked withserver --notify grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status :::
  diff want <(grep ^Sig <<<"$output")
}

@test "--status-fd reports both programs" {
  run -3 with_server --status-fd 20 sh -c "$forever" ::: sh -c 'exit 3' 20>ends
  [[ $(cat ends) =~ ^'stage=1 pid='[0-9]+' exec_errno=0 exit=3 signal=0 core=0 timed_out=0 '[^$'\n']*$'\n''stage=0 pid='[0-9]+' exec_errno=0 exit=0 signal=15 ' ]]
}

@test "usage errors" {
  local words
  wrong_call withserver
  wrong_call withserver --socket= a ::: b
  wrong_call withserver --sep= a ::: b
  wrong_call withserver --socket="$(printf 'x%.0s' {1..108})" a ::: b
  for words in a 'a :::' '::: a' 'a :: b' '--port=0 a ::: b' '--port=65536 a ::: b' '--port=x a ::: b' \
    '--port=1 --socket=x a ::: b' '-t soon a ::: b' '-r -1 a ::: b' '-k x a ::: b' '-x a ::: b' \
    '--status-fd=99 a ::: b' '-t'; do
    # shellcheck disable=SC2086 # words
    wrong_call withserver $words
  done
}
