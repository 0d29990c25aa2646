# semset on redis:NAME: create, stat, set, rm.

load helper/lease

holder=semtake

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

no_semaphore="no such semaphore; 'semset create' or 'semtake --create' creates one"

@test "create: with as many slots, or one; what exists stays as it is" {
  server
  run -0 semset create --value 3 redis:a
  [ -z "$output" ]
  run -1 semset create --value 5 redis:a
  [ "$output" = "semset: create redis:a: it already exists" ]
  run -1 semset create -q redis:a
  [ -z "$output" ]
  run -0 semset stat redis:a
  [ "$output" = "slots 3
taken 0
waiting 0" ]
  run -0 semset create redis:b 1
  run -0 semset stat redis:b
  [ "${lines[0]}" = "slots 1" ]
  run -0 semtake -c redis:a true
  run -0 semtake redis:b true
}

@test "stat: who holds it and who waits, as text and as JSON" {
  server
  hold alone one -c --create=2 --lease 1000 redis:a
  semtake -c --lease 500 redis:a >token
  script "my job" :
  background two semtake -c redis:a "./my job"
  until_true waits 1
  background three semtake -c redis:a true
  until_true waits 2
  run -0 semset stat redis:a
  local token fence
  read -r token fence <token
  [ "${#lines[@]}" -eq 7 ]
  [ "${lines[0]} ${lines[1]} ${lines[2]}" = "slots 2 taken 2 waiting 2" ]
  [[ ${lines[3]} =~ ^"slot 1 fence $fence milliseconds_left "4[0-9]{5}" pid $BASHPID name - host $(uname -n) token $token"$ ]]
  [[ ${lines[4]} =~ ^"slot 0 fence "[0-9]{16}" milliseconds_left "[0-9]{6}" pid $one name sh host $(uname -n) token "[0-9a-f]{32}$ ]]
  [ "${lines[5]}" = "place 1 pid $two name my job host $(uname -n)" ]
  [ "${lines[6]}" = "place 2 pid $three name true host $(uname -n)" ]
  run -0 semset stat --json redis:a
  [[ $output =~ ^'{"slots":2,"taken":2,"waiting":2,"holders":[{"slot":1,"fence":'$fence',"milliseconds_left":'4[0-9]{5}',"pid":'[0-9]+',"name":"-","host":"'.*'","token":"'$token'"},{"slot":0,"fence":'.*'}],"waiters":[{"place":1,"pid":'$two',"name":"my job","host":"'.*'"},{"place":2,'.*'}]}'$ ]]
  finish "$one"
  semgive --token "$token" redis:a
  ends_with 0 "$two"
  ends_with 0 "$three"
  run -0 semset stat --json redis:a
  [ "$output" = '{"slots":2,"taken":0,"waiting":0,"holders":[],"waiters":[]}' ]
}

@test "stat lists 1,000 waiters, and counts all" {
  server
  semset create redis:a
  local n
  for ((n = 0; n < 1200; n++)); do
    echo "ZADD ipcbox:{a}:wait $n fake$n"
    echo "ZADD ipcbox:{a}:seen 4000000000000000 fake$n"
    echo "HSET ipcbox:{a}:who fake$n '$n x\"y h'"
  done | cli >reply
  run -0 semset stat redis:a
  [ "${lines[2]}" = "waiting 1200" ]
  [ "${#lines[@]}" -eq 1003 ]
  [ "${lines[1002]}" = 'place 1000 pid 999 name x"y host h' ]
  run -0 semset stat --json redis:a
  [[ $output == *'"name":"x\"y"'* ]]
}

@test "set: waiters have what there is more of; holders keep what there is less of; 0: nobody takes it" {
  server
  hold alone one -c --create=1 redis:a
  background two semtake -c redis:a echo yes
  background three semtake -c redis:a echo yes
  until_true waits 2
  run -0 semset set redis:a 0 3
  ends_with 0 "$two"
  ends_with 0 "$three"
  run -0 semset set redis:a 0=0
  kill -0 "$(cat running)"
  run -1 semtake -c --try redis:a true
  finish "$one"
  run -1 semtake -c --try redis:a true
  run -1 semtake --try redis:a true
  background two semtake -c redis:a echo yes
  until_true waits 1
  semset set redis:a 0 1
  ends_with 0 "$two"
  [ -z "$(keys)" ]
}

@test "rm: waiters fail, but for those that create it; holders keep their slots" {
  server
  hold alone one -c --create=1 redis:a
  background two semtake -c redis:a echo no
  until_true waits 1
  run -0 semset rm redis:a
  [ "$output" = "semset: remove redis:a: still taken: 1, waiting: 1" ]
  ends_with 111 "$two"
  [ "$(cat two.err)" = "semtake: take redis:a: $no_semaphore" ]
  run -111 semset rm redis:a
  [ "$output" = "semset: remove redis:a: $no_semaphore" ]
  run -1 semtake -c --create=1 --try redis:a true
  kill -0 "$(cat running)"
  background two semtake -c --create=1 redis:a echo yes
  until_true waits 1
  run -0 semset rm -q redis:a
  [ -z "$output" ]
  until_true eval 'semset stat -q redis:a'
  finish "$one"
  ends_with 0 "$two"
  semset rm redis:a
  [ "$(cli --raw KEYS 'ipcbox:{a}:*' | grep -v ':gave:')" = "ipcbox:{a}:fence" ]
}

@test "what is not there: 111" {
  server
  run -111 semset stat redis:a
  [ "$output" = "semset: stat redis:a: $no_semaphore" ]
  run -111 semset set redis:a 0 1
  [ "$output" = "semset: set redis:a: $no_semaphore" ]
}

@test "the answer is lost: all of them have the same answer when they are asked again" {
  server
  local command
  for command in "create --value 2 redis:a" "set redis:a 0 4" "rm redis:a"; do
    drops EVAL 1
    # shellcheck disable=SC2086 # words
    run -0 semset $command
    dropped 1
    finish "$drop"
  done
}

@test "a server that lies: an end, and no more than it said" {
  local answer expected
  while IFS='|' read -r expected answer; do
    liar say "$answer"
    run timeout --foreground 60 semset stat redis:a
    echo "$answer: $status $output"
    [ "$status" -eq "$expected" ]
    finish "$liar"
  done <<'EOF'
111|:1\r\n
111|$-1\r\n
111|*0\r\n
111|*-1\r\n
111|*1\r\n:5\r\n
0|*3\r\n$1\r\n3\r\n:9223372036854775807\r\n:9223372036854775807\r\n
0|*5\r\n$1\r\n3\r\n:1\r\n:1\r\n*0\r\n$-1\r\n
0|*8\r\n$1\r\n3\r\n:1\r\n:0\r\n$1\r\nt\r\n$1\r\n0\r\n$1\r\n1\r\n$3\r\n 1 \r\n$1\r\n5\r\n
EOF
  for answer in ':7\r\n' '$1\r\nx\r\n' '*1\r\n:1\r\n' '$3\r\n1 x\r\n'; do
    liar say "$answer"
    run -111 timeout --foreground 60 semset set redis:a 0 1
    run -1 timeout --foreground 60 semset create redis:a
    run -1 timeout --foreground 60 semgive --token "$(printf '%032d' 0)" redis:a
    run timeout --foreground 60 semset rm redis:a
    [ "$status" -eq 111 ] || [ "$status" -eq 0 ]
    finish "$liar"
  done
}

@test "usage errors say why" {
  local reason
  while IFS='|' read -r reason command; do
    # shellcheck disable=SC2086 # words
    wrong_call semset $command
    [[ ${stderr_lines[0]} == "semset: $reason"* ]]
  done <<'EOF'
NSEMS: redis:NAME is one semaphore, not a set|create redis:a 2
--mode: who may use redis:NAME|create -m 600 redis:a
NUM: redis:NAME is one semaphore|set redis:a 1 2
NUM: redis:NAME is one semaphore|set redis:a 0=1 1=2
VALUE '32768'|set redis:a 0 32768
missing NUM|set redis:a
unexpected operand 'x'|rm redis:a x
unexpected operand 'x'|stat redis:a x
--json is valid only with stat|rm --json redis:a
--mode and --value are valid only with create|rm --value 3 redis:a
KEY redis:NAME: expected a NAME|rm redis:
--redis requires redis:NAME|rm --redis redis://h 1234
--redis-auth requires redis:NAME|stat --redis-auth f 1234
--redis: every user can read a password|stat --redis redis://u:p@h redis:a
EOF
}
