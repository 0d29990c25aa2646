# `ipcbox status`: what is shown of our processes, as JSON: sockets, connections, pages, locks, System V objects.

load helper/common
load helper/peers
load helper/sysv

setup() {
  common_setup
  if [[ $(declare -f "$BATS_TEST_NAME") == *in_namespace* ]]; then need_ipc_namespace; fi
}

teardown() {
  teardown_with_programs
}

# of TYPE PID MEMBER...: those members of the records of that type and process, a line each; "-": it has none.
of() {
  "$IPCBOX" status >status.out || return
  json-values type pid "${@:3}" <status.out >values || return
  sed -n "s/^$1 $2 //p" values
}

# is EXPECTED TYPE PID MEMBER...
is() {
  [ "$(of "${@:2}")" = "$1" ]
}

# page PID NAME: the value of that member of the page, as JSON.
page() {
  of process "$1" page | grep -oE "\"$2\":(\"([^\"\\]|\\\\.)*\"|[^,}]*)" | sed "s/^\"$2\"://"
}

page_is() {
  [ "$(page "$2" "$3")" = "$1" ]
}

@test "a TCP server: its address, those that wait, its connections with their programs and peers" {
  start server tcpserver -c 1 127.0.0.1 0 cat
  is "tcp 127.0.0.1:$server_at 0" listener "$server" protocol listens waiting
  mkfifo one two
  background first tcpclient 127.0.0.1 "$server_at" sh -c 'exec <one; cat'
  background second tcpclient 127.0.0.1 "$server_at" sh -c 'exec <two; cat'
  until_true is "tcp 127.0.0.1:$server_at 1" listener "$server" protocol listens waiting
  until_true page_is 1 "$server" active
  run -0 of connection "$server" protocol state local peer program
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == "tcp established 127.0.0.1:$server_at 127.0.0.1:"*" "* ]]
  local program=${output##* }
  [ "$(readlink -f "/proc/$program/exe")" = "$(readlink -f "$(type -P cat)")" ]
  [ "$(page "$server" limit) $(page "$server" accepted)" = "1 1" ]
  exec {go}>one {on}>two
  exec {go}>&- {on}>&-
  wait "$first" "$second" || :
  until_true page_is 0 "$server" active
  until_true page_is 2 "$server" accepted
  run -0 of connection "$server" local
  [ -z "$output" ]
}

@test "a server's page: denied and refused clients, limits" {
  echo ':deny' >rules
  start server tcpserver -C 7 --max 9 -x rules 127.0.0.1 0 cat
  run tcpclient 127.0.0.1 "$server_at" <<<hello
  until_true page_is 1 "$server" denied
  [ "$(page "$server" client_limit) $(page "$server" max) $(page "$server" refused)" = "7 9 0" ]
  start other tcpserver -C 1 127.0.0.1 0 cat
  mkfifo one
  background first tcpclient 127.0.0.1 "$other_at" sh -c 'exec <one; cat'
  until_true page_is 1 "$other" active
  run tcpclient 127.0.0.1 "$other_at" <<<hello
  until_true page_is 1 "$other" refused
}

@test "a Unix server: its whole path, and who its clients are" {
  start server unixserver "$PWD/socket" cat
  is "unix $PWD/socket" listener "$server" protocol listens
  mkfifo one
  background client unixclient "$PWD/socket" sh -c 'exec <one; cat'
  until_true is "unix $PWD/socket pid $client uid $(id -u)" connection "$server" protocol local peer
}

@test "UDP and IPv6: timeserver, udpserver, a client that relays" {
  need_ipv6
  start server timeserver ::1 0
  run -0 of listener "$server" protocol listens
  [ "$(sort <<<"$output")" = "tcp [::1]:$server_at
udp [::1]:$server_at" ]
  start datagrams udpserver 127.0.0.1 0 cat
  is "udp 127.0.0.1:$datagrams_at" listener "$datagrams" protocol listens
  start tcp tcpserver 127.0.0.1 0 cat
  mkfifo never
  exec {held}<>never
  tcpclient 127.0.0.1 "$tcp_at" <never >/dev/null 3>&- &
  local client=$!
  started+=("$client")
  until_true eval '[[ $(of connection '"$client"' protocol peer) == "tcp 127.0.0.1:'"$tcp_at"'" ]]'
}

@test "a server in another network namespace" {
  need_root
  unshare --net lo-up || skip "needs a network namespace of its own"
  background server unshare --net sh -c 'lo-up && exec tcpserver -v 127.9.9.9 7777 cat'
  until_true is "tcp 127.9.9.9:7777" listener "$server" protocol listens
  until_true page_is 0 "$server" accepted
  nsenter --net=/proc/"$server"/ns/net tcpclient 127.9.9.9 7777 tail -f /dev/null 3>&- &
  started+=("$!")
  until_true eval '[[ $(of connection '"$server"' protocol local) == "tcp 127.9.9.9:7777" ]]'
}

@test "a socket whose path pretends to be another line of the kernel's table" {
  need_perl Socket
  start server tcpserver 127.0.0.1 0 cat
  start target unixserver "$PWD/socket" cat
  local inode
  inode=$(awk -v path="$PWD/socket" '$8 == path || $8 == "socket" { print $7; exit }' /proc/net/unix)
  [ "$inode" ]
  background forger perl -MSocket -e 'socket S, AF_UNIX, SOCK_STREAM, 0 or die;
    bind S, pack_sockaddr_un("x\n0: 00000002 00000000 00010000 0001 01 '"$inode"' forged") or die; listen S, 1; $| = 1; print "there\n"; sleep 100'
  until_line forger.out there
  run -0 of listener "$target" listens
  [ "$output" = "$PWD/socket" ]
}

@test "a daemon: its program, restarts, last exit, pidfile" {
  script bin/prog 'read -r line <"$1"; exit 7'
  mkfifo fifo
  daemonize -p "$PWD/pid" --supervise --backoff 0:0 --foreground "$PWD/bin/prog" "$PWD/fifo" 3>&- &
  daemon=$!
  started+=("$daemon")
  until_true test -s pid
  until_true page_is "$(<pid)" "$daemon" prog
  [ "$(page "$daemon" pidfile)" = "\"$PWD/pid\"" ]
  local first
  first=$(<pid)
  [ "$(page "$daemon" state)" = "\"PROG $first is running\"" ]
  echo >fifo
  until_true page_is 1 "$daemon" restarts
  until_true page_is 7 "$daemon" value
  until_true page_is 0 "$daemon" phase
  [ "$(page "$daemon" state)" = "\"PROG $(<pid) is running; restarts: 1; before that, it exited with status 7\"" ]
  finish "$daemon"
}

@test "sigtrap's restarts and what mkfifo-sig has served" {
  background trap_ sigtrap HUP=restart -- tail -f /dev/null
  until_true page_is 0 "$trap_" restarts
  kill -HUP "$trap_"
  until_true page_is 1 "$trap_" restarts
  start fifo mkfifo-sig "$PWD/fifo" echo hello
  [ "$(<fifo)" = hello ]
  until_true page_is 1 "$fifo" served
}

@test "locks, held and waited for" {
  background holder lockrun "$PWD/lock" tail -f /dev/null
  until_true is "FLOCK WRITE 0-EOF held $PWD/lock" lock "$holder" lock mode range state file
  background waiter lockrun -s "$PWD/lock" true
  until_true eval '[[ $(of lock '"$waiter"' lock mode state file) == "FLOCK READ waits '"$PWD"'/lock" ]]'
  background slot lockrun --slots 3 "$PWD/slots" tail -f /dev/null
  until_true eval '[[ $(of lock '"$slot"' lock state file) == "OFDLCK held '"$PWD"'/slots" ]]'
}

@test "System V objects in the kernel's words" {
  run -0 in_namespace 'semset create 7 2; semset set 7 1 5; msgsend --create 9 hello; shmdemo create 11 4096
    "$IPCBOX" status >out; json-values type key mode values messages bytes last_sent_by <out | grep 0x; grep -c holder out || :
    semset rm 7; msgdemo rm 9; shmdemo rm 11'
  local sender='[0-9]+'
  [[ $(sed -n 1p <<<"$output") =~ ^queue\ 0x00000009\ 0600\ -\ 1\ 5\ $sender$ ]]
  [[ ${lines[1]} == "semset 0x00000007 0600 [0,5] - - -" ]]
  [[ ${lines[2]} == "segment 0x0000000b 0600 - - 4096 -" ]]
  [ "${lines[3]}" = 0 ]
}

@test "a page that somebody made up is escaped, and is the process's own matter" {
  need_perl
  [ "$(uname -m)" = x86_64 ] || skip "needs the number of memfd_create(2) of this machine"
  background liar perl -e '$^F = 99; my $fd = syscall(319, my $n = "ipcbox-status", 0); open my $f, ">&=", $fd; syswrite $f,
    "begin=1\napplet=\e[31m\"\nname=\e]0;x\a\"}\nrestarts=007\n=\n\nlonely\nend=1\n"; exec @ARGV' tcpserver 127.0.0.1 0 cat
  until_true eval '[[ $(of process '"$liar"' applet page) == "tcpserver {"* ]]'
  run ! grep -q $'[\e\a]' status.out
  [ "$(page "$liar" restarts)" = '"007"' ]
}
