# lockrun --slots: N at a time.

load helper/launch

setup() {
  launch_setup
  script hold 'echo held; exec sleep infinity'
}

teardown() {
  launch_teardown
}

hold() {
  background "$1" lockrun --slots "${@:2}" lock ./hold
  until_line "$1.out" held
}

# a waiter has its children, which wait
has_children() {
  [ -n "$(cat "/proc/$1/task/$1/children")" ]
}

@test "never more than N at a time, N at some time, and all get through" {
  local n pids=()
  # the first are inside until there are three
  script inside 'echo + >>log; until [ "$(grep -c + log)" -ge 3 ]; do :; done; echo - >>log'
  for n in {1..40}; do
    lockrun --slots 3 lock ./inside 3>&- &
    pids+=("$!")
  done
  wait "${pids[@]}"
  run awk '/\+/ { if (++n > max) max = n; all++ } /-/ { n-- } END { print all, n, max }' log
  [ "$output" = "40 0 3" ]
}

@test "all taken: 1 with -n, 124 with -t" {
  hold one 2
  run -0 lockrun --slots 2 -n lock true
  hold two 2
  run -1 lockrun --slots 2 -n lock true
  [ "$output" = "lockrun: lock lock: it is taken" ]
  run -124 timeout --foreground 60 lockrun --slots 2 -t 0.2 lock true
  # those that know of more slots find one
  run -0 lockrun --slots 3 -n lock true
}

@test "a killed holder's slot is free" {
  hold one 2
  hold two 2
  background waiter lockrun --slots 2 lock echo through
  until_true has_children "$waiter"
  kill -KILL "$two"
  ends_with 0 "$waiter"
  [ "$(cat waiter.out)" = through ]
  run -0 lockrun --slots 2 -n lock true
}

@test "waiters all get through, whichever slot becomes free, and leave nothing behind" {
  local n pids=()
  hold one 2
  hold two 2
  for n in {1..10}; do
    background "waiter$n" lockrun --slots 2 lock echo through
    pids+=("$!")
  done
  kill "$one"
  wait "${pids[@]}"
  [ "$(cat waiter*.out | grep -c through)" -eq 10 ]
}

@test "killed while it waits, the head of the queue leaves the next one its place" {
  hold one 1
  background head lockrun --slots 1 lock touch ran
  until_true has_children "$head"
  background next lockrun --slots 1 lock echo through
  until_true grep -qE "^[0-9]+: -> .* $next |^[0-9]+: -> OFDLCK .* 1099511627776 " /proc/locks
  kill -KILL "$head"
  kill "$one"
  ends_with 0 "$next"
  [ ! -e ran ]
}

@test "a process that waits for a slot in our place may be killed: another waits on" {
  background holder lockrun --slots 1 lock sleep 6315s
  until_true taken
  background next lockrun --slots 1 lock echo got
  until_true waiters_of "$next"
  local first
  first=$(waiters_of "$next")
  # shellcheck disable=SC2086 # pids
  kill -KILL $first
  until_true another_than "$first" "$next"
  kill "$holder"
  ends_with 0 "$next"
  [ "$(cat next.out)" = got ]
}

@test "a process that waits for a slot in our place is killed, and no other can be started: a message, and nobody is left" {
  need strace strace
  background holder lockrun --slots 2 lock sleep 600s
  background other lockrun --slots 2 lock sleep 600s
  until_true eval '! lockrun -n --slots 2 lock true 2>/dev/null'
  background next strace -D -qq -o trace -e trace=clone,clone3,fork,vfork -e inject=clone,clone3,fork,vfork:error=EAGAIN:when=3 \
    lockrun --slots 2 lock true
  until_true two_of "$next"
  local first
  first=$(waiters_of "$next")
  kill -KILL "${first%% *}"
  ends_with 111 "$next"
  [ "$(cat next.err)" = "lockrun: fork: Resource temporarily unavailable" ]
  finish "$holder"
  finish "$other"
}

# two_of PID: it has two children
two_of() {
  [ "$(waiters_of "$1" | wc -w)" -eq 2 ]
}

taken() {
  if lockrun -n --slots 1 lock true 2>/dev/null; then false; fi
}

# waiters_of PID: the pids of its children, of which there is one at least.
waiters_of() {
  local pids
  pids=$(cat "/proc/$1/task/$1/children") && [ -n "$pids" ] && echo "$pids"
}

# another_than PIDS PID
another_than() {
  local pids
  pids=$(waiters_of "$2") && [ "$pids" != "$1" ]
}
