# webget: the request, the output, and hostile servers.

load helper/launch
load helper/http

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# ---- the request ----

@test "the request is that of HTTP/1.0, with a Host header" {
  answers
  says 'HTTP/1.0 200 OK\r\nX: y\r\n\r\nbody\n'
  webget -p "$server_at" 127.0.0.1 '/a/b?c=d&e' >out
  cmp out answer
  version=$(webget --version | sed 's/.* //')
  printf '%s\r\n' 'GET /a/b?c=d&e HTTP/1.0' "Host: 127.0.0.1:$server_at" "User-Agent: ipcbox/$version" 'Connection: close' '' >expected
  cmp server.err expected
}

@test "the output is that of the manual's webget" {
  http 'printf "HTTP/1.1 200 OK\r\nServer: peer\r\n\r\nthis is %s\nall of it" "$what"'
  "$PERL/perlipc-webget" 127.0.0.1 "$server_at" /one /two >expected
  webget -p "$server_at" 127.0.0.1 /one /two >out
  cmp out expected
  [ "$(grep -c 'this is' out)" -eq 2 ]
}

@test "a URL's host, port, path and query are used, its fragment is not" {
  answers
  says 'HTTP/1.0 200 OK\r\n\r\n'
  local at=127.0.0.1:$server_at url
  for url in "http://$at" "HTTP://$at/" "http://$at?q=1/2" "http://$at#here?" "http://$at/x?y#z" "http://$at/%20://"; do
    run -0 timeout --foreground 60 webget "$url"
  done
  run -0 timeout --foreground 60 webget "http://$at/1" "http://$at/2"
  run -0 timeout --foreground 60 webget -p "$server_at" http://127.0.0.1/3
  [ "$(grep -o '^GET .* HTTP' server.err | tr '\n' ,)" = \
    'GET / HTTP,GET / HTTP,GET /?q=1/2 HTTP,GET / HTTP,GET /x?y HTTP,GET /%20:// HTTP,GET /1 HTTP,GET /2 HTTP,GET /3 HTTP,' ]
}

@test "an IPv6 address stands in brackets in a URL and in the request" {
  need_ipv6
  http 'printf "HTTP/1.0 200 OK\r\n\r\nsix\n"' ::1
  run -0 timeout --foreground 60 webget -b "http://[::1]:$server_at/"
  [ "$output" = six ]
  run -0 timeout --foreground 60 webget -b -p "$server_at" ::1 /
  run -0 timeout --foreground 60 webget -b -p "$server_at" 'http://[::1]?'
  [ "$(grep -c "^Host: \[::1\]:$server_at"$'\r$' server.err)" -eq 3 ]
}

@test "-H adds headers, and its Host is the only one" {
  answers
  says 'HTTP/1.0 200 OK\r\n\r\n'
  get -H 'X-One: 1' -H 'Accept: text/*' -H 'hOst: other.test' /
  [ "$status" -eq 0 ]
  [ "$(grep -ci ^host: server.err)" -eq 1 ]
  grep -q $'^hOst: other.test\r$' server.err
  grep -q $'^X-One: 1\r$' server.err
  grep -q $'^Accept: text/\*\r$' server.err
}

@test "--unix connects to a socket's path or abstract name, whatever the host" {
  script handler "$(reading_head) printf 'HTTP/1.0 200 OK\r\n\r\nlocal\n'"
  start server unixserver ./socket ./handler
  run -0 timeout --foreground 60 webget -b --unix ./socket no.such.host.test /x
  [ "$output" = local ]
  [ "$(grep Host asked)" = 'Host: no.such.host.test' ]
  run -0 timeout --foreground 60 webget -b --unix ./socket http://elsewhere.test:81/y
  [ "$(grep Host asked)" = 'Host: elsewhere.test:81' ]
  run -111 timeout --foreground 60 webget --unix ./nothing host /
  [ "$output" = 'webget: connect to ./nothing: No such file or directory' ]
  start abstract unixserver "@webget.$$" ./handler
  run -0 timeout --foreground 60 webget -b --unix "@webget.$$" host /
  [ "$output" = local ]
}

# ---- the output ----

@test "head and body are printed unchanged, -b prints the body only" {
  answers
  says 'HTTP/1.1 200 OK\nx:y\r\nContent-Length: 8\n\n\0\0377\r\n\033\0033c'
  webget "http://127.0.0.1:$server_at/" >out || :
  cmp out answer
  printf '\0\377\r\n\033\033c' >expected
  says 'HTTP/1.1 200 OK\r\n\r\n\0\0377\r\n\0033\0033c'
  webget -b "http://127.0.0.1:$server_at/" >out
  cmp out expected
}

@test "a program under tcpserver as a web server" {
  script handler "$(reading_head) printf 'HTTP/1.0 200 OK\r\n\r\nyou asked: '; head -n 1 asked"
  start server tcpserver 127.0.0.1 0 ./handler
  get -b /some/thing
  [ "$status" -eq 0 ]
  [ "$output" = 'you asked: GET /some/thing HTTP/1.0' ]
}

@test "python's web server" {
  need python3 python3
  random_bytes 300000 >file
  PYTHONUNBUFFERED=1 background server python3 -m http.server --bind 127.0.0.1 0
  until_line server.out 'port [0-9]+'
  server_at=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' server.out)
  webget -b "http://127.0.0.1:$server_at/file" | cmp - file
  get -f /nothing
  [ "$status" -eq 1 ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/nothing: 404 File not found" ]
}

@test "busybox's web server" {
  need busybox busybox
  busybox --list | grep -qx httpd || skip "this busybox has no httpd"
  local port
  random_bytes 300000 >file
  port=$(free_port)
  background server busybox httpd -f -p "127.0.0.1:$port" -h .
  tcpclient --retry 127.0.0.1 "$port" true
  webget -b "http://127.0.0.1:$port/file" >out
  cmp out file
  run -1 timeout --foreground 60 webget -f "http://127.0.0.1:$port/nothing"
}

@test "-f fails for 400 and above, and prints nothing to stdout" {
  answers
  for code in 400 404 503 999; do
    says "HTTP/1.1 $code Not \\0033[31mhere\\r\\n\\r\\nno such thing\\n"
    get -f /
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: $code Not \\x1b[31mhere" ]
  done
  get -b /
  [ "$status" -eq 0 ]
  [ "$output" = 'no such thing' ]
  says 'HTTP/1.1 399 x\r\n\r\n'
  get -f /
  [ "$status" -eq 0 ]
}

@test "all documents are requested, and the first failure is the status" {
  http 'case $what in
    bad) echo "what?" ;;
    no) printf "HTTP/1.0 404 No\r\n\r\n" ;;
    *) printf "HTTP/1.0 200 OK\r\n\r\n%s\n" "$what" ;;
    esac'
  run -1 --separate-stderr timeout --foreground 60 webget -bf -p "$server_at" 127.0.0.1 /a /no /bad /b
  [ "$output" = 'a
b' ]
  [ "${#stderr_lines[@]}" -eq 2 ]
  run -111 --separate-stderr timeout --foreground 60 webget -bf -p "$server_at" 127.0.0.1 /bad /no /b
  [ "$output" = b ]
}

@test "control characters in the head are escaped on a terminal" {
  answers
  says 'HTTP/1.1 200 \0033]0;title\0007\r\nX: \0033[31mred\0302\0233m \0177\rover\r\nContent-Length: 3\r\n\r\nend'
  run -0 timeout --foreground 60 "$HELPERS/at-terminal" -- webget "http://127.0.0.1:$server_at/"
  [[ $output == *'HTTP/1.1 200 \x1b]0;title\x07
X: \x1b[31mred'*'m \x7f
over
Content-Length: 3

end'* ]]
  [[ $output != *[$'\e\x07\x7f']* ]]
  [[ $output != *$'\xc2\x9b'* ]]
}

@test "--progress prints to stderr how much was received" {
  answers
  says "HTTP/1.0 200 OK\\r\\n\\r\\n$(printf '%1000s' x)"
  get -b --progress /
  [ "$status" -eq 0 ]
  [[ $stderr == "webget: sent 0 received 1000 bytes in "* ]]
}

# ---- incomplete and invalid responses ----

@test "a body that is shorter than its Content-Length is an error, and is printed" {
  answers
  says 'HTTP/1.1 200 OK\r\ncontent-length:\t 10 \r\n\r\nhalf'
  get -b /
  [ "$status" -eq 111 ]
  [ "$output" = half ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: the body is cut off after 4 of 10 bytes" ]
}

@test "a document ends with its Content-Length, even if the connection stays open or more data comes" {
  http 'printf "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalfand more"; cat >/dev/null'
  get -b /
  [ "$status" -eq 0 ]
  [ "$output" = half ]
  finish "$server"
  http 'length=5; [ "$what" != 200 ] || length=0
    printf "HTTP/1.1 %s x\r\nContent-Length: %s\r\n\r\n" "$what" "$length"; cat >/dev/null'
  for code in 200 204 304; do
    get -b "/$code"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
}

@test "an invalid Content-Length is refused, the same one twice is not" {
  local length
  answers
  for length in '' x -1 +5 0x5 5x '5 5' 5,6 9223372036854775808 99999999999999999999 '4\r\nContent-Length: 5' '\r\n 5'; do
    says "HTTP/1.1 200 OK\\r\\nContent-Length: $length\\r\\n\\r\\nfive!"
    refused 'invalid Content-Length'
  done
  says 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 05\r\n\r\nfive!'
  get -b /
  [ "$output" = 'five!' ]
}

@test "a transfer encoding other than chunked is refused" {
  answers
  for coding in gzip 'gzip, chunked' 'chunked\r\nTransfer-Encoding: chunked' 'chunked\r\nTransfer-Encoding: gzip'; do
    says "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: $coding\\r\\n\\r\\n0\\r\\n\\r\\n"
    refused 'unsupported Transfer-Encoding'
  done
}

@test "a reset in the middle is an error, with and without a length" {
  http 'printf "HTTP/1.1 200 OK\r\n"; [ "$what" != length ] || printf "Content-Length: 100\r\n"
    printf "\r\nhalf"; exit 99' # a reset
  for path in /length /none; do
    get "$path"
    [ "$status" -eq 111 ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at$path: Connection reset by peer" ]
  done
}

@test "a response that is empty, or ends within its head, is an error" {
  answers
  says ''
  refused 'the response is empty'
  says 'HTTP/1.1 200 OK\r\nX: y\r\n'
  refused 'the response ends within its head'
  says 'HTTP/1.1 200 OK\r\nX: y\r\n\r'
  refused 'the response ends within its head'
}

@test "a response that is not HTTP is refused" {
  local line
  answers
  for line in hello 'HTTP/2 200 OK' 'HTTP/1.1 99 x' 'HTTP/1.1 20 x' 'HTTP/1.1 2000 x' 'HTTP/1.1 +20 x' 'HTTP/1.1' 'HTTP/1.1 ' \
    'HTTP/1.1  200 OK' 'http/1.1 200 OK' 'ICY 200 OK' '\0HTTP/1.1 200 OK' '\r\nHTTP/1.1 200 OK' 'HTTP/1.1\0200 OK' 'HTTP/1.1 200OK' \
    'HTTP/02.0 200 OK' 'HTTP/0.9 200 OK' 'HTTP/11 200 OK' 'HTTP/.1 200 OK' 'HTTP/1.x 200 OK' 'HTTP/1 1. 200 OK'; do
    says "$line\\r\\nX: y\\r\\n\\r\\nbody"
    refused 'the response is not HTTP'
  done
}

@test "interim responses are skipped" {
  answers
  says 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody\n'
  webget "http://127.0.0.1:$server_at/" >out
  printf 'HTTP/1.1 200 OK\r\n\r\nbody\n' | cmp - out
  says 'HTTP/1.1 100 Continue\r\n\r\n'
  refused 'the response is empty'
}

# ---- servers that send too much, or nothing ----

@test "a head of 64 KiB is accepted, a longer or endless one is refused" {
  http 'printf "HTTP/1.1 200 OK\r\nX: "; head -c $((what - 24)) /dev/zero | tr "\0" y; printf "\r\n\r\nbody"'
  get -b /65536
  [ "$status" -eq 0 ]
  [ "$output" = body ]
  get -b /65537
  [ "$status" -eq 111 ]
  [[ $stderr == *": the head is longer than 64 KiB" ]]
  finish "$server"
  http 'printf "HTTP/1.1 200 OK\r\n"; [ "$what" != lines ] || exec yes "X: y$(printf "\r")"; tr "\0" y </dev/zero'
  for path in /lines /one-line; do
    get "$path"
    [ "$status" -eq 111 ]
    [[ $stderr == *": the head is longer than 64 KiB" ]]
  done
}

# bats test_tags=long
@test "-t: a head byte by byte, a body that stalls, a server that is silent or does not accept are given up" {
  http 'case $what in
    slow) printf "HTTP/1.1 200 OK\r\nX: "; while printf y; do sleep 0.05 || :; done ;;
    body) printf "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"; cat >/dev/null ;;
    *) cat >/dev/null ;;
    esac'
  for path in /silent /slow; do
    get -b -t 0.5 "$path"
    [ "$status" -eq 124 ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at$path: the deadline passed" ]
  done
  with_time half -124 bash -c 'exec timeout --foreground 60 webget -b -t @T@ "$0" >half' "http://127.0.0.1:$server_at/body"
  [ "$output" = "webget: get http://127.0.0.1:$server_at/body: the deadline passed" ]
  [ "$(cat half)" = half ]
  peer server -b 0 127.0.0.1 full wait
  until_line server.err full
  get -t 0.3 /
  [ "$status" -eq 124 ]
  [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a document ends with its Content-Length, however small the last piece" {
  # the pause makes the last piece one of its own
  http 'printf "HTTP/1.1 200 OK\r\nContent-Length: 1000010\r\n\r\n"; head -c 1000000 /dev/zero
    sleep 0.3 || :; echo "the end!!"; cat >/dev/null'
  timeout --foreground 30 webget -b "http://127.0.0.1:$server_at/" | cat >piped
  [ "${PIPESTATUS[0]}" -eq 0 ]
  timeout --foreground 30 webget -b "http://127.0.0.1:$server_at/" >out
  timeout --foreground 30 webget -b "http://127.0.0.1:$server_at/" >>appended
  cmp piped out
  cmp piped appended
  [ "$(wc -c <out)" -eq 1000010 ]
  [ "$(tail -c 10 out)" = 'the end!!' ]
}

@test "300 MB in constant memory" {
  http 'printf "HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n"; head -c 300000000 /dev/zero; cat >/dev/null'
  mkfifo body go
  webget -b "http://127.0.0.1:$server_at/" >body 3>&- &
  local client=$! peak
  started+=("$client")
  # all except the end: webget is still running then
  background reader sh -c 'exec <body; head -c 290000000 | wc -c; : >there; read -r _ <go; wc -c'
  until_true test -e there
  peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$client/status")
  echo "peak: $peak kB"
  echo >go
  ends_with 0 "$client"
  ends_with 0 "$reader"
  [ "$(cat reader.out)" = $'290000000\n10000000' ]
  ((peak < 20480))
}

@test "the body goes from the socket to a pipe without being read" {
  need strace strace
  http 'printf "HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n"; head -c 20000000 /dev/zero; cat >/dev/null'
  strace -qq -e signal=none -e trace=read,recvfrom,recvmsg,readv,splice,write -o log webget -b "http://127.0.0.1:$server_at/" | wc -c >count
  [ "$(cat count)" -eq 20000000 ]
  moved() {
    sed -nE "/^($1)\\(/ s/.* = ([0-9]+)\$/\\1/p" log | awk '{ n += $1 } END { print n + 0 }'
  }
  (($(moved splice) >= 20000000 - 65536))
  (($(moved 'recvfrom|recvmsg') <= 65536))
}

# ---- stdout ----

@test "a stdout that is full or closed is an error, one without a reader is SIGPIPE, as for any filter" {
  answers
  says 'HTTP/1.0 200 OK\r\n\r\nbody'
  export url=http://127.0.0.1:$server_at/
  run -111 bash -c 'webget "$url" >/dev/full'
  [ "$output" = 'webget: write stdout: No space left on device' ]
  run -111 bash -c 'webget "$url" >&-'
  [ "$output" = 'webget: write stdout: Bad file descriptor' ]
  run -0 bash -c 'env --default-signal=PIPE webget "$url" 2>err | :; echo "${PIPESTATUS[0]}"'
  [[ $output == 141 || $output == 0 ]]
  [ ! -s err ]
  mkfifo unread
  exec 8<>unread
  exec 9>unread 8>&-
  run -0 how_it_ends env --default-signal=PIPE bash -c 'exec webget "$url" >&9'
  [ "$output" = 'exit 0 signal 13' ]
  run -111 env --ignore-signal=PIPE bash -c 'exec webget "$url" >&9'
  [ "$output" = 'webget: write stdout: Broken pipe' ]
}

@test "a reader that exits in the middle of a body: SIGPIPE" {
  http 'printf "HTTP/1.1 200 OK\r\n\r\n"; exec cat /dev/zero'
  export url=http://127.0.0.1:$server_at/
  run -0 bash -c 'env --default-signal=PIPE timeout --foreground 60 webget "$url" | head -c 1000000 | wc -c; echo "${PIPESTATUS[0]}"'
  [ "$output" = '1000000
141' ]
}

# ---- usage errors ----

@test "usage errors" {
  local words word
  wrong_call webget
  wrong_call webget 127.0.0.1
  for word in x '' '/a b' $'/a\nb' $'/\x7f' http://x/ ; do
    wrong_call webget 127.0.0.1 /good "$word"
  done
  for word in '' 'a b' a/b a@b 'a#' '[::1' 'user:secret@a' $'a\r'; do
    wrong_call webget "$word" /
  done
  for word in https://x/ ftp://x/ http:// http:/// http://:80/ http://x:0/ http://x:65536/ http://x:1x/ http://@ http://user@ http://us%00er@x/ \
    'http://[::1/' 'http://[::1]x/' 'http://x/a b' $'http://x/\n'; do
    wrong_call webget "$word"
    wrong_call webget http://127.0.0.1:1/ "$word"
  done
  for word in 0 65536 x ''; do
    wrong_call webget -p "$word" host /
  done
  for word in '' x ':x' 'X y: z' $'X: a\r\nY: b' $'X: \x01'; do
    wrong_call webget -H "$word" host /
  done
  wrong_call webget -t x host /
  wrong_call webget --unix '' host /
  wrong_call webget --unix "$(printf 'x%.0s' {1..108})" host /
}

@test "a connection that fails is 111 and one line" {
  local port
  port=$(free_port)
  run -111 timeout --foreground 60 webget "http://127.0.0.1:$port/"
  [ "$output" = "webget: connect to 127.0.0.1 port $port (127.0.0.1:$port): Connection refused" ]
}

# ---- hostile servers ----

@test "a status line is the first line, and not a word of another line, even with -f" {
  answers
  for line in 'HTTP/1.1\r\nX: 404 Gone' 'HTTP/1.1\0 404 Gone' 'HTTP/1.1\r\nX: 200 OK' 'HTTP/1. 200 OK' 'HTTP/1.1x 200 OK'; do
    says "$line\\r\\n\\r\\nbody"
    get -f /
    [ "$status" -eq 111 ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: the response is not HTTP" ]
  done
}

@test "NUL bytes in a head are refused, even on a terminal" {
  answers
  says 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\0\r\n\r\nend'
  refused 'invalid header'
  run -111 timeout --foreground 60 "$HELPERS/at-terminal" -- webget "http://127.0.0.1:$server_at/"
}

@test "endless interim responses are given up" {
  http 'exec yes "$(printf "HTTP/1.1 100 Continue\r\n\r")"'
  get -t 0.5 /
  [[ $status == 111 || $status == 124 ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "-t: an endless body is given up" {
  need strace strace
  http 'printf "HTTP/1.1 200 OK\r\n\r\n"; exec cat /dev/zero'
  # each read takes a while: the server is always faster
  run -124 timeout --foreground -s KILL 60 strace -qq -o log -e trace=recvfrom -e inject=recvfrom:delay_enter=3000 \
    bash -c 'exec webget -t 0.5 "$0" >/dev/null' "http://127.0.0.1:$server_at/"
}

@test "-t: a stalled reader is given up, at whatever document" {
  http 'printf "HTTP/1.1 200 OK\r\n\r\n"; exec cat /dev/zero'
  mkfifo body
  exec 8<>body
  run -124 timeout --foreground -s KILL 60 bash -c 'exec webget -t 0.5 -p "$0" 127.0.0.1 /1 /2 >body' "$server_at"
  exec 8>&-
}
