# Names of one family or of two, and lookups that are never answered: a connection as soon as what is known allows it,
# and a failure when all of that has failed.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# dns_early COMMAND...: by with_dns, and it ends before the resolver gives up, which is after 5 s, in one of some tries: the
# machine may be busy. What it printed is in out and err; its status is ours. Port 7000 of 127.0.0.8 answers `here`.
dns_early() {
  # shellcheck disable=SC2016
  with_dns bash -c 'tcpserver 127.0.0.8 7000 echo here 3>&- & server=$!
    tcpclient --retry 127.0.0.8 7000 true
    for try in {1..20}; do
      began=${EPOCHREALTIME/./} status=0
      timeout --foreground 60 "$@" </dev/null >out 2>err || status=$?
      took=$(((${EPOCHREALTIME/./} - began) / 1000))
      ((took >= 2500)) || { kill $server; exit "$status"; }
    done
    kill $server
    echo "took $took ms" >&2
    exit 99' '' "$@"
}

# The ways to look a name up: also --confine where it can be had, in `ways`.
find_ways() {
  ways=('')
  [ -n "${IPCBOX_SANITIZED:-}" ] || [[ $(tcpclient --confine 127.0.0.1 1 2>&1 || :) == *"--confine needs"* ]] ||
    ways+=(--confine)
}

@test "a name in /etc/hosts, with a silent DNS server: a refused connection fails at once" {
  need_dns
  find_ways
  printf '127.0.0.1 web\n::1 six\n127.0.0.1 both\n::1 both\n' >hosts
  local name how
  for name in web six both; do
    for how in "${ways[@]}"; do
      # shellcheck disable=SC2086
      SILENT=1 run -111 dns_early tcpclient $how $name 1
      grep -qE "^tcpclient: connect to $name port 1 \(.*:1\): Connection refused$" err
    done
  done
}

@test "a name in /etc/hosts, with a silent DNS server: waitfor knows at once that nobody is there" {
  need_dns
  printf '127.0.0.1 web localhost\n::1 six\n127.0.0.1 both\n::1 both\n' >hosts
  local name
  for name in web localhost six both; do
    SILENT=1 run -0 dns_early waitfor -t 0 --not tcp $name 1
    SILENT=1 run -0 dns_early waitfor -t 4 --not http http://$name:1/
    SILENT=1 run -1 dns_early waitfor -t 0 tcp $name 1
    [ "$(cat err)" = "waitfor: tcp $name port 1: Connection refused" ]
  done
}

@test "a name in /etc/hosts, with a silent DNS server: -T 0 connects, --retry and waitfor see a server that comes later" {
  need_dns
  printf '127.0.0.1 localhost web\n' >hosts
  # shellcheck disable=SC2016
  SILENT=1 run -0 with_dns timeout --foreground 60 bash -c '
    server() { tcpserver --max 1 127.0.0.1 7000 echo here & }
    refused() { until awk "/^Tcp: [0-9]/ { exit \$8 < 1 }" /proc/net/snmp; do :; done; }
    tcpclient --retry web 7000 & client=$!
    refused; server; wait $client || exit
    waitfor -t 50 tcp localhost 7000 & client=$!
    server; wait $client || exit
    tcpserver 127.0.0.1 7001 echo there & server=$!
    until tcpclient -q -T 0 web 7001; do :; done
    kill $server' </dev/null
  [ "$output" = "here
there" ]
}

@test "a name whose IPv6 lookup is never answered: connected by what is known" {
  need_dns
  find_ways
  local how
  for how in "${ways[@]}"; do
    # shellcheck disable=SC2086
    run -0 dns_early tcpclient $how half.test 7000
    [ "$(cat out)" = here ]
  done
}

@test "a name whose IPv6 lookup is never answered: its IPv4 address is tried again while that is open" {
  need_dns
  # shellcheck disable=SC2016
  run -0 with_dns timeout --foreground 60 bash -c '
    fails() { awk "/^Tcp: [0-9]/ { print \$8 }" /proc/net/snmp; }
    for client in "tcpclient --retry" "waitfor -t 50 tcp"; do
      before=$(fails)
      $client half.test 7000 & client=$!
      until (($(fails) > before)); do :; done
      SECONDS=0
      tcpserver --max 1 127.0.0.8 7000 echo here & server=$!
      wait $client || exit
      wait $server
      ((SECONDS < 15)) || exit 99
    done' </dev/null
  [ "$output" = here ]
}
