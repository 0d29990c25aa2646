# docs/cookbook.md: it shows the files of examples/ as they are; its commands to try them print what it says; and each recipe does
# on a bad day what it claims: a process is killed, two start at once, a client stalls.

load helper/lease
load helper/docs
load helper/daemon
load helper/systemd

setup() {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "is a matter of the recipes: the same for every build"
  launch_setup
  unset REDIS_URL
  redis_in=() groups=()
  top=$BATS_TEST_DIRNAME/..
  # a copy, for what recipes write beside themselves; its paths are those of the text
  cp -R "$top/examples" .
}

teardown() {
  manager_down
  launch_teardown
}

# shown FILE: takes what the page shows out of it, into the directory shown
shown() {
  mkdir -p shown
  (cd "$top" && awk -v out="$BATS_TEST_TMPDIR/shown" -f bats/helper/examples.awk "$1")
}

# web_get PORT PATH [OPTION]...
web_get() {
  webget -f -b --idle 60 "${@:3}" "http://127.0.0.1:$1$2"
}

# ---- the pages and the files ----

@test "the cookbook shows every file of the examples as it is" {
  local path file
  shown docs/cookbook.md
  for path in shown/*.path; do
    file=$(<"$path")
    diff -u "$top/$file" "${path%.path}.file"
  done
  diff <(cd "$top" && find examples -type f | LC_ALL=C sort) <(cat shown/*.path | LC_ALL=C sort)
}

@test "what is executed is executable, and named in the text; the list at the top names every recipe" {
  local file
  for file in examples/*/*; do
    case $(head -n 1 "$file") in
    '#!/bin/sh') [ -x "$file" ] ;;
    *) [ ! -x "$file" ] ;;
    esac
  done
  diff <(sed -n 's/^- \[\(.*\)\](#.*/\1/p' "$top/docs/cookbook.md") <(sed -n 's/^## //p' "$top/docs/cookbook.md")
  diff <(sed -n 's/^- \[.*\](#\(.*\))$/\1/p' "$top/docs/cookbook.md") \
    <(sed -n 's/^## //p' "$top/docs/cookbook.md" | tr 'A-Z ' 'a-z-')
}

@test "docs/systemd.md shows the units as they are" {
  local path unit text
  shown docs/systemd.md
  for path in shown/*.path; do
    unit=$(<"$top/$(<"$path")")
    text=$(<"${path%.path}.file")
    [[ $unit == *"$text"* ]] || diff -u <(echo "$unit") <(echo "$text")
  done
}

@test "each command to try a recipe prints what the cookbook shows" {
  rm -r examples # `examples` makes a directory of that name
  examples docs/cookbook.md
}

# ---- cron ----

# the command of the crontab, with names in place of the paths of a machine
cron_command() {
  sed -n '/^\*/ { s/^\([^ ]* \)\{5\}//; s#/usr/local/bin/##g; s#/run/lock/#./#; p; }' examples/cron/crontab
}

@test "cron: the second does nothing; when lockrun or deadline is killed, so is the job, and the next one runs" {
  local job
  job=$(cron_command)
  [[ $job == 'deadline '*' lockrun '*' ./fetch fetch-news' ]]
  script bin/fetch-news 'echo $$ >>ran; exec sleep 1000'
  background first sh -c "exec $job"
  until_line ran .
  run -1 sh -c "exec $job"
  [ -z "$output" ]
  [ "$(wc -l <ran)" -eq 1 ]
  kill -KILL "$(lockrun --who ./fetch | cut -d ' ' -f 1)"
  ends_with 137 "$first"
  until_true gone "$(sed -n 1p ran)"
  background second sh -c "exec $job"
  until_true eval '[ "$(wc -l <ran)" -eq 2 ]'
  kill -KILL "$second"
  ends_with 137 "$second"
  until_true gone "$(sed -n 2p ran)"
  run -0 lockrun -t 60 ./fetch true
}

@test "cron: a backup that fails half-way leaves the old one" {
  mkdir src
  echo old >backup.tar.gz
  script bin/tar 'echo half >"$2"; exit 2'
  run -2 examples/cron/backup src backup.tar.gz
  [ "$(cat backup.tar.gz)" = old ]
  rm bin/tar
  hash -r
  run -0 examples/cron/backup src backup.tar.gz
  tar -tzf backup.tar.gz
}

# ---- Redis ----

@test "cluster: one of two runs the job; when its lockrun is killed, the job is gone, and another machine can run it" {
  need_redis
  server
  background first examples/cluster/nightly report 0 sh -c 'echo $$ >running; exec sleep 1000'
  until_true test -s running
  run -1 examples/cluster/nightly report 0 touch ran
  [ ! -e ran ]
  kill -KILL "$first"
  ends_with 137 "$first"
  until_true gone "$(cat running)"
  until_true examples/cluster/nightly report 0 touch ran
  [ -e ran ]
  run -3 examples/cluster/nightly report 0 sh -c 'exit 3'
  redis_stop
  run -111 --separate-stderr examples/cluster/nightly report 0 touch never
  [ -n "$stderr" ]
  [ ! -e never ]
}

@test "jobs: a worker on Redis is killed, and its job is done by another" {
  need_redis
  redis_up
  export QUEUE=redis:jobs DEAD=redis:failed
  echo one | examples/jobs/add
  background first examples/jobs/work sh -c 'echo $$ >running; exec sleep 1000'
  until_true test -s running
  kill -KILL "$first"
  ends_with 137 "$first"
  until_true gone "$(cat running)"
  WAIT=60 background second examples/jobs/work sh -c 'read -r job; echo "$job is done"'
  until_line second.out '^one is done$'
  kill "$second"
  ends_with 143 "$second"
}

# ---- containers ----

# child_is PID NAME: it has one child, which is NAME by now
child_is() {
  local child
  read -r child <"/proc/$1/task/$1/children" || [ -n "$child" ] && [ "$(cat "/proc/$child/comm")" = "$2" ]
} 2>/dev/null

@test "container: reap is the init; the program is started when all is there, gets the signal it wants, and leaves nothing" {
  WAIT_FOR='file ./ready' STOP_SIGNAL=INT background box examples/container/entrypoint bash -c \
    'trap "exit 7" INT; setsid sleep 1000 & echo up; wait'
  until_true child_is "$box" waitfor
  [ ! -s box.out ]
  touch ready
  until_line box.out up
  kill -TERM "$box"
  ends_with 7 "$box"
  run -127 examples/container/entrypoint nosuch
  WAIT_FOR='file ./never' run -127 examples/container/entrypoint nosuch
}

@test "container: as process 1 of a pid namespace it passes SIGTERM on, and is done at once" {
  unshare --user --map-root-user --pid --fork --mount-proc true 2>/dev/null || skip "needs pid namespaces"
  background box unshare --user --map-root-user --pid --fork --kill-child --mount-proc examples/container/entrypoint \
    sh -c 'echo up; exec sleep 1000'
  until_line box.out up
  kill -TERM "$(cat "/proc/$box/task/$box/children")"
  ends_with 143 "$box"
}

# ---- queues and pools ----

@test "jobs: a worker that is told to stop puts its job back" {
  export QUEUE=./:1 DEAD=./:2
  echo one | examples/jobs/add
  background worker examples/jobs/work sh -c 'echo $$ >running; exec sleep 1000'
  until_true test -s running
  kill "$worker"
  ends_with 143 "$worker"
  [ "$(msgrecv -t 0 "$QUEUE")" = one ]
  msgdemo rm "$QUEUE"
  msgdemo rm "$DEAD"
}

@test "pool: a slot of a job that was killed is free at once" {
  export SLOTS=1 POOL=./pool
  background first examples/pool/slot sh -c 'echo $$ >running; exec sleep 1000'
  until_true test -s running
  background second examples/pool/slot echo second
  until_true eval '[ -n "$(cat /proc/$second/task/$second/children)" ]' # which wait for the slots
  [ ! -s second.out ]
  kill -KILL "$first"
  ends_with 137 "$first"
  ends_with 0 "$second"
  [ "$(cat second.out)" = second ]
  until_true gone "$(cat running)"
}

# ---- servers ----

@test "git: a clone has the commits; what is not exported is not there; four silent clients of an address do not take all places" {
  need git git
  export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  git init -q work
  git -C work commit -q --allow-empty -m first
  git clone -q --bare work repos/open.git
  git clone -q --bare work repos/secret.git
  touch repos/open.git/git-daemon-export-ok
  script bin/serve 'exec examples/git/serve repos "$@"'
  start served serve 127.0.0.1 0
  git clone -q "git://127.0.0.1:$served_at/open.git" copy
  [ "$(git -C copy log --format=%s)" = first ]
  run ! git clone -q "git://127.0.0.1:$served_at/secret.git" no
  local n
  mkfifo silence
  exec 4<>silence
  for n in 1 2 3 4; do
    background "silent$n" sh -c "exec tcpclient 127.0.0.1 $served_at <silence"
  done
  until_true eval '[ "$(cat /proc/[0-9]*/task/'"$served"'/children 2>/dev/null | wc -w)" -eq 4 ]'
  run ! git clone -q "git://127.0.0.1:$served_at/open.git" fifth
  exec 4>&-
  run -0 git -c protocol.version=2 ls-remote copy
}

@test "rsync: a file is sent, and none is taken" {
  need rsync rsync
  mkdir pub
  chmod 755 . pub
  echo hello >pub/file
  run -0 withserver examples/rsync/serve pub -1 127.0.0.1 0 ::: rsync -q 'rsync://127.0.0.1:{PORT}/pub/file' copy
  [ "$(cat copy)" = hello ]
  run ! withserver examples/rsync/serve pub -1 127.0.0.1 0 ::: rsync -q copy 'rsync://127.0.0.1:{PORT}/pub/other'
  [ "$(ls pub)" = file ]
}

@test "knock: the wrong word, an empty secret and an old knock open nothing" {
  mkdir open
  echo sesame >secret
  : >empty
  export UDPREMOTEIP=127.0.0.1 TCPREMOTEIP=127.0.0.1
  local word
  for word in barley 'sesame ' 'sesame\n' ''; do
    run -0 examples/knock/knock secret open <<<"$word"
    [ -z "$output$(ls open)" ]
  done
  run -1 examples/knock/knock empty open </dev/null
  [ -z "$(ls open)" ]
  printf sesame | examples/knock/knock secret open
  run -0 examples/knock/gate open 10 echo welcome
  [ "$output" = welcome ]
  TCPREMOTEIP=127.0.0.2 run -0 examples/knock/gate open 10 echo welcome
  [ -z "$output" ]
  touch -d '11 minutes ago' open/127.0.0.1
  run -0 examples/knock/gate open 10 echo welcome
  [ -z "$output" ]
}

@test "status: the page shows its server; what is not there is 404; a client that stalls is ended" {
  start served tcpserver -c 4 127.0.0.1 0 examples/status/page
  web_get "$served_at" /status >page
  grep -q "\"listens\":\"127.0.0.1:$served_at\"" page
  [ "$(tail -n 1 page | cut -c 1-16)" = '{"type":"unseen"' ]
  [ "$(web_get "$served_at" /health)" = ok ]
  run -1 web_get "$served_at" /etc/passwd
  [[ $output == *404* ]]
  start hurried tcpserver -c 4 127.0.0.1 0 deadline -q 1 examples/status/page
  mkfifo half
  exec 4<>half
  printf 'GET /status HTTP/1.0\r\n' >&4
  run -0 timeout 60 tcpclient --no-shutdown 127.0.0.1 "$hurried_at" <half
  [ -z "$output" ]
  exec 4>&-
}

# ---- log shipping ----

# The collector, at $port, again and again the same
collector() {
  start collector tcpserver --drain 60 127.0.0.1 "$port" examples/logs/collect all.log
}

@test "logs: lines wait for the collector, and arrive; a second ship is refused; both of its processes end together" {
  local port
  port=$(free_port)
  background ship reap examples/logs/ship ./app.log 127.0.0.1 "$port"
  until_true msgdemo stat ./app.log:1 >/dev/null 2>&1
  exec 5>app.log
  echo one >&5
  echo two >&5
  collector
  until_line all.log '^two$'
  [ "$(cat all.log)" = $'one\ntwo' ]
  run -1 reap examples/logs/ship ./app.log 127.0.0.1 "$port"
  finish "$collector"
  echo three >&5
  collector
  until_line all.log '^three$'
  # a collector that cannot write confirms nothing: the line is still there
  finish "$collector"
  start collector tcpserver --drain 60 127.0.0.1 "$port" sh -c 'cat >/dev/null; echo >>tried'
  echo four >&5
  until_true test -s tried
  finish "$collector"
  collector
  until_line all.log '^four$'
  exec 5>&-
  # a line that is longer than the queue takes
  { head -c 100000 /dev/zero | tr '\0' x && echo; } | cat >app.log || : # whose reader ends
  wait "$ship" || :
  msgdemo rm ./app.log:1
}

# ---- hot restart ----

@test "restart: under systemd, restarts under load lose no request" {
  need_manager
  manager_up
  local here=$PWD/examples/restart n
  sed "s#/usr/local/bin/web#$here/web#; s#/usr/local/bin/#$(dirname "$(command -v tcpserver)")/#g" \
    examples/restart/web.service >"$units/web.service"
  cp examples/restart/web.socket "$units/"
  managed systemctl --user daemon-reload
  managed systemctl --user start web.socket
  background load timeout 240 nsenter --target "$inner" --net env PATH="$PATH" bash -c '
    for n in {1..80}; do
      [ "$(webget -f -b http://127.0.0.1:8080/)" = hello ] || echo "lost $n"
      echo $n
    done'
  for n in 10 30 50; do
    until_line load.out "^$n$"
    managed systemctl --user restart web.service
  done
  ends_with 0 "$load"
  run ! grep lost load.out
}

# ---- tests and dialogues ----

@test "ci: the test passes; with a client that knows no error, it fails, and leaves nothing" {
  run -0 examples/ci/test
  [ "${#lines[@]}" -eq 3 ]
  script bin/webget 'echo hello'
  run -1 examples/ci/test
  [[ ${lines[1]} == 'not ok: a silent server is given up: '* ]]
}

@test "repl: one Python keeps its state, and its prompt ends an answer of any length" {
  need python3 python3
  TIME=60 run -0 examples/repl/python <<<$'x = 6\nprint("a\\nb")\nx * 7'
  [[ $output == *$'a\nb\n>>> 42\n>>> '* ]]
}

@test "repl: an error of bc is an answer; none in time is 124" {
  need bc bc
  TIME=60 run -0 examples/repl/calc <<<$'1/0\n6*7'
  [ "${#lines[@]}" -eq 2 ]
  [ "${lines[1]}" = 42 ]
  TIME=0.3 run -124 examples/repl/calc <<<$'x=1\nx'
}
