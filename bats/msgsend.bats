# msgsend: messages from the command line or stdin, as other programs receive them.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# receive COUNT [TYPE]: another program does.
receive() {
  queue "$key" recv "${2:-0}" "$1"
}

# full: the queue of $key takes nothing more, but what is empty.
full() {
  local text n
  text=$(printf 'x%.0s' {1..64})
  msgsend -t 0 "$key" "$text"
  until run msgsend -q -t 0 "$key" "$text" && [ "$status" -ne 0 ]; do :; done
  [ "$status" -eq 1 ]
}

@test "a text, and a type" {
  new_queue
  run -0 msgsend "$key" 'hello, world'
  [ -z "$output" ]
  msgsend -y 7 "$key" seven
  msgsend --type=9223372036854775807 "$key" --
  msgsend -y 2 "$key" ''
  msgsend "$key" $'a\nb'
  has_messages 5 "$key"
  run -0 receive 5
  [ "$output" = $'1:hello, world\n7:seven\n9223372036854775807:--\n2:\n1:a\nb' ]
  msgdemo rm "$key"
}

@test "stdin: a line is a message" {
  new_queue
  printf 'one\n\nthree \0 x\r\n\xff\xfe\nlast' | msgsend -y 5 "$key"
  receive 5 >out
  printf '5:one\n5:\n5:three \0 x\r\n5:\xff\xfe\n5:last\n' | cmp - out
  # no line, no message
  msgsend "$key" </dev/null
  has_messages 0 "$key"
  printf '\n' | msgsend "$key"
  has_messages 1 "$key"
  msgdemo rm "$key"
}

@test "stdin: -0 ends a message with a NUL, --raw takes all of it as one" {
  new_queue
  printf 'one\n\0\0three' | msgsend -0 "$key"
  receive 3 >out
  printf '1:one\n\n1:\n1:three\n' | cmp - out
  printf 'one\n\0two\n' | msgsend --raw -y 3 "$key"
  msgsend --raw -y 4 "$key" </dev/null
  receive 2 >out
  printf '3:one\n\0two\n\n4:\n' | cmp - out
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "lines are sent as they come" {
  local sender in
  new_queue
  mkfifo in
  background sender bash -c 'exec "$@" <in' '' msgsend "$key"
  exec {in}>in
  echo one >&"$in"
  [ "$(receive 1)" = 1:one ]
  printf 'two\nth' >&"$in"
  [ "$(receive 1)" = 1:two ]
  printf 'ree' >&"$in"
  exec {in}>&-
  [ "$(receive 1)" = 1:three ]
  ends_with 0 "$sender"
  msgdemo rm "$key"
}

@test "as long as kernel.msgmax allows, and not longer" {
  in_namespace 'key=7 max=$(cat /proc/sys/kernel/msgmax) status=0
    msgdemo create $key
    head -c "$max" /dev/zero | tr "\0" x >long
    msgsend $key <long; msgsend --raw $key <long; queue $key recv 0 2 >out
    sed "s/^1://" out | cmp - <(cat long; echo; cat long; echo)
    for call in "msgsend $key" "msgsend --raw $key" "msgsend -0 $key" "msgsend -t 0 $key"; do
      echo y | cat long - | { $call 2>err && exit 1 || [ $? -eq 111 ]; }
      grep -qE "^msgsend: send (message 1 )?to 7: the message is longer than the $max bytes that kernel.msgmax allows" err
    done
    (printf "1\n2\n"; cat long long; printf "\n3\n") | { msgsend $key 2>err && exit 1 || [ $? -eq 111 ]; }
    grep -q "^msgsend: send message 3 to 7: the message is longer than the $max bytes" err
    [ "$(queue $key recv 0 2)" = "$(printf "1:1\n1:2")" ]
    msgdemo stat $key | grep -qx "messages 0"; msgdemo rm $key'
}

@test "messages longer than 8192 where they are allowed" {
  need_own_limits
  tr -dc '!-z' </dev/urandom | head -c 1000000 >long
  in_namespace 'echo 1000000 >/proc/sys/kernel/msgmax; echo 3000000 >/proc/sys/kernel/msgmnb
    msgdemo create 7
    msgsend 7 "$(head -c 120000 long)"; msgrecv --raw 7 | cmp - <(head -c 120000 long)
    msgsend 7 <long; msgrecv --raw 7 | cmp - long
    msgsend --raw 7 <long; msgrecv --raw 7 | cmp - long
    cat long <(echo y) | { msgsend 7 2>err && exit 1 || [ $? -eq 111 ]; }
    (echo 1; cat long; echo; echo 3) | msgsend 7; msgrecv -t 0 -f 7 2>err | cmp - <(echo 1; cat long; echo; echo 3)
    msgdemo rm 7'
}

@test "a message that the queue could never hold is refused, and not waited for" {
  new_queue
  queue "$key" qbytes 100
  run -111 timeout --foreground 60 msgsend "$key" "$(printf 'x%.0s' {1..101})"
  [ "$output" = "msgsend: send to $key: the message is longer than the 100 bytes that the queue can hold" ]
  msgsend "$key" "$(printf 'x%.0s' {1..100})"
  has_messages 1 "$key"
  msgdemo -q rm "$key"
}

@test "--create makes the queue, 0600 or -m, and takes one that is there" {
  msgsend --create "$key" one
  [ "$(msgdemo stat "$key" | sed -n 's/^mode //p')" = 0600 ]
  msgsend --create -m 0666 "$key" two
  [ "$(msgdemo stat "$key" | sed -n 's/^mode //p')" = 0600 ]
  [ "$(receive 2)" = $'1:one\n1:two' ]
  msgdemo rm "$key"
  msgsend --create -m 0620 "$key" one
  [ "$(msgdemo stat "$key" | sed -n 's/^mode //p')" = 0620 ]
  msgdemo -q rm "$key"
  # stdin that has nothing to say, too
  msgsend --create "$key" </dev/null
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "twenty that make and send at once lose nothing" {
  local n pids=()
  for n in {1..20}; do
    seq "$((n * 1000))" "$((n * 1000 + 99))" | timeout --foreground 60 msgsend --create -y "$n" "$key" 3>&- &
    pids+=($!)
  done
  until_true msgdemo -q stat "$key" 2>/dev/null >&2
  receive 2000 >out
  for n in "${pids[@]}"; do
    ends_with 0 "$n"
  done
  for n in {1..20}; do
    seq "$((n * 1000))" "$((n * 1000 + 99))" | sed "s/^/$n:/" | cmp - <(grep "^$n:" out)
  done
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "no queue: 111 and advice" {
  run -111 msgsend "$key" one
  [ "$output" = "msgsend: find $key: no such queue; 'msgdemo create' or 'msgsend --create' creates one" ]
  run -111 msgsend id:2147483647 one
  [[ $output == "msgsend: send to id:2147483647: Invalid argument: it no longer exists" ]]
}

# bats test_tags=long
@test "full: -t 0 is 1 at once, -t 124 in time" {
  local began
  new_queue
  full
  run -1 msgsend -t 0 "$key" one
  [ "$output" = "msgsend: send to $key: the queue is full" ]
  for began in msgsend 'msgsend -v'; do
    began=${EPOCHREALTIME/./}
    run -124 timeout --foreground 60 msgsend -t 300ms "$key" one
    ((${EPOCHREALTIME/./} - began >= 300000))
    ((${EPOCHREALTIME/./} - began < 20000000))
    [ "$output" = "msgsend: send to $key: the deadline passed" ]
  done
  # how far it came
  [[ $(receive 1) == 1:x* ]]
  run -1 msgsend -t 0 "$key" < <(seq 10 12 | sed 's/$/ 234567890123456789012345678/')
  [ "$output" = "msgsend: send message 3 to $key: the queue is full" ]
  msgdemo -q rm "$key"
}

# bats test_tags=long
@test "the deadline: whatever signals come, or are ignored and blocked" {
  local began sender n
  new_queue
  full
  began=${EPOCHREALTIME/./}
  background sender msgsend -t 700ms "$key" one
  # not for ever: it would get no time to notice
  for ((n = 0; n < 2000; n++)); do
    kill -STOP "$sender" 2>/dev/null && kill -CONT "$sender" || break
  done
  ends_with 124 "$sender"
  ((${EPOCHREALTIME/./} - began >= 700000))
  ((${EPOCHREALTIME/./} - began < 20000000))
  began=${EPOCHREALTIME/./}
  run -124 timeout --foreground 60 env --ignore-signal=ALRM,RTMAX --block-signal=ALRM,RTMAX \
    msgsend -t 300ms "$key" one
  ((${EPOCHREALTIME/./} - began >= 300000))
  msgdemo -q rm "$key"
}

# bats test_tags=long
@test "an alarm that was set before is not lost in the wait" {
  new_queue
  full
  run -142 timeout --foreground 60 alarmed 1 msgsend -t 50 "$key" one
  msgdemo -q rm "$key"
}

@test "-t is for each message" {
  local sender in n
  new_queue
  mkfifo in
  background sender timeout --foreground 100 bash -c 'exec "$@" <in' '' msgsend -t 30s "$key"
  exec {in}>in
  for n in 1 2 3; do
    echo "$n" >&"$in"
    [ "$(receive 1)" = "1:$n" ]
  done
  exec {in}>&-
  ends_with 0 "$sender"
  msgdemo rm "$key"
}

@test "who waits sends as soon as there is room" {
  local options sender
  new_queue
  full
  for options in '' '-t 50'; do
    # shellcheck disable=SC2086 # words
    background sender msgsend $options -y 9 "$key" waited
    until_true asleep "$sender" msgsend
    [[ $(receive 1 1) == 1:x* ]]
    ends_with 0 "$sender"
    [ "$(receive 1 9)" = 9:waited ]
    full
  done
  msgdemo -q rm "$key"
}

@test "TERM ends the wait, also if it was ignored and blocked at the start, and nothing is sent" {
  local options sender before
  new_queue
  full
  before=$(in_queue "$key")
  for options in 'msgsend' 'msgsend -t 50' 'env --ignore-signal=TERM --block-signal=TERM msgsend'; do
    # shellcheck disable=SC2086 # words
    background sender $options "$key" waits
    until_true asleep "$sender" msgsend
    finish "$sender"
    [ "$status" -eq 143 ]
    has_messages "$before" "$key"
  done
  msgdemo -q rm "$key"
}

# bats test_tags=long
@test "a queue that is removed meanwhile: 111" {
  local options sender
  for options in '' '-t 50'; do
    new_queue
    full
    # shellcheck disable=SC2086 # words
    background sender msgsend $options "$key" waits
    until_true asleep "$sender" msgsend
    msgdemo -q rm "$key"
    ends_with 111 "$sender"
    [ "$(cat sender.err)" = "msgsend: send to $key: Identifier removed: it has been removed" ]
  done
}

@test "another user: EACCES" {
  need_other_user
  new_queue
  run -111 as_nobody msgsend "$key" one
  [ "$output" = "msgsend: find $key: Permission denied: its mode denies access to this user" ] ||
    [ "$output" = "msgsend: send to $key: Permission denied: its mode denies access to this user" ]
  msgdemo rm "$key"
  new_queue -m 0602
  run -0 as_nobody msgsend "$key" one
  [ "$(receive 1)" = 1:one ]
  msgdemo rm "$key"
}

@test "limits: ENOSPC" {
  need_own_limits
  in_namespace 'echo 1 >/proc/sys/kernel/msgmni; msgdemo create 7; status=0
    msgsend --create 8 one 2>err || status=$?
    [ "$status" -eq 111 ]
    grep -q "^msgsend: create 8: No space left on device: .*ipcs -q.*kernel.msgmni" err
    msgdemo rm 7'
}

@test "stdin that can't be read" {
  new_queue
  run -111 msgsend "$key" <.
  [ "$output" = "msgsend: read stdin: Is a directory" ]
  run -111 bash -c 'msgsend "$1" <&-' '' "$key"
  [ "$output" = "msgsend: read stdin: Bad file descriptor" ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "100,000 short messages, or 1,000,000 with IPCBOX_LONG=1, through to msgrecv" {
  local count=100000 sender
  [ "${IPCBOX_LONG:-}" != 1 ] || count=1000000
  new_queue
  seq "$count" >numbers
  background sender bash -c 'exec "$@" <numbers' '' msgsend "$key"
  run -0 msgrecv -n "$count" "$key"
  seq "$count" | cmp - <(echo "$output")
  ends_with 0 "$sender"
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "usage errors send nothing and make nothing" {
  local words
  while read -r words; do
    # shellcheck disable=SC2086 # words
    wrong_call msgsend $words </dev/null
  done <<EOF

$key one two
--raw -0 $key
--raw $key one
-0 $key one
--create -y 0 $key one
--create -y -1 $key one
--create -y 9223372036854775808 $key one
--create -y x $key one
--create -t 5x $key one
--create -t -1 $key one
--create -m 01000 $key one
--create -m x $key one
--creat $key one
-m 600 $key one
private one
--create private one
0 one
0x one
4294967296 one
id: one
some one
EOF
  wrong_call msgsend --create '' one
  no_objects "$key"
}
