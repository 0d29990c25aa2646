# shellcheck shell=sh disable=SC2154,SC2034,SC2016 # what run.sh and lib.sh set, and what they look at; other shells'
#
# redis.sh - locks and queues on a Redis server, of our own and at a path: a program under a lock, how long a lock is nobody's,
# messages, jobs.

redis_up() {
  "$tools/timed" -o "$dir/timed.redis" redis-server --port 0 --unixsocket "$dir/redis" --save '' --appendonly yes --dir "$dir" >"$dir/err.redis" 2>&1 &
  pids="$pids $!"
  "$ipcbox" waitfor -q -t 10 unix "$dir/redis" || die "redis-server does not start: $(tail -n 1 "$dir/err.redis")"
  REDIS_URL=unix://$dir/redis
  export REDIS_URL
}

# redis_seen COMMAND...: what the server sees of it, in $dir/seen
redis_seen() {
  rm -f "$dir/seen"
  redis-cli -s "$dir/redis" MONITOR >"$dir/seen" &
  monitor=$!
  until [ -s "$dir/seen" ]; do sleep 0.05; done
  "$@"
  redis-cli -s "$dir/redis" ECHO the-end >/dev/null
  until grep -q 'the-end' "$dir/seen"; do sleep 0.05; done
  kill "$monitor"
  wait "$monitor"
} 2>/dev/null

# The scripts that lockrun sends: take, and give. They have no quotes in them that MONITOR escapes.
redis_scripts() {
  redis_seen "$ipcbox" lockrun --lease 1 redis:a true
  sed -n 's/.*"EVAL" "\([^"]*\)".*/\1/p' "$dir/seen" >"$dir/scripts"
  sed -n 1p "$dir/scripts" | tr -d '\n' >"$dir/take.lua"
  sed -n '$p' "$dir/scripts" | tr -d '\n' >"$dir/give.lua"
}

# N locks by one process; all others are started for each.
redis_turn() { # NAME N
  [ "$1" = loop ] || {
    repeat_turn "$1" "$2" hello
    return
  }
  rm -f "$dir/timed"
  "$tools/timed" -o "$dir/timed" "$tools/rawlock" "$dir/redis" "$dir/take.lua" "$dir/give.lua" "$2" "$tools/hello" >"$dir/out"
  [ "$(sort "$dir/out" | uniq -c | awk '{print $1, $2}')" = "$2 hello" ] || {
    echo '  loop: a run has failed, or has written something else'
    status=1
  }
  took "$2"
}

redis_lock() {
  new_part 'A static program under a lock on a Redis server, one run after the other.'
  repeated ipcbox '' 'ipcbox lockrun redis:a' "$ipcbox" lockrun redis:a "$tools/hello"
  repeated raw '' 'rawlock, started each time' "$tools/rawlock" "$dir/redis" "$dir/take.lua" "$dir/give.lua" 1 "$tools/hello"
  contestant loop '' 'rawlock: a loop in one process'
  [ ! -x "$static" ] ||
    repeated ipcbox-static '' 'ipcbox lockrun, static with musl' "$static" lockrun redis:a "$tools/hello"
  [ ! -x "$dir/rawlock.musl" ] || repeated raw-static '' 'rawlock, static with musl, started each time' \
    "$dir/rawlock.musl" "$dir/redis" "$dir/take.lua" "$dir/give.lua" 1 "$tools/hello"
  rounds_of redis_turn $((400 / scale))
  table base rate
  [ -x "$static" ] || return
  rm "$dir/rows"
  measured_row ipcbox-static '' 'ipcbox lockrun, static with musl'
  measured_row raw-static 0.9 'rawlock, static with musl, started each time'
  measured_row loop 0.9 'rawlock: a loop in one process'
  table base rate ipcbox-static
}

# From the end of a program to the start of the next one, of four that wait in turn.
redis_next() { # N
  new_part 'How long a lock is nobody'"'"'s: from the end of a program to the start of the next, with 3 more waiting.'
  best=$ipcbox
  [ ! -x "$static" ] || best=$static
  workers=
  for worker in 1 2 3 4; do
    "$tools/repeat" "$1" "$best" lockrun redis:b "$tools/stamp" >"$dir/stamps.$worker" &
    workers="$workers $!"
  done
  # shellcheck disable=SC2086 # numbers
  wait $workers || status=1
  sort -n "$dir"/stamps.* | awk -v n=$((4 * $1)) '
    NR > 1 { gap[NR - 1] = ($1 - end) / 1e6; if ($1 < end) overlap++ }
    { end = $2 }
    END { if (NR != n || overlap) { print "  " NR " programs of " n ", " overlap + 0 " at a time with another"; exit 1 }
      for (i = 1; i < NR; i++) print gap[i] }' >"$dir/gaps" || {
    cat "$dir/gaps"
    status=1
    return
  }
  sort -n "$dir/gaps" | awk '{ v[NR] = $1 } END {
    printf "  %-38s %10.2f   at most 20: %s\n", "median, in ms", v[int((NR + 1) / 2)], v[int((NR + 1) / 2)] <= 20 ? "met" : "missed"
    printf "  %-38s %10.2f\n", "99th percentile, in ms", v[int(NR * 0.99)] }'
}

# 1,000 messages are a batch of msgsend's
redis_send_turn() { # NAME N
  redis-cli -s "$dir/redis" DEL q >/dev/null
  rm -f "$dir/timed"
  case $1 in
  benchmark)
    eval "set -- $2 $(sed -n 's/^.*] "EVAL"/EVAL/p' "$dir/seen" | sed -n '1s/"\(ipcbox:{q}:sent:\)*[0-9a-f]\{32\}"/"\1__rand_int__"/gp')"
    n=$1
    shift
    "$tools/timed" -o "$dir/timed" redis-benchmark -s "$dir/redis" -c 1 -P 5 -r 1000000000 -q -n $((n / 1000)) "$@" >"$dir/out"
    ;;
  *)
    n=$2
    run_with "$1" "$tools/timed" -o "$dir/timed" <"$dir/lines"
    ;;
  esac
  [ "$(redis-cli -s "$dir/redis" XLEN q)" = "$n" ] || {
    echo "  $contestant: not all messages are there"
    status=1
  }
  took "$n"
}

redis_send() { # N
  new_part "$1 messages into a stream on a Redis server."
  seq -f 'message %g' "$1" >"$dir/lines"
  head -n 1000 "$dir/lines" >"$dir/few"
  redis_seen sh -c '"$0" msgsend redis:q <"$1"' "$ipcbox" "$dir/few"
  repeated ipcbox '' 'ipcbox msgsend' "$ipcbox" msgsend redis:q
  contestant benchmark 0.8 'redis-benchmark, the same scripts in pipelines'
  [ ! -x "$static" ] || repeated ipcbox-static '' 'ipcbox msgsend, static with musl' "$static" msgsend redis:q
  rounds_of redis_send_turn "$1"
  table base rate
}

# As people write it
redis_loop='i=0
while [ $i -lt "$2" ]; do
  set -- "$1" "$2" "$3" $(redis-cli -s "$1" XREADGROUP GROUP ipcbox me COUNT 1 STREAMS q ">")
  "$3" && redis-cli -s "$1" XACK q ipcbox "$5" >/dev/null && redis-cli -s "$1" XDEL q "$5" >/dev/null
  i=$((i + 1))
done'

redis_jobs_turn() { # NAME N
  name=$1 n=$2
  [ ! -f "$dir/few.$1" ] || n=$((n / 4))
  redis-cli -s "$dir/redis" DEL q >/dev/null
  head -n "$n" "$dir/lines" | "$ipcbox" msgsend redis:q
  redis-cli -s "$dir/redis" XGROUP CREATE q ipcbox 0 >/dev/null 2>&1
  rm -f "$dir/timed"
  case $1 in
  loop) "$tools/timed" -o "$dir/timed" sh -c "$redis_loop" loop "$dir/redis" "$n" "$tools/hello" >"$dir/out" ;;
  *) run_with "$1" "$tools/timed" -o "$dir/timed" >"$dir/out" ;;
  esac
  [ "$(grep -c '^hello$' "$dir/out") $(redis-cli -s "$dir/redis" XLEN q)" = "$n 0" ] || {
    echo "  $contestant: a job is left, or was not run"
    status=1
  }
  took "$n"
}

redis_jobs() { # N
  new_part 'A static program for each message of a stream on a Redis server.'
  repeated ipcbox '' 'ipcbox msgrecv' "$ipcbox" msgrecv -n "$1" redis:q "$tools/hello"
  contestant loop 5 'a shell loop around redis-cli'
  few loop
  [ ! -x "$static" ] || repeated ipcbox-static '' 'ipcbox msgrecv, static with musl' "$static" msgrecv -n "$1" redis:q "$tools/hello"
  rounds_of redis_jobs_turn "$1"
  table base rate
}

redis_part() {
  has /usr/bin/redis-server redis-server && has /usr/bin/redis-cli redis-tools || return 0
  redis_up
  redis_scripts
  static_program rawlock musl
  redis_lock
  redis_next $((100 / scale))
  redis_send $((200000 / scale))
  redis_jobs $((800 / scale))
  stop_servers
  unset REDIS_URL
}
