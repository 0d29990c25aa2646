# Addresses for all applets alike: link-local ones, which are themselves and their interface (RFC 4007), and names that
# have many, or one twice.

load helper/tcpserver
load helper/time

setup() {
  server_setup
}

teardown() {
  server_teardown
}

need_links() {
  need_root
  need ip iproute2
  need nsenter util-linux
  need_ipv6
  unshare --net ip link add v0 type veth peer name p0 2>/dev/null || skip "needs a network of its own, with veth(4)"
}

# with_links FUNCTION: in a network where v0 and v1 lead to one host each, fe80::1, and we are fe80::2 to both. `far N
# COMMAND...` runs there, where the interface is p0 or p1; `until_said FILE` waits.
with_links() {
  script bin/far 'exec nsenter --net=/proc/$(cat "host.$1")/ns/net "${@:2}"'
  script bin/until_said 'until [ -s "$1" ]; do sleep 0.02 || :; done'
  mkfifo up.0 up.1 never # a writer of the one may still be there when the other is read
  export -f "$1"
  # shellcheck disable=SC2016 # for that shell
  unshare --net bash -euc 'lo-up
    trap "kill \$(jobs -p) 2>/dev/null || :" EXIT
    for i in 0 1; do
      unshare --net bash -c "echo \$\$ >up.$i; exec cat" <>never &
      read -r host <up.$i
      echo "$host" >host.$i
      ip link add v$i type veth peer name p$i netns "$host"
      for word in v$i "p$i far $i"; do
        set -- $word
        ${2-} ${3-} ip link set $1 addrgenmode none
        ${2-} ${3-} ip link set $1 up
      done
      far $i ip address add fe80::1/64 dev p$i nodad
      ip address add fe80::2/64 dev v$i nodad
    done
    "$0"' "$1"
}

# ---- link-local addresses ----

@test "udptime and tcptime: two hosts of one link-local address each have their own time" {
  need_links
  times() {
    mkfifo ready.0 ready.1
    for i in 0 1; do
      far "$i" timeserver -1 -o "${i}000" 0 37 >"ready.$i" &
      read -r _ <"ready.$i"
    done
    udptime -t 60 fe80::1%v1 fe80::1%v0
    tcptime -t 60 fe80::1%v1 fe80::1%v0
  }
  run with_links times
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$(offsets <<<"$output" | sort | uniq -c | columns 2-)" = "2 fe80::1%v0 0
2 fe80::1%v1 1000" ]
}

@test "tcpserver: two clients of one link-local address are two, in -C, environment, rules and messages" {
  need_links
  printf '%s\n' '[fe80::%v0]/10:allow,BY="v0"' '[fe80::]/10:allow,BY="any"' >rules
  serve() {
    mkfifo ready
    tcpserver -1v -C '1:no\n' -x rules 0 0 sh -c 'echo "$BY $TCPREMOTEIP $TCP6INTERFACE $TCPLOCALIP $TCPCONNNUM"
      exec cat' >ready 2>log &
    read -r port <ready
    for i in 0 1; do
      far "$i" tcpclient "fe80::2%p$i" "$port" <>never >"said.$i" &
      until_said "said.$i"
    done
    for i in 0 1; do
      far "$i" tcpclient "fe80::2%p$i" "$port" </dev/null
      cat "said.$i"
    done
    grep -c "tcpserver: ok [0-9]* :\[*fe80::2%v[01]\]*:$port :fe80::1%v[01]::[0-9]*$" log
    sed -n 's/:[0-9]*: it already/: it already/p' log
  }
  run -0 with_links serve
  echo "$output"
  [ "$output" = "no
v0 fe80::1%v0 v0 fe80::2%v0 1
no
any fe80::1%v1 v1 fe80::2%v1 1
2
tcpserver: refuse [fe80::1%v0]: it already has 1 connections
tcpserver: refuse [fe80::1%v1]: it already has 1 connections" ]
}

@test "clients show the interface of a link-local server, which is no part of HTTP's Host" {
  need_links
  ask() {
    mkfifo ready
    far 1 tcpserver -1 0 0 sh -c 'while read -r line && [ "${#line}" -gt 1 ]; do case $line in Host:*) host=$line ;; esac; done
      printf "HTTP/1.0 200 OK\r\n\r\n%s\n" "$host"' >ready &
    read -r port <ready
    tcpclient -v fe80::1%v1 "$port" sh -c 'echo "$TCPREMOTEIP $TCP6INTERFACE $TCPLOCALIP $TCP6REMOTEIP"' 2>said
    sed "s/:$port//; s/[0-9]*$//" said
    webget "http://[fe80::1%v1]:$port/" | tr -d "\r" | tail -n 1 | sed "s/$port/PORT/"
  }
  run -0 with_links ask
  echo "$output"
  [ "$output" = "fe80::1%v1 v1 fe80::2%v1 fe80::1
tcpclient: connected to [fe80::1%v1] from [fe80::2%v1]:
Host: [fe80::1]:PORT" ]
}

@test "an interface is a name or an index; without one a link-local address is refused, with the reason" {
  need_ipv6
  printf '%s\n' '[fe80::1%lo]:deny' >rules
  local index
  index=$((16#$(awk '$6 == "lo" { print $2; exit }' /proc/net/if_inet6)))
  run -1 tcpserver --explain fe80::1%lo -x rules
  run -1 tcpserver --explain "fe80::1%$index" -x rules
  run -0 tcpserver --explain fe80::1%1000000 -x rules
  run -0 tcpserver --explain fe80::1 -x rules
  printf '%s\n' "[fe80::1%$index]:deny" >by-index # which may be another's by the time that somebody connects
  run -100 tcpserver --explain fe80::1%lo -x by-index
  wrong_call tcpserver --explain fe80::1%nothing -x rules
  wrong_call tcpserver --explain fe80::1%-1 -x rules
  wrong_call tcpserver --explain fe80::1% -x rules
  run -111 tcpserver -1 fe80::1 0 true
  [ "$output" = 'tcpserver: bind [fe80::1]:0: a link-local address needs its interface, as in fe80::1%eth0' ]
}

@test "sockenv -e keeps the interface of a link-local address" {
  TCPREMOTEIP=fe80::1%lo TCP6INTERFACE=lo run -0 sockenv -e sh -c 'echo "$TCPREMOTEIP $TCP6INTERFACE"'
  [ "$output" = 'fe80::1%lo lo' ]
}

@test "HOST may be an IPv6 address in brackets" {
  need_ipv6
  start server tcpserver '[::1]' 0 sh -c 'while read -r line && [ "${#line}" -gt 1 ]; do :; done
    printf "%s\n" "HTTP/1.0 200 OK" "" "$TCPLOCALIP"'
  run -0 timeout --foreground 60 tcpclient '[::1]' "$server_at" </dev/null
  [ "${lines[-1]}" = ::1 ]
  run -0 timeout --foreground 60 webget -b -p "$server_at" '[::1]' /
  [ "$output" = ::1 ]
  run -0 waitfor -t 60 tcp '[::1]' "$server_at"
  start time timeserver '[::1]' 0
  run -0 timeout --foreground 60 tcptime -p "$time_at" '[::1]'
  [[ $output == "::1 "* ]]
  run -0 timeout --foreground 60 udptime -p "$time_at" '[::1]'
  run -111 timeout --foreground 60 tcpclient -T 60 '[127.0.0.1' 1
  [[ $output == "tcpclient: connect to [127.0.0.1 port 1: "* ]]
}

# ---- names ----

# many N: that many addresses of many.test, 127.1.0.1 and on, in hosts.
many() {
  seq "$1" | awk '{ printf "127.1.%d.%d many.test\n", $1 / 250, $1 % 250 + 1 }' >hosts
}

# of_hosts SERVER...: hosts-SERVER is that server where hosts is /etc/hosts.
of_hosts() {
  local server
  for server in "$@"; do
    script "bin/hosts-$server" "exec unshare --mount sh -c 'mount --bind hosts /etc/hosts && exec $server \"\$@\"' '' \"\$@\""
  done
}

# sockets VAR: how many the server in VAR has.
sockets() {
  find "/proc/${!1}/fd" -lname 'socket:*' | wc -l
}

@test "an address that a name has twice counts once" {
  need_own_hosts
  # glibc takes ::1 for another 127.0.0.1
  printf '127.0.0.1 localhost\n127.0.0.1 localhost\n::1 localhost\n::ffff:127.0.0.1 twice.test\n127.0.0.1 twice.test\n' >hosts
  of_hosts tcpserver timeserver
  start srv hosts-tcpserver -4 localhost 0
  [ "$(sockets srv)" -eq 1 ]
  start srv hosts-tcpserver twice.test 0
  [ "$(sockets srv)" -eq 1 ]
  run -0 call "$srv_at"
  start srv hosts-timeserver twice.test 0
  [ "$(sockets srv)" -eq 2 ]
  run -0 udptime -p "$srv_at" -t 60 127.0.0.1
}

@test "servers listen on all addresses of a name, however many" {
  need_own_hosts
  many 40 # more than 48, musl doesn't find
  of_hosts tcpserver timeserver
  start srv hosts-tcpserver -v many.test 0 sh -c 'echo "$TCPLOCALIP"'
  [ "$(sockets srv)" -eq 40 ]
  start times hosts-timeserver many.test 0
  [ "$(sockets times)" -eq 80 ]
  for ip in 127.1.0.2 127.1.0.41; do
    run -0 tcpclient "$ip" "$srv_at" </dev/null
    [ "$output" = "$ip" ]
    run -0 udptime -p "$times_at" -t 60 "$ip"
    run -0 tcptime -p "$times_at" -t 60 "$ip"
  done
  # connections that wait for a header are polled together with all listeners
  start srv hosts-tcpserver --proxy=1h many.test 0 sh -c 'echo "$TCPREMOTEIP"'
  for ((i = 0; i < 20; i++)); do connect held "$srv_at" 127.1.0.41; done
  around srv
  [ "$(printf 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n' | tcpclient 127.1.0.40 "$srv_at")" = 192.0.2.1 ]
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "clients try all addresses of a name, however many" {
  need_own_hosts
  many 1000 # an answer that does not fit into a pipe
  start srv tcpserver 127.1.0.41 0 sh -c 'echo "$TCPLOCALIP"'
  run -0 with_hosts hosts tcpclient -T 60 many.test "$srv_at" </dev/null
  [ "$output" = 127.1.0.41 ]
  start times timeserver 127.1.0.41 0
  run -0 with_hosts hosts tcptime -p "$times_at" -t 60 many.test
  run -0 with_hosts hosts waitfor -t 60 tcp many.test "$srv_at"
}

@test "udptime finds the address of the other family behind many" {
  need_own_hosts
  need_ipv6
  many 40
  echo '::1 many.test' >>hosts
  start times timeserver ::1 0
  run -0 with_hosts hosts udptime -p "$times_at" -t 60 many.test
}

@test "a local name is escaped in the log" {
  start srv tcpserver -v -l $'a\e]0;b\nc' 127.0.0.1 0 true
  run call "$srv_at"
  until_line srv.err 'tcpserver: end '
  grep -qE '^tcpserver: ok [0-9]+ a\\x1[bB]\]0;b\\nc:127\.0\.0\.1:' srv.err
}

# bats test_tags=long
@test "addresses that never answer, more than are tried at a time, do not keep a client from the last one" {
  need_own_hosts
  many 40
  peer silent 127.1.0.2 full wait
  until_line silent.err full
  for ((k = 3; k <= 40; k++)); do
    peer "silent$k" -p "$silent_at" "127.1.0.$k" full wait
    until_line "silent$k.err" full
  done
  background srv tcpserver 127.1.0.41 "$silent_at" echo hello
  # the 32 attempts that are made at a time begin a quarter of a second after one another
  run -0 with_hosts hosts tcpclient --retry -T 120 many.test "$silent_at" </dev/null
  [ "$output" = hello ]
}
