# common/redis through check/redis-call.c, when the server restarts, hangs, refuses or lies.

load helper/launch
load helper/redis

setup() {
  redis_setup
}

teardown() {
  launch_teardown
}

# ---- trouble that passes ----

@test "a server that is not there yet is waited for, until the deadline" {
  need_redis
  redis_path=$PWD/redis.sock
  export REDIS_URL=unix://$redis_path
  call 111 -t 0 PING
  [ "$stderr" = "redis-call: ask $REDIS_URL: No such file or directory" ]
  call 124 -t 0.2 PING
  [ "$stderr" = "redis-call: ask $REDIS_URL: No such file or directory; trying again
redis-call: ask $REDIS_URL: the deadline passed: No such file or directory" ]
  background early redis-call PING
  until_line early.err 'trying again'
  redis_up
  ends_with 0 "$early"
  [ "$(cat early.out)" = "text PONG" ]
  REDIS_URL=redis://127.0.0.1:$(free_port) call 111 -t 0 PING
  [[ $stderr == *": Connection refused" ]]
}

# conversation: redis-call --lines in the background, which line asks.
conversation() {
  mkfifo lines
  background talk sh -c 'exec redis-call --lines "$@" <lines' talk "$@"
  exec 7>lines
}

line() {
  echo "$*" >&7
}

@test "between two batches the server restarts: the next is answered, without a word" {
  need_redis
  redis_up --appendonly yes --appendfsync always
  conversation
  line SET a 1
  until_line talk.out 'done 0'
  redis_stop KILL
  redis_up --appendonly yes --appendfsync always 7>&-
  line GET a
  until_line talk.out 'text 1'
  exec 7>&-
  ends_with 0 "$talk"
  [ ! -s talk.err ]
}

@test "a server that hangs is given up at the deadline, or answers when it goes on; no answer is taken for another's" {
  need_redis
  redis_up
  kill -STOP "$redis"
  call 111 -t 0 --patience 0.2 PING
  [ "$stderr" = "redis-call: ask $REDIS_URL: no answer in time" ]
  call 124 -t 0.3 PING
  [[ $stderr == *"redis-call: ask $REDIS_URL: the deadline passed: no answer in time" ]]
  conversation --patience 0.3
  line ECHO one
  until_line talk.err 'trying again'
  kill -CONT "$redis"
  until_line talk.out 'text one'
  line ECHO two ::: ECHO three
  until_line talk.out 'text three'
  exec 7>&-
  ends_with 0 "$talk"
  [ "$(cat talk.out)" = "text one
done 0
text two
text three
done 0" ]
}

@test "a half answer is dropped with its connection" {
  liar say '+OLD' say '+NEW\r\n'
  printf 'ONE\nTWO\n' >lines
  run redis-call --lines -t 0 --patience 0.5 <lines
  [ "$output" = "redis-call: ask $REDIS_URL: no answer in time
done 111
text NEW
done 0" ]
}

@test "out of memory, too few replicas, a replica, a busy script: the batch is answered when that is over" {
  need_redis
  redis_up --busy-reply-threshold 50
  trouble() {
    local expected=$1 end=$2
    shift 2
    call 111 -t 0 "$@"
    [[ $stderr == "redis-call: ask $REDIS_URL: $expected "* ]]
    background waits redis-call "$@"
    until_line waits.err "$expected .*; trying again"
    $end
    ends_with 0 "$waits"
  }
  cli CONFIG SET maxmemory 1 >reply
  trouble OOM 'cli CONFIG SET maxmemory 0' SET a 1
  cli CONFIG SET maxmemory 1 >reply
  trouble OOM 'cli CONFIG SET maxmemory 0' EVAL 'return redis.call("SET", KEYS[1], 1)' 1 a
  cli CONFIG SET min-replicas-to-write 1 >reply
  trouble NOREPLICAS 'cli CONFIG SET min-replicas-to-write 0' SET a 1
  cli REPLICAOF 127.0.0.1 1 >reply
  trouble READONLY 'cli REPLICAOF no one' SET a 1
  cli CONFIG SET replica-serve-stale-data no >reply
  cli REPLICAOF 127.0.0.1 1 >reply
  trouble MASTERDOWN 'cli REPLICAOF no one' GET a
  background busy redis-cli -s "$redis_path" EVAL 'while true do end' 0
  until_true eval '[[ $(cli PING) == BUSY* ]]'
  trouble BUSY 'cli SCRIPT KILL' GET a
}

@test "each error that may pass is tried again, each other is not" {
  local code
  for code in LOADING BUSY MASTERDOWN TRYAGAIN READONLY OOM MISCONF NOREPLICAS 'ERR max number of clients' \
    'ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM' 'ERR Error running script (call to f_1): @user_script:1: -READONLY'; do
    liar say "-$code x\\r\\n" say '+PONG\r\n'
    call 0 PING
    [ "$stderr" = "redis-call: ask $REDIS_URL: $code x; trying again" ]
    kill "$liar"
  done
  for code in MOVED ASK CROSSSLOT NOAUTH WRONGPASS NOPERM WRONGTYPE DENIED BUSYGROUP LOADINGS 'ERR Error running script: @user_script:1: -WRONGTYPE'; do
    liar say "-$code x\\r\\n" say '+PONG\r\n'
    call 111 PING
    [[ $stderr == "redis-call: ask $REDIS_URL: $code x"* ]]
    [ "$(wc -l <liar.err)" -eq 1 ]
    kill "$liar"
  done
  liar say '-MOVED 3999 127.0.0.1:6381\r\n'
  call 111 GET a
  [ "$stderr" = "redis-call: ask $REDIS_URL: MOVED 3999 127.0.0.1:6381 (Redis Cluster is not supported: one server has it all)" ]
}

@test "a batch of which one command may pass is sent again in whole" {
  liar say '+OK\r\n-OOM x\r\n+OK\r\n' say '+A\r\n+B\r\n+C\r\n'
  call 0 ONE ::: TWO ::: THREE
  [ "$output" = "text A
text B
text C" ]
  [ "$(cat liar.err)" = "*1 \$3 ONE *1 \$3 TWO *1 \$5 THREE 
*1 \$3 ONE *1 \$3 TWO *1 \$5 THREE " ]
}

@test "without an answer to AUTH, no command is sent" {
  liar say '-WRONGPASS no\r\n+OK\r\n'
  REDIS_URL=redis://:sesame@${REDIS_URL#redis://}/2 call 111 SET a 1
  [ "$(cat liar.err)" = '*2 $4 AUTH $6 sesame *2 $6 SELECT $1 2 ' ]
}

# ---- servers that lie ----

@test "an answer that stalls at any byte is none, and whole it is one" {
  local answer='*2\r\n:10\r\n$3\r\nabc\r\n' n
  liar stall "$answer"
  for ((n = 0; n < 18; n++)); do
    call 111 -t 0 --patience 0.1 PING
    [[ -z $output && $stderr == "redis-call: ask $REDIS_URL: no answer in time" ]]
  done
  call 0 -t 0 PING
  [ "$output" = "array 2
integer 10
text abc" ]
}

@test "an answer that is cut off at any byte is asked for again" {
  local answer='*2\r\n:10\r\n$3\r\nabc\r\n' n
  liar cut "$answer"
  for ((n = 0; n < 18; n++)); do
    call 111 -t 0 PING
    [[ -z $output && $stderr == "redis-call: ask $REDIS_URL: the server has closed the connection" ]]
  done
  call 0 -t 0 PING
  liar drip "$answer"
  call 0 --steps PING
  [ "${lines[2]}" = "text abc" ]
}

@test "nests, floods and lengths that lie: a clear error, and memory stays flat" {
  local action
  # the sanitizers' own memory is large
  [ -n "${IPCBOX_SANITIZED:-}" ] || ulimit -d 16384
  lie() {
    liar "$1" "$2"
    call 111 PING
    [ "$stderr" = "redis-call: ask $REDIS_URL: $3" ]
    kill "$liar"
  }
  local large='its answer is too large' alien='its answer is not RESP2: is it a Redis server?'
  lie nest 1000000 'its answer has too many arrays in arrays'
  lie say '$2000000000\r\nx' "$large"
  lie say '$9223372036854775807\r\nx' "$large"
  lie say '$18446744073709551617\r\nx' "$alien"
  lie say '*2000000000\r\n' "$large"
  lie say '*-5\r\n' "$alien"
  lie say '$-9\r\n' "$alien"
  lie say '$3\r\nabcde' "$alien"
  lie say 'HTTP/1.1 400 Bad Request\r\n\r\n' "$alien"
  lie say '%1\r\n+a\r\n+b\r\n' "$alien"
  lie say ':1\n' "$alien"
  lie repeat x "$alien"
  lie repeat + "$alien"
  lie repeat '*300000\r\n' 'its answer has too many arrays in arrays'
  lie repeat '$1000000\r\n' "$alien"
  lie repeat '+PONG\r\n' 'it sends more than it was asked for'
  lie say '+PONG\r\n+PONG\r\n' 'it sends more than it was asked for'
  lie say '-\x1b[31mERR\x07\x00\xff\r\n' '\x1b[31mERR\x07\x00\xff'
  # an endless array of as many elements as fit
  liar repeat '*340000\r\n:1\r\n:1\r\n:1\r\n'
  call 111 PING
}

@test "TERM ends a call that waits, whatever for" {
  local waits
  term() {
    background it redis-call "$@"
    until_line "$waits" .
    kill -TERM "$it"
    ends_with 143 "$it"
  }
  liar say ''
  waits=liar.err
  term PING
  waits=it.err
  REDIS_URL=unix://$PWD/nobody term PING
  kill "$liar"
}

@test "a name is looked up again for each connection; TERM does not wait for a lookup" {
  need_dns
  need_redis
  redis_up
  # the network is another's: redis is reached there by its path alone
  printf '127.0.0.1 moves.test\n' >hosts
  with_dns sh -c '
    resp-liar -1 127.0.0.1 end "" >port 2>first & first=$!
    until [ -s port ]; do sleep 0.02; done
    read -r port <port
    REDIS_URL=redis://moves.test:$port redis-call PING >out 2>err & call=$!
    until grep -q "trying again" err; do sleep 0.02; done
    kill $first
    redis-server --daemonize no --bind 127.0.0.2 --port "$port" --save "" --logfile "" >redis2.out & redis=$!
    echo "127.0.0.2 moves.test" >hosts
    wait $call; status=$?
    kill $redis; wait $redis
    exit $status'
  [ "$(cat out)" = "text PONG" ]
  SILENT=1 with_dns sh -c 'redis-call --redis redis://half.test PING & call=$!
    until grep -q Z /proc/$call/stat || [ -n "$(cat /proc/$call/task/$call/children)" ]; do sleep 0.02; done
    kill $call; wait $call; [ $? -eq 143 ]'
}
