# waitfor: several conditions, --not, http, --exec.

load helper/waitfor

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# ---- several ----

@test "all conditions are watched at once: each has to be true once, in whatever order" {
  local port
  port=$(free_port)
  : >there
  mkfifo go
  background program sh -c 'read -r _ <go'
  background waiter waitfor -t 50 tcp 127.0.0.1 "$port" ::: unix sock ::: file result ::: exit "$program" ::: --not file there
  until_true asleep "$waiter" waitfor
  rm there
  echo >go
  start one unixserver sock cat
  # the file that must be gone may come back, once it was gone
  : >result
  until_true asleep "$waiter" waitfor
  start two tcpserver 127.0.0.1 "$port" cat
  ends_with 0 "$waiter"
  [ ! -s waiter.err ]
}

@test "the message names what is missing, and only that" {
  local port
  port=$(free_port)
  : >there
  run -124 waits -t 0.2 file there ::: tcp 127.0.0.1 "$port" ::: file "a b" ::: --not file there ::: --not unix sock ::: exit "$$"
  [ "$output" = "waitfor: tcp 127.0.0.1 port $port: the deadline passed: Connection refused
waitfor: file a b: the deadline passed: No such file or directory
waitfor: not file there: the deadline passed: it still holds
waitfor: exit $$: the deadline passed: still running" ]
  run -1 waits file there ::: -t 0 unix sock
  [ "$output" = "waitfor: unix sock: No such file or directory" ]
  run -1 waits -q file there ::: -t 0 unix sock
  [ -z "$output" ]
}

@test "--not: the port is closed, the socket has gone, the process is there" {
  start server tcpserver 127.0.0.1 0 cat
  run -1 waits -t 0 --not tcp 127.0.0.1 "$server_at"
  [ "$output" = "waitfor: not tcp 127.0.0.1 port $server_at: it still holds" ]
  background waiter waitfor --not tcp 127.0.0.1 "$server_at"
  until_true asleep "$waiter" waitfor
  finish "$server"
  ends_with 0 "$waiter"
  waits -t 0 tcp --not 127.0.0.1 "$server_at"
  waits -t 0 --not exit "$$" ::: --not unix sock ::: --not file result
  run -1 waits -t 0 --not exit 2147483647
}

@test "a name whose lookup takes long delays no other condition" {
  need python3 python3
  need_dns
  # its questions reach a socket that nobody reads
  cat >asker.py <<'END'
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
s.set_inheritable(True)
os.execvp("waitfor", ["waitfor", "tcp", "silent.test", "9", ":::", "unix", "sock"])
END
  background waiter unshare --mount --net sh -c 'lo-up && echo "nameserver 127.0.0.1" >resolv &&
    mount --bind resolv /etc/resolv.conf && exec python3 asker.py'
  until_true asleep "$waiter" waitfor
  start server unixserver sock sh -c ': >seen'
  until_true [ -e seen ]
  # which still waits: for both families together, and soon for each
  [ "$(wc -w <"/proc/$waiter/task/$waiter/children")" -ge 1 ]
  kill -TERM "$waiter"
  ends_with 143 "$waiter"
}

@test "it sleeps: no condition keeps it busy" {
  need strace strace
  local port
  port=$(free_port)
  run -124 strace -f -qq -c -o count waitfor -t 1 tcp 127.0.0.1 "$port" ::: file none ::: exit "$$" ::: unix sock
  # ten milliseconds at least between two looks, on average
  [ "$(awk '$NF == "ppoll" || $NF == "poll" { n += $4 } END { print n }' count)" -lt 200 ]
}

# ---- http ----

@test "http: python's web server, by name, IPv4 and status" {
  need python3 python3
  : >file
  run -0 --separate-stderr with_server --free-port python3 -m http.server --bind 127.0.0.1 '{PORT}' ::: \
    waitfor -t 50 http http://127.0.0.1:'{PORT}'/file ::: http --status 5xx,404 http://127.0.0.1:'{PORT}'/none ::: \
    http 'http://127.0.0.1:{PORT}?x#fragment' ::: --not http http://127.0.0.1:'{PORT}'/none
  [[ $stderr == *'"GET /?x HTTP/1.0" 200'* ]]
  [[ $stderr != *Traceback* ]]
  run -124 --separate-stderr with_server --free-port python3 -m http.server --bind 127.0.0.1 '{PORT}' ::: \
    waitfor -t 1 http http://127.0.0.1:'{PORT}'/none
  [[ $stderr == *"waitfor: http http://127.0.0.1:"*"/none: the deadline passed: the status is 404" ]]
  [[ $stderr != *Traceback* ]]
}

@test "http: nginx, which answers 502 until its backend is there" {
  need nginx nginx
  local backend
  backend=$(free_port)
  cat >nginx.conf <<END
daemon off; pid $PWD/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path $PWD; proxy_temp_path $PWD; fastcgi_temp_path $PWD; uwsgi_temp_path $PWD;
  scgi_temp_path $PWD; include listen.conf; }
END
  script front 'echo "server { listen 127.0.0.1:$1; location / { proxy_pass http://127.0.0.1:$2; } }" >listen.conf
    exec nginx -e stderr -c "$PWD/nginx.conf"'
  script back 'waitfor tcp 127.0.0.1 $1 && waitfor http --status 502 http://127.0.0.1:$1/ || exit
    tcpserver 127.0.0.1 $2 sh -c "while read -r line && [ \${#line} -gt 1 ]; do :; done; printf \"HTTP/1.0 200 OK\r\n\r\nhello\"" &
    waitfor -t 50 http http://127.0.0.1:$1/ && webget -b http://127.0.0.1:$1/'
  run -0 --separate-stderr with_server --free-port ./front '{PORT}' "$backend" ::: ./back '{PORT}' "$backend"
  [ "$output" = hello ]
}

@test "http: over a Unix socket, and its Host" {
  start server unixserver sock sh -c 'read -r get; read -r host; echo "$get/$host" | tr -d "\r" >&2; printf "HTTP/1.1 204 No Content\r\n\r\n"'
  waits -t 50 http --unix sock http://name:81/a/b
  [ "$(cat server.err)" = "GET /a/b HTTP/1.0/Host: name:81" ]
  run -1 waits -t 0 http --unix none http://name/
  [ "$output" = "waitfor: http http://name/: No such file or directory" ]
}

@test "http: responses that are none, or cut off, or never end" {
  local answer
  for answer in '' 'SSH-2.0-x\r\n' 'HTTP/1.1 20' 'HTTP/2 200 OK\r\n' 'HTTP/1.1 1000 OK\r\n'; do
    start server tcpserver 127.0.0.1 0 printf "$answer"
    run -1 waits -t 0 http "http://127.0.0.1:$server_at"
    [[ $output == "waitfor: http http://127.0.0.1:$server_at: "* ]]
    finish "$server"
  done
  start server tcpserver 127.0.0.1 0 sh -c 'printf "HTTP/1.1 200 OK\r\n\r\n"; exec cat /dev/zero'
  waits -t 50 http "http://127.0.0.1:$server_at"
  # in pieces
  start pieces tcpserver 127.0.0.1 0 sh -c 'for part in HTT P/1.1 " " 2 03 "\r\n"; do printf "$part"; waitfor -q -t 0.01 file none; done'
  waits -t 50 http --status 203 "http://127.0.0.1:$pieces_at"
}

@test "http: one that accepts and says nothing is given up" {
  start server tcpserver 127.0.0.1 0 sh -c 'exec cat >/dev/null'
  run -124 waits -t 0.5 http "http://127.0.0.1:$server_at"
  [ "$output" = "waitfor: http http://127.0.0.1:$server_at: the deadline passed: Connection timed out" ]
}

# ---- --exec ----

@test "--exec: becomes PROG when all are there, with the signals as they were found" {
  background waiter waitfor file one ::: file two --exec sh -c 'echo "$$ $*"; exit 3' '' ::: --exec -t
  until_true asleep "$waiter" waitfor
  : >one
  : >two
  ends_with 3 "$waiter"
  [ "$(cat waiter.out)" = "$waiter ::: --exec -t" ]
  signals_ignored_and_blocked env >want
  signals_ignored_and_blocked waitfor -t 50 file one ::: --not tcp localhost 9 --exec env >found
  diff want found
}

@test "--exec: a PROG that is missing is 127, at once; none runs at a deadline" {
  run -127 waits file none --exec no-such-program
  [ "$output" = "waitfor: no-such-program: command not found" ]
  run -124 waits -t 0.1 file none --exec touch ran
  [ ! -e ran ]
}

@test "usage errors" {
  local words
  for words in 'file a :::' '::: file a' 'file a ::: ::: file b' 'file a --exec' '--exec true' 'file a ::: nothing b' \
    'http' 'http x' 'http http://' 'http http://a b' 'http https://a/' 'http http://a:0/' 'http http://a:x/' \
    'http --status 2 http://a' 'http --status 200, http://a' 'http --status 0xx http://a' 'http --status 200-299 http://a' \
    'http --unix= http://a' 'file --status 200 a' 'tcp --unix s a 1' 'file --exec=x a' 'file --not=x a'; do
    # shellcheck disable=SC2086 # words
    wrong_call waitfor $words
  done
  wrong_call waitfor http 'http://a/b c'
  wrong_call waitfor http 'http://a b/'
  wrong_call waitfor http --status '' http://a
}
