# semtake redis:NAME when things break: the two processes around PROG, those behind --for, the server.

load helper/lease

holder=semtake

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

@test "a process around PROG is killed: PROG and its descendants are, too, and the slot is free" {
  server
  hold family one -c --create=1 redis:a
  kill -KILL "$keeper"
  ends_with 111 "$one"
  [ "$(cat one.err)" = "semtake: keep redis:a: the process that renewed it was killed; the program was, too" ]
  no_family
  run -0 semtake -c --try redis:a true
  hold family one -c redis:a
  kill -KILL "$one"
  semtake -c -t 60 redis:a true
  no_family
  [ "$(cat one.err)" = "semtake: keep redis:a: the process that watched it was killed" ]
}

@test "PROG is killed: its status is ours, and the slot is free; children that it leaves keep nothing" {
  server
  hold family one -c --create=1 redis:a
  kill -KILL "$(cat running)"
  ends_with 137 "$one"
  run -0 semtake -c --try redis:a true
  end_family
}

# end_family: ends what a test's family has left, which is nobody's any more
end_family() {
  local pid
  for pid in $(find /proc -maxdepth 2 -name cwd -lname "$BATS_TEST_TMPDIR/family" 2>/dev/null | cut -d/ -f3); do
    kill -KILL "$pid"
  done
  until_true no_family
}

@test "the keeper is stopped: all is ended before the lease runs out; its parent is stopped: all goes on" {
  server
  hold family one --lease 2 redis:a
  kill -STOP "$keeper"
  ends_with 111 "$one"
  no_family
  hold alone one --lease 2 redis:a
  kill -STOP "$one"
  run -124 semtake -t 3 redis:a true
  kill -0 "$(cat running)"
  kill -CONT "$one"
  finish "$one"
  [ "$status" -eq 143 ]
}

@test "both are stopped past the lease: another takes the slot, with a higher fence; PROG is ended when they go on" {
  server
  background one semtake --lease 2 redis:a sh -c 'mkdir -p family; cd family; echo $IPCBOX_FENCE >../fence; sleep 1000 & echo $$ >../running; wait'
  until_true test -s running
  keeper=$(cat /proc/"$one"/task/"$one"/children)
  kill -STOP "$one" "$keeper"
  run -0 semtake -t 60 redis:a sh -c 'echo $IPCBOX_FENCE'
  [ "$output" -gt "$(cat fence)" ]
  kill -0 "$(cat running)"
  kill -CONT "$one" "$keeper"
  ends_with 111 "$one"
  no_family
}

@test "the server dies, or the lease is gone: PROG and its descendants are ended" {
  server
  hold family one --lease 2 redis:a
  cli DEL 'ipcbox:{a}:held' >reply
  ends_with 111 "$one"
  no_family
  [ "$(cat one.err)" = "semtake: keep redis:a: the server says that it was lost" ]
  hold family one --lease 2 -c --create=2 redis:b
  local began=$EPOCHREALTIME
  redis_stop KILL
  ends_with 111 "$one"
  [ "$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))" -lt 2000 ] # from the last renewal, at most
  no_family
}

@test "the server restarts: PROG goes on, a waiter waits on, and the number of slots is kept" {
  server --appendfsync always
  hold alone one -c --create=1 --lease 6 redis:a
  background two semtake -c --lease 6 redis:a echo yes
  until_true waits 1
  redis_stop KILL
  server --appendfsync always
  local score
  score=$(cli ZRANGE 'ipcbox:{a}:held' 0 0 WITHSCORES | tail -n 1)
  until_true eval '[ "$(cli ZRANGE "ipcbox:{a}:held" 0 0 WITHSCORES | tail -n 1)" != "$score" ]'
  kill -0 "$(cat running)"
  run -1 semtake -c --try redis:a true
  finish "$one"
  ends_with 0 "$two"
  [ "$(cat two.out)" = yes ]
}

@test "TERM at a waiter: no place is left; a waiter that is killed is skipped" {
  server
  hold alone one -c --create=1 redis:a
  background two semtake -c redis:a echo yes
  until_true waits 1
  finish "$two"
  [ "$status" -eq 143 ]
  waits 0
  background two semtake -c --lease 2 redis:a echo no
  until_true waits 1
  background three semtake -c --lease 2 redis:a echo yes
  until_true waits 2
  kill -KILL "$two"
  finish "$one"
  ends_with 0 "$three"
  [ "$(cat three.out)" = yes ]
  [ ! -s two.out ]
}

# ---- --for ----

# for_process [WORD...]: semtake --for a process that ends at no TERM, in $one
for_process() {
  rm -f running got
  [ -p never ] || mkfifo never
  background one bash -c 'trap "echo term >>got" TERM; trap "echo usr1 >>got" USR1; exec 9<>never; echo $$ >running; while :; do read -rt 1 -u 9; done'
  until_true test -s running
  run -0 semtake --for "$one" "$@"
  [ -z "$output" ]
  mapfile -t keepers < <(keepers)
  [ "${#keepers[@]}" -eq 2 ]
}

@test "--for PID: the slot is held until that process terminates" {
  server
  for_process -c --create=1 redis:a
  run -1 semtake -c --try redis:a true
  run -0 semset stat redis:a
  [[ ${lines[3]} == "slot 0 fence "*" pid $one name - host $(uname -n) token "* ]]
  kill -TERM "${keepers[@]}"
  kill -KILL "$one"
  run -0 semtake -c -t 60 redis:a echo yes
  [ "$output" = yes ]
  gone_all "${keepers[@]}"
  [ ! -s got ]
  run -111 semtake --for "$one" redis:a
}

# told SIGNAL: the process has got it, then SIGKILL, and nobody is left
told() {
  ends_with 137 "$one"
  [ "$(cat got)" = "$1" ]
  gone_all "${keepers[@]}"
}

@test "--for PID: either keeper is killed: PID gets the signal, then KILL" {
  local n
  server
  for n in 0 1; do
    for_process --lease 3 --lost-signal USR1 redis:"$n"
    kill -KILL "${keepers[n]}"
    told usr1
  done
}

@test "--for PID: the lease is lost, or the server: PID gets the signal, then KILL" {
  server
  for_process --lease 3 redis:a
  cli DEL 'ipcbox:{a}:held' >reply
  told term
  for_process --lease 3 --lost-signal USR1 redis:a
  redis_stop KILL
  told usr1
}

# Whoever lives of a program, children included, has a flock(2) lock for its slot; the next one says if it is not free.
guarded='exec 9>>"probe.$IPCBOX_SLOT"; flock -n 9 || echo "$$" >>overlaps; echo "$IPCBOX_FENCE" >>"fences.$IPCBOX_SLOT"
  echo "$PPID" >>ran; '$prey' sleep 0.05 & setsid sleep 0.05 & wait'

# bats test_tags=long
@test "10 takers of 3 slots, 20 kills of either process around a program: no overlap in a slot, and fences that grow" {
  need flock util-linux
  server
  local n worker workers=()
  : >ran
  script taker 'until [ -e stop ]; do semtake -c --create=3 --lease 3 redis:a sh -c "$guarded" 2>>taker.err || :; done'
  export guarded
  for ((n = 0; n < 10; n++)); do
    background worker ./taker
    workers+=("$worker")
  done
  for ((n = 0; n < 10; n++)); do
    kill_any "$n" "$(wc -l <ran)"
    kill_around "$n"
  done
  touch stop
  for n in "${workers[@]}"; do ends_with 0 "$n"; done
  [ ! -e overlaps ]
  for n in fences.*; do sort -n -c -u "$n"; done
  [ "$(echo fences.*)" = "fences.0 fences.1 fences.2" ]
  says taker.err 5 'the process that renewed it was killed'
  until_true says taker.err 5 'the process that watched it was killed'
}
