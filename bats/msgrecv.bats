# msgrecv: which message is taken, and how it is printed. What can't be delivered: msgrecv-failure.bats.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# of_types TYPE...: sends "tTYPE.N" for the Nth word.
of_types() {
  local n=0 type
  for type; do
    msgsend -y "$type" "$key" "t$type.$((++n))"
  done
}

# all_of [OPTION]...: what can be received, in one line.
all_of() {
  { msgrecv -q -t 0 --follow "$@" "$key" || [ $? -eq 1 ]; } | tr '\n' ' '
}

@test "one message, the oldest, and the rest stays" {
  new_queue
  of_types 3 1 2
  run -0 --separate-stderr msgrecv "$key"
  [ "$output" = t3.1 ]
  [ -z "$stderr" ]
  has_messages 2 "$key"
  [ "$(all_of)" = "t1.2 t2.3 " ]
  msgdemo rm "$key"
}

@test "--type: one, the lowest up to one, any, any but one" {
  local max=9223372036854775807
  new_queue
  of_types 5 2 7 2 3
  [ "$(all_of -y 2)" = "t2.2 t2.4 " ]
  [ "$(all_of --type=-5)" = "t3.5 t5.1 " ]
  [ "$(all_of -y -6)" = "" ]
  [ "$(all_of -y 0)" = "t7.3 " ]
  of_types 5 2 7 2 3
  [ "$(all_of -y 2 --except)" = "t5.1 t7.3 t3.5 " ]
  [ "$(all_of -x -y 9)" = "t2.2 t2.4 " ]
  of_types "$max" 1
  [ "$(all_of -y "$max")" = "t$max.1 " ]
  of_types "$max"
  [ "$(all_of -y "-$max")" = "t1.2 t$max.1 " ]
  msgdemo rm "$key"
}

@test "selection is that of perl's msgrcv" {
  need_perl IPC::SysV
  selects_as "$PERL/queue"
}

@test "selection is that of msgrcv(2)" {
  selects_as queue
}

# selects_as PROGRAM: one that has the commands of helper/queue.c
selects_as() {
  local type
  new_queue
  for type in 0 2 -3 7 -100; do
    of_types 5 2 7 3 2
    "$1" "$key" recv "$type" 1 >theirs
    all_of >/dev/null
    of_types 5 2 7 3 2
    [ "$(msgrecv "-y$type" "$key")" = "$(sed 's/^[0-9]*://' theirs)" ]
    all_of >/dev/null
  done
  msgdemo rm "$key"
}

@test "what perl sends, and what it asks for and gets" {
  need_perl IPC::SysV
  talks_with "$PERL/queue"
}

@test "what other programs send, and what they ask for and get" {
  talks_with "$HELPERS/queue"
}

# talks_with PROGRAM
talks_with() {
  local child
  new_queue
  "$1" "$key" send 42 'from them'
  run -0 msgrecv --json "$key"
  [ "$output" = '{"type":42,"text":"from them"}' ]
  # both roles on each side: requests of type 1, answers of type 2
  background child bash -c '"$1" "$2" recv 1 3 | sed -u "s/^1:/answer to /" | "$1" "$2" send 2' '' "$1" "$key"
  seq 3 | msgsend -y 1 "$key"
  ends_with 0 "$child"
  [ "$(all_of -y 2)" = "answer to 1 answer to 2 answer to 3 " ]
  background child bash -c 'msgrecv -y 1 --follow -t 60 "$1" | sed -u "s/^/answer to /" | msgsend -y 2 "$1"' '' "$key"
  seq 3 | "$1" "$key" send 1
  run -0 "$1" "$key" recv 2 3
  [ "$output" = $'2:answer to 1\n2:answer to 2\n2:answer to 3' ]
  msgdemo rm "$key"
  wait "$child" || :
}

@test "lines, NULs, nothing, JSON" {
  local option
  new_queue
  for option in '' -0 --raw --json; do
    printf 'a\\"\0b\n\t\0\0\xff\xc3\xa4' | msgsend -0 -y 3 "$key"
    has_messages 4 "$key"
    # shellcheck disable=SC2086 # a word, or none
    msgrecv -q --follow -t 0 $option "$key" >"out$option" || [ $? -eq 1 ]
  done
  printf 'a\\"\nb\n\t\n\n\xff\xc3\xa4\n' | cmp - out
  printf 'a\\"\0b\n\t\0\0\xff\xc3\xa4\0' | cmp - out-0
  printf 'a\\"b\n\t\xff\xc3\xa4' | cmp - out--raw
  printf '{"type":3,"text":"%s"}\n' 'a\\\"' 'b\u000a\u0009' '' '\u00ffä' | cmp - out--json
  msgdemo rm "$key"
}

@test "every byte goes through" {
  all_bytes >bytes
  new_queue
  msgsend --raw "$key" <bytes
  msgrecv --raw "$key" | cmp - bytes
  msgdemo rm "$key"
}

@test "every byte in JSON, as perl reads it" {
  need_perl JSON::PP
  all_bytes >bytes
  new_queue
  msgsend --raw "$key" <bytes
  msgrecv --json "$key" >out
  perl -MJSON::PP -e 'my $m = decode_json(do { local $/; <STDIN> }); binmode STDOUT; print $m->{text}' <out | cmp - bytes
  msgdemo rm "$key"
}

@test "messages longer than the room at first: none is lost, in text and in JSON" {
  need_own_limits
  in_namespace 'echo 1000000 >/proc/sys/kernel/msgmax; echo 8000000 >/proc/sys/kernel/msgmnb
    msgdemo create 7
    for size in 0 1 8191 8192 8193 16384 16385 100000 1000000; do
      head -c "$size" /dev/urandom >in
      msgsend --raw 7 <in; msgrecv --raw 7 | cmp - in
      msgsend --raw 7 <in; msgrecv --json 7 >json
      head -c "$size" /dev/zero >in
      msgsend --raw 7 <in; [ "$(msgrecv --json 7 | wc -c)" -eq "$((size * 6 + 21))" ]
      msgsend --raw 7 <in; msgrecv 7 wc -c >count; [ "$(cat count)" -eq "$size" ]
    done
    # a short one, a long one, a short one
    (echo 1; head -c 500000 /dev/zero | tr "\0" x; echo; echo 3) >in
    msgsend 7 <in; msgrecv --follow -q -t 0 7 >out || [ $? -eq 1 ]; cmp in out
    msgdemo rm 7'
}

@test "a message that there is no memory for stays in the queue" {
  need_own_limits
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers want all memory there is"
  in_namespace 'echo 100000000 >/proc/sys/kernel/msgmax; echo 100000000 >/proc/sys/kernel/msgmnb
    msgdemo create 7; head -c 50000000 /dev/zero | msgsend --raw 7; status=0
    (ulimit -v 200000; msgrecv 7 >out 2>err) || status=$?
    [ "$status" -eq 111 ]; [ ! -s out ]
    grep -q "^msgrecv: receive from 7: Cannot allocate memory" err
    msgdemo stat 7 | grep -qx "messages 1"; [ "$(msgrecv --raw 7 | wc -c)" -eq 50000000 ]; msgdemo rm 7'
}

@test "no message: -t 0 is 1 at once, -t 124 in time" {
  local began
  new_queue
  msgsend -y 3 "$key" other
  run -1 msgrecv -t 0 -y 4 "$key"
  [ "$output" = "msgrecv: receive from $key: there is no message" ]
  run -1 msgrecv -q -t 0 -y 4 "$key"
  [ -z "$output" ]
  began=${EPOCHREALTIME/./}
  run -124 timeout --foreground 60 msgrecv -t 300ms -y 4 "$key"
  ((${EPOCHREALTIME/./} - began >= 300000))
  ((${EPOCHREALTIME/./} - began < 20000000))
  [ "$output" = "msgrecv: receive from $key: the deadline passed" ]
  run -124 timeout --foreground 60 msgrecv -q -t 0.1 -y 4 "$key"
  [ -z "$output" ]
  run -0 msgrecv -t 0 "$key"
  [ "$output" = other ]
  msgdemo rm "$key"
}

@test "the deadline: whatever signals come, or are ignored and blocked" {
  local began receiver
  new_queue
  began=${EPOCHREALTIME/./}
  background receiver msgrecv -t 700ms "$key"
  # for 5 s at most: a busy machine never lets it run between two of them
  while kill -STOP "$receiver" 2>/dev/null; do
    kill -CONT "$receiver" 2>/dev/null || :
    ((${EPOCHREALTIME/./} - began < 5000000)) || break
  done
  ends_with 124 "$receiver"
  ((${EPOCHREALTIME/./} - began >= 700000))
  ((${EPOCHREALTIME/./} - began < 20000000))
  began=${EPOCHREALTIME/./}
  run -124 timeout --foreground 60 env --ignore-signal=ALRM,RTMAX --block-signal=ALRM,RTMAX \
    msgrecv -t 300ms "$key"
  ((${EPOCHREALTIME/./} - began >= 300000))
  msgdemo rm "$key"
}

# bats test_tags=long
@test "an alarm that was set before is not lost in the wait" {
  local options
  new_queue
  for options in '' '-t 50' --follow; do
    # shellcheck disable=SC2086 # words
    run -142 timeout --foreground 60 alarmed 1 msgrecv $options "$key"
  done
  msgdemo rm "$key"
}

@test "who waits gets it as soon as it is there" {
  local options receiver
  new_queue
  for options in '' '-t 50' --follow; do
    # shellcheck disable=SC2086 # words
    background receiver msgrecv $options -y 9 "$key"
    until_true asleep "$receiver" msgrecv
    msgsend -y 8 "$key" other
    msgsend -y 9 "$key" waited
    until_line receiver.out '^waited$'
    [ "$options" = --follow ] && break
    ends_with 0 "$receiver"
  done
  # and goes on
  msgsend -y 9 "$key" more
  until_line receiver.out '^more$'
  finish "$receiver"
  [ "$status" -eq 143 ]
  msgdemo -q rm "$key"
}

# bats test_tags=long
@test "--follow: -t is for each message" {
  local receiver n
  new_queue
  background receiver msgrecv --follow -t 5 "$key"
  for n in 1 2 3; do
    until_true asleep "$receiver" msgrecv
    msgsend "$key" "$n"
    until_line receiver.out "^$n\$"
  done
  ends_with 124 "$receiver"
  [ "$(cat receiver.err)" = "msgrecv: receive from $key: the deadline passed" ]
  msgdemo rm "$key"
}

@test "TERM ends the wait; a message that comes afterwards is nobody's" {
  local options receiver signal
  new_queue
  for signal in TERM HUP USR1 RTMIN+3; do
    for options in '' '-t 50' --follow; do
      # shellcheck disable=SC2086 # words
      background receiver msgrecv $options "$key"
      until_true asleep "$receiver" msgrecv
      kill "-$signal" "$receiver"
      ends_with "$((128 + $(kill -l "$signal")))" "$receiver"
      [ ! -s receiver.err ]
      msgsend "$key" late
      [ "$(msgrecv -t 0 "$key")" = late ]
    done
  done
  msgdemo rm "$key"
}

@test "a queue that is removed meanwhile: 111" {
  local options receiver
  for options in '' '-t 50' --follow; do
    new_queue
    # shellcheck disable=SC2086 # words
    background receiver msgrecv $options "$key"
    until_true asleep "$receiver" msgrecv
    msgdemo rm "$key"
    ends_with 111 "$receiver"
    [ "$(cat receiver.err)" = "msgrecv: receive from $key: Identifier removed: it has been removed" ]
  done
}

@test "--create waits at a queue that it makes, 0600 or -m" {
  local receiver
  background receiver msgrecv --create "$key"
  until_true msgdemo -q stat "$key" >/dev/null 2>&1
  [ "$(msgdemo stat "$key" | sed -n 's/^mode //p')" = 0600 ]
  msgsend "$key" hello
  ends_with 0 "$receiver"
  [ "$(cat receiver.out)" = hello ]
  run -1 msgrecv --create -m 0644 -t 0 "$key"
  msgdemo rm "$key"
  run -1 msgrecv --create -m 0644 -t 0 "$key"
  [ "$(msgdemo stat "$key" | sed -n 's/^mode //p')" = 0644 ]
  msgdemo rm "$key"
}

@test "no queue, and one of another: 111 and advice" {
  run -111 msgrecv "$key"
  [ "$output" = "msgrecv: find $key: no such queue; 'msgdemo create' or 'msgsend --create' creates one" ]
  run -111 msgrecv id:2147483647
  [[ $output == "msgrecv: receive from id:2147483647: Invalid argument: it no longer exists" ]]
  need_other_user
  new_queue -m 0602
  msgsend "$key" secret
  run -111 as_nobody msgrecv "$key"
  [[ $output == "msgrecv: "*" $key: Permission denied: its mode denies access to this user" ]]
  has_messages 1 "$key"
  msgdemo -q rm "$key"
}

@test "ten receivers share what comes, each message once" {
  local n pids=()
  new_queue
  for n in {1..10}; do
    timeout --foreground 100 msgrecv --follow "$key" >"out$n" 3>&- &
    pids+=($!)
  done
  seq 5000 | msgsend "$key"
  until_true has_messages 0 "$key"
  kill "${pids[@]}"
  for n in "${pids[@]}"; do
    wait "$n" || :
  done
  sort -n out* | cmp - <(seq 5000)
  msgdemo rm "$key"
}

@test "kill -9 at random moments loses one message each at most" {
  local count=20000 kills=200 sender killed
  new_queue
  seq "$count" >numbers
  background sender bash -c 'exec "$@" <numbers' '' msgsend "$key"
  kill-at-random "$kills" 10 msgrecv --follow "$key" 3>&- >>got 2>killed
  # what is left
  timeout --foreground 60 msgrecv --follow -q -t 1 "$key" >>got || [ $? -eq 124 ]
  ends_with 0 "$sender"
  killed=$(sed -n 's/^killed //p' killed)
  # none twice, none damaged, all but those in their hands
  [ -z "$(sort got | uniq -d)" ]
  [ -z "$(sort got | comm -13 <(sort numbers) -)" ]
  (($(wc -l <got) + killed >= count))
  ((killed > 0))
  msgdemo rm "$key"
}

@test "usage errors take nothing and make nothing" {
  local words
  while read -r words; do
    # shellcheck disable=SC2086 # words
    wrong_call msgrecv $words </dev/null
  done <<EOF

--create -y x $key
--create -y +1 $key
--create -y -0 $key
--create -y 9223372036854775808 $key
--create -y -9223372036854775808 $key
--create -y --5 $key
--create -x $key
--create -x -y 0 $key
--create -x -y -2 $key
--create -t 5x $key
--create -t -1 $key
--create -m 01000 $key
--create --raw -0 $key
--create --raw --json $key
--create -0 --json $key
--create -0 $key cat
--create --raw $key cat
--create --json $key cat
--create --status-fd x $key cat
--create --status-fd 1 $key
-m 600 $key
--at-most-once --dead redis:dead redis:queue cat
--follo $key
private
--create private
0
0x
4294967296
id:
some
EOF
  wrong_call msgrecv --create ''
  no_objects "$key"
}
