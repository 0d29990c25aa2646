# udpserver: its sockets, its end, and what it does when something runs out; Unix sockets.

load helper/udp

setup() {
  udp_setup
}

teardown() {
  udp_teardown
}

# ---- the end ----

@test "TERM ends it at once; with --drain programs finish and are answered" {
  mkfifo go
  start srv udpserver 127.0.0.1 0 sh -c 'echo $$ >pid; read -r line <go; cat'
  udpclient -n 0 127.0.0.1 "$srv_at" one
  until_true [ -s pid ]
  finish "$srv"
  [ "$status" -eq 0 ]
  echo >go
  rm pid
  start srv udpserver --drain 60 127.0.0.1 0 sh -c 'echo $$ >pid; read -r line <go; cat'
  background client udpclient -t 60 127.0.0.1 "$srv_at" drained
  until_true [ -s pid ]
  kill -TERM "$srv"
  echo >go
  ends_with 0 "$srv"
  ends_with 0 "$client"
  [ "$(cat client.out)" = drained ]
}

@test "TERM with --drain: what is in the kernel's queue is served and answered, too" {
  mkfifo go
  start srv udpserver -c 1 --drain 60 127.0.0.1 0 sh -c 'echo $$ >pid; read -r line <go; cat'
  background client sh -c 'seq 4 | udpclient -n 4 -t 60 127.0.0.1 "$0"' "$srv_at"
  until_true [ -s pid ]
  until_line srv.err 'clients wait$' # so they are in the queue
  kill -TERM "$srv"
  exec 7<>go
  yes go | head -n 4 >&7
  ends_with 0 "$srv"
  exec 7>&-
  ends_with 0 "$client"
  [ "$(sort client.out)" = "$(seq 4)" ]
}

@test "at the end of --drain programs are terminated: 124" {
  start srv udpserver --drain 0.1 127.0.0.1 0 sh -c 'echo $$ >pid; exec sleep infinity'
  udpclient -n 0 127.0.0.1 "$srv_at" one
  until_true [ -s pid ]
  kill -TERM "$srv"
  ends_with 124 "$srv"
  until_true gone "$(cat pid)"
}

@test "--max: so many datagrams, their answers, and the end" {
  start srv udpserver --max 3 127.0.0.1 0 cat
  run -0 bash -c 'seq 3 | udpclient -n 3 -t 30 127.0.0.1 "$1" | sort' '' "$srv_at"
  [ "$output" = "1
2
3" ]
  ends_with 0 "$srv"
}

@test "--rate: the others wait" {
  start srv udpserver --rate 2/1h 127.0.0.1 0 cat
  seq 5 | udpclient -n 2 -t 30 127.0.0.1 "$srv_at" >out
  counts 2 2 0 0 2
}

# ---- what runs out ----

@test "no process can be had for a while: no datagram is lost, none is counted twice" {
  need strace strace
  script bin/traced 'exec strace -D -qq -f -o calls -e trace=clone,fork,clone3 \
    -e inject=clone,fork,clone3:error=EAGAIN:when=2..4 udpserver "$@"'
  start srv traced 127.0.0.1 0 cat
  run -0 bash -c 'seq 20 | udpclient -n 20 -t 60 127.0.0.1 "$1" | sort -n' '' "$srv_at"
  [ "$output" = "$(seq 20)" ]
  counts 20 20 0 0 20
  [ "$(grep -c '(will retry)' srv.err)" -eq 1 ]
}

@test "no fd can be had for a while: the datagrams wait" {
  mkfifo go
  script bin/limited 'ulimit -n 14; exec udpserver "$@"'
  start srv limited 127.0.0.1 0 sh -c 'read -r line <go; cat'
  background client sh -c 'seq 20 | udpclient -n 20 -t 60 127.0.0.1 "$0"' "$srv_at"
  until_line srv.err '\(will retry\): Too many open files'
  exec 7<>go
  yes go | head -n 20 >&7
  wait "$client"
  exec 7>&-
  [ "$(sort -n client.out)" = "$(seq 20)" ]
  counts 20 20 0 0 20
}

@test "2,000 datagrams: none lost, none wrong, nothing left open" {
  start srv udpserver 127.0.0.1 0 cat
  ask first
  local fds n=2000
  [ -z "${IPCBOX_SANITIZED:-}" ] || n=300 # its starts are slow
  fds=$(fd_count "$srv")
  run -0 bash -c 'seq $2 | udpclient -n $2 -t 250 127.0.0.1 "$1" | sort -n | cksum' '' "$srv_at" $n
  [ "$output" = "$(seq $n | cksum)" ]
  until_true no_children "$srv"
  counts $((n + 1)) $((n + 1)) 0 0 $((n + 1))
  [ "$(fd_count "$srv")" -le "$fds" ]
}

# ---- sockets that were inherited ----

@test "--inherit takes UDP and Unix datagram sockets, and no others" {
  script bin/activated "exec '$HELPERS/activate' \"\$KINDS\" udpserver \"\$@\""
  export KINDS=d
  start srv activated --inherit cat
  run -0 ask hello
  [ "$output" = hello ]
  KINDS=l run -100 activated --inherit cat
  [[ $output == *"expected a socket of this kind of server"* ]]
  KINDS=x run -100 activated --inherit cat
}

@test "--inherit-fd and --exit-idle: as inetd's wait service" {
  script bin/inetd_like "exec '$HELPERS/activate' d sh -c 'exec udpserver \"\$@\" 0<&3 3<&-' '' \"\$@\""
  start srv inetd_like --inherit-fd 0 --exit-idle 1 cat
  run -0 ask hello
  [ "$output" = hello ]
  ends_with 0 "$srv"
}

@test "--inherit under systemd-socket-activate" {
  need systemd-socket-activate systemd
  srv_at=$(free_port udp)
  background srv systemd-socket-activate -d -l "127.0.0.1:$srv_at" "$(command -v udpserver)" --inherit cat
  until_line srv.err '^Listening on'
  run -0 ask hello
  [ "$output" = hello ]
}

# ---- Unix sockets ----

@test "--unix: the socket file has its mode, is taken over, left alone while alive, and gone at the end" {
  start srv udpserver -p 0600 --unix ./sock cat
  [ "$srv_at" = ./sock ]
  [ "$(stat -c %a sock)" = 600 ]
  run -0 udpclient -t 30 --unix ./sock hello
  [ "$output" = hello ]
  run -111 --separate-stderr udpserver --unix ./sock cat
  [ "$stderr" = "udpserver: refuse to replace a live socket: ./sock: Address already in use" ]
  kill -KILL "$srv"
  wait "$srv" || :
  [ -S sock ]
  start srv udpserver --unix ./sock cat
  finish "$srv"
  [ "$status" -eq 0 ]
  [ ! -e sock ]
}

@test "--unix: PROG is told who asks; perl and an abstract name; a socket without a name gets no answer" {
  local name="@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER"
  start srv udpserver --unix "$name" sh -c 'env | grep -E "^(PROTO|UNIX)" | sort; echo "pid $$"'
  background client udpclient -t 30 --unix "$name" hello
  wait "$client"
  local pid
  pid=$(sed -n 's/^pid //p' client.out)
  run cat client.out
  [ "$output" = "PROTO=UNIX
UNIXCONNNUM=1
UNIXLOCALGID=$(id -g)
UNIXLOCALPATH=$name
UNIXLOCALPID=$pid
UNIXLOCALUID=$(id -u)
UNIXREMOTEEGID=$(id -g)
UNIXREMOTEEUID=$(id -u)
UNIXREMOTEPID=$client
pid $pid
" ] || [ "${lines[8]}" = "UNIXREMOTEPID=$client" ]
  perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); $ARGV[0] =~ s/^@/\0/;
    send($s, "hello", 0, pack("Sa*", AF_UNIX, $ARGV[0])) or die "$!"' "$name"
  counts 2 2 0 0 1
}

@test "--unix: fds that somebody passes are not kept; a datagram of 200,000 bytes is whole" {
  need python3 python3
  start srv udpserver --unix ./sock cksum
  udpclient -t 30 --unix ./sock first
  local fds
  fds=$(fd_count "$srv")
  python3 -c '
import socket, array
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(20):
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))], 0, "./sock")
'
  counts 21 21 0 0 1
  until_true no_children "$srv"
  [ "$(fd_count "$srv")" -le "$fds" ]
  random_bytes 200000 >data
  run -0 udpclient -t 30 --whole --raw --unix ./sock <data
  [ "$output" = "$(cksum <data)" ]
}

@test "--unix -u: another user; the keeper removes the file, also after SIGKILL" {
  need_root
  chmod 755 .
  mkdir -m 755 place
  start srv udpserver -u nobody --unix place/sock id -un
  run -0 udpclient -t 30 --raw --unix place/sock hello
  [ "$output" = nobody ]
  kill -KILL "$srv"
  wait "$srv" || :
  until_true [ ! -e place/sock ]
}
