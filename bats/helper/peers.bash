# The other side of a conversation, for tests of clients and servers, and questions about processes.

PERL=$BATS_TEST_DIRNAME/helper/perl

# peer VAR [-b BACKLOG] [-p PORT] IP|PATH WORD...: a server that does what the words say (helper/peer.c); its port or
# path in $VAR_at. "full wait": one that fills its own backlog and never accepts, so that a connect waits.
peer() {
  start "$1" peer "${@:2}"
}

# with_server SERVER... ::: CLIENT...: withserver with a limit; with_tcp PROG... ::: CLIENT...: SERVER is tcpserver.
with_server() {
  timeout --foreground 60 withserver "$@"
}

with_tcp() {
  with_server tcpserver -1 127.0.0.1 0 "$@"
}

# free_port [udp] [IP]: a port of 127.0.0.1 (or IP) that nobody has, as the kernel chooses it.
free_port() {
  free-port "$@"
}

# asleep PID NAME: it has become NAME, and waits for something.
asleep() {
  local stat
  read -r stat <"/proc/$1/stat" || return 1
  [[ $stat == *"($2) S "* ]]
}

# gone PID: it has ended and been waited for.
gone() {
  [ ! -e /proc/"$1" ]
}

need_root() {
  [ "$(id -u)" -eq 0 ] || skip "needs root"
}

need_ipv6() {
  free-port ::1 >/dev/null || skip "needs IPv6 on loopback"
}

# with_hosts FILE COMMAND...: COMMAND sees FILE as /etc/hosts. For root only.
with_hosts() {
  unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$@"
}

need_own_hosts() {
  need_root
  unshare --mount mount --bind /dev/null /etc/hosts 2>/dev/null ||
    skip "needs a mount namespace of its own, and a file /etc/hosts in it"
}

# In a network of its own, with a name server on its loopback: DNS says "liar.test" for 127.0.0.7 and 127.0.0.99 for
# liar.test, "honest.test" for 127.0.0.8 and back; it never answers for 127.0.0.9, nor for the IPv6 address of half.test,
# which is 127.0.0.8; broken.test is a failure of the server; with SILENT set, for nothing. A file `hosts` is /etc/hosts. Without an answer a lookup takes 30 s.
with_dns() {
  unshare --mount --net sh -c 'lo-up || exit
    printf "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n" >resolv; mount --bind resolv /etc/resolv.conf
    [ ! -e hosts ] || mount --bind hosts /etc/hosts
    mkfifo dns.ready; "$1" >dns.ready & dns=$!; read -r line <dns.ready; shift
    "$@"; status=$?; kill $dns; exit $status' '' "$HELPERS/dns" "$@"
}

need_dns() {
  need_root
  unshare --mount --net lo-up || skip "needs a network namespace of its own"
}

# random_bytes COUNT
random_bytes() {
  head -c "$1" /dev/urandom
}

# ends_with STATUS PID: waits for a process that the test has started.
ends_with() {
  status=0
  wait "$2" || status=$?
  [ "$status" -eq "$1" ] || {
    echo "status $status, expected $1" >&2
    return 1
  }
}
