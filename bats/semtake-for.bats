# semtake --for: it is held until another process ends, by a keeper that has nothing of ours but the semaphore.

load helper/sysv

setup() {
  sysv_setup
  export OF_TEST=$BATS_TEST_TMPDIR
}

# keepers have left our directory: their environment tells whose they are
teardown() {
  env -u OF_TEST "$HELPERS/end-marked" "OF_TEST=$BATS_TEST_TMPDIR"
  sysv_teardown
}

value() {
  semset stat "$key" | sed -n "s/^num ${1:-0} value \([0-9]*\) .*/\1/p"
}
value_is() {
  [ "$(value "${2:-0}")" -eq "$1" ]
}
# take_for PID [ARG]...
take_for() {
  timeout --foreground 60 semtake --for "$@"
}
# keepers: their pids, where no other semtake runs
keepers() {
  local pid
  for pid in $(grep -lzFx "OF_TEST=$OF_TEST" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = semtake ]; then echo "$pid"; fi
  done
}
no_keepers() {
  [ -z "$(keepers)" ]
}
living() {
  background "$1" sleep infinity
}

@test "it returns once it has it; it is given back when PID ends" {
  living one
  run -0 take_for "$one" --create "$key"
  [ -z "$output" ]
  value_is 1
  run -1 semtake --try "$key"
  finish "$one"
  until_true value_is 0
  until_true no_keepers
}

@test "PID that is killed, that exits, that is nobody's child" {
  local pid
  semset create "$key"
  living one
  take_for "$one" "$key"
  kill -KILL "$one"
  until_true value_is 0
  wait "$one" || :
  mkfifo gate
  background two sh -c 'read line <gate; exit 3'
  take_for "$two" "$key"
  value_is 1
  echo >gate
  until_true value_is 0
  pid=$(setsid sh -c 'sleep infinity >/dev/null 2>&1 3>&- & echo $!')
  started+=("$pid")
  take_for "$pid" "$key"
  value_is 1
  kill -KILL "$pid"
  until_true value_is 0
}

@test "a shell takes it for itself" {
  mkfifo gate
  background shell bash -c 'semtake --create --for $$ "$0"; echo "held $?"; read -r line <gate; echo read' "$key"
  until_line shell.out 'held 0'
  value_is 1
  run -1 semtake --try "$key"
  echo >gate
  ends_with 0 "$shell"
  [ "$(cat shell.out)" = $'held 0\nread' ]
  until_true value_is 0
}

@test "a shell that takes it in a command substitution is not held up" {
  background shell bash -c 'said=$(semtake --create --for $$ "$0" 2>&1; echo "got $?"); echo "$said"; sleep infinity' "$key"
  until_line shell.out 'got 0'
  value_is 1
  kill -KILL "$shell"
  wait "$shell" || :
  until_true value_is 0
}

@test "pipes see the end, whatever their number" {
  living one
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c '"$@" 0>&1 2>&1 5>&1 99>&1 200>&1 | cat; echo end' '' \
    semtake --create --for "$one" "$key"
  [ "$output" = end ]
  value_is 1
}

# keeper_is_alone PID: its fds are the null device and the process that it waits for
keeper_is_alone() {
  [ "$(for fd in /proc/"$1"/fd/*; do readlink "$fd"; done | sort)" = $'/dev/null\n/dev/null\n/dev/null\nanon_inode:[pidfd]' ]
}

@test "the keeper is of its own session, without a terminal, in /, with no fd of ours" {
  local keeper
  living one
  take_for "$one" --create "$key" 7<"$BATS_TEST_FILENAME"
  keeper=$(keepers)
  until_true keeper_is_alone "$keeper"
  [ "$(readlink "/proc/$keeper/cwd")" = / ]
  # its process group, session and terminal
  [ "$(sed 's/.*) //' "/proc/$keeper/stat" | cut -d ' ' -f 3-5)" = "$keeper $keeper 0" ]
  [ "$(cat "/proc/$keeper/comm")" = semtake ]
}

@test "no other signal ends the keeper; KILL does, and it is given back" {
  local keeper signal
  living one
  take_for "$one" --create "$key"
  keeper=$(keepers)
  for signal in HUP INT QUIT TERM USR1 USR2 ALRM PIPE CHLD 35; do
    kill -"$signal" "$keeper"
  done
  run -1 semtake --try "$key"
  value_is 1
  kill -KILL "$keeper"
  until_true value_is 0
  run -0 kill -0 "$one"
}

@test "it survives the terminal that it was taken from" {
  living one
  # the shell is the session's leader: at its end the terminal hangs up
  PS1='ready> ' run -0 timeout --foreground 60 "$HELPERS/at-terminal" 'ready> ' \
    "semtake --create --for $one $key && echo it' 'is held\\n" '^it is held' 'exit\n' -- bash --norc --noediting -i
  run -1 semtake --try "$key"
  finish "$one"
  until_true value_is 0
}

@test "PID that has ended: 111 and nothing is taken" {
  local gone
  semset create "$key"
  sh -c : &
  gone=$!
  wait "$gone"
  run -111 semtake --for "$gone" "$key"
  [ "$output" = "semtake: watch $gone: No such process" ]
  # one that has, and that nobody has waited for
  mkfifo gate
  # shellcheck disable=SC2016
  background parent sh -c '(read -r line <gate) & echo $!; exec sleep infinity'
  until_line parent.out .
  until_true asleep "$parent" sleep
  echo >gate
  until_true grep -q ') Z ' "/proc/$(cat parent.out)/stat"
  run -111 semtake --for "$(cat parent.out)" "$key"
  [ "$output" = "semtake: watch $(cat parent.out): No such process" ]
  value_is 0
  [ "$(semset stat "$key" | grep -c 'waiting_for_zero 0')" -eq 1 ]
}

waits() {
  [[ $(semset stat "$key") == *" waiting_for_zero $1 "* ]]
}

@test "PID that ends while semtake waits does not leave it taken" {
  living one
  semtake --create "$key"
  background waiter semtake --for "$one" "$key"
  until_true waits 1
  finish "$one"
  semgive "$key"
  wait "$waiter" || :
  until_true value_is 0
}

@test "the deadline and --try: nobody keeps anything" {
  living one
  semtake --create "$key"
  run -124 take_for "$one" -t 0.1 "$key"
  run -1 take_for "$one" --try "$key"
  no_keepers
  value_is 1
}

@test "semgive gives it back before, and PID's end gives nothing twice" {
  living one
  take_for "$one" --create "$key"
  semgive "$key"
  value_is 0
  finish "$one"
  until_true no_keepers
  value_is 0
}

@test "several for one process, of one set and counting: all are given back" {
  local n
  living one
  semset create --value 0 "$key" 4
  for n in 0 1 2 3; do
    take_for "$one" -n "$n" "$key"
  done
  [ "$(value 0)$(value 1)$(value 2)$(value 3)" = 1111 ]
  finish "$one"
  until_true no_keepers
  [ "$(value 0)$(value 1)$(value 2)$(value 3)" = 0000 ]
  living one
  semset set "$key" 1 3
  take_for "$one" -c -n 1 "$key"
  take_for "$one" -c -n 1 "$key"
  value_is 1 1
  kill -KILL "$one"
  until_true value_is 3 1
}

@test "a process of another user" {
  need_root
  background one setpriv --reuid nobody --clear-groups sleep infinity
  take_for "$one" --create "$key"
  value_is 1
  kill "$one"
  until_true value_is 0
}

@test "a keeper is not made for what can't be taken, and fork's failure gives back" {
  need strace strace
  living one
  semset create "$key"
  run -111 strace -f -qq -o trace -e inject=clone:error=EAGAIN semtake --for "$one" "$key"
  [ "$output" = "semtake: fork: Resource temporarily unavailable" ]
  value_is 0
}

@test "usage errors" {
  local pid
  for pid in '' 0 -1 x 99999999999; do
    wrong_call semtake --for "$pid" "$key"
  done
  wrong_call semtake --for $$ "$key" true
  [[ ${stderr_lines[0]} == *"--for and PROG"* ]]
  wrong_call semtake --for $$
}
