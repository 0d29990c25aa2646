# waitfor: a port that answers, a socket that listens, a file, the exit of a process; and how long it waits.

load helper/waitfor

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# ---- tcp ----

@test "tcp: waits for the port to answer" {
  local port
  port=$(free_port)
  background waiter waitfor tcp 127.0.0.1 "$port"
  until_true asleep "$waiter" waitfor
  start server tcpserver 127.0.0.1 "$port" echo here
  ends_with 0 "$waiter"
  [ ! -s waiter.out ]
  [ ! -s waiter.err ]
}

@test "tcp: 0, a name, IPv6, a number with leading zeros" {
  start server tcpserver 127.0.0.1 0 echo here
  waits tcp 0 "$server_at"
  waits tcp 127.0.0.1 "00$server_at"
  if getent ahostsv4 localhost >/dev/null; then
    waits tcp localhost "$server_at"
  fi
  need_ipv6
  start six tcpserver ::1 0 echo here
  waits tcp ::1 "$six_at"
}

@test "tcp: a server in perl" {
  background server "$PERL/line-server" 0
  until_line server.out .
  waits tcp 127.0.0.1 "$(cat server.out)"
}

@test "tcp: socat" {
  need socat socat
  local port
  port=$(free_port)
  background server socat -t 60 "TCP4-LISTEN:$port,bind=127.0.0.1,fork" EXEC:cat
  waits tcp 127.0.0.1 "$port"
  [ "$(tcpclient 127.0.0.1 "$port" <<<hello)" = hello ]
}

@test "tcp: python's web server" {
  need python3 python3
  local port
  port=$(free_port)
  background python python3 -m http.server --bind 127.0.0.1 "$port"
  waits tcp 127.0.0.1 "$port"
}

@test "tcp: a server that does not accept: -t limits the attempt" {
  peer server -b 0 127.0.0.1 full wait
  until_line server.err full
  # an attempt may take 5 s; of three, one is not slowed down by whatever else runs here
  for _ in 1 2 3; do
    SECONDS=0
    run -124 waits -t 0.3 tcp 127.0.0.1 "$server_at"
    [ "$output" = "waitfor: tcp 127.0.0.1 port $server_at: the deadline passed: Connection timed out" ]
    ((SECONDS >= 5)) || break
  done
  ((SECONDS < 5))
}

@test "tcp: a connection to itself is not an answer" {
  need_root
  unshare --net lo-up || skip "needs a network namespace of its own"
  unshare --net sh -c 'echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range' 2>/dev/null || skip "needs a writable /proc/sys"
  # so few local ports that the wanted one is among them
  run -0 unshare --net bash -c 'lo-up; echo 40000 40001 >/proc/sys/net/ipv4/ip_local_port_range
    for try in {1..20}; do timeout 60 waitfor -q -t 0 tcp 127.0.0.1 $((40000 + try % 2)); echo $?; done | sort | uniq -c'
  [[ $output =~ ^' '*'20 1'$ ]]
}

# ---- unix ----

@test "unix: waits for the socket to listen" {
  background waiter waitfor unix sock
  until_true asleep "$waiter" waitfor
  start server unixserver sock echo here
  ends_with 0 "$waiter"
  [ ! -s waiter.err ]
  waits unix sock
}

@test "unix: an abstract name" {
  local name="@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER"
  run -1 waits -t 0 unix "$name"
  start server unixserver "$name" echo here
  waits unix "$name"
}

@test "unix: the socket of a dead server does not count, that of its successor does" {
  start server unixserver sock echo one
  kill -KILL "$server"
  ends_with 137 "$server"
  run -1 waits -t 0 unix sock
  [ "$output" = "waitfor: unix sock: Connection refused" ]
  background waiter waitfor unix sock
  until_true asleep "$waiter" waitfor
  peer again other accept close again
  mv other sock
  ends_with 0 "$waiter"
}

@test "unix: datagram and packet sockets, a full backlog" {
  local type
  for type in dgram seqpacket stream; do
    background server unix-socket "$type" "sock.$type"
    waits unix "sock.$type"
  done
  peer full -b 0 full.sock full wait
  until_line full.err full
  waits -t 0 unix full.sock
}

# ---- file ----

@test "file: waits until it exists, whatever its type" {
  background waiter waitfor file result
  until_true asleep "$waiter" waitfor
  : >result
  ends_with 0 "$waiter"
  mkfifo fifo
  ln -s fifo link
  local file
  for file in . fifo link /dev/null; do
    waits -t 0 file "$file"
  done
}

@test "file: a dangling link does not count" {
  ln -s target link
  run -1 waits -t 0 file link
  background waiter waitfor file link
  until_true asleep "$waiter" waitfor
  mkdir target
  ends_with 0 "$waiter"
}

@test "file: the reason is reported, control characters in a path are escaped" {
  : >plain
  run -1 waits -t 0 file plain/x
  [ "$output" = "waitfor: file plain/x: Not a directory" ]
  run -1 waits -t 0 file $'a\n\e[1m'
  [ "$output" = 'waitfor: file a\n\x1b[1m: No such file or directory' ]
}

# ---- exit ----

@test "exit: waits for a process that is not a child" {
  mkfifo go
  background program sh -c 'read -r _ <go; exit 3'
  background waiter waitfor exit "$program"
  until_true asleep "$waiter" waitfor
  run -1 waits -t 0 exit "$program"
  [ "$output" = "waitfor: exit $program: still running" ]
  echo >go
  ends_with 0 "$waiter"
  ends_with 3 "$program"
}

@test "exit: a zombie has exited; so has a pid that does not exist" {
  run -0 waits exit "$(sh -c 'true & echo $!')"
  mkfifo go
  # sleep does not wait for it
  background parent sh -c 'sh -c "read -r _ <go" & echo $!; exec sleep infinity'
  until_true asleep "$parent" sleep
  echo >go
  waits exit "$(cat parent.out)"
  [ "$(awk '{ print $3 }' "/proc/$(cat parent.out)/stat")" = Z ]
  waits -t 0 exit "$(cat parent.out)"
  run -0 waits -t 0 exit 2147483647
}

@test "exit: a process of which only the first thread has exited is running" {
  need python3 python3
  mkfifo go
  background threads python3 -c '
import ctypes, os, threading
def work():
    with open("/proc/self/task/%d/stat" % os.getpid()) as stat:
        while ") Z " not in stat.read():
            stat.seek(0)
    print("alone", flush=True)
    open("go").read()
    os._exit(0)
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)'
  until_line threads.out alone
  run -1 waits -t 0 exit "$threads"
  background waiter waitfor exit "$threads"
  until_true asleep "$waiter" waitfor
  : >go
  ends_with 0 "$waiter"
}

@test "exit: a process of another user" {
  need_root
  setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups true || skip "needs setpriv"
  run -1 setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    bash -c 'exec -a waitfor /proc/self/fd/9 "$@"' '' -t 0 exit "$$" 9<"$IPCBOX"
  [ "$output" = "waitfor: exit $$: still running" ]
}

@test "exit: without pidfd_open(2)" {
  need strace strace
  mkfifo go
  background program sh -c 'read -r _ <go'
  background waiter strace -qq -o trace -e trace=pidfd_open -e inject=pidfd_open:error=ENOSYS waitfor exit "$program"
  until_line trace ENOSYS
  echo >go
  ends_with 0 "$waiter"
}

# ---- how long ----

@test "-t: 124 and one line with the reason" {
  local port
  port=$(free_port)
  run -124 waits -t 0.1 tcp 127.0.0.1 "$port"
  [ "$output" = "waitfor: tcp 127.0.0.1 port $port: the deadline passed: Connection refused" ]
  run -124 waits -t 100ms unix sock
  [ "$output" = "waitfor: unix sock: the deadline passed: No such file or directory" ]
  run -124 waits --timeout=0.1 file result
  [ "$output" = "waitfor: file result: the deadline passed: No such file or directory" ]
  run -124 waits exit -t 0.1 "$$"
  [ "$output" = "waitfor: exit $$: the deadline passed: still running" ]
}

@test "-t 0 checks once: 1 and one line, which -q suppresses" {
  local port
  port=$(free_port)
  run -1 waits -t 0 tcp 127.0.0.1 "$port"
  [ "$output" = "waitfor: tcp 127.0.0.1 port $port: Connection refused" ]
  run -1 waits -q -t 0 tcp 127.0.0.1 "$port"
  [ -z "$output" ]
  run -1 waits -t 0 unix sock
  [ "$output" = "waitfor: unix sock: No such file or directory" ]
  # a label of 64 letters is invalid: no name server is asked
  run -1 waits -t 0 tcp "$(printf 'x%.0s' {1..64}).invalid" 80
  [ "${#lines[@]}" -eq 1 ]
}

@test "a signal terminates it while it waits" {
  local kind
  for kind in "tcp 127.0.0.1 $(free_port)" "unix sock" "file result" "exit $$"; do
    # shellcheck disable=SC2086 # words
    background waiter waitfor $kind
    until_true asleep "$waiter" waitfor
    kill -TERM "$waiter"
    ends_with 143 "$waiter"
    [ ! -s waiter.err ]
  done
}

@test "usage errors" {
  local words
  wrong_call waitfor
  wrong_call waitfor ''
  wrong_call waitfor unix ''
  wrong_call waitfor file ''
  wrong_call waitfor unix @
  wrong_call waitfor unix "$(printf 'x%.0s' {1..108})"
  for words in tcp 'tcp 127.0.0.1' 'tcp 127.0.0.1 0' 'tcp 127.0.0.1 65536' 'tcp 127.0.0.1 no-such-service' 'tcp a 1 2' \
    unix 'unix a b' file 'file a b' 'fil a' exit 'exit 0' 'exit x' 'exit 1 2' 'exit 2147483648' 'exit 1x' \
    '-t soon file .' '-t -1 file .' '-t' '-x file .' 'udp 127.0.0.1 1'; do
    # shellcheck disable=SC2086 # words
    wrong_call waitfor $words
  done
}
