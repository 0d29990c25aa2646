# msgrecv --parallel, --tries and --dead: several programs at a time, and messages on which a program fails again.

load helper/queue

setup() {
  sysv_setup
  new_key dead
  # notes its text, and does what that says
  script prog 'read -r text; echo "+ $text" >>log
    case $text in
    poison*) exit 3 ;;
    wait*) read -r line <gate ;;
    esac
    echo "- $text" >>log'
}

teardown() {
  sysv_teardown
}

# texts KEY: what is in the queue, in order, which is empty then
texts() {
  { msgrecv -q -f -t 0 "$1" || [ $? -eq 1 ]; } | tr '\n' ' '
}
# has_lines COUNT PATTERN FILE
has_lines() {
  [ "$(grep -cE -- "$2" "$3" || :)" -ge "$1" ]
}

@test "--parallel: so many at a time, never more, and each message once" {
  local receiver n gate
  new_queue
  mkfifo gate
  exec {gate}<>gate # so that nobody finds its end
  for n in {1..6}; do msgsend "$key" "wait$n"; done
  background receiver msgrecv -n 6 --parallel 3 "$key" ./prog
  until_true has_lines 3 '^[+]' log
  has_messages 3 "$key"
  echo >&"$gate" # one goes on, and so one more starts
  until_true has_lines 4 '^[+]' log
  has_messages 2 "$key"
  for n in {1..5}; do echo >&"$gate"; done
  ends_with 0 "$receiver"
  [ "$(sed -n 's/^- wait//p' log | sort | tr '\n' ' ')" = "1 2 3 4 5 6 " ]
  [ "$(grep -c '^[+]' log)" -eq 6 ]
  awk '/^\+/ { if (++n > 3) exit 1 } /^-/ { n-- }' log
  msgdemo rm "$key"
}

@test "--parallel: a free place takes what comes while others run, and the end of one is seen" {
  local receiver
  new_queue
  mkfifo gate
  msgsend "$key" wait
  background receiver msgrecv -n 3 --parallel 2 "$key" ./prog
  until_true has_lines 1 '^[+] wait' log
  msgsend -y 4 "$key" one
  until_true has_lines 1 '^- one' log
  echo >gate
  until_true has_lines 1 '^- wait' log
  msgsend "$key" two
  ends_with 0 "$receiver"
  msgdemo rm "$key"
}

@test "--parallel: 200 messages through 8, with types, and a line of status each" {
  new_queue
  seq 200 | msgsend -y 7 "$key"
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 msgrecv -n 200 --parallel 8 --status-fd 9 "$key" sh -c 'read -r n; echo "$n $MSGTYPE"' 9>states
  [ "$(sort -n <<<"$output")" = "$(seq 200 | sed 's/$/ 7/')" ]
  [ "$(grep -cE '^stage=[0-7] pid=[0-9]+ exec_errno=0 exit=0 ' states)" -eq 200 ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "--parallel, -t: does not expire while a program runs; then 124" {
  local receiver
  new_queue
  mkfifo gate
  msgsend "$key" wait
  background receiver msgrecv -f -t 200ms --parallel 4 "$key" ./prog
  until_true has_lines 1 '^[+]' log
  stop_and_go "$receiver" 20
  msgsend "$key" late
  until_true has_lines 1 '^- late' log
  read -rt 0.4 <> <(:) || :
  kill -0 "$receiver"
  echo >gate
  ends_with 124 "$receiver"
  [ "$(cat receiver.err)" = "msgrecv: receive from $key: the deadline passed" ]
  msgdemo rm "$key"
}

@test "--parallel, -t 0: until the queue is empty and all have ended" {
  new_queue
  printf '%s\n' one poison1 two poison2 three | msgsend "$key"
  run -7 timeout --foreground 60 msgrecv -f -t 0 -E 7 --keep-going --parallel 3 "$key" ./prog
  [ "${lines[-1]}" = "msgrecv: receive from $key: PROG has failed on every message in the queue" ]
  [ "$(grep -cE '^- (one|two|three)$' log)" -eq 3 ]
  [ "$(texts "$key" | tr ' ' '\n' | sort | tr '\n' ' ')" = $'poison1 poison2 ' ] ||
    [ "$(texts "$key")" = "" ]
  msgdemo rm "$key"
}

@test "--parallel: a failure ends it once the others have ended; what they hold is delivered" {
  local receiver
  new_queue
  mkfifo gate
  printf '%s\n' wait poison | msgsend "$key"
  background receiver msgrecv -f --parallel 2 "$key" ./prog
  until_line receiver.err "^msgrecv: put back $key"
  msgsend "$key" more
  kill -0 "$receiver"
  echo >gate
  ends_with 3 "$receiver"
  until_line log '^- wait'
  [ "$(texts "$key")" = "poison more " ]
  msgdemo rm "$key"
}

@test "--parallel: TERM reaches all, and what has failed then is put back" {
  local receiver signal
  new_queue
  # shellcheck disable=SC2016
  script deaf 'read -r text; trap "echo told; exit 4" TERM; echo runs; while :; do read -rt 1 <>pipe; done'
  mkfifo pipe
  printf '%s\n' a b c d | msgsend "$key"
  background receiver msgrecv -f --parallel 3 --tries 5 --dead "$key" --keep-going "$key" ./deaf
  ends_with 100 "$receiver" # its own queue can't be the other
  background receiver msgrecv -f --parallel 3 --tries 5 --keep-going "$key" ./deaf
  until_true has_lines 3 '^runs' receiver.out
  finish "$receiver"
  [ "$status" -eq 143 ]
  [ "$(grep -c told receiver.out)" -eq 3 ]
  [ "$(texts "$key" | tr ' ' '\n' | sort | tr '\n' ' ')" = "a b c d " ] || [ "$(in_queue "$key")" -eq 0 ]
  msgdemo rm "$key"
}

@test "--tries: PROG again on the message that is held, with a pause that doubles, then the tail, and an error" {
  local began
  new_queue
  printf '%s\n' poison good | msgsend -y 5 "$key"
  began=${EPOCHREALTIME/./}
  run -3 timeout --foreground 60 msgrecv -f --tries 3 "$key" ./prog
  ((${EPOCHREALTIME/./} - began >= 300000))
  printf '%s\n' "$output" | cmp - <(
    echo "msgrecv: run ./prog: it exited with status 3"
    echo "msgrecv: hold $key: a message of type 5 is tried again; pausing for 0.1 s"
    echo "msgrecv: run ./prog: it exited with status 3"
    echo "msgrecv: hold $key: a message of type 5 is tried again; pausing for 0.2 s"
    echo "msgrecv: run ./prog: it exited with status 3"
    echo "msgrecv: put back $key: a message of type 5 is at the end of the queue again"
  )
  [ "$(cat log)" = $'+ poison\n+ poison\n+ poison' ]
  [ "$(texts "$key")" = "good poison " ]
  msgdemo rm "$key"
}

@test "--tries: a success on a later try delivers it; each message has its own count" {
  new_queue
  # shellcheck disable=SC2016
  script flaky 'read -r text; echo "$text" >>tries; [ "$(grep -c "^$text$" tries)" -ge 3 ] && echo "$text"'
  printf '%s\n' a b | msgsend "$key"
  run -0 --separate-stderr timeout --foreground 60 msgrecv -q -n 2 --tries 3 "$key" ./flaky
  [ "$output" = $'a\nb' ]
  [ -z "$stderr" ]
  [ "$(cat tries)" = $'a\na\na\nb\nb\nb' ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "--dead: what fails each time is collected with its type, and the worker goes on" {
  new_queue
  printf '%s\n' poison1 good1 | msgsend -y 5 "$key"
  printf '%s\n' poison2 good2 | msgsend -y 6 "$key"
  run -1 timeout --foreground 60 msgrecv -f -t 0 --tries 2 --create --dead "$dead" "$key" ./prog
  owns msgdemo "$dead"
  [ "$(grep -c "^msgrecv: give up $key: a message of type [56] is in the --dead queue$" <<<"$output")" -eq 2 ]
  [[ $output != *"put back"* && $output != *pausing* ]]
  [ "$(cat log)" = $'+ poison1\n+ poison1\n+ good1\n- good1\n+ poison2\n+ poison2\n+ good2\n- good2' ]
  run -0 msgrecv -n 2 --json "$dead"
  [ "$output" = $'{"type":5,"text":"poison1"}\n{"type":6,"text":"poison2"}' ]
  has_messages 0 "$key"
  has_messages 0 "$dead"
  # the last one tells, whatever else was delivered
  printf '%s\n' poison good | msgsend "$key"
  run -3 timeout --foreground 60 msgrecv -q -n 2 --dead "$dead" "$key" ./prog
  [ "$(texts "$dead")" = "poison " ]
  msgdemo rm "$key"
  msgdemo rm "$dead"
}

@test "--dead that is full: the message goes back, and that is an error" {
  new_queue
  msgdemo create "$dead"
  fill_queue "$dead"
  msgsend "$key" poison
  run -3 timeout --foreground 60 msgrecv -f --tries 2 --dead "$dead" "$key" ./prog
  [ "${lines[-2]}" = "msgrecv: send to $dead: Resource temporarily unavailable" ]
  [ "${lines[-1]}" = "msgrecv: put back $key: a message of type 1 is at the end of the queue again" ]
  [ "$(texts "$key")" = "poison " ]
  msgdemo rm "$dead" 2>/dev/null
  msgdemo rm "$key"
}

# until no message has room
fill_queue() {
  local size
  for size in 4096 64 1; do
    while msgsend -q -t 0 "$1" "$(printf '%*s' "$size" '')"; do :; done
  done
}

@test "while it holds a message between two tries, a signal puts it back" {
  local receiver signal
  new_queue
  msgsend -y 7 "$key" poison
  for signal in TERM INT HUP; do
    background receiver msgrecv -f --tries 99 "$key" ./prog
    until_true has_lines 5 'tried again' receiver.err
    kill "-$signal" "$receiver"
    ends_with "$((128 + $(kill -l "$signal")))" "$receiver"
    [ "$(tail -n 1 receiver.err)" = "msgrecv: put back $key: a message of type 7 is at the end of the queue again" ]
    has_messages 1 "$key"
  done
  [ "$(texts "$key")" = "poison " ]
  msgdemo rm "$key"
}

@test "PROG that can't be executed is not tried again, nor given to --dead" {
  new_queue
  msgdemo create "$dead"
  msgsend "$key" hello
  printf '#!/nothing/at/all\n' >nothing
  chmod +x nothing
  run -127 timeout --foreground 60 msgrecv -f --parallel 2 --tries 3 --keep-going --dead "$dead" "$key" ./nothing
  [ "${#lines[@]}" -eq 2 ]
  [[ ${lines[0]} == "msgrecv: exec ./nothing: "* ]]
  has_messages 0 "$dead"
  [ "$(texts "$key")" = "hello " ]
  msgdemo rm "$dead"
  msgdemo rm "$key"
}

@test "a process that can't be started for the moment is a try like another" {
  need strace strace
  new_queue
  msgsend "$key" 1
  run -0 timeout --foreground 60 strace -qq -o trace -e trace=memfd_create -e inject=memfd_create:error=ENFILE:when=1 \
    msgrecv --tries 2 "$key" cat
  [ "${lines[0]}" = "msgrecv: hold $key: a message of type 1 is tried again; pausing for 0.1 s" ]
  [ "${lines[1]}" = "msgrecv: memfd_create: Too many open files in system" ]
  [ "${lines[2]}" = 1 ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "-E: that status in place of 1 for an empty queue, and for a full one" {
  local n
  new_queue
  for n in 0 75; do
    run "-$n" msgrecv -t 0 -E "$n" "$key"
    [ "$output" = "msgrecv: receive from $key: there is no message" ]
    run "-$n" msgrecv -f -t 0 --conflict-status "$n" "$key" ./prog
  done
  run -124 msgrecv -t 20ms -E 75 "$key"
  msgsend "$key" text
  run -1 msgrecv -t 0 -E 75 "$key" sh -c 'exit 1'
  fill_queue "$key"
  for n in 0 75; do
    # the lines behind one that finds no room are not sent, whatever the status is
    run "-$n" msgsend -t 0 -E "$n" "$key" <<<$'long enough\n'
    [ "$output" = "msgsend: send message 1 to $key: the queue is full" ]
  done
  run -124 msgsend -t 20ms -E 75 "$key" text
  msgdemo rm "$key" 2>/dev/null
}

@test "usage errors" {
  new_queue
  wrong_call msgrecv --parallel 0 -f "$key" cat
  wrong_call msgrecv --parallel 257 -f "$key" cat
  wrong_call msgrecv --parallel 2 -f "$key"
  wrong_call msgrecv --parallel 2 "$key" cat
  wrong_call msgrecv --tries 0 "$key" cat
  wrong_call msgrecv --tries 2 "$key"
  wrong_call msgrecv --dead 5 "$key"
  wrong_call msgrecv --dead "$key" "$key" cat
  wrong_call msgrecv --dead private "$key" cat
  wrong_call msgrecv -E 256 "$key"
  wrong_call msgsend -E 256 "$key" text
  run -111 msgrecv --dead "$dead" "$key" cat
  [[ $output == "msgrecv: find $dead: "* ]]
  msgdemo rm "$key"
}
