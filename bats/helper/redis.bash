# A Redis server of the test's own, or one that lies, and check/redis-call.c, which talks to it.

CHECKS=${IPCBOX%/*}/check

# For setup: where redis-call is, and no server of the user's.
redis_setup() {
  launch_setup
  [ -x "$CHECKS/redis-call" ] || skip "needs a build of its own (make $CHECKS/redis-call)"
  export PATH=$CHECKS:$PATH
  unset REDIS_URL
  redis_in=()
}

need_redis() {
  need redis-server redis-server
  need redis-cli redis-tools
}

# redis_up [OPTION...]: redis-server in the test's directory, at $redis_path and, on 127.0.0.1, port $redis_port; its pid in
# $redis. It is REDIS_URL, by the path. A second call starts it again, at the same places, with the same files.
redis_up() {
  redis_path=$PWD/redis.sock
  redis_port=${redis_port:-$(free_port)}
  redis_start "$@"
  export REDIS_URL=unix://$redis_path
}

# With $redis_in, by these words: in namespaces (helper/hosts.bash).
redis_start() {
  rm -f "$redis_path"
  background redis "${redis_in[@]}" redis-server --daemonize no --bind 127.0.0.1 --port "$redis_port" --unixsocket "$redis_path" \
    --dir "$PWD" --save '' --appendonly no --logfile '' "$@"
  waitfor -q -t 60 unix "$redis_path"
  until_true eval '[[ $(redis-cli -s "$redis_path" PING 2>&1) == @(PONG|NOAUTH*) ]]' # it has read its files
}

# redis_stop [SIGNAL]: ends it.
redis_stop() {
  kill -"${1:-TERM}" "$redis"
  wait "$redis" || :
}

# cli WORD...: redis-cli there
cli() {
  redis-cli -s "$redis_path" "$@"
}

# liar ACTION...: a server that lies (helper/resp-liar.c), which is REDIS_URL; what it reads is in liar.err.
liar() {
  start liar resp-liar 127.0.0.1 "$@"
  export REDIS_URL=redis://127.0.0.1:$liar_at
}

# call STATUS [WORD...]: redis-call with a limit; its stdout in $output, its stderr in $stderr.
call() {
  local expected=$1
  shift
  run --separate-stderr timeout --foreground 60 redis-call "$@"
  [ "$status" -eq "$expected" ] || {
    echo "status $status, expected $expected: $output; $stderr" >&2
    return 1
  }
}

# PROG that says that it runs; with children, of which one is in a session of its own, in a directory of their own.
alone='echo $$ >running; exec sleep 1000'
family='mkdir -p family; cd family; sleep 1000 & setsid sleep 1000 & echo $$ >../running; wait'

# no_family: nobody of it is left
no_family() {
  [ -z "$(find /proc -maxdepth 2 -name cwd -lname "$BATS_TEST_TMPDIR/family" 2>/dev/null)" ]
}

# drops WORD COUNT: a proxy that is REDIS_URL from then on and drops the answers to so many requests with that word; what
# it has dropped is in drop.err.
drops() {
  rm -f drop.sock
  start drop resp-drop "$PWD/drop.sock" "$redis_path" "$@"
  export REDIS_URL=unix://$PWD/drop.sock
}

dropped() {
  [ "$(wc -l <drop.err)" -eq "$1" ]
}
