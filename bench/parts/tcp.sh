# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# tcp.sh - a program per TCP connection, against the servers of others and a bare loop.

# The other servers that are here
tcp_peers() {
  if has /usr/bin/tcpserver ucspi-tcp-ipv6; then
    tells_port ucspi 1.3 'ucspi-tcp tcpserver' /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
  fi
  # before 2.6 s6-tcpserver was called s6-tcpserver4 for IPv4
  s6=/usr/bin/s6-tcpserver
  [ ! -x /usr/bin/s6-tcpserver4 ] || s6=/usr/bin/s6-tcpserver4
  if has "$s6" s6-networking; then
    free_port
    silent s6 1.15 's6-tcpserver' "$port" "$s6" -q -c 40 -b 128 127.0.0.1 "$port" "$tools/hello"
  fi
  if has /usr/bin/tcpsvd ipsvd; then
    free_port
    silent tcpsvd '' 'ipsvd tcpsvd' "$port" /usr/bin/tcpsvd -c 40 -b 128 -l 0 127.0.0.1 "$port" "$tools/hello"
  fi
  if has /usr/bin/socat socat; then
    free_port
    silent socat '' 'socat fork, nofork' "$port" /usr/bin/socat \
      "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=128,max-children=40" "EXEC:$tools/hello,nofork"
    few socat
  fi
  if has /usr/bin/systemd-socket-activate systemd; then
    free_port # it knows no limit, and would say each connection
    silent systemd '' 'systemd-socket-activate --accept' "$port" env SYSTEMD_LOG_LEVEL=err \
      /usr/bin/systemd-socket-activate --accept --inetd -l "127.0.0.1:$port" "$tools/hello"
    few systemd
  fi
  if has /usr/bin/perl perl; then
    tells_port perl '' 'perl, as in perlipc' /usr/bin/perl "$bench/perl-server.pl" 40 "$tools/hello"
    few perl
  fi
}

tcp_part() {
  new_part "A program per TCP connection: accept, environment, exec of a static program, reap; 30 at a time."
  tells_port ipcbox '' 'ipcbox tcpserver' "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  tells_port bare 0.95 'bareloop: one start at a time' "$tools/bareloop" 40 "$tools/hello"
  tells_port bare-beside '' 'bareloop -b: starts that overlap' "$tools/bareloop" -b 40 "$tools/hello"
  tcp_peers
  if [ -x "$static" ]; then
    tells_port ipcbox-static '' 'ipcbox tcpserver, static with musl' "$static" tcpserver -1 -c 40 127.0.0.1 0 \
      "$tools/hello"
  else
    echo '  (no musl-gcc, Debian package musl-tools: no static build to compare)'
  fi
  serve_rounds
  table base rate
  tails ucspi s6 tcpsvd socat systemd perl
}
