# killpg: a signal for a whole process group but killpg itself, and with -k nobody of it is left.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  # what is left of groups, should a test have failed
  local leader member
  for leader in "${leaders[@]}"; do
    for member in $(living "$leader"); do
      ! is_of_test "$member" || kill -KILL "$member" 2>/dev/null || :
    done
  done
  common_teardown
}

leaders=()

# group VAR WORDS [COUNT]: starts a process group of its own: a leader and COUNT children (2) that do the words of
# helper/does.c; returns once all have told their pids, which are in VAR.out.
group() {
  # shellcheck disable=SC2086 # words
  background "$1" does pgrp fork "${3:-2}" $2 pid sleep ';' $2 pid sleep
  leaders+=("${!1}")
  until_true told "$1" "$((${3:-2} + 1))"
}

told() {
  [ "$(wc -l <"$1.out")" -ge "$2" ]
}

# living PGID: the pids of that group's living members.
living() {
  cat /proc/[0-9]*/stat 2>/dev/null |
    awk -v group="$1" '{ pid = $1; sub(/.*\) /, ""); if ($3 == group && $1 !~ /[ZX]/) print pid }'
}

nobody_left() {
  [ -z "$(living "$1")" ]
}

@test "the whole group gets TERM, and no other process" {
  group one ''
  group two ''
  run -0 killpg "$one"
  [ -z "$output" ]
  ends_with 143 "$one"
  until_true nobody_left "$one"
  [ "$(living "$two" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$two"
}

@test "-s: another signal, by name or number" {
  group one 'note2 USR1 note2 HUP note2 RTMIN'
  local sig number=0
  for sig in USR1 SIGHUP 34; do
    run -0 killpg -s "$sig" "$one"
    number=$((number + 3))
    until_true heard "$number"
  done
  [ "$(sort one.err | uniq -c | awk '{ print $2, $1 }' | paste -sd ' ')" = "HUP 3 RTMIN 3 USR1 3" ]
  run -0 killpg --signal=KILL "$one"
  ends_with 137 "$one"
  until_true nobody_left "$one"
}

heard() {
  [ "$(wc -l <one.err)" -ge "$1" ]
}

# inside KILLPG-WORDS...: killpg in a group of its own, with two members more, that is its own; prints their statuses.
inside() {
  rm -f members
  # shellcheck disable=SC2016
  timeout --foreground 60 does pgrp exec bash -c 'trap : TERM HUP
    does to members % sleep & one=$!
    does to members % sleep & two=$!
    until [ -e members ] && [ "$(wc -l <members)" -eq 2 ]; do read -rt 0.01 <> <(:); done
    killpg "$@" $$; killpg=$?
    for member in "$one" "$two"; do wait "$member"; echo "member $?"; done
    echo "killpg $killpg"' '' "$@"
}

@test "inside its own group killpg spares itself" {
  run -0 inside
  [ "$output" = $'member 143\nmember 143\nkillpg 0' ]
  run -0 inside -s HUP
  [ "$output" = $'member 129\nmember 129\nkillpg 0' ]
}

@test "inside a group without other members there is nothing to signal" {
  run -1 does pgrp exec sh -c 'exec killpg $$'
  [[ $output == "killpg: signal group "*": it has no other member" ]]
}

@test "a session's leader can't leave its group: the others get the signal one by one" {
  # shellcheck disable=SC2016
  background shell setsid does fork 3 sleep ';' exec sh -c 'exec killpg -k 1m $$'
  leaders+=("$shell")
  ends_with 0 "$shell"
  nobody_left "$shell"
  run -1 setsid -w sh -c 'exec killpg $$'
  [[ $output == "killpg: signal group "*": it has no other member" ]]
}

@test "where no process can be started, the members get the signal one by one" {
  need strace strace
  # shellcheck disable=SC2016
  background shell does pgrp fork 3 sleep ';' exec sh -c \
    'exec strace -DDD -f -qq -o /dev/null -e inject=clone,clone3,fork,vfork:error=EAGAIN killpg -k 1m $$'
  leaders+=("$shell")
  ends_with 0 "$shell"
  [ ! -s shell.err ]
}

@test "-v: what was sent is said" {
  group one ''
  run -0 killpg -v -s CONT -k 0 "$one"
  [ "$output" = "killpg: group $one was sent CONT" ]
  nobody_left "$one"
}

@test "-k: a member that may not be killed is named, and not waited for" {
  need_root
  need setpriv util-linux
  local other=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups)
  # its leader, which that user may signal, is a zombie: so the group does not refuse
  # shellcheck disable=SC2016
  background parent bash -c 'setsid bash -c '\''does pid sleep & exec "$@"'\'' "" "$@" & echo $! >group; exec does sleep' '' "${other[@]}" true
  until_line parent.out .
  local group
  group=$(<group)
  leaders+=("$group")
  until_true grep -q '^State:.*Z' "/proc/$group/status"
  # shellcheck disable=SC2016
  run -111 timeout --foreground 60 "${other[@]}" bash -c 'exec -a "$0" /proc/self/fd/9 "$@"' killpg -k 0 "$group" 9<"$IPCBOX"
  [ "$output" = "killpg: kill $(<parent.out): still there after SIGKILL" ]
  run -0 killpg -k 0 -s KILL "$group"
}

@test "KILL inside its own group kills all others" {
  # shellcheck disable=SC2016
  background shell does pgrp fork 3 sleep ';' exec sh -c 'exec killpg -k 0 -s KILL $$'
  leaders+=("$shell")
  ends_with 0 "$shell"
  nobody_left "$shell"
}

@test "-k: members that ignore TERM are killed, and none is left when it returns" {
  group one 'ignore TERM' 5
  run -0 timeout --foreground 60 killpg -k 0.2 "$one"
  nobody_left "$one"
  [ -z "$output" ]
  ends_with 137 "$one"
}

@test "-k 0 kills the remaining members at once" {
  # shellcheck disable=SC2016
  group one 'ignore TERM'
  run -0 timeout --foreground 60 killpg --kill-after=0 "$one"
  nobody_left "$one"
}

@test "-k: members that exit in time may clean up, and the wait is no longer than that" {
  group one 'leave TERM 200 tidy'
  SECONDS=0
  run -0 timeout --foreground 60 killpg -k 1h "$one"
  nobody_left "$one"
  ((SECONDS < 30))
  [ "$(wc -l <one.err)" -eq 3 ]
  ends_with 0 "$one"
}

@test "-k: zombies of a parent outside the group are not waited for" {
  background parent does fork 1 pgrp pid sleep ';' sleep
  until_line parent.out .
  local pgid
  pgid=$(cat parent.out)
  leaders+=("$pgid")
  run -0 timeout --foreground 60 killpg -k 1h "$pgid"
  grep -q '^State:.*Z' "/proc/$pgid/status"
}

@test "-k: members that are stopped end, too" {
  group one ''
  kill -STOP -- "-$one"
  run -0 timeout --foreground 60 killpg -k 1h "$one"
  nobody_left "$one"
  ends_with 143 "$one"
}

@test "-k: members that fork while they are killed" {
  # each goes on in a child of its own, again and again
  group one 'ignore TERM pid churn 2' 4
  run -0 timeout --foreground 60 killpg -k 0.05 "$one"
  nobody_left "$one"
}

@test "-k inside its own group: members that fork while they are killed" {
  # shellcheck disable=SC2016
  background own does ignore CHLD pgrp fork 3 ignore TERM churn 2 ';' exec sh -c 'exec killpg -k 0.05 $$'
  leaders+=("$own")
  SECONDS=0
  ends_with 0 "$own"
  nobody_left "$own"
  ((SECONDS < 30)) # or they have ended by themselves
}

@test "-k: one whose first thread has ended is alive, and killed" {
  background one does pgrp ignore TERM thread end-thread
  leaders+=("$one")
  until_true grep -q '^State:.*Z' "/proc/$one/status"
  run -0 alive "$one"
  run -0 timeout --foreground 60 killpg -k 0.1 "$one"
  run -1 alive "$one"
}

@test "a group that is not there is 1" {
  group one ''
  run -0 killpg -k 1m -s KILL "$one"
  ends_with 137 "$one"
  until_true no_group "$one"
  run -1 killpg "$one"
  [ "$output" = "killpg: signal group $one: it has no other member" ]
  run -1 killpg -q "$one"
  [ -z "$output" ]
  run -1 killpg -k 1h "$one"
  run -1 killpg 2147483647
}

# no_group PGID: not even zombies of it, which somebody else waits for.
no_group() {
  if kill -0 -- "-$1" 2>/dev/null; then false; fi
}

@test "a member's pid is not a group" {
  group one ''
  local member
  member=$(grep -vx "$one" one.out | head -n 1)
  run -1 killpg "$member"
  [ "$(living "$one" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$one"
}

@test "another user's group is refused with 111" {
  need_root
  need setpriv util-linux
  group one ''
  # shellcheck disable=SC2016
  run -111 setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    bash -c 'exec -a "$0" /proc/self/fd/9 "$@"' killpg -k 1h "$one" 9<"$IPCBOX"
  [ "$output" = "killpg: signal group $one: Operation not permitted" ]
  [ "$(living "$one" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$one"
}

@test "usage errors" {
  local word
  wrong_call killpg
  wrong_call killpg --
  for word in 0 1 -1 -0 -2 '' ' ' x 2x 0x10 +2 2.0 ' 2' 2147483648 99999999999999999999; do
    wrong_call killpg -- "$word"
    wrong_call killpg -k 1 -- "$word"
  done
  wrong_call killpg -1
  wrong_call killpg 2147483646 2147483647
  for word in '' 0 65 NOPE -1 'TERM,' 0x1; do
    wrong_call killpg -s "$word" 2147483647
  done
  for word in '' -1 x 5x; do
    wrong_call killpg -k "$word" 2147483647
  done
  wrong_call killpg --no-such-option 2147483647
}
