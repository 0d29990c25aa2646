# webget: chunks, silence, attempts that are repeated, and documents that are resumed.

load helper/launch
load helper/http

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

ok='printf "HTTP/1.0 200 OK\r\n\r\nfine\n"'
reset='exit 99'
empty='exit 0'
half='printf "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"'

# ---- chunks ----

# chunks TEXT: a response of these chunks (with escapes)
chunks() {
  says "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\nX: y\\r\\n\\r\\n$1"
}

@test "chunks are decoded as curl decodes them" {
  need curl curl
  answers
  local text
  for text in '5\r\nhello\r\n0\r\n\r\n' '0\r\n\r\n' '005\r\nhello\r\n1;x=y\r\n!\r\n000\r\n\r\n' 'A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n' \
    '5 \r\nhello\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n' '2\r\n\r\n\r\n0\r\n\r\nmore' '5\nhello\n0\n\n' '6;"\r\nhello!\r\n0\r\n\r\n'; do
    chunks "$text"
    webget -b "http://127.0.0.1:$server_at/" >out
    curl -s "http://127.0.0.1:$server_at/" >expected
    cmp out expected
  done
  webget "http://127.0.0.1:$server_at/" | head -n 2 | grep -q '^Transfer-Encoding: chunked'
}

@test "a chunk counts more than a Content-Length, and ends the document though the connection stays open" {
  http 'printf "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nnext"; cat >/dev/null'
  get -b /
  [ "$status" -eq 0 ]
  [ "$output" = body ]
}

@test "invalid chunks are an error, and so is an end among them" {
  answers
  local text
  for text in 'x\r\n' '\r\n' '-1\r\nx' '0x1\r\nx\r\n0\r\n\r\n' '+1\r\nx\r\n0\r\n\r\n' '1x\r\nx\r\n0\r\n\r\n' '1\r\nxx\r\n0\r\n\r\n' ' 1\r\nx\r\n0\r\n\r\n' \
    '10000000000000000\r\nx' 'fffffffffffffffff\r\n' '\0020\0021\r\nx' "$(printf '0%.0s' {1..70000})"; do
    chunks "$text"
    refused 'invalid chunk'
  done
  for text in '' '5' '5\r\n' '5\r\nhell' '5\r\nhello' '5\r\nhello\r\n' '5\r\nhello\r\n0' '5\r\nhello\r\n0\r\n' '5\r\nhello\r\n0\r\nx: y\r\n'; do
    chunks "$text"
    get -b /
    [ "$status" -eq 111 ]
    [[ $stderr == *": the body is cut off after "[045]" bytes" ]]
  done
  finish "$server"
  http 'printf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"; exec yes "X: y"'
  refused 'invalid chunk'
}

@test "many chunks of all sizes, to a file and to a pipe" {
  need python3 python3
  cat >chunked <<'END'
import random, sys
random.seed(1)
out = sys.stdout.buffer
out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
whole = open("whole", "wb")
for i in range(300):
    data = random.randbytes(random.choice([1, 2, 100, 4095, 4096, 65536, 200000]))
    whole.write(data)
    out.write(b"%x\r\n" % len(data) + data + b"\r\n")
whole.close()
out.write(b"0\r\n\r\n")
END
  http 'python3 chunked'
  timeout --foreground 60 webget -b "http://127.0.0.1:$server_at/" | cat >piped
  cmp piped whole
  timeout --foreground 60 webget -o saved "http://127.0.0.1:$server_at/"
  cmp saved whole
}

@test "nginx, its files and a chunked answer that it passes on" {
  http 'printf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n10\r\n, chunked world\n\r\n0\r\n\r\n"'
  with_nginx "location /proxy { proxy_http_version 1.1; proxy_pass http://127.0.0.1:$server_at; }" \
    'location /moved { return 301 /file; }' 'location /private { auth_basic x; auth_basic_user_file users; }'
  random_bytes 3000000 >www/file
  timeout --foreground 60 webget -b "http://127.0.0.1:$nginx_at/file" | cmp - www/file
  timeout --foreground 60 webget -L -o got "http://127.0.0.1:$nginx_at/moved"
  cmp got www/file
  run -0 timeout --foreground 60 webget -b "http://127.0.0.1:$nginx_at/proxy"
  [ "$output" = 'hello, chunked world' ]
  echo 'u:{PLAIN}p@ss' >users
  mkdir www/private
  echo inside >www/private/x
  run -1 timeout --foreground 60 webget -f "http://127.0.0.1:$nginx_at/private/x"
  run -0 timeout --foreground 60 webget -fb "http://u:p%40ss@127.0.0.1:$nginx_at/private/x"
  [ "$output" = inside ]
}

# ---- silence ----

@test "--idle: a server that is silent before its head, or within its body, is given up: 124" {
  http 'case $what in
    body) '"$half"' ;;
    chunk) printf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha" ;;
    line) printf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n" ;;
    esac; cat >/dev/null'
  for path in /head /body /chunk /line; do
    get -b --idle 0.3 "$path"
    [ "$status" -eq 124 ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at$path: nothing has moved for the time of --idle" ]
  done
  get --idle 1h -t 0.3 /body
  [ "$status" -eq 124 ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/body: the deadline passed" ]
  wrong_call webget --idle 0 host /
  wrong_call webget --idle x host /
}

@test "--idle: a body that goes on takes as long as it takes, and a reader may be slow" {
  http 'printf "HTTP/1.1 200 OK\r\n\r\n"; for i in 1 2 3 4 5 6 7 8; do printf x; sleep 0.5 || :; done'
  get -b --idle 3 /
  [ "$status" -eq 0 ]
  [ "$output" = xxxxxxxx ]
}

# ---- retries ----

@test "-r repeats what may pass: refused, reset, empty, cut off, and some statuses" {
  local code
  for code in "$reset" "$empty" 'printf "HTTP/1.0 200 OK\r\nX"' 'printf "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n"'; do
    in_turn "$code" "$ok"
    get -b /
    [ "$status" -eq 111 ]
    get -b -r 1 /
    [ "$status" -eq 0 ]
    finish "$server"
    in_turn "$code" "$ok"
    get -b -r 1 /
    [ "$status" -eq 0 ]
    [ "$output" = fine ]
    [ -z "$stderr" ]
    [ "$(requests)" -eq 2 ]
    finish "$server"
  done
  for code in 408 429 500 502 503 504; do
    in_turn "printf 'HTTP/1.0 $code x\\r\\n\\r\\nno'" "$ok"
    get -b -r 1 /
    [ "$status" -eq 0 ]
    [ "$output" = fine ]
    finish "$server"
  done
}

@test "-r: a server that is not there yet" {
  local port
  port=$(free_port)
  background client webget -v -b -r 20 "http://127.0.0.1:$port/"
  until_line client.err 'Connection refused'
  peer server -p "$port" 127.0.0.1 accept head sh "$ok" close again
  ends_with 0 "$client"
  [ "$(cat client.out)" = fine ]
}

@test "what can't pass is not repeated; after N retries the last failure counts" {
  in_turn 'echo what; echo' "$ok"
  get -b -r 3 /
  [ "$status" -eq 111 ]
  [ "$(requests)" -eq 1 ]
  finish "$server"
  in_turn 'printf "HTTP/1.0 404 x\r\n\r\n"' "$ok"
  get -f -r 3 /
  [ "$status" -eq 1 ]
  [ "$(requests)" -eq 1 ]
  finish "$server"
  http 'printf "HTTP/1.0 503 busy\r\n\r\nlast"'
  get -v -b -r 2 /
  [ "$status" -eq 0 ]
  [ "$output" = last ]
  [ "$(requests)" -eq 3 ]
  [ "${#stderr_lines[@]}" -eq 2 ]
  get -f -r 1 /
  [ "$status" -eq 1 ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: 503 busy" ]
  [ "$(requests)" -eq 5 ]
  for word in '' x -1 1001; do
    wrong_call webget -r "$word" host /
  done
}

@test "-r never begins again once stdout has bytes, or a FIFO" {
  in_turn "$half" "$ok"
  get -b -r 3 /
  [ "$status" -eq 111 ]
  [ "$output" = half ]
  [ "$(requests)" -eq 1 ]
  finish "$server"
  in_turn 'printf "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n"' "$ok"
  get -r 3 / # the head is there already
  [ "$status" -eq 111 ]
  [ "$(requests)" -eq 1 ]
  finish "$server"
  in_turn "$half" "$ok"
  get -o /dev/stdout -r 3 /
  [ "$status" -eq 111 ]
  [ "$output" = half ]
}

@test "the first pause is half a second, the second is longer" {
  in_turn "date +%s%N >at.0; $reset" "date +%s%N >at.1; $reset" "date +%s%N >at.2; $ok"
  get -b -r 2 /
  [ "$status" -eq 0 ]
  (($(cat at.1) - $(cat at.0) >= 500000000))
  (($(cat at.2) - $(cat at.1) >= 1000000000))
}

@test "Retry-After is waited for, in seconds or as a date, if -t allows it" {
  local busy='HTTP/1.0 503 busy\r\n'
  in_turn 'printf "HTTP/1.0 503 busy\r\nRetry-After: 2\r\n\r\n"; date +%s%N >at.0' "date +%s%N >at.1; $ok"
  get -b -r 1 /
  [ "$status" -eq 0 ]
  (($(cat at.1) - $(cat at.0) >= 1900000000))
  finish "$server"
  in_turn 'printf "HTTP/1.0 429 busy\r\nDate: Fri, 06 Nov 2026 23:59:59 GMT\r\nRetry-After: Sat, 07 Nov 2026 00:00:01 GMT\r\n\r\n"; date +%s%N >at.0' \
    "date +%s%N >at.1; $ok"
  get -b -r 1 /
  [ "$status" -eq 0 ]
  (($(cat at.1) - $(cat at.0) >= 1900000000))
  finish "$server"
  answers
  for after in 100 3600 4294967295 'Fri, 06 Nov 2026 10:30:00 GMT' 'Sat, 07 Nov 2026 09:00:00 GMT' 99999999999 99999999999999999999999 \
    'Sun, 15 Nov 2026 10:00:01 GMT' 'Sun, 06 Dec 2026 10:00:01 GMT' 'Fri, 06 Nov 2027 10:00:01 GMT' 'Fri, 31 Dec 9999 23:59:59 GMT'; do
    says "${busy}Date: Fri, 06 Nov 2026 10:00:00 GMT\\r\\nRetry-After: $after\\r\\n\\r\\n"
    get -f -t 90 -r 3 /
    [ "$status" -eq 1 ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: 503 busy" ]
  done
  says "${busy}Retry-After: 3601\\r\\n\\r\\n"
  get -f -r 3 /
  [ "$status" -eq 1 ]
  [ "$(requests)" -eq 12 ]
  # these are none
  for after in -1 x '' 'Fri, 06 Nov 2026 09:59:00 GMT' 'Fri, 06 Nov 2026' 'Thu, 05 Nov 2026 11:00:00 GMT' 'Sun, 06 Nov 1994 10:00:01 GMT' \
    'Fri, 06 Nox 2026 11:00:00 GMT' 'Fri, 06 Nov 2026 1x:00:00 GMT'; do
    says "${busy}Date: Fri, 06 Nov 2026 10:00:00 GMT\\r\\nRetry-After: $after\\r\\n\\r\\n"
    get -f -r 1 /
    [ "$status" -eq 1 ]
  done
  [ "$(requests)" -eq 30 ]
}

@test "-t is for all attempts" {
  http "$reset"
  get -b -t 2 -r 1000 /
  [[ $status == 111 || $status == 124 ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  (($(requests) < 10))
}

# ---- resuming ----

# broken VALIDATOR...: a response of 5000 bytes with these headers that is cut off after 3000
broken() {
  printf 'printf "HTTP/1.1 200 OK\\r\\nDate: Fri, 06 Nov 2026 10:00:00 GMT\\r\\nContent-Length: 5000\\r\\n'
  printf '%s\\r\\n' "$@"
  printf '\\r\\n"; head -c 3000 whole'
}

# rest RANGE [HEADER...]: a 206 with that Content-Range and the rest
rest() {
  printf 'printf "HTTP/1.1 206 Partial\\r\\nDate: Fri, 06 Nov 2026 10:00:05 GMT\\r\\nContent-Range: %s\\r\\n' "$1"
  [ $# -eq 1 ] || printf '%s\\r\\n' "${@:2}"
  printf '\\r\\n"; tail -c +3001 whole'
}

all='printf "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"; cat whole'

@test "a file that is cut off is resumed by If-Range on a strong ETag or Last-Modified" {
  random_bytes 5000 >whole
  local validator
  for validator in 'ETag: \"a,b\"' 'Last-Modified: Fri, 06 Nov 2026 09:59:59 GMT'; do
    in_turn "$(broken "$validator")" "$(rest 'bytes 3000-4999/5000' "$validator")"
    get -o got -r 1 /
    [ "$status" -eq 0 ]
    cmp got whole
    grep -qx $'Range: bytes=3000-\r' server.err
    value=${validator#*: }
    grep -qxF "If-Range: ${value//\\/}"$'\r' server.err
    finish "$server"
    rm got
  done
}

@test "a file is not resumed by a weak ETag, a Last-Modified of the same second, or none, or with the user's Range" {
  random_bytes 5000 >whole
  local validator
  for validator in 'ETag: W/\"x\"' 'Last-Modified: Fri, 06 Nov 2026 10:00:00 GMT' 'X: y' \
    $'ETag: W/\\"x\\"\\r\nLast-Modified: Fri, 06 Nov 2026 09:00:00 GMT' 'ETag: none'; do
    in_turn "$(broken "$validator")" "$all"
    get -o got -r 1 /
    [ "$status" -eq 0 ]
    cmp got whole
    run ! grep -q Range: server.err
    finish "$server"
    rm got
  done
  in_turn "$(broken 'ETag: \"x\"')" "$all"
  get -o got -r 1 -H 'If-Range: "y"' /
  [ "$status" -eq 0 ]
  cmp got whole
  run ! grep -q '^Range:' server.err
}

# bats test_tags=long
@test "a server that does not send just that rest: the file is got from its start" {
  random_bytes 5000 >whole
  local code
  for code in "$(rest 'bytes 2999-4999/5000')" "$(rest 'bytes 3001-4999/5000')" "$(rest 'bytes 3000-4998/5000')" "$(rest 'bytes 3000-5000/5001')" \
    "$(rest 'bytes 3000-4999/*')" "$(rest 'bytes */5000')" "$(rest 'octets 3000-4999/5000')" "$(rest x)" "$(rest 'bytes 3000-4999/5000' 'ETag: \"y\"')" \
    'printf "HTTP/1.1 206 x\r\n\r\nxx"' 'printf "HTTP/1.1 416 x\r\nContent-Range: bytes */10\r\n\r\nxx"'; do
    in_turn "$(broken 'ETag: \"x\"')" "$code" "$all"
    get -o got -f -r 2 /
    [ "$status" -eq 0 ]
    cmp got whole
    [ "$(requests)" -eq 3 ]
    [ "$(grep -c '^Range:' server.err)" -eq 1 ]
    finish "$server"
    rm got
  done
  in_turn "$(broken 'ETag: \"x\"')" "$all"
  get -o got -r 1 /
  [ "$status" -eq 0 ]
  cmp got whole
}

@test "a rest that is cut off, or that fails in between, goes on where it was; a whole that is not whole is no file" {
  random_bytes 5000 >whole
  local some='printf "HTTP/1.1 206 x\r\nContent-Range: bytes 3000-4999/5000\r\n\r\n"; head -c 4000 whole | tail -c 1000'
  in_turn "$(broken 'ETag: \"x\"')" 'printf "HTTP/1.0 503 x\r\n\r\nno"' "$reset" "$some" \
    'printf "HTTP/1.1 206 x\r\nContent-Range: bytes 4000-4999/5000\r\nContent-Length: 1000\r\n\r\n"; tail -c 1000 whole'
  get -o got -r 4 /
  [ "$status" -eq 0 ]
  cmp got whole
  [ "$(grep '^Range:' server.err | tr -d '\r' | tr '\n' ,)" = 'Range: bytes=3000-,Range: bytes=3000-,Range: bytes=3000-,Range: bytes=4000-,' ]
  finish "$server"
  rm got
  in_turn "$(broken 'ETag: \"x\"')" "$some"
  get -o got -r 1 /
  [ "$status" -eq 111 ]
  [ ! -e got ]
  finish "$server"
  answers
  says 'HTTP/1.1 206 x\r\nContent-Range: bytes 0-3/10\r\n\r\npart'
  get -o got /
  [ "$status" -eq 111 ]
  [ ! -e got ]
  get -o got -H 'Range: bytes=0-3' /
  [ "$status" -eq 0 ]
  [ "$(cat got)" = part ]
}

@test "nginx resumes a file that a broken connection has cut off, and not one that has changed" {
  with_nginx
  random_bytes 3000000 >www/file
  # the first connection breaks after a third of the file
  script bin/relay 'if mkdir first 2>/dev/null; then tcpclient 127.0.0.1 '"$nginx_at"' sh -c "read_head <&3 >&7; head -c 1000000 <&6" 3<&0
    [ ! -e change ] || cat change >www/file
  else exec tcpclient 127.0.0.1 '"$nginx_at"' sh -c "read_head <&3 >&7; cat <&6" 3<&0; fi'
  script bin/read_head 'while read -r line; do printf "%s\n" "$line" | tee -a heads; [ "${#line}" -gt 1 ] || break; done'
  start server tcpserver 127.0.0.1 0 relay
  get -o got -r 3 /file
  [ "$status" -eq 0 ]
  cmp got www/file
  grep -q '^If-Range: "' heads
  [ "$(grep -c '^Range: bytes=[0-9]' heads)" -eq 1 ]
  rmdir first
  : >heads
  random_bytes 2500000 >change
  get -o got -r 3 /file
  [ "$status" -eq 0 ]
  cmp got change
  grep -q '^If-Range: "' heads
}

@test "--confine resumes, too" {
  run tcpclient --confine 127.0.0.1 1
  [[ $output != *"--confine needs"* ]] || skip "$output"
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
  random_bytes 5000 >whole
  in_turn "$(broken 'ETag: \"x\"')" "$(rest 'bytes 3000-4999/5000')"
  get --confine -o got -r 1 /
  [ "$status" -eq 0 ]
  cmp got whole
}
