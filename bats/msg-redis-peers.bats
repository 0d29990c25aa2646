# redis:NAME as others see it: the format that is promised, groups, limits, and clients in other languages.

load helper/msg-redis

setup() {
  msg_redis_setup
}

teardown() {
  launch_teardown
}

@test "what we send is what the page promises" {
  redis_up
  printf '%s\n' one two | msgsend redis:a
  run -0 cli --raw XRANGE a - +
  [ "${lines[1]} ${lines[2]} ${lines[3]}" = "text one token" ]
  [[ ${lines[4]} =~ ^[0-9a-f]{32}.1$ ]]
  [[ ${lines[9]} =~ ^[0-9a-f]{32}.2$ ]]
  local token=${lines[9]%.2}
  run -0 cli --raw KEYS 'ipcbox:*'
  [ "$output" = "ipcbox:{a}:sent:$token" ]
  local left
  left=$(cli TTL "$output")
  [ "$left" -gt 500 ] && [ "$left" -le 600 ]
}

@test "an entry without text goes to the dead, with what it has; other fields are kept" {
  redis_up
  cli XADD a '*' foo bar foo baz >reply
  cli XADD a '*' text hello tries 4 more x >reply
  run -3 msgrecv -q redis:a sh -c 'echo "$MSGTRIES"; exit 3'
  [ "$output" = 4 ]
  run -0 cli --raw XRANGE a:dead - +
  [ "$(printf '%s ' "${lines[@]:3:4}")" = "foo bar foo baz " ]
  [ "$(fields a tries) $(fields a more)" = "5 x" ]
  [ "$(state a)" = "1 0" ]
}

@test "redis-cli as a worker and as a sender" {
  redis_up
  msgsend redis:a 'to redis-cli'
  cli XGROUP CREATE a ipcbox 0 >reply
  run -0 cli --raw XREADGROUP GROUP ipcbox me COUNT 1 STREAMS a '>'
  [ "${lines[3]}" = "to redis-cli" ]
  # it dies: ours claims it
  run -0 msgrecv -t 30 --lease 3 redis:a sh -c 'cat; echo " $MSGTRIES"'
  [ "$output" = "to redis-cli 1" ]
  # one that acknowledges, and deletes nothing
  msgsend redis:a again
  local id
  id=$(cli --raw XREADGROUP GROUP ipcbox me COUNT 1 STREAMS a '>' | sed -n 2p)
  cli XACK a ipcbox "$id" >reply
  run -1 msgrecv -t 0 redis:a
  cli XADD a '*' text 'from redis-cli' >reply
  run -0 msgrecv -t 0 redis:a
  [ "$output" = "from redis-cli" ]
}

@test "python's client as a worker and as a sender" {
  redis_up
  /usr/bin/python3 -c 'import redis' 2>/dev/null || skip "needs python's redis (Debian: python3-redis)"
  seq 3 | msgsend redis:a
  msgrecv redis:a >first
  run -0 /usr/bin/python3 - "$redis_path" <<'PY'
import redis, sys
r = redis.Redis(unix_socket_path=sys.argv[1])
for _, entries in r.xreadgroup("ipcbox", "python", {"a": ">"}, count=10):
    for id, fields in entries:
        print(fields[b"text"].decode())
        r.xack("a", "ipcbox", id)
        r.xdel("a", id)
r.xadd("a", {"text": b"\xff\x00 from python"})
r.xadd("a:7", {"text": "seven", "token": "T"})
PY
  [ "$output" = $'2\n3' ]
  msgrecv --raw redis:a >got
  printf '\xff\0 from python' | cmp - got
  run -0 msgrecv -y 7 redis:a sh -c 'cat; echo " $MSGTYPE $MSGTOKEN"'
  [ "$output" = "seven 7 T" ]
  [ "$(state a)" = "0 0" ]
}

@test "perl's client as a worker and as a sender" {
  perl -MRedis -e 1 2>/dev/null || skip "needs perl's Redis (Debian: libredis-perl)"
  redis_up
  seq 2 | msgsend redis:a
  msgrecv redis:a >first
  run -0 perl -e 'use Redis; my $r = Redis->new(sock => $ARGV[0]);
    for my $s (@{$r->xreadgroup("GROUP", "ipcbox", "perl", "COUNT", 9, "STREAMS", "a", ">")}) {
      for my $e (@{$s->[1]}) { my %f = @{$e->[1]}; print "$f{text}\n"; $r->xack("a", "ipcbox", $e->[0]); $r->xdel("a", $e->[0]) } }
    $r->xadd("a", "*", "text", "from perl")' "$redis_path"
  [ "$output" = 2 ]
  run -0 msgrecv -t 0 redis:a
  [ "$output" = "from perl" ]
}

@test "two groups: each is given all, and what both have finished is gone" {
  redis_up
  msgdemo create redis:a
  msgdemo create --group audit redis:a
  seq 5 | msgsend redis:a
  run -0 msgrecv -n 3 redis:a
  [ "$output" = $'1\n2\n3' ]
  [ "$(state a)" = "5 0" ]
  run -0 msgrecv -n 2 --group audit redis:a
  [ "$output" = $'1\n2' ]
  [ "$(state a)" = "3 0" ]
  run -0 msgrecv -n 3 --group audit redis:a
  [ "$output" = $'3\n4\n5' ]
  [ "$(state a)" = "2 0" ]
  msgrecv -n 2 redis:a >reply
  [ "$(state a)" = "0 0" ]
}

@test "two groups: what fails in one is tried again there alone" {
  redis_up
  msgdemo create redis:a
  msgdemo create --group audit redis:a
  printf '%s\n' poison fine | msgsend redis:a
  run -4 msgrecv -q redis:a sh -c 'exit 4'
  [ "$(state a)" = "2 1" ]
  run -0 msgrecv -n 2 --group audit redis:a
  [ "$output" = $'poison\nfine' ]
  run -124 msgrecv -q -f -t 2 --tries 3 redis:a sh -c 'read t; echo $t $MSGTRIES; [ $t != poison ]'
  [ "$output" = $'poison 1\npoison 2\nfine 0' ] || [ "$output" = $'poison 1\nfine 0\npoison 2' ]
  [ "$(fields a:dead text) $(fields a:dead tries)" = "poison 3" ]
  [ "$(state a)" = "0 0" ]
  [ "$(consumers a)" = 0 ]
}

@test "--max-length: msgsend waits for room, and nothing is dropped" {
  redis_up
  seq 3 | msgsend --max-length 5 redis:a
  run -1 bash -c 'seq 4 9 | msgsend --max-length 5 -t 0 redis:a'
  [ "$output" = "msgsend: send message 3 to redis:a: the queue is full" ]
  run -124 bash -c 'echo six | msgsend --max-length 5 -t 0.2 redis:a'
  background send bash -c 'seq 6 20 | msgsend --max-length 5 redis:a'
  run -0 msgrecv -n 20 redis:a
  [ "$output" = "$(seq 20)" ]
  ends_with 0 "$send"
  # a claimed one counts; one that somebody has acknowledged only, does not
  msgsend --max-length 1 redis:a one
  local id
  id=$(cli --raw XREADGROUP GROUP ipcbox me COUNT 1 STREAMS a '>' | sed -n 2p)
  run -1 msgsend --max-length 1 -t 0 redis:a two
  cli XACK a ipcbox "$id" >reply
  run -0 msgsend --max-length 1 -t 0 redis:a two
  [ "$(fields a text)" = two ]
  # of two groups, what one has not finished is not dropped
  msgdemo create --group audit redis:a
  msgrecv redis:a >reply
  run -1 msgsend --max-length 1 -t 0 redis:a three
  msgrecv --group audit redis:a >reply
  msgsend --max-length 1 -t 0 redis:a three
  # without a group nobody has finished anything
  msgsend redis:b x
  run -1 msgsend --max-length 1 -t 0 redis:b y
}

@test "a user of the server needs no more than the page says" {
  redis_up
  cli ACL SETUSER ann on '>secret' +@connection +info +eval +@stream +get +set +exists +del '~ipcbox:*' '~a' '~a:*' >reply
  REDIS_URL=unix://ann:secret@$redis_path
  seq 3 | msgsend --max-length 9 redis:a
  msgdemo create --group other redis:a
  run -0 msgrecv redis:a cat
  run -1 msgrecv -q -f -t 0 --tries 2 redis:a false
  run -0 msgrecv -t 0 --group other redis:a
  [ "$output" = 1 ]
  msgdemo stat redis:a
  msgdemo rm redis:a
  run -111 msgsend redis:b x
  [[ $output == *NOPERM* || $output == *permission* ]]
}

@test "--at-most-once with groups, and TYPEs of their own dead" {
  redis_up
  msgdemo create -y 3 redis:a
  msgdemo create -y 3 --group g redis:a
  msgsend -y 3 redis:a x
  run -0 msgrecv -y 3 --at-most-once redis:a
  run -6 msgrecv -q -y 3 --group g --tries 1 redis:a sh -c 'exit 6'
  [ "$(fields a:dead text)" = x ]
  [ "$(cli XLEN a:3)" = 0 ]
}
