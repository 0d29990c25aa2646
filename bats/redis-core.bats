# common/redis through check/redis-call.c: which server, batches and their replies, trouble that passes and that does not.

load helper/launch
load helper/redis

setup() {
  redis_setup
}

teardown() {
  launch_teardown
}

# ---- which server ----

# is URL SHOWN HOST PORT DB [USER PASSWORD]: by the environment
is() {
  REDIS_URL=$1 call 0 --server
  [ "$output" = "$2 host $3 port $4 db $5 user ${6:--} password ${7:--}" ] || {
    echo "$1: $output" >&2
    return 1
  }
}

@test "a URL names host, port, database, user and password" {
  is redis://h redis://h:6379 h 6379 0
  is redis://h:1/3 redis://h:1/3 h 1 3
  is REDIS://h/ redis://h:6379 h 6379 0
  is redis:///2 redis://127.0.0.1:6379/2 127.0.0.1 6379 2
  is 'redis://[::1]:7/1' 'redis://[::1]:7/1' ::1 7 1
  is 'redis://[fe80::1%25lo]' 'redis://[fe80::1%lo]:6379' fe80::1%lo 6379 0
  is redis://:p@h redis://h:6379 h 6379 0 - p
  is redis://u:p:q@h redis://h:6379 h 6379 0 u p:q
  is redis://u%3a%40%2f:%25%2F%3a@h redis://h:6379 h 6379 0 u:@/ %/:
  is redis://u:p@q@h redis://h:6379 h 6379 0 u p@q
  is unix:///tmp/a%20b 'unix:///tmp/a b' '' 0 0
  is 'unix://u:p@/tmp/a?db=12' 'unix:///tmp/a?db=12' '' 0 12 u p
  is '' redis://127.0.0.1:6379 127.0.0.1 6379 0
  run -0 redis-call --server
  [[ $output == "redis://127.0.0.1:6379 host 127.0.0.1 "* ]]
  REDIS_URL=redis://a run -0 redis-call --redis redis://b --server
  [[ $output == "redis://b:6379 "* ]]
}

@test "any other URL is a usage error, and no part of it is printed" {
  local url
  for url in '' sesame http://sesame redis:/sesame redis:sesame unix://sesame unix:sesame unix://sesame/p redis://sesame:0 redis://sesame:65536 \
    redis://sesame:x redis://sesame: redis://sesame/x redis://sesame/1/ redis://sesame/-1 redis://sesame/4294967296 redis://sesame?db=1 redis://sesame#1 \
    'redis://[::sesame' 'redis://[::1]sesame' 'redis://::sesame' redis://sesame%2 redis://sesame%zz redis://sesame%00 'redis://ses ame' redis://sesame@h \
    redis://:sesame%@h redis://:ses/ame@h 'unix:///sesame?db=x' 'unix:///sesame?x=1' "unix:///sesame$(printf %0108d 0)"; do
    wrong_call redis-call --redis "$url" PING
    [[ $stderr != *sesame* ]]
    [ -n "$url" ] || continue
    REDIS_URL=$url wrong_call redis-call PING
    [[ $stderr == "redis-call: \$REDIS_URL: "* && $stderr != *sesame* ]]
  done
  wrong_call redis-call --redis rediss://h PING
  [[ $stderr == *"TLS: stunnel"*docs/tls.md* ]]
}

@test "a password in arguments is a usage error, with advice" {
  local url
  for url in redis://:sesame@h redis://u:sesame@h unix://:sesame@/p; do
    wrong_call redis-call --redis "$url" PING
    [[ $stderr == *'$REDIS_URL'*--redis-auth* && $stderr != *sesame* ]]
  done
}

@test "--redis-auth reads USER:PASSWORD from the first line of a file that others cannot read" {
  umask 077
  echo sesame >f
  is_with() {
    call 0 --server --redis "redis://${2:-}h" --redis-auth "$1"
    [[ $output == *" user $3 password $4" ]]
  }
  is_with f '' - sesame
  is_with f u@ u sesame
  printf 'v:se:same\r\nmore\n' >f
  is_with f u@ v se:same
  printf ':se:same' >f
  is_with f u@ u se:same
  is_with <(echo sesame) '' - sesame
  chmod 640 f
  is_with f '' - se:same
  local mode
  for mode in 644 602 606; do
    chmod "$mode" f
    call 100 --server --redis-auth f
    [ "$stderr" = "redis-call: use f: other users can read or write it (chmod o= FILE)" ]
  done
  chmod 600 f
  for text in '' '\n' '\nsesame\n' "$(printf %05000d 7)"; do
    printf "$text" >f
    call 100 --server --redis-auth f
    [ "$stderr" = "redis-call: use f: its first line is not [USER:]PASSWORD" ]
  done
  call 111 --server --redis-auth nofile
  [ "$stderr" = "redis-call: open nofile: No such file or directory" ]
}

@test "redis:NAME is 1 to 255 bytes of any kind, and its helpers' keys have one hash tag" {
  call 0 --name redis:a
  [ "$output" = 'a
$15\r\nipcbox:{a}:lock\r\n' ]
  call 0 --name $'redis:/x y\t\377'
  [ "${lines[0]}" = '/x y\t\xff' ]
  call 1 --name ./redis:a
  call 1 --name redis
  call 0 --name "redis:$(printf %0255d 0)"
  wrong_call redis-call --name redis:
  wrong_call redis-call --name "redis:$(printf %0256d 0)"
}

# ---- a real server ----

@test "replies come in order: by path, address and name, at once and in steps" {
  need_redis
  redis_up
  local url how
  for url in "unix://$redis_path" "redis://127.0.0.1:$redis_port" "redis://localhost:$redis_port/5"; do
    for how in -q --steps; do
      call 0 "$how" --redis "$url" FLUSHDB ::: PING ::: SET a 1 ::: GET a ::: GET b ::: INCR a ::: RPUSH l x 'y z' ::: LRANGE l 0 -1 ::: LRANGE l 5 6 ::: \
        EVAL 'return {1, {"a", false, redis.error_reply("MY words")}}' 0
      [ "$output" = "text OK
text PONG
text OK
text 1
nil
integer 2
integer 2
array 2
text x
text y z
array 0
array 2
integer 1
array 3
text a
nil
error MY words" ]
    done
  done
  [ "$(cli -n 5 EXISTS a l) $(cli EXISTS a l)" = "2 2" ]
}

@test "user, password and database hold before a command is sent" {
  need_redis
  redis_up
  cli ACL SETUSER ann on '>sesame' '~*' +@all >reply
  call 0 --redis "unix://ann@$redis_path" --redis-auth <(echo sesame) ACL WHOAMI
  [ "$output" = "text ann" ]
  REDIS_URL=redis://ann:sesame@127.0.0.1:$redis_port/3 call 0 SET k v
  [ "$(cli -n 3 GET k)" = v ]
  # the default user needs no password here, and the database 0 is there: what fails leaves nothing to them
  REDIS_URL=redis://ann:wrong@127.0.0.1:$redis_port call 111 SET k v
  [[ $stderr == "redis-call: ask redis://127.0.0.1:$redis_port: WRONGPASS "* && $stderr != *"wrong@"* ]]
  REDIS_URL=redis://127.0.0.1:$redis_port/99 call 111 SET k v
  [ "$stderr" = "redis-call: ask redis://127.0.0.1:$redis_port/99: ERR DB index is out of range" ]
  [ "$(cli EXISTS k)" = 0 ]
  cli CONFIG SET requirepass sesame >reply
  call 111 PING
  [[ $stderr == *": NOAUTH Authentication required. (the password goes into \$REDIS_URL or --redis-auth FILE)" ]]
  REDIS_URL=unix://:sesame@$redis_path call 0 PING
  REDIS_URL=unix://ann:sesame@$redis_path call 0 ACL SETUSER bob on '>b' '~x' +get
  REDIS_URL=unix://bob:b@$redis_path call 111 SET x 1
  [[ $stderr == *": NOPERM "* ]]
}

@test "what cannot pass is an error at once, in the server's words" {
  need_redis
  redis_up
  call 0 SET text 1
  call 111 LPUSH text x
  [ "$stderr" = "redis-call: ask unix://$redis_path: WRONGTYPE Operation against a key holding the wrong kind of value" ]
  call 111 NOSUCH x
  [[ $stderr == *": ERR unknown command 'NOSUCH'"* ]]
  call 111 EVAL 'return redis.call("LPUSH", KEYS[1], "x")' 1 text
  [[ $stderr == *": WRONGTYPE "* ]]
  call 111 PING ::: EVAL 'bad(' 0
  [[ $stderr == *": ERR "*script* ]]
  [ "${lines[0]}" = "text PONG" ]
}

@test "large batches and large replies go through, up to the limit" {
  need_redis
  redis_up
  local n
  for ((n = 0; n < 600; n++)); do
    printf 'EVAL return(string.rep("x",1500)) 0 ::: '
  done >many
  { cat many && echo PING; } >fits
  redis-call --lines <fits >out
  [ "$(wc -l <out)" -eq 602 ]
  [ "$(sed -n 601p out)" = "text PONG" ]
  { cat many many many && echo PING; } >over
  redis-call --lines <over >out 2>err || :
  [ "$(cat err)" = "redis-call: ask unix://$redis_path: its answer is too large" ]
  redis-call --lines --limit 4M --steps <over >out
  [ "$(grep -c '^text x' out)" -eq 1800 ]
  call 111 EVAL 'return string.rep("x", 1048576)' 0
  call 0 EVAL 'return string.rep("x", 1048000)' 0
}

@test "facts: version, uptime, persistence, and whether keys are evicted" {
  need_redis
  redis_up
  call 0 --facts
  [[ $output =~ ^"version "[0-9]{3}" uptime short persistent 0 evicts 0 policy noeviction"$ ]]
  cli CONFIG SET appendonly yes >reply
  cli CONFIG SET maxmemory-policy allkeys-lru >reply
  call 0 --facts
  [[ $output == *" persistent 1 evicts 0 policy allkeys-lru" ]]
  cli CONFIG SET maxmemory 100mb >reply
  call 0 --facts
  [[ $output == *" evicts 1 "* ]]
}

@test "a server before 6.2, or one that says nothing of its version, is refused" {
  liar say '$37\r\n# Server\r\nredis_version:6.0.16\r\nx:y\r\n\r\n$2\r\n\r\n\r\n$2\r\n\r\n\r\n'
  call 111 --facts
  [ "$stderr" = "redis-call: ask $REDIS_URL: Redis 6.2 or later is required, or Valkey; this is 6.0" ]
  liar say '*0\r\n:1\r\n$-1\r\n'
  call 111 --facts
  [ "$stderr" = "redis-call: ask $REDIS_URL: Redis 6.2 or later is required, or Valkey" ]
  liar say '$20\r\nredis_version:10.0.1\r\n$2\r\n\r\n\r\n$2\r\n\r\n\r\n'
  call 0 --facts
  [[ $output == "version 1000 "* ]]
}

@test "through stunnel, as docs/tls.md has it: TLS, with the server's certificate checked" {
  need_redis
  need stunnel stunnel4
  need openssl openssl
  local tls stunnel_at name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:redis.example.com' -keyout key.pem -out cert.pem 2>/dev/null
  tls=$(free_port)
  redis_up --tls-port "$tls" --tls-cert-file cert.pem --tls-key-file key.pem --tls-auth-clients no ||
    skip "needs a redis-server with TLS"
  for name in redis.example.com other.example.com; do
    stunnel_at=$(free_port)
    {
      printf '%s\n' 'foreground = yes' 'pid =' "output = $PWD/stunnel.log"
      sed -n '/^\[redis\]/,/^```/p' "$BATS_TEST_DIRNAME/../docs/tls.md" | grep -v '^```' |
        sed "s/:6380/:$stunnel_at/; s/^connect = .*/connect = 127.0.0.1:$tls/; s/ca.pem/cert.pem/; s/= redis.example.com/= $name/"
    } >stunnel.conf
    background stunnel stunnel stunnel.conf
    waitfor -q -t 30 tcp 127.0.0.1 "$stunnel_at"
    if [ "$name" = redis.example.com ]; then
      REDIS_URL=redis://127.0.0.1:$stunnel_at call 0 PING
    else
      REDIS_URL=redis://127.0.0.1:$stunnel_at call 111 -t 0 PING
    fi
    kill "$stunnel"
    wait "$stunnel" || :
  done
}
