# alive: whether processes live, whoever's they are, and waiting for their end.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# sleeper VAR: a process that ends by itself only if a test fails.
sleeper() {
  background "$1" sleep 99.61s
}

# zombie: a process that has ended, in $zombie; its parent doesn't wait for it.
zombie() {
  background parent does fork 1 ';' last sleep
  until_line parent.out .
  zombie=$(cat parent.out)
  until_true grep -q '^State:.*Z' "/proc/$zombie/status"
}

# dead: the number of a process that has ended and been waited for, in $dead.
dead() {
  sh -c ':' &
  dead=$!
  wait "$dead"
}

# as_nobody APPLET [ARG]...: another user, who may not be able to reach our directory. (before=(background VAR): there.)
as_nobody() {
  # shellcheck disable=SC2016
  "${before[@]}" setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    bash -c 'exec -a "$0" /proc/self/fd/9 "$@"' "$@" 9<"$IPCBOX"
}

@test "one living process or several: 0 and silence" {
  sleeper one
  sleeper two
  run -0 alive "$one"
  [ -z "$output" ]
  run -0 alive "$one" "$two" "$BASHPID" "$one"
  [ -z "$output" ]
  run -0 alive -v "$one" "$two"
  [ "$output" = "alive: process $one: alive"$'\n'"alive: process $two: alive" ]
}

@test "a stopped process is alive" {
  sleeper one
  kill -STOP "$one"
  run -0 alive "$one"
}

@test "a process that has gone is reported, and the status is 1" {
  dead
  sleeper one
  run -1 --separate-stderr alive "$dead"
  [ "$stderr" = "alive: process $dead: gone" ]
  [ -z "$output" ]
  run -1 alive "$one" "$dead" "$one"
  [ "$output" = "alive: process $dead: gone" ]
  run -1 alive -q "$dead" "$one"
  [ -z "$output" ]
  run -1 alive 2147483647
}

@test "a zombie is gone" {
  zombie
  kill -0 "$zombie"
  run -1 alive "$zombie"
  [ "$output" = "alive: process $zombie: gone" ]
  run -0 alive "$parent"
}

@test "a thread ID is not a process" {
  background threaded does thread say up sleep
  until_line threaded.out up
  local tasks=(/proc/"$threaded"/task/*) task
  [ "${#tasks[@]}" -eq 2 ]
  for task in "${tasks[@]##*/}"; do
    [ "$task" = "$threaded" ] || break
  done
  kill -0 "$task"
  run -0 alive "$threaded"
  run -1 alive "$task"
  [ "$output" = "alive: process $task: gone" ]
  run -0 timeout --foreground 60 alive -w "$task"
}

@test "another user's process is alive, and is reported as one that we may not signal" {
  need_root
  need setpriv util-linux
  sleeper one
  run -0 --separate-stderr as_nobody alive "$one"
  [ "$stderr" = "alive: process $one: alive, but we may not signal it" ]
  [ -z "$output" ]
  run -0 as_nobody alive 1
  [ "$output" = "alive: process 1: alive, but we may not signal it" ]
  dead
  run -1 as_nobody alive "$one" "$dead"
  [ "$output" = "alive: process $one: alive, but we may not signal it"$'\n'"alive: process $dead: gone" ]
}

@test "-w waits for the end of another user's process" {
  need_root
  need setpriv util-linux
  sleeper one
  local before=(background wait)
  as_nobody alive -w "$one"
  until_true asleep "$wait" 9 # the name that it has been run by
  kill -TERM "$one"
  ends_with 0 "$wait"
  [ ! -s wait.out ]
  [ ! -s wait.err ]
}

@test "-w waits for the end of all" {
  sleeper one
  sleeper two
  background wait alive -w "$one" "$two" "$one"
  until_true asleep "$wait" alive
  kill -TERM "$two"
  ends_with 143 "$two"
  run -0 alive "$wait"
  kill -TERM "$one"
  ends_with 0 "$wait"
  [ ! -s wait.out ]
  [ ! -s wait.err ]
}

@test "-w: processes that have gone already and zombies have exited" {
  zombie
  dead
  run -0 timeout --foreground 60 alive -w "$dead"
  [ -z "$output" ]
  run -0 timeout --foreground 60 alive --wait "$zombie" "$dead"
  [ -z "$output" ]
  run -0 timeout --foreground 60 alive -w -t 0 "$zombie"
}

@test "-w returns when the process becomes a zombie, whether its parent waits for it or not" {
  background parent does fork 1 sleep ';' last sleep
  until_line parent.out .
  local child
  child=$(cat parent.out)
  background wait alive -w "$child"
  until_true asleep "$wait" alive
  kill -KILL "$child"
  ends_with 0 "$wait"
  kill -0 "$child"
}

@test "-w --any: the first end is enough, and is printed" {
  sleeper one
  sleeper two
  sleeper three
  background wait alive -w --any "$one" "$two" "$three"
  until_true asleep "$wait" alive
  kill -TERM "$two"
  ends_with 0 "$wait"
  [ "$(cat wait.out)" = "$two" ]
  kill -0 "$one"
  kill -0 "$three"
  dead
  run -0 timeout --foreground 60 alive --any --wait "$one" "$dead" "$two"
  [ "$output" = "$dead"$'\n'"$two" ]
}

@test "-t: 124 when the time has passed" {
  sleeper one
  dead
  SECONDS=0
  run -124 timeout --foreground 60 alive -w -t 100ms "$one" "$dead"
  [ "$output" = "alive: wait: the deadline passed" ]
  run -124 timeout --foreground 60 alive -q -w -t 0 "$one"
  [ -z "$output" ]
  run -124 timeout --foreground 60 alive -w -t 0 "$one"
  run -124 timeout --foreground 60 alive -w --any -t 0.1 "$one" "$BASHPID"
  ((SECONDS < 30))
  kill -0 "$one"
  run -0 timeout --foreground 60 alive -w --any -t 1h "$one" "$dead"
  [ "$output" = "$dead" ]
}

@test "-w: 300 processes at once, with room for few fds" {
  # the sleepers exit when hold has been written to; they stay zombies
  mkfifo hold
  background crowd does fork 300 pid open hold ';' sleep
  until_true crowd_is 300
  local pids
  mapfile -t pids <crowd.out
  run -0 alive "${pids[@]}"
  background wait prlimit --nofile=64:1024 alive -w "${pids[@]}"
  until_true asleep "$wait" alive
  run -124 timeout --foreground 60 alive -w -t 0 "${pids[@]}"
  kill -KILL "${pids[150]}"
  run -0 timeout --foreground 60 alive -w --any "${pids[@]}"
  [ "$output" = "${pids[150]}" ]
  run -0 alive "$wait"
  echo >hold
  ends_with 0 "$wait"
  [ ! -s wait.err ]
  run -1 alive "${pids[@]}"
  [ "${#lines[@]}" -eq 300 ]
}

crowd_is() {
  [ "$(wc -l <crowd.out)" -eq "$1" ]
}

@test "-w sleeps: it doesn't look again and again" {
  need strace strace
  background one sleep 0.7s
  run -0 timeout --foreground 60 strace -qq -o trace -e trace=ppoll,poll,nanosleep,clock_nanosleep,kill,openat \
    alive -w --any -t 1h "$one" "$BASHPID"
  [ "$output" = "$one" ]
  [ "$(grep -cE '^(ppoll|poll|nanosleep|clock_nanosleep|kill)\(' trace)" -le 4 ]
  run ! grep -E '/proc/[0-9]+/' trace
}

@test "usage errors" {
  local pid
  wrong_call alive
  wrong_call alive --
  wrong_call alive -w
  for pid in 0 -1 '' ' ' x 1x 0x1 +1 1.0 ' 1' 2147483648 99999999999999999999 -5; do
    wrong_call alive -- "$pid"
    wrong_call alive -- "$BASHPID" "$pid"
    wrong_call alive -w -- "$pid"
  done
  wrong_call alive -1
  wrong_call alive --any "$BASHPID"
  wrong_call alive -t 1 "$BASHPID"
  for pid in '' -1 x 1x; do
    wrong_call alive -w -t "$pid" "$BASHPID"
  done
}

@test "-w: more processes than there may be fds" {
  local pids=() i
  mkfifo gate
  exec {gate}<>gate
  for ((i = 0; i < 60; i++)); do
    sh -c 'read -r line' <gate 3>&- &
    pids+=("$!")
  done
  background waiter sh -c 'ulimit -n 40; exec timeout --foreground 60 alive -w "$@"' '' "${pids[@]}"
  for ((i = 0; i < 60; i++)); do echo; done >&"$gate"
  ends_with 0 "$waiter"
  [ ! -s waiter.err ]
}

@test "-w: a zombie that is left without a pidfd is seen, too" {
  mkfifo hold
  background crowd does fork 60 pid open hold ';' sleep
  until_true crowd_is 60
  local pids
  mapfile -t pids <crowd.out
  kill -KILL "${pids[50]}"
  run -0 sh -c 'ulimit -n 40; exec alive -w --any -t 20 "$@"' '' "${pids[@]}"
  [ "$output" = "${pids[50]}" ]
  echo >hold
}

@test "-w --any: any number of pids, and never a cut one" {
  # the kernel gives none of these (PID_MAX_LIMIT)
  seq 5000000 5019999 >pids
  # shellcheck disable=SC2046 # words
  run -0 alive -w --any $(cat pids)
  cmp pids - <<<"$output"
  run -111 sh -c 'alive -w --any $(cat pids) >/dev/full'
  [ "$output" = "alive: write stdout: No space left on device" ]
}
