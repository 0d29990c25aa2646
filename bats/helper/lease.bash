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

# A part of a program that runs for a moment: once `wanted` is there, one of them says who its keeper is and stays.
prey='mv wanted "wanted.$$" 2>/dev/null && { echo "$PPID" >prey.new; mv prey.new prey; sleep 1000; };'

# The one who has taken `wanted` has ended: on a busy machine its lease may have, and with it all else.
prey_is_gone() {
  local file
  for file in wanted.*; do
    [ ! -e "$file" ] || kill -0 "${file#wanted.}" 2>/dev/null || return 0
  done
  return 1
}

# kill_around NUMBER: ends the keeper of some program by SIGKILL, or for odd numbers the keeper's parent
kill_around() {
  local keeper pid=
  until [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm")" = "$holder" ] && kill -KILL "$pid"; do
    rm -f prey wanted.*
    : >wanted
    until_true eval '[ -e prey ] || prey_is_gone'
    pid=
    keeper=$(cat prey) || continue
    pid=$keeper
    (($1 % 2 == 0)) || read -r _ _ _ pid _ <"/proc/$keeper/stat" || :
  done 2>/dev/null
}

# kill_any NUMBER COUNT: the same to the newest program after COUNT of them, which may have ended meanwhile
kill_any() {
  local keeper pid
  until_true more_lines ran "$2"
  keeper=$(tail -n 1 ran | cut -d ' ' -f 1)
  pid=$keeper
  (($1 % 2 == 0)) || { read -r _ _ _ pid _ <"/proc/$keeper/stat"; } 2>/dev/null || return 0
  { [ "$(cat "/proc/$pid/comm")" != "$holder" ] || kill -KILL "$pid"; } 2>/dev/null || :
}

# more_lines FILE COUNT: it has more lines than that
more_lines() {
  [ "$(wc -l <"$1")" -gt "$2" ]
}

# says FILE COUNT TEXT: at least so many of its lines have that
says() {
  [ "$(grep -c "$3" "$1")" -ge "$2" ]
}
