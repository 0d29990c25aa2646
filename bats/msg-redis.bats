# msgsend, msgrecv and msgdemo with redis:NAME: what they do while nothing breaks.

load helper/msg-redis

setup() {
  msg_redis_setup
}

teardown() {
  launch_teardown
}

@test "messages come in the order in which they were sent, and are gone then" {
  redis_up
  msgsend redis:a one
  seq 5 | msgsend redis:a
  [ "$(state a)" = "6 0" ]
  run -0 msgrecv -n 6 redis:a
  [ "$output" = $'one\n1\n2\n3\n4\n5' ]
  [ "$(state a)" = "0 0" ]
  [ "$(consumers a)" = 0 ]
}

@test "a program per message, with its type, tries and token" {
  redis_up
  printf '%s\n' x y | msgsend redis:a
  run -0 msgrecv -n 2 redis:a sh -c 'echo "$(cat) $MSGTYPE $MSGTRIES $MSGTOKEN"'
  [[ ${lines[0]} =~ ^'x 1 0 '([0-9a-f]{32})'.1'$ ]]
  [ "${lines[1]}" = "y 1 0 ${BASH_REMATCH[1]}.2" ]
  [ "$(state a)" = "0 0" ]
}

@test "a message is waited for; -t, -t 0 and -E" {
  redis_up
  background one msgrecv redis:a
  until_true eval '[ "$(cli CLIENT LIST | grep -c cmd=xreadgroup)" = 1 ]'
  msgsend redis:a now
  ends_with 0 "$one"
  [ "$(cat one.out)" = now ]
  run -124 msgrecv -t 0.3 redis:a
  [ "$output" = "msgrecv: receive from redis:a: the deadline passed" ]
  run -1 msgrecv -t 0 redis:a
  [ "$output" = "msgrecv: receive from redis:a: there is no message" ]
  run -7 msgrecv -t 0 -E 7 redis:a
  run -124 msgrecv -t 0.3 redis:a true
  [ "$(consumers a)" = 0 ]
}

@test "TERM ends who waits, and leaves no consumer" {
  redis_up
  local prog
  for prog in '' true; do
    background one msgrecv redis:a $prog
    until_true eval '[ "$(cli CLIENT LIST | grep -c cmd=xreadgroup)" = 1 ]'
    finish "$one"
    [ "$status" -eq 143 ]
    [ "$(consumers a)" = 0 ]
  done
}

@test "TYPE is a stream of its own: NAME, NAME:TYPE; options that do not fit are usage errors" {
  redis_up
  msgsend -y 7 redis:a seven
  msgsend -y 1 redis:a one
  run -0 cli --raw KEYS 'a*'
  [ "$(sort <<<"$output")" = $'a\na:7' ]
  run -0 msgrecv --json -y 7 redis:a
  [ "$output" = '{"type":7,"text":"seven"}' ]
  run -0 msgrecv --json redis:a
  [ "$output" = '{"type":1,"text":"one"}' ]
  local words
  for words in '-y 0 redis:a' '-y -3 redis:a' '-x -y 1 redis:a' '-x redis:a' '--create -m 600 redis:a' 'redis:' \
    '--tries 2 redis:a' '--at-most-once --tries 2 redis:a true' '--lease 0.5 redis:a' '--lease 25h redis:a' \
    '--group= redis:a' '--dead ./:1 redis:a true' '--dead redis:b ./:1 true' '--dead redis:a redis:a true' \
    '--redis redis://h ./:1' '--group g ./:1' '--lease 5 ./:1' '--at-most-once ./:1' '--redis redis://u:p@h redis:a'; do
    # shellcheck disable=SC2086 # they are words
    wrong_call msgrecv $words
  done
  for words in '-y 0 redis:a x' '-y -1 redis:a x' '--max-length 3 ./:1 x' '--max-length 0 redis:a x' '-m 600 --create redis:a x'; do
    # shellcheck disable=SC2086
    wrong_call msgsend $words
  done
  for words in 'create -m 600 redis:a' 'stat -y 2 ./:1' '--group g' '-y 2' 'stat --group g ./:1' 'stat -y 0 redis:a'; do
    # shellcheck disable=SC2086
    wrong_call msgdemo $words
  done
}

@test "any bytes: none, NULs, no UTF-8, newlines, many" {
  redis_up
  random_bytes 3000000 >big
  printf 'a\0\xff\n\r\n$5\r\n' >odd
  : >empty
  local file
  for file in big odd empty; do
    msgsend --raw redis:a <"$file"
    msgrecv --raw redis:a >got
    cmp "$file" got
    msgsend --raw redis:a <"$file"
    msgrecv redis:a cat >got
    cmp "$file" got
  done
  printf 'a\nb\0c\0' | msgsend -0 redis:a
  run -0 msgrecv --json -n 2 redis:a
  [ "${lines[0]}" = '{"type":1,"text":"a\u000ab"}' ]
  [ "${lines[1]}" = '{"type":1,"text":"c"}' ]
}

@test "what stdin already holds goes in batches" {
  redis_up
  cli CONFIG RESETSTAT >reply
  seq 100000 | msgsend redis:a
  [ "$(cli XLEN a)" = 100000 ]
  [ "$(cli INFO commandstats | sed -n 's/^cmdstat_eval:calls=\([0-9]*\),.*/\1/p')" -lt 250 ]
  # in their order
  [ "$(fields a text | cksum)" = "$(seq 100000 | cksum)" ]
}

@test "PROG fails: back to the end, and msgrecv ends as PROG does" {
  redis_up
  printf '%s\n' one two | msgsend redis:a
  run -3 msgrecv -f redis:a sh -c 'exit 3'
  [ "$output" = $'msgrecv: run sh: it exited with status 3\nmsgrecv: put back redis:a: a message of type 1 is at the end of the queue again' ]
  [ "$(fields a text)" = $'two\none' ]
  [ "$(fields a tries)" = 1 ]
  run -137 msgrecv redis:a sh -c 'kill -KILL $$'
  [ "$(fields a text)" = $'one\ntwo' ]
  [ "$(state a)" = "2 0" ]
  [ "$(consumers a)" = 0 ]
}

@test "--tries: then it is with the dead, and the token is the same at each" {
  redis_up
  printf '%s\n' one poison two | msgsend redis:a
  run --separate-stderr -124 msgrecv -f -t 2 --tries 3 redis:a sh -c 'read t; [ $t != poison ] || { echo "$MSGTRIES $MSGTOKEN" >>tries; exit 5; }; echo $t'
  [ "$output" = $'one\ntwo' ]
  [ "$(cut -d ' ' -f 1 tries)" = $'0\n1\n2' ]
  [ "$(cut -d ' ' -f 2 tries | uniq | wc -l)" = 1 ]
  [ "$(state a)" = "0 0" ]
  [ "$(fields a:dead text) $(fields a:dead tries)" = "poison 3" ]
  [ "$(fields a:dead token)" = "$(head -n 1 tries | cut -d ' ' -f 2)" ]
  # as a queue of its own
  run -0 msgrecv redis:a:dead
  [ "$output" = poison ]
  # --dead KEY, without --tries at once
  msgsend redis:a bad
  run --separate-stderr -5 msgrecv --dead redis:grave redis:a sh -c 'exit 5'
  [ "$stderr" = $'msgrecv: run sh: it exited with status 5\nmsgrecv: give up redis:a: a message of type 1 is in the --dead queue' ]
  [ "$(fields grave text)" = bad ]
  # -t 0 gets there, too
  msgsend redis:a bad
  run -1 msgrecv -q -f -t 0 --tries 2 redis:a false
  [ "$(state a) $(state a:dead)" = "0 0 1 0" ]
}

@test "--keep-going: pauses, and takes the next; -t 0 ends when all have failed" {
  redis_up
  printf '%s\n' one poison two | msgsend redis:a
  run -1 msgrecv -q -f -t 0 --keep-going redis:a grep -v poison
  [ "$output" = $'one\ntwo' ]
  [ "$(state a)" = "1 0" ]
}

@test "--parallel: as many at a time; one that fails stops msgrecv when all have ended" {
  redis_up
  seq 8 | msgsend redis:a
  run -0 msgrecv -n 8 --parallel 4 redis:a sh -c 'touch here.$$; until [ "$(ls here.* | wc -l)" -ge 4 ]; do sleep 0.02; done; read n || :; echo $n'
  [ "$(sort <<<"$output")" = "$(seq 8)" ]
  [ "$(state a)" = "0 0" ]
  printf '%s\n' 1 2 3 | msgsend redis:a
  run -9 msgrecv -q -f --parallel 3 redis:a sh -c 'touch now.$$; until [ "$(ls now.* | wc -l)" -ge 3 ]; do sleep 0.02; done; read n; [ $n != 2 ] || exit 9; echo $n'
  [ "$(sort <<<"$output")" = $'1\n3' ]
  [ "$(fields a text)" = 2 ]
  [ "$(consumers a)" = 0 ]
}

@test "--status-fd has a line of each program, with its own pid" {
  redis_up
  printf '%s\n' 1 2 | msgsend redis:a
  run -0 msgrecv --status-fd 4 -n 2 redis:a sh -c 'echo $$' 4>lines
  [ "$(wc -l <lines)" = 2 ]
  grep -q "^stage=0 pid=${lines[0]} exec_errno=0 exit=0 " lines
  grep -q "^stage=0 pid=${lines[1]} exec_errno=0 exit=0 " lines
}

@test "PROG can't be executed: 126, and the message is where it was, as if not tried" {
  redis_up
  msgsend redis:a x
  printf '#!/nosuch\n' >prog
  chmod +x prog
  run -127 msgrecv --tries 1 redis:a ./prog
  [ "$(state a) $(fields a tries)" = "1 0 0" ]
}

@test "--at-most-once: acknowledged first, and not tried again" {
  redis_up
  printf '%s\n' one two three | msgsend redis:a
  run -0 msgrecv --at-most-once redis:a
  [ "$output" = one ]
  run -4 msgrecv --at-most-once redis:a sh -c 'msgdemo stat redis:a; exit 4'
  [ "${lines[0]} ${lines[1]}" = "length 1 pending 0" ]
  [ "${lines[-1]}" = "msgrecv: give up redis:a: a message of type 1 was acknowledged, and is not delivered again" ]
  [ "$(fields a text)" = three ]
}

@test "msgdemo: create, stat, rm" {
  redis_up
  run -111 msgdemo stat redis:a
  [ "$output" = "msgdemo: stat redis:a: no such stream" ]
  run -111 msgdemo rm redis:a
  run -0 msgdemo create redis:a
  run -1 msgdemo create redis:a
  run -0 msgdemo create --group other redis:a
  cli XADD a 1700000000000-0 text x >reply
  msgsend redis:a y
  cli XREADGROUP GROUP ipcbox me COUNT 1 STREAMS a '>' >reply
  run -0 msgdemo stat redis:a
  [ "$output" = $'length 2\npending 1\nconsumers 1\ngroups 2\noldest 2023-11-14T22:13:20Z' ]
  run -0 msgdemo stat --group other --json redis:a
  [ "$output" = '{"length":2,"pending":0,"consumers":0,"groups":2,"oldest":"2023-11-14T22:13:20Z"}' ]
  run -0 msgdemo rm redis:a
  [ "$output" = "msgdemo: remove redis:a: it contained 2 messages" ]
  [ "$(cli EXISTS a)" = 0 ]
}
