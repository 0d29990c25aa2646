# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# udp.sh - a program per datagram, which echoes it, against socat and a bare loop.

udp_part() {
  new_part "A program per datagram: recvmsg, environment, exec of a static program, its answer; 30 at a time."
  loader=udpload
  tells_port ipcbox '' 'ipcbox udpserver' "$ipcbox" udpserver -1 -c 40 127.0.0.1 0 "$tools/copy"
  tells_port bare 0.95 'udpbare: one start at a time' "$tools/udpbare" 40 "$tools/copy"
  if has /usr/bin/socat socat; then
    free_port
    silent_echo socat 3 'socat UDP-RECVFROM,fork' "$port" /usr/bin/socat \
      "UDP-RECVFROM:$port,bind=127.0.0.1,fork" "EXEC:$tools/copy"
    few socat
  fi
  if [ -x "$static" ]; then
    tells_port ipcbox-static '' 'ipcbox udpserver, static with musl' "$static" udpserver -1 -c 40 127.0.0.1 0 \
      "$tools/copy"
  fi
  serve_rounds
  table base rate
  tails
}
