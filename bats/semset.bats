# semset: sets of semaphores, their keys, and what is said about them.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# what stat says of NAME, or of semaphore NUM
stat_of() {
  semset stat "$key" | sed -n "s/^$1 //p"
}
# value [NUM]
value() {
  stat_of "num ${1:-0} value" | cut -d ' ' -f 1
}
# waiting MORE ZERO [NUM]: so many wait for it
waiting() {
  [[ $(stat_of "num ${3:-0}") == *" waiting_for_more $1 waiting_for_zero $2 "* ]]
}
# field N of what ipcs says of the set: 4 is its mode, 5 its size
listed() {
  ipcs -s | awk -v "key=$key" -v "n=$1" '$1 == key { print $n }'
}
# there is a set
exists() {
  [ -n "$(listed 2)" ]
}

@test "create makes a set of one semaphore, or of many, all zero, for its owner alone" {
  umask 0
  run -0 semset create "$key"
  [ -z "$output" ]
  [ "$(listed 4) $(listed 5)" = "600 1" ]
  [ "$(value)" -eq 0 ]
  run -0 semset rm "$key"
  [ -z "$output" ]
  [ -z "$(listed 2)" ]
  semset create "$key" 250
  [ "$(listed 5)" -eq 250 ]
  [ "$(semset stat "$key" | grep -c '^num [0-9]* value 0 ')" -eq 250 ]
}

@test "-m is its mode, and no umask changes it" {
  local mode
  umask 077
  for mode in 0 600 0660 644 777; do
    semset create -m "$mode" "$key"
    [ "$(listed 4)" -eq "$mode" ]
    semset rm "$key"
  done
}

@test "--value is every semaphore's first value" {
  semset create --value 3 "$key" 4
  [ "$(value 0) $(value 1) $(value 2) $(value 3)" = "3 3 3 3" ]
  semset rm "$key"
  semset create --value=32767 "$key"
  [ "$(value)" -eq 32767 ]
}

@test "what exists is not made again: 1, and it stays as it is" {
  semset create --value 2 "$key" 2
  run -1 semset create --value 5 "$key" 2
  [ "$output" = "semset: create $key: it already exists" ]
  run -1 semset create "$key"
  run -1 semset create -q "$key"
  [ -z "$output" ]
  [ "$(value 0) $(value 1)" = "2 2" ]
}

@test "set changes one value, and the others stay" {
  semset create --value 1 "$key" 3
  run -0 semset set "$key" 1 32767
  [ -z "$output" ]
  semset set "$key" 2 0
  [ "$(value 0) $(value 1) $(value 2)" = "1 32767 0" ]
}

@test "set lets those go on who wait for that value" {
  semset create --value 1 "$key"
  background taker semtake "$key"
  until_true waiting 0 1
  semset set "$key" 0 0
  wait "$taker"
  semset set "$key" 0 0
  background counter semtake -c "$key"
  until_true waiting 1 0
  semset set "$key" 0 1
  wait "$counter"
  [ "$(value)" -eq 0 ]
}

@test "stat: who it is, values, waiters, last pid, times" {
  local before now id
  before=$(date -u +%FT%TZ)
  semset create -m 640 "$key" 2
  id=$(listed 2)
  background holder semtake -n 1 "$key"
  wait "$holder"
  background waiter semtake -n 1 "$key"
  until_true waiting 0 1 1
  background more semtake -c "$key"
  until_true waiting 1 0
  run -0 --separate-stderr semset stat "$key"
  [ -z "$stderr" ]
  [ "${#lines[@]}" -eq 11 ]
  [ "${lines[0]}" = "id $id" ]
  [ "${lines[1]}" = "key $key" ]
  [ "${lines[2]}" = "mode 0640" ]
  [ "${lines[3]} ${lines[4]}" = "uid $(id -u) gid $(id -g)" ]
  [ "${lines[5]} ${lines[6]}" = "creator_uid $(id -u) creator_gid $(id -g)" ]
  now=$(date -u +%FT%TZ)
  [[ ${lines[7]#last_operation } > $before || ${lines[7]#last_operation } == "$before" ]]
  [[ ${lines[7]#last_operation } < $now || ${lines[7]#last_operation } == "$now" ]]
  [[ ${lines[8]#last_change } < $now || ${lines[8]#last_change } == "$now" ]]
  [[ ${lines[9]} == "num 0 value 0 waiting_for_more 1 waiting_for_zero 0 last_pid "[0-9]* ]]
  [ "${lines[10]}" = "num 1 value 1 waiting_for_more 0 waiting_for_zero 1 last_pid $holder" ]
  semset rm "$key" 2>/dev/null
  ends_with 111 "$waiter"
  ends_with 111 "$more"
}

@test "stat --json is one object that says the same" {
  semset create --value 7 "$key" 3
  semset set "$key" 1 9
  semset stat --json "$key" >json
  [ "$(wc -l <json)" -eq 1 ]
  # the semaphores apart, each is as flat as the rest
  sed 's/,"semaphores":.*/}/' json | flat_json | cmp - <(semset stat "$key" | grep -v ^num)
  sed 's/.*"semaphores":\[{//; s/}\]}$//; s/},{/\n/g; s/"//g; s/[:,]/ /g' json | cmp - <(semset stat "$key" | grep ^num)
}

@test "stat --json, as perl reads it" {
  semset create --value 7 "$key" 3
  semset set "$key" 1 9
  semset stat --json "$key" >json
  [ "$(wc -l <json)" -eq 1 ]
  run -0 perl -MJSON::PP -e '
    my $o = decode_json(do { local $/; <STDIN> });
    print join " ", sort keys %$o; print "\n$$o{key} $$o{mode} $$o{uid} $$o{creator_gid}\n";
    for my $s (@{$$o{semaphores}}) { print join(" ", map { "$_ $$s{$_}" } sort keys %$s), "\n" }' <json
  [ "${lines[0]}" = "creator_gid creator_uid gid id key last_change last_operation mode semaphores uid" ]
  [ "${lines[1]}" = "$key 0600 $(id -u) $(id -g)" ]
  [[ ${lines[2]} == "last_pid "*" num 0 value 7 waiting_for_more 0 waiting_for_zero 0" ]]
  [[ ${lines[3]} == "last_pid "*" num 1 value 9 waiting_for_more 0 waiting_for_zero 0" ]]
  [ "${#lines[@]}" -eq 5 ]
}

@test "another program's set that nobody has used: never, null in JSON" {
  semaphore "$key" make
  run -0 semset stat "$key"
  [[ $output == *$'\nlast_operation never\nlast_change 2'* ]]
  [[ $output == *"num 0 value 0 waiting_for_more 0 waiting_for_zero 0 last_pid 0" ]]
  run -0 semset stat --json "$key"
  [[ $output == *'"last_operation":null,'* ]]
}

@test "stat of a set that goes meanwhile is an error, not zeros" {
  need strace strace
  semset create --value 7 "$key" 2
  run -111 strace -qq -o trace -e inject=semctl:error=EIDRM:when=3+ semset stat "$key"
  [[ $output == *"Identifier removed: it has been removed"* ]]
  [[ $output != *"value 0"* ]]
}

# bats test_tags=long
@test "stat of the biggest set" {
  in_namespace '
    semset create --value 1 5 32000
    semset stat 5 | awk "/^num/ { n++; sum += \$4; last = \$2 } END { print n, sum, last }"
    semset stat --json 5 | grep -o "\"num\":" | wc -l
    semset set 5 31999 4
    semtake -c -n 31999 5
    semaphore 5 get 31999
    semset rm 5' >said
  [ "$(cat said)" = $'32000 32000 31999\n32000\n3' ]
}

@test "stdout that can't be written is 111" {
  semset create "$key" 300
  for option in '' --json; do
    # shellcheck disable=SC2086
    run -111 sh -c 'semset stat "$@" >/dev/full' '' $option "$key"
    [ "$output" = "semset: write stdout: No space left on device" ]
  done
  in_namespace 'semset create private >/dev/full || echo $?
    ipcs -s >list; semset rm "id:$(awk "/^0x/ { print \$2 }" list)" || :' >said 2>&1
  [ "$(head -n 1 said)" = "semset: write stdout: No space left on device" ]
}

@test "rm says who is still waiting, and they end with a sentence" {
  semset create --value 1 "$key" 2
  background ours semtake -t 1m "$key"
  background other semaphore "$key" wait-in-line
  background third semtake -c -n 1 "$key" true
  until_true waiting 0 2
  semset set "$key" 1 0
  background fourth semtake -c -n 1 "$key"
  wait "$third"
  until_true waiting 1 0 1
  run -0 semset rm "$key"
  [[ $output == "semset: remove $key: 3 processes still waiting"* ]]
  if [ "$(id -u)" -eq 0 ]; then
    run -0 tr -s ' ,:' '\n' <<<"$output"
    for pid in "$ours" "$other" "$fourth"; do
      grep -qx "$pid" <<<"$output"
    done
  fi
  ends_with 111 "$ours"
  [ "$(cat ours.err)" = "semtake: take $key: Identifier removed: it has been removed" ]
  ends_with 111 "$fourth"
  status=0
  wait "$other" || status=$?
  [ "$(cat other.err)" = "semop: Identifier removed" ]
}

@test "what is not there: 111, with what would make it" {
  local why="no such set; 'semset create' or 'semtake --create' creates one"
  run -111 semset stat "$key"
  [ "$output" = "semset: stat $key: $why" ]
  run -111 semset rm "$key"
  [ "$output" = "semset: remove $key: $why" ]
  run -111 semset set "$key" 0 1
  [ "$output" = "semset: set $key: $why" ]
}

@test "a set that has gone, and a semaphore that it does not have: EINVAL" {
  local id
  semset create "$key" 3
  id=$(listed 2)
  run -111 semset set "$key" 3 1
  [ "$output" = "semset: set $key: Invalid argument: it no longer exists, or has no semaphore with that number" ]
  semset stat "id:$id" >/dev/null
  semset rm "id:$id"
  for words in "stat id:$id" "rm id:$id" "set id:$id 0 1"; do
    # shellcheck disable=SC2086
    run -111 semset $words
    [[ $output == *" id:$id: Invalid argument: it no longer exists, or has no semaphore with that number" ]]
  done
}

@test "no more are allowed: ENOSPC says which limits; too big a set says so, too" {
  need_own_limits
  run -0 in_namespace '
    echo "10 20 3 2" >/proc/sys/kernel/sem
    semset create 1 10
    semset create 2 10
    semset create 3 || echo $?
    semset rm 2
    semset create 3 11 || echo $?
    semset create 3 9
    semset rm 1; semset rm 3'
  [ "${lines[0]}" = "semset: create 3: No space left on device: a limit is reached: 'ipcs -s' lists the sets; see kernel.sem" ]
  [ "${lines[1]}" = 111 ]
  # what is too big is not "gone"
  [[ ${lines[2]} == "semset: create 3: Invalid argument: "*kernel.sem* ]]
  [[ ${lines[2]} != *"it no longer exists"* ]]
  [ "${lines[3]}" = 111 ]
}

@test "another user: EACCES and EPERM have their sentences" {
  need_other_user
  semset create "$key"
  run -111 as_nobody semset stat "$key"
  [ "$output" = "semset: stat $key: Permission denied: its mode denies access to this user" ]
  run -111 as_nobody semset set "$key" 0 1
  [ "$output" = "semset: set $key: Permission denied: its mode denies access to this user" ]
  run -111 as_nobody semset rm "$key"
  [ "$output" = "semset: remove $key: Operation not permitted: only its owner, its creator and root may do that" ]
  run -1 as_nobody semset create "$key"
  semset rm "$key"
  semset create -m 604 "$key"
  run -0 as_nobody semset stat "$key"
  run -111 as_nobody semset set "$key" 0 1
  semset rm "$key"
  semset create -m 606 "$key"
  run -0 as_nobody semset set "$key" 0 1
  [ "$(value)" -eq 1 ]
}
