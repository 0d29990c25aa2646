# Who makes a set of semaphores: one at a time, slow, stopped or killed; and what other users can do about it.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# value [NUM]
value() {
  semaphore "$key" get "${1:-0}"
}
# field N of what ipcs says of the set: 4 is its mode, 5 its size
listed() {
  ipcs -s | awk -v "key=$key" -v "n=$1" '$1 == key { print $n }'
}
# there is a set
exists() {
  [ -n "$(listed 2)" ]
}
# at_values ACTION APPLET [ARG]...: ACTION of strace(1) as it is about to set the values and the mark
at_values() {
  strace -qq -o trace -e trace=semop,semtimedop -e inject=semop,semtimedop:"$1":when=1 "${@:2}"
}
# as_another PROGRAM [ARG]...: a program of $HELPERS as user nobody
as_another() {
  setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups bash -c 'exec /proc/self/fd/9 "$@"' "$@" 9<"$HELPERS/$1"
}

# in namespaces: all that root makes elsewhere would stand in line with these
@test "50 would make it at once: one does, 49 are told that it is there" {
  run -0 in_namespace 'for n in {1..10}; do
    at-once 50 semset create -q --value 6 5 5
    semaphore 5 get 0; semaphore 5 get 4
    semset rm 5
  done | sort | uniq -c'
  [ "$(tr -s ' ' <<<"$output")" = $' 10 0 1\n 10 1 49\n 20 6' ]
}

@test "50 would take it at once, and make it if need be: it has its value once" {
  run -0 in_namespace 'for n in {1..10}; do
    at-once 50 semtake -c --try -q --create=7 5 | tr "\n" " "
    semaphore 5 get
    semset rm 5
  done'
  [ "${#lines[@]}" -eq 10 ]
  # taken + left = 7: on a loaded machine some give up before they see the values
  run -0 awk '$1 != 0 || $2 < 1 || $3 != 1 || $2 + $4 != 50 || $2 + $5 != 7' <<<"$output"
  [ -z "$output" ]
}

@test "values and mark come in one semop; of more than 250, the values come first" {
  need strace strace
  run -0 strace -qq -e trace=semctl,semop,semtimedop -o trace semset create --value 3 "$key" 250
  [ "$(grep -c '' trace)" -eq 1 ]
  grep -q 'sem.*op([0-9]*, .*, 500' trace
  [ "$(value 0) $(value 249)" = "3 3" ]
  semset rm "$key"
  semset create --value 3 "$key" 251
  [ "$(value 0) $(value 250)" = "3 3" ]
  semset rm "$key"
  # killed before the mark: it has its values, and is as another program's
  run at_values signal=KILL semset create --value 3 "$key" 300
  [[ $(semset stat "$key") == *$'\nlast_operation never\n'*$'\nnum 299 value 3 '* ]]
  run -1 semset create --value 4 "$key" 300
  run -0 semtake -c --create=4 -n 299 "$key"
  [ "$(value 299)" -eq 2 ]
}

@test "where one semop may not change as many, the values come first, too" {
  need_own_limits
  run -0 in_namespace 'echo "10 20 3 2" >/proc/sys/kernel/sem; semset create --value 2 1 10; semset stat 1; semset rm 1'
  [ "$(grep -c ' value 2 ' <<<"$output")" -eq 10 ]
  [[ $output != *"last_operation never"* ]]
}

@test "who finds a set while it is made sees its values only" {
  need strace strace
  background maker strace -qq -o trace -e trace=semop,semtimedop \
    -e inject=semop,semtimedop:delay_enter=1500000:when=1 semset create --value 2 "$key"
  until_true exists
  semtake -c -t 100 "$key"
  ends_with 0 "$maker"
  [ "$(value)" -eq 1 ]
}

# in a namespace: all that root makes elsewhere would wait for that maker, too
@test "a maker that is stopped is not dead: nobody else sets values; it goes on, and they come once" {
  need strace strace
  # it looks for the set first, then creates it
  run -0 --separate-stderr in_namespace "$(declare -f is_in_state)"'
    strace -qq -o trace -e trace=semget -e inject=semget:signal=STOP:when=2 semset create --value 2 5 & slow=$!
    stopped() {
      maker=$(cat "/proc/$slow/task/$slow/children")
      maker=${maker% }
      [ -n "$maker" ] && is_in_state "$maker" "[Tt]" && ipcs -s | grep -q "^0x00000005 "
    }
    until_true stopped
    semtake -c -t 0.2 --create=5 5 || echo $?
    semtake -c -t 0.2 5 || echo $?
    semtake -c --try 5 || echo $?
    semaphore 5 get
    semtake -c --create=5 5 & other=$!
    kill -CONT "$maker"
    wait "$slow"
    wait "$other"
    semaphore 5 get
    semset rm 5'
  [ "${lines[*]}" = "124 124 1 0 1" ]
}

@test "a maker that is killed half-way leaves a set that the next one finishes, at once" {
  need strace strace
  run at_values signal=KILL semset create --value 2 "$key" 3
  run -0 listed 5
  [ "$output" -eq 3 ]
  [[ $(semset stat "$key") == *$'\nlast_operation never\n'* ]]
  # one of another size is another
  run -1 semset create --value 4 "$key" 2
  run -0 semset create --value 4 "$key" 3
  [ "$(value 0) $(value 2)" = "4 4" ]
  run -1 semset create --value 4 "$key" 3
  semset rm "$key"
  run at_values signal=KILL semtake -c --create=3 "$key"
  run -0 listed 5
  [ "$output" -eq 1 ]
  run -111 semtake -c -t 0.1 "$key"
  run -0 "$HELPERS/at-once" 20 semtake -c --try -q --create=3 "$key"
  [ "$output" = $'0 3\n1 17' ]
  [ "$(value)" -eq 0 ]
}

@test "what a maker shows of itself is gone with it, or with the next" {
  need strace strace
  run -0 in_namespace 'strace -qq -o trace -e inject=shmat:signal=KILL:when=1 semset create 5 || :
    ipcs -m | grep -c "^0x"; segment 7 create 3301; semset create 5; ipcs -m | grep "^0x" | cut -d " " -f 1
    semset rm 5; ipcrm -M 7'
  [ "${lines[*]: -2}" = "1 0x00000007" ]
}

@test "a signal that ends a maker leaves nothing of it" {
  need strace strace
  run -0 in_namespace 'for call in shmget shmat shmctl; do
      strace -qq -o trace -e inject=$call:signal=INT:when=1 semset create 5 || :
    done; ipcs -m | grep -c "^0x" || :'
  [ "${lines[-1]}" = 0 ]
}

# bats test_tags=long
@test "a maker that does not get done: ETIMEDOUT, not a wait without end" {
  run -0 in_namespace 'exec 8> >(segment private hold 3301 >held); until_line held attached; timeout 60 semset create 5 || echo $?
    semtake --create 5; exec 8>&-; wait $!; semset create 6; semset rm 5; semset rm 6'
  [[ ${lines[0]} == "semset: create 5: "*": another process is creating it and does not finish" ]]
  [ "${lines[1]}" = 111 ]
  [ "${#lines[@]}" -eq 2 ]
}

@test "without a segment: ENOLCK names the limit; zeros that need not be the first need none" {
  need_own_limits
  run -0 in_namespace 'echo 0 >/proc/sys/kernel/shmmni; semset create 5 || echo $?; semtake -c --create 5 || echo $?
    semtake --create 5; semset rm 5'
  [ "${lines[0]}" = "semset: create 5: No locks available: a shared memory segment is needed meanwhile: \
see 'ipcs -m' and kernel.shmmni" ]
  [[ "${lines[1]} ${lines[2]} ${lines[3]}" == "111 semtake: create 5: No locks available: "*" 111" ]]
}

# ---- what others may do ----

@test "a lock on the IPC namespace, which everybody can take, keeps nobody from anything" {
  exec 8</proc/self/ns/ipc
  # two of the same kind would share it
  flock -s 8
  run -0 semset create --value 3 "$key"
  semset rm "$key"
  flock 8
  run -0 timeout --foreground 60 semtake -c --create=3 "$key"
  run -0 timeout --foreground 60 semset set "$key" 0 1
  semset rm "$key"
  semaphore "$key" make
  run -1 semtake --create=1 --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
  run -0 semgive "$key"
  exec 8<&-
}

@test "another user shows a segment as a maker does: nobody waits for it" {
  need_other_user
  mkfifo input
  as_another segment private hold 3301 <input >held 3>&- &
  started+=("$!")
  exec 9>input
  until_line held attached
  # those who would wait give up after 0.1 s
  run -0 semset create --value 2 "$key"
  semset rm "$key"
  semaphore "$key" make
  run -1 semtake --create=1 --try "$key"
  [ "$output" = "semtake: take $key: it is taken" ]
  exec 9>&-
}

@test "another user's set without values under our key: zeros will do, else it is named" {
  need_other_user
  as_another semaphore "$key" make
  run -111 semtake -c --create=2 "$key"
  [ "$output" = "semtake: create $key: Operation not permitted: another user has created it and given it no value; \
'semset rm' removes it" ]
  [ "$(value)" -eq 0 ]
  run -1 semset create "$key"
  [ "$output" = "semset: create $key: it already exists" ]
  run -0 semtake --create --try "$key" true
  run -0 semset rm "$key"
}

@test "another user's set that is being made, it seems: waited for until -t, or 5 seconds" {
  need_other_user
  as_another semaphore "$key" make
  mkfifo input
  as_another segment private hold 3301 <input >held 3>&- &
  started+=("$!")
  exec 9>input
  until_line held attached
  run -124 semtake -c --create=2 -t 0.1 "$key"
  run -111 semtake -c --create=2 "$key"
  [[ $output == "semtake: create $key: "*": another process is creating it and does not finish" ]]
  exec 9>&-
  semset rm "$key"
}
