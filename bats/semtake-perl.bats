# semtake and semgive with perl programs on the same set; what the system refuses; kills at random moments.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

value() {
  semaphore "$key" get "${1:-0}"
}
value_is() {
  [ "$(value)" -eq "$1" ]
}
# waiting MORE ZERO: so many wait for semaphore 0
waiting() {
  [[ $(semset stat "$key") == *$'\nnum 0 '*" waiting_for_more $1 waiting_for_zero $2 "* ]]
}

@test "perl makes and takes, we wait; we give, perl has given: each side both roles" {
  need_perl IPC::SysV
  each_side "$PERL/semaphore"
}

@test "another program makes and takes, we wait; we give, it has given: each side both roles" {
  each_side semaphore
}

# each_side PROGRAM: one that has the commands of helper/semaphore.c
each_side() {
  "$1" "$key" make
  "$1" "$key" take
  run -1 semtake --try "$key"
  background ours semtake "$key"
  until_true waiting 0 1
  "$1" "$key" give
  ends_with 0 "$ours"
  background other "$1" "$key" wait-in-line
  until_true waiting 0 1
  [ ! -s other.out ]
  semgive "$key"
  ends_with 0 "$other"
  [ "$(cat other.out)" = taken ]
  semgive "$key"
  run -1 semgive "$key"
  value_is 0
}

@test "we make, perl takes and gives; our PROG holds, perl waits" {
  need_perl IPC::SysV
  ours_is_made "$PERL/semaphore"
}

@test "we make, another program takes and gives; our PROG holds, it waits" {
  ours_is_made semaphore
}

# ours_is_made PROGRAM
ours_is_made() {
  semtake --create "$key"
  "$1" "$key" give
  "$1" "$key" take
  run -1 semtake --try "$key"
  "$1" "$key" give
  background holder semtake "$key" sh -c 'echo held; exec sleep infinity'
  until_line holder.out held
  background other "$1" "$key" wait-in-line
  until_true waiting 0 1
  kill -KILL "$holder"
  ends_with 0 "$other"
  value_is 1
}

# bats test_tags=long
@test "20 takers, ours and another program's, around a counter: no update is lost" {
  local n pids=()
  script ours 'for n in {1..20}; do case $1 in
    prog) semtake "$key" add-one counter ;;
    give) semtake "$key" && add-one counter && semgive "$key" ;;
    esac || exit; done'
  export key
  echo 0 >counter
  semset create "$key"
  for n in {1..5}; do
    background "a$n" ./ours prog
    pids+=("$!")
    background "b$n" ./ours give
    pids+=("$!")
    background "c$n" semaphore "$key" count counter 20
    pids+=("$!")
    background "d$n" semaphore "$key" count counter 20
    pids+=("$!")
  done
  for n in "${pids[@]}"; do
    ends_with 0 "$n"
  done
  [ "$(cat counter)" -eq 400 ]
  value_is 0
}

# In a namespace of their own: a set without values may be about to get them, while anybody of this user makes one.

@test "another program's set needs no values to be a lock" {
  in_namespace '
    semaphore 77 make
    semtake --try 77 true
    [ "$(semaphore 77 get 0)" -eq 0 ]
    semset rm 77'
}

# refused_here STATUS [OPTION]...: so ends semtake -c of set 77; what it says is in `out`.
refused_here() {
  local status=0
  timeout --foreground 60 semtake -c "${@:2}" 77 >out 2>&1 || status=$?
  [ "$status" -eq "$1" ]
}

waiting_here() {
  [[ $(semset stat 77) == *$'\nnum 0 '*" waiting_for_more 1 waiting_for_zero 0 "* ]]
}

@test "a counting set that nobody has given a value is waited for, then 111 with advice" {
  in_namespace "$(declare -f refused_here waiting_here)"'
    semaphore 77 make
    for options in "-t 0.2" --try; do
      refused_here 111 $options
      [ "$(cat out)" = "semtake: take 77: it has no initial value: use $1" ]
    done
    semtake -c -t 100 77 &
    until_true waiting_here
    semset set 77 0 1
    wait $!
    # it has been used: now it is taken, that is all
    refused_here 1 --try
    refused_here 124 -t 0.1
    semset rm 77' "'semset set', 'semset create --value' or --create=VALUE"
}

@test "a value that another program sets by SETVAL is a value; 0 is one, too" {
  semaphore "$key" make 2
  run -0 semtake -c --create=9 "$key"
  value_is 1
  semset rm "$key"
  semaphore "$key" make 0
  run -1 semtake -c --create=9 --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
}

@test "--create gives an untouched set of another program its values" {
  semaphore "$key" make
  run -0 semtake -c --create=4 "$key"
  value_is 3
}

@test "in an IPC namespace of its own" {
  semtake --create "$key"
  run -0 in_namespace 'semtake --create --try "$1" true; semaphore "$1" take; semtake --try "$1" || echo "$?"
    semset rm "$1"' "$key"
  [ "${lines[1]}" = 1 ]
  [ "${#lines[@]}" -eq 2 ]
  value_is 1
}

# ---- what the system refuses ----

@test "EIDRM: it was removed while we waited" {
  semtake --create "$key"
  background waiter semtake "$key" touch ran
  until_true waiting 0 1
  ipcrm -S "$key"
  ends_with 111 "$waiter"
  [ "$(cat waiter.err)" = "semtake: take $key: Identifier removed: it has been removed" ]
  [ ! -e ran ]
}

@test "ENOENT, EFBIG, and a set that has gone" {
  local id
  run -111 semtake "$key"
  [ "$output" = "semtake: find $key: no such set; 'semset create' or 'semtake --create' creates one" ]
  semset create "$key" 3
  run -111 semtake -n 3 "$key"
  [[ $output == "semtake: take $key: "*"the set has no semaphore with that number" ]]
  run -111 semtake -c -n 31999 --try "$key"
  [[ $output == "semtake: take $key: "*"the set has no semaphore with that number" ]]
  id=$(semset stat "$key" | sed -n 's/^id //p')
  semset rm "$key"
  run -111 semtake "id:$id"
  [[ $output == "semtake: take id:$id: Invalid argument: it no longer exists"* ]]
}

@test "ERANGE: too much to give back" {
  need strace strace
  semset create "$key"
  run -111 strace -qq -o trace -e inject=semop,semtimedop:error=ERANGE semtake "$key" true
  [[ $output == "semtake: take $key: "*"its value would be out of range (0 to 32767)" ]]
}

@test "EACCES: its mode denies access to this user" {
  need_other_user
  semset create "$key"
  run -111 as_nobody semtake "$key"
  [[ $output == "semtake: "*" $key: Permission denied: its mode denies access to this user" ]]
  run -111 as_nobody semtake --create "$key"
  [[ $output == "semtake: "*" $key: Permission denied: its mode denies access to this user" ]]
  semset rm "$key"
  semset create -m 604 "$key"
  run -111 as_nobody semtake --try "$key"
  [[ $output == "semtake: "*" $key: Permission denied: its mode denies access to this user" ]]
  semset rm "$key"
  semset create -m 606 "$key"
  run -0 as_nobody semtake --try "$key"
  # one that can be changed, but not looked at
  semset rm "$key"
  semset create -m 602 "$key"
  run as_nobody semtake --try "$key"
  [ "$status" -eq 111 ] && [[ $output == *"Permission denied"* ]] || [ "$status" -eq 0 ]
}

@test "ENOSPC: no more sets are allowed" {
  need_own_limits
  run -0 in_namespace 'echo "10 20 3 1" >/proc/sys/kernel/sem; semset create 1
    semtake --create 2 || echo "$?"; semtake -n 10 --create 3 || echo "$?"; semset rm 1'
  [ "${lines[0]}" = "semtake: create 2: No space left on device: a limit is reached: 'ipcs -s' lists the sets; see kernel.sem" ]
  [ "${lines[1]}" = 111 ]
  [[ ${lines[2]} == "semtake: create 3: Invalid argument: "*kernel.sem* ]]
}

# ---- kill -9 ----

# bats test_tags=long
@test "killed at 200 random moments with PROG: it is never left taken" {
  echo 0 >counter
  semset create "$key"
  run -0 kill-at-random 200 20 semtake "$key" add-one counter
  value_is 0
  run -0 semtake --try "$key" true
}

@test "killed at random moments among others that count: all the others get through, one at a time" {
  echo 0 >counter
  semset create "$key"
  background killed kill-at-random 100 15 semtake "$key" sh -c 'mkdir alone && rmdir alone'
  background other semaphore "$key" count counter 20
  run -0 "$HELPERS/at-once" 30 semtake -t 100 "$key" add-one counter
  [ "$output" = "0 30" ]
  ends_with 0 "$killed"
  ends_with 0 "$other"
  [ "$(cat counter)" -eq 50 ]
  value_is 0
}

# bats test_tags=long
@test "killed at 200 random moments while it makes a set: the next has a whole one" {
  local n
  for n in {1..20}; do
    run -0 kill-at-random 10 3 semtake -c --create=5 "$key" true
    run -0 semtake -c --create=5 "$key" true
    value_is 5
    semset rm "$key"
  done
}

@test "the counting kind, killed at random moments, has all its value in the end" {
  semset create --value 3 "$key"
  background one kill-at-random 60 15 semtake -c "$key" true
  background two kill-at-random 60 15 semtake -c "$key" true
  run -0 kill-at-random 80 15 semtake -c "$key" true
  ends_with 0 "$one"
  ends_with 0 "$two"
  value_is 3
}
