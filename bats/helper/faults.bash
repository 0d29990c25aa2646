# For tests in which a call fails: setup and teardown, a table of such calls, and memory that is refused.

setup() {
  common_setup
  # strace-of -1 INJECTION SERVER WORDS...: as `start` has it
  script bin/strace-of 'exec strace -D -f -qq -b execve -o /dev/null -e trace="${2%%:*}" -e inject="$2" "$3" "$1" "${@:4}"'
}

teardown() {
  common_teardown
  nobody_left_behind
}

# each_fault: lines on stdin: INJECTION | STATUS | MESSAGE | COMMAND, a shell's. The injection is strace(1)'s, and may have
# other options of it behind; COMMAND's first program is traced, and its stderr is MESSAGE, without the applet's name, or nothing.
# -: nothing is injected.
each_fault() {
  local inject status_wanted message command wrong=0
  need strace strace
  while IFS='|' read -r inject status_wanted message command; do
    read -r inject <<<"$inject"
    read -r status_wanted <<<"$status_wanted"
    read -r message <<<"$message"
    read -r command <<<"$command"
    # the sanitizers' runtime makes such calls, too
    [ -z "${IPCBOX_SANITIZED:-}" ] || [[ $inject != @(readlink|openat|prlimit64,*):* ]] || continue
    is_fault || wrong=1
  done
  return $wrong
}

# bats' trap for each command is not wanted in there
is_fault() {
  local - applet
  set +T
  status=0
  applet=${command%% *}
  [[ $command != "ipcbox status"* ]] || applet=status
  # shellcheck disable=SC2206 # words
  local traced=(strace -D -f -qq -b execve -o /dev/null -e trace="${inject%%:*}" -e inject="${inject%% *}" ${inject#"${inject%% *}"})
  [ "$inject" != - ] || traced=()
  eval "timeout --foreground 60 ${traced[*]} $command" >out 2>err </dev/null || status=$?
  [ "$status" -eq "$status_wanted" ] && [ "$(<err)" = "${message:+$applet: $message}" ] && return
  echo "$inject $command: status $status, not $status_wanted; $(<err), not $applet: $message"
  return 1
}

# need_alloc: alloc.so there is, which refuses memory (check/torture/alloc.c says how).
need_alloc() {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers have their own malloc"
  grep -qa '/lib[a-z0-9_]*/ld-' "$IPCBOX" || skip "needs a binary that loads libc"
  need cc gcc
  cc -D_GNU_SOURCE -shared -fPIC -o alloc.so "$BATS_TEST_DIRNAME/../check/torture/alloc.c"
}

# without_memory N COMMAND...: its N-th allocation fails.
without_memory() {
  TORTURE_ALLOC=$1 LD_PRELOAD=$PWD/alloc.so "${@:2}"
}

# each_allocation: lines on stdin: STATUSES | COMMAND, a shell's. Each of its allocations fails in turn: then its only message
# says so, and its status is among STATUSES, or all is as ever. At least one must have failed.
each_allocation() {
  local statuses command wrong=0
  while IFS='|' read -r statuses command; do
    read -r command <<<"$command"
    are_reported || wrong=1
  done
  return $wrong
}

# bats' trap for each command is not wanted in there
are_reported() {
  local - n count failed=0 usual=0
  set +T
  rm -f made
  eval "timeout --foreground 60 env TORTURE_ALLOC_COUNT='$PWD/made' LD_PRELOAD='$PWD/alloc.so' $command" >usual 2>usual.err </dev/null || usual=$?
  count=$(stat -c %s made)
  for ((n = 1; n <= count && n <= 100; n++)); do
    status=0
    eval "without_memory $n timeout --foreground 60 $command" >out 2>err </dev/null || status=$?
    ! cmp -s out usual || ! cmp -s err usual.err || [ "$status" -ne "$usual" ] || continue
    [[ " $statuses " == *" $status "* && $(grep -vxFf usual.err err | grep -v '^Try ') == "${command%% *}: "*"Cannot allocate memory" ]] || {
      echo "allocation $n of $command: status $status, $(<out), $(<err)"
      return 1
    }
    failed=$((failed + 1))
  done
  [ "$failed" -gt 0 ] || {
    echo "$command: none of $count allocations has failed"
    return 1
  }
}
