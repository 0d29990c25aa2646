# tcpclient: how it connects, and what a program finds that it runs. What it does without a program is in relay.bats.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# ---- the program ----

@test "a program reads the network from fd 6 and writes to it on fd 7" {
  # shellcheck disable=SC2016
  run -0 with_tcp sh -c 'read -r word; echo "$word" | tr a-z A-Z' ::: tcpclient 127.0.0.1 '{PORT}' \
    sh -c 'echo hello >&7; exec cat <&6'
  [ "$output" = HELLO ]
}

@test "a program finds both ends of its connection in its environment, as the server sees them" {
  start server tcpserver 127.0.0.1 0 sh -c 'echo "$TCPREMOTEIP $TCPREMOTEPORT"'
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" sh -c 'cat <&6; echo "$TCPLOCALIP $TCPLOCALPORT"; env | grep -E "^(PROTO|TCP)" | sort'
  [ "${lines[0]}" = "${lines[1]}" ]
  [ "${lines[*]:2}" = "PROTO=TCP TCP6LOCALIP=::ffff:127.0.0.1 TCP6LOCALPORT=${lines[0]#* } \
TCP6REMOTEIP=::ffff:127.0.0.1 TCP6REMOTEPORT=$server_at TCPLOCALIP=127.0.0.1 TCPLOCALPORT=${lines[0]#* } \
TCPREMOTEIP=127.0.0.1 TCPREMOTEPORT=$server_at" ]
}

@test "variables of another server are removed from the environment" {
  export PROTO=UNIX UNIXLOCALPATH=/old UNIXREMOTEPID=9 TCPREMOTEHOST=stale TCPLOCALHOST=stale TCPREMOTEINFO=x KEPT=yes
  run -0 with_tcp cat ::: tcpclient 127.0.0.1 '{PORT}' sh -c 'env | grep -E "^(PROTO|UNIX|TCP.*(HOST|INFO)|KEPT)" | sort'
  [ "$output" = "KEPT=yes
PROTO=TCP" ]
}

@test "over IPv6 PROTO is TCP6" {
  need_ipv6
  start server tcpserver ::1 0 cat
  run -0 timeout --foreground 60 tcpclient ::1 "$server_at" sh -c 'echo $PROTO $TCPLOCALIP $TCPREMOTEIP $TCPREMOTEPORT'
  [ "$output" = "TCP6 ::1 ::1 $server_at" ]
}

@test "-6 shows IPv4 as mapped IPv6" {
  run -0 with_tcp cat ::: tcpclient -6 127.0.0.1 '{PORT}' sh -c 'echo $PROTO $TCPLOCALIP $TCPREMOTEIP'
  [ "$output" = "TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1" ]
}

@test "a program gets only fds 6 and 7 in addition to those it inherits" {
  start server tcpserver 127.0.0.1 0 cat
  exec 9<"$BATS_TEST_FILENAME"
  list() { # those of the fds that a program has, and what they are
    "$@" sh -c 'for fd in $(fds); do echo "$fd=$(readlink /proc/$$/fd/$fd)"; done' </dev/null 2>err
  }
  list env >list
  mv list before
  list tcpclient 127.0.0.1 "$server_at" >list
  run diff before list
  [ "$(grep -c '^[<>]' <<<"$output")" -eq 2 ]
  [[ $output == *"> 6=socket:["*"> 7=socket:["* ]]
}

@test "a program started with fds 0 to 2 closed finds them closed, and its connection on 6 and 7" {
  start server tcpserver 127.0.0.1 0 sh -c 'read -r line; echo "$line" >result'
  # shellcheck disable=SC2016
  tcpclient 127.0.0.1 "$server_at" bash -c 'open=
    for fd in 0 1 2 6 7; do [ -e /proc/$$/fd/$fd ] && open+=" $fd"; done; echo "open:$open" >&7' <&- >&- 2>&-
  until_line result ^
  [ "$(cat result)" = "open: 6 7" ]
}

@test "the connection is in blocking mode" {
  # shellcheck disable=SC2016
  run -0 with_tcp cat ::: tcpclient 127.0.0.1 '{PORT}' fd-state nonblock 6 7
  [ "$output" = '0 0' ]
}

@test "a program inherits ignored and blocked signals unchanged, and default ones" {
  start server tcpserver 127.0.0.1 0 cat
  local state=(grep -E '^Sig(Blk|Ign)' /proc/self/status) how
  for how in --default-signal --ignore-signal=PIPE,USR1,CHLD,ALRM --block-signal=PIPE,USR2,TERM,RTMIN+3; do
    run -0 env --default-signal "$how" "${state[@]}"
    local expected=$output
    run -0 env --default-signal "$how" tcpclient 127.0.0.1 "$server_at" "${state[@]}"
    [ "$output" = "$expected" ]
  done
}

@test "a program keeps the client's pid and gives its status" {
  start server tcpserver 127.0.0.1 0 cat
  background client tcpclient 127.0.0.1 "$server_at" sh -c 'echo $$; exit 3'
  ends_with 3 "$client"
  [ "$(cat client.out)" = "$client" ]
}

@test "a program that doesn't exist is 127, one that can't run 126, and no connection is made" {
  start server tcpserver 127.0.0.1 0 sh -c 'echo ran >>runs'
  run -127 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" ./nothing
  [ "$output" = "tcpclient: ./nothing: No such file or directory" ]
  run -127 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" no-such-program
  touch plain
  run -126 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" ./plain
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" </dev/null
  [ "$(cat runs)" = ran ]
}

# ---- options ----

@test "-l names the local end; the last one counts" {
  run -0 with_tcp cat ::: tcpclient -l first -l my.name 127.0.0.1 '{PORT}' sh -c 'echo $TCPLOCALHOST'
  [ "$output" = my.name ]
}

@test "-h looks up names; -H and the default don't" {
  local name
  name=$(getent hosts 127.0.0.1 | awk '{ print $2 }')
  [ -n "$name" ] || skip "127.0.0.1 has no name here"
  start server tcpserver 127.0.0.1 0 cat
  local show=(sh -c 'echo "<$TCPREMOTEHOST><$TCPLOCALHOST>"')
  run -0 timeout --foreground 60 tcpclient -h 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = "<$name><$name>" ]
  run -0 timeout --foreground 60 tcpclient -h -l mine 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = "<$name><mine>" ]
  run -0 timeout --foreground 60 tcpclient -h -H 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = "<><>" ]
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = "<><>" ]
}

@test "-i and -p choose the address and the port that the server sees" {
  local port
  port=$(free_port)
  start server tcpserver 0 0 sh -c 'echo "$TCPREMOTEIP $TCPREMOTEPORT"'
  run -0 timeout --foreground 60 tcpclient -i 127.0.0.5 127.0.0.1 "$server_at" </dev/null
  [[ $output == "127.0.0.5 "* ]]
  run -0 timeout --foreground 60 tcpclient -p "$port" 127.0.0.1 "$server_at" </dev/null
  [ "$output" = "127.0.0.1 $port" ]
  run -0 timeout --foreground 60 tcpclient -i 127.0.0.6 -p "$port" 127.0.0.1 "$server_at" </dev/null
  [ "$output" = "127.0.0.6 $port" ]
}

@test "-D turns Nagle's algorithm off, -d on" {
  local show=(fd-state nodelay 6)
  start server tcpserver 127.0.0.1 0 cat
  run -0 timeout --foreground 60 tcpclient -D 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = 1 ]
  run -0 timeout --foreground 60 tcpclient -D -d 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = 0 ]
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" "${show[@]}"
  [ "$output" = 0 ]
}

@test "-v prints both addresses on one line; -r, -R and -t have no effect" {
  start server tcpserver 127.0.0.1 0 cat
  run -0 --separate-stderr tcpclient -v -r -R -t 3 127.0.0.1 "$server_at" </dev/null
  [[ $stderr =~ ^"tcpclient: connected to 127.0.0.1:$server_at from 127.0.0.1:"[0-9]+$ ]]
  run -0 --separate-stderr tcpclient -v -q 127.0.0.1 "$server_at" </dev/null
  [ -z "$stderr" ]
}

@test "usage errors are refused" {
  wrong_call tcpclient
  wrong_call tcpclient 127.0.0.1
  for port in 65536 70000 -1 0x50 5x '' ' 80' +80; do
    wrong_call tcpclient 127.0.0.1 "$port"
    wrong_call tcpclient -p "$port" 127.0.0.1 80
  done
  wrong_call tcpclient -p no-such-service 127.0.0.1 80
  wrong_call tcpclient --idle 0 127.0.0.1 80
  for time in '' + 1+ +1 1+1+1 -1 1s+x 1e3; do
    wrong_call tcpclient -T "$time" 127.0.0.1 80
  done
  wrong_call tcpclient -i localhost 127.0.0.1 80
  wrong_call tcpclient -i 127.0.0.1.1 127.0.0.1 80
  local option
  for option in --progress --no-shutdown --idle=1 --confine; do
    wrong_call tcpclient "$option" 127.0.0.1 80 true
    wrong_call unixclient "$option" sock true
    [ "${stderr_lines[0]}" = "unixclient: ${option%=1} and PROG cannot be combined" ]
  done
}

@test "HOST:PORT in one word: the message has the two words" {
  local applet
  for applet in tcpclient tcpserver; do
    wrong_call "$applet" 127.0.0.1:7000 cat
    [ "${stderr_lines[0]}" = "$applet: '127.0.0.1:7000': write host and port as two words: 127.0.0.1 7000" ]
    wrong_call "$applet" '[::1]:7000'
    [ "${stderr_lines[0]}" = "$applet: '[::1]:7000': write host and port as two words: ::1 7000" ]
    wrong_call "$applet" :70000 cat
    [ "${stderr_lines[0]}" = "$applet: ':70000': write host and port as two words: 0 70000" ]
    run -111 "$applet" ::1:7000 cat # an address
    [ "$output" = "$applet: port cat: no service has this name" ]
    wrong_call "$applet" ::1:7000
    [ "${stderr_lines[0]}" = "$applet: missing PORT" ]
    wrong_call "$applet" 8080 cat
    [[ ${stderr_lines[0]} == "$applet: port 'cat': "*"; the host comes first, as in: 127.0.0.1 8080" ]]
  done
  wrong_call webget 127.0.0.1:7000 /
  [ "${stderr_lines[0]}" = "webget: '127.0.0.1:7000': write the port as an option: -p 7000 127.0.0.1" ]
  for applet in tcptime udptime; do
    wrong_call "$applet" 127.0.0.1 '[::1]:7000'
    [ "${stderr_lines[0]}" = "$applet: '[::1]:7000': write the port as an option: -p 7000 ::1" ]
  done
}

@test "a port may have leading zeros or be a service's name" {
  start server tcpserver 127.0.0.1 0 echo here
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "00$server_at" </dev/null
  [ "$output" = here ]
  getent services tcpmux/tcp || skip "no service names here"
  run -111 timeout --foreground 60 tcpclient 127.0.0.1 tcpmux </dev/null
  [[ $output == "tcpclient: connect to 127.0.0.1 port 1 "* ]]
}

# ---- connecting ----

@test "HOST 0 is this machine" {
  run -0 with_tcp echo here ::: tcpclient 0 '{PORT}' </dev/null
  [ "$output" = here ]
}

@test "a service that does not exist is 111" {
  local applet
  for applet in tcpclient tcpserver; do
    run -111 "$applet" 127.0.0.1 no-such-service true
    [ "$output" = "$applet: port no-such-service: no service has this name" ]
  done
}

@test "a refused connection is 111 and one line; nothing with -q, also for an unknown host" {
  local port
  port=$(free_port)
  run -111 timeout --foreground 60 tcpclient 127.0.0.1 "$port" </dev/null
  [ "$output" = "tcpclient: connect to 127.0.0.1 port $port (127.0.0.1:$port): Connection refused" ]
  run -111 timeout --foreground 60 tcpclient -q 127.0.0.1 "$port" true
  [ -z "$output" ]
  run -111 timeout --foreground 60 tcpclient -q "$(printf 'x%.0s' {1..64}).invalid" "$port" true
  [ -z "$output" ]
}

@test "an unknown host is 111 and one line, with odd bytes in the name escaped" {
  # a label of 64 letters can't be asked for: no name server is troubled
  local long
  long=$(printf 'x%.0s' {1..64})
  run -111 timeout --foreground 60 tcpclient "$long.invalid" 80 </dev/null
  [[ $output == "tcpclient: connect to $long.invalid port 80: "* ]]
  [ "${#lines[@]}" -eq 1 ]
  run -111 timeout --foreground 60 tcpclient $'a\n\e[1m'"$long" 80 </dev/null
  [ "${#lines[@]}" -eq 1 ]
  [[ $output != *$'\e'* ]]
}

@test "-4 and -i exclude addresses of the other family" {
  run -111 timeout --foreground 60 tcpclient -4 ::1 80 </dev/null
  [[ $output == "tcpclient: connect to ::1 port 80: Address family not supported"* ]]
  run -111 timeout --foreground 60 tcpclient -i ::1 127.0.0.1 80 </dev/null
  [[ $output == "tcpclient: connect to 127.0.0.1 port 80: Address family not supported"* ]]
}

@test "-T: a server that does not answer is given up in time; X+Y is the sum" {
  local port
  peer server -b 0 127.0.0.1 full wait
  until_line server.err full
  for time in 0.2 250ms 0.1+100ms 0 0+0; do
    SECONDS=0
    run -111 timeout --foreground 60 tcpclient -T "$time" 127.0.0.1 "$server_at" </dev/null
    [ "$output" = "tcpclient: connect to 127.0.0.1 port $server_at: Connection timed out" ]
    ((SECONDS < 30))
  done
}

@test "--retry waits for the server to appear" {
  local port
  port=$(free_port)
  background client tcpclient --retry 127.0.0.1 "$port"
  until_true asleep "$client" tcpclient
  start server tcpserver 127.0.0.1 "$port" echo here
  ends_with 0 "$client"
  [ "$(cat client.out)" = here ]
  [ ! -s client.err ]
}

@test "--retry stops when -T expires, and reports the last error" {
  local port
  port=$(free_port)
  run -111 timeout --foreground 60 tcpclient --retry -T 0.3 127.0.0.1 "$port" </dev/null
  [ "$output" = "tcpclient: connect to 127.0.0.1 port $port (127.0.0.1:$port): Connection refused" ]
}

@test "--retry does not wait for the impossible: no address that matches -4 and -i" {
  getent ahostsv4 localhost >/dev/null || skip "localhost is not an IPv4 address here"
  local port
  port=$(free_port)
  run -111 timeout --foreground 60 tcpclient --retry -T 1h -4 -i ::1 localhost "$port" </dev/null
  [[ $output == "tcpclient: connect to localhost port $port: Address family not supported"* ]]
  [ "${#lines[@]}" -eq 1 ]
}

@test "a client does not connect to itself" {
  local port
  port=$(free_port)
  run -111 timeout --foreground 60 tcpclient -i 127.0.0.1 -p "$port" 127.0.0.1 "$port" <<<echo
  [ "$output" = "tcpclient: connect to 127.0.0.1 port $port (127.0.0.1:$port): Connection refused" ]
}

# ---- a name with several addresses ----

@test "localhost is reached on whichever of its addresses a server listens on" {
  getent ahostsv4 localhost >/dev/null || skip "localhost is not an IPv4 address here"
  start server tcpserver 127.0.0.1 0 echo four
  run -0 timeout --foreground 60 tcpclient localhost "$server_at" </dev/null
  [ "$output" = four ]
  getent ahosts localhost | grep -q ^::1 || skip "localhost is not ::1 here"
  start six tcpserver ::1 0 echo six
  run -0 timeout --foreground 60 tcpclient localhost "$six_at" </dev/null
  [ "$output" = six ]
}

@test "a name with addresses of both families is reached on either one" {
  need_own_hosts
  need_ipv6
  printf '::1 both.test\n127.0.0.1 both.test\n' >hosts
  start four tcpserver 127.0.0.1 0 echo four
  start six tcpserver ::1 0 echo six
  run -0 with_hosts hosts tcpclient both.test "$four_at" </dev/null
  [ "$output" = four ]
  run -0 with_hosts hosts tcpclient both.test "$six_at" </dev/null
  [ "$output" = six ]
  run -111 with_hosts hosts tcpclient -4 both.test "$six_at" </dev/null
  [ "${#lines[@]}" -eq 1 ]
}

@test "an address that does not answer does not hold up the next one" {
  need_own_hosts
  need_ipv6
  printf '::1 both.test\n127.0.0.1 both.test\n' >hosts
  peer silent -b 0 ::1 full wait
  until_line silent.err full
  start server tcpserver 127.0.0.1 "$silent_at" echo four
  SECONDS=0
  run -0 with_hosts hosts tcpclient both.test "$silent_at" </dev/null
  [ "$output" = four ]
  ((SECONDS < 30))
}

@test "of several addresses of one family the first one that answers is used" {
  need_own_hosts
  local port
  printf '127.0.0.2 many.test\n127.0.0.3 many.test\n127.0.0.4 many.test\n' >hosts
  start server tcpserver 127.0.0.4 0 echo four
  run -0 with_hosts hosts tcpclient many.test "$server_at" </dev/null
  [ "$output" = four ]
  port=$(free_port)
  run -111 with_hosts hosts tcpclient many.test "$port" </dev/null
  [[ $output == "tcpclient: connect to many.test port $port (127.0.0."?":$port): Connection refused" ]]
}

# ---- a server that does not read all ----

@test "a server's program that leaves input unread resets its client; one that discards the rest does not" {
  printf 'one\ntwo\n' >both
  start server tcpserver 127.0.0.1 0 sh -c 'read -r line; echo "$line"'
  start unix unixserver sock sh -c 'read -r line; echo "$line"'
  run -111 tcpclient 127.0.0.1 "$server_at" <both
  run -111 unixclient sock <both
  start server tcpserver 127.0.0.1 0 sh -c 'read -r line; echo "$line"; exec cat >/dev/null'
  start unix unixserver sock2 sh -c 'read -r line; echo "$line"; exec cat >/dev/null'
  run -0 tcpclient 127.0.0.1 "$server_at" <both
  [ "$output" = one ]
  run -0 unixclient sock2 <both
  [ "$output" = one ]
}
