# msgdemo: perlipc's round trip through a queue, and queues for the shell.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# stat_of NAME: a value that stat shows.
stat_of() {
  msgdemo stat "$key" | sed -n "s/^$1 //p"
}

@test "the round trip says what perlipc's says" {
  need_perl IPC::SysV
  run -0 "$PERL/perlipc-queue"
  [ "$output" = okay ]
}

@test "the round trip says okay, and leaves nothing" {
  run -0 --separate-stderr msgdemo
  [ "$output" = okay ]
  [ -z "$stderr" ]
  in_namespace 'for n in 1 2 3; do [ "$(msgdemo)" = okay ]; no_objects; done'
}

@test "a round trip that nobody can read says so, and leaves nothing" {
  in_namespace 'for out in /dev/full "&-"; do
      status=0; eval "msgdemo >$out" 2>err || status=$?
      [ "$status" -eq 111 ]; grep -q "^msgdemo: write stdout: " err; no_objects
    done'
}

# bats test_tags=long
@test "a signal in the midst of a round trip leaves nothing" {
  need strace strace
  in_namespace "$(declare -f signals_at)"'
    for call in msgget msgsnd msgrcv; do signals_at "$call" "$1" msgdemo; done' "$(every_signal)"
}

@test "a round trip that fails in its midst leaves nothing" {
  need strace strace
  in_namespace 'for call in msgsnd msgrcv; do
      status=0
      strace -qq -o trace -e trace=$call -e inject=$call:error=ENOMEM msgdemo >out 2>err || status=$?
      [ "$status" -eq 111 ]; [ ! -s out ]; grep -q "^msgdemo: .*: Cannot allocate memory" err; no_objects
    done'
}

@test "create: 0600; -m, private, and one that is there" {
  run -0 msgdemo create "$key"
  [ -z "$output" ]
  [ "$(stat_of mode)" = 0600 ]
  run -1 msgdemo create "$key"
  [ "$output" = "msgdemo: create $key: it already exists" ]
  run -0 msgdemo rm "$key"
  [ -z "$output" ]
  umask 0777
  msgdemo --mode 0640 create "$key"
  [ "$(stat_of mode)" = 0640 ]
  msgdemo rm "$key"
  queue "$key" create
  run -1 msgdemo create -m 0666 "$key"
  [ "$(stat_of mode)" = 0600 ]
  msgdemo rm "$key"
  in_namespace 'one=$(msgdemo create private); two=$(msgdemo create private)
    [[ $one =~ ^id:[0-9]+$ && $one != "$two" ]]
    msgsend "$one" hello; [ "$(msgrecv -t 0 "$one")" = hello ]
    msgdemo rm "$one"; msgdemo rm "$two"'
}

@test "of fifty that make it at once, one does" {
  local n pids=() made=0
  for n in {1..50}; do
    msgdemo -q create "$key" 3>&- &
    pids+=($!)
  done
  for n in "${pids[@]}"; do
    status=0
    wait "$n" || status=$?
    [ "$status" -le 1 ]
    made=$((made + !status))
  done
  [ "$made" -eq 1 ]
  msgdemo rm "$key"
}

@test "stat: what other programs see, as text and as JSON" {
  msgdemo create -m 0644 "$key"
  [ "$(stat_of key)" = "$key" ]
  [ "$(stat_of last_send) $(stat_of last_receive)" = "never never" ]
  [ "$(stat_of messages) $(stat_of bytes)" = "0 0" ]
  [ "$(stat_of uid) $(stat_of creator_gid)" = "$(id -u) $(id -g)" ]
  [ "$(stat_of bytes_max)" = "$(cat /proc/sys/kernel/msgmnb)" ]
  background sender msgsend "$key" hello
  ends_with 0 "$sender"
  queue "$key" send 2 'from them'
  [ "$(stat_of messages) $(stat_of bytes)" = "2 14" ]
  [ "$(ipcs -q | awk -v key="$key" '$1 == key { print $2, $4, $5, $6 }')" = "$(stat_of id) 644 14 2" ]
  background receiver msgrecv "$key"
  ends_with 0 "$receiver"
  [ "$(stat_of last_receive_pid)" = "$receiver" ]
  msgdemo stat --json "$key" >json
  flat_json <json | cmp - <(msgdemo stat "$key")
  grep -qE '"messages":1,"bytes":9,.*"last_send":"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}Z",' json
  [ "$(wc -l <json)" -eq 1 ]
  run -0 msgdemo rm "$key"
  [ "$output" = "msgdemo: remove $key: it contained 1 message" ]
}

@test "rm says what goes with it; -q does not" {
  new_queue
  seq 3 | msgsend "$key"
  run -0 msgdemo rm "$key"
  [ "$output" = "msgdemo: remove $key: it contained 3 messages" ]
  new_queue
  msgsend "$key" x
  run -0 msgdemo -q rm "$key"
  [ -z "$output" ]
  new_queue
  queue "$key" rm
  run -111 msgdemo rm "$key"
  [ "$output" = "msgdemo: remove $key: no such queue; 'msgdemo create' or 'msgsend --create' creates one" ]
  run -111 msgdemo stat "$key"
  run -111 msgdemo rm id:2147483647
  [ "$output" = "msgdemo: remove id:2147483647: Invalid argument: it no longer exists" ]
}

@test "a KEY is a number, a path as for ftok, or an identifier" {
  local id
  mkdir dir
  msgdemo create ./dir:7
  owns msgdemo ./dir:7
  queue ./dir:7 send 3 text
  [ "$(msgrecv "$PWD/dir:7")" = text ]
  id=$(msgdemo stat ./dir:7 | sed -n 's/^id //p')
  msgsend "id:$id" text
  run -0 queue "id:$id" recv 0 1
  [ "$output" = 1:text ]
  run -111 msgdemo stat ./dir:8
  msgdemo rm ./dir:7
  queue ./dir create
  owns msgdemo ./dir:1
  msgdemo rm ./dir
  queue ./dir:65 create
  owns msgdemo ./dir:65
  msgdemo rm ./dir:A
  # every key that an int can be
  in_namespace 'for key in 1 0x7fffffff 0x80000000 4294967295; do
      msgdemo create "$key"; queue "$key" send 1 hello; [ "$(msgrecv -t 0 "$((key))")" = hello ]; msgdemo rm "$key"
    done'
}

@test "another user: EACCES, EPERM" {
  need_other_user
  new_queue
  run -111 as_nobody msgdemo stat "$key"
  [ "$output" = "msgdemo: stat $key: Permission denied: its mode denies access to this user" ]
  run -111 as_nobody msgdemo rm "$key"
  [ "$output" = "msgdemo: remove $key: Operation not permitted: only its owner, its creator and root may do that" ]
  msgdemo rm "$key"
}

@test "limits: ENOSPC" {
  need_own_limits
  in_namespace 'echo 1 >/proc/sys/kernel/msgmni; msgdemo create 7
    for call in "msgdemo create 8" msgdemo; do
      status=0; $call >out 2>err || status=$?
      [ "$status" -eq 111 ]; [ ! -s out ]
      grep -qE "^msgdemo: create (8|private): No space left on device: .*ipcs -q.*kernel.msgmni" err
    done
    msgdemo rm 7'
}

@test "usage errors do nothing" {
  local words
  while read -r words; do
    # shellcheck disable=SC2086 # words
    wrong_call msgdemo $words
  done <<EOF
nothing
7
--json
-m 0600
create
create $key 1
create private 1
create -m 01000 $key
create -m 8 $key
create --json $key
create 0
create -- -1
create some
create id:
stat
stat private
stat -m 0600 $key
stat $key $key
rm
rm private
rm --json $key
rm $key $key
--nothing
EOF
  wrong_call msgdemo ''
  wrong_call msgdemo create ''
  no_objects "$key"
}
