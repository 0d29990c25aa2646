# Processes that SIGKILL does not end: whoever has to end them gives up after a bounded wait, names them, and fails.

load helper/stress

setup() {
  stress_setup
  export STAYING=$BATS_TEST_TMPDIR/staying
  mkfifo "$STAYING"
  background holder staying hold
  local pid
  staying be >there &
  pid=$!
  until_true said_or_over there "$holder"
  kill -KILL "$pid"
  kill -0 "$holder" 2>/dev/null || skip "needs to trace a process that is not a descendant"
}

teardown() {
  # those that stay are free as soon as their holder has gone
  kill -KILL "$holder" 2>/dev/null || :
  stress_teardown
}

# said_or_over FILE PID: FILE has something, or PID has ended.
said_or_over() {
  [ -s "$1" ] || ! kill -0 "$2" 2>/dev/null
}

# Whoever ends programs, as rows: @ stays, @T@ is a time, % is the row's number.
enders='deadline -k 0.1 @T@ @
deadline -s KILL @T@ @
safepipe -k 0.1 -t @T@ true ::: @
open2 -k 0.1 @ ::: ./until.%
open3 -k 0.1 @ ::: ./until.%
withserver -k 0.1 @ ::: true
killpg -k 0.1 $(./group.%)'

# gives_up N COMMAND: it fails with 111 and names one that stays. Again with twice the time if that was too short for it
# to start.
gives_up() {
  local ms status command
  script "stay.$1" "exec staying be >there.$1"
  script "until.$1" "until [ -s there.$1 ]; do sleep 0.05s; done"
  script "group.$1" "setsid ./stay.$1 >/dev/null & ./until.$1; echo \$!"
  for ((ms = 300; ms < 60000; ms *= 2)); do
    : >"there.$1"
    command=${2//@T@/${ms}ms}
    command=${command//@/./stay.$1}
    status=0
    eval "exec timeout --foreground -s KILL 60 ${command//%/$1}" >/dev/null 2>"err.$1" </dev/null 3>&- &
    wait "$!" || status=$?
    [ ! -s "there.$1" ] || break
  done
  [ "$status" -eq 111 ] && grep -qE '^[a-z0-9]+: kill [0-9]+: still there after SIGKILL$' "err.$1" || {
    echo "$2: status $status" >&2
    cat "err.$1" >&2
    return 1
  }
}

@test "a process that SIGKILL does not end is named, and the status is 111" {
  local row n=0 jobs=() job bad=0
  while read -r row; do
    n=$((n + 1))
    gives_up "$n" "$row" &
    jobs+=("$!")
  done <<<"$enders"
  for job in "${jobs[@]}"; do
    wait "$job" || bad=1
  done
  return "$bad"
}

@test "cmdserver: after a command that cannot be terminated the dialogue continues" {
  local ms
  for ((ms = 300; ms < 60000; ms *= 2)); do
    printf 'stay\nstay\nhello\nquit\n' | cmdserver -t "${ms}ms" "stay=staying be" "hello=echo still here" >out 2>err
    [ "$(grep -c there out)" -ne 2 ] || break
  done
  grep 'still here' out
  [ "$(grep -c 'took too long' out)" -eq 2 ]
  # what stayed is looked for after each later command, too
  grep -E '^cmdserver: kill [0-9]+ [0-9]+: still there after SIGKILL$' err
}
