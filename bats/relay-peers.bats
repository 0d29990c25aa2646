# The relay of tcpclient and unixclient with programs that many use: what these make of a half-close, and of none; and a
# limit for silence.

load helper/common
load helper/peers

setup() {
  common_setup
  set -o pipefail
  mkfifo go
}

teardown() {
  common_teardown
}

# A server that takes its time: it answers once `go` has been written to.
slow_answer='read -r question; : >asked; read -r line <go; echo "answer: $line"'

# answers PORT: whether somebody is there.
answers() {
  tcpclient -q 127.0.0.1 "$1" true
}

# nginx_before PORT: nginx in front of that server; its own port in $nginx_at.
nginx_before() {
  need nginx nginx-light
  nginx_at=$(free_port)
  cat >nginx.conf <<END
daemon off; master_process off; pid nginx.pid; error_log error.log;
events { }
http {
  access_log access.log;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server { listen 127.0.0.1:$nginx_at; location / { proxy_pass http://127.0.0.1:$1; } }
}
END
  background nginx nginx -p "$PWD" -c "$PWD/nginx.conf" -e error.log
  until_true answers "$nginx_at"
}

slow_backend='while read -r line && [ "$line" != "$(printf "\r")" ]; do :; done; : >asked; read -r line <go
  printf "HTTP/1.0 200 OK\r\n\r\nanswer: $line\n"'

request='GET / HTTP/1.0\r\nHost: here\r\n\r\n'

# ---- servers that take a half-close for a hang-up ----

@test "nginx in front of a slow backend: the answer with --no-shutdown, a dropped request without" {
  start backend tcpserver 127.0.0.1 0 sh -c "$slow_backend"
  nginx_before "$backend_at"
  # shellcheck disable=SC2059 # the format
  printf "$request" >request
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$nginx_at" <request
  [ -z "$output" ]
  grep ' 499 ' access.log
  until_true test -e asked
  echo late >go # to that of the dropped one
  rm asked
  timeout --foreground 60 tcpclient --no-shutdown 127.0.0.1 "$nginx_at" <request >answer 3>&- &
  local client=$!
  started+=("$client")
  until_true test -e asked
  echo now >go
  ends_with 0 "$client"
  [ "$(tail -n 1 answer)" = "answer: now" ]
}

# redis: with 20 MB in `big`; its port in $redis_at
start_redis() {
  need redis-server redis-server
  redis_at=$(free_port)
  background redis redis-server --port "$redis_at" --bind 127.0.0.1 --unixsocket "$PWD/redis.sock" --save '' \
    --dir "$PWD" --daemonize no
  until_true answers "$redis_at"
  head -c 20000000 /dev/zero | tr '\0' x >big
  { printf '*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$20000000\r\n' && cat big && printf '\r\nQUIT\r\n'; } >question
  run -0 timeout --foreground 60 tcpclient --no-shutdown 127.0.0.1 "$redis_at" <question
  [[ $output == *OK* ]]
}

@test "redis: a large answer comes whole with --no-shutdown, over TCP and over a Unix socket" {
  start_redis
  { printf '$20000000\r\n' && cat big && printf '\r\n+OK\r\n'; } >expected
  printf 'GET big\r\nQUIT\r\n' | timeout --foreground 60 tcpclient --no-shutdown 127.0.0.1 "$redis_at" >answer
  cmp expected answer
  printf 'GET big\r\nQUIT\r\n' | timeout --foreground 60 unixclient --no-shutdown redis.sock | cmp expected -
}

@test "redis: a connection that stays open is ended by --idle, with all of the answer" {
  start_redis
  { printf '$20000000\r\n' && cat big && printf '\r\n'; } >expected
  local idle
  for idle in 1 2 4 8 16 32; do # a busy machine may let redis stand still
    run timeout --foreground 60 sh -c 'printf "GET big\r\n" | tcpclient --no-shutdown --idle "$0" 127.0.0.1 "$1" >answer' \
      "$idle" "$redis_at"
    [ "$status" -eq 124 ]
    [ "$output" = "tcpclient: relay: nothing moved for the time of --idle" ]
    ! cmp -s expected answer || return 0
  done
  cmp expected answer
}

# socat_server ADDRESS: socat between a connection and ADDRESS; its port in $socat_at.
socat_server() {
  need socat socat
  background socat socat -d -d TCP-LISTEN:0,bind=127.0.0.1 "$1"
  until_line socat.err 'listening on'
  socat_at=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' socat.err)
}

@test "socat before a slow program: the answer with --no-shutdown, none half a second after a half-close" {
  script slow-answer "$slow_answer"
  socat_server EXEC:./slow-answer
  run -0 timeout --foreground 60 sh -c 'echo question | tcpclient 127.0.0.1 "$0"' "$socat_at"
  [ -z "$output" ]
  rm -f asked
  socat_server EXEC:./slow-answer
  timeout --foreground 60 sh -c 'echo question | tcpclient --no-shutdown 127.0.0.1 "$0"' "$socat_at" >answer 3>&- &
  local client=$!
  started+=("$client")
  until_true test -e asked
  echo now >go
  ends_with 0 "$client"
  [ "$(cat answer)" = "answer: now" ]
}

# nc_server: its port in $nc_at; what it receives is in nc.out; what it sends is read from fd 5
nc_server() {
  need nc netcat-openbsd
  nc -h 2>&1 | grep -q OpenBSD || skip "needs OpenBSD's nc (Debian: netcat-openbsd)"
  mkfifo nc.in
  nc -v -n -N -l 127.0.0.1 0 <nc.in >nc.out 2>nc.err 3>&- &
  nc=$!
  started+=("$nc")
  exec 5>nc.in
  rm nc.in
  until_line nc.err Listening
  nc_at=$(sed -n 's/^Listening on 127.0.0.1 //p' nc.err)
}

@test "nc -l: its input is sent with --no-shutdown; it exits at a half-close" {
  nc_server
  run -0 timeout --foreground 60 sh -c 'echo question | tcpclient 127.0.0.1 "$0"' "$nc_at" 5>&-
  [ -z "$output" ]
  ends_with 0 "$nc"
  [ "$(cat nc.out)" = question ]
  nc_server
  timeout --foreground 60 sh -c 'echo question | tcpclient --no-shutdown 127.0.0.1 "$0"' "$nc_at" >answer 3>&- 5>&- &
  local client=$!
  started+=("$client")
  until_line nc.out question
  echo answer >&5
  exec 5>&-
  ends_with 0 "$client"
  ends_with 0 "$nc"
  [ "$(cat answer)" = answer ]
}

# ---- programs that wait for the half-close, and those to which it is all the same ----

@test "a server that waits for the end of its input gets none with --no-shutdown: --idle ends the wait" {
  start server tcpserver 127.0.0.1 0 cat
  local client='echo question | "$0" --no-shutdown --idle 0.3 "$@"'
  SECONDS=0
  run -124 timeout --foreground 60 sh -c "$client" tcpclient 127.0.0.1 "$server_at"
  [ "$output" = "question
tcpclient: relay: nothing moved for the time of --idle" ]
  start server unixserver sock cat
  run -124 timeout --foreground 60 sh -c "$client" unixclient sock
  [ "${lines[1]}" = "unixclient: relay: nothing moved for the time of --idle" ]
  ((SECONDS < 40))
}

# ssh_config: a server's and a client's, for this user, in the test's directory.
ssh_config() {
  need ssh openssh-client
  need ssh-keygen openssh-client
  [ -x /usr/sbin/sshd ] || skip "needs sshd (Debian: openssh-server)"
  local name
  for name in host user; do
    ssh-keygen -q -t ed25519 -N '' -f "$name"
  done
  cp user.pub authorized
  cat >sshd.conf <<END
HostKey $PWD/host
AuthorizedKeysFile $PWD/authorized
StrictModes no
UsePAM no
PidFile none
END
  cat >ssh.conf <<END
Host *
  IdentityFile $PWD/user
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
END
  script sshd 'exec /usr/sbin/sshd -i -e -f sshd.conf 2>>sshd.err'
  # root's wants a directory that a boot makes
  if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    need_own_hosts
    script sshd 'exec unshare --mount sh -c "mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
      exec /usr/sbin/sshd -i -e -f sshd.conf" 2>>sshd.err'
  fi
}

@test "ssh: tcpclient is its ProxyCommand, sshd -i the program of tcpserver; 5 MB each way" {
  ssh_config
  start server tcpserver 127.0.0.1 0 ./sshd
  random_bytes 5000000 >data
  local how
  run timeout --foreground 100 ssh -F ssh.conf -o "ProxyCommand=tcpclient 127.0.0.1 $server_at" here true
  [[ $output != *'Permission denied (publickey'* ]] || skip "sshd lets this user in nowhere (its shell, or its account)"
  for how in '' '--no-shutdown --idle 1m'; do
    timeout --foreground 100 ssh -F ssh.conf -o "ProxyCommand=tcpclient $how 127.0.0.1 $server_at" here cat <data >out
    cmp data out
  done
}

@test "rsync: tcpclient is its connection (RSYNC_CONNECT_PROG), its daemon the program of tcpserver" {
  need rsync rsync
  mkdir from to
  random_bytes 3000000 >from/data
  echo small >from/small
  printf 'use chroot = no\nlog file = %s/log\n[files]\n  path = %s/from\n' "$PWD" "$PWD" >rsyncd.conf
  [ "$(id -u)" -ne 0 ] || printf '  uid = 0\n  gid = 0\n' >>rsyncd.conf
  start server tcpserver 127.0.0.1 0 rsync --daemon --config=rsyncd.conf
  local how
  for how in '' '--no-shutdown --idle 1m'; do
    RSYNC_CONNECT_PROG="tcpclient $how 127.0.0.1 $server_at" timeout --foreground 100 rsync -r rsync://here/files/ "to$how/"
    diff -r from "to$how"
  done
}

# ---- what can't go on ----

@test "a reset is one message, the reset, whatever the end of input meets" {
  peer server 127.0.0.1 accept reset again
  local n
  for n in {1..30}; do
    run -111 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" </dev/null
    [[ $output == "tcpclient: "*": Connection reset by peer" ]]
    [ "${#lines[@]}" -eq 1 ]
  done
}

@test "a half-close that fails as the connection has gone: what was received before comes first" {
  need strace strace
  peer server 127.0.0.1 accept send 'before\n' read 1 read 100 reset
  timeout --foreground 60 strace -qq -o trace -e trace=shutdown -e inject=shutdown:error=ENOTCONN \
    tcpclient 127.0.0.1 "$server_at" <<<bytes >out 2>err 3>&- &
  started+=("$!")
  ends_with 111 "$!"
  [ "$(cat err)" = "tcpclient: receive: Connection reset by peer" ]
  [ "$(cat out)" = before ]
}

@test "pipes stay as small as they were until much has moved" {
  start server tcpserver 127.0.0.1 0 cat
  mkfifo in out
  exec 5<>in 6<>out
  tcpclient 127.0.0.1 "$server_at" <&5 >&6 3>&- &
  started+=("$!")
  local before
  before=$(fd-state pipe-size 5 6)
  echo hello >&5
  read -r line <&6
  [ "$line" = hello ]
  [ "$(fd-state pipe-size 5 6)" = "$before" ]
  head -c 3000000 /dev/zero >&5 3>&- &
  head -c 3000000 <&6 >/dev/null
  [ "$(fd-state pipe-size 5 6)" != "$before" ] || skip "no larger pipes may be had here"
}
