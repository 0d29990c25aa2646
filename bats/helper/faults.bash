# For tests in which a call fails: setup and teardown, and a table of such calls.

setup() {
  common_setup
  # strace-of -1 INJECTION SERVER WORDS...: as `start` has it
  script bin/strace-of 'exec strace -D -f -qq -b execve -o /dev/null -e trace="${2%%:*}" -e inject="$2" "$3" "$1" "${@:4}"'
}

teardown() {
  common_teardown
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
    [ -z "${IPCBOX_SANITIZED:-}" ] || [[ $inject != @(readlink|openat|rt_sigaction|prlimit64,*):* ]] || continue
    is_fault || wrong=1
  done
  return $wrong
}

# By strace's own words; where it is detached, it may write them when we have gone on.
was_injected() {
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    grep -qE '\((INJECTED|DELAYED)\)' trace && return
    look_later
  done
  return 1
}

# bats' trap for each command is not wanted in there
is_fault() {
  local - applet
  set +T
  status=0
  applet=${command%% *}
  [[ $command != "ipcbox status"* ]] || applet=status
  # shellcheck disable=SC2206 # words
  local traced=(strace -D -f -qq -b execve -o "$PWD/trace" -e trace="${inject%%:*}" -e inject="${inject%% *}" ${inject#"${inject%% *}"})
  [ "$inject" != - ] || traced=()
  eval "timeout --foreground 60 ${traced[*]} $command" >out 2>err </dev/null || status=$?
  if [ "$status" -ne "$status_wanted" ] || [ "$(<err)" != "${message:+$applet: $message}" ]; then
    echo "$inject $command: status $status, not $status_wanted; $(<err), not $applet: $message"
  elif [ "$inject" != - ] && ! was_injected; then
    echo "$inject $command: there is no such call"
  else
    return 0
  fi
  return 1
}
