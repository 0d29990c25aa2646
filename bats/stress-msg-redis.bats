# msgrecv redis:NAME: 64 workers on eight hosts, while they are killed and stopped, cables are cut, and the server restarts: no job
# is lost, and one runs twice only where its worker was killed, stopped or cut off. With IPCBOX_LONG=1: 20,000 jobs.

load helper/msg-redis
load helper/hosts

lease=6
hosts=8
workers=64

setup() {
  msg_redis_setup
  need flock util-linux
  need_hosts
  # A job: a shell with children, of which one is in a session of its own. Whoever lives of it has a flock(2) lock on the job.
  script prog 'read job || :
exec 7>>lock.$job
flock -n 7 || echo "$job $WORKER" >>together
read -r _ _ _ parent _ <"/proc/$PPID/stat"
echo "$EPOCHREALTIME start $job $WORKER ${HOSTNAME#host} $parent $PPID $$" >>ran
sleep 0.$((RANDOM % 6)) & setsid sleep 0.$((RANDOM % 6)) & wait
echo "$EPOCHREALTIME end $job $WORKER" >>ran'
  script worker 'n=0
until [ -e stop ]; do
  WORKER=$1.$((++n)) msgrecv -f -t 2 --lease '$lease' --keep-going redis:a ./prog 2>"err.$1.$n"
done'
  mkfifo nothing
  exec 9<>nothing
  : >ran
}

teardown() {
  exec 9>&-
  launch_teardown
}

# pause SECONDS, without a process
pause() {
  read -rt "$1" -u 9 || :
}

now() {
  echo "${EPOCHREALTIME/./}"
}

# victim: one of those that run, in $worker $host $parent $keeper $prog
victim() {
  local comm
  while [ "$(jobs_done)" -lt "$count" ]; do
    while read -r worker host parent keeper prog; do
      if read -r comm 2>/dev/null <"/proc/$keeper/comm" && [ "$comm" = msgrecv ]; then return 0; fi
    done < <(tail -n 200 ran | awk '$2 == "start" { run[$4] = $4 " " $5 " " $6 " " $7 " " $8 } $2 == "end" { delete run[$4] }
      END { for (r in run) print run[r] }' | shuf)
    pause 0.05
  done
  return 1
}

jobs_done() {
  awk '$2 == "end" && !($3 in seen) { seen[$3]; n++ } END { print n + 0 }' ran
}

# later COMMAND...: once more than the lease has passed
later() {
  due+=("$(($(now) + (lease + 2) * 1000000)) $*")
}

# do_due [all]
do_due() {
  local left=() at command line
  for line in "${due[@]}"; do
    read -r at command <<<"$line"
    if [ "${1:-}" = all ] || [ "$at" -le "$(now)" ]; then
      $command 2>/dev/null || :
    else
      left+=("$line")
    fi
  done
  due=("${left[@]}")
}

# fault KIND: its line in `faults` says when, and whom it may make run a job twice
fault() {
  local from
  victim || return 0
  from=$(now)
  case $1 in
  keeper) kill -KILL "$keeper" ;;
  parent) kill -KILL "$parent" ;;
  prog) kill -KILL "$prog" ;;
  both) kill -KILL "$parent" "$keeper" ;;
  stop)
    kill -STOP "$parent" "$keeper" "$prog"
    later kill -CONT "$parent" "$keeper" "$prog"
    ;;
  stop-keepers) # the program goes on, and nobody ends it
    kill -STOP "$parent" "$keeper"
    later kill -CONT "$parent" "$keeper"
    ;;
  cut)
    cut_off "$host"
    echo "$from host $host" >>faults
    later mend_and_note "$host"
    return
    ;;
  restart)
    redis_stop KILL
    hub_redis_up --appendonly yes --appendfsync always
    echo "$from restarted server $(now)" >>faults
    return
    ;;
  esac 2>/dev/null || :
  echo "$from $1 $worker $(now)" >>faults
}

mend_and_note() {
  mend "$1"
  echo "$(now) mended $1" >>faults
}

# Faults, until all jobs are done.
drive() {
  local n=0 -
  set +T # bats' trap for each command takes too long
  while [ "$(jobs_done)" -lt "$count" ]; do
    do_due
    fault "${kinds[n++ % ${#kinds[@]}]}"
    pause "0.$((RANDOM % 4 + 1))"
  done
  do_due all
}

# Each run of a job but its last has a fault, before the next one began: of its worker, or of its host; or its worker
# has said that the server was not there for so long that the claim could not be kept, or the job not be finished.
judge_doubles() {
  grep -cE ' (keep|ask) redis' err.* 2>/dev/null | sed 's/^err[.]\(.*\):/0 said \1 /' >said || :
  cat faults said ran | awk -v lease="$lease" '
    $2 == "host" { host[$3] = host[$3] " " $1 "-"; next }
    $2 == "mended" { host[$3] = host[$3] $1; next }
    $2 == "restarted" { began_restart[++restarts] = $1; restarted[restarts] = $4; next }
    $2 == "said" { said[$3] = often[$3] = $4; next }
    $2 == "start" { at = $1; sub(/[.]/, "", at); n = ++runs[$3]; worker[$3, n] = $4; on[$3, n] = $5; began[$3, n] = at; next }
    $2 == "end" { next }
    { faults[$3] = faults[$3] " " $1 "-" $4 "-" $2 }
    function fault(w, from, to, k, i, part, span) {
      k = split(faults[w], part, " ")
      for (i = 1; i <= k; i++) {
        split(part[i], span, "-")
        if (span[1] + 0 <= to + 0 && span[2] + 0 >= from + 0) return substr(part[i], length(span[1] span[2]) + 3)
      }
      return ""
    }
    function was_cut(h, from, to, k, i, part, span) {
      k = split(host[h], part, " ")
      for (i = 1; i <= k; i++) {
        split(part[i], span, "-")
        if (span[1] + 0 <= to + 0 && (span[2] == "" || span[2] + lease * 1e6 >= from + 0)) return 1
      }
      return 0
    }
    # a restart on a machine with much to do takes as long as a part of the lease; where there was none, and the machine had
    # too much to do for an answer in time, the worker has said so for each job
    function was_late(w, from, to, i) {
      if (!said[w]) return 0
      for (i = 1; i <= restarts; i++) if (began_restart[i] + 0 <= to + 0 && restarted[i] + 0 >= from + 0) return 1
      return often[w]-- > 0
    }
    END {
      for (job in runs) for (n = 1; n < runs[job]; n++) {
        why = fault(worker[job, n], began[job, n], began[job, n + 1])
        if (why == "" && was_cut(on[job, n], began[job, n], began[job, n + 1])) why = "cut"
        if (why == "" && was_late(worker[job, n], began[job, n], began[job, n + 1])) why = "late"
        print (why == "" ? "UNEXPLAINED" : "twice"), job, worker[job, n], why
      }
    }'
}

# story JOB WORKER: what is known of them
story() {
  grep -H '' "err.$2" || :
  grep -E " (start|end) $1 |[.]* $2( |\$)" ran faults together
}

# bats test_tags=long
@test "64 workers on 8 hosts; kills, stops, cuts and restarts: no job is lost, and none runs twice without a reason" {
  local n=0 count=800 kinds=(keeper restart both stop cut parent prog stop-keepers keeper parent both restart) due=() line
  [ "${IPCBOX_LONG:-}" != 1 ] || count=20000
  hosts_up "$hosts"
  hub_redis_up --appendonly yes --appendfsync always
  : >faults
  for ((n = 0; n < workers; n++)); do
    background_on "$((n % hosts + 1))" "worker$n" ./worker "$n"
  done
  # shellcheck disable=SC2016 # for that shell
  background_on 1 send bash -c 'for ((n = 0; n < $0; n += 100)); do seq $((n + 1)) $((n + 100)) | msgsend -q redis:a || exit; done; touch sent' "$count"
  drive
  until_true test -e sent # (bash may have forgotten the status of a child that long ended)
  until_true eval '[ "$(state a)" = "0 0" ]'
  touch stop
  for ((n = 0; n < workers; n++)); do
    line=worker$n
    wait "${!line}" || :
  done
  [ "$(cli EXISTS a:dead)" = 0 ]
  judge_doubles | sort >doubles
  {
    echo "$(awk '$2 == "start"' ran | wc -l) runs of $count jobs, $(wc -l <doubles) of them again:" \
      "$(awk '{ print $4 }' doubles | sort | uniq -c | paste -sd ' ' | tr -s ' ')"
    awk '{ print $2 }' faults | sort | uniq -c | paste -sd ' ' | tr -s ' '
    echo "at the same time: $(cat together 2>/dev/null | wc -l)"
  } | tee summary
  if grep UNEXPLAINED doubles; then
    grep UNEXPLAINED doubles | while read -r _ line worker _; do
      story "$line" "$worker"
    done
    return 1
  fi
  # at the same time only where the processes around a program were stopped, or the program itself was killed, whose children
  # go on, as those of a program that ends by itself do
  [ ! -e together ] || while read -r n _; do
    grep -qE "^twice $n [^ ]* (stop|prog)" doubles || {
      echo "job $n ran twice at the same time:"
      grep "^twice $n " doubles | while read -r _ line worker _; do
        story "$line" "$worker"
      done
      return 1
    }
  done <together
  cat summary >"${IPCBOX_REPORT:-/dev/null}"
}
