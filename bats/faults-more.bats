# More calls that fail, as in faults.bats.

load helper/common
load helper/peers
load helper/faults
load helper/http

@test "locks, pipes and files" {
  local holder
  background holder lockrun --slots 1 lock sleep 600s
  until_true eval 'ipcbox lockrun --who lock >/dev/null'
  background group setsid sleep 600s
  until_true asleep "$group" sleep
  echo text >in
  : >slots
  each_fault <<END
kill,pidfd_send_signal:error=EPERM | 111 | signal group $group: Operation not permitted | killpg $group
fcntl:error=ENOLCK -P $PWD/slots | 111 | lock slots: No locks available | lockrun --slots 2 slots true
openat,open:error=EACCES -P other2 | 111 | lock other2: Permission denied | lockrun --slots 2 other2 true
clone,clone3,fork,vfork:error=EAGAIN | 111 | lock lock: Cannot allocate memory | lockrun --slots 1 -t 60 lock true
pipe2:error=EMFILE:when=2 | 111 | pipe: Too many open files | pipedemo
wait4:error=ECHILD | 111 | wait: No child processes | pipedemo
close:error=EIO -P $PWD/out | 111 | close stdout: Input/output error | pipecat in
close:error=EBADF -P $PWD/out | 0 | | pipecat in
dup2,dup3:error=EBUSY -P $PWD/in | 111 | dup in: Device or resource busy | safepipe -i in cat
fstat,newfstatat:error=EIO -P $PWD/copy | 111 | stat copy: Input/output error | safepipe -o copy true
fstat,newfstatat:error=EIO -P $PWD/in | 0 | | safepipe -i in -o copy cat
prlimit64,getrlimit:error=EPERM | 0 | | alive $$
shmat:error=ENOMEM | 111 | create private: Cannot allocate memory: not enough memory for it | shmdemo
msgsnd:error=EAGAIN | 111 | send to private: Resource temporarily unavailable | msgdemo
msgrcv:error=ENOMSG | 111 | receive from private: No message of desired type | msgdemo
msgrcv:retval=0 | 1 | | msgdemo
msgrcv:retval=7 | 1 | | msgdemo
END
  finish "$holder"
  finish "$group"
}

@test "daemonize" {
  each_fault <<END
dup2,dup3:error=EMFILE | 111 | dup: Too many open files | daemonize true
socket:error=EMFILE | 111 | socket NOTIFY_SOCKET: Too many open files | daemonize --ready notify true
ftruncate:error=EIO | 111 | open $PWD/prog.out: Input/output error | daemonize -o prog.out true
fcntl:error=EIO -P $PWD/prog.out | 111 | open $PWD/prog.out: Input/output error | daemonize -o prog.out true
rename,renameat,renameat2:error=EIO | 111 | write $PWD/pid: Input/output error | daemonize -p pid true
rename,renameat,renameat2:error=EIO:when=2 | 111 | write $PWD/monitor: Input/output error | daemonize -p pid -P monitor true
dup2,dup3:error=EMFILE:when=3 | 111 | dup2 true: Too many open files | daemonize true
openat,open:error=EMFILE -P /dev/null | 111 | open /dev/null for true: Too many open files | daemonize --foreground true
openat,open:error=EMFILE -P /dev/null | 111 | open /dev/null for true: Too many open files | daemonize true
END
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

@test "a file that webget writes" {
  answers
  printf 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\ntext\n' >answer
  echo old >page
  local url=http://127.0.0.1:$server_at/ old
  each_fault <<END
ftruncate:error=EIO | 111 | write new: Input/output error | webget -o new $url
fsync:error=EIO | 111 | write new: Input/output error | webget -o new $url
linkat:error=EPERM | 111 | write new: Operation not permitted | webget -o new $url
linkat:error=EEXIST | 111 | write new: File exists | webget -o new $url
getrandom:error=ENOSYS | 111 | open new: Function not implemented | webget -o new $url
fchmod:error=EPERM | 111 | write page: Operation not permitted | webget -o page $url
linkat:error=EPERM | 111 | write page: Operation not permitted | webget -o page $url
rename,renameat,renameat2:error=EIO | 111 | write page: Input/output error | webget -o page $url
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork: Resource temporarily unavailable | webget -o page $url
END
  old=$(<page)
  [ "$old" = old ]
  [ ! -e new ]
  each_fault <<END
fsync:error=EINVAL:when=2 | 0 | | webget -o new $url
fchown:error=EPERM | 0 | | webget -o page $url
openat,open:error=EACCES:when=3 -P $PWD | 0 | | webget -o page $url
fsync:error=EIO:when=2 | 111 | write page: Input/output error | webget -o page $url
END
  cmp new page
  [ "$(<page)" = text ]
  finish "$server"
}

@test "servers at their start" {
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

@test "launchers and clients, once more" {
  start tcp tcpserver 127.0.0.1 0 echo text
  start unix unixserver socket echo text
  start time timeserver 127.0.0.1 0
  echo text >in
  each_fault <<END
bind:error=EACCES | 111 | reserve a port: Permission denied | withserver --free-port true ::: true
openat,open:error=EMFILE -P /dev/null | 111 | open /dev/null: Too many open files | withserver --free-port true ::: true
socket:error=EMFILE | 111 | reserve a port: Too many open files | withserver --free-port true ::: true
socket:error=EMFILE | 111 | socket NOTIFY_SOCKET: Too many open files | withserver --notify true ::: true
pipe2:error=EMFILE | 111 | open stdout for true (stage 0): Too many open files | withserver --match x true ::: true
connect:error=ENETUNREACH | 1 | tcp 127.0.0.1 port $tcp_at: Network is unreachable | waitfor -t 0 tcp 127.0.0.1 $tcp_at
connect:error=EINTR:when=1 | 0 | | waitfor -t 60 tcp 127.0.0.1 $tcp_at
recvfrom:error=EIO | 1 | http http://127.0.0.1:$tcp_at/: no HTTP response | waitfor -t 0 http http://127.0.0.1:$tcp_at/
sendto:error=EIO | 111 | request http://127.0.0.1:$tcp_at/: Input/output error | webget http://127.0.0.1:$tcp_at/
getsockopt:error=ENOPROTOOPT | 111 | connect to 127.0.0.1 port $tcp_at (127.0.0.1:$tcp_at): Protocol not available | tcpclient 127.0.0.1 $tcp_at
prlimit64,setrlimit:error=EPERM | 111 | confine: Operation not permitted | tcpclient --confine 127.0.0.1 $tcp_at
wait4,waitid:error=ECHILD | 0 | | udptime -p $time_at 127.0.0.1
END
  finish "$tcp"
  finish "$unix"
  finish "$time"
}

@test "a call that fails at first, and not again" {
  start tcp tcpserver 127.0.0.1 0 echo text
  start time timeserver 127.0.0.1 0
  start udp udpserver 127.0.0.1 0 tr a-z A-Z
  local range=/proc/sys/net/ipv4/ip_local_port_range answers='tcpserver 127.0.0.1 {PORT} true ::: true'
  each_fault <<END
socket:error=EAFNOSUPPORT:when=2 | 0 | | withserver --free-port $answers
bind:error=EADDRINUSE:when=1 | 0 | | withserver --free-port $answers
bind:error=EADDRINUSE:when=2 | 0 | | withserver --free-port $answers
openat,open:error=EACCES -P $range | 0 | | withserver --free-port $answers
read:error=EIO -P $range | 0 | | withserver --free-port $answers
pipe2:error=EMFILE:when=1 | 0 | | udptime -p $time_at localhost
pipe2:error=ENFILE:when=1 | 0 | | udptime -p $time_at localhost
pipe2:error=ENOMEM:when=1 | 0 | | udptime -p $time_at localhost
pipe2:error=EPERM | 1 | ask localhost: Operation not permitted | udptime -p $time_at localhost
fcntl:error=EIO | 1 | ask localhost: Input/output error | udptime -p $time_at localhost
pipe2:error=EMFILE | 111 | look up localhost: Too many open files | udpclient localhost $udp_at text
sendto:error=EPERM | 1 | ask 127.0.0.1: Operation not permitted | udptime -p $time_at 127.0.0.1
poll,ppoll:error=EINTR:when=1 | 0 | | tcptime -p $time_at 127.0.0.1
connect:error=EACCES | 111 | send to 127.0.0.1:$udp_at: Permission denied | udpclient 127.0.0.1 $udp_at text
setsockopt:error=EPERM:when=2+ | 111 | send to 127.0.0.1:$udp_at: Operation not permitted | udpclient --broadcast 127.0.0.1 $udp_at text
END
  finish "$tcp"
  finish "$time"
  finish "$udp"
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

@test "names that are none" {
  need_own_hosts
  local name
  printf '127.0.0.%s\n' '2 -bad.test' '3 a.0x1f' '4 a.0X' '5 a.12' '6 a*b' '7 good.test.' '8 a.0xg' >hosts
  start srv tcpserver 0 0 true
  for name in 2= 3= 4= 5= 6= 7=good.test 8=a.0xg; do
    run -0 with_hosts hosts timeout 60 tcpclient -h "127.0.0.${name%%=*}" "$srv_at" sh -c 'echo "$TCPREMOTEHOST"'
    [ "$output" = "${name#*=}" ]
  done
  finish "$srv"
}

@test "objects that cannot be removed" {
  need strace strace
  unshare --ipc true 2>/dev/null || skip "needs an IPC namespace of its own"
  run -111 unshare --ipc strace -D -qq -o /dev/null -e inject=msgctl:error=EPERM msgdemo
  [ "$output" = "msgdemo: remove private: Operation not permitted: only its owner, its creator and root may do that" ]
  run -111 unshare --ipc strace -D -qq -o /dev/null -e inject=shmctl:error=EPERM shmdemo
  [ "$output" = "shmdemo: create private: Operation not permitted: only its owner, its creator and root may do that" ]
}

@test "pipedemo: what cannot be written is said by its writer, and the other sees the end" {
  need strace strace
  run -111 strace -D -f -qq -b execve -o /dev/null -e trace=write -e inject=write:error=EIO:when=1 pipedemo
  [ "${lines[0]}" = "pipedemo: write to the other process: Input/output error" ]
  [[ ${lines[1]} == "pipedemo: read from the other process: "* ]]
}

@test "cmdserver tells its client what cannot be done" {
  need strace strace
  printf '#!/nonexistent\n' >bad
  chmod +x bad
  local traced='strace -D -qq -b execve -o /dev/null -e inject'
  answers_with bad 'bad: No such file or directory' cmdserver -p "" bad=./bad
  answers_with own $'own: Too many open files\r' $traced=pipe2:error=EMFILE cmdserver --crlf -p "" own='echo text'
  answers_with motd 'motd: Permission denied' $traced=openat,open:error=EACCES -P /etc/motd cmdserver -p ""
  [ ! -s /etc/motd ] || answers_with motd 'motd: Input/output error' $traced=read:error=EIO -P /etc/motd cmdserver -p ""
  answers_with own '/dev/null: Too many open files' $traced=openat,open:error=EMFILE -P /dev/null cmdserver -p "" own='echo text'
  answers_with own 'own: Cannot allocate memory' $traced=fcntl:error=ENOMEM cmdserver -p "" own='echo text'
  script bin/fortune 'echo cookie'
  answers_with cookie cookie cmdserver -p ""
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

@test "daemonize: descriptors that cannot be had" {
  each_fault <<'END'
pipe2:error=EMFILE:when=1 | 111 | pipe: Too many open files | daemonize --foreground --log log true
END
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

# answers_with LINE ANSWER COMMAND...: of a cmdserver, without its prompt
answers_with() {
  "${@:3}" <<<"$1" >out 2>err
  [ "$(tail -n +2 out)" = "$2" ]
}
