# semtake redis:NAME: a mutex, or N slots, on a server: all options, and what is a usage error.

load helper/lease

holder=semtake

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

# reason STATUS TEXT WORD...: the command's status and stderr, or its first line.
reason() {
  run --separate-stderr "${@:3}"
  [ "$status" -eq "$1" ] && [ "${stderr_lines[0]}" = "$2" ] || {
    echo "status $status: $stderr" >&2
    return 1
  }
}

@test "without -c: a mutex, which need not be created; PROG's status is ours" {
  server
  run -0 semtake redis:a sh -c 'echo $IPCBOX_FENCE ${IPCBOX_SLOT-none}; redis-cli -s redis.sock ZCARD "ipcbox:{a}:held"'
  [[ ${lines[0]} =~ ^[0-9]{16}" none"$ ]]
  [ "${lines[1]}" = 1 ]
  local first=${lines[0]% *} status_of expected
  [ -z "$(keys)" ]
  IPCBOX_FENCE=x IPCBOX_SLOT=y run -0 semtake --create redis:a sh -c 'echo $IPCBOX_FENCE ${IPCBOX_SLOT-none}'
  [ "${output% *}" -gt "$first" ]
  [ "${output#* }" = none ]
  for status_of in 'exit 3' 'kill -TERM $$' 'kill -KILL $$'; do
    run sh -c "$status_of"
    expected=$status
    run semtake --create=0 redis:a sh -c "$status_of"
    [ "$status" -eq "$expected" ]
  done
  run -127 semtake redis:a ./nosuch
  [ -z "$(keys)" ]
}

@test "it is taken: --try and -t 0 are 1, -E, -t is 124, else it is waited for" {
  server
  hold alone one redis:a
  reason 1 "semtake: take redis:a: it is taken" semtake --try redis:a echo no
  reason 1 "semtake: take redis:a: it is taken" semtake -t 0 redis:a echo no
  reason 7 "semtake: take redis:a: it is taken" semtake --try -E 7 redis:a echo no
  reason 124 "semtake: take redis:a: the deadline passed" semtake -t 0.2 redis:a echo no
  run -1 semtake -q --try redis:a echo no
  [ -z "$output" ]
  waits 0
  background two semtake redis:a echo yes
  until_true waits 1
  finish "$one"
  [ "$status" -eq 143 ]
  ends_with 0 "$two"
  [ "$(cat two.out)" = yes ]
  [ -z "$(keys)" ]
}

@test "semtake without -c and lockrun exclude each other" {
  server
  hold alone one redis:a
  run -1 lockrun -n redis:a true
  finish "$one"
  run -0 lockrun redis:a semtake --try -E 9 redis:b true
  run -9 lockrun redis:a semtake --try -E 9 redis:a true
}

@test "-c --create=N: as many at a time, each with its slot and its fence" {
  server
  hold alone one -c --create=2 redis:a
  run -0 semtake -c redis:a sh -c 'echo $IPCBOX_SLOT $IPCBOX_FENCE; semtake -c --try redis:a true || echo $?'
  [[ ${lines[0]} =~ ^"1 "[0-9]{16}$ ]]
  [ "${lines[1]}" = "semtake: take redis:a: it is taken" ]
  [ "${lines[2]}" = 1 ]
  [ "$(cli HLEN 'ipcbox:{a}:fence')" = 2 ]
  finish "$one"
  run -0 semtake -c redis:a sh -c 'echo $IPCBOX_SLOT'
  [ "$output" = 0 ]
}

@test "the server has the number of slots: the first to create it decides, whoever says another" {
  server
  reason 111 "semtake: take redis:a: no such semaphore; 'semset create' or 'semtake --create' creates one" semtake -c redis:a true
  hold alone one -c --create=2 redis:a
  reason 5 "semtake: take redis:a: it is taken" semtake -c --create=9 redis:a semtake -E 5 -c --create=9 --try redis:a true
  run --separate-stderr -0 semtake -v -c --create=9 redis:a true
  [ "${stderr_lines[0]}" = "semtake: slots of redis:a: 2, not 9" ]
  # neither more nor fewer
  run -0 semtake -c --create redis:a true
  reason 111 "semtake: take redis:a: it has 2 slots: use --count" semtake redis:a true
  [ "$(cli ZCARD 'ipcbox:{a}:wait') $(cli ZCARD 'ipcbox:{a}:held')" = "0 1" ]
  # a mutex is a semaphore of one
  run -0 semtake redis:b true
  run --separate-stderr -0 semtake -v -c --create=3 redis:b true
  [ "${stderr_lines[0]}" = "semtake: slots of redis:b: 1, not 3" ]
}

@test "10 takers of 3 slots: never more than 3, each in a slot of its own, whose fence grows" {
  server
  local n takers=()
  script job 'mkdir "slot.$IPCBOX_SLOT" || echo "$IPCBOX_SLOT" >>overlaps
    echo "$IPCBOX_FENCE" >>"fences.$IPCBOX_SLOT"
    set -- slot.*
    echo "$#" >>count
    read -rt 0.02 <> <(:)
    rmdir "slot.$IPCBOX_SLOT"'
  script taker 'for n in 1 2 3 4 5 6; do semtake -c --create=3 redis:a ./job || echo "$?" >>failed; done'
  for ((n = 0; n < 10; n++)); do
    background taker ./taker
    takers+=("$taker")
  done
  for n in "${takers[@]}"; do ends_with 0 "$n"; done
  [ ! -e overlaps ]
  [ ! -e failed ]
  [ "$(wc -l <count)" = 60 ]
  [ "$(sort -n count | tail -n 1)" -le 3 ]
  [ "$(echo fences.*)" = "fences.0 fences.1 fences.2" ]
  for n in 0 1 2; do sort -n -c -u "fences.$n"; done
  [ -z "$(keys)" ]
}

# ---- without PROG ----

@test "without PROG: TOKEN and fence on stdout, for the time of --lease; semgive --token gives it back" {
  server
  run --separate-stderr -0 semtake --lease 100 redis:a
  [[ $output =~ ^[0-9a-f]{32}" "[0-9]{16}$ ]]
  [ -z "$stderr" ]
  local token=${output% *} fence=${output#* }
  run -1 semtake --try redis:a true
  run -0 semgive --token "$token" redis:a
  [ -z "$output" ]
  run -0 semtake --try redis:a sh -c 'echo $IPCBOX_FENCE'
  [ "$output" -gt "$fence" ]
  run -0 semtake -c --create=2 --lease 1d redis:b
  [ "${output% *}" != "$token" ]
  # it is renewed by nobody
  semtake --lease 1 redis:a >token
  run -0 semtake -t 60 redis:a echo yes
  [ "$output" = yes ]
}

@test "a token that cannot be written is given back; TERM meanwhile, too" {
  server
  reason 111 "semtake: write stdout: No space left on device" sh -c 'semtake --lease 100 redis:a >/dev/full'
  [ -z "$(keys)" ]
  mkfifo pipe
  exec 7<>pipe
  dd if=/dev/zero of=pipe bs=4096 oflag=nonblock 2>/dev/null || : # until it is full
  background one sh -c 'exec semtake --lease 100 redis:a >&7'
  exec 7<&- 8<pipe
  until_true eval '[ "$(cli ZCARD "ipcbox:{a}:held")" = 1 ]'
  finish "$one"
  [ "$status" -eq 143 ]
  [ -z "$(keys)" ]
}

# ---- what is refused ----

@test "redis: comes before all other forms; ./redis:a is a path" {
  : >redis:a
  REDIS_URL=unix://$PWD/nobody run semtake --try redis:a true
  [ "$status" -eq 111 ]
  run semtake --try ./redis:a:1 true
  [ "$status" -eq 111 ]
  [[ $output == "semtake: find ./redis:a:1: no such set"* ]]
  wrong_call semtake redis: true
  wrong_call semtake redis:"$(printf 'x%.0s' {1..256})" true
}

@test "options that make no sense there are usage errors, which say why" {
  reason 100 "semtake: --num: redis:NAME is one semaphore, not a set; use several NAMEs" semtake -n 0,1 redis:a true
  reason 100 "semtake: --num: redis:NAME is one semaphore, not a set; use several NAMEs" semtake -n 1 redis:a true
  reason 100 "semtake: --amount: redis:NAME gives one slot at a time, as each has a fence of its own" semtake -c -N 2 redis:a true
  reason 100 "semtake: --zero: nothing is taken of redis:NAME, so nothing would keep it free" semtake --zero redis:a true
  reason 100 "semtake: --create=1 requires --count: at first, nobody holds redis:NAME" semtake --create=1 redis:a true
  reason 100 "semtake: --create=7 requires --count: at first, nobody holds redis:NAME" semtake --create=7 redis:a true
  reason 100 "semtake: --create=0 leaves no slot of redis:NAME to take" semtake -c --create=0 redis:a true
  reason 100 "semtake: --mode: who may use redis:NAME is in the server's access list" semtake --create -m 600 redis:a true
  reason 100 "semtake: --lease is required without PROG or --for: then nobody renews it" semtake redis:a
  reason 100 "semtake: --lost-signal requires --for" semtake --lost-signal HUP redis:a true
  wrong_call semtake --lost-signal nosuch --for $$ redis:a
  wrong_call semtake --for $$ redis:a true
  wrong_call semtake --lease 0.5 redis:a true
  wrong_call semtake --lease 25h redis:a true
  wrong_call semtake -c --create=32768 redis:a true
  local option
  for option in "--lease 5" "--redis redis://h" "--redis-auth f" "--lost-signal HUP"; do
    # shellcheck disable=SC2086 # two words
    reason 100 "semtake: ${option% *} requires redis:NAME" semtake $option 1234 true
  done
}

@test "--redis and --redis-auth; a password in arguments is a usage error" {
  server --requirepass secret
  local url=unix://$redis_path
  unset REDIS_URL
  reason 100 "semtake: --redis: every user can read a password in arguments: put the URL into \$REDIS_URL, or the password into a file for --redis-auth" \
    semtake --redis redis://:secret@127.0.0.1 redis:a true
  echo secret >auth
  chmod 600 auth
  run -0 semtake --redis "$url" --redis-auth auth redis:a echo yes
  [ "$output" = yes ]
  run -0 semset create --redis "$url" --redis-auth auth --value 3 redis:b
  run -0 semset stat --redis "$url" --redis-auth auth redis:b
  [ "${lines[0]}" = "slots 3" ]
  run -0 semtake -c --lease 9 --redis "$url" --redis-auth auth redis:b
  run -0 semgive --token "${output% *}" --redis "$url" --redis-auth auth redis:b
  run -0 env REDIS_URL="unix://:secret@$redis_path" semtake redis:a echo yes
  run -111 semtake --try --redis "$url" redis:a true
  [[ $output == *NOAUTH*"--redis-auth FILE"* ]]
  chmod 644 auth
  run -100 semtake --redis "$url" --redis-auth auth redis:a true
}

@test "a server that forgets grants nothing until it has run as long as a lease" {
  redis_up
  reason 111 "semtake: take redis:a: the server was started less than a lease ago, and may have forgotten who has it" \
    semtake --try redis:a true
  run -124 semtake -c --create=2 -t 0.5 redis:b true
  [ -z "$(keys)" ]
}

@test "the answer to the taking is lost: it is taken once" {
  server
  drops EVAL 1
  run --separate-stderr -0 semtake -t 60 -c --create=1 redis:a sh -c 'redis-cli -s redis.sock ZCARD "ipcbox:{a}:held"'
  dropped 1
  [ "$output" = 1 ]
  [ -z "$(keys)" ]
}
