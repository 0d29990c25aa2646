# pipedemo: a parent and its child talk, over two pipes or a socketpair.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# talked: $output is the talk of $parent with a child of its own.
talked() {
  local line="^Child Pid ([0-9]+) just read this: 'Parent Pid $parent is sending this'$"
  [[ ${lines[0]} =~ $line ]]
  local child=${BASH_REMATCH[1]}
  [ "$child" -ne "$parent" ]
  [ "${lines[1]}" = "Parent Pid $parent just read this: 'Child Pid $child is sending this'" ]
  [ "${#lines[@]}" -eq 2 ]
}

@test "each says what it has read from the other, the child first" {
  background parent pipedemo
  ends_with 0 "$parent"
  [ ! -s parent.err ]
  run -0 cat parent.out
  talked
}

@test "the same over a socketpair" {
  background parent pipedemo --socketpair
  ends_with 0 "$parent"
  [ ! -s parent.err ]
  run -0 cat parent.out
  talked
}

@test "stdout may be a pipe" {
  run -0 --separate-stderr bash -c 'pipedemo | cat; exit "${PIPESTATUS[0]}"'
  [ "${#lines[@]}" -eq 2 ]
  run -0 --separate-stderr bash -c 'pipedemo --socketpair | cat; exit "${PIPESTATUS[0]}"'
  [ "${#lines[@]}" -eq 2 ]
}

@test "--socketpair makes one socketpair and no pipe, without it there are two pipes and no socket" {
  need strace strace
  strace -f -qq -o trace -e trace=pipe,pipe2,socketpair -e signal=none pipedemo --socketpair
  [ "$(grep -c 'socketpair(' trace)" -eq 1 ]
  run ! grep -q 'pipe2\?(' trace
  strace -f -qq -o trace -e trace=pipe,pipe2,socketpair -e signal=none pipedemo
  [ "$(grep -cE 'pipe2?\(' trace)" -eq 2 ]
  run ! grep -q 'socketpair(' trace
}

@test "stdout full or closed is an error, and both end" {
  local option
  for option in '' --socketpair; do
    run -111 timeout --foreground 60 bash -c 'exec pipedemo "$@" >/dev/full' bash ${option:+"$option"}
    [[ $output == *"pipedemo: write stdout: No space left on device"* ]]
    run -111 timeout --foreground 60 bash -c 'exec pipedemo "$@" >&-' bash ${option:+"$option"}
    [[ $output == *"pipedemo: write stdout: Bad file descriptor"* ]]
  done
}

@test "usage errors" {
  wrong_call pipedemo operand
  wrong_call pipedemo --nonsense
  wrong_call pipedemo --socketpair=yes
  wrong_call pipedemo --socket
}
