# tcpserver --proxy: the PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt), and the wrong ones.

load helper/tcpserver

setup() {
  server_setup
  # says who is there, then what came behind the header
  script bin/who 'echo "$PROTO $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT"; exec cat'
}

teardown() {
  server_teardown
}

v1='PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n'
v1_says='TCP 192.0.2.1 40000 198.51.100.2 25'
# printf's: version 2's signature; PROXY over TCP4, TCP6; the addresses and ports of both
v2='\r\n\r\n\0\r\nQUIT\n'
v2_tcp4='\300\0\2\1\306\63\144\2\234\100\0\31'
v2_tcp6='\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\2\234\100\0\31'
v2_tcp6_says='TCP6 2001:db8::1 40000 2001:db8::2 25'

# sends BYTES [TCPCLIENT-OPTION...]: what srv answers to these bytes, printf's way.
sends() {
  local bytes=$1
  shift
  printf "$bytes" | tcpclient "$@" 127.0.0.1 "$srv_at"
}

# says WANT BYTES: the program says who is there and what came behind the header.
says() {
  local got
  got=$(sends "$2") || :
  [ "$got" = "$1" ] || { echo "to $2: '$got', not '$1'"; return 1; }
}

# own BYTES: it is the connection itself that counts.
own() {
  local got
  got=$(sends "$1" | head -n 1)
  [[ $got =~ ^"TCP 127.0.0.1 "[0-9]+" 127.0.0.1 $srv_at"$ ]] || { echo "to $1: '$got'"; return 1; }
}

# hangs_up_on BYTES: it answers nothing, says why in one line, and lives.
hangs_up_on() {
  local got before
  echo "to $1"
  before=$(wc -l <srv.err)
  got=$(sends "$1" 2>/dev/null) || :
  [ -z "$got" ]
  around srv
  tail -n +$((before + 1)) srv.err | grep -v ' accepted ' >said
  grep -qE '^tcpserver: read PROXY header from 127\.0\.0\.1:[0-9]+: ' said
  [ "$(wc -l <said)" -eq 1 ]
}

# ---- version 1 ----

@test "version 1 gives the addresses; the program reads what follows" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  says "$v1_says" "$v1"
  says "$v1_says"$'\nHELO me\nPROXY TCP4 again' "$v1"'HELO me\nPROXY TCP4 again\r\n' ||
    says "$v1_says"$'\nHELO me\nPROXY TCP4 again\r' "$v1"'HELO me\nPROXY TCP4 again\r\n'
  says 'TCP6 2001:db8::1 1 2001:db8::2 65535' 'PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 1 65535\r\n'
  says 'TCP 0.0.0.0 0 255.255.255.255 65535' 'PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n'
}

@test "version 1: an IPv4-mapped IPv6 address is shown, counted and ruled as IPv4" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  says "$v1_says" 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 40000 25\r\n'
  says 'TCP 192.0.2.1 40000 2001:db8::2 25' 'PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 40000 25\r\n' # as haproxy writes it
  finish "$srv"
  printf '192.0.2.:deny\n' >rules
  start srv tcpserver --proxy --per-net -C '1:no\n' -x rules 127.0.0.1 0 sh -c 'echo yes; cat'
  connect c "$srv_at"
  printf 'PROXY TCP6 ::ffff:198.51.100.1 ::1 1 2\r\n' >&"$c"
  hear "$c"
  [ "$(sends 'PROXY TCP4 198.51.100.2 127.0.0.1 1 2\r\n')" = no ]
  [ "$(sends 'PROXY TCP6 ::ffff:203.0.113.1 ::1 1 2\r\n')" = yes ]
  [ -z "$(sends 'PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n')" ]
}

@test "version 1: nginx writes a client of another family than its own address" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  says 'TCP6 2001:db8::7 40000 127.0.0.1 25' 'PROXY TCP6 2001:db8::7 127.0.0.1 40000 25\r\n'
  says 'TCP 192.0.2.7 40000 ::1 25' 'PROXY TCP4 192.0.2.7 ::1 40000 25\r\n'
  says 'TCP 192.0.2.7 40000 ::1 25' 'PROXY TCP6 192.0.2.7 ::1 40000 25\r\n'
}

@test "version 1, UNKNOWN: the addresses of the connection are kept" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  own 'PROXY UNKNOWN\r\n'
  own 'PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n'
}

# bats test_tags=long
@test "an invalid version 1 line is reported, and the connection closed" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  long=$(printf '%0120d' 0)
  while IFS= read -r line; do
    hangs_up_on "$line"
  done <<END
PROXY\r\n
PROXY \r\n
PROXY TCP4\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000 25 26\r\n
PROXY  TCP4 192.0.2.1 198.51.100.2 40000 25\r\n
PROXY TCP4  192.0.2.1 198.51.100.2 40000 25\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000 65536\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 040000 25\r\n
PROXY TCP4 192.0.2.256 198.51.100.2 40000 25\r\n
PROXY TCP4 192.0.2.1 host 40000 25\r\n
PROXY TCP4 2001:db8::1 2001:db8::2 40000 25\r\n
PROXY TCP6 192.0.2.1 198.51.100.2 40000 25\r\n
PROXY TCP4 2001:db8::1 198.51.100.2 40000 25\r\n
PROXY TCP4 ::ffff:192.0.2.1 198.51.100.2 40000 25\r\n
PROXY TCP6 fe80::1%%lo fe80::2%%lo 40000 25\r\n
PROXY TCP5 192.0.2.1 198.51.100.2 40000 25\r\n
PROXY UDP4 192.0.2.1 198.51.100.2 40000 25\r\n
PROXY UNKNOWNS\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\0\r\n
PROXY UNKNOWN $long\r\n
PROXY UNKNOWN $long
proxy TCP4 192.0.2.1 198.51.100.2 40000 25\r\n
 PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n
PROXY TCP4 192.0.2.1 198.51.100.2 40000 25 \r\n
END
}

# ---- version 2 ----

@test "version 2 gives the addresses; the program reads what follows" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  says "$v1_says" "$v2"'\x21\x11\0\14'"$v2_tcp4"
  says "$v1_says"$'\nHELO me' "$v2"'\x21\x11\0\14'"$v2_tcp4"'HELO me\n'
  says "$v2_tcp6_says"$'\nHELO me' "$v2"'\x21\x21\0\44'"$v2_tcp6"'HELO me\n'
}

@test "version 2: an IPv4-mapped IPv6 address is shown as IPv4" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  mapped='\0\0\0\0\0\0\0\0\0\0\377\377'
  says "$v1_says" "$v2"'\x21\x21\0\44'"$mapped"'\300\0\2\1'"$mapped"'\306\63\144\2\234\100\0\31'
}

@test "version 2: extensions are skipped, however long" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  says "$v1_says"$'\nHELO me' "$v2"'\x21\x11\0\24'"$v2_tcp4"'\3\0\5TLVTLHELO me\n'
  many=$(head -c 65523 /dev/zero | tr '\0' x)
  says "$v1_says"$'\nHELO me' "$v2"'\x21\x11\377\377'"$v2_tcp4${many}HELO me\n"
  says "$v2_tcp6_says"$'\nHELO me' "$v2"'\x21\x21\1\0'"$v2_tcp6${many:0:220}HELO me\n"
}

@test "version 2, LOCAL, no address or a Unix address: the addresses of the connection are kept" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  own "$v2"'\x20\x00\0\0'
  own "$v2"'\x20\x11\0\14'"$v2_tcp4"
  own "$v2"'\x20\x00\0\5hello'
  own "$v2"'\x21\x00\0\0'
  own "$v2"'\x21\x00\0\3xyz'
  own "$v2"'\x21\x31\0\330'"$(printf '%0216d' 0)"
}

@test "an invalid version 2 header is reported, and the connection closed" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  hangs_up_on "$v2"'\x11\x11\0\14'"$v2_tcp4"     # version 1
  hangs_up_on "$v2"'\x31\x11\0\14'"$v2_tcp4"     # version 3
  hangs_up_on "$v2"'\x22\x11\0\14'"$v2_tcp4"     # an unknown command
  hangs_up_on "$v2"'\x21\x12\0\14'"$v2_tcp4"     # UDP
  hangs_up_on "$v2"'\x21\x41\0\14'"$v2_tcp4"     # an unknown family
  hangs_up_on "$v2"'\x21\x11\0\13'"$v2_tcp4"     # too short for its addresses
  hangs_up_on "$v2"'\x21\x21\0\14'"$v2_tcp4"
  hangs_up_on '\r\n\r\n\0\r\nQUIT\r\x21\x11\0\14'"$v2_tcp4" # another signature
}

# ---- what is no header, or not all of it ----

@test "a client without a header is reported, and the connection closed" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  hangs_up_on 'HELO me\r\n'
  hangs_up_on 'P\n'
  hangs_up_on '\r\n\r\n'
  hangs_up_on 'PROXY TCP4 192.0.2.1'
  says "$v1_says" "$v1"
}

# accepted N: so many connections by srv.
accepted() {
  around srv
  [[ $(grep ' accepted ' srv.err | tail -n 1) == *" accepted $1 "* ]]
}

@test "a client that disconnects before its first byte, as health checks do, is reported only with -v" {
  local verbose lines=0
  mkfifo go
  exec 8<>go
  for verbose in -Q -v; do
    start srv tcpserver $verbose --proxy=1h 127.0.0.1 0 who
    [ -z "$(sends '')" ]
    client "$srv_at" reset
    # one that is seen only while its header is waited for
    client "$srv_at" stdin reset <&8 3>&- &
    until_true accepted 3
    echo >&8
    wait $!
    around srv
    [ "$(grep -c 'read PROXY header from' srv.err)" -eq "$lines" ]
    lines=3
    finish "$srv"
  done
}

@test "a client that resets the connection after its first byte is reported" {
  start srv tcpserver --proxy=1h 127.0.0.1 0 who
  client "$srv_at" send 'PROXY TCP4' reset
  until_line srv.err '^tcpserver: read PROXY header from 127\.0\.0\.1:[0-9]+: '
}

# bats test_tags=long
@test "a header may arrive byte by byte" {
  start srv tcpserver --proxy=1h 127.0.0.1 0 who
  for header in "$v1" "$v2"'\x21\x11\0\20'"$v2_tcp4"'\4\0\1x'; do
    connect c "$srv_at"
    printf "$header" | od -An -v -to1 -w1 | tr -d ' ' >bytes
    while read -r byte; do
      printf "\\$byte" >&"$c"
      around srv
    done <bytes
    hear "$c"
    [ "$heard" = "$v1_says" ]
    echo 'HELO me' >&"$c"
    hear "$c"
    [ "$heard" = 'HELO me' ]
    hang_up "$c"
  done
}

# bats test_tags=long
@test "a client that sends no header in time is disconnected; no other client waits for it" {
  start srv tcpserver --proxy=3 127.0.0.1 0 who
  connect silent "$srv_at"
  connect slow "$srv_at"
  printf 'PROXY TCP4 192' >&"$slow"
  says "$v1_says" "$v1"
  [ -z "$(cat <&"$silent")" ]
  [ -z "$(cat <&"$slow")" ]
  [ "$(grep -c '^tcpserver: read PROXY header from 127\.0\.0\.1:[0-9]*: Connection timed out$' srv.err)" -eq 2 ]
  says "$v1_says" "$v1"
}

@test "the time for a header is a total: single bytes don't extend it" {
  start srv tcpserver --proxy=300ms 127.0.0.1 0 who
  connect c "$srv_at"
  # one byte a round, for as long as the server listens; SIGPIPE and an error are its end
  trap '' PIPE
  for ((drips = 0; drips < 100; drips++)); do
    printf '%.1s' "$(printf 'PROXY UNKNOWN %0100d' 0 | tail -c +$((drips + 1)))" >&"$c" 2>/dev/null || break
    ! grep -q 'PROXY header' srv.err || break
    around srv
    read -rt 0.01 <> <(:) || :
  done
  until_line srv.err '^tcpserver: read PROXY header from 127\.0\.0\.1:[0-9]+: Connection timed out$'
  [ "$drips" -lt 100 ]
}

@test "a server that waits for headers handles USR1 and TERM" {
  start srv tcpserver --proxy=1h 127.0.0.1 0 who
  connect a "$srv_at"
  connect b "$srv_at"
  around srv
  [[ $(tail -n 1 srv.err) == "tcpserver: status: 2/40 accepted 2 "* ]]
  finish "$srv"
  [ "$status" -eq 0 ]
  [ -z "$(cat <&"$a")" ]
}

# failed N: so many programs could not be started.
failed() {
  [ "$(grep -c '^clone' trace)" -ge "$1" ]
}

@test "a header that arrives while another connection waits for a process is not late" {
  with_strace trace -e trace=clone,clone3,fork,vfork,ppoll -e inject=clone,clone3,fork,vfork:error=EAGAIN
  start srv traced --proxy=100ms 127.0.0.1 0 who
  # both are accepted in one round: b waits for its header, then a for a process
  kill -STOP "$srv"
  connect b "$srv_at"
  connect a "$srv_at"
  printf "$v1" >&"$a"
  kill -CONT "$srv"
  until_line srv.err '^tcpserver: fork '
  printf "$v1" >&"$b"
  # the waits between these are 50, 100, 200 and 400 ms: b's time is over
  until_true failed 5
  end_strace "$srv"
  hear "$a"
  [ "$heard" = "$v1_says" ]
  hear "$b"
  [ "$heard" = "$v1_says" ]
  [ "$(grep -c '^tcpserver: ' srv.err)" -eq 1 ]
  [ "$(grep -c '^ppoll' trace)" -lt $((4 * $(grep -c '^clone' trace) + 20)) ]
}

@test "--proxy=0 requires the header immediately" {
  start srv tcpserver --proxy=0 127.0.0.1 0 who
  connect c "$srv_at"
  [ -z "$(cat <&"$c")" ]
  until_line srv.err 'PROXY header'
}

# ---- what the header's client is subject to ----

@test "access rules and -C apply to the client behind the proxy" {
  printf '192.0.2.1:deny\n127.0.0.1:deny\n:allow,BY="rule"\n' >rules
  start srv tcpserver --proxy -x rules -C '1:no\n' -v 127.0.0.1 0 sh -c 'echo "$BY $TCPCONNNUM"; cat'
  [ -z "$(sends "$v1")" ]
  grep 'tcpserver: deny 192.0.2.1:40000 by line 1' srv.err
  connect c "$srv_at"
  printf 'PROXY TCP4 192.0.2.2 198.51.100.2 40000 25\r\n' >&"$c"
  hear "$c"
  [ "$heard" = 'rule 1' ]
  [ "$(sends 'PROXY TCP4 192.0.2.2 198.51.100.2 40001 25\r\n')" = no ]
  [ "$(sends 'PROXY TCP4 192.0.2.3 198.51.100.2 40001 25\r\n')" = 'rule 1' ]
  until_line srv.err '^tcpserver: ok [0-9]+ :198\.51\.100\.2:25 :192\.0\.2\.3::40001$'
}

@test "-C counts an IPv6 client by its address, with --per-net by its /64" {
  start srv tcpserver --proxy -C '1:no\n' 127.0.0.1 0 sh -c 'echo yes; cat'
  connect c "$srv_at"
  printf 'PROXY TCP6 2001:db8:0:1::1 ::1 1 2\r\n' >&"$c"
  hear "$c"
  [ "$(sends 'PROXY TCP6 2001:db8:0:1::1 ::1 1 2\r\n')" = no ]
  [ "$(sends 'PROXY TCP6 2001:db8:0:1::2 ::1 1 2\r\n')" = yes ]
  finish "$srv"
  start srv tcpserver --proxy --per-net -C '1:no\n' 127.0.0.1 0 sh -c 'echo yes; cat'
  connect d "$srv_at"
  printf 'PROXY TCP6 2001:db8:0:1::1 ::1 1 2\r\n' >&"$d"
  hear "$d"
  [ "$(sends 'PROXY TCP6 2001:db8:0:1:ffff::2 ::1 1 2\r\n')" = no ]
  [ "$(sends 'PROXY TCP6 2001:db8:0:2::1 ::1 1 2\r\n')" = yes ]
}

@test "the greeting names the client behind the proxy" {
  start srv tcpserver --proxy 127.0.0.1 0
  [[ $(sends "$v1") == "Hello there, 192.0.2.1, it's now "* ]]
}

@test "a banner comes after the header" {
  start srv tcpserver --proxy=1h -B 'welcome: ' 127.0.0.1 0 who
  [ "$(sends "$v1")" = "welcome: $v1_says" ]
  hangs_up_on 'HELO me\r\n'
}

@test "-h looks up the client behind the proxy" {
  name=$(getent hosts 127.0.0.1 | awk '{print $2}')
  [ -n "$name" ] || skip "127.0.0.1 has no name here"
  start srv tcpserver -h --proxy 127.0.0.1 0 tell
  run -0 sends 'PROXY TCP4 127.0.0.1 127.0.0.9 40000 25\r\n' -i 127.0.0.3
  [[ $output == *"TCPREMOTEHOST=$name"* ]]
  [[ $output == *TCPLOCALIP=127.0.0.9* ]]
}

@test "clients that never finish their header count for -c, and no further" {
  start srv tcpserver --proxy=1h -c 3 127.0.0.1 0 who
  connect a "$srv_at"
  connect b "$srv_at"
  says "$v1_says" "$v1"
}

# ---- whose header counts ----

@test "--proxy-from: a header counts from these peers only; all others are refused, with a message" {
  start srv tcpserver --proxy --proxy-from 127.0.0.2,127.1.0.0/16,::1 0 0 who
  for ip in 127.0.0.2 127.1.2.3; do
    [ "$(sends "$v1" -i "$ip")" = "$v1_says" ]
  done
  [ ! -s srv.err ]
  for ip in 127.0.0.1 127.0.0.3 127.2.0.1; do
    got=$(sends "$v1" -i "$ip" 2>/dev/null) || :
    [ -z "$got" ]
    grep -qE "^tcpserver: refuse ${ip//./\\.}:[0-9]+: not one of --proxy-from$" srv.err
  done
  # without a word of theirs
  connect silent "$srv_at"
  [ -z "$(cat <&"$silent")" ]
  [ "$(wc -l <srv.err)" -eq 4 ]
}

@test "--proxy-from: IPv6 blocks, with brackets or without; given twice, both count" {
  need_ipv6
  for list in ::1 '[::1]' ::/127 '[::]/127' '192.0.2.1,::1/128'; do
    start srv tcpserver --proxy --proxy-from "$list" --proxy-from 127.0.0.2 0 0 who
    [ "$(printf "$v1" | tcpclient ::1 "$srv_at")" = "$v1_says" ]
    [ "$(sends "$v1" -i 127.0.0.2)" = "$v1_says" ]
    got=$(sends "$v1" 2>/dev/null) || :
    [ -z "$got" ]
    finish "$srv"
  done
}

@test "--proxy-from: usage errors" {
  for list in '' , 127.0.0.1, ,127.0.0.1 127.0.0.1,,127.0.0.2 127.0.0.1/33 127.0.0.1/8 127.0.0 localhost ::1/129 '[::1' ::1] \
    '[::1]:80' 127.0.0.1:80 2001:db8::1%lo "$(printf '%0200d' 0)"; do
    wrong_call tcpserver --proxy --proxy-from "$list" 127.0.0.1 0 true
  done
  wrong_call tcpserver --proxy-from 127.0.0.1 127.0.0.1 0 true
  [[ ${stderr_lines[0]} == 'tcpserver: --proxy-from needs --proxy' ]]
}

# ---- a real proxy ----

# haproxy VERSION-OPTION: in front of srv; its port in $front.
haproxy_with() {
  need haproxy haproxy
  cat >haproxy.cfg <<END
global
  maxconn 20
defaults
  mode tcp
  timeout connect 30s
  timeout client 30s
  timeout server 30s
listen front
  bind fd@\${FRONT}
  server back 127.0.0.1:$srv_at $1
END
  rm -f ports
  background haproxy env FRONT=3 "$HELPERS/activate" l haproxy -q -db -f haproxy.cfg
  until_true [ -e ports ]
  front=$(cat ports)
}

@test "haproxy's send-proxy and send-proxy-v2 are understood" {
  start srv tcpserver --proxy 127.0.0.1 0 who
  for option in send-proxy send-proxy-v2 'send-proxy-v2 proxy-v2-options unique-id,crc32c'; do
    haproxy_with "$option"
    run -0 tcpclient -i 127.0.0.2 127.0.0.1 "$front" sh -c '
      echo "$TCPLOCALPORT"; echo HELO me >&7; head -n 2 <&6'
    [ "${lines[1]}" = "TCP 127.0.0.2 ${lines[0]} 127.0.0.1 $front" ]
    [ "${lines[2]}" = 'HELO me' ]
    kill -KILL "$haproxy"
  done
}
