# msgrecv PROG: a program for each message.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

@test "PROG gets the text on stdin, all of it, and the type in MSGTYPE" {
  new_queue
  all_bytes >bytes
  msgsend --raw -y 42 "$key" <bytes
  run -0 --separate-stderr msgrecv "$key" sh -c 'cat >got; echo "type $MSGTYPE"'
  [ "$output" = "type 42" ]
  [ -z "$stderr" ]
  cmp got bytes
  msgsend -y 9223372036854775807 "$key" ''
  run -0 env MSGTYPE=stale msgrecv "$key" sh -c 'wc -c; printenv MSGTYPE'
  [ "$output" = $'0\n9223372036854775807' ]
  # who does not read it has had it
  msgsend "$key" unread
  run -0 msgrecv "$key" true
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "PROG's own options are its own, and no shell sees its words" {
  new_queue
  msgsend "$key" x
  run -0 msgrecv "$key" printf '<%s>' --follow -t '*' '$HOME' 'a b'
  [ "$output" = '<--follow><-t><*><$HOME><a b>' ]
  msgdemo rm "$key"
}

@test "--follow: one after the other, in order, until one fails" {
  new_queue
  seq 20 | msgsend -y 6 "$key"
  run -3 --separate-stderr timeout --foreground 60 msgrecv --follow "$key" \
    sh -c 'read -r n; echo "$MSGTYPE:$n"; [ "$n" -ne 15 ] || exit 3'
  [ "$output" = "$(seq 15 | sed 's/^/6:/')" ]
  # the others were not touched, and what failed is behind them
  [ "$(msgrecv -q -f -t 0 "$key" || [ $? -eq 1 ])" = "$(seq 16 20; echo 15)" ]
  msgdemo rm "$key"
}

@test "--follow: a type of its own for each" {
  local n
  new_queue
  for n in 3 1 2; do
    msgsend -y "$n" "$key" "text $n"
  done
  run -1 --separate-stderr timeout --foreground 60 msgrecv -t 0 --follow -y -5 "$key" sh -c 'echo "$MSGTYPE $(cat)"'
  [ "$output" = $'1 text 1\n2 text 2\n3 text 3' ]
  [ "$stderr" = "msgrecv: receive from $key: there is no message" ]
  msgdemo rm "$key"
}

@test "PROG is looked up before anything is taken or made" {
  run -127 msgrecv --create "$key" ./nothing
  [ "$output" = "msgrecv: ./nothing: No such file or directory" ]
  touch plain
  run -126 msgrecv --create "$key" ./plain
  no_objects "$key"
  new_queue
  seq 2 | msgsend "$key"
  run -127 msgrecv "$key" no-such-program
  run -126 msgrecv "$key" ./plain
  run -0 msgrecv "$key"
  [ "$output" = 1 ]
  msgdemo -q rm "$key"
}

@test "--status-fd tells each one's end" {
  new_queue
  seq 3 | msgsend "$key"
  run -5 --separate-stderr msgrecv --follow --status-fd 4 "$key" sh -c 'read -r n; [ "$n" -ne 2 ] || exit 5' 4>status
  [ "$(sed 's/ .*exit=/ exit=/; s/ core.*//' status)" = $'stage=0 exit=0 signal=0\nstage=0 exit=5 signal=0' ]
  msgdemo -q rm "$key"
}

@test "PROG finds signals and fds as msgrecv found them" {
  local how=(env --ignore-signal=PIPE,USR2,CHLD,TSTP --block-signal=TERM,USR1,CHLD,ALRM,RTMIN+6)
  new_queue
  "${how[@]}" grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status >bare
  msgsend "$key" x
  run -0 "${how[@]}" msgrecv -t 50 "$key" grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
  [ "$output" = "$(cat bare)" ]
  msgsend "$key" x
  # shellcheck disable=SC2016
  local fds=(bash -c 'for ((n = 0; n <= 100; n++)); do [ ! -e "/proc/self/fd/$n" ] || echo "$n"; done')
  "${fds[@]}" 9</dev/null </dev/null >bare
  run -0 msgrecv "$key" "${fds[@]}" 9</dev/null
  [ "$output" = "$(cat bare)" ]
  # its stdin is a file: head, which has read more than a line, goes back to the second for cat
  seq 1000 | msgsend --raw "$key"
  run -0 msgrecv "$key" sh -c 'head -n 998 >/dev/null; cat'
  [ "$output" = $'999\n1000' ]
  msgdemo rm "$key"
}

@test "TERM while PROG runs is PROG's; when that ends in order the message is delivered" {
  local receiver
  mkfifo never
  script prog 'trap "cat >>got; exit 0" TERM; echo runs; while :; do read -rt 1 -u 4 line 4<>never; done'
  new_queue
  seq 3 | msgsend "$key"
  background receiver msgrecv --follow "$key" ./prog
  until_line receiver.out runs
  finish "$receiver"
  [ "$status" -eq 143 ]
  [ "$(cat got)" = 1 ]
  [ ! -s receiver.err ]
  has_messages 2 "$key"
  msgdemo -q rm "$key"
}

@test "100 messages for 10 receivers' programs" {
  local n pids=()
  new_queue
  for n in {1..10}; do
    timeout --foreground 100 msgrecv --follow "$key" tee -a "out$n" >/dev/null 3>&- &
    pids+=($!)
  done
  seq 100 | sed 's/$/,/' | msgsend "$key"
  until_true all_here
  kill "${pids[@]}"
  for n in "${pids[@]}"; do
    wait "$n" || :
  done
  cat out* | tr ',' '\n' | sort -n | cmp - <(seq 100)
  msgdemo rm "$key"
}

all_here() {
  [ "$(cat out* | tr -cd , | wc -c)" -ge 100 ]
}
