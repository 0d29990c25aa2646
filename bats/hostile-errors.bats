# Errors that got lost on the way, each with its kind: what poll(2), prctl(2), /proc or unlink(2) refuse is reported with
# the call and the reason, never taken for silence, a dead parent, or nobody.

load helper/common
load helper/peers

setup() {
  common_setup
  here=$PWD
}

teardown() {
  common_teardown
}

@test "as many descriptors as are in use are enough to wait on: udptime, tcpclient" {
  start time timeserver 127.0.0.1 0
  run -0 bash -c 'exec 3>&- 4>&-; ulimit -n 6; exec udptime -t 60 -p "$1" 127.0.0.1' '' "$time_at"
  run -0 bash -c 'exec 3>&- 4>&-; ulimit -n 7; exec tcpclient localhost "$1" </dev/null >answer' '' "$time_at"
  [ "$(wc -c <answer)" -eq 4 ]
  finish "$time"
}

@test "a poll(2) that fails is an error, and no silence" {
  need strace strace
  start time timeserver 127.0.0.1 0
  script bin/mute 'exec cat >/dev/null'
  start held tcpserver 127.0.0.1 0 mute
  local call
  for call in "alive -w $$" "waitfor -t 60 exit $$" "udptime -t 60 -p $time_at 127.0.0.1" \
    "udpclient -t 60 127.0.0.1 $time_at x" "tcpclient 127.0.0.1 $held_at" "tcpclient localhost $held_at" \
    "webget http://127.0.0.1:$held_at/" "webget http://localhost:$held_at/" "tcptime -t 60 -p $held_at 127.0.0.1"; do
    # shellcheck disable=SC2086 # words
    run timeout --foreground 60 strace -f -qq -o /dev/null -e inject=ppoll:error=ENOMEM $call
    [[ $status -ne 0 && $status -ne 124 && $output == *"Cannot allocate memory"* ]] || {
      echo "$call: status $status, $output"
      false
    }
  done
  finish "$time"
  finish "$held"
}

@test "a refused prctl(2) is no dead parent" {
  need strace strace
  run -111 strace -f -qq -o /dev/null -e inject=prctl:error=EPERM lockrun lock true
  [ "$output" = "lockrun: prctl true: Operation not permitted" ]
  run -111 strace -f -qq -o /dev/null -e inject=prctl:error=EPERM withserver sh -c 'echo 5' ::: true
  [ "$output" = "withserver: prctl sh (stage 0): Operation not permitted" ]
}

@test "a child in another PID namespace sees no parent: that is not the parent's end" {
  unshare -p true 2>/dev/null || skip "needs root, for a PID namespace"
  start time timeserver 127.0.0.1 0
  local call
  for call in 'lockrun lock true' 'lockrun --slots 2 lock true' "withserver sh -c 'echo 5; exec sleep 6502s' ::: true" \
    'deadline 60 true' 'reap true' pipedemo "tcptime -t 60 -p $time_at 127.0.0.1" 'daemonize --foreground -p pid true'; do
    eval "run -0 timeout --foreground 60 unshare -p $call"
  done
  finish "$time"
}

@test "/proc: that it is not mounted, or another's, is said" {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "a sanitizer does not start there"
  unshare -m true 2>/dev/null || skip "needs root, for a mount namespace"
  : >lock
  run -111 unshare -m sh -c 'mount -t tmpfs none /proc && exec lockrun --who lock'
  [ "$output" = "lockrun: look at /proc: it is not mounted" ]
  run -111 unshare -m sh -c 'mount -t tmpfs none /proc && exec ipcbox status'
  [ "$output" = "status: look at /proc: it is not mounted" ]
  run -111 unshare -p --fork lockrun --who lock
  [ "$output" = "lockrun: look at /proc: it shows another PID namespace" ]
  run -0 unshare -m sh -c 'mount -t tmpfs none /proc && daemonize true'
  [ -z "$output" ]
}

@test "a missing /dev/null is named, not the program that was to get it" {
  unshare -m true 2>/dev/null || skip "needs root, for a mount namespace"
  : >in
  local call
  for call in 'daemonize --foreground -p pid true' 'withserver sh -c "echo 5" ::: true' 'tcpserver -1 127.0.0.1 0 true' \
    'cmdserver a=true'; do
    echo a >in
    run timeout --foreground 60 unshare -m sh -c 'exec 5<in && mount -t tmpfs none /dev && exec "$@" <&5' '' bash -c "$call"
    [[ $output == *"/dev/null"* ]]
  done
}

@test "no descriptor for /proc: --who says so, and does not say that there is nobody" {

  background holder lockrun lock sh -c 'echo held; exec sleep 6503s'
  until_line holder.out held
  run -111 bash -c 'exec 3>&- 4>&-; ulimit -n 4; exec lockrun --who lock'
  [[ $output == "lockrun: "*": Too many open files" ]]
  kill "$holder"
}

@test "a file that can't be removed at the end: 111, and a message" {
  need strace strace
  local call
  for call in 'mkfifo-sig --ready-fd 6 file echo' 'unixserver --ready-fd 6 file cat' 'udpserver --ready-fd 6 --unix file cat'; do
    mkfifo up
    # shellcheck disable=SC2086 # words
    background traced sh -c 'exec 6>up; exec strace -D -f -qq -o /dev/null -e trace=unlink,unlinkat -e inject=unlink,unlinkat:error=EROFS "$@"' '' $call
    read -r _ <up || :
    kill -TERM "$traced"
    ends_with 111 "$traced"
    [ "$(cat traced.err)" = "${call%% *}: remove file: Read-only file system" ] || {
      cat traced.err
      false
    }
    rm -rf up file .file*
  done
}

@test "SIGTERM that was ignored at the start: clients end by it, and who waits for a lock" {
  mkfifo in
  exec 7<>in
  background holder lockrun lock sh -c 'echo held; exec sleep 6504s'
  until_line holder.out held
  script bin/mute 'exec cat >/dev/null'
  start held tcpserver 127.0.0.1 0 mute
  start sink udpserver 127.0.0.1 0 mute
  local call
  for call in 'lockrun lock true' "tcpclient 127.0.0.1 $held_at" \
    "webget -t 600 http://127.0.0.1:$held_at/" "webget -o out -t 600 http://127.0.0.1:$held_at/" \
    "udptime -t 600 -p $sink_at 127.0.0.1" "tcptime -t 600 -p $held_at 127.0.0.1" "udpclient -t 600 127.0.0.1 $sink_at x"; do
    # shellcheck disable=SC2086 # words
    background waiter sh -c 'exec env --ignore-signal=TERM "$@" <in' '' $call
    until_true sleeps "$waiter"
    kill -TERM "$waiter"
    ends_with 143 "$waiter"
  done
  exec 7>&-
  kill "$holder"
  finish "$held"
  finish "$sink"
}

# sleeps PID: it is the applet, and waits.
sleeps() {
  [ "/proc/$1/exe" -ef "$IPCBOX" ] && grep -q '^State:.S' "/proc/$1/status"
}

# faulted SECONDS FAULT COMMAND...: COMMAND with that inject= of strace; it is not to take as long
faulted() {
  status=0
  timeout --foreground "$1" strace -D -f -b execve -qq -o /dev/null -e "inject=$2" "${@:3}" >out 2>&1 3>&- 4>&- || status=$?
  output=$(<out)
}

@test "launchers go on where poll(2) fails: each descriptor is looked at by itself" {
  need strace strace
  echo one >file
  faulted 60 ppoll:error=EINVAL pipecat file 'echo two |'
  [ "$status" -eq 0 ]
  [[ $output == *"pipecat: poll: Invalid argument"* && $output == *one* && $output == *two* ]]
  faulted 60 ppoll:error=ENOMEM withserver sh -c 'echo 5; exec sleep 6505s' ::: echo answer
  [ "$status" -eq 0 ]
  [[ $output == *"withserver: poll: Cannot allocate memory"* && $output == *answer* ]]
  faulted 60 ppoll:error=ENOMEM daemonize -p pid --ready fd sh -c 'echo >&$READY_FD; exec sleep 6506s'
  [ "$status" -eq 0 ]
  faulted 60 ppoll:error=EINVAL daemonize --stop -p pid
  [ "$status" -eq 0 ]
  run ! [ -e pid ]
}

@test "where poll(2) fails, the keeper of --for sees the end of its process" {
  need strace strace
  sleep 6508s 3>&- &
  faulted 60 ppoll:error=ENOMEM lockrun --for $! lock
  [ "$status" -eq 0 ]
  run -1 lockrun -n lock true
  kill $!
  run -0 lockrun -t 60 lock true
}

@test "a name that can't be looked at is an error, and no other file" {
  need strace strace
  faulted 60 newfstatat:error=EACCES -P .socket.lock unixserver -1 socket cat
  [ "$status" -eq 111 ]
  [ "$output" = "unixserver: take the lock beside socket: Permission denied" ]
  faulted 60 newfstatat:error=EACCES -P lock lockrun lock echo never
  [ "$status" -eq 111 ]
  [ "$output" = "lockrun: lock lock: Permission denied" ]
}

@test "a lock file that can't be looked at when it is to be removed is reported, beside a FIFO, too" {
  need strace strace
  local fifo
  background fifo strace -D -f -qq -o /dev/null -e trace=newfstatat -e inject=newfstatat:error=EACCES:when=2 -P .fifo.served \
    mkfifo-sig -n 1 fifo echo answer
  until_true test -p fifo
  [ "$(timeout 60 cat fifo)" = answer ]
  ends_with 111 "$fifo"
  [ "$(cat fifo.err)" = "mkfifo-sig: remove fifo: Permission denied" ]
  [ ! -e fifo ]
  rm .fifo.served
}

@test "lockrun --who: /proc/locks that can't be read is an error, and not nobody" {
  need strace strace
  : >lock
  faulted 60 openat:error=EACCES -P /proc/locks lockrun --who lock
  [ "$status" -eq 111 ]
  [ "$output" = "lockrun: look at /proc/locks: Permission denied" ]
}

@test "status: a table of the kernel that can't be read is an error, not an object" {
  need strace strace
  faulted 60 read:error=EIO:when=1 -P /proc/sysvipc/sem ipcbox status --json
  [ "$status" -eq 111 ]
  [[ $output == *"status: look at /proc: Input/output error" ]]
  [[ $output != *semset* ]]
}

@test "where poll(2) fails, udpserver ends by TERM, too" {
  need strace strace
  mkfifo up
  background traced sh -c 'exec 6>up; exec strace -D -f -b execve -qq -o /dev/null -e inject=ppoll:error=EINVAL udpserver --ready-fd 6 127.0.0.1 0 cat'
  read -r _ <up
  kill -TERM "$traced"
  ends_with 0 "$traced"
}

@test "a lock beside the file that can't be removed at the end: 111, and a message" {
  need strace strace
  mkfifo up
  background traced sh -c 'exec 6>up; exec strace -D -f -qq -o /dev/null -e trace=unlink,unlinkat -P .socket.lock -e inject=unlink,unlinkat:error=EBUSY:when=2+ unixserver --ready-fd 6 socket cat'
  read -r _ <up
  kill -TERM "$traced"
  ends_with 111 "$traced"
  [ "$(cat traced.err)" = "unixserver: remove socket: Device or resource busy" ]
}

@test "daemonize --status says why it doesn't know all" {
  need strace strace
  daemonize -p pid sleep 6507s
  faulted 60 readlinkat:error=EIO daemonize --status -p pid
  daemonize --stop -p pid
  [ "$status" -eq 0 ]
  [[ $output == *"daemonize: ask the monitor for its state: Input/output error"* && $output == *"running: pid "* ]]
}
