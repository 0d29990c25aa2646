# Queues on a Redis server: what the tests of msgsend, msgrecv and msgdemo with redis:NAME share.

load helper/launch
load helper/redis
load helper/queue

msg_redis_setup() {
  redis_setup
  need_redis
  redis_path=$PWD/redis.sock
}

# state NAME: length and pending of redis:NAME
state() {
  msgdemo stat --redis "unix://$redis_path" "redis:$1" | sed -n 's/^length //p; s/^pending //p' | paste -sd ' '
}

# consumers NAME: how many
consumers() {
  msgdemo stat --redis "unix://$redis_path" "redis:$1" | sed -n 's/^consumers //p'
}

# fields STREAM FIELD: its value in each entry, one a line
fields() {
  cli --raw XRANGE "$1" - + | grep -x -A 1 "$2" | grep -vx -e -- -e "$2"
}

# worker VAR PROG [OPTION...]: msgrecv of redis:a in the background, whose PROG (redis.bash) runs; $keeper is the process between.
worker() {
  rm -f running
  background "$1" msgrecv "${@:3}" redis:a sh -c "${!2}"
  until_true test -s running
  keeper=$(cat /proc/"${!1}"/task/"${!1}"/children)
  keeper=${keeper% }
}
