# One call that fails, where an applet sets itself up or does its work: a message that names the call and the reason, and the
# status of a system that said no. `make torture` tries all calls of the main uses; here is what it does not reach, by name.
# Servers are in faults-servers.bats, what applets have in common in faults-common.bats, and memory in memory.bats.

load helper/common
load helper/peers
load helper/faults
load helper/http

@test "clients" {
  start tcp tcpserver 127.0.0.1 0 cat
  start unix unixserver socket cat
  start time timeserver 127.0.0.1 0
  echo secret >auth
  chmod 600 auth
  each_fault <<END
setsockopt:error=ENOMEM | 111 | setsockopt TCP_NODELAY: Cannot allocate memory | tcpclient -D 127.0.0.1 $tcp_at
getsockname:error=ENOBUFS | 111 | getsockname: No buffer space available | tcpclient 127.0.0.1 $tcp_at
getsockopt:error=ENOPROTOOPT | 111 | getsockopt SO_PEERCRED: Protocol not available | unixclient socket true
pipe2:error=EMFILE | 111 | pipe: Too many open files | tcptime -p $time_at 127.0.0.1
bind:error=EADDRINUSE | 111 | send to 127.0.0.1:$time_at: Address already in use | udpclient -i 127.0.0.1 127.0.0.1 $time_at text
getrandom:error=ENOSYS:when=2+ | 111 | getrandom: Function not implemented | udptime --sntp -p $time_at 127.0.0.1
socket:error=EMFILE | 111 | send to 127.0.0.1:$time_at: Too many open files | udpclient 127.0.0.1 $time_at text
- | 111 | read stdin: Is a directory | udpclient 127.0.0.1 $time_at <.
getsockname:error=ENOBUFS | 111 | getsockname fd 0: No buffer space available | sockenv true <>/dev/tcp/127.0.0.1/$tcp_at
getpeername:error=ENOBUFS | 111 | getpeername fd 0: No buffer space available | sockenv true <>/dev/tcp/127.0.0.1/$tcp_at
sendto:error=EAGAIN:when=1 | 0 | | udptime -p $time_at 127.0.0.1
clone,clone3,fork,vfork:error=EAGAIN:when=1 | 0 | | udptime -p $time_at localhost
- | 111 | look up a..b: Name or service not known | udpclient -t 60 a..b 9 text
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork: Resource temporarily unavailable | webget -o page http://127.0.0.1:$tcp_at/
END
  finish "$tcp"
  finish "$unix"
  finish "$time"
}

@test "files and pipes" {
  echo text >in
  each_fault <<'END'
ftruncate:error=EIO | 111 | empty out: Input/output error | safepipe -o out cat
pipe2:error=EMFILE | 111 | pipe: Too many open files | pipedemo
pipe2:error=EMFILE | 111 | pipe: Too many open files | pipecat 'echo a |'
getcwd:error=ENOENT | 111 | getcwd: No such file or directory | daemonize -p pid sleep 6505s
prctl:error=EINVAL:when=2+ | 111 | prctl: Invalid argument | reap --death-signal TERM
mkdir:error=ENOSPC | 111 | mkdir links: No space left on device | ipcbox --install -p links
readlink:error=EACCES | 111 | readlink /proc/self/exe: Permission denied | ipcbox --install -p links
mkdir:error=ENOSPC -P a/b | 111 | mkdir a/b: No space left on device | ipcbox --install -p a/b
mkdir:error=ENOSPC -P d/e/f | 111 | mkdir d/e/f: No space left on device | ipcbox --install -p d/e/f
pipe2:error=EMFILE | 111 | pipe: Too many open files | daemonize sleep 6506s
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork: Resource temporarily unavailable | daemonize sleep 6506s
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork: Resource temporarily unavailable | lockrun --for $$ lock
socketpair:error=EMFILE | 111 | socketpair: Too many open files | pipedemo --socketpair
END
  # what was made on the way has gone again
  [ ! -e a ] && [ ! -e d ]
}

@test "a lock file that the kernel has no lock for is reported where it stays, and what it is beside is removed" {
  need strace strace
  start server strace-of flock:error=ENOLCK:when=2+ unixserver socket cat
  finish "$server"
  [ "$status" -eq 111 ]
  [[ $(<server.err) == *"No locks available"* ]]
  [ ! -e socket ]
  rm .socket.lock
}

@test "no timer can be had: a lock is not said to be taken for it, and a FIFO's reader is not tried again without end; a tick ends nobody" {
  local holder fifo
  background holder lockrun lock sleep 6507s
  until_true eval 'ipcbox lockrun --who lock >/dev/null'
  each_fault <<'END'
timer_create:error=EAGAIN | 111 | lock lock: Cannot allocate memory | lockrun -t 60 lock true
rt_sigaction:error=EINVAL:when=1+ | 111 | lock lock: Invalid argument | lockrun -t 60 lock true
rt_sigtimedwait:delay_enter=120000 | 124 | lock lock: the deadline passed | lockrun -t 1 lock true
END
  finish "$holder"
  background fifo strace -D -qq -o /dev/null -e trace=timer_create,pwritev2 -e inject=timer_create:error=EAGAIN \
    -e inject=pwritev2:error=EOPNOTSUPP mkfifo-sig fifo echo answer
  until_true test -p fifo
  timeout 60 cat fifo >answer
  until_line fifo.err '^mkfifo-sig: write fifo: Cannot allocate memory$'
  finish "$fifo"
}

@test "a terminal that can't be made is an error, and where only a newer way fails the older one is taken" {
  need strace strace
  local n failed=0
  each_fault <<'END'
openat:error=ENOENT:when=3+ | 111 | open a terminal: No such file or directory | open2 --pty cat
END
  # every ioctl(2) in turn; which of them is the newer way, the kernel's headers say
  for n in 1 2 3 4 5 6; do
    status=0
    timeout --foreground 60 strace -D -f -qq -b execve -o /dev/null -e trace=ioctl -e inject=ioctl:error=ENOTTY:when=$n \
      open2 --pty=both tr a-z A-Z <<<text >out 2>err || status=$?
    if [ "$status" -eq 0 ]; then
      [ "$(<out)" = TEXT ] && [ ! -s err ]
    else
      failed=$((failed + 1))
      [ "$status" -eq 111 ] && [[ $(<err) == "open2: open a terminal: "* ]]
    fi
  done
  [ "$failed" -ge 2 ]
}

@test "without close_range(2), as in Linux before 5.9, programs get no descriptor more; nor without /proc" {
  need strace strace
  : >file
  local way without='strace -D -f -qq -b execve -o /dev/null -e trace=close_range -e inject=close_range:error=ENOSYS'
  local ways=("$without")
  # shellcheck disable=SC2016
  if unshare -m true 2>/dev/null; then
    ways+=("unshare -m sh -c 'mount -t tmpfs none /proc && ulimit -n 256 && exec \"\$@\"' '' $without")
  fi
  for way in "${ways[@]}"; do
    eval "run -0 timeout --foreground 60 $way daemonize --foreground -o '$PWD/given' fds 7<file"
    [ "$(<given)" = "0 1 2" ]
    eval "run -0 timeout --foreground 60 $way cmdserver fds=fds 7<file <<<fds"
    [[ $output == *"0 1 2"$'\n'* && $output != *"0 1 2 "* ]]
    rm given
  done
}

@test "a stdout that somebody has made non-blocking is waited for" {
  need_perl
  mkfifo pipe
  exec 8<>pipe 9<pipe
  local filled
  filled=$(perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_RDWR | O_NONBLOCK) or die; my ($all, $n) = 0;
    $all += $n while $n = syswrite STDOUT, "x" x 4096; print STDERR $all' 2>&1 >&8)
  background help sh -c 'exec tcpserver --help >&8'
  until_true sleeps "$help"
  head -c "$filled" <&9 >/dev/null
  ends_with 0 "$help"
  exec 8>&-
  cat <&9 >said
  exec 9<&-
  tcpserver --help | cmp - said
}

@test "a stdin that somebody has made non-blocking is waited for" {
  need_perl
  unshare --ipc true 2>/dev/null || skip "needs an IPC namespace of its own"
  mkfifo pipe
  exec 8<>pipe
  perl -MFcntl -e 'fcntl(STDIN, F_SETFL, O_RDWR | O_NONBLOCK) or die' <&8
  background reader unshare --ipc sh -c 'shmdemo create 77 8 && shmdemo write --length 4 77 <&8 && shmdemo read --length 4 77'
  until_true sleeping "$reader" shmdemo
  printf text >&8
  ends_with 0 "$reader"
  [ "$(<reader.out)" = text ]
  exec 8>&-
}

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
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork: Resource temporarily unavailable | lockrun --slots 1 -t 60 lock true
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
wait4,waitid:error=ECHILD | 0 | | udptime -p $time_at localhost
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

@test "daemonize: descriptors that cannot be had" {
  each_fault <<'END'
pipe2:error=EMFILE:when=1 | 111 | pipe: Too many open files | daemonize --foreground --log log true
END
}

# sleeps PID: it is the applet, and waits.
sleeps() {
  [ "/proc/$1/exe" -ef "$IPCBOX" ] && grep -q '^State:.S' "/proc/$1/status"
}

# sleeping PARENT NAME: a child of that process does.
sleeping() {
  local child
  for child in $(cat "/proc/$1/task/$1/children"); do
    [[ $(tr '\0' ' ' <"/proc/$child/cmdline") == "$2 write "* ]] && sleeps "$child" && return
  done
  return 1
}

# answers_with LINE ANSWER COMMAND...: of a cmdserver, without its prompt
answers_with() {
  "${@:3}" <<<"$1" >out 2>err
  [ "$(tail -n +2 out)" = "$2" ]
}
