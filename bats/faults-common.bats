# One call that fails in what applets have in common, as in faults.bats.

load helper/common
load helper/peers
load helper/faults

@test "files that are read, and that cannot be" {
  printf '%s\n' '[::1]:allow' >rules
  (umask 077 && echo secret >auth)
  each_fault <<END
read:error=EIO -P $PWD/rules | 111 | rules rules: Input/output error | tcpserver --explain ::1 -x rules
read:retval=0 -P $PWD/rules | 100 | rules rules: changed while it was being read (write a new file, and rename it with mv) | tcpserver --explain ::1 -x rules
read:error=EIO -P $PWD/auth | 111 | read auth: Input/output error | lockrun --redis-auth auth redis:x true
openat:error=EACCES -P $PWD/auth | 111 | open $PWD/auth: Permission denied | lockrun --redis-auth $PWD/auth redis:x true
END
}

# The C library's choice whether it is one call or the other
@test "files whose state cannot be told" {
  local fstat=fstat,newfstatat,statx
  mkdir dir
  echo '[::1]:allow' >rules
  (umask 077 && echo secret >auth)
  each_fault <<END
$fstat:error=EIO:when=1 -P $PWD/rules | 111 | rules rules: Input/output error | tcpserver --explain ::1 -x rules
$fstat:error=EIO:when=2 -P $PWD/rules | 111 | rules rules: Input/output error | tcpserver --explain ::1 -x rules
$fstat:error=EIO -P $PWD/auth | 111 | open auth: Input/output error | lockrun --redis-auth auth redis:x true
$fstat:error=EIO -P $PWD/dir | 111 | open $PWD/dir/out: Input/output error | daemonize --foreground -o dir/out true
fcntl:error=EIO -P $PWD/out | 111 | open $PWD/out: Input/output error | daemonize --foreground -o out true
getcwd:error=ENOENT | 111 | getcwd: No such file or directory | daemonize --foreground -o out true
END
}

@test "a path's links: as many as the kernel follows, and no longer than it takes" {
  local n
  mkdir dir
  for ((n = 1; n <= 40; n++)); do
    ln -s "$((n + 1))" "$n"
  done
  ln -s dir 41
  ln -s "$(printf 'x/%.0s' {1..2047})y" long
  run -111 daemonize --foreground -o 1/out echo text
  [ "$output" = "daemonize: open $PWD/1/out: Too many levels of symbolic links" ]
  run -0 daemonize --foreground -o 2/out echo text
  [ "$(<dir/out)" = text ]
  run -111 daemonize --foreground -o long/dir/out true
  [ "$output" = "daemonize: open $PWD/long/dir/out: File name too long" ]
}

@test "a user whom the kernel does not let one become, or says so and does not" {
  need_root
  each_fault <<'END'
getgroups:retval=9 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
getresgid:retval=0 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
getresgid:error=EINVAL:when=2 | 111 | change user: Invalid argument | tcpserver -u daemon 127.0.0.1 0 true
getresuid:error=EINVAL:when=2 | 111 | change user: Invalid argument | tcpserver -u daemon 127.0.0.1 0 true
setresuid:retval=0 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setresgid:retval=0 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setresgid:error=EPERM | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setuid:retval=0 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setgid:retval=0 | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setgroups:error=EPERM | 111 | change user: Operation not permitted | tcpserver -u daemon 127.0.0.1 0 true
setgroups:error=ENOMEM | 111 | change user: Cannot allocate memory | tcpserver -u daemon 127.0.0.1 0 true
capget:error=EPERM | 0 | | daemonize --foreground -u daemon true
setgroups:error=EPERM | 111 | change user true: Operation not permitted | daemonize --foreground -u daemon true
END
}

@test "a lock: a file system that wants it open for writing, or has none" {
  each_fault <<END
flock:error=EBADF:when=1 | 0 | | lockrun lock true
flock:error=EIO:when=1 | 0 | | lockrun lock true
flock:error=EBADF | 111 | lock lock: Bad file descriptor | lockrun lock true
flock:error=EBADF:when=1 | 111 | lock lock: Bad file descriptor | lockrun --shared lock true
flock:error=EINTR:when=1 | 0 | | lockrun lock true
fcntl:error=EACCES:when=1 | 0 | | lockrun --fcntl lock true
fcntl:error=EACCES | 1 | lock lock: it is taken | lockrun -t 0 --fcntl lock true
openat:error=EROFS:when=1 -P $PWD/lock | 0 | | lockrun $PWD/lock true
openat:error=EROFS -P $PWD/lock | 111 | lock $PWD/lock: Read-only file system | lockrun $PWD/lock true
END
}

@test "bytes that the kernel does not move from one end to the other" {
  head -c 300000 /dev/zero >zeros
  each_fault <<END
splice:error=EPERM | 0 | | pipecat 'cat zeros|' >out
splice:error=ENOSPC | 111 | write stdout: No space left on device | pipecat 'cat zeros|' >out
splice:error=EDQUOT | 111 | write stdout: Disk quota exceeded | pipecat 'cat zeros|' >out
splice:error=EFBIG | 111 | write stdout: File too large | pipecat 'cat zeros|' >out
sendfile:error=EINTR:when=1 | 0 | | pipecat zeros >out
sendfile:error=ENOSPC | 111 | write stdout: No space left on device | pipecat zeros >out
sendfile:error=EIO | 111 | read zeros: Input/output error | pipecat zeros >out
pipe2:error=EMFILE:when=2 | 111 | pipe: Too many open files | open2 cat
pipe2:error=EMFILE:when=3 | 111 | pipe: Too many open files | open3 cat
clone,clone3,fork,vfork:error=EAGAIN | 111 | fork cat: Resource temporarily unavailable | open2 cat
openat:error=EIO -P /dev/ptmx | 111 | open a terminal: Input/output error | open2 --pty cat
END
}

@test "a FIFO that can't be made, or watched" {
  each_fault <<END
inotify_init1:error=EMFILE | 111 | serve fifo: Too many open files | mkfifo-sig fifo true
inotify_add_watch:error=ENOSPC | 111 | serve fifo: No space left on device | mkfifo-sig fifo true
mknodat:error=EPERM | 111 | serve fifo: Operation not permitted | mkfifo-sig fifo true
END
}

@test "what ipcbox status may not look at is not there, and what it cannot is an error" {
  each_fault <<'END'
pipe2:error=EMFILE | 111 | look at /proc: Too many open files | ipcbox status
ppoll,poll:error=ENOMEM | 111 | look at /proc: Cannot allocate memory | ipcbox status
read:error=EIO -P /proc/locks | 111 | look at /proc: Input/output error | ipcbox status
openat:error=ENOENT -P /proc/locks | 0 | | ipcbox status
openat:error=EACCES -P /proc/locks | 0 | | ipcbox status
openat:error=EPERM -P /proc/locks | 0 | | ipcbox status
openat:error=ESRCH -P /proc/locks | 0 | | ipcbox status
END
}

@test "descriptors 0 to 2 that are closed, where there is no /dev/null for them" {
  each_fault <<'END'
openat:error=EMFILE -P /dev/null | 111 | open /dev/null: Too many open files | ipcbox lockrun lock true <&-
openat:error=EMFILE:when=2 -P /dev/null | 111 | | tcpserver 127.0.0.1 0 true 2>&-
readlink:error=EACCES | 0 | | ipcbox help
ppoll:retval=0:when=1 | 0 | | pipecat 'echo a|'
END
}

@test "who holds a lock, where that cannot be read" {
  : >lock
  each_fault <<END
read:error=EIO -P /proc/locks | 111 | look at /proc/locks: Input/output error | lockrun --who lock
openat:error=EACCES -P $PWD/lock | 111 | open $PWD/lock: Permission denied | lockrun --who $PWD/lock
- | 111 | open none: No such file or directory | msgsend --redis-auth none redis:queue text
END
}

@test "readiness: a socket for it that cannot be had, or that reaches nobody" {
  each_fault <<'END'
socket:error=EMFILE | 111 | socket NOTIFY_SOCKET: Too many open files | withserver --notify true ::: true
setsockopt:error=EPERM | 111 | socket NOTIFY_SOCKET: Operation not permitted | withserver --notify true ::: true
bind:error=ENOMEM | 111 | socket NOTIFY_SOCKET: Cannot allocate memory | withserver --notify true ::: true
getsockname:error=ENOBUFS | 111 | socket NOTIFY_SOCKET: No buffer space available | withserver --notify true ::: true
END
  NOTIFY_SOCKET=@nobody each_fault <<'END'
socket:error=EMFILE | 111 | report readiness to NOTIFY_SOCKET: Too many open files | mkfifo-sig fifo true
connect:retval=0 | 111 | report readiness to NOTIFY_SOCKET: Transport endpoint is not connected | mkfifo-sig fifo true
END
}

@test "--inherit: no number of sockets, a closed one, too many, and fewer names than sockets" {
  # shellcheck disable=SC2016 # for that shell
  local inherit='for ((fd = 3; fd < 36; fd++)); do eval "exec $fd</dev/null"; done
    [ -z "${CLOSED:-}" ] || eval "exec $CLOSED<&-"
    LISTEN_PID=$$ exec env "$@" tcpserver --inherit'
  run -100 bash -c "$inherit true" '' -u LISTEN_FDS
  [ "$output" = "tcpserver: inherit: LISTEN_FDS has no socket" ]
  CLOSED=5 run -111 bash -c "$inherit true" '' LISTEN_FDS=3
  [ "$output" = "tcpserver: inherit LISTEN_FDS: Bad file descriptor" ]
  run -100 bash -c "$inherit true" '' LISTEN_FDS=33
  [ "$output" = "tcpserver: inherit LISTEN_FDS: Argument list too long" ]
  run -100 bash -c "$inherit=b true" '' LISTEN_FDS=3 LISTEN_FDNAMES=a:c
  [ "$output" = "tcpserver: inherit: LISTEN_FDS has no socket b" ]
}

@test "the signal of the timer under which a lock is waited for: another's has the effect that it would have had" {
  local holder waiting how wanted sig
  for how in default ignore; do
    background holder lockrun lock sleep 600s
    until_true eval 'ipcbox lockrun --who lock >/dev/null'
    background waiting env --$how-signal=54,55 lockrun -t 600 lock true
    until_true grep -q -e "-> FLOCK .* $waiting " /proc/locks
    sig=$(timer_signal "$waiting")
    kill -"$sig" "$waiting"
    wanted=$((128 + sig))
    if [ $how = ignore ]; then
      wanted=$((128 + 60))
      kill -60 "$waiting" # which comes after it
    fi
    ends_with $wanted "$waiting"
    finish "$holder"
  done
}

# timer_signal PID: the one that it catches, 54 or, of musl, 55
timer_signal() {
  local caught
  caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
  case $((0x$caught >> 53 & 3)) in 1) echo 54 ;; 2) echo 55 ;; *) return 1 ;; esac
}
