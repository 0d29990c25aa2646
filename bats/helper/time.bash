# What the tests of udptime, tcptime and timeserver share.

# As ctime(3) has it.
date_regex='[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}'

# columns LIST: those of awk's columns, or N- from there on, one blank apart.
columns() {
  tr -s ' ' | cut -d ' ' -f "$1"
}

# The names and by how much their clocks are ahead, to the nearest hundred: a second may end between answer and arrival.
offsets() {
  awk '{ n = ($2 < 0 ? -1 : 1) * int((($2 < 0 ? -$2 : $2) + 50) / 100) * 100; print $1, n ? n : 0 }'
}

# of_json NAME...: of each line, which must be a JSON object, the values of those names, or "-".
of_json() {
  json-values "$@"
}

need_slow_names() {
  need_dns
  unshare --mount mount --bind . /etc 2>/dev/null || skip "needs a mount namespace of its own"
}

# with_slow_names COMMAND...: where quick.test is 127.0.0.1, the name server takes questions and never answers, and a
# timeserver is at port 37.
with_slow_names() {
  # shellcheck disable=SC2016 # for that shell
  unshare --mount --net bash -euc 'lo-up
    cp -a /etc . # the files may be missing there, or symbolic links
    rm -f etc/resolv.conf etc/hosts
    echo "nameserver 127.0.0.53
options timeout:30" >etc/resolv.conf
    echo "127.0.0.1 quick.test" >etc/hosts
    mount --bind etc /etc
    mkfifo names.ready time.ready
    "$0" -1v -p 53 127.0.0.53=silent >names.ready 2>slow-names.err & names=$!
    timeserver -1 >time.ready & server=$!
    read -r _ <names.ready
    read -r _ <time.ready
    status=0
    "$@" || status=$?
    kill $names $server
    exit $status' "$HELPERS/time-hosts" "$@"
}

need_inetd() {
  need inetd openbsd-inetd
  need ip iproute2
  need_dns
}

# with_inetd COMMAND...: where inetd offers time and daytime over TCP and UDP at 192.0.2.1 (it does not answer datagrams
# from 127.0.0.0/8).
with_inetd() {
  printf '%s\n' 'time stream tcp nowait root internal' 'time dgram udp wait root internal' \
    'daytime stream tcp nowait root internal' 'daytime dgram udp wait root internal' >inetd.conf
  # shellcheck disable=SC2016 # for that shell
  unshare --net bash -uc 'lo-up
    ip address add 192.0.2.1/32 dev lo
    inetd -i inetd.conf & inetd=$!
    until tcptime -t 60 192.0.2.1 >/dev/null 2>&1; do read -rt 0.01 <> <(:); done
    "$@"
    status=$?
    kill $inetd
    exit $status' '' "$@"
}

# start_chrony LINE...: chronyd that never touches the clock, as a server on loopback, with those lines in its configuration,
# in which % is the directory of the test; its port in $chrony_at.
start_chrony() {
  need chronyd chrony
  id -un >/dev/null 2>&1 || skip "needs a user that has a name"
  chrony_at=$(free_port udp)
  printf '%s\n' "port $chrony_at" 'bindaddress 127.0.0.1' 'cmdport 0' 'bindcmdaddress /' "pidfile $PWD/chrony.pid" \
    allow "${@//%/$PWD}" >chrony.conf
  background chrony chronyd -U -d -x -u "$(id -un)" -f "$PWD/chrony.conf"
  until_true chrony_listens
}

chrony_listens() {
  grep -q ":$(printf %04X "$chrony_at") " /proc/net/udp || gone "$chrony"
}
