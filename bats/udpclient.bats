# udpclient: what it sends, whose answers count, and how it ends. The other side is socat, perl, or ours.

load helper/udp

setup() {
  udp_setup
}

teardown() {
  [ -z "${safe:-}" ] || rm -rf "$safe"
  udp_teardown
}

# hears VAR [IP]: a perl server that answers nothing and writes each datagram with its length to VAR.got; port in $VAR_at.
# With ANSWER, perl code that answers $bytes, which came from $from.
hears() {
  start "$1" perl_server "${2:-127.0.0.1}" "$1.got"
}

perl_setup() {
  script bin/perl_server 'shift # -1
    exec perl -MIO::Socket::IP -e '\''
    my $s = IO::Socket::IP->new(LocalHost => $ARGV[0], LocalPort => 0, Proto => "udp") or die;
    $| = 1; print $s->sockport, "\n"; close STDOUT; open my $log, ">>", $ARGV[1]; $log->autoflush(1);
    while (defined(my $from = $s->recv(my $bytes, 1 << 17))) {
      print $log length $bytes, ":$bytes\n";
      eval $ENV{ANSWER} // "";
    }'\'' "$@"'
}

@test "TEXT, lines, items, or all of stdin; an empty line is an empty datagram" {
  perl_setup
  hears srv
  udpclient -n 0 127.0.0.1 "$srv_at" 'a text'
  printf 'one\n\nthree' | udpclient -n 0 127.0.0.1 "$srv_at"
  printf 'x\ny\0z\0' | udpclient -0 -n 0 127.0.0.1 "$srv_at"
  printf 'all\nof it\n' | udpclient --whole -n 0 127.0.0.1 "$srv_at"
  until_true ends_so srv.got
  cat srv.got
  [ "$(cat srv.got)" = "6:a text
3:one
0:
5:three
3:x
y
1:z
10:all
of it" ]
}

ends_so() {
  grep -q '^of it$' "$1"
}

@test "answers are lines, NUL-ended items, or raw; --who names the sender" {
  start srv udpserver 127.0.0.1 0 cat
  ask hello >out
  printf 'hello\n' | cmp - out
  ask --raw hello >out
  printf hello | cmp - out
  ask -0 hello >out
  printf 'hello\0' | cmp - out
  run -0 ask --who hello
  [ "$output" = "127.0.0.1:$srv_at hello" ]
}

@test "socat answers" {
  need socat socat
  srv_at=$(free_port udp)
  background srv socat "UDP-RECVFROM:$srv_at,bind=127.0.0.1" EXEC:cat
  until udpclient -q -t 1 127.0.0.1 "$srv_at" hello >out; do :; done
  [ "$(cat out)" = hello ]
}

@test "0 when N answers came, 1 when they did not, and nothing is waited for with -n 0" {
  start srv udpserver 127.0.0.1 0 cat
  run -0 ask -n 1 hello
  run -1 --separate-stderr udpclient -t 0.3 -n 2 127.0.0.1 "$srv_at" hello
  [ "$output" = hello ]
  [ "$stderr" = "udpclient: 127.0.0.1:$srv_at: 1 sent, 1 of 2 answers" ]
  run -1 --separate-stderr udpclient -q -t 0.1 -n 2 127.0.0.1 "$srv_at" hello
  [ -z "$stderr" ]
  run -0 ask -n 0 hello
  [ -z "$output" ]
  run -0 bash -c 'seq 100 | udpclient -t 30 -n 2 127.0.0.1 "$1" | wc -l' '' "$srv_at"
  [ "$output" -eq 2 ]
  counts 104 104 0 0 104 # all input was sent
}

@test "-t is for all of it, also while stdin gives nothing" {
  mkfifo silent
  exec 7<>silent
  run -1 --separate-stderr udpclient -t 0.2 127.0.0.1 "$(free_port udp)" <&7
  exec 7>&-
}

@test "a refusal is reported at once: connected, with --from any, on IPv6" {
  local port
  port=$(free_port udp)
  SECONDS=0
  run -1 --separate-stderr udpclient -t 50 127.0.0.1 "$port" hello
  [ "$stderr" = "udpclient: 127.0.0.1:$port: Connection refused" ]
  run -1 --separate-stderr udpclient -t 50 --from any 127.0.0.1 "$port" hello
  [ "$stderr" = "udpclient: 127.0.0.1:$port: Connection refused" ]
  if free-port ::1 >/dev/null; then
    run -1 --separate-stderr udpclient -t 50 ::1 "$port" hello
    [ "$stderr" = "udpclient: [::1]:$port: Connection refused" ]
  fi
  ((SECONDS < 40))
}

@test "a name whose first address refuses: the next one gets all that was sent" {
  need_own_hosts
  need_ipv6
  printf '::1 both.test\n127.0.0.1 both.test\n' >hosts
  start srv udpserver 127.0.0.1 0 cat
  run -0 --separate-stderr with_hosts hosts sh -c 'seq 5 | udpclient -t 30 -n 5 both.test "$0" | sort' "$srv_at"
  [ "$output" = "$(seq 5)" ]
  run -0 with_hosts hosts udpclient -4 -t 30 both.test "$srv_at" hello
  run -1 --separate-stderr with_hosts hosts udpclient -6 -t 30 both.test "$srv_at" hello
  [ "$stderr" = "udpclient: [::1]:$srv_at: Connection refused" ]
}

@test "only the asked address counts, unless --from any" {
  perl_setup
  export ANSWER='my $t = IO::Socket::IP->new(LocalHost => "127.0.0.9", Proto => "udp"); $t->send("forged", 0, $from);
    select undef, undef, undef, 0.2 if $bytes eq "late"; $s->send("true", 0, $from)'
  hears srv
  run -0 ask hello
  [ "$output" = true ]
  run -1 --separate-stderr udpclient -n 2 -t 0.5 127.0.0.1 "$srv_at" hello
  [ "$output" = true ]
  run -0 ask -n 2 --from any hello
  [ "$(sort <<<"$output")" = "forged
true" ]
}

@test "too long for a datagram is an error, and nothing of it is sent" {
  perl_setup
  hears srv
  head -c 65508 /dev/zero >data
  run -111 --separate-stderr udpclient --whole 127.0.0.1 "$srv_at" <data
  [ "$stderr" = "udpclient: send to 127.0.0.1:$srv_at: Message too long" ]
  head -c 300000 /dev/zero | tr '\0' x >line
  run -111 --separate-stderr udpclient 127.0.0.1 "$srv_at" <line
  [ "$stderr" = "udpclient: send to 127.0.0.1:$srv_at: Message too long" ]
  udpclient -n 0 127.0.0.1 "$srv_at" end
  until_true [ -s srv.got ]
  [ "$(cat srv.got)" = 3:end ]
}

@test "-i: the local address; one that is not here is an error" {
  start srv udpserver 127.0.0.1 0 sh -c 'echo "$UDPREMOTEIP"'
  run -0 ask -i 127.0.0.3 --raw hello
  [ "$output" = 127.0.0.3 ]
  run -111 --separate-stderr ask -i 192.0.2.77 hello
  [[ $stderr == *"127.0.0.1:$srv_at: Cannot assign requested address" ]]
}

@test "20,000 lines to a server that takes its time: all are sent, and all answered" {
  start srv udpserver --stream 127.0.0.1 0 perl -e '
    $| = 1; while (<STDIN> =~ /^(.*) (\d+)$/) { my ($who, $n) = ($1, $2); read STDIN, my $b, $n; print "$who $n\n$b" }'
  run -0 bash -c 'seq 20000 | udpclient -n 20000 -t 120 127.0.0.1 "$1" | sort -n | cksum' '' "$srv_at"
  [ "$output" = "$(seq 20000 | cksum)" ]
}

@test "more of stdin than there is room for at once, in long lines; -v counts what was sent and answered" {
  need perl perl
  (($(cat /proc/sys/net/core/rmem_max) >= 1 << 20)) || need_root # so much waits, where the server is slow
  start srv udpserver 127.0.0.1 0 cat
  perl -e 'print chr(64 + $_) x 60000, "\n" for 1 .. 9' >lines
  run -0 --separate-stderr bash -c 'udpclient -v -n 9 -t 120 127.0.0.1 "$1" <lines | sort | cmp lines -' '' "$srv_at"
  [ "$stderr" = "udpclient: 127.0.0.1:$srv_at: 9 sent, 9 of 9 answers" ]
}

@test "--broadcast is needed for a broadcast address; all hosts' answers count" {
  need_network
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 'mkfifo ready
    udpserver -1 0 0 cat >ready & read -r port <ready
    udpclient 192.0.2.255 "$port" hello 2>&1 || echo "status $?"
    udpclient -t 30 --broadcast 192.0.2.255 "$port" hello; kill $!'
  [[ $output == *"send to 192.0.2.255"*"Permission denied
status 111
hello" ]]
}

@test "multicast: the group's members answer; --join hears the group, but not ourselves" {
  need_network
  need ip iproute2
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 'ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo 2>/dev/null ||
      { echo skip; exit; }
    mkfifo ready
    perl -MSocket -e "socket(my \$s, AF_INET, SOCK_DGRAM, 0); setsockopt(\$s, SOL_SOCKET, SO_REUSEADDR, 1);
      bind(\$s, pack_sockaddr_in(5007, inet_aton(q(239.1.2.3)))) or die;
      setsockopt(\$s, IPPROTO_IP, 35, inet_aton(q(239.1.2.3)) . inet_aton(q(192.0.2.1))) or die \$!;
      \$| = 1; print qq(up\n); close STDOUT;
      while (my \$from = recv(\$s, my \$b, 100, 0)) { send(\$s, qq(to you), 0, \$from);
        socket(my \$t, AF_INET, SOCK_DGRAM, 0);
        send(\$t, qq(to all), 0, pack_sockaddr_in(5007, inet_aton(q(239.1.2.3)))) if \$b eq q(ask); }" >ready &
    read -r up <ready
    udpclient -t 30 --ttl 3 -i 192.0.2.1 239.1.2.3 5007 plain
    udpclient -t 30 -n 2 -i 192.0.2.1 --join 239.1.2.3 239.1.2.3 5007 ask | sort; kill $!'
  [ "$output" != skip ] || skip "needs multicast on loopback"
  [ "$output" = "to you
to all
to you" ]
}

@test "multicast with IPv6: --join hears a group on an interface, which -i names" {
  need_network
  need ip iproute2
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 '{ ip link add one type veth peer name other && ip link set other up &&
      ip address add fe80::1/64 dev one nodad && ip link set one up; } 2>/dev/null || { echo skip; exit; }
    mkfifo ready
    udpserver -1 ::1 5007 false >ready 2>/dev/null & server=$!
    read -r port <ready
    udpclient -t 50 --who --join ff02::7%one ::1 5007 ask & client=$!
    while kill -0 $client 2>/dev/null; do udpclient -n 0 --ttl 1 -i fe80::1%one ff02::7%one 5007 hello; done
    wait $client; kill $server'
  [ "$output" != skip ] || skip "needs IPv6 and veth"
  [[ $output =~ ^'[fe80::1%one]:'[0-9]+' hello'$ ]]
}

@test "-t 0 tries once" {
  start srv udpserver 127.0.0.1 0 sh -c 'cat >got'
  run -0 udpclient -n 0 -t 0 127.0.0.1 "$srv_at" text
  until_true [ -s got ]
  [ "$(cat got)" = text ]
}

# ---- Unix sockets ----

# Where only we and root can rename directories: a Unix socket has its whole path as its name there.
safe_place() {
  local at
  safe=$(mktemp -d "$HOME/ipcbox-test.XXXXXX") || skip "needs a home directory that can be written to"
  for ((at = 1; at <= ${#safe}; at++)); do
    if [ "${safe:at:1}" = / ] && [ -n "$(find -L "${safe:0:at}" -maxdepth 0 -perm /022)" ]; then
      rmdir "$safe"
      skip "needs a home directory that others cannot change"
    fi
  done
}

@test "--unix: its own socket is gone at the end, however that comes" {
  safe_place
  cd "$safe"
  start srv udpserver --unix ./sock sh -c 'read -r line; [ "$line" = silent ] || echo "got $line"'
  run -0 udpclient -t 30 --who --unix ./sock hello
  [ "$output" = "./sock got hello" ]
  run -1 udpclient -t 0.2 --unix ./sock silent
  run -111 udpclient --whole --unix ./sock < <(head -c 250000 /dev/zero)
  run -111 sh -c 'udpclient --unix ./sock hello >/dev/full'
  background client udpclient -t 100 --unix ./sock silent
  until_true [ -S "sock.$client" ]
  [ "$(stat -c %a "sock.$client")" = 666 ]
  kill -TERM "$client"
  ends_with 143 "$client"
  run ls -A
  [[ $output != *sock.* ]]
  finish "$srv"
  cd -
}

@test "--unix: stdout that nobody reads does not stop TERM" {
  start srv udpserver --unix ./sock sh -c 'head -c 60000 /dev/zero'
  mkfifo unread
  exec 7<>unread
  seq 100 | udpclient -n 100 -t 100 --unix ./sock >&7 3>&- &
  local client=$!
  until_true full 7
  kill -TERM "$client"
  ends_with 143 "$client"
  exec 7>&-
  run ! compgen -G 'sock.*'
}

@test "stdout that nobody reads does not stop -t" {
  start srv udpserver 127.0.0.1 0 cat
  mkfifo unread
  exec 7<>unread
  dd if=/dev/zero of=unread oflag=nonblock bs=4k 2>/dev/null || : # until it is full
  run -1 timeout --foreground 60 sh -c 'udpclient -t 0.5 127.0.0.1 "$1" text >&7' sh "$srv_at"
  [ "$output" = "udpclient: 127.0.0.1:$srv_at: 1 sent, 0 of 1 answers" ]
  exec 7>&-
  finish "$srv"
}

# full FD: the pipe has no room for another page.
full() {
  perl -e 'open my $f, "<&=", $ARGV[0] or die; my $n = pack "L", 0; ioctl $f, 0x541B, $n or die; exit(unpack("L", $n) < 60000)' "$1"
}

@test "--unix: a directory where we may make no file, and an abstract name" {
  need_root
  chmod 755 .
  mkdir -m 755 place
  start srv udpserver -p 0666 --unix place/sock cat
  run -0 setpriv --reuid nobody --clear-groups "$IPCBOX" udpclient -t 30 --unix place/sock hello
  [ "$output" = hello ]
  local name="@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER"
  start other udpserver --unix "$name" cat
  run -0 udpclient -t 30 --unix "$name" hello
  [ "$output" = hello ]
}

@test "--unix: no server is status 111" {
  run -111 --separate-stderr udpclient --unix ./none hello
  [ "$stderr" = "udpclient: connect to ./none: No such file or directory" ]
  run ! compgen -G './none*'
}

@test "usage errors" {
  wrong_call udpclient
  wrong_call udpclient 127.0.0.1
  wrong_call udpclient 127.0.0.1 0
  wrong_call udpclient 127.0.0.1 70000
  wrong_call udpclient 127.0.0.1:80
  wrong_call udpclient 127.0.0.1 9 text more
  wrong_call udpclient --unix ./sock text more
  local option
  for option in -4 -6 '-i 127.0.0.1' '--ttl 2' --broadcast '--join 239.1.2.3'; do
    # shellcheck disable=SC2086
    wrong_call udpclient $option --unix ./sock text
  done
  wrong_call udpclient --whole 127.0.0.1 9 text
  wrong_call udpclient -i ::1 127.0.0.1 9 text
  wrong_call udpclient -n -1 127.0.0.1 9
  wrong_call udpclient --from none 127.0.0.1 9
  wrong_call udpclient --ttl 256 127.0.0.1 9
  wrong_call udpclient --join 127.0.0.1 127.0.0.1 9
  wrong_call udpclient -i nowhere 127.0.0.1 9
}
