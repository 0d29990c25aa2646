# Sockets that a server is given: by inetd ("wait") in one fd, by a service manager whose variables are wrong or unknown; --exit-idle;
# names and keepalive.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# with_inetd SERVER-OPTION...: inetd, at $port, starts tcpserver with them for its first client, and waits for its end.
with_inetd() {
  need inetd openbsd-inetd
  need_root
  port=$(free_port)
  script serve "echo started >>'$PWD/starts'; exec '$(command -v tcpserver)' ${*@Q}"
  echo "127.0.0.1:$port stream tcp wait root $PWD/serve serve" >inetd.conf
  background inetd inetd -i inetd.conf
  until_true listens
}

listens() {
  grep -q ":$(printf %04X "$port") 00000000:0000 0A" /proc/net/tcp || gone "$inetd"
}

# ---- inetd ----

@test "--inherit-fd: as a \"wait\" server of inetd, which starts it again after --exit-idle" {
  local turn
  with_inetd --inherit-fd 0 --exit-idle 100ms sh -c 'read -r line; echo "$line $TCPREMOTEIP"; readlink /proc/self/fd/2'
  for ((turn = 1; turn <= 3; turn++)); do
    run -0 call_with "$turn"
    [ "$output" = "$turn 127.0.0.1
/dev/null" ]
  done
  until_true no_children "$inetd"
  n=$(wc -l <starts)
  run -0 call_with again
  [ "$(wc -l <starts)" -eq $((n + 1)) ]
}

call_with() {
  tcpclient -T 60 127.0.0.1 "$port" <<<"$1"
}

@test "--inherit-fd: TERM leaves the queue to inetd, whose next server takes it" {
  with_inetd --inherit-fd 0 -c 1 sh -c 'echo $PPID; cat'
  connect a "$port"
  hear "$a"
  for ((i = 0; i < 5; i++)); do
    tcpclient -v 127.0.0.1 "$port" >"client.$i" 2>"client.$i.err" <<<hello 3>&- &
    clients+=($!)
  done
  for ((i = 0; i < 5; i++)); do
    until_line "client.$i.err" connected
  done
  kill -TERM "$heard"
  wait "${clients[0]}" "${clients[1]}" "${clients[2]}" "${clients[3]}" "${clients[4]}"
  [ "$(cat client.? | grep -c hello)" -eq 5 ]
  [ "$(wc -l <starts)" -eq 2 ]
  started+=("$(head -n 1 client.0)")
}

@test "--inherit-fd: what is no listening socket is refused, and so is a closed fd" {
  run -100 --separate-stderr tcpserver --inherit-fd 0 cat </dev/null
  [[ $stderr == 'tcpserver: inherit'* ]]
  wrong_call tcpserver --inherit-fd 77 cat
  wrong_call unixserver --inherit-fd x cat
}

@test "--exit-idle: exits with 0 when nothing has run for that long, not before" {
  start srv tcpserver --exit-idle 200ms 127.0.0.1 0 sh -c 'echo up; cat'
  connect a "$srv_at"
  hear "$a"
  idle "$srv" # for half a second
  kill -0 "$srv"
  hang_up "$a"
  ends_with 0 "$srv"
  start srv unixserver --exit-idle 0 sock cat
  ends_with 0 "$srv"
  [ ! -e sock ]
}

@test "--exit-idle: under systemd-socket-activate, whose socket is left" {
  need systemd-socket-activate systemd
  port=$(free_port)
  background srv systemd-socket-activate -l "127.0.0.1:$port" "$(command -v tcpserver)" --inherit --exit-idle 100ms echo served
  run -0 tcpclient --retry -T 60 127.0.0.1 "$port" </dev/null
  [ "$output" = served ]
  ends_with 0 "$srv"
}

# ---- a service manager's variables ----

@test "--inherit: sockets for another process are named so" {
  with_sockets l WRONG_PID=1
  run -100 --separate-stderr activated --inherit true
  [[ $stderr == "tcpserver: inherit: LISTEN_PID is not this process, but 1" ]]
  TCPSERVER=timeserver with_sockets l WRONG_PID=1
  run -100 --separate-stderr activated --inherit
  [[ $stderr == "timeserver: inherit: LISTEN_PID is not this process, but 1" ]]
  with_sockets l NAMES=web
  run -100 --separate-stderr activated --inherit=admin true
  [ "$stderr" = "tcpserver: inherit: LISTEN_FDS has no socket admin" ]
}

@test "NOTIFY_SOCKET: a transport that is not known, such as vsock, is ignored" {
  local to
  for to in vsock:2:1234 vsock-stream:2:1 unknown ''; do
    NOTIFY_SOCKET=$to start srv tcpserver 127.0.0.1 0 echo served
    run -0 call "$srv_at"
    [ "$output" = served ]
    finish "$srv"
    [ "$status" -eq 0 ]
    [ ! -s srv.err ]
    NOTIFY_SOCKET=$to start srv timeserver 127.0.0.1 0
    finish "$srv"
    [ "$status" -eq 0 ]
    [ ! -s srv.err ]
  done
  NOTIFY_SOCKET=vsock:2:1234 run -0 daemonize -p pidfile --ready none sleep 6071s
  run -0 daemonize --stop -p pidfile
}

# ---- names ----

@test "-l: a name of more than 255 bytes is refused, not cut" {
  local name applet
  name=$(printf '%0255d' 0)
  for applet in tcpserver tcpclient; do
    wrong_call "$applet" -l "${name}0" 127.0.0.1 0 true
  done
  wrong_call sockenv -l "${name}0" true
  start srv tcpserver -l "$name" 127.0.0.1 0 sh -c 'echo "$TCPLOCALHOST"'
  run -0 call "$srv_at"
  [ "$output" = "$name" ]
}

@test "--padded: an abstract name fills sun_path; nobody finds it without" {
  local name="@padded-$$"
  start srv unixserver --padded "$name" sh -c 'echo "$UNIXLOCALPATH"; cat'
  [ "$srv_at" = "$name" ]
  run -0 unixclient --padded "$name" <<<hello
  [ "$output" = "$name
hello" ]
  run -111 unixclient "$name" </dev/null
  grep -q " $name@" /proc/net/unix # what is behind it are NULs
  need socat socat
  run -0 socat -t 60 - "ABSTRACT-CONNECT:${name#@},unix-tightsocklen=0" <<<there
  [ "$output" = "$name
there" ]
  wrong_call unixserver --padded sock cat
  wrong_call unixclient --padded sock
}

# ---- keepalive ----

@test "--keepalive: connections have it from the listener, without a call for each" {
  local option want
  need strace strace
  while read -r option want; do
    with_strace trace -e trace=setsockopt
    # shellcheck disable=SC2086 # words
    start srv traced ${option#-} 127.0.0.1 0 sh -c 'echo up; cat'
    n=$(grep -c . trace) || :
    connect a "$srv_at"
    hear "$a"
    run -0 timer_of "$srv_at"
    [ "$output" = "$want" ]
    run grep -c SO_KEEPALIVE trace
    ((output <= 1))
    hang_up "$a"
    finish "$srv"
  done <<'end'
- 02 600 60 5
---keepalive=3m 02 180 60 5
---keepalive=2m,20,3 02 120 20 3
---keepalive=off 00
end
}

# The timer of the connection to that port (2: keepalive), and what strace has seen set.
timer_of() {
  local timer
  timer=$(awk -v port=":$(printf %04X "$1")" '$2 ~ port "$" && $4 == "01" { print substr($6, 1, 2) }' /proc/net/tcp)
  echo "$timer $(sed -n 's/.*TCP_KEEP[A-Z]*, \[\([0-9]*\)\].*/\1/p' trace | tr '\n' ' ')" | sed 's/ *$//'
}

@test "--keepalive: not on an inherited socket, unless it is asked for" {
  need strace strace
  for option in '' --keepalive=1m; do
    with_sockets l
    # shellcheck disable=SC2086 # no word
    background srv strace -D -qq -o trace -e trace=setsockopt activated --inherit $option --max 1 echo served
    until_true [ -s ports ]
    run -0 tcpclient --retry -T 60 127.0.0.1 "$(cat ports)" </dev/null
    ends_with 0 "$srv"
    [ "$(grep -c SO_KEEPALIVE trace)" -eq "$([ -z "$option" ] && echo 0 || echo 1)" ]
    rm ports
  done
}

@test "--keepalive: usage errors" {
  local value
  for value in 0 1.5 1m, 1m,,3 40000 1,0 1,2,0 1,2,128 1,2,3,4 '' x Off "$(printf '%080d' 1)"; do
    wrong_call tcpserver --keepalive "$value" 127.0.0.1 0 true
  done
}

# ---- a shortage ----

@test "-x while there are no fds: the message comes once, until the rules have been read" {
  need prlimit util-linux
  echo ':allow' >rules
  start srv tcpserver -x rules 127.0.0.1 0 echo served
  run -0 call "$srv_at"
  prlimit --pid "$srv" --nofile=4:1000
  touch -d yesterday rules
  connect a "$srv_at"
  until_true eval '[ "$(wc -l <srv.err)" -ge 1 ]'
  idle "$srv"
  [ "$(grep -c 'keep the old rules: rules: Too many open files$' srv.err)" -eq 1 ]
  prlimit --pid "$srv" --nofile=1000:1000
  hear "$a"
  [ "$heard" = served ]
}
