# msgrecv redis:NAME when processes are killed and stopped: PROG never outlives its claim, and no message is lost.

load helper/msg-redis

setup() {
  msg_redis_setup
}

teardown() {
  launch_teardown
}

@test "PROG runs longer than the claim: it is renewed, and nobody else has the message" {
  redis_up
  msgsend redis:a job
  worker one alone --lease 1
  run -124 msgrecv -t 2.5 --lease 1 redis:a
  [ "$(state a)" = "1 1" ]
  kill -TERM "$(cat running)"
  ends_with 143 "$one"
  [ "$(state a)" = "1 0" ]
}

@test "the keeper is killed: PROG and its descendants are, too, and the message is back at once" {
  redis_up
  msgsend redis:a job
  worker one family
  kill -KILL "$keeper"
  ends_with 111 "$one"
  no_family
  [ "$(cat one.err)" = $'msgrecv: keep redis:a: the process that renewed it was killed; the program was, too\nmsgrecv: put back redis:a: a message of type 1 is at the end of the queue again' ]
  run -0 msgrecv -t 0 redis:a sh -c 'cat; echo " $MSGTRIES"'
  [ "$output" = "job 1" ]
}

@test "one keeper of several is killed: the other programs go on" {
  redis_up
  printf '%s\n' one two three | msgsend redis:a
  background all msgrecv -f --keep-going --parallel 3 redis:a sh -c \
    'sleep 1000 & read n || :; echo $$ >pid.$n; echo $PPID >keeper.$n; until [ -e go ]; do sleep 0.02; done; kill $!; echo $n'
  until_true test -s keeper.one -a -s keeper.two -a -s keeper.three
  local first second
  first=$(cat pid.one) second=$(cat pid.two)
  kill -KILL "$(cat keeper.one)"
  until_line all.err 'put back'
  run ! kill -0 "$first"
  kill -0 "$second" "$(cat pid.three)"
  until_true eval '[ "$(cat pid.one)" != '"$first"' ]'
  touch go
  until_true eval '[ "$(state a)" = "0 0" ]'
  [ "$(sort all.out)" = $'one\nthree\ntwo' ]
  finish "$all"
}

@test "what a program has left behind goes on, also when the keeper of another is killed" {
  redis_up
  printf '%s\n' leaves runs | msgsend redis:a
  background one msgrecv -f --parallel 2 redis:a sh -c 'read n || :; if [ $n = leaves ]; then
    setsid sleep 1000 >/dev/null 2>&1 & echo $! >left; sleep 1000 >/dev/null 2>&1 & echo $! >>left; else echo $PPID >keeper; exec sleep 1000; fi'
  until_true test -s keeper
  until_true eval '[ "$(state a)" = "1 1" ]'
  kill -KILL "$(cat keeper)"
  ends_with 111 "$one"
  # shellcheck disable=SC2046 # pids
  kill -0 $(cat left)
  # shellcheck disable=SC2046
  kill $(cat left)
}

@test "msgrecv is killed: the keeper ends PROG and its descendants, and the message is back at once" {
  redis_up
  msgsend redis:a job
  worker one family
  background two msgrecv -t 60 redis:a sh -c 'cat; echo " $MSGTRIES"'
  kill -KILL "$one"
  ends_with 0 "$two"
  [ "$(cat two.out)" = "job 1" ]
  no_family
  [ "$(cat one.err)" = "msgrecv: keep redis:a: the process that watched it was killed" ]
  [ "$(state a)" = "0 0" ]
  until_true eval '[ "$(consumers a)" = 0 ]'
}

@test "both are killed: the claim runs out, which counts as a try, and the consumer is removed" {
  redis_up
  msgsend redis:a job
  worker one alone --lease 3
  kill -KILL "$keeper" "$one"
  run -0 msgrecv -t 60 --lease 3 redis:a sh -c 'cat; echo " $MSGTRIES"'
  [ "$output" = "job 1" ]
  [ "$(state a)" = "0 0" ]
  [ "$(consumers a)" = 0 ]
}

@test "a message that kills its workers is with the dead after --tries" {
  redis_up
  msgsend redis:a killer
  local n
  for n in 1 2; do
    run -137 msgrecv -t 60 --tries 2 --lease 3 redis:a sh -c 'read -r _ _ _ parent _ </proc/$PPID/stat; kill -KILL $parent $PPID'
  done
  run -124 msgrecv -q -t 6 --lease 3 --tries 2 redis:a echo
  [ "$(fields a:dead text) $(fields a:dead tries)" = "killer 2" ]
  [ "$(state a)" = "0 0" ]
}

@test "the keeper is stopped: PROG is killed before the claim runs out" {
  redis_up
  msgsend redis:a job
  worker one family --lease 2
  kill -STOP "$keeper"
  ends_with 111 "$one"
  no_family
  [ "$(state a)" = "1 0" ]
}

@test "all are stopped past the claim: another has the message, and PROG is ended when they continue" {
  redis_up
  msgsend redis:a job
  worker one family --lease 3
  kill -STOP "$one" "$keeper"
  run -0 msgrecv -t 60 --lease 3 redis:a
  [ "$output" = job ]
  kill -CONT "$keeper" "$one"
  ends_with 111 "$one"
  no_family
  [ "$(state a)" = "0 0" ]
}

@test "the claim is another's on the server: PROG and its descendants are ended" {
  redis_up
  msgsend redis:a job
  worker one family --lease 1
  cli XCLAIM a ipcbox thief 0 "$(cli --raw XRANGE a - + | head -n 1)" >reply
  ends_with 111 "$one"
  no_family
  [ "$(cat one.err)" = "msgrecv: keep redis:a: the server says that it was lost" ]
  # with --keep-going, the next message
  msgdemo rm -q redis:a
  msgsend redis:a first
  background two msgrecv -f --keep-going --lease 1 redis:a sh -c 'cat; echo x >>ran; exec sleep 1000'
  until_true test -s ran
  cli XCLAIM a ipcbox thief 0 "$(cli --raw XRANGE a - + | head -n 1)" >reply
  msgsend redis:a other
  until_true grep -q other two.out
  grep -q '^msgrecv: keep redis:a: the server says that it was lost$' two.err
  finish "$two"
}

@test "the server dies: PROG is ended before the claim runs out" {
  redis_up
  msgsend redis:a job
  worker one family --lease 2
  local began=$EPOCHREALTIME
  redis_stop KILL
  until_line one.err '^msgrecv: keep redis:a'
  until_true no_family
  [ "$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))" -lt 2000 ]
  kill -KILL "$one" || : # unless it has given up already
}

@test "TERM: PROG has it, and the message is back, not tried; if PROG succeeds, it is delivered" {
  redis_up
  msgsend redis:a job
  worker one alone --tries 1
  finish "$one"
  [ "$status" -eq 143 ]
  [ "$(state a) $(fields a tries)" = "1 0 0" ]
  fine='trap "exit 0" TERM; echo $$ >running; while :; do sleep 0.02; done'
  worker one fine
  finish "$one"
  [ "$status" -eq 143 ]
  [ "$(state a)" = "0 0" ]
  [ "$(consumers a)" = 0 ]
}

@test "stdout has no room or no reader: the message is back" {
  redis_up
  random_bytes 100000 | msgsend --raw redis:a
  run -111 bash -c 'msgrecv -q redis:a >/dev/full'
  [ "$(state a)" = "1 0" ]
  mkfifo out
  exec 5<>out
  msgrecv --lease 1 redis:a >out 2>err 3>&- 5>&- &
  local reader=$!
  until_true eval '[ "$(state a)" = "1 1" ]'
  run -124 msgrecv -t 2 --lease 1 redis:a
  finish "$reader"
  [ "$status" -eq 143 ]
  [ "$(state a)" = "1 0" ]
  exec 5>&-
}
