# withserver: when SERVER is ready, what CLIENT and SERVER find, whose status it is. How all ends: withserver-life.bats.

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

@test "what another withserver has left in the environment is not CLIENT's" {
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

@test "a first line that is neither is 111, and said with its oddities escaped" {
  local line
  for line in '' 0 65536 80x ' 80' '80 ' -1 no-such-path . '\033[1m\r' '8\0009'; do
    : >log
    run -111 with_server sh -c "echo \"server \$\$\" >>log; printf -- '$line\n'; exec sleep infinity" ::: touch ran
    [[ $output == "withserver: start sh: SERVER's first line is no port, and no path of a socket"* ]]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output != *$'\e'* ]]
    all_gone log
  done
  [ ! -e ran ]
}

@test "a first line that is too long, has no end, or never comes is 111" {
  local what
  for what in 'syswrite STDOUT, "7" x 600 . "\n"; sleep' 'print 7; close STDOUT; sleep'; do
    run -111 with_server perl -e "$what" ::: touch ran
    [[ ${lines[-1]} == "withserver: start perl: SERVER's first line is too long, or has no end: 7"* ]]
  done
  run -111 with_server perl -e 'close STDOUT; sleep' ::: touch ran
  [ "$output" = "withserver: start perl: SERVER has closed its stdout" ]
  [ ! -e ran ]
}

@test "only its first line is waited for, however it comes" {
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
  run -0 with_server --port="$port" "$PERL/line-server" "$port" ::: tcpclient 127.0.0.1 '{PORT}' <<<hello
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

@test "--port: python's and socat's servers" {
  local port
  port=$(free_port)
  need python3 python3
  echo contents >file
  run -0 --separate-stderr with_server --port="$port" python3 -m http.server --bind 127.0.0.1 "$port" ::: \
    webget -b http://127.0.0.1:'{PORT}'/file
  [ "$output" = contents ]
  [[ $stderr == *'"GET /file '* ]]
  need socat socat
  run -0 with_server --port="$port" socat "TCP4-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" EXEC:cat ::: \
    tcpclient 127.0.0.1 '{PORT}' <<<hello
  [ "$output" = hello ]
}

@test "--socket: SERVER is ready when that socket answers, and a dead one is not taken for it" {
  need socat socat
  run -0 with_server --socket=sock socat UNIX-LISTEN:sock,fork EXEC:cat ::: unixclient '{SOCKET}' <<<hello
  [ "$output" = hello ]
  rm -f sock
  start dead unixserver sock cat
  kill -KILL "$dead"
  ends_with 137 "$dead"
  run -0 with_server --socket=sock unixserver sock cat ::: sh -c 'unixclient "$SOCKET"; echo "<$PORT>"' <<<hello
  [ "$output" = $'hello\n<>' ]
}

@test "--port, --socket: somebody else who answers there is not taken for SERVER" {
  start server tcpserver 127.0.0.1 0 cat
  run -111 with_server --port="$server_at" touch ran ::: touch ran
  [ "$output" = "withserver: start touch: somebody else answers at that port already" ]
  start other unixserver sock cat
  run -111 with_server --socket=sock touch ran ::: touch ran
  [ "$output" = "withserver: start touch: somebody else answers at that socket already" ]
  [ ! -e ran ]
}

@test "--notify: SERVER is ready when it says so to NOTIFY_SOCKET, CLIENT has the manager's own" {
  # shellcheck disable=SC2016
  local server='use Socket; my ($to) = $ENV{NOTIFY_SOCKET} =~ /^@(.+)/ or die; $| = 1;
    socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die; my $at = pack_sockaddr_un("\0$to");
    for my $state ("STATUS=READY=1", "READY=0", "XREADY=1\nREADY=11", "", "STATUS=soon\nREADY=1\n", ("STATUS=on") x 500) {
      open my $log, ">>", "order" or die; print $log "$state\n"; close $log; defined send $s, $state, 0, $at or die $!;
    } sleep'
  NOTIFY_SOCKET=/managers run -0 with_server --notify --port=5 --socket=@x perl -e "$server" ::: \
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

@test "--notify: another user does not say that SERVER is ready, unless SERVER has become that user" {
  need_root
  local say='use Socket; my ($to) = $ENV{NOTIFY_SOCKET} =~ /^@(.+)/; socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die;
    send $s, "READY=1", 0, pack_sockaddr_un("\0$to") or die'
  setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups true || skip "needs setpriv"
  local other
  other="setpriv --reuid nobody --regid $(id -g nobody) --clear-groups"
  run -4 with_server --notify sh -c "exec $other perl -e '$say; sleep'" ::: sh -c 'exit 4'
  run -124 with_server -r 0.5 --notify sh -c "setsid -w $other perl -e '$say' && echo said
    exec sleep infinity" ::: touch ran
  [[ $output == said* ]]
  [ ! -e ran ]
}

# ---- not ready ----

@test "SERVER's early end is 111 at once and says how it ended, whatever is waited for" {
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
    run -111 with_server $how perl -e 'kill KILL => $$' ::: touch ran
    [ "$output" = "withserver: start perl: SERVER was killed by SIGKILL before it was ready" ]
  done
  ((SECONDS < 30))
  [ ! -e ran ]
}

@test "-r, and -t, end a SERVER that never is ready: 124, one line, and nobody is left" {
  local how limit port
  port=$(free_port)
  for how in '' "--port=$port" --socket=sock --notify; do
    for limit in -r -t; do
      : >log
      # shellcheck disable=SC2086 # none, or one
      run -124 with_server $limit 0.2 $how sh -c "$never" ::: touch ran
      [ "$output" = "withserver: start sh: SERVER was not ready in time" ]
      all_gone log
    done
  done
  [ ! -e ran ]
}

# ---- CLIENT and SERVER ----

@test "SERVER ends at the first separator: a CLIENT may be another withserver" {
  run -0 with_server tcpserver -1 127.0.0.1 0 echo tcp ::: withserver unixserver -1 sock echo unix ::: \
    sh -c 'tcpclient 127.0.0.1 {PORT} </dev/null; unixclient {SOCKET} </dev/null; echo $1' '' :::
  [ "$output" = $'tcp\nunix\n:::' ]
  run -0 with_server --sep -- sh -c "echo \$1 >&2; echo 7; exec sleep infinity" '' ::: -- echo client --
  [[ $output == *"client --"* ]]
  [[ $output == *":::"* ]]
}

@test "a program that is not there is 127, one that can't run 126, and neither is started" {
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

@test "stdin and stdout are CLIENT's, SERVER has none" {
  run -0 --separate-stderr with_server sh -c 'echo 7; echo "from $(wc -c) bytes"; exec >&-; : >over; exec sleep infinity' ::: \
    sh -c 'waitfor file over; cat' <<<hello
  [ "$output" = hello ]
  [ "$stderr" = "from 0 bytes" ]
}

@test "SERVER and CLIENT have the fds that we have, and no other" {
  local before fds='print join(" ", grep { -l "/proc/self/fd/$_" } 0 .. 255), "\n"' how
  exec 9</dev/null
  before=$(perl -e "$fds" </dev/null)
  for how in '' --notify; do
    # shellcheck disable=SC2086 # none, or one
    with_server $how --status-fd 20 sh -c 'perl -e "$1" >server; : | NOTIFY_SOCKET= true; echo 7
      [ -z "$NOTIFY_SOCKET" ] || perl -MSocket -e "socket S, AF_UNIX, SOCK_DGRAM, 0; send S, q(READY=1), 0,
        pack_sockaddr_un(qq(\0) . substr \$ENV{NOTIFY_SOCKET}, 1)"; exec sleep infinity' '' "$fds" ::: \
      perl -e "$fds" 20>/dev/null </dev/null >client
    [ "$(cat server)" = "$before" ]
    [ "$(cat client)" = "$before" ]
  done
}

@test "signals ignored and blocked are for both as they were" {
  signals_ignored_and_blocked env >want
  signals_ignored_and_blocked withserver -t 60 -k 0 sh -c "$forever" ::: env >found
  diff want found
  # not by a shell, which has a mask of its own
  run -111 signals_ignored_and_blocked withserver --notify grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status :::
  diff want <(grep ^Sig <<<"$output")
}

@test "--status-fd tells both ends" {
  run -3 with_server --status-fd 20 sh -c "$forever" ::: sh -c 'exit 3' 20>ends
  [[ $(cat ends) =~ ^'stage=1 pid='[0-9]+' exec_errno=0 exit=3 signal=0 core=0 timed_out=0 '[^$'\n']*$'\n''stage=0 pid='[0-9]+' exec_errno=0 exit=0 signal=15 ' ]]
}

@test "a call that can't be right is refused" {
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
