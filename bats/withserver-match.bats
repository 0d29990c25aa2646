# withserver: --match, a line of SERVER's output, and --free-port, a port that is kept for it.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# told TEXT ERE: the port that ERE takes from what a SERVER prints, which printf gets.
told() {
  with_server --match "$2" sh -c 'printf "$1"; exec sleep infinity' '' "$1" ::: sh -c 'echo ${PORT-none}' 2>/dev/null
}

# ---- --match ----

@test "--match: python's web server on port 0" {
  need python3 python3
  echo contents >file
  run -0 --separate-stderr with_server --match 'port ([0-9]+)' python3 -u -m http.server --bind 127.0.0.1 0 ::: \
    webget -b http://127.0.0.1:'{PORT}'/file
  [ "$output" = contents ]
  [[ $stderr == *"Serving HTTP on 127.0.0.1 port "*'"GET /file '* ]]
}

@test "--match: redis, by a line of its log; --port is told to CLIENT" {
  need redis-server redis-server
  need redis-cli redis-tools
  local port
  port=$(free_port)
  run -0 --separate-stderr with_server --match 'Ready to accept (tcp )?connections|ready to accept' --port "$port" \
    redis-server --bind 127.0.0.1 --port "$port" --save '' --dir "$PWD" ::: redis-cli -h 127.0.0.1 -p '{PORT}' ping
  [ "$output" = PONG ]
}

@test "--match: sshd, on a free port, by the line that it logs" {
  need ssh-keygen openssh-client
  [ -x /usr/sbin/sshd ] || skip "needs sshd (Debian: openssh-server)"
  [ "$(id -u)" -ne 0 ] || [ -d /run/sshd ] || skip "needs /run/sshd"
  ssh-keygen -q -t ed25519 -N '' -f key
  run -0 --separate-stderr with_server --free-port --match 'listening on 127\.0\.0\.1 port [0-9]+' \
    /usr/sbin/sshd -D -e -f /dev/null -h "$PWD/key" -o ListenAddress=127.0.0.1 -o PidFile=none -p '{PORT}' ::: \
    sh -c 'echo | tcpclient 127.0.0.1 {PORT} | head -n 1'
  [[ $output == SSH-2.0-* ]]
}

@test "--match: a line of stdout, or of stderr, and both go to stderr" {
  local to
  for to in 1 2; do
    run -0 --separate-stderr with_server --match 'at ([0-9]+)' \
      sh -c 'echo one; echo two >&2; echo at 1234 >&$1; exec sleep infinity' '' "$to" ::: sh -c 'echo $PORT'
    [ "$output" = 1234 ]
    [ "$stderr" = $'one\ntwo\nat 1234' ]
  done
}

@test "--match: without a group, SERVER is ready at once, and there is no PORT" {
  [ "$(told 'are you ready? not yet' ready)" = none ]
  [ "$(told 'are you ready?\n' '^are .*[?]$')" = none ]
}

@test "--match: extended regular expressions" {
  local text ere port
  while IFS='|' read -r text port ere; do
    [ "$(told "$text" "$ere")" = "$port" ] || {
      echo "not $port: '$text' by '$ere'" >&2
      return 1
    }
  done <<'TABLE'
port 8080\n|8080|port ([0-9]+)
port 8080 \n|8080|port ([0-9]+)
port 8080 is it|8080|port ([0-9]+) is
http://[::]:8080/\n|8080|:([0-9]+)/$
http://[::]:8080/\n|8080|\[.*\]:([[:digit:]]*)
xaab70y\n|70|a+b([0-9]{2})y
xaab70y\n|7|a{2}b([0-9]{1,1})
a70000\na700\n|700|a([0-9]{1,3})$
on 0080\n|80|on (.+)
8080\n|8080|(80|8080)
8080\n|80|^(80|90)
7 8\n|8|7? ?([8-9])|x
x7]-8\n|8|[]x][^]x][]]-([78])
A-b_9:80\n|80|^[[:alpha:]]-[[:lower:]_]+[[:alnum:]]:(80)$
a.b80\n|80|a\.b(80)
(80)\n|80|\((80)\)
{"port":80}\n|80|{"port":([0-9]+)}
x{80\n|80|x{([0-9]+)
{{80\n|80|^{{2}(80)
222\n|222|([0-9]*){1,2}
222\n|222|([0-9]*)*
222 7\n|222|^([0-9]*)+ 7
aab80\n|80|^a{0}a{1,}b(80)?$
a-b]80\n|80|^[a-]-b](80)$
a.b80\n|80|^a[--/]b([78]0)$
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa80\n|80|a(80)|(a*)*(a*)*(a|aa)*b
TABLE
}

@test "--match: expressions that are wrong, and what they are combined with" {
  local ere
  for ere in '(' ')' 'a)' '[' '[a' '[[:wrong:]]' '*a' 'a**' 'a{1' 'a{,2}' 'a{2,1}' 'a{256}' '{2}' '^*' 'a|+' \
    '' '[z-a]' '[[.-.]]' '[[=a=]]' '[a-[.z.]]' '[a-c-e]' '[[:digit:]-z]' '\' '\d+' '\<a' 'a\>' '\`' "\\'" '(a{99}){99}' \
    "$(printf '(%.0s' {1..1000})"; do
    wrong_call withserver --match "$ere" a ::: b
    [[ $stderr == "withserver: option --match '"* ]]
  done
  wrong_call withserver --match x --notify a ::: b
  wrong_call withserver --free-port --port 1 a ::: b
  wrong_call withserver --free-port=1 a ::: b
}

@test "--match: groups in groups take no more time for it" {
  local ere
  ere=$(printf '(%.0s' {1..60})82$(printf ')%.0s' {1..60})
  [ "$(told '82\n' "$ere")" = 82 ]
}

@test "--match: the end of the output is no empty line" {
  local ere
  for ere in '^$' 'x*' '^' '$' '(x|)'; do
    run -111 with_server --match "$ere" false ::: touch ran
    [ "$output" = "withserver: start false: SERVER exited with status 1 before it was ready" ]
    run -111 with_server -r 30 --match "$ere" sh -c 'exec >&- 2>&-; exec sleep infinity' ::: touch ran
  done
  run -111 with_server --match '^$' echo one ::: touch ran
  [ ! -e ran ]
  [ "$(told 'one\n\n' '^$')" = none ]
  # one that is ready, and then exits
  run -0 with_server --match ready sh -c 'printf ready; exit 3' ::: echo ran
  [[ $output == *ran* ]]
}

@test "--match: a line in two writes, and one that never ends" {
  mkfifo go
  mkfifo back
  background writer sh -c 'read -r _ <go; echo >back'
  run -0 --separate-stderr with_server --match 'port ([0-9]+)' \
    sh -c 'printf "port 80"; echo >go; read -r _ <back; echo 90; exec sleep infinity' ::: sh -c 'echo $PORT'
  [ "$output" = 8090 ]
  # the end of the output ends its last line
  run -0 --separate-stderr with_server --match 'port ([0-9]+)' sh -c 'printf "port 80"; exec >&- 2>&-; sleep infinity' ::: \
    sh -c 'echo $PORT'
  [ "$output" = 80 ]
}

@test "--match: 1 MB before the line, in long lines and short ones" {
  run -0 --separate-stderr with_server --match 'port ([0-9]+)$' \
    sh -c 'yes port | head -c 500000; head -c 500000 /dev/zero | tr "\0" p; echo port 81; exec sleep infinity' ::: sh -c 'echo $PORT'
  [ "$output" = 81 ]
  [ "$(wc -c <<<"$stderr")" -eq 1000008 ]
}

@test "--match: a reader of our stderr that does not read delays neither the match nor the deadline" {
  mkfifo full
  exec 8<>full
  script unread 'exec timeout --foreground 60 withserver "$@" 2>full'
  run -0 ./unread --match 'port ([0-9]+)' sh -c 'yes | head -c 100000; echo port 82; exec sleep infinity' ::: sh -c 'echo $PORT'
  [ "$output" = 82 ]
  run -124 ./unread -r 0.5 --match 'port ([0-9]+)' sh -c 'yes; echo port 82' ::: touch ran
  [ ! -e ran ]
}

@test "--match: SERVER dies, or closes its output, before a line matches" {
  run -111 with_server --match 'port ([0-9]+)' sh -c 'echo starting; exit 3' ::: touch ran
  [ "$output" = $'starting\nwithserver: start sh: SERVER exited with status 3 before it was ready' ]
  run -111 with_server --match 'port ([0-9]+)' sh -c 'exec >&- 2>&-; exec sleep infinity' ::: touch ran
  [ "$output" = "withserver: start sh: SERVER closed its stdout and stderr" ]
  run -111 with_server --match 'port (.*)' sh -c 'echo port none; exec sleep infinity' ::: touch ran
  [ "${lines[-1]}" = "withserver: start sh: the first group of --match is not a port" ]
  run -111 with_server --match 'port (.*)' sh -c 'echo port 65536; exec sleep infinity' ::: touch ran
  [ ! -e ran ]
  # one that has closed its stdout only
  run -0 --separate-stderr with_server --match 'port ([0-9]+)' sh -c 'exec >&-; echo port 83 >&2; exec sleep infinity' ::: \
    sh -c 'echo $PORT'
  [ "$output" = 83 ]
}

@test "--match: what SERVER prints later goes to stderr, also while it is terminated" {
  run -0 --separate-stderr with_server --match ready sh -c 'trap "echo bye; exit" TERM; echo ready; : >up; while :; do sleep 0.1; done' ::: \
    waitfor file up
  [ "$stderr" = $'ready\nbye' ]
}

# ---- --free-port ----

@test "--port: in SERVER's words, too" {
  run -0 --separate-stderr with_server --port 7001 --match '^at (7001)' sh -c 'echo "at {PORT}"; exec sleep infinity' ::: echo '{PORT}'
  [ "$output" = 7001 ]
  [ "$stderr" = 'at 7001' ]
}

@test "--free-port: in SERVER's words and environment, and in CLIENT's" {
  run -0 with_server --free-port tcpserver 127.0.0.1 '{PORT}' sh -c 'echo "{PORT} $PORT"' ::: \
    sh -c 'echo "$PORT $PORT"; tcpclient 127.0.0.1 {PORT} </dev/null'
  [ "${lines[0]}" = "${lines[1]}" ]
  [[ $output =~ ^([0-9]+)\ ([0-9]+) ]]
  [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
}

@test "--free-port: readiness is another if it is named" {
  run -0 with_server --free-port --match ready sh -c 'echo not a {PORT}; echo ready; exec sleep infinity' ::: sh -c 'echo $PORT'
  [[ ${lines[-1]} =~ ^[0-9]+$ ]]
  run -0 with_server --free-port --socket sock unixserver sock cat ::: sh -c 'echo "$PORT $SOCKET"'
  [[ ${lines[-1]} =~ ^[0-9]+' sock'$ ]]
  run -0 with_server --free-port --notify tcpserver 127.0.0.1 '{PORT}' echo here ::: tcpclient 127.0.0.1 '{PORT}' </dev/null
  [ "$output" = here ]
}

@test "--free-port: a server with SO_REUSEADDR, one without, on either family or both" {
  need python3 python3
  local family reuse address
  cat >server.py <<'END'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family)
if sys.argv[3] == "1":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind((sys.argv[2], int(sys.argv[1])))
s.listen()
while True:
    s.accept()[0].close()
END
  for address in 127.0.0.1 0.0.0.0 ::1 ::; do
    free-port "$address" >/dev/null || continue
    for reuse in 0 1; do
      run -0 with_server --free-port python3 server.py '{PORT}' "$address" "$reuse" ::: true
    done
  done
}

@test "--free-port: nginx and redis at once" {
  need nginx nginx
  need redis-server redis-server
  need redis-cli redis-tools
  cat >nginx.conf <<END
daemon off; pid $PWD/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path $PWD; proxy_temp_path $PWD; fastcgi_temp_path $PWD; uwsgi_temp_path $PWD;
  scgi_temp_path $PWD; include listen.conf; }
END
  run -0 --separate-stderr with_server --free-port sh -c 'echo "server { listen 127.0.0.1:{PORT}; return 200 hello; }" >listen.conf
      exec nginx -e stderr -c "$PWD/nginx.conf"' ::: \
    withserver --free-port sh -c 'exec redis-server --bind 127.0.0.1 --port $PORT --save ""' ::: \
    sh -c 'webget -b http://127.0.0.1:{PORT}; redis-cli -p $PORT ping'
  [ "$output" = helloPONG ]
}

@test "--free-port: many at once have ports of their own" {
  local i jobs=()
  mkfifo go
  exec 8<>go
  for i in {1..12}; do
    background "job$i" withserver -t 50 --free-port sh -c 'exec tcpserver 127.0.0.1 {PORT} cat' ::: sh -c 'echo $PORT; read -r _ <go'
    jobs+=("$!")
  done
  for i in {1..12}; do
    until_line "job$i.out" .
  done
  [ "$(cat job*.out | sort -u | wc -l)" -eq 12 ]
  printf '\n%.0s' {1..12} >&8
  for i in "${jobs[@]}"; do
    ends_with 0 "$i"
  done
}

@test "--free-port: the kernel hands the port to nobody, whatever range it has" {
  need_root
  need python3 python3
  unshare --net sh -c 'lo-up && echo 40000 40100 >/proc/sys/net/ipv4/ip_local_port_range' 2>/dev/null ||
    skip "needs a network namespace of its own, and a writable /proc/sys"
  cat >ports.py <<'END'
import socket, sys
held, port = [], int(sys.argv[1])
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    try:
        while True:
            s = socket.socket(family)
            s.bind((address, 0))
            held.append(s)
            assert s.getsockname()[1] != port
    except OSError:
        pass
assert len(held) > 50
held.clear() # for the connection that asks
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", port))
s.listen()
s.accept()
END
  # the last has none to spare: of those that the kernel hands out, a few are left to be taken
  local range
  for range in '40000 40100' '65000 65100' '49152 65535'; do
    run -0 unshare --net bash -c 'lo-up; cd /proc/sys/net/ipv4; echo "$1" >ip_local_port_range
      [ "$1" != "49152 65535" ] || echo 49152-65400 >ip_local_reserved_ports; cd "$2"
      timeout 50 withserver --free-port python3 ports.py {PORT} ::: true' '' "$range" "$PWD"
  done
}
