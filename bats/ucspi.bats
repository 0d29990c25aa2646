# Beside ucspi-tcp itself (Debian's ucspi-tcp-ipv6): what a script sees that was written for it.

load helper/tcpserver

setup() {
  server_setup
  real=$(PATH=${PATH#*:*:*:} command -v tcpserver) || :
  real_client=${real%tcpserver}tcpclient
  { [ -n "$real" ] && "$real" 2>&1 | grep -q '461'; } || skip "needs ucspi-tcp with IPv6 (Debian: ucspi-tcp-ipv6)"
}

teardown() {
  server_teardown
}

# environment SERVER OPTIONS HOST: the variables that SERVER sets for our client, without the values of ports, TCPCONNNUM,
# and TCP6INTERFACE=[unknown]
environment() {
  start srv "$1" "$2" "$3" 0 tell
  timeout --foreground 60 tcpclient "$3" "$srv_at" </dev/null | sed '/CONNNUM=/d; /TCP6INTERFACE=.unknown/d; s/PORT=.*/PORT/'
  finish "$srv"
}

@test "the variables of a connection are those of the IPv6 fork" {
  local options
  for options in '-HRl me' '-HR6l me' '-HR4l me'; do
    environment tcpserver "$options" 127.0.0.1 >ours
    environment "$real" "$options" 127.0.0.1 >theirs
    diff ours theirs
  done
  need_ipv6
  environment tcpserver '-HRl me' ::1 >ours
  environment "$real" '-HRl me' ::1 >theirs
  diff ours theirs
}

@test "statuses and silence of a client that can't connect are those of the fork" {
  local port client
  port=$(free_port)
  for client in tcpclient "$real_client"; do
    run -111 timeout --foreground 60 "$client" -q 127.0.0.1 "$port" true
    [ -z "$output" ]
    run -111 timeout --foreground 60 "$client" 127.0.0.1 "$port" true
    [ "${#lines[@]}" -eq 1 ]
    run -111 timeout --foreground 60 "$client" 127.0.0.1 no-such-service true
    [ "${#lines[@]}" -eq 1 ]
  done
  for client in tcpserver "$real"; do
    run -111 timeout --foreground 60 "$client" 127.0.0.1 no-such-service true
    [ "${#lines[@]}" -eq 1 ]
  done
}

# log SERVER: what it says with -v of one connection, its words without numbers
log() {
  start srv "$1" -vHRl '' 127.0.0.1 0 true
  timeout --foreground 60 tcpclient 127.0.0.1 "$srv_at" </dev/null
  until_line srv.err 'end [0-9]'
  finish "$srv"
  sed -E 's/[0-9]+/N/g; s/::ffff:N/N/g' srv.err | head -n "$2"
}

@test "the log with -v has the same lines, but in another order, and without the pid" {
  run -0 log "$real" 5
  [ "$output" = "tcpserver: status: N/N
tcpserver: status: N/N
tcpserver: pid N from N.N.N.N
tcpserver: ok N :N.N.N.N:N :N.N.N.N::N
tcpserver: end N status N" ]
  run -0 log tcpserver 4
  [ "$output" = "tcpserver: status: N/N
tcpserver: ok N :N.N.N.N:N :N.N.N.N::N
tcpserver: status: N/N
tcpserver: end N status N" ]
}
