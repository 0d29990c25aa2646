# lockrun: one at a time, with a lock that other programs see.

load helper/launch

setup() {
  launch_setup
  script hold 'echo held; exec sleep infinity'
  script deaf 'trap "" TERM; echo held; while :; do read -rt 60 <> <(:); done'
}

teardown() {
  launch_teardown
}

# hold VAR COMMAND...: it holds the lock, in the background.
hold() {
  background "$@"
  until_line "$1.out" held
}

# waits_for_lock PID: for one that another has, on the file that it has open as lock.
waits_for_lock() {
  local fd
  for fd in "/proc/$1/fd"/*; do
    [[ $(readlink "$fd") == */lock* ]] || continue
    grep -qE "^[0-9]+: -> .*:$(stat -Lc %i "$fd") " /proc/locks && return
  done
  return 1
}

# let_go PID: ends it by TERM, with what it runs.
let_go() {
  finish "$1"
  [ "$status" -eq 143 ]
}

@test "PROG's exit status is ours, and a signal that kills it kills us" {
  local code signal
  for code in 0 1 2 7 100 111 124 126 127 128 143 254 255; do
    run "-$code" timeout --foreground 60 lockrun lock sh -c "exit $code"
    [ -z "$output" ]
  done
  for signal in 1 2 9 13 15 35; do
    run -0 how_it_ends lockrun lock does default "$signal" kill "$signal" self sleep
    [ "$output" = "exit 0 signal $signal" ]
  done
  [ -f lock ]
}

@test "a program that does not exist is 127, one that cannot be executed 126" {
  touch plain
  run -127 lockrun lock ./nothing
  [ "$output" = "lockrun: ./nothing: No such file or directory" ]
  run -126 lockrun lock ./plain
  [ ! -e lock ]
}

@test "a signal that we were started deaf to does not end the wait: RTMAX, which times it, neither" {
  local signal waiter
  hold holder lockrun lock ./hold
  for signal in USR1 RTMAX; do
    background waiter bash -c 'trap "" "$0" && exec lockrun -t 60 lock true' "$signal"
    until_true waits_for_lock "$waiter"
    kill -"$signal" "$waiter"
    until_true grep -q '^ShdPnd:.0*$' "/proc/$waiter/status"
    finish "$waiter"
    [ "$status" -eq 143 ]
  done
}

@test "flock(1) and lockrun exclude each other" {
  need flock util-linux
  hold holder lockrun lock ./hold
  run -1 flock -n lock true
  run -1 lockrun -n lock true
  [ "$output" = "lockrun: lock lock: it is taken" ]
  run -1 lockrun -q -n lock true
  [ -z "$output" ]
  let_go "$holder"
  run -0 flock -n lock true
  hold holder flock lock ./deaf
  run -1 lockrun -n lock touch ran
  run -1 lockrun -t 0 lock touch ran
  kill -KILL "$holder" "$(tr -d " " <"/proc/$holder/task/$holder/children")"
  wait "$holder" || :
  run -0 lockrun -t 30 lock true
  [ ! -e ran ]
}

@test "another program's flock and lockrun exclude each other" {
  hold holder lockrun lock ./hold
  run -1 file-lock flock lock try
  [ "$output" = taken ]
  let_go "$holder"
  hold holder file-lock flock lock hold
  run -1 lockrun -n lock true
}

@test "--fcntl and another program's fcntl locks exclude each other" {
  hold holder lockrun --fcntl lock ./hold
  run -1 file-lock fcntl lock try
  [ "$output" = taken ]
  run -1 lockrun --fcntl -n lock true
  let_go "$holder"
  run -0 file-lock fcntl lock try
  hold holder file-lock fcntl lock hold
  run -1 lockrun --fcntl -n lock true
  # not flock's
  run -0 lockrun -n lock true
}

@test "-s: those that share, and those that don't" {
  local kind
  for kind in '' --fcntl; do
    hold one lockrun -s $kind lock ./hold
    hold two lockrun --shared -n $kind lock ./hold
    run -1 lockrun -n $kind lock true
    let_go "$one"
    run -1 lockrun -n $kind lock true
    let_go "$two"
    hold one lockrun $kind lock ./hold
    run -1 lockrun -s -n $kind lock true
    let_go "$one"
  done
}

@test "-t: 124 in time, and less than a second will do" {
  local began kind
  hold holder lockrun lock ./hold
  hold other lockrun --fcntl lock ./hold
  for kind in '' --fcntl; do
    began=${EPOCHREALTIME/./}
    run -124 timeout --foreground 60 lockrun $kind -t 300ms lock touch ran
    ((${EPOCHREALTIME/./} - began >= 300000))
    ((${EPOCHREALTIME/./} - began < 20000000))
    [ "$output" = "lockrun: lock lock: the deadline passed" ]
    run -124 timeout --foreground 60 lockrun -q $kind -t 10ms lock touch ran
    [ -z "$output" ]
  done
  [ ! -e ran ]
}

@test "-t is for the lock, not for PROG" {
  run -3 timeout --foreground 60 lockrun -t 0.1 lock does pause 500 exit 3
}

@test "a waiter gets the lock as soon as it is free" {
  local kind
  for kind in '' --fcntl; do
    hold holder lockrun $kind lock ./hold
    background waiter lockrun $kind -t 50 lock echo got it
    until_true waits_for_lock "$waiter"
    let_go "$holder"
    ends_with 0 "$waiter"
    [ "$(cat waiter.out)" = "got it" ]
  done
}

@test "64 at once count to 64" {
  local n pids=() kind
  for kind in '' --fcntl; do
    echo 0 >counter
    for n in {1..64}; do
      lockrun $kind lock sh -c 'read -r n <counter; does pause 1; echo $((n + 1)) >counter' 3>&- &
      pids+=("$!")
    done
    wait "${pids[@]}"
    [ "$(cat counter)" -eq 64 ]
  done
}

@test "a file that was replaced meanwhile is not a lock" {
  local kind
  for kind in '' --fcntl; do
    hold holder lockrun $kind lock ./hold
    background waiter lockrun $kind lock ./hold
    until_true waits_for_lock "$waiter"
    rm lock
    hold other lockrun $kind lock ./hold
    let_go "$holder"
    until_true waits_for_lock "$waiter"
    [ ! -s waiter.out ]
    let_go "$other"
    until_line waiter.out held
    run -1 lockrun $kind -n lock true
    let_go "$waiter"
  done
}

@test "a file that was removed meanwhile is made again" {
  hold holder lockrun lock ./hold
  background waiter lockrun lock ./hold
  until_true waits_for_lock "$waiter"
  rm lock
  let_go "$holder"
  until_line waiter.out held
  run -1 lockrun -n lock true
}

@test "killed: PROG is gone, and the lock is free" {
  local prog
  hold holder lockrun lock ./deaf
  prog=$(tr -d ' ' <"/proc/$holder/task/$holder/children")
  kill -KILL "$holder"
  ends_with 137 "$holder"
  run -0 lockrun -n lock true
  until_true gone "$prog"
}

@test "neither PROG nor its children have the lock's fd; a child that outlives PROG holds nothing" {
  local kind
  for kind in '' --fcntl '--slots 1'; do
    rm -f pid
    run -0 timeout --foreground 60 lockrun $kind lock bash -c 'ls -l /proc/self/fd | grep -c "/lock$"
      sleep infinity >/dev/null 2>&1 & echo $! >pid'
    [ "$output" = 0 ]
    kill -0 "$(cat pid)"
    run -0 lockrun $kind -n lock true
    kill "$(cat pid)"
  done
}

@test "TERM is passed on to PROG" {
  background holder lockrun lock "$HELPERS/signals"
  until_line holder.out ready
  kill -USR1 "$holder"
  until_line holder.out 'it 10'
  run -1 lockrun -n lock true
  finish "$holder"
  [ "$status" -eq 0 ]
  until_line holder.out 'it 15'
}

@test "TERM terminates a waiter, and PROG is not run" {
  local kind signal
  for kind in '' --fcntl '--slots 1'; do
    hold holder lockrun $kind lock ./hold
    for signal in TERM INT HUP; do
      background waiter lockrun $kind lock touch ran
      until_true grep -qE "^[0-9]+: -> " /proc/locks
      until_true asleep "$waiter" lockrun
      kill -"$signal" "$waiter"
      ends_with $((128 + $(kill -l $signal))) "$waiter"
      [ ! -s waiter.err ]
    done
    let_go "$holder"
  done
  [ ! -e ran ]
}

@test "a waiter does not poll: a timer's tick in 50 ms, and no more" {
  need strace strace
  hold holder lockrun lock ./hold
  run -124 timeout --foreground 60 strace -f -qq -o trace -e trace=flock,setitimer,rt_sigprocmask,rt_sigreturn lockrun -t 1 lock true
  # flock and its SIGALRM, sigreturn and clock, 20 times
  (($(grep -c 'flock(' trace) <= 30))
  (($(wc -l <trace) <= 250))
}

@test "--who names the holder" {
  run -1 lockrun --who lock
  [ -z "$output" ]
  touch lock
  run -1 lockrun --who lock
  local kind
  for kind in '' -s --fcntl '--slots 2'; do
    hold holder lockrun $kind lock ./hold
    run -0 lockrun --who lock
    [ "$output" = "$holder lockrun" ]
    let_go "$holder"
  done
  hold holder file-lock flock lock hold
  run -0 lockrun --who lock
  [ "$output" = "$holder file-lock" ]
  kill -KILL "$holder"
  wait "$holder" || :
  hold holder file-lock fcntl lock hold
  run -0 lockrun --who lock
  [ "$output" = "$holder file-lock" ]
}

@test "--who does not name waiters" {
  local kind
  for kind in '' --fcntl '--slots 1'; do
    hold holder lockrun $kind lock ./hold
    background waiter lockrun $kind lock true
    until_true grep -qE "^[0-9]+: -> " /proc/locks
    run -0 lockrun --who lock
    [ "$output" = "$holder lockrun" ]
    let_go "$holder"
    ends_with 0 "$waiter"
  done
}

@test "FILE may be a directory, or a file that we may only read" {
  mkdir directory
  run -3 lockrun directory sh -c 'exit 3'
  need_root
  chmod 755 . ..
  touch readable
  chmod 444 readable
  run -3 setpriv --reuid nobody --clear-groups lockrun readable sh -c 'exit 3'
}

@test "no file, and none can be made: 111" {
  run -111 lockrun nowhere/lock touch ran
  [ "$output" = "lockrun: nowhere: No such file or directory" ]
  need_root
  chmod 755 . ..
  run -111 setpriv --reuid nobody --clear-groups lockrun ./lock touch ran
  [ "$output" = "lockrun: lock ./lock: Permission denied" ]
  [ ! -e ran ]
}

@test "usage errors are reported, and nothing is done" {
  wrong_call lockrun
  wrong_call lockrun lock
  wrong_call lockrun '' touch ran
  wrong_call lockrun --who
  wrong_call lockrun --who lock touch ran
  wrong_call lockrun -t 5x lock touch ran
  wrong_call lockrun -t -1 lock touch ran
  wrong_call lockrun -t '' lock touch ran
  wrong_call lockrun --slots 0 lock touch ran
  wrong_call lockrun --slots -1 lock touch ran
  wrong_call lockrun --slots 257 lock touch ran
  wrong_call lockrun --slots 2x lock touch ran
  wrong_call lockrun --slots 2 -s lock touch ran
  wrong_call lockrun --nonb lock touch ran
  wrong_call lockrun --status-fd 77 lock touch ran
  [ ! -e ran ]
  [ ! -e lock ]
}

@test "--for: when the process exits while we wait, that is the end of it" {
  local option victim
  for option in '' --fcntl '--slots 1'; do
    # shellcheck disable=SC2086 # words
    hold holder lockrun $option lock ./hold
    background victim sleep 6401s
    # shellcheck disable=SC2086 # words
    background waiter lockrun $option --for "$victim" lock
    until_true waits_somehow
    kill "$victim"
    ends_with 111 "$waiter"
    [ "$(cat waiter.err)" = "lockrun: lock lock: the process of --for has exited" ]
    let_go "$holder"
  done
}

# waits_somehow: $waiter, or a child of its own, waits for a lock.
waits_somehow() {
  waits_for_lock "$waiter" || waits_for_lock "$(cut -d' ' -f1 <"/proc/$waiter/task/$waiter/children")"
}

@test "--fcntl --fd: a descriptor that the lock can't be taken by" {
  : >lock
  run -111 lockrun --fcntl --fd 5 5<lock
  [ "$output" = "lockrun: lock 5: --fcntl needs a descriptor that is open for writing" ]
  run -111 lockrun --fcntl -s --fd 5 5>lock
  [ "$output" = "lockrun: lock 5: --fcntl --shared needs a descriptor that is open for reading" ]
  run -0 lockrun --fcntl --fd 5 5<>lock
}

@test "--who: a holder that we may not look at is reported, not taken for none" {
  need_root
  hold holder lockrun lock ./hold
  chmod 755 .
  run -111 setpriv --reuid 65534 --regid 65534 --clear-groups "$IPCBOX" lockrun --who "/proc/self/fd/5" 5<lock
  [ "$output" = "lockrun: look at the holder of /proc/self/fd/5: it is a process that we may not look at" ]
  let_go "$holder"
}

@test "an alarm(2) of before is neither lost nor ours: it kills who waits, and comes to PROG" {
  hold holder lockrun lock ./hold
  run -142 alarmed 1 lockrun lock true
  let_go "$holder"
  run -142 alarmed 1 lockrun lock sleep 6402s
}
