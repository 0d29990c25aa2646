# msgsend, msgrecv with redis:NAME when answers are lost, and the server restarts, hangs and refuses.

load helper/msg-redis

setup() {
  msg_redis_setup
}

teardown() {
  launch_teardown
}

@test "the answer to send is lost: what was sent is sent once" {
  redis_up
  drops "'XADD',S,'*','text'" 3
  seq 2500 | msgsend -q redis:a
  dropped 3
  [ "$(fields a text)" = "$(seq 2500)" ]
}

@test "the answer to send is lost, with a limit: once, too, and in order" {
  redis_up
  drops "'XADD',S,'*','text'" 5
  background send bash -c 'seq 300 | msgsend -q --max-length 100 redis:a'
  run -0 msgrecv -q -n 300 redis:a
  [ "$output" = "$(seq 300)" ]
  ends_with 0 "$send"
  dropped 5
  [ "$(state a)" = "0 0" ]
}

@test "the answer to taking is lost: no message is lost or delivered twice, or counted as tried" {
  redis_up
  seq 5 | msgsend redis:a
  drops "'XREADGROUP'" 3
  run --separate-stderr -0 msgrecv -n 5 redis:a sh -c 'read n || :; echo $n $MSGTRIES'
  [ "$output" = "$(seq 5 | sed 's/$/ 0/')" ]
  dropped 3
  [ "$(state a)" = "0 0" ]
}

@test "the answer to waiting is lost: the message is taken all the same, at once" {
  redis_up
  drops BLOCK 1
  background one msgrecv redis:a sh -c 'cat; echo " $MSGTRIES"'
  until_true eval '[ "$(cli CLIENT LIST | grep -c cmd=xreadgroup)" = 1 ]'
  msgsend --redis "unix://$redis_path" redis:a now
  ends_with 0 "$one"
  [ "$(cat one.out)" = "now 0" ]
  dropped 1
}

@test "the answer to finishing is lost: finished once, and the next is taken" {
  redis_up
  seq 3 | msgsend redis:a
  drops 'F(i)return 1' 2
  run --separate-stderr -0 msgrecv -n 3 redis:a sh -c 'read n || :; echo $n'
  [ "$output" = $'1\n2\n3' ]
  dropped 2
  [ "$(state a)" = "0 0" ]
}

@test "the answer to putting back is lost: it is there once, with one try" {
  redis_up
  msgsend redis:a x
  drops 'X(i,o[4]-1,0)' 2
  run -3 msgrecv -q redis:a sh -c 'exit 3'
  dropped 2
  [ "$(fields a text) $(fields a tries) $(state a)" = "x 1 1 0" ]
  drops 'X(i,o[4]-1,0)' 1
  run -3 msgrecv -q --tries 2 redis:a sh -c 'exit 3'
  [ "$(fields a:dead text) $(fields a:dead tries) $(state a)" = "x 2 0 0" ]
}

@test "the answer to a renewal is lost: PROG goes on" {
  redis_up
  msgsend redis:a x
  drops "'JUSTID')return 1" 1
  worker one alone --lease 2
  until_true dropped 1
  run -124 msgrecv -t 2.5 --lease 2 redis:a
  kill -0 "$one"
  finish "$one"
}

@test "the server is killed and restarts, with appendfsync always: all goes on, and nothing is lost" {
  redis_up --appendonly yes --appendfsync always
  seq 50 | msgsend redis:a
  background one msgrecv -f --parallel 2 --lease 5 redis:a sh -c 'read n || :; echo $n; sleep 0.05'
  background two msgrecv -f --lease 5 redis:a sh -c 'read n || :; echo $n; sleep 0.05'
  local n
  for n in 10 30; do
    until_true eval "[ \"\$(cat one.out two.out | wc -l)\" -gt $n ]"
    redis_stop KILL
    background send bash -c "seq 10$n 10$((n + 9)) | msgsend -q redis:a"
    redis_up --appendonly yes --appendfsync always
    ends_with 0 "$send"
  done
  until_true eval '[ "$(state a)" = "0 0" ]'
  [ "$(cat one.out two.out | sort -n -u)" = "$(seq 50; seq 1010 1019; seq 1030 1039)" ]
  finish "$one"
  finish "$two"
  [ "$(consumers a)" = 0 ]
}

@test "a waiting worker survives FLUSHALL, and a server that hangs" {
  redis_up
  background one msgrecv -n 2 redis:a
  until_true eval '[ "$(cli CLIENT LIST | grep -c cmd=xreadgroup)" = 1 ]'
  cli FLUSHALL >reply
  msgsend redis:a one
  until_true grep -q one one.out
  kill -STOP "$redis"
  read -rt 1 <> <(:) || :
  kill -CONT "$redis"
  msgsend redis:a two
  ends_with 0 "$one"
}

# refuses ERROR PATTERN APPLET WORD...: at a server that answers so (to each of msgrecv's three INFOs), it ends as PATTERN says
refuses() {
  local error="-$1\r\n"
  [ "$3" != msgrecv ] || error=$error$error$error
  liar say "$error"
  run timeout --foreground 30 "${@:3}"
  kill "$liar"
  # shellcheck disable=SC2053 # a pattern
  [[ "$status $output" == $2 ]] || {
    echo "$1: $status $output" >&2
    return 1
  }
}

@test "errors: what may pass is tried again until -t, what can't is an error at once" {
  local error
  for error in 'LOADING x' 'READONLY x' "OOM command not allowed when used memory > 'maxmemory'." 'MISCONF x' 'BUSY x' \
    "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed"; do
    refuses "$error" "124 *trying again*the deadline passed: *" msgsend -t 0.4 redis:a x
    refuses "$error" "111 *" msgsend -t 0 redis:a x
    refuses "$error" "124 *trying again*the deadline passed: *" msgrecv -t 0.4 redis:a
  done
  for error in 'NOAUTH Authentication required.' 'NOPERM x' 'WRONGTYPE x' 'MOVED 1 127.0.0.1:1' "ERR unknown command 'XADD'"; do
    refuses "$error" "111 *ask*${error%% *}*" msgsend redis:a x
    refuses "$error" "111 *ask*${error%% *}*" msgrecv redis:a
  done
}

@test "a number that no script gives is an error by name" {
  local number
  for number in -1 -2 -3 2; do
    liar say ":$number\r\n"
    run -111 timeout --foreground 30 msgsend -t 2 redis:a x
    kill "$liar"
    [[ $output == *"its answer is not that of the script" ]]
  done
}

@test "no memory on the server: senders wait, workers make room" {
  redis_up
  seq 2000 | msgsend redis:a
  msgdemo create redis:a
  cli CONFIG SET maxmemory 1 >reply
  run -111 msgsend -t 0 redis:a more
  [[ $output == *OOM* ]]
  background send bash -c 'echo more | msgsend -q redis:a'
  run -0 msgrecv -q -n 5 redis:a
  [ "$output" = "$(seq 5)" ]
  cli CONFIG SET maxmemory 0 >reply
  ends_with 0 "$send"
  [ "$(cli XLEN a)" = 1996 ]
}

@test "the key is something else: an error at once" {
  redis_up
  cli SET a x >reply
  run -111 msgsend redis:a x
  [[ $output == *WRONGTYPE* ]]
  run -111 msgrecv redis:a
  [[ $output == *WRONGTYPE* ]]
  run -111 msgdemo create redis:a
  run -111 msgdemo stat redis:a
}

@test "no server: -t is 124, TERM ends who waits" {
  export REDIS_URL=unix://$PWD/nobody
  run -124 msgsend -t 0.3 redis:a x
  run -124 msgrecv -t 0.3 redis:a
  run -111 msgsend -t 0 redis:a x
  background one msgrecv redis:a true
  until_line one.err 'trying again'
  finish "$one"
  [ "$status" -eq 143 ]
}
