# servers.sh: the rows of check/peers.sh about servers and their clients. The other sides are sockets.py. s6 serves Unix
# sockets, all others TCP; ucspi-tcp's programs are named by $ucspi, as those of ipcbox come first in PATH.
# shellcheck shell=sh disable=SC2016,SC2154

sockets() {
  timeout 60 python3 "$home/peers/sockets.py" "$@"
}

# knows TOOL PATTERN: whether a help text of the tool's programs has it
knows() {
  case $1 in
  socat) socat -hhh 2>&1 ;;
  ucspi-tcp) for name in tcpserver tcpclient; do "$ucspi/$name" 2>&1; done ;;
  s6) for name in s6-ipcserver s6-ipcserverd s6-ipcserver-access s6-ipcclient; do "$name" 2>&1; done ;;
  busybox) for name in tcpsvd udpsvd nc; do "$busybox" "$name" --help 2>&1; done ;;
  esac | grep -qiE -- "$2"
}
# absent TOOL PATTERN [NOTE]: no, as lacks says it
absent() {
  knows "$1" "$2" && echo '?' || echo "no${3:+:$3}"
}

# ---- a server ----

# serve TOOL [OPTION...]: ./prog for each connection, with the tool's options (for socat, those of its listening address);
# the server's pid is $server, its address $at, and its messages are in server.log
serve() {
  tool=$1
  shift
  chmod +x prog
  case $tool in
  socat) launch socat -d -d -d "TCP-LISTEN:0,bind=127.0.0.1,fork${1:+,$1}" EXEC:./prog,nofork ;;
  ucspi-tcp) launch "$ucspi/tcpserver" -1 -HRl0 "$@" 127.0.0.1 0 ./prog ;;
  s6) launch s6-ipcserver -1 "$@" "$PWD/s" ./prog ;;
  busybox)
    port=$(sockets free)
    launch "$busybox" tcpsvd -v "$@" 127.0.0.1 "$port" ./prog
    ;;
  ipcbox) launch tcpserver -1 "$@" 127.0.0.1 0 ./prog ;;
  esac
  await is_ready "$tool"
}
# launch COMMAND...: it becomes a session of its own, so that a signal for its process group reaches nothing else
launch() {
  (exec setsid "$@" >server.out 2>server.log) &
  server=$!
}
# is_ready TOOL: and where
is_ready() {
  case $1 in
  socat) at=$(sed -n 's/.*listening on .*:\([0-9]*\)$/127.0.0.1:\1/p' server.log | head -n 1) ;;
  s6)
    at=$PWD/s
    grep -q "00010000 .* $at$" /proc/net/unix
    return
    ;;
  busybox)
    at=127.0.0.1:$port
    grep -q 'listening on' server.log
    return
    ;;
  *) at=127.0.0.1:$(cat server.out) ;;
  esac
  [ "${at#127.0.0.1:}" != '' ]
}

# prog LINE...: what is run for a connection; it reads what there is to read before it exits
prog() {
  printf '#!/bin/sh\n' >prog
  printf '%s\n' "$@" >>prog
}
# greeter [WHO...]: it prints `served`
greeter() {
  prog 'echo served' 'exec cat >/dev/null'
}
# gets TEXT COMMAND...: whether its output has it
gets() {
  text=$1
  shift
  "$@" >got
  grep -qx "$text" got
}
served() {
  gets served sockets ask "$at" hello
}
served_twice() {
  served && served
}
stranger_served() {
  STRANGER=1 gets served sockets ask "$at" hello
}
# lines FILE N: whether it has as many, or more
lines() {
  [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# ---- what it serves ----

serve_tcp() {
  [ "$1" != s6 ] || { echo no:networking; return; }
  greeter
  serve "$1"
  served_twice || { echo no; return; }
  case $1 in
  socat) echo yes=TCP-LISTEN,fork ;;
  busybox) echo yes=tcpsvd:built ;;
  *) echo yes=tcpserver ;;
  esac
}

serve_ipv6() {
  greeter
  chmod +x prog
  case $1 in
  socat) launch socat -d -d 'TCP6-LISTEN:0,bind=[::1],fork' EXEC:./prog,nofork ;;
  ucspi-tcp) launch "$ucspi/tcpserver" -1 -HRl0 ::1 0 ./prog ;;
  busybox)
    port=$(sockets free)
    launch "$busybox" tcpsvd -v ::1 "$port" ./prog
    ;;
  ipcbox) launch tcpserver -1 ::1 0 ./prog ;;
  s6)
    echo no:networking
    return
    ;;
  esac
  await is_ready "$1"
  at=::1:${at#127.0.0.1:}
  says served
}

serve_unix() {
  greeter
  chmod +x prog
  case $1 in
  socat) launch socat "UNIX-LISTEN:$PWD/s,fork" EXEC:./prog,nofork ;;
  ucspi-tcp) launch "$ucspi/tcpserver" -HRl0 "$PWD/s" 0 ./prog ;;
  s6) launch s6-ipcserver "$PWD/s" ./prog ;;
  busybox) launch "$busybox" tcpsvd "local:$PWD/s" 0 ./prog ;;
  ipcbox) launch unixserver -1 "$PWD/s" ./prog ;;
  esac
  await listens_or_ended
  at=$PWD/s
  if ! served_twice; then
    case $1 in
    ucspi-tcp) echo no:ucspi-unix ;;
    busybox) echo no:local ;;
    *) echo no ;;
    esac
    return
  fi
  case $1 in
  socat) echo yes=UNIX-LISTEN,fork ;;
  s6) echo yes=s6-ipcserver ;;
  ipcbox) echo yes=unixserver ;;
  esac
}
listens_or_ended() {
  # ours is bound by another name until it is ready
  ended "$server" || grep -qs "$PWD/s" server.out || grep -q "00010000 .* $PWD/s$" /proc/net/unix
}

# udp TOOL [ADDRESS of socat]: a server of datagrams on a port that was free; of a tool that has none, says so, and fails
udp() {
  chmod +x prog
  port=$(sockets free)
  case $1 in
  socat) launch socat "$2:$port,bind=127.0.0.1,fork" EXEC:./prog ;;
  busybox) launch "$busybox" udpsvd 127.0.0.1 "$port" ./prog ;;
  ipcbox) launch udpserver 127.0.0.1 "$port" ./prog ;;
  *)
    absent "$1" 'udp|datagram'
    return 1
    ;;
  esac
  at=127.0.0.1:$port
  await has_udp "$(printf ':%04X ' "$port")" || : # then nobody answers
}
has_udp() {
  grep -q "$1" /proc/net/udp
}

# its stdin is the datagram, or a socket, from which it can be read only as a whole, which a shell's read does not
serve_udp() {
  prog 'echo >>starts' 'line=$(dd bs=65536 count=1)' 'echo "got $line"'
  udp "$1" UDP-RECVFROM || return 0
  gets 'got 0' sockets datagrams "$at" 1 || { echo no; return; }
  gets 'got 0' sockets datagrams "$at" 1 || { echo no; return; }
  lines starts 2 || { echo no; return; }
  case $1 in
  socat) echo yes=UDP-RECVFROM,fork ;;
  busybox) echo yes=udpsvd:built ;;
  ipcbox) echo yes=udpserver ;;
  esac
}

serve_udp_session() {
  prog 'echo >>starts' 'while line=$(dd bs=65536 count=1) && [ -n "$line" ]; do echo "got $line"; done'
  udp "$1" UDP-LISTEN || return 0
  gets 'got 2' sockets datagrams "$at" 3 || { echo no; return; }
  ! lines starts 2 || { echo no; return; }
  case $1 in
  socat) echo yes=UDP-LISTEN,fork ;;
  busybox) echo yes=udpsvd:built ;;
  *) echo yes ;;
  esac
}

# ---- limits and rules ----

# serve_one TOOL [OPTION...]: one connection at once
serve_one() {
  case $1 in
  socat) serve socat max-children=1 ;;
  *) serve "$@" -c 1 ;;
  esac
}

serve_limit() {
  prog 'echo >>starts' 'echo served' 'exec cat >/dev/null'
  option=-c
  [ "$1" != socat ] || option=max-children
  serve_one "$1"
  sockets keep "$at" &
  await lines starts 1
  await [ -s keeper ]
  client=$(cat keeper)
  sockets ask "$at" hello >second &
  second=$!
  within 50 lines starts 2 && { echo no; return; }
  kill -KILL "$client"
  await ended "$second"
  grep -q served second && echo "yes=$option" || echo no
}
serve_per_client() {
  prog 'echo >>starts' 'echo served' 'exec cat >/dev/null'
  case $1 in
  socat | ucspi-tcp)
    absent "$1" 'per.?(host|client|address|ip)|same|localmax'
    return
    ;;
  esac
  serve "$1" -C 1
  sockets keep "$at" &
  await lines starts 1
  await [ -s keeper ]
  served && { echo no; return; }
  # only root can be another user, too
  if [ "$1" = s6 ] && [ "$(id -u)" -ne 0 ]; then
    kill -KILL "$(cat keeper)"
    within 100 served && echo yes=-C || echo no
  else
    stranger_served && echo yes=-C || echo no
  fi
}

# with_rules TOOL WHAT: a server with rules: all others may connect, but this client may not
with_rules() {
  greeter
  case $1 in
  socat)
    echo 'peers: 127.0.0.1' >denied
    : >allowed
    serve socat "tcpwrap=peers,allow-table=$PWD/allowed,deny-table=$PWD/denied"
    ;;
  ucspi-tcp)
    printf '127.0.0.1:deny\n:allow\n' >rules
    "$ucspi/tcprules" rules.cdb rules.tmp <rules
    serve ucspi-tcp -x rules.cdb
    ;;
  s6)
    mkdir -p rules/uid/self rules/uid/default
    : >rules/uid/self/deny
    : >rules/uid/default/allow
    prog 's6-ipcserver-access -i rules ./real'
    mv prog access
    greeter
    mv prog real
    mv access prog
    chmod +x real
    serve s6
    ;;
  ipcbox)
    printf '127.0.0.1:deny\n:allow\n' >rules
    serve ipcbox -x rules
    ;;
  esac
}

serve_rules() {
  [ "$1" != busybox ] || { absent busybox 'rules|deny|cdb'; return; }
  with_rules "$1"
  served && { echo no; return; }
  [ "$1" = s6 ] && [ "$(id -u)" -ne 0 ] || stranger_served || { echo no; return; }
  case $1 in
  socat) echo yes=tcpwrap ;;
  s6) echo yes=s6-ipcserver-access ;;
  *) echo yes=-x ;;
  esac
}

serve_rules_edit() {
  [ "$1" != busybox ] || { echo -; return; }
  with_rules "$1"
  served && { echo no; return; }
  case $1 in
  socat) echo 'peers: 127.0.0.9' >denied ;;
  s6) mv rules/uid/self/deny rules/uid/self/allow ;;
  *) printf '127.0.0.9:deny\n:allow\n' >rules.new && mv rules.new rules ;;
  esac
  served && { echo yes; return; }
  [ "$1" = ucspi-tcp ] && "$ucspi/tcprules" rules.cdb rules.tmp <rules && served && echo partly:compiled || echo no
}

# the user ID of another client on a Unix socket
stranger() {
  if [ "$(id -u)" -eq 0 ]; then echo 65534; else id -u; fi
}

serve_environment() {
  prog env 'exec cat >/dev/null'
  serve "$1"
  STRANGER=1 sockets ask "$at" hello >variables
  case $1 in
  socat) variable=SOCAT_PEERADDR ;;
  busybox) variable=TCPREMOTEADDR ;;
  s6) variable=IPCREMOTEEUID ;;
  *) variable=TCPREMOTEIP ;;
  esac
  case $(sed -n "s/^$variable=//p" variables) in
  127.0.0.2 | 127.0.0.2:* | "$(stranger)") echo "yes=$variable" ;;
  *) echo no ;;
  esac
}

serve_log() {
  prog 'read -r how' '[ "$how" = exit ] && exit 7' 'kill -KILL $$'
  case $1 in
  socat | busybox) serve "$1" ;;
  *) serve "$1" -v ;;
  esac
  for how in exit kill; do
    STRANGER=1 sockets ask "$at" "$how
"
  done
  client='127\.0\.0\.2'
  [ "$1" != s6 ] || client="[^0-9]$(stranger)[^0-9]"
  option=-v
  [ "$1" != socat ] || option='-d -d -d'
  within 100 has_reasons && grep -qE "$client" server.log && echo "yes=$option" || echo no
}
# the status, or 256 times that as of wait(2), and the signal; socat's lines begin with times
has_reasons() {
  sed 's/^[0-9/]* [0-9:]* [^ ]* //' server.log >reasons
  grep -qE '(^| )(end|child) .* (7|1792)$' reasons && grep -qE '(^| )(end|child) .* 9$' reasons
}
