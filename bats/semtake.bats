# semtake: takes a semaphore for a program, for a process, or until semgive.

load helper/sysv

setup() {
  sysv_setup
  script hold 'echo held; exec sleep infinity'
}

teardown() {
  sysv_teardown
}

stat_of() {
  semset stat "$key" | sed -n "s/^num $1 //p"
}
# value [NUM]
value() {
  stat_of "${1:-0}" | cut -d ' ' -f 2
}
value_is() {
  [ "$(value "${2:-0}")" -eq "$1" ]
}
# waiting MORE ZERO [NUM]: so many wait for it
waiting() {
  [[ $(stat_of "${3:-0}") == *" waiting_for_more $1 waiting_for_zero $2 "* ]]
}
# hold VAR ARG...: semtake runs ./hold, in the background
hold() {
  background "$1" semtake "${@:2}" ./hold
  until_line "$1.out" held
}

@test "taken, it is taken; given back, it is free" {
  run -0 semtake --create "$key"
  [ -z "$output" ]
  value_is 1
  run -1 semtake --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
  run -1 semtake -t 0 "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
  run -1 semtake -q --try "$key"
  [ -z "$output" ]
  run -0 semgive "$key"
  [ -z "$output" ]
  value_is 0
  run -0 semtake --try "$key"
}

@test "who waits has it as soon as it is given" {
  semtake --create "$key"
  background waiter semtake -t 100 "$key"
  until_true waiting 0 1
  semgive "$key"
  ends_with 0 "$waiter"
  value_is 1
  [ ! -s waiter.err ]
}

@test "-c: it is taken as often as its value says" {
  semset create --value 3 "$key"
  semtake -c "$key"
  semtake --count "$key"
  semtake -c --try "$key"
  run -1 semtake -c --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
  background waiter semtake -c "$key"
  until_true waiting 1 0
  semgive -c "$key"
  ends_with 0 "$waiter"
  value_is 0
}

@test "-n: each semaphore of a set is one" {
  semset create "$key" 3
  semtake -n 2 "$key"
  semtake --num=0 "$key"
  [ "$(value 0)$(value 1)$(value 2)" = 101 ]
  run -1 semtake -n 2 --try "$key"
  run -0 semtake -n 1 --try "$key"
  semgive -n 2 "$key"
  [ "$(value 0)$(value 1)$(value 2)" = 110 ]
}

@test "PROG: it becomes it, and its status is ours" {
  local code
  background prog semtake --create "$key" sh -c 'echo $$; exec sleep infinity'
  until_line prog.out .
  [ "$(cat prog.out)" -eq "$prog" ]
  value_is 1
  run -1 semtake --try "$key" touch ran
  [ ! -e ran ]
  finish "$prog"
  [ "$status" -eq 143 ]
  value_is 0
  for code in 0 1 7 100 111 124 255; do
    run "-$code" semtake "$key" sh -c "exit $code"
    value_is 0
  done
  run -0 semtake "$key" printf '%s|' -q --help '' -- 'a b'
  [ "$output" = '-q|--help||--|a b|' ]
}

@test "PROG: its environment, fds, directory and signals are as they were" {
  local as_is
  # shellcheck disable=SC2016
  local look='for fd in /proc/$$/fd/*; do to=$(readlink "$fd") && [[ $to != pipe:* ]] && echo "$fd $to" | sed "s/.*fd.//"; done
    env | grep -v ^_= | sort; pwd; grep -hE "^Sig[BIC]|Max" /proc/$$/status /proc/$$/limits'
  semset create "$key"
  run -0 env --block-signal=USR1,TERM --ignore-signal=PIPE,TERM bash -c "$look" 7<hold
  as_is=$output
  [[ $as_is == *"7 $PWD/hold"*SigBlk:* ]]
  run -0 env --block-signal=USR1,TERM --ignore-signal=PIPE,TERM semtake "$key" bash -c "$look" 7<hold
  [ "$output" = "$as_is" ]
}

@test "PROG that is not there is 127, one that can't run 126: and nothing was taken" {
  touch plain
  semset create "$key"
  run -127 semtake "$key" ./nothing
  [ "$output" = "semtake: ./nothing: No such file or directory" ]
  run -127 semtake "$key" no-such-program-anywhere
  run -126 semtake "$key" ./plain
  [[ $(stat_of 0) == *"last_pid "* ]]
  value_is 0
  # not even the set is made for it
  semset rm "$key"
  run -127 semtake --create "$key" ./nothing
  run -111 semset stat "$key"
  # it can be run, but not read: an interpreter that is not there
  printf '#!/no/such/interpreter\n' >bad
  chmod +x bad
  run -127 semtake --create "$key" ./bad
  value_is 0
}

@test "given back however PROG ends: exit, any signal, exec" {
  local signal
  semset create "$key"
  for signal in HUP INT TERM KILL SEGV 35; do
    hold holder "$key"
    value_is 1
    kill -"$signal" "$holder"
    wait "$holder" || :
    value_is 0
  done
  # an exec keeps it
  background holder semtake "$key" sh -c 'exec env ./hold'
  until_line holder.out held
  value_is 1
  kill -KILL "$holder"
  wait "$holder" || :
  value_is 0
}

@test "it is PROG's, not its children's" {
  mkfifo gate
  background prog semtake --create "$key" sh -c './hold & echo "child $!"; read line <gate'
  until_line prog.out child
  value_is 1
  # a child that ends gives nothing back
  kill "$(sed -n 's/^child //p' prog.out)"
  echo go >gate
  ends_with 0 "$prog"
  value_is 0
  background prog semtake "$key" sh -c './hold & echo "child $!"'
  ends_with 0 "$prog"
  value_is 0
  started+=("$(sed -n 's/^child //p' prog.out)")
}

@test "counting with PROG: never more than VALUE at a time, as many at some time, and all get through" {
  # the first are inside until there are three
  script inside 'echo + >>log; until [ "$(grep -c + log)" -ge 3 ]; do :; done; echo - >>log'
  run -0 "$HELPERS/at-once" 40 semtake -c --create=3 "$key" ./inside
  [ "$output" = "0 40" ]
  run awk '/\+/ { if (++n > max) max = n; all++ } /-/ { n-- } END { print all, n, max }' log
  [ "$output" = "40 0 3" ]
  value_is 3
}

@test "-t: 124 in time, and less than a second will do" {
  local began
  semtake --create "$key"
  began=${EPOCHREALTIME/./}
  run -124 semtake -t 300ms "$key" touch ran
  ((${EPOCHREALTIME/./} - began >= 300000))
  ((${EPOCHREALTIME/./} - began < 20000000))
  [ "$output" = "semtake: take $key: the deadline passed" ]
  [ ! -e ran ]
  run -124 semtake -q -t 0.1 "$key"
  [ -z "$output" ]
  semset set "$key" 0 0
  run -124 semtake -c -t 0.1 "$key"
  [ "$output" = "semtake: take $key: the deadline passed" ]
}

@test "-t is for the semaphore, not for PROG" {
  run -3 semtake -t 0.1 --create "$key" bash -c 'read -rt 0.5 <> <(:); exit 3'
}

@test "signals in the meantime make the deadline neither shorter nor longer" {
  local began
  semtake --create "$key"
  began=${EPOCHREALTIME/./}
  background waiter semtake -t 1 "$key"
  until_true waiting 0 1
  stop_and_go "$waiter" 300 3>&- &
  local signaller=$!
  ends_with 124 "$waiter"
  ((${EPOCHREALTIME/./} - began >= 1000000))
  ((${EPOCHREALTIME/./} - began < 20000000))
  wait "$signaller"
}

@test "without a deadline signals do not end the wait, but those that end a program do" {
  semtake --create "$key"
  background waiter semtake "$key" echo through
  until_true waiting 0 1
  stop_and_go "$waiter" 20
  until_true waiting 0 1
  semgive "$key"
  ends_with 0 "$waiter"
  [ "$(cat waiter.out)" = through ]
  semtake "$key"
  background waiter semtake "$key"
  until_true waiting 0 1
  kill -TERM "$waiter"
  ends_with 143 "$waiter"
  until_true waiting 0 0
  value_is 1
}

@test "killed while it waits it leaves no trace" {
  local n waiters=()
  semtake --create "$key"
  for n in 1 2 3 4 5; do
    background waiter semtake "$key"
    waiters+=("$waiter")
  done
  until_true waiting 0 5
  kill -KILL "${waiters[@]:0:4}"
  until_true waiting 0 1
  semgive "$key"
  ends_with 0 "${waiters[4]}"
  value_is 1
}

# ---- --create ----

@test "--create: 0, 1 with -c, or VALUE; for its owner alone unless -m" {
  umask 0
  semtake --create "$key" true
  [ "$(ipcs -s | awk -v "key=$key" '$1 == key { print $4, $5 }')" = "600 1" ]
  semset rm "$key"
  semtake -n 4 -m 640 --create "$key" true
  [ "$(ipcs -s | awk -v "key=$key" '$1 == key { print $4, $5 }')" = "640 5" ]
  semset rm "$key"
  semtake --create -c "$key"
  value_is 0
  semset rm "$key"
  semtake -c --create=32767 "$key"
  value_is 32766
  semset rm "$key"
  # one that is made taken
  run -1 semtake --create=1 --try "$key"
  value_is 1
  semset rm "$key"
  run -1 semtake -c --create=0 --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
}

@test "--create of what is there leaves it as it is" {
  semset create --value 7 -m 644 "$key" 2
  semtake -c --create=3 -m 600 "$key"
  [ "$(value 0) $(value 1)" = "6 7" ]
  [ "$(ipcs -s | awk -v "key=$key" '$1 == key { print $4 }')" = 644 ]
  # nor does it grow
  run -111 semtake --create -n 5 "$key"
  [[ $output == "semtake: take $key: "*"the set has no semaphore with that number" ]]
}

@test "50 that create and take at once: as many get it as there are" {
  # in a namespace: all that root makes elsewhere would stand in line with these
  run -0 in_namespace 'for n in {1..8}; do
    at-once 50 semtake -q --create --try 5
    semaphore 5 get
    semset rm 5
    at-once 50 semtake -c --create=51 -t 100 5
    semaphore 5 get
    semset rm 5
  done | sort | uniq -c'
  [ "$(tr -s ' ' <<<"$output")" = $' 8 0 1\n 8 0 50\n 16 1\n 8 1 49' ]
}

# bats test_tags=long
@test "50 that create and take at once, and wait: one after the other" {
  local n
  for n in {1..3}; do
    echo 0 >counter
    run -0 "$HELPERS/at-once" 50 semtake --create -t 100 "$key" add-one counter
    [ "$output" = "0 50" ]
    [ "$(cat counter)" -eq 50 ]
    value_is 0
    semset rm "$key"
  done
}

# bats test_tags=long
@test "a set that is made and removed all the time: each finds a whole one, or none" {
  local n
  background remover sh -c 'while :; do semset rm "$0"; done' "$key"
  for n in {1..40}; do
    run semtake -c --create=5 "$key" semaphore "$key" get
    [[ $status -eq 0 && $output == 4 || $output == sem*": No such file or directory" ||
      $output == sem*": Identifier removed"* || $output == sem*": Invalid argument"* ]] || {
      echo "$status: $output"
      false
    }
  done
  finish "$remover"
}
