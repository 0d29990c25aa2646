# Several servers: one of two is restarted under load, behind haproxy and on one port, and no request fails.
# All runs in a network namespace of its own, so that ports are fixed and sysctls are the test's.

load helper/common
load helper/peers
load helper/scaling

setup() {
  common_setup
  need_network
}

teardown() {
  common_teardown
}

# behind_haproxy: two servers behind haproxy, each drained by the admin socket and restarted in turn, under load.
behind_haproxy() {
  local name
  two_servers
  start_balancer "$1"
  under_load 7000
  for name in one two; do
    "$2" "$name"
    kill -0 "$load"
  done
  no_failure
}

# by_admin_socket NAME: the recipe of docs/scaling.md.
by_admin_socket() {
  admin "set server web/$1 state drain"
  until_true has_sessions "$1" 0
  restart "$1"
  admin "set server web/$1 state ready"
  until_true is_state "$1" UP
}

# by_health_check NAME: the port that is checked is closed first.
by_health_check() {
  local -n health=health_$1
  end "$health"
  until_true is_state "$1" DOWN
  restart "$1"
  start_health "$1"
  until_true is_state "$1" UP
}

@test "two servers behind haproxy, drained by its admin socket and restarted in turn under load: no request fails" {
  need haproxy haproxy
  need socat socat
  in_network 'behind_haproxy "OWN inter 50ms fall 1 rise 1" by_admin_socket'
}

@test "two servers behind haproxy, taken out by a health check that fails and restarted in turn: no request fails" {
  need haproxy haproxy
  need socat socat
  in_network 'behind_haproxy "HEALTH inter 50ms fall 1 rise 1" by_health_check'
}

@test "haproxy's health check with a PROXY header starts PROG, one without does not" {
  need haproxy haproxy
  need socat socat
  in_network 'start_server one; start_server two
    start_balancer "check inter 50ms"
    until_line one.err "^tcpserver: ok "; until_line one.err "^tcpserver: end "'
  rm one.err two.err
  in_network 'start_server one; start_server two
    start_balancer "OWN inter 50ms"
    until_true is_checked one
    [ "$(grep -c "^tcpserver: ok " one.err)" -eq 0 ]'
}

# restarted_on_a_port MIGRATE: two servers of one port, each restarted in turn under load.
restarted_on_a_port() {
  local name
  echo "$1" >/proc/sys/net/ipv4/tcp_migrate_req
  SHARED=7000
  start_server one
  start_server two
  under_load 7000
  for name in one two; do
    until_line "$name.err" '^tcpserver: ok '
    restart "$name"
    kill -0 "$load"
  done
  no_failure
}

@test "one of two servers of a port is restarted under load, with tcp_migrate_req 0 and 1: no request fails" {
  need_migrate
  in_network 'restarted_on_a_port 0'
  in_network 'restarted_on_a_port 1'
}

# killed_on_a_port MIGRATE: of 200 connections, those in the queue of a server that is stopped, then killed.
killed_on_a_port() {
  echo "$1" >/proc/sys/net/ipv4/tcp_migrate_req
  SHARED=7000
  start_server one
  start_server two
  kill -STOP "$one" "$two"
  requests 7000 2000 200 hold >load.out 2>&1 3>&- &
  load=$!
  until_line load.out '^open$'
  until_true all_queued 200
  kill -KILL "$one"
  wait "$one" || :
  kill -CONT "$two"
  wait "$load" || :
  cat load.out
}

@test "a killed server's queue goes to the other server of the port with tcp_migrate_req 1, and is reset with 0" {
  need_migrate
  run -0 in_network 'killed_on_a_port 1'
  [[ $output == *'200 requests, 0 failed'* ]]
  run -0 in_network 'killed_on_a_port 0'
  [[ $output == *'200 requests, '* ]]
  [[ $output != *'200 requests, 0 failed'* ]]
  [[ $output == *'Connection reset by peer'* ]]
}

@test "a port is shared only if all its servers ask for it" {
  run -0 in_network 'SHARED=7000; start_server one; status=0
    tcpserver 127.0.0.1 7000 true 2>err </dev/null || status=$?
    echo "$status"; cat err'
  [[ $output == *111*'Address already in use'* ]]
}

@test "another user cannot join a port" {
  need_root
  run -0 in_network 'SHARED=7000; start_server one; status=0
    setpriv --reuid 65534 --clear-groups tcpserver --reuse-port 127.0.0.1 7000 true 2>err </dev/null || status=$?
    echo "$status"; cat err'
  [[ $output == *111*'Address already in use'* ]]
}

@test "the units of contrib/systemd are those that systemd accepts" {
  local unit
  need systemd-analyze systemd
  mkdir units
  cp "$BATS_TEST_DIRNAME"/../contrib/systemd/* units
  for unit in units/*; do
    # the programs are where they are installed: not here, and nothing else is to be wrong
    sed -i "s|=/usr/local/bin/[a-z0-9-]*|=/bin/true|" "$unit"
  done
  cp units/tcpserver@.service units/tcpserver@7007.service
  run -0 systemd-analyze verify --man=no units/tcpserver@7007.service units/ipcbox-echo.socket units/ipcbox-echo.service
  [[ $output != *units/* ]]
}
