# msgrecv --keep-going: a message that PROG fails on goes back to the queue, and msgrecv takes another.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# worker VAR [OPTION]... -- KEY PROG...: msgrecv --follow --keep-going in the background
worker() {
  background "$1" msgrecv --follow --keep-going "${@:2}"
}

# texts: what is in the queue, in order, which is empty then
texts() {
  { msgrecv -q -f -t 0 "$key" || [ $? -eq 1 ]; } | tr '\n' ' '
}

# has_lines COUNT PATTERN FILE...: so many lines of FILEs match, or more
has_lines() {
  [ "$(cat "${@:3}" | grep -cE -- "$2" || :)" -ge "$1" ]
}

@test "a poison message among 20 ends none of three workers, and is not lost" {
  local n one two three
  new_queue
  # shellcheck disable=SC2016
  script prog 'read -r text; [ "$text" != poison ] || exit 9; echo "$text" >>"$1"'
  { seq 7; echo poison; seq 8 20; } | msgsend -y 5 "$key"
  for n in one two three; do
    : >"done.$n"
    worker "$n" "$key" ./prog "done.$n"
  done
  until_true has_lines 20 '^[0-9]+$' done.*
  until_true has_lines 1 'msgrecv: run ./prog: .*status 9' one.err two.err three.err
  cat done.* | sort -n | cmp - <(seq 20)
  for n in "$one" "$two" "$three"; do
    kill -0 "$n"
  done
  # more work gets done
  msgsend "$key" more
  until_true has_lines 1 '^more$' done.*
  for n in "$one" "$two" "$three"; do
    finish "$n"
    [ "$status" -eq 143 ]
  done
  [ "$(texts)" = "poison " ]
  msgdemo rm "$key"
}

@test "each failure is reported: how PROG exited, and for how long msgrecv pauses" {
  local receiver
  new_queue
  msgsend -y 7 "$key" poison
  worker receiver "$key" sh -c 'exit 3'
  until_true has_lines 4 'pausing' receiver.err
  finish "$receiver"
  [ "$status" -eq 143 ]
  head -n 8 receiver.err | cmp - <(for pause in 0.1 0.2 0.4 0.8; do
    echo "msgrecv: run sh: it exited with status 3"
    echo "msgrecv: put back $key: a message of type 7 is at the end of the queue again; pausing for $pause s"
  done)
  [ "$(texts)" = "poison " ]
  # with -q it fails in silence
  msgsend "$key" poison
  worker receiver -q "$key" sh -c 'echo x >>tries; kill -KILL $$'
  until_true has_lines 3 x tries
  finish "$receiver"
  [ ! -s receiver.err ]
  [ "$(texts)" = "poison " ]
  msgdemo rm "$key"
}

@test "the pauses are as long as they say, and a success makes them short again" {
  local receiver began
  new_queue
  # shellcheck disable=SC2016
  script prog 'read -r text; echo "$text" >>tries; [ "$text" != poison ]'
  msgsend "$key" poison
  began=${EPOCHREALTIME/./}
  worker receiver "$key" ./prog
  until_true has_lines 4 poison tries
  ((${EPOCHREALTIME/./} - began >= 700000))
  until_true has_lines 4 pausing receiver.err
  msgsend "$key" good
  until_line tries good
  until_line receiver.err 'pausing for (0.[24]|[1-9].*) s$'
  until_true again_short
  finish "$receiver"
  [ "$(texts)" = "poison " ]
  msgdemo rm "$key"
}

# the pause after a longer one is the first again
again_short() {
  sed -n 's/.*pausing for //p' receiver.err | awk '$1 < last { if ($1 == "0.1") found = 1 } { last = $1 } END { exit !found }'
}

@test "while it pauses the message is in the queue, whatever ends msgrecv" {
  local receiver signal pauses=1
  new_queue
  msgsend -y 7 "$key" poison
  for signal in TERM INT HUP USR1 KILL; do
    worker receiver "$key" false
    [ "$signal" != KILL ] || pauses=7 # for 6.4 s then: KILL while PROG runs would lose the message
    until_true has_lines "$pauses" pausing receiver.err
    kill "-$signal" "$receiver"
    ends_with "$((128 + $(kill -l "$signal")))" "$receiver"
    has_messages 1 "$key"
  done
  [ "$(texts)" = "poison " ]
  msgdemo rm "$key"
}

@test "a signal while PROG runs ends msgrecv when PROG has exited, and not before" {
  local receiver
  new_queue
  msgsend "$key" text
  # shellcheck disable=SC2016
  script prog 'trap "echo told; exit 4" TERM; echo runs; while :; do read -rt 1 <>pipe; done'
  mkfifo pipe
  worker receiver "$key" ./prog
  until_line receiver.out runs
  finish "$receiver"
  [ "$status" -eq 143 ]
  [ "$(cat receiver.out)" = $'runs\ntold' ]
  [ "$(tail -n 1 receiver.err)" = "msgrecv: put back $key: a message of type 1 is at the end of the queue again" ]
  [ "$(texts)" = "text " ]
  msgdemo rm "$key"
}

@test "without --follow: until one message is delivered; --count: until so many are" {
  new_queue
  # shellcheck disable=SC2016
  script prog 'read -r text; [[ $text != poison* ]] && echo "$text"'
  printf '%s\n' poison1 good1 poison2 good2 good3 | msgsend "$key"
  run -0 --separate-stderr timeout --foreground 60 msgrecv --keep-going "$key" ./prog
  [ "$output" = good1 ]
  [ "$(grep -c '^msgrecv: put back' <<<"$stderr")" -eq 1 ]
  run -0 --separate-stderr timeout --foreground 60 msgrecv --keep-going -n 2 "$key" ./prog
  [ "$output" = $'good2\ngood3' ]
  [ "$(texts)" = "poison1 poison2 " ]
  msgdemo rm "$key"
}

@test "-t 0: each message is tried once; status 1 when only those that failed are left" {
  new_queue
  # shellcheck disable=SC2016
  script prog 'read -r text; echo "$text" >>tries; [[ $text != poison* ]]'
  printf '%s\n' poison1 poison2 good1 poison3 good2 | msgsend "$key"
  run -1 timeout --foreground 60 msgrecv -f -t 0 --keep-going "$key" ./prog
  [ "${lines[-1]}" = "msgrecv: receive from $key: PROG has failed on every message in the queue" ]
  [[ $output != *pausing* ]]
  [ "$(grep -c good tries)" -eq 2 ]
  # those that come again while others are left come twice
  [ "$(grep -c poison tries)" -le 6 ]
  [ "$(texts | tr ' ' '\n' | sort | tr '\n' ' ')" = "poison1 poison2 poison3 " ]
  run -1 msgrecv -f -t 0 --keep-going "$key" ./prog
  [ "$output" = "msgrecv: receive from $key: there is no message" ]
  msgdemo rm "$key"
}

@test "-t: the pause is part of the time for the next message" {
  local began
  new_queue
  msgsend "$key" poison
  began=${EPOCHREALTIME/./}
  run -124 timeout --foreground 60 msgrecv -f -t 500ms --keep-going "$key" false
  # the last pause would be longer than the 0.5 s; if this machine sleeps too long, one before it
  ((${EPOCHREALTIME/./} - began >= 500000))
  [[ ${lines[-2]} == *pausing* ]]
  [ "${lines[-1]}" = "msgrecv: receive from $key: the deadline passed" ]
  [ "$(texts)" = "poison " ]
  msgdemo rm "$key"
}

@test "what can't be executed ends msgrecv all the same, and so does a queue that is full or gone" {
  new_queue
  msgsend -y 7 "$key" hello
  printf '#!/nothing/at/all\n' >prog
  chmod +x prog
  run -127 timeout --foreground 60 msgrecv --follow --keep-going "$key" ./prog
  [[ ${lines[0]} == "msgrecv: exec ./prog: "* ]]
  [ "${lines[1]}" = "msgrecv: put back $key: a message of type 7 is at the end of the queue again" ]
  run -3 timeout --foreground 60 msgrecv --follow --keep-going "$key" sh -c 'msgdemo rm "$1"; exit 3' '' "$key"
  [[ ${lines[1]} =~ ^"msgrecv: put back $key: "(Invalid argument|Identifier removed)": a message of type 7: hello"$ ]]
}

@test "a process that can't be started for the moment is a failure like another" {
  need strace strace
  new_queue
  seq 2 | msgsend "$key"
  run -0 timeout --foreground 60 strace -qq -o trace -e trace=memfd_create -e inject=memfd_create:error=ENFILE:when=1 \
    msgrecv -n 2 --keep-going "$key" cat
  [ "${lines[0]}" = "msgrecv: put back $key: a message of type 1 is at the end of the queue again; pausing for 0.1 s" ]
  [ "${lines[1]}" = "msgrecv: memfd_create: Too many open files in system" ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "--count without --keep-going, and without PROG" {
  new_queue
  seq 6 | msgsend "$key"
  run -0 msgrecv -n 2 "$key"
  [ "$output" = $'1\n2' ]
  run -0 msgrecv --follow --count=3 "$key" cat
  [ "$output" = 345 ]
  run -1 msgrecv -q -t 0 -n 2 "$key"
  [ "$output" = 6 ]
  msgdemo rm "$key"
}

@test "usage errors" {
  wrong_call msgrecv --keep-going "$key"
  [ "${stderr_lines[0]}" = "msgrecv: --keep-going requires PROG" ]
  wrong_call msgrecv --keep-going=1 "$key" cat
  wrong_call msgrecv -n 0 "$key"
  wrong_call msgrecv -n -1 "$key"
  wrong_call msgrecv -n 1x "$key" cat
}
