# What scaling.bats is made of: servers, a balancer and load in a network namespace of the test's own.

need_network() {
  local user=()
  [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
  network=(unshare --net "${user[@]}")
  "${network[@]}" lo-up 2>/dev/null || skip "needs a network namespace of its own (user namespaces, or root)"
}

need_migrate() {
  "${network[@]}" sh -c '[ -w /proc/sys/net/ipv4/tcp_migrate_req ]' ||
    skip "needs net.ipv4.tcp_migrate_req (Linux 5.14) in a /proc/sys that can be written"
}

# what of the test's functions is there (not those of bats)
of_network=(behind_haproxy by_admin_socket by_health_check restarted_on_a_port killed_on_a_port until_true look_later until_line ready
  start_server start_health two_servers start_balancer admin stat_of has_sessions is_state is_checked end restart under_load
  no_failure all_queued)

# in_network SCRIPT: bash runs it there with these functions; its servers end with it.
in_network() {
  "${network[@]}" timeout --foreground 100 bash -euc "$(declare -f "${of_network[@]}")
    shopt -s inherit_errexit
    pids=() SHARED=
    trap 'kill -KILL \"\${pids[@]}\" 2>/dev/null || :' EXIT
    lo-up
    $1" bash 3>&-
}

# ready VAR PORT COMMAND...: runs it as a background job, its pid in $VAR, its stderr in VAR.err; waits for the first line.
ready() {
  local _name=$1
  shift
  rm -f "$_name.ready"
  mkfifo "$_name.ready"
  "$@" >"$_name.ready" 2>>"$_name.err" </dev/null &
  printf -v "$_name" %s "$!"
  pids+=("$!")
  read -r _ <"$_name.ready"
}

# start_server one|two: on 7001 or 7002, with a PROXY header; with SHARED, on that port, which both share.
start_server() {
  local port=7001 options=(--proxy --proxy-from 127.0.0.1)
  [ "$1" = one ] || port=7002
  [ -z "$SHARED" ] || { port=$SHARED && options=(--reuse-port); }
  ready "$1" tcpserver -1 -v --drain 60 "${options[@]}" 127.0.0.1 "$port" cat
}

# start_health one|two: what the health check asks, on 7101 or 7102.
start_health() {
  local port=7101
  [ "$1" = one ] || port=7102
  ready "health_$1" tcpserver -1 127.0.0.1 "$port" true
}

two_servers() {
  local name
  for name in one two; do
    start_server "$name"
    start_health "$name"
  done
}

# start_balancer WORDS: haproxy on 7000, with these words for each server; OWN is a check of its
# port, HEALTH of the other one, both without a PROXY header.
start_balancer() {
  local words_one=${1/HEALTH/check port 7101} words_two=${1/HEALTH/check port 7102}
  cat >haproxy.cfg <<END
global
  stats socket $PWD/admin mode 600 level admin
defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:7000
  default_backend web
backend web
  server one 127.0.0.1:7001 send-proxy-v2 ${words_one/OWN/check port 7001}
  server two 127.0.0.1:7002 send-proxy-v2 ${words_two/OWN/check port 7002}
END
  haproxy -q -db -f haproxy.cfg >haproxy.out 2>&1 </dev/null &
  pids+=("$!")
  waitfor unix "$PWD/admin" # not the port: that would be a connection to a server
}

admin() {
  echo "$1" | socat -t 60 - UNIX-CONNECT:admin
}

# stat NAME FIELD: of `show stat`, whose first line names the fields.
stat_of() {
  admin 'show stat' | awk -F, -v name="$1" -v field="$2" '
    NR == 1 { sub(/^# /, ""); for (i = 1; i <= NF; i++) at[$i] = i }
    $1 == "web" && $2 == name { print $at[field] }'
}

has_sessions() {
  [ "$(stat_of "$1" scur)" = "$2" ]
}

is_state() {
  [[ $(stat_of "$1" status) == "$2"* ]]
}

# is_checked NAME: a health check has passed.
is_checked() {
  [ "$(stat_of "$1" check_status)" = L4OK ]
}

# end PID: TERM, and its exit status, which is to be 0.
end() {
  kill -TERM "$1"
  wait "$1"
}

restart() {
  end "${!1}"
  start_server "$1"
}

# under_load PORT: 200 requests a second, until no_failure; its pid in $load.
under_load() {
  requests "$1" 200 10000 >load.out 2>&1 </dev/null &
  load=$!
  pids+=("$load")
}

# no_failure: the load ends, and every request was answered.
no_failure() {
  kill -TERM "$load"
  wait "$load" || { cat load.out && return 1; }
  grep -qE '^[0-9]{3,} requests, 0 failed$' load.out
}

# all_queued N: so many connections wait in the queues of the listeners; a listener's rx_queue is their number (proc(5)).
all_queued() {
  local state queue all=0
  while read -r _ _ _ state queue _; do
    [ "$state" != 0A ] || all=$((all + 16#${queue#*:}))
  done </proc/net/tcp
  [ "$all" -eq "$1" ]
}
