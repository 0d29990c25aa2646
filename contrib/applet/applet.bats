# @NAME@: @SUMMARY@.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

@test "PROG's exit status is ours" {
  local code
  for code in 0 1 7 111 255; do
    run "-$code" @NAME@ sh -c "exit $code"
    [ -z "$output" ]
  done
}

@test "a signal that kills PROG kills us, too, and one that is sent to us reaches PROG" {
  run -0 how_it_ends @NAME@ does default 15 kill 15 self sleep
  [ "$output" = "exit 0 signal 15" ]
  script ready-then-sleep 'echo >ready; exec sleep infinity'
  background launcher @NAME@ ./ready-then-sleep
  until_true test -e ready
  kill -USR1 "$launcher"
  ends_with 138 "$launcher"
}

@test "-r: how long it ran" {
  run -0 @NAME@ -r true
  [[ $output =~ ^'@NAME@: end true: ran for '[0-9]+' ms'$ ]]
}

@test "wrong calls" {
  wrong_call @NAME@
  wrong_call @NAME@ --no-such-option true
  run -127 @NAME@ ./nothing
  [ "$output" = "@NAME@: ./nothing: No such file or directory" ]
}
