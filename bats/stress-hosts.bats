# lockrun redis:NAME on eight hosts while their cables are cut and its processes are killed: two programs never run at the same
# time, and the next one starts when the lease has run out, at the latest. With IPCBOX_LONG=1, 200 of each.

load helper/launch
load helper/redis
load helper/hosts

lease=3
start_ms=$(((lease + 1) * 1000)) # in which the next one must have started

setup() {
  redis_setup
  need_redis
  need flock util-linux
  need_hosts
  # A program with children: one in a session of its own, one that ignores TERM. Whoever lives of them has a flock(2) lock; the
  # next program says if it is not free. They end when end.FENCE is there.
  script prog 'exec 7>>probe
flock -n 7 || echo "$IPCBOX_FENCE on $HOSTNAME" >>overlaps
end=(waitfor -q file "end.$IPCBOX_FENCE")
"${end[@]}" & setsid "${end[@]}" & (trap "" TERM; exec "${end[@]}") &
echo "$EPOCHREALTIME $PPID $IPCBOX_FENCE ${HOSTNAME#host} $$" | tee -a ran >events
wait'
}

teardown() {
  launch_teardown
}

# workers COUNT: as many on each of the 8 hosts, each for ever
workers() {
  local n host
  hosts_up 8
  hub_redis_up --appendonly yes
  mkfifo events nothing
  exec 8<>events 9<>nothing
  script worker 'until [ -e stop ]; do lockrun --lease '$lease' redis:a ./prog; done 2>>"worker.$1" 8>&- 9>&-'
  for ((n = 0; n < $1 * 8; n++)); do
    host=$((n % 8 + 1))
    background_on "$host" "worker$n" ./worker "$n"
    workers+=("$!")
  done
}

# pause SECONDS, without a process (this shell starts none while it goes on: thousands of them take long)
pause() {
  read -rt "$1" -u 9 || :
}

a_while() {
  pause "0.$((RANDOM % 900 + 100))"
}

# next: waits until another program has been started; what it has written is $began... (us)
next() {
  read -r began keeper fence host prog <&8
  began=${began/./}
}

# parent_of PID
parent_of() {
  local stat
  read -r stat <"/proc/$1/stat"
  read -r _ parent _ <<<"${stat##*) }"
}

# fault KIND: what happens to the one that runs; how long until the next one is in $took (ms)
fault() {
  local at=${EPOCHREALTIME/./} cut=$host
  case $1 in
  keeper) kill -KILL "$keeper" ;;
  parent) kill -KILL "$parent" ;;
  cut) cut_off "$cut" ;;
  cut-keeper | cut-parent)
    cut_off "$cut"
    a_while
    at=${EPOCHREALTIME/./}
    if [ "$1" = cut-keeper ]; then kill -KILL "$keeper"; else kill -KILL "$parent"; fi
    ;;
  blink) # a renewal, or two, come late: it goes on
    cut_off "$cut"
    pause 0.7
    mend "$cut"
    run ! read -rt "$lease" <&8
    kill -0 "$prog"
    at=${EPOCHREALTIME/./}
    : >"end.$fence"
    ;;
  esac
  next
  took=$(((began - at) / 1000))
  [[ $1 != *cut* ]] || mend "$cut"
  echo "$1: $took ms" >>faults
  [ "$took" -le "$start_ms" ] || echo "$1: the next one came after $took ms" >>late
}

# bats test_tags=long
@test "16 workers on 8 hosts; partitions and kills: no overlap, the next starts within the lease and 1 s, fences grow" {
  local n kind times=2 workers=() kinds=(cut keeper cut parent cut-keeper cut keeper blink cut-parent parent)
  local began keeper parent fence host prog took last
  [ "${IPCBOX_LONG:-}" != 1 ] || times=34 # 10 faults, of which 6 are partitions and 6 kills
  workers 2
  next
  for ((n = 0; n < times; n++)); do
    for kind in "${kinds[@]}"; do
      parent_of "$keeper"
      a_while
      fault "$kind"
    done
  done
  touch stop
  until ! kill -0 "${workers[@]}" 2>/dev/null; do
    : >"end.$fence"
    if read -rt 0.1 began keeper last host prog <&8; then fence=$last; fi
  done
  sort -t : -k 1,1 -k 2,2n faults | awk -F '[: ]+' '{ if ($1 != kind) { if (kind) print line; kind = $1; n = 0; min = $2 }
    n++; line = kind ": " n " times, the next after " min " to " $2 " ms" } END { print line }' | tee summary
  [ ! -e overlaps ] || { cat overlaps; false; }
  [ ! -e late ] || { cat late; false; }
  cut -d ' ' -f 3 ran | sort -n -c -u
  echo "$(cat summary)" >"${IPCBOX_REPORT:-/dev/null}"
}
