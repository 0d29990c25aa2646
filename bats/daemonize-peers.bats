# daemonize with programs that were written for init systems: PostgreSQL, nginx and Redis through start, reload, rotation,
# crash, giving up and stop.

load helper/daemon

setup() {
  daemon_setup
  # PostgreSQL does not run as root: in a user namespace root is nobody, and what it makes is root's
  as_user=()
  [ "$(id -u)" -ne 0 ] || as_user=(unshare --user --map-user=65534 --map-group=65534)
  "${as_user[@]}" true || skip "needs a user namespace"
}

teardown() {
  daemon_teardown
  # a segment that PostgreSQL has no more time to remove when it is killed: line 7, KEY ID
  [ ! -e "$here/data/postmaster.pid" ] || ipcrm -m "$(awk 'NR == 7 { print $2 }' "$here/data/postmaster.pid")"
}

# supervised ARG...: a daemon with all that a service gets.
supervised() {
  "${as_user[@]}" timeout --foreground 60 daemonize -P monitor -p prog --log log --supervise \
    --backoff 50ms:50ms --max-restarts 3/1h "$@"
}

# given_up: the daemon is gone, and so are its pidfiles; the log has the reason.
given_up() {
  until_true [ ! -e monitor ]
  [ ! -e prog ]
  run -3 daemonize --status -P monitor
  run -0 tail -n 1 log
  [[ $output == "daemonize: "*" exited with status "*"; gave up after 3 restarts in 3600 s" ]]
}

# rotated TEXT: what the log has goes into log.1, with that text.
rotated() {
  refused 0 --rotate -P monitor
  until_true [ -e log.1 ]
  grep -q "$1" log.1
}

# ---- PostgreSQL ----

postgresql() {
  local dir
  for dir in /usr/lib/postgresql/*/bin; do
    PATH+=:$dir
  done
  need initdb postgresql
  need psql postgresql-client
  "${as_user[@]}" true 2>/dev/null || skip "needs a user namespace, as PostgreSQL does not run as root"
  "${as_user[@]}" initdb -D data -N -A trust -U postgres --no-locale -E UTF8 >initdb.out 2>&1 ||
    skip "initdb fails here: $(tail -n 1 initdb.out)"
  printf "listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n" "$here" >>data/postgresql.conf
  supervised --ready notify -t 60 "$@" postgres -D "$here/data"
}

ask() {
  psql -h "$here" -U postgres -d postgres -At -c "$1"
}

# idle_client: one that is connected, and says nothing.
idle_client() {
  mkfifo statements
  background client psql -h "$here" -U postgres -d postgres -At -f statements
  exec {statements}>statements
  echo 'select 4711;' >&"$statements"
  until_line client.out 4711
}

@test "PostgreSQL with an idle client: TERM waits for it, and the schedule's INT ends both at once" {
  local statements
  postgresql --stop-signal TERM:100ms,INT:50
  idle_client
  refused 0 --stop -t 60 -P monitor
  grep -q 'received smart shutdown request' log
  grep -q 'received fast shutdown request' log
  grep -q 'database system is shut down' log
  run -0 tail -n 1 log
  [[ $output == "daemonize: "*" exited with status 0; no restart" ]]
  [ ! -e data/postmaster.pid ]
  exec {statements}>&-
}

@test "PostgreSQL: start, reload, rotate, crash, restart, give up" {
  local first second
  postgresql --stop-signal INT:50 --on-exit "echo \"ended: \$EXIT_CODE \$EXIT_STATUS\""
  first=$(cat prog)
  refused 0 --reload -P monitor
  until_line log 'received SIGHUP, reloading configuration files'
  rotated 'reloading configuration files'
  [ "$(ask 'select 1')" = 1 ]
  kill -KILL "$first"
  until_line log "^daemonize: $first was killed by SIGKILL; restart 1 in 0.05 s$"
  grep -q '^ended: killed KILL$' log
  until_true ask 'select 2' 2>/dev/null
  second=$(cat prog)
  refused 0 --restart -P monitor
  until_line log "^daemonize: $second exited with status 0; restart 2 now$"
  until_true ask 'select 3' 2>/dev/null
  echo nonsense >>data/postgresql.conf
  kill -KILL "$(cat prog)"
  given_up
  grep -q '^ended: exited 1$' log
}

# ---- nginx ----

nginx_conf() {
  need nginx nginx
  printf '%s\n' "pid $here/nginx.pid; error_log stderr notice; worker_processes 1; events {}
    http { access_log off; server { listen unix:$here/web; location / { return 200 $1; } } }" >nginx.conf
  [ "$(id -u)" -ne 0 ] || echo 'user root;' >>nginx.conf
  nginx=(nginx -p "$here/" -c "$here/nginx.conf" -e stderr)
}

# page TEXT: that is what it serves.
page() {
  unixclient web sh -c 'printf "GET / HTTP/1.0\r\n\r\n" >&7; exec cat <&6' 2>/dev/null | tail -n 1 | grep -qx "$1"
}

@test "nginx: start, reload, rotate, crash, restart, graceful stop" {
  local nginx first
  nginx_conf one
  supervised --stop-signal QUIT:20,TERM:5 "${nginx[@]}" -g 'daemon off;'
  until_true page one
  first=$(cat prog)
  nginx_conf two
  refused 0 --reload -P monitor
  until_true page two
  [ "$(cat prog)" = "$first" ]
  rotated 'reconfiguring'
  kill -KILL "$first"
  until_line log "^daemonize: $first was killed by SIGKILL; restart 1 in 0.05 s$"
  rm web # nginx does not do that after a crash
  until_true page two
  refused 0 --stop -P monitor
  grep -q 'signal 3 (SIGQUIT) received' log
  run -0 tail -n 1 log
  [[ $output == *" exited with status 0; no restart" ]]
}

@test "nginx that goes to the background itself: the message says so, and what it left is ended" {
  local nginx
  nginx_conf one
  run -111 "${as_user[@]}" timeout --foreground 60 daemonize -P monitor --settle 30 "${nginx[@]}" -g 'daemon on;'
  [[ ${lines[-1]} == "daemonize: bring up nginx: it exited with status 0 and left processes: it seems to have daemonized itself" ]]
  run ! page one
}

@test "nginx with a configuration that is wrong: daemonize gives up" {
  local nginx
  nginx_conf one
  echo 'nonsense;' >>nginx.conf
  supervised "${nginx[@]}" -g 'daemon off;'
  given_up
  grep -q 'unknown directive "nonsense"' log
}

# ---- Redis ----

@test "Redis: start, rotate, crash, and a restart after failures only" {
  need redis-server redis-server
  need redis-cli redis-tools
  local first
  supervised --restart-on failure --log-time --ready notify redis-server --port 0 --unixsocket "$here/redis" \
    --dir "$here" --supervised systemd --save ''
  first=$(cat prog)
  [ "$(redis-cli -s redis ping)" = PONG ]
  until_line log '[Rr]eady to accept connections'
  rotated '[Rr]eady to accept connections'
  # every line has a time
  run -1 grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z ' log.1
  (ulimit -c 0; kill -SEGV "$first")
  until_line log "daemonize: $first was killed by SIGSEGV; restart 1 in 0.05 s$"
  until_true redis-cli -s redis ping
  redis-cli -s redis shutdown nosave || :
  until_true [ ! -e monitor ]
  run -0 tail -n 1 log
  [[ $output == *" exited with status 0; no restart" ]]
}

@test "Redis: a stop by TERM, and one that can't start" {
  need redis-server redis-server
  supervised --ready notify redis-server --port 0 --unixsocket "$here/redis" --dir "$here" --supervised systemd --save ''
  refused 0 --stop -P monitor
  grep -q 'ready to exit, bye bye' log
  [ ! -e prog ]
  rm log
  supervised redis-server --nonsense yes
  given_up
}
