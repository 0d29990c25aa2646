# The fuzz targets (check/fuzz) on what fuzzing has kept: each file once, without a fuzzer.

load helper/common

setup() {
  common_setup
  replay=${IPCBOX%/*}/check/fuzz-replay
  [ -x "$replay" ] || skip "needs a build of its own (make $replay)"
}

teardown() {
  common_teardown
}

@test "every file of the corpora goes through its target" {
  run timeout --foreground 200 "$replay" "$BATS_TEST_DIRNAME/../check/fuzz/corpus"
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} =~ ^[1-9][0-9]*' files of '[1-9][0-9]*' targets'$ ]]
}
