# lockrun for scripts, as flock(1) is used there: --fd on a descriptor of the shell, --for its process, -E.
# shellcheck disable=SC2013,SC2086 # words

load helper/launch

setup() {
  launch_setup
  script hold 'echo held; exec sleep infinity'
  export OF_TEST=$BATS_TEST_TMPDIR
}

# keepers have left our directory: their environment tells whose they are
teardown() {
  env -u OF_TEST "$HELPERS/end-marked" "OF_TEST=$BATS_TEST_TMPDIR"
  launch_teardown
}

living() {
  background "$1" sleep infinity
}
is_free() {
  lockrun -n "$@" lock true 2>/dev/null
}
# keeper: its pid
keeper() {
  local pid
  for pid in $(grep -lzFx "OF_TEST=$OF_TEST" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = lockrun ]; then echo "$pid"; fi
  done
}

# ---- --fd ----

@test "--fd: the lock is the description's, until the last that has it open closes it" {
  local kind
  for kind in '' --fcntl; do
    exec {fd}>lock
    run -0 lockrun $kind -n --fd "$fd"
    [ -z "$output" ]
    # it is ours already: to lock it again changes nothing
    run -0 lockrun $kind -n --fd "$fd"
    run -1 lockrun $kind -n lock true
    [ "$output" = "lockrun: lock lock: it is taken" ]
    run -1 lockrun $kind -n --fd 9 9>>lock
    [ "$output" = "lockrun: lock 9: it is taken" ]
    run -124 timeout --foreground 60 lockrun $kind -t 50ms --fd 9 9>>lock
    [ "$output" = "lockrun: lock 9: the deadline passed" ]
    background child sleep infinity # which has a copy
    exec {fd}>&-
    run -1 lockrun $kind -n lock true
    kill "$child"
    wait "$child" || :
    is_free $kind
  done
}

@test "--fd and flock(1) on a descriptor exclude each other, and give the same answers" {
  local tool
  need flock util-linux
  exec {fd}<>lock
  run -0 lockrun -n --fd "$fd"
  run -1 flock -n 9 9>>lock
  run -0 flock -u "$fd"
  for tool in flock 'lockrun --fd'; do
    run -0 $tool "$fd"
    run -1 lockrun -n --fd 9 9>>lock
    run -0 flock -n -s "$fd" # now shared
    run -0 lockrun -n -s --fd 9 9>>lock
    run -1 lockrun -n --fd 9 9>>lock
    run -0 flock -u "$fd"
  done
  exec {fd}>&-
}

@test "--fd waits until the lock is free, and TERM ends the wait" {
  background holder bash -c 'exec 9>lock; lockrun --fd 9; echo held; exec sleep infinity'
  until_line holder.out held
  background waiter bash -c 'exec 9>>lock; exec lockrun -t 50 --fd 9'
  background told bash -c 'exec 9>>lock; exec lockrun --fd 9'
  until_true asleep "$waiter" lockrun
  until_true asleep "$told" lockrun
  finish "$told"
  [ "$status" -eq 143 ]
  kill "$holder"
  ends_with 0 "$waiter"
  is_free
}

@test "flock(1)'s documented examples, with lockrun in its place" {
  local tool
  need flock util-linux
  # two at a time on a directory: exclusive fails, shared does not
  mkdir dir
  for tool in 'flock -F' lockrun; do
    background holder $tool dir ./hold
    until_line holder.out held
    run -1 flock -w .007 dir -c echo
    run -124 lockrun -t .007 dir echo
    finish "$holder"
    background holder $tool -s dir ./hold
    until_line holder.out held
    run -0 flock -s -w .007 dir -c 'echo shared'
    [ "$output" = shared ]
    run -0 lockrun -s -t .007 dir echo shared
    [ "$output" = shared ]
    finish "$holder"
  done
  run -0 lockrun local-lock-file echo 'a b c'
  [ "$output" = 'a b c' ]
  # ( flock -n 9 || exit 1; ... ) 9>mylockfile
  script part '( $1 9 || exit 1; echo in; $2 9 9>>mylockfile || echo "other $?" ) 9>mylockfile; echo "out $?"'
  for tool in 'flock -n' 'lockrun -qn --fd'; do
    run -0 ./part "$tool" "$tool"
    [ "$output" = $'in\nother 1\nout 0' ]
  done
  # a script that locks itself
  script self '[ "$FLOCKER" = "$0" ] || exec env FLOCKER="$0" $1 "$0" "$0" "$@"; echo "runs ${*:2}"; $1 "$0" true; echo "$?"'
  for tool in 'flock -en' 'lockrun -qn'; do
    run -0 ./self "$tool" 1 '2 3'
    [ "$output" = $'runs 1 2 3\n1' ]
  done
  # exec 4<>mylockfile; flock -n 4
  script whole 'exec 4<>mylockfile; $1 4 || exit 1; echo locked; exec 5<>mylockfile; $1 5; echo "$?"'
  for tool in 'flock -n' 'lockrun -qn --fd'; do
    run -0 ./whole "$tool"
    [ "$output" = $'locked\n1' ]
  done
}

@test "--fd that can't be locked" {
  run -111 lockrun --fcntl --fd 9 9<hold
  [ "$output" = "lockrun: lock 9: --fcntl needs a descriptor that is open for writing" ]
  run -0 lockrun --fd 9 9<hold
}

@test "--fd of standard input, output or error that is closed" {
  local fd
  for fd in 0 1 2; do
    run -100 sh -c "exec lockrun --fd $fd $fd<&-"
  done
  for fd in 0 1; do
    run -100 sh -c "exec lockrun --status-fd $fd lock true $fd<&-"
    [[ $output == "lockrun: option --status-fd '$fd': is not open"* ]]
  done
  [ ! -e lock ]
  run -0 lockrun --fd 0 <hold
}

# ---- -E ----

@test "-E: that status in place of 1, whatever it is; as flock(1)'s" {
  local n
  background holder lockrun lock ./hold
  until_line holder.out held
  for n in 0 1 2 75 255; do
    run "-$n" lockrun -n -E "$n" lock touch ran
    run "-$n" lockrun -t 0 --conflict-status="$n" lock touch ran
    [ "$output" = "lockrun: lock lock: it is taken" ]
    run "-$n" lockrun -n -E "$n" --fd 9 9>>lock
    if command -v flock >/dev/null; then run "-$n" flock -n -E "$n" lock true; fi
  done
  run -124 timeout --foreground 60 lockrun -t 50ms -E 75 lock touch ran
  [ ! -e ran ]
  finish "$holder"
  run -1 lockrun -n -E 75 lock sh -c 'exit 1'
  background holder lockrun --slots 1 lock ./hold
  until_line holder.out held
  run -75 lockrun -n -E 75 --slots 1 lock true
  run -1 lockrun -E 75 --who other
}

@test "-t that has passed before the first try is 124, not 1" {
  local kind
  for kind in '' --fcntl '--slots 1'; do
    background holder lockrun $kind lock ./hold
    until_line holder.out held
    run -124 timeout --foreground 60 lockrun $kind -t 0.000000001 -E 75 lock touch ran
    [ "$output" = "lockrun: lock lock: the deadline passed" ]
    finish "$holder"
    run -0 lockrun $kind -t 0.000000001 lock true
  done
  [ ! -e ran ]
}

# ---- --for ----

@test "--for: it returns once it has the lock, which is free when PID ends" {
  local kind
  for kind in '' --fcntl '--slots 1'; do
    living one
    run -0 timeout --foreground 60 lockrun $kind --for "$one" lock
    [ -z "$output" ]
    run -1 lockrun $kind -n lock true
    run -1 lockrun $kind -n --for "$$" lock
    run -0 lockrun --who lock
    [ "$output" = "$(keeper) lockrun" ]
    kill -KILL "$one"
    until_true is_free $kind
    wait "$one" || :
  done
}

@test "--for: a shell locks itself" {
  mkfifo gate
  background shell bash -c 'said=$(lockrun --for $$ lock 2>&1; echo "$?"); echo "held $said"; read -r line <gate'
  until_line shell.out 'held 0'
  run -75 lockrun -n -E 75 lock true
  echo >gate
  ends_with 0 "$shell"
  until_true is_free
}

@test "--for: the keeper has open FILE and nothing else of ours, and is in /" {
  local held
  living one
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c '"$@" 0>&1 2>&1 3>&1 5>&1 99>&1 | cat; echo end' '' lockrun --for "$one" lock
  [ "$output" = end ]
  held=$(keeper)
  [ "$(readlink "/proc/$held/cwd")" = / ]
  [ "$(for fd in "/proc/$held/fd"/*; do readlink "$fd"; done | sort -u | grep -v pidfd)" = /dev/null$'\n'"$PWD/lock" ]
  kill -TERM "$held"
  run -1 lockrun -n lock true
  kill -KILL "$held"
  until_true is_free
}

@test "--for: a process that is not there is 111, and nothing is locked" {
  living one
  kill -KILL "$one"
  wait "$one" || :
  run -111 lockrun --for "$one" lock
  [ "$output" = "lockrun: watch $one: No such process" ]
  [ ! -e lock ]
}

@test "usage errors are reported, and nothing is done" {
  exec {fd}>file
  wrong_call lockrun --fd
  wrong_call lockrun --fd 77
  wrong_call lockrun --fd -1
  wrong_call lockrun --fd 9x
  wrong_call lockrun --fd "$fd" lock
  wrong_call lockrun --fd "$fd" --slots 2
  wrong_call lockrun --fd "$fd" --who
  wrong_call lockrun --fd "$fd" --for "$$"
  wrong_call lockrun --fd "$fd" --status-fd 1
  wrong_call lockrun --for "$$"
  wrong_call lockrun --for 0 lock
  wrong_call lockrun --for "$$" lock true
  wrong_call lockrun --for "$$" --who lock
  wrong_call lockrun -E 256 lock true
  wrong_call lockrun -E -1 lock true
  wrong_call lockrun -E '' lock true
  exec {fd}>&-
  [ ! -e lock ]
}
