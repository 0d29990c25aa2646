# lockrun redis:NAME: a lease that is renewed, two processes around PROG, and what becomes of both when things break.

load helper/lease

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

@test "PROG runs while the lock is held; its status is ours; the fence grows" {
  server
  run -0 lockrun redis:a sh -c 'echo $IPCBOX_FENCE "${IPCBOX_SLOT-none}"; redis-cli -s redis.sock EXISTS "ipcbox:{a}:held"'
  [[ ${lines[0]} =~ ^[0-9]{16}" none"$ ]]
  [ "${lines[1]}" = 1 ]
  local first=${lines[0]% *} status_of
  [ -z "$(keys)" ]
  IPCBOX_FENCE=x IPCBOX_SLOT=y run -0 lockrun redis:a sh -c 'echo $IPCBOX_FENCE ${IPCBOX_SLOT-none}'
  [ "${output% *}" -gt "$first" ]
  [ "${output#* }" = none ]
  for status_of in 'exit 3' 'kill -TERM $$' 'kill -KILL $$'; do
    run sh -c "$status_of"
    local expected=$status
    run lockrun redis:a sh -c "$status_of"
    [ "$status" -eq "$expected" ]
  done
  run -127 lockrun redis:a ./nosuch
  [ -z "$(keys)" ]
  # one that is far ahead of the server's clock is only ever one more
  cli HSET 'ipcbox:{a}:fence' 0 4000000000000000 >reply
  run -0 lockrun redis:a sh -c 'echo $IPCBOX_FENCE'
  [ "$output" = 4000000000000001 ]
}

@test "a lock that is taken: -n is 1, -E, -t is 124, else it is waited for" {
  server
  hold alone one redis:a
  run lockrun -n redis:a echo no
  [ "$status" -eq 1 ]
  [ "$output" = "lockrun: lock redis:a: it is taken" ]
  run lockrun -n -E 7 redis:a echo no
  [ "$status" -eq 7 ]
  run lockrun -t 0.2 redis:a echo no
  [ "$status" -eq 124 ]
  [ "$output" = "lockrun: lock redis:a: the deadline passed" ]
  [ "$(cli ZCARD 'ipcbox:{a}:wait')" = 0 ]
  background two lockrun redis:a echo yes
  until_true eval '[ "$(cli ZCARD "ipcbox:{a}:wait")" = 1 ]'
  kill "$one"
  ends_with 143 "$one"
  ends_with 0 "$two"
  [ "$(cat two.out)" = yes ]
  [ -z "$(keys)" ]
}

@test "TERM at a waiter: no place is left" {
  server
  hold alone one redis:a
  background two lockrun redis:a echo yes
  until_true eval '[ "$(cli ZCARD "ipcbox:{a}:wait")" = 1 ]'
  finish "$two"
  [ "$status" -eq 143 ]
  [ "$(cli ZCARD 'ipcbox:{a}:wait') $(cli ZCARD 'ipcbox:{a}:seen')" = "0 0" ]
  finish "$one"
}

@test "readers share; one that comes behind a waiting writer waits" {
  server
  hold alone one -s redis:a
  run -0 lockrun -s -n redis:a true
  run lockrun -n redis:a true
  [ "$status" -eq 1 ]
  background writer lockrun redis:a sh -c 'echo writer >>order'
  until_true eval '[ "$(cli ZCARD "ipcbox:{a}:wait")" = 1 ]'
  run lockrun -s -n redis:a true
  [ "$status" -eq 1 ]
  background two lockrun -s redis:a sh -c 'echo reader >>order; until [ -e go ]; do sleep 0.02; done'
  background three lockrun -s redis:a sh -c 'echo reader >>order; touch go'
  until_true eval '[ "$(cli ZCARD "ipcbox:{a}:wait")" = 3 ]'
  finish "$one"
  ends_with 0 "$writer"
  ends_with 0 "$two"
  ends_with 0 "$three"
  [ "$(cat order)" = "writer
reader
reader" ]
}

@test "--slots: as many at a time, each with its number and its fence" {
  server
  hold alone one --slots 2 redis:a
  run -0 lockrun --slots 2 redis:a sh -c 'echo $IPCBOX_SLOT; lockrun -n --slots 2 redis:a true || echo $?'
  [ "${lines[0]}" = 1 ]
  [ "${lines[2]}" = 1 ]
  [ "$(cli HLEN 'ipcbox:{a}:fence')" = 2 ]
  finish "$one"
  run -0 lockrun --slots 2 redis:a sh -c 'echo $IPCBOX_SLOT'
  [ "$output" = 0 ]
}

@test "the keeper is killed: PROG and its descendants are, too, and the lock is free" {
  server
  hold family one redis:a
  kill -KILL "$keeper"
  ends_with 111 "$one"
  [ "$(cat one.err)" = "lockrun: keep redis:a: the process that renewed it was killed; the program was, too" ]
  no_family
  run -0 lockrun -n redis:a true
}

@test "lockrun is killed: the keeper ends PROG and its descendants, and the lock is free" {
  server
  hold family one redis:a
  kill -KILL "$one"
  lockrun -t 60 redis:a true
  no_family
  [ "$(cat one.err)" = "lockrun: keep redis:a: the process that watched it was killed" ]
}

@test "the keeper is stopped: all is ended before the lease runs out" {
  server
  hold family one --lease 2 redis:a
  kill -STOP "$keeper"
  ends_with 111 "$one"
  no_family
}

@test "the server dies: PROG and its descendants are ended before the lease runs out" {
  server
  hold family one --lease 2 redis:a
  local began=$EPOCHREALTIME
  redis_stop KILL
  ends_with 111 "$one"
  # 2 s from the last renewal, at most
  [ "$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))" -lt 2000 ]
  no_family
  grep -q '^lockrun: keep redis:a: No such file or directory$' one.err || grep -q 'lockrun: keep redis:a: Connection refused' one.err
}

@test "the server restarts, and hangs for a while: PROG goes on" {
  server --appendfsync always
  hold alone one --lease 6 redis:a
  redis_stop KILL
  server --appendfsync always
  local n
  # at least one renewal after it, and one after a pause
  for n in 1 2; do
    local score
    score=$(cli ZRANGE 'ipcbox:{a}:held' 0 0 WITHSCORES | tail -n 1)
    kill -STOP "$redis"
    read -rt 1 <> <(:) || :
    kill -CONT "$redis"
    until_true eval '[ "$(cli ZRANGE "ipcbox:{a}:held" 0 0 WITHSCORES | tail -n 1)" != "$score" ]'
  done
  kill -0 "$one"
  run lockrun -n redis:a true
  [ "$status" -eq 1 ]
  finish "$one"
}

@test "the lease is gone on the server: PROG is ended" {
  server
  hold family one --lease 2 redis:a
  cli DEL 'ipcbox:{a}:held' >reply
  ends_with 111 "$one"
  no_family
  [ "$(cat one.err)" = "lockrun: keep redis:a: the server says that it was lost" ]
}

@test "a server that forgets grants nothing until it has run as long as a lease" {
  redis_up
  run lockrun -n redis:a echo no
  [ "$status" -eq 111 ]
  [[ $output == "lockrun: lock redis:a: the server was started less than a lease ago"* ]]
  run lockrun -t 0.5 redis:a echo no
  [ "$status" -eq 124 ]
  [ -z "$(keys)" ]
  run -0 lockrun --lease 1 redis:a sh -c 'redis-cli -s redis.sock INFO server | grep uptime_in_seconds'
  [[ $output != *:[01]? ]] # a lease of 1 s, in whole seconds
}

@test "a server that evicts keys is warned of" {
  server --maxmemory 100mb --maxmemory-policy allkeys-lru
  run --separate-stderr -0 lockrun redis:a echo yes
  [ "$output" = yes ]
  [ "$stderr" = "lockrun: use unix://$redis_path: short of memory, it removes keys, and locks with them: set maxmemory-policy to noeviction" ]
}

# fakes COUNT UNTIL: as many waiters that do not exist, whose places count until then
fakes() {
  local n
  for ((n = 0; n < $1; n++)); do
    echo "ZADD ipcbox:{a}:wait $n fake$n"
    echo "ZADD ipcbox:{a}:seen $2 fake$n"
  done | cli >reply
}

@test "waiters that are dead are skipped" {
  server
  fakes 2500 1000000
  run -0 lockrun -n redis:a echo yes
  [ "$output" = yes ]
  [ -z "$(keys)" ]
}

@test "redis: comes before FILE; ./redis:a is a file" {
  run -0 lockrun ./redis:a true
  [ -e redis:a ]
  REDIS_URL=unix://$PWD/nobody run lockrun -n redis:a true
  [ "$status" -eq 111 ]
  wrong_call lockrun redis: true
  wrong_call lockrun --lease 0.5 redis:a true
  wrong_call lockrun --lease 25h redis:a true
}

# ---- --for and --who ----

# for_process [WORD...]: lockrun --for a process that ends at no TERM, in $one
for_process() {
  [ -p never ] || mkfifo never
  background one bash -c 'trap "echo term >>got" TERM; trap "echo usr1 >>got" USR1; exec 9<>never; echo $$ >running; while :; do read -rt 1 -u 9; done'
  until_true test -s running
  run -0 lockrun --for "$one" "$@" redis:a
  [ -z "$output" ]
  mapfile -t keepers < <(keepers)
  [ "${#keepers[@]}" -eq 2 ]
}

@test "--for PID: the lock is held until that process terminates" {
  server
  for_process
  run lockrun -n redis:a true
  [ "$status" -eq 1 ]
  run -0 lockrun --who redis:a
  [ "$output" = "$one - $(uname -n)" ]
  kill -TERM "${keepers[@]}"
  kill -KILL "$one"
  lockrun -t 60 redis:a true
  gone_all "${keepers[@]}"
  [ ! -s got ]
}

@test "--for PID: when either keeper is killed or the server is gone, PID gets the signal, then KILL" {
  local n
  for n in 0 1 2; do
    rm -f running got
    server
    for_process --lease 3 --lost-signal USR1
    case $n in
    2) redis_stop KILL ;;
    *) kill -KILL "${keepers[n]}" ;;
    esac
    ends_with 137 "$one"
    [ "$(cat got)" = usr1 ]
    gone_all "${keepers[@]}"
    [ "$n" -eq 2 ] || redis_stop
  done
}

@test "--who names who has it, with the host" {
  server
  run lockrun --who redis:a
  [ "$status" -eq 1 ]
  [ -z "$output" ]
  hold alone one -s redis:a
  run -0 lockrun --who redis:a
  [ "$output" = "$one sh $(uname -n)" ]
  finish "$one"
  run lockrun --who redis:a
  [ "$status" -eq 1 ]
  redis_stop
  run lockrun --who redis:a
  [ "$status" -eq 124 ]
}

@test "options that do not fit are usage errors" {
  wrong_call lockrun --fcntl redis:a true
  wrong_call lockrun --lease 5 ./file true
  wrong_call lockrun --redis redis://h ./file true
  wrong_call lockrun --redis-auth f ./file true
  wrong_call lockrun --lost-signal HUP --for 1 ./file
  wrong_call lockrun --lost-signal HUP redis:a true
  wrong_call lockrun -s --slots 2 redis:a true
}
