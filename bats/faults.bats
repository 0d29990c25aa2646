# One call that fails, where an applet sets itself up or does its work: a message that names the call and the reason, and the
# status of a system that said no. `make torture` tries all calls of the main uses; here is what it does not reach, by name.

load helper/common
load helper/peers
load helper/faults

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

@test "no timer can be had: a lock is not said to be taken for it, and a FIFO's reader is not tried again without end" {
  local holder fifo
  background holder lockrun lock sleep 6507s
  until_true eval 'ipcbox lockrun --who lock >/dev/null'
  each_fault <<'END'
timer_create:error=EAGAIN | 111 | lock lock: Cannot allocate memory | lockrun -t 60 lock true
END
  finish "$holder"
  background fifo strace -D -qq -o /dev/null -e trace=timer_create,pwritev2 -e inject=timer_create:error=EAGAIN \
    -e inject=pwritev2:error=EOPNOTSUPP mkfifo-sig fifo echo answer
  until_true test -p fifo
  timeout 60 cat fifo >answer
  until_line fifo.err '^mkfifo-sig: write fifo: Cannot allocate memory$'
  finish "$fifo"
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

@test "readiness that reaches nobody is an error at the start" {
  local to long
  printf -v long '/%0110d' 0
  for to in "$PWD/nobody" "$long"; do
    NOTIFY_SOCKET=$to run -111 timeout --foreground 60 tcpserver 127.0.0.1 0 true
    [[ $output == "tcpserver: report readiness to NOTIFY_SOCKET: "* ]]
  done
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

@test "memory that is refused: a message and no message lost, or the same result" {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers have their own malloc"
  need cc gcc
  unshare --ipc true 2>/dev/null || skip "needs an IPC namespace of its own"
  cc -D_GNU_SOURCE -shared -fPIC -o alloc.so "$BATS_TEST_DIRNAME/../check/torture/alloc.c"
  # shellcheck disable=SC2016
  run unshare --ipc bash -c 'msgdemo create 77
    for ((n = 1; n <= 8; n++)); do
      for call in "msgrecv -n 1 77" "msgrecv -n 1 77 cat"; do
        echo text | msgsend 77
        status=0
        TORTURE_ALLOC=$n LD_PRELOAD=$PWD/alloc.so $call >out 2>err || status=$?
        [ "$status" -ne 0 ] || { [ "$(<out)" = text ] && continue; }
        [[ $status == 111 || $status == 126 ]] && grep -q "Cannot allocate memory" err && [ "$(msgrecv -t 0 77)" = text ] && continue
        echo "allocation $n of $call: status $status, $(<out), $(<err)"
        exit 1
      done
    done'
  [ "$status" -eq 0 ] || {
    echo "$output"
    false
  }
}

@test "memory that is refused to a server: no socket file is left" {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers have their own malloc"
  need cc gcc
  cc -D_GNU_SOURCE -shared -fPIC -o alloc.so "$BATS_TEST_DIRNAME/../check/torture/alloc.c"
  local n call
  for call in 'unixserver socket true' 'udpserver --unix socket true'; do
    for n in 1 2 3 4 5; do
      run timeout --foreground 60 env TORTURE_ALLOC=$n LD_PRELOAD="$PWD/alloc.so" $call
      [[ $status == 111 || $status == 126 ]]
      [[ $output == *": Cannot allocate memory" ]]
      [ ! -e socket ]
    done
  done
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
