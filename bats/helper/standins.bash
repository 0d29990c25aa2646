# shellcheck shell=bash disable=SC2016,SC2154,SC2034,SC2013,SC2044
# standins.bash: what the examples of the documentation name and no machine has: programs, files, hosts and servers. Read by
# world.bash, in the namespace, with the text of the example in $text.

standins=() # pids

# program NAME... <<TEXT: a program in /bin/sh
program() {
  local name script
  read -rd '' script || :
  for name in "$@"; do
    printf '#!/bin/sh\n%s\n' "$script" >"$name"
  done
  chmod +x "$@"
}

# names: the example has that word. (Nothing is started for it: there are thirty questions about hundreds of examples.)
names() {
  local pattern="(^|[^A-Za-z0-9_.-])($1)($|[^A-Za-z0-9_-])"
  [[ $text =~ $pattern ]]
}

programs() {
  cd /usr/local/bin || return
  echo 'echo "$(basename "$0") $*"' | program fetch-news encode rsync java nginx prepare shutdown make fortune \
    restart-the-thing backup-home finger-handler myserver simulation mail resize report convert
  if names examples/rsync/serve; then rm rsync; fi # by which the real one is meant
  # a daemon: ready when it is asked for that, reopens at HUP, ends at TERM
  program talkd serve postgres <<'END'
[ -z "${NOTIFY_SOCKET-}" ] || .tell READY=1
trap : HUP
trap 'kill -KILL $!; exit 0' TERM INT QUIT # which can't be lost between fork and exec
echo "talkd listens"
[ -z "${READY_FD-}" ] || echo >&"$READY_FD"
sleep 100 & wait
while kill -0 $!; do wait; done
END
  cd "$HOME" || return
  echo 'echo "$(basename "$0") $*"' | program simulation migrate server indexer integration-test backup build job
}

files() {
  local n
  mkdir -p /srv/www
  for n in src directory; do
    if names $n; then mkdir $n && echo hello >$n/file; fi
  done
  for n in file head.txt body.txt id.key /srv/www/hello.txt /srv/www/index.html; do echo hello >$n; done
  export file=words.txt # a variable of examples
  echo data >/srv/data
  for n in names more-names words.txt; do printf 'b\na\nb\n' >$n; done
  for n in 1 2 3 4 5; do echo $n >$n.wav; done
  printf '1\n' >access.log
  printf '2\n' >access.log.1
  printf '3\n' | gzip >access.log.2.gz
  printf '127.:allow\n:deny\n' >rules
  printf '127.0.0.1\n127.0.0.2\n' >hosts
  touch server.conf server.log
}

# server COMMAND...: starts one that prints a line when it is ready (our servers with -1)
server() {
  local line
  [ -p /run/.ready ] || mkfifo /run/.ready
  "$@" >/run/.ready 2>/dev/null </dev/null &
  standins+=($!)
  read -r line </run/.ready && rm /run/.ready
}

# The process that examples call 4711, the leader of its group; it ends when it is told to, or soon where an example only
# waits for that.
process_4711() {
  local life=100
  printf '%s\n' "$text" | grep -qE '(-w|exit) (-t [^ ]+ )?4711' && ! names kill && life=0.5
  echo 4710 >/proc/sys/kernel/ns_last_pid || return
  setsid sleep $life &
  named=$!
  disown # no word of its end
  [ "$named" = 4711 ]
}

http() {
  server tcpserver -1 127.0.0.1 80 sh -c 'while read -r l && [ "${#l}" -gt 1 ]; do :; done
    printf "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"'
}

# The certificate of docs/tls.md, which then is this machine's CA, too; and a server for HTTP over TLS.
tls() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:www.example.com' -keyout key.pem -out cert.pem 2>/dev/null
  cat key.pem cert.pem >both.pem
  export SSL_CERT_FILE=$PWD/cert.pem
  if names 'www.example.com[: ]443'; then
    http
    printf 'syslog = no\ncert = %s\nconnect = 127.0.0.1:80\n' "$PWD/both.pem" >/run/stunnel.conf
    server tcpserver -1 127.0.0.1 443 stunnel /run/stunnel.conf
  fi
}

stand_in() {
  programs && files || return
  if names 4711; then process_4711 || return; fi
  if names '"[$]a" "[$]b"'; then
    sleep 0.3 & export a=$!
    sleep 100 & export b=$!
    named=$b
  fi
  if names 'talkd.pid' && ! names daemonize; then echo $$ >/run/talkd.pid; fi
  if names 'tcpclient.* 7007|7007' && ! names 'tcpserver|TCP-LISTEN:7007|sockenv'; then
    server tcpserver -1 127.0.0.1 7007 cat
  fi
  if names 'there.example 7000' && ! names tcpserver; then server tcpserver -1 127.0.0.1 7000 cat; fi
  if names 'unixclient' && names './talk' && ! names unixserver; then
    server unixserver -1 ./talk sh -c 'read -r line; echo "$line"'
  fi
  if names example.com; then http; fi
  if names 'redis:[a-z]+'; then
    redis-server --dir /srv --save '' --appendonly yes --logfile '' >/dev/null 2>&1 &
    standins+=($!)
    until redis-cli PING >/dev/null 2>&1; do :; done
  elif names 6379; then
    server tcpserver -1 127.0.0.1 6379 sh -c 'while read -r l && [ "${l#QUIT}" = "$l" ]; do :; done; echo +OK'
  fi
  if names 'both.pem|cert.pem' || names 'www.example.com[: ]443'; then tls; fi
  if names docker.sock; then
    server unixserver -1 /run/docker.sock sh -c 'while read -r l && [ "${#l}" -gt 1 ]; do :; done
      printf "HTTP/1.0 200 OK\r\n\r\n{}\n"'
  fi
  if names '--sntp|-s'; then
    sntp 127.0.0.1 123 &
    standins+=($!)
    until udptime -q --sntp -t 1 127.0.0.1 >/dev/null 2>&1; do :; done
  elif names 'udptime|tcptime' && ! names 'timeserver'; then
    server timeserver -1
  fi
  return 0
}

# A client for a server that an example runs in the foreground.
visit() {
  local port path
  for port in $(awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null); do
    echo hello | timeout 5 tcpclient -q 127.0.0.1 "$((16#$port))" >/dev/null 2>&1
  done
  for path in $(awk '$4 == "00010000" && $5 == "0001" { print $8 }' /proc/net/unix); do
    echo hello | timeout 5 unixclient -q "$path" >/dev/null 2>&1
  done
  for path in $(find . /run -type p 2>/dev/null); do
    timeout 5 cat "$path" >/dev/null
  done
  return 0
}
