# timeserver: which queries it answers, and how. The other side is a program in C (helper/time-client.c) and ours (udptime, tcptime).

load helper/tcpserver
load helper/time

setup() {
  server_setup
  TCPSERVER=timeserver
}

teardown() {
  server_teardown
}

# tells_time HEX [OFFSET]: it is the time of this moment, which the test has been at since $since; its 32 bits wrap in 2036.
tells_time() {
  local later=$(((16#$1 - 2208988800 - ${2:-0} - since) & 0xffffffff))
  [ "${#1}" -eq 8 ]
  ((later <= $(date +%s) - since))
}

# asked ADDRESS PORT [TIME-CLIENT-OPTION...] PROTOCOL: the answer, which must come from there.
asked() {
  run -0 --separate-stderr time-client "${@:3}" "$1" "$2"
  [[ ${lines[0]} == "$1 $2: "* ]]
  answer=${lines[0]#*: }
}

text() {
  printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"
}

# ---- the answers ----

@test "four octets over TCP and UDP, to a program of libc's" {
  start srv timeserver 127.0.0.1 0
  since=$(date +%s)
  asked 127.0.0.1 "$srv_at" tcp
  tells_time "$answer"
  asked 127.0.0.1 "$srv_at" udp
  tells_time "$answer"
}

@test "HOST 0: all addresses of both families; a datagram is answered from the address that was asked" {
  need_ipv6
  start srv timeserver 0 0
  since=$(date +%s)
  for address in 127.0.0.1 127.9.8.7 ::1; do
    for protocol in tcp udp; do
      asked "$address" "$srv_at" "$protocol"
      tells_time "$answer"
    done
  done
}

@test "a name with two addresses: the same port on both" {
  need_ipv6
  need_own_hosts
  printf '::1 both.test\n127.0.0.5 both.test\n' >hosts
  script bin/named 'exec unshare --mount sh -c "mount --bind hosts /etc/hosts && exec timeserver \"\$@\"" "" "$@"'
  start srv named both.test 0
  for address in 127.0.0.5 ::1; do
    asked "$address" "$srv_at" tcp
    asked "$address" "$srv_at" udp
  done
}

@test "a datagram of any length is answered, by four octets" {
  start srv timeserver 127.0.0.1 0
  for bytes in 0 1 4 5 48 1472 9000 65507; do
    asked 127.0.0.1 "$srv_at" -n "$bytes" udp
    [ "${#answer}" -eq 8 ]
  done
}

@test "a client that sends data gets its answer, and no reset" {
  start srv timeserver 127.0.0.1 0
  for bytes in 1 4096 60000; do
    kill -STOP "$srv"
    background client time-client -n "$bytes" tcp 127.0.0.1 "$srv_at"
    until_line client.err '^sent$'
    kill -CONT "$srv"
    ends_with 0 "$client"
    grep -qE ': [0-9a-f]{8}$' client.out
  done
}

@test "a datagram from port 7, 13, 17, 19, 37 or its own is not answered, one from another low port is" {
  need_root
  start srv timeserver -v 127.0.0.1 0
  since=$(date +%s)
  for port in 7 13 17 19 37 "$srv_at"; do
    asked 127.0.0.1 "$srv_at" -l "127.66.0.1:$port" udp
    [ "${lines[1]}" = nothing ]
    [ "$(grep -c "^timeserver: udp 127.66.0.1:$port ignored\$" srv.err)" -eq 1 ]
  done
  asked 127.0.0.1 "$srv_at" -l 127.66.0.1:123 udp
  [ "${lines[1]}" = "${lines[0]}" ]
  [ "$(grep -c told srv.err)" -eq 8 ]
}

@test "--offset: a later or an earlier time" {
  since=$(date +%s)
  for offset in 3600 -86400 0 283996800; do
    start srv timeserver "--offset=$offset" 127.0.0.1 0
    asked 127.0.0.1 "$srv_at" tcp
    tells_time "$answer" "$offset"
    asked 127.0.0.1 "$srv_at" udp
    tells_time "$answer" "$offset"
  done
}

@test "the count wraps around in 2036" {
  local now told
  now=$(date +%s)
  start srv timeserver -o $((2085978496 - now)) 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" udp
  told=$((16#$answer))
  ((told >= 0 && told < 1000))
  run -0 udptime -p "$srv_at" 127.0.0.1
  [[ $output == *' Thu Feb  7 06:'*' 2036' ]]
}

# ---- daytime ----

@test "--daytime: a line of text over TCP, and nothing over UDP" {
  start srv timeserver --daytime 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" tcp
  text "$answer" >line
  grep -qE $'^[A-Z][a-z]+day, [A-Z][a-z]+ [ 0-9][0-9], [0-9]{4} [0-9:]{8}-UTC\r$' line
  [ "$(wc -l <line)" -eq 1 ]
  # the UDP port is still to be had
  start other time-hosts -p "$srv_at" 127.0.0.1=right
  [ "$other_at" = "$srv_at" ]
}

@test "--daytime=udp: the same line over UDP, of the same length for any query" {
  start srv timeserver --daytime=udp --offset=0 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" udp
  text "$answer" >short
  asked 127.0.0.1 "$srv_at" -n 60000 udp
  text "$answer" >long
  for line in short long; do
    grep -qE $'^[A-Z][a-z]+day, [A-Z][a-z]+ [ 0-9][0-9], [0-9]{4} [0-9:]{8}-UTC\r$' "$line"
    [ "$(wc -c <"$line")" -le 64 ]
  done
}

@test "--daytime with --offset" {
  start srv timeserver --daytime --offset=$((2085978496 - $(date +%s))) 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" tcp
  [[ $(text "$answer") == 'Thursday, February  7, 2036 06:'* ]]
}

# ---- many clients, and hostile ones ----

@test "clients that stay connected neither block others nor occupy an fd" {
  start srv timeserver 127.0.0.1 0
  local before fd
  asked 127.0.0.1 "$srv_at" udp # it is in its loop now
  before=$(fd_count "$srv")
  for _ in {1..50}; do
    connect fd "$srv_at"
  done
  asked 127.0.0.1 "$srv_at" tcp
  until_true has_fds "$srv" "$before"
}

# It closes an answered connection after the client knows that there is nothing more.
has_fds() {
  [ "$(fd_count "$1")" -eq "$2" ]
}

@test "without free fds it reports that once, waits, and answers the waiting clients later" {
  need prlimit util-linux
  start srv timeserver 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" udp # it is in its loop now
  local free=0
  while [ -e "/proc/$srv/fd/$free" ]; do
    free=$((free + 1))
  done
  prlimit --pid "$srv" --nofile="$free:"
  background client time-client tcp 127.0.0.1 "$srv_at"
  until_line srv.err '^timeserver: accept: Too many open files$'
  asked 127.0.0.1 "$srv_at" udp
  prlimit --pid "$srv" --nofile=64:
  ends_with 0 "$client"
  grep -qE ': [0-9a-f]{8}$' client.out
  [ "$(wc -l <srv.err)" -eq 1 ]
}

# ---- starting and ending ----

@test "without memory to receive it reports that once, pauses, and goes on" {
  need strace strace
  background srv strace -D -qq -o calls -e trace=recvmsg -e inject=recvmsg:error=ENOMEM:when=1..3 timeserver -1 127.0.0.1 0
  until_true [ -s srv.out ]
  asked 127.0.0.1 "$(cat srv.out)" udp
  [ "$(cat srv.err)" = "timeserver: receive: Cannot allocate memory" ]
  [ "$(grep -c INJECTED calls)" -eq 3 ]
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "SIGTERM: status 0; SIGINT: killed by that signal" {
  start srv timeserver 127.0.0.1 0
  finish "$srv"
  [ "$status" -eq 0 ]
  [ ! -s srv.err ]
  start srv timeserver 127.0.0.1 0
  kill -INT "$srv"
  ends_with 130 "$srv"
}

@test "-v prints each query, as text or as JSON" {
  start srv timeserver -v 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" tcp
  asked 127.0.0.1 "$srv_at" udp
  finish "$srv"
  [[ $(cat srv.err) =~ ^'timeserver: tcp 127.0.0.1:'[0-9]+' told'$'\n''timeserver: udp 127.0.0.1:'[0-9]+' told'$ ]]
  start srv timeserver -v --log-format=json 127.0.0.1 0
  asked 127.0.0.1 "$srv_at" udp
  finish "$srv"
  run -0 of_json applet event protocol result <srv.err
  [ "$output" = 'timeserver question udp told' ]
}

@test "--ready-fd: a newline when it is ready" {
  local port
  port=$(free_port)
  mkfifo ready
  background srv bash -c 'exec timeserver --ready-fd 5 127.0.0.1 "$1" 5>ready' '' "$port"
  read -r line <ready
  [ -z "$line" ]
  asked 127.0.0.1 "$port" tcp
  asked 127.0.0.1 "$port" udp
}

@test "-u: another user once the ports are bound; the default ports are 37, and 13 with --daytime" {
  need_root
  unshare --net true || skip "needs a network namespace of its own"
  # shellcheck disable=SC2016 # for that shell
  run -0 unshare --net bash -uc 'lo-up; mkfifo ready
    timeserver -1 -u nobody >ready & read -r port <ready; echo "$port"
    awk "/^Uid/ { print \$2, \$3, \$4, \$5 }" "/proc/$!/status"
    udptime --json 127.0.0.1 >/dev/null && tcptime --json 127.0.0.1 >/dev/null; echo "$?"
    kill $!
    timeserver -1 -u nobody --daytime >ready & read -r port <ready; echo "$port"
    kill $!'
  uid=$(id -u nobody)
  [ "$output" = "37
$uid $uid $uid $uid
0
13" ]
}

@test "a port that is in use for one protocol is an error" {
  start other time-hosts 127.0.0.1=right
  run -111 timeserver 127.0.0.1 "$other_at"
  [ "$output" = "timeserver: bind 127.0.0.1:$other_at: Address already in use" ]
  start other time-hosts -t 127.0.0.1=right
  run -111 timeserver 127.0.0.1 "$other_at"
  [ "$output" = "timeserver: bind 127.0.0.1:$other_at: Address already in use" ]
}

@test "usage errors" {
  wrong_call timeserver 127.0.0.1
  wrong_call timeserver 127.0.0.1 0 true
  for port in 70000 -1 0x25 5x ''; do
    wrong_call timeserver 127.0.0.1 "$port"
  done
  for offset in '' - +5 1.5 5x 0x10 1h --5 99999999999999; do
    wrong_call timeserver "--offset=$offset" 127.0.0.1 0
  done
  wrong_call timeserver --daytime=tcp 127.0.0.1 0
  wrong_call timeserver --inherit 127.0.0.1 0
}

# ---- sockets from others ----

@test "--inherit: TCP and UDP sockets, and one by name" {
  with_sockets ld
  background srv activated --inherit
  until_true test -e ports
  read -r tcp udp <ports
  asked 127.0.0.1 "$tcp" tcp
  asked 127.0.0.1 "$udp" udp
  finish "$srv"
  rm ports
  with_sockets ld NAMES=one:two
  background srv activated -v --inherit=two
  until_true test -e ports
  read -r tcp udp <ports
  asked 127.0.0.1 "$udp" udp
  finish "$srv"
  run -100 activated --inherit=three
}

@test "--inherit: a UDP socket that tells the time of arrival and more is answered" {
  with_sockets t
  background srv activated --inherit
  until_true test -e ports
  asked 127.0.0.1 "$(cat ports)" udp
}

@test "--inherit: anything but listening TCP sockets and UDP sockets is refused" {
  for kind in u x f; do
    with_sockets "$kind"
    run -100 activated --inherit
  done
  with_sockets d
  run -100 --separate-stderr activated --daytime --inherit
  [[ $stderr == *"a UDP socket needs --daytime=udp"* ]]
  run -100 timeserver --inherit
  with_sockets l WRONG_PID=1
  run -100 activated --inherit
}

@test "--inherit: under systemd-socket-activate, over TCP and UDP" {
  need systemd-socket-activate systemd
  local port
  port=$(free_port)
  background srv systemd-socket-activate -l "127.0.0.1:$port" "$(command -v timeserver)" --inherit
  until_line srv.err '^Listening on'
  asked 127.0.0.1 "$port" tcp
  finish "$srv"
  background srv systemd-socket-activate -d -l "127.0.0.1:$port" "$(command -v timeserver)" --inherit
  until_line srv.err '^Listening on'
  asked 127.0.0.1 "$port" udp
  asked 127.0.0.1 "$port" -n 100 udp
}
