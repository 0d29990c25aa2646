# lockrun redis:NAME while its processes are killed at random: two programs never run at the same time; and with 1,000 waiters.

load helper/lease

setup() {
  lease_setup
  need flock util-linux
}

teardown() {
  launch_teardown
}

# Whoever lives of a program, children included, has a flock(2) lock; the next one says if it is not free.
program='exec 9>>probe; flock -n 9 || echo "$$" >>overlaps; echo "$PPID $IPCBOX_FENCE" >>ran; '$prey' sleep 0.05 & setsid sleep 0.05 & wait'

worker() {
  until [ -e stop ]; do
    lockrun --lease 3 redis:a sh -c "$program" 2>>worker.err || :
  done
}

# bats test_tags=long
@test "8 workers, 30 kills of either process around a program: no overlap, and fences that grow" {
  redis_up --appendonly yes
  local n workers=()
  : >ran
  for ((n = 0; n < 8; n++)); do
    worker 3>&- &
    workers+=("$!")
    started+=("$!")
  done
  for ((n = 0; n < 15; n++)); do
    kill_any "$n" "$(wc -l <ran)"
    kill_around "$n"
  done
  touch stop
  wait "${workers[@]}"
  [ ! -e overlaps ]
  cut -d ' ' -f 2 ran | sort -n -c -u
  says worker.err 8 'the process that renewed it was killed'
  until_true says worker.err 7 'the process that watched it was killed'
}

# crowd COUNT LEASE: as many more who wait for NAME a, their pids in waiters; PROG says so in got, and stays
crowd() {
  # by a shell of its own: this one shall not have so many children
  script member 'echo "$EPOCHREALTIME" >>got; exec sleep 1000'
  script crowd 'for ((n = 0; n < $1; n++)); do
  lockrun --lease "$2" redis:a ./member >/dev/null 2>&1 &
  echo $!
done >>waiters
exec waitfor -q file never'
  background "crowd$1" ./crowd "$1" "$2"
}

# end_crowd: all of it, the program that runs included
end_crowd() {
  xargs -n 500 sh -c 'kill -KILL "$@" 2>/dev/null' kill <waiters || :
}

# calls: how many commands the server has done
calls() {
  cli INFO commandstats | awk -F '[=,]' '/^cmdstat/ { n += $2 } END { print n }'
}

# bats test_tags=long
@test "a release costs as many commands with 1,000 waiters as with 10" {
  local before one total costs=()
  server
  hold alone one --lease 1000 redis:a
  for total in 10 1000; do
    crowd $((total - $(cli ZCARD 'ipcbox:{a}:wait'))) 1000
    until_true waits "$total"
    before=$(calls)
    kill -TERM "$one"
    until_true test -s got
    costs+=("$(($(calls) - before))")
    rm got
    until_true waits $((total - 1))
    one=$(cli --raw HGET 'ipcbox:{a}:who' "$(cli --raw ZRANGE 'ipcbox:{a}:held' 0 0)" | cut -d ' ' -f 1)
  done
  end_crowd
  echo "commands: ${costs[*]}"
  [ "${costs[0]}" -eq "${costs[1]}" ]
}

# bats test_tags=long
@test "1,000 waiters, of whom 999 are killed, and then the holder: the last one has it within the lease and 1 s" {
  local last at got
  server
  hold alone one --lease 10 redis:a
  crowd 1000 10
  until_true waits 1000
  last=$(shuf -n 1 waiters)
  sed -i "/^$last\$/d" waiters
  end_crowd
  at=${EPOCHREALTIME/./}
  kill -KILL "$one" "$keeper"
  until_true test -s got
  got=$(cat got)
  echo "after $(((${got/./} - at) / 1000)) ms"
  [ "$(((${got/./} - at) / 1000))" -le 11000 ]
  kill -TERM "$last"
}
