# One call that fails in a server, at its start or at its work, as in faults.bats.

load helper/common
load helper/peers
load helper/faults

@test "confinement that the kernel refuses" {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
  start tcp tcpserver 127.0.0.1 0 cat
  run tcpclient --confine 127.0.0.1 "$tcp_at" </dev/null
  [[ $output != *"--confine needs"* ]] || skip "$output"
  each_fault <<END
landlock_create_ruleset:error=ENOSYS | 100 | --confine needs Landlock: Function not implemented | tcpclient --confine 127.0.0.1 $tcp_at
prctl:error=EINVAL | 100 | --confine needs seccomp filters: Invalid argument | tcpclient --confine 127.0.0.1 $tcp_at
prctl:error=EPERM:when=2+ | 111 | confine: Operation not permitted | tcpclient --confine 127.0.0.1 $tcp_at
landlock_restrict_self:error=EPERM | 111 | confine Landlock: Operation not permitted | tcpclient --confine 127.0.0.1 $tcp_at
landlock_add_rule:error=ENOMEM | 111 | confine Landlock: Cannot allocate memory | tcpclient --confine 127.0.0.1 $tcp_at
END
  finish "$tcp"
}

@test "servers at their start" {
  each_fault <<'END'
setsockopt:error=ENOMEM | 111 | setsockopt 127.0.0.1:0: Cannot allocate memory | tcpserver 127.0.0.1 0 true
epoll_create1:error=EMFILE | 111 | epoll_create: Too many open files | udpserver 127.0.0.1 0 true
listen:error=EADDRINUSE | 111 | listen 127.0.0.1:0: Address already in use | tcpserver 127.0.0.1 0 true
listen:error=EADDRINUSE | 111 | listen on socket: Address already in use | unixserver socket true
getsockname:error=ENOBUFS | 111 | getsockname 127.0.0.1:0: No buffer space available | tcpserver 127.0.0.1 0 true
setsockopt:error=ENOMEM | 111 | setsockopt 127.0.0.1:0: Cannot allocate memory | timeserver 127.0.0.1 0
- | 111 | look up a..b: Name or service not known | tcpserver a..b 0 true
- | 111 | look up ::1: Name or service not known | tcpserver -4 ::1 0 true
setsockopt:error=EPERM:when=2 | 111 | setsockopt SO_KEEPALIVE: Operation not permitted | tcpserver 127.0.0.1 0 true
prctl:error=EINVAL | 111 | prctl PR_SET_NO_NEW_PRIVS: Invalid argument | tcpserver --no-new-privs 127.0.0.1 0 true
END
}

@test "a call that fails for one connection is reported, and the next one is served" {
  need strace strace
  local inject message server client wrong=0
  while IFS='|' read -r inject message server client; do
    read -r inject message <<<"$inject $message"
    read -r server <<<"$server"
    rm -f socket
    eval "start srv strace-of $inject $server"
    eval "$client" >/dev/null 2>&1 </dev/null || :
    eval "$client" >out 2>&1 </dev/null || :
    finish "$srv"
    [[ $status -eq 0 && $(<out) == served && $(<srv.err) == *"$message"* ]] || {
      echo "$inject $server: status $status, $(<out), $(<srv.err), not: $message"
      wrong=1
    }
  done <<'END'
setsockopt:error=EPERM:when=6 | remove IP options, connection from | tcpserver 127.0.0.1 0 echo served | tcpclient 127.0.0.1 $srv_at
socket:error=EAFNOSUPPORT:when=1 | | tcpserver '' 0 echo served | tcpclient 127.0.0.1 $srv_at
ppoll:error=ENOMEM:when=1 | | unixserver socket echo served | unixclient socket
getsockopt:error=ENOPROTOOPT | getsockopt SO_PEERCRED: Protocol not available | unixserver socket echo served | unixclient socket
clone,clone3,fork,vfork:error=EAGAIN:when=1 | fork (will retry): | unixserver socket echo served | unixclient socket
END
  [ $wrong -eq 0 ]
}

@test "readiness that reaches nobody is an error at the start" {
  local to long
  printf -v long '/%0110d' 0
  for to in "$PWD/nobody" "$long"; do
    NOTIFY_SOCKET=$to run -111 timeout --foreground 60 tcpserver 127.0.0.1 0 true
    [[ $output == "tcpserver: report readiness to NOTIFY_SOCKET: "* ]]
  done
}

@test "sockets" {
  start tcp tcpserver 127.0.0.1 0 echo text
  start unix unixserver socket echo text
  start time timeserver 127.0.0.1 0
  start udp udpserver 127.0.0.1 0 tr a-z A-Z
  start udpunix udpserver --unix dgram tr a-z A-Z
  local port
  port=$(free_port)
  each_fault <<END
close:error=EIO -P $PWD/out | 111 | close stdout: Input/output error | tcpclient 127.0.0.1 $tcp_at
shutdown:error=EIO | 111 | shutdown: Input/output error | tcpclient 127.0.0.1 $tcp_at
shutdown:error=ENOTCONN | 111 | send: Connection reset by peer | tcpclient 127.0.0.1 $tcp_at
dup2,dup3:error=EMFILE | 111 | dup connection: Too many open files | tcpclient 127.0.0.1 $tcp_at true
fcntl:error=EIO | 111 | fcntl connection: Input/output error | tcpclient 127.0.0.1 $tcp_at true
fcntl:error=EIO | 111 | fcntl connection: Input/output error | tcpclient 127.0.0.1 $tcp_at
bind:error=EADDRINUSE | 111 | connect to 127.0.0.1 port $tcp_at (127.0.0.1:$tcp_at): Address already in use | tcpclient -i 127.0.0.1 127.0.0.1 $tcp_at
setsockopt:error=ENOMEM | 111 | connect to 127.0.0.1 port $tcp_at (127.0.0.1:$tcp_at): Cannot allocate memory | tcpclient -i 127.0.0.1 127.0.0.1 $tcp_at
connect:error=EINTR:when=1 | 0 | | tcpclient 127.0.0.1 $tcp_at
connect:error=EALREADY:when=1 | 111 | receive: Transport endpoint is not connected | tcpclient 127.0.0.1 $tcp_at
connect:error=EISCONN:when=1 | 111 | receive: Transport endpoint is not connected | tcpclient 127.0.0.1 $tcp_at
setsockopt:error=ENOMEM:when=1 | 111 | connect to socket: Cannot allocate memory | unixclient socket
setsockopt:error=ENOMEM:when=2 | 111 | connect to socket: Cannot allocate memory | unixclient socket
connect:error=EINTR:when=1 | 0 | | unixclient socket
connect:error=EAGAIN:when=1 | 0 | | unixclient --retry socket
connect:error=EAGAIN:when=1 | 111 | connect to socket: Connection timed out | unixclient socket
setsockopt:error=ENOMEM:when=1 | 111 | setsockopt 127.0.0.1:0: Cannot allocate memory | timeserver 127.0.0.1 0
setsockopt:error=ENOPROTOOPT:when=3+ | 111 | prepare UDP socket: Protocol not available | timeserver 127.0.0.1 0
bind:error=EADDRINUSE:when=2 | 111 | bind 127.0.0.1:$port: Address already in use | timeserver 127.0.0.1 $port
socket:error=EMFILE:when=1 | 111 | socket: Too many open files | udpclient --unix dgram text
bind:error=EMFILE | 111 | bind: Too many open files | udpclient --unix @nobody text
setsockopt:error=EPERM:when=6 | 111 | setsockopt TCP_NODELAY: Operation not permitted | tcpserver -D 127.0.0.1 0 true
setsockopt:error=EPERM:when=2 | 111 | setsockopt 127.0.0.1:0: Operation not permitted | tcpserver --reuse-port 127.0.0.1 0 true
setsockopt:error=EPERM:when=2 | 111 | setsockopt [::]:0: Operation not permitted | tcpserver '' 0 true
socket:error=EMFILE | 111 | socket: Too many open files | unixserver other true
sendto:error=ENOBUFS:when=1 | 0 | | udpclient 127.0.0.1 $udp_at text
sendto:error=EINTR:when=1 | 0 | | udpclient 127.0.0.1 $udp_at text
sendto:error=EINTR:when=1 | 0 | | udptime -p $time_at 127.0.0.1
sendto:error=ENOBUFS:when=1 | 0 | | udptime -p $time_at 127.0.0.1
END
  finish "$tcp"
  finish "$unix"
  finish "$time"
  finish "$udp"
  finish "$udpunix"
}

@test "servers at their start: files and ports of sockets" {
  local uid port at
  uid=$(id -u)
  port=$(free_port)
  start time timeserver 127.0.0.1 0
  start unix unixserver living true
  perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("dead")) or die'
  each_fault <<END
unlink,unlinkat:error=EACCES:when=1 | 111 | remove the dead socket dead: Permission denied | unixserver dead true
socket:error=EMFILE:when=2 | 111 | refuse to replace a live socket: dead: Address already in use | unixserver dead true
mkdir,mkdirat:error=EROFS | 111 | bind socket: Read-only file system | unixserver -o $uid socket true
fchownat:error=EPERM | 111 | bind socket: Operation not permitted | unixserver -o $uid socket true
renameat2:error=EIO | 111 | bind socket: Input/output error | unixserver -o $uid socket true
bind:error=EADDRINUSE | 111 | bind socket: Address already in use | unixserver socket true
bind:error=EACCES | 111 | bind socket: Permission denied | unixserver -p 600 socket true
bind:error=EADDRINUSE | 111 | bind @none-$port: Address already in use | unixserver @none-$port true
listen:error=EADDRINUSE | 111 | bind @none-$port: Address already in use | unixserver @none-$port true
getsockname:error=ENOBUFS:when=3 | 111 | prepare TCP socket: No buffer space available | timeserver 127.0.0.1 0
fcntl:error=EIO | 111 | prepare TCP socket: Input/output error | timeserver 127.0.0.1 0
socket:error=EAFNOSUPPORT | 111 | socket 0.0.0.0:0: Address family not supported by protocol | tcpserver '' 0 true
bind:error=EACCES | 111 | bind 127.0.0.1:0: Permission denied | udpserver 127.0.0.1 0 true
setsockopt:error=ENOPROTOOPT:when=2+ | 111 | setsockopt: Protocol not available | udpserver 127.0.0.1 0 true
END
  [ ! -e socket ] && [ -S dead ]
  start srv strace-of bind:error=EADDRINUSE:when=2 timeserver 127.0.0.1 0
  tcptime -p "$srv_at" 127.0.0.1
  finish "$srv"
  start srv strace-of renameat2:error=ENOSYS unixserver -o "$uid" socket echo served
  [ "$(unixclient socket)" = served ]
  finish "$srv"
  start srv strace-of renameat2:error=EINVAL unixserver -o "$uid" socket echo served
  [ "$(unixclient socket)" = served ]
  finish "$srv"
  [ ! -e socket ]
  finish "$time"
  finish "$unix"
}

@test "groups of datagrams" {
  each_fault <<'END'
setsockopt:error=EPERM:when=2+ | 111 | send to 239.1.2.3:9: Operation not permitted | udpclient --ttl 2 239.1.2.3 9 text
setsockopt:error=ENODEV:when=3+ | 111 | send to 239.1.2.3:9: No such device | udpclient -i 127.0.0.1 239.1.2.3 9 text
bind:error=EADDRINUSE | 111 | join group: Address already in use | udpclient --join 239.1.2.3 127.0.0.1 9 text
END
}

@test "servers with a call that fails once go on" {
  need strace strace
  local inject server client
  while IFS='|' read -r inject server client; do
    read -r inject <<<"$inject"
    eval "start srv strace-of $inject $server"
    eval "$client" >out </dev/null
    [ "$(<out)" = served ]
    finish "$srv"
    [ "$status" -eq 0 ]
  done <<'END'
accept4:error=ECONNABORTED:when=1 | timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
accept4:error=EINTR:when=1 | timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
accept4:error=EAGAIN:when=1 | timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
accept4:error=EMFILE:when=1 | timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
ppoll:error=ENOMEM:when=1 | timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
getsockname:error=ENOBUFS:when=3 | tcpserver 127.0.0.1 0 echo served | tcpclient 127.0.0.1 $srv_at
fcntl:error=EIO:when=5+ | tcpserver -O -P 127.0.0.1 0 echo served | tcpclient 127.0.0.1 $srv_at
END
}

@test "addresses of a name that this host has not, or not free, are left out as long as there is another" {
  need strace strace
  need_own_hosts
  printf '127.0.0.1 two.test\n127.0.0.2 two.test\n' >hosts
  # shellcheck disable=SC2016 # for that shell
  script bin/of-two 'exec unshare --mount sh -c "mount --bind hosts /etc/hosts && exec \"\$@\"" "" strace-of "$1" "$2" tcpserver two.test 0 echo served'
  local inject
  for inject in bind:error=EADDRNOTAVAIL:when=1 bind:error=EADDRNOTAVAIL:when=2 bind:error=EADDRINUSE:when=2; do
    start srv of-two "$inject"
    tcpclient 127.0.0.1 "$srv_at" || tcpclient 127.0.0.2 "$srv_at"
    finish "$srv"
  done
}

@test "confinement: an old kernel's, and a filter that is refused" {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
  start tcp tcpserver 127.0.0.1 0 echo text
  run tcpclient --confine 127.0.0.1 "$tcp_at" </dev/null
  [[ $output != *"--confine needs"* ]] || skip "$output"
  each_fault <<END
landlock_create_ruleset:retval=1:when=2 | 0 | | tcpclient --confine 127.0.0.1 $tcp_at
landlock_create_ruleset:error=EINVAL:when=3 | 111 | confine Landlock: Invalid argument | tcpclient --confine 127.0.0.1 $tcp_at
prctl:error=EPERM:when=3 | 111 | confine seccomp: Operation not permitted | tcpclient --confine 127.0.0.1 $tcp_at
END
  finish "$tcp"
}

@test "a socket's keeper that cannot start" {
  need_root
  chmod 755 .
  each_fault <<'END'
pipe2:error=EMFILE:when=1 | 111 | start the keeper of socket: Too many open files | unixserver -u 65534:65534 socket true
END
  [ ! -e socket ]
}

@test "mkfifo-sig: a file that cannot be read is reported, and its reader is let go" {
  need strace strace
  local fifo
  echo text >answer
  background fifo strace -D -f -qq -b execve -o /dev/null -e trace=read -e inject=read:error=EIO -P "$PWD/answer" mkfifo-sig -f answer fifo
  until_true test -p fifo
  timeout 60 cat fifo >heard
  until_line fifo.err '^mkfifo-sig: read answer: Input/output error$'
  [ ! -s heard ]
  finish "$fifo"
}
