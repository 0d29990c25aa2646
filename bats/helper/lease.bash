# Programs under a lease on a Redis server (lockrun, semtake redis:NAME; $holder says which), and what is left of them and of
# the keys.

load helper/launch
load helper/redis

holder=lockrun

lease_setup() {
  redis_setup
  need_redis
  redis_path=$PWD/redis.sock
}

# A server that remembers, as a lease shorter than its uptime needs.
server() {
  redis_up --appendonly yes "$@"
}

# hold PROG VAR [WORD...]: $holder with that PROG (redis.bash) in the background, which runs; $keeper is the process between.
hold() {
  rm -f running
  background "$2" "$holder" "${@:3}" sh -c "${!1}"
  until_true test -s running
  keeper=$(cat /proc/"${!2}"/task/"${!2}"/children)
}

# keys: those of NAME a but the fence, the number of slots and what says that it was given back
keys() {
  cli --raw KEYS 'ipcbox:{a}:*' | grep -v ':fence$\|:gave:\|:slots$' | sort
}

# renewed: the lease of NAME a has been renewed since the last call
renewed() {
  local score
  score=$(cli ZRANGE 'ipcbox:{a}:held' 0 0 WITHSCORES | tail -n 1)
  [ "$score" != "${last_score-}" ] || return
  last_score=$score
}

# waits COUNT: so many wait for NAME a
waits() {
  [ "$(cli ZCARD 'ipcbox:{a}:wait')" = "$1" ]
}

# keepers: the two processes behind --for, the keeper last
keepers() {
  local pid
  for pid in $(cd /proc && printf '%s\n' [0-9]* | sort -n); do
    { [ "$(cat "/proc/$pid/comm")" != "$holder" ] || ! tr '\0' '\n' <"/proc/$pid/environ" |
      grep -qxF "REDIS_URL=$REDIS_URL" || echo "$pid"; } 2>/dev/null
  done
}

gone_all() {
  local pid
  for pid; do
    until_true eval '[ ! -e /proc/'"$pid"' ] || grep -q "^State:.Z" /proc/'"$pid"'/status'
  done
}
