# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# tcp.sh - a program per TCP connection, against the servers of others and a bare loop.

tcp_part() {
  new_part "A program per TCP connection: accept, environment, exec of a static program, reap; 30 at a time."
  tells_port ipcbox '' 'ipcbox tcpserver' "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  tells_port bare 0.9 'bareloop: one start at a time' "$tools/bareloop" 40 "$tools/hello"
  tells_port bare-beside '' 'bareloop -b: starts that overlap' "$tools/bareloop" -b 40 "$tools/hello"
  if has /usr/bin/tcpserver ucspi-tcp-ipv6; then
    tells_port ucspi 1.2 'ucspi-tcp tcpserver' /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
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
  if has /usr/bin/perl perl; then
    tells_port perl '' 'perl, as in perlipc' /usr/bin/perl "$bench/perl-server.pl" 40 "$tools/hello"
    few perl
  fi
  if [ -x "$build/static/ipcbox" ]; then
    tells_port ipcbox-static '' 'ipcbox tcpserver, static with musl' "$build/static/ipcbox" tcpserver -1 -c 40 \
      127.0.0.1 0 "$tools/hello"
  else
    echo '  (no musl-gcc, Debian package musl-tools: no static build to compare)'
  fi
  serve_rounds
  table base rate
}
