# connections.sh: more rows of check/peers.sh about servers and their clients, with the functions of servers.sh: the beginning
# and the end of a server, protocols around a connection, clients that relay.
# shellcheck shell=sh disable=SC2016,SC2154

# ---- the beginning and the end ----

serve_ready() {
  greeter
  chmod +x prog
  case $1 in
  busybox)
    launch "$busybox" tcpsvd -v 127.0.0.1 0 ./prog
    await grep -q 'listening on' server.log
    grep -q 'listening on 127.0.0.1:0,' server.log && echo partly:no-port || echo yes=-v
    ;;
  s6)
    launch s6-ipcserver -1 "$PWD/s" ./prog
    await lines server.out 1
    at=$PWD/s
    served && echo yes=-1 || echo no
    ;;
  *)
    option=-1
    [ "$1" != socat ] || option='-d -d'
    serve "$1"
    served && echo "yes=$option" || echo no
    ;;
  esac
}

# drains SERVE...: SIGTERM while a client is served and another one waits. The first one's answer is in first, the second's
# in second, and the file over is there if the server did not wait.
drains() {
  prog 'echo >>starts' 'until [ -e go ]; do sleep 0.02; done' 'echo served' 'exec cat >/dev/null'
  "$@"
  sockets ask "$at" hello >first &
  first=$!
  await lines starts 1
  await [ -e connected ]
  rm connected
  sockets ask "$at" hello >second &
  second=$!
  await [ -e connected ]
  kill -TERM "$server"
  within 50 ended "$server" && : >over
  : >go
  await ended "$first"
  await ended "$second"
  await ended "$server"
}

drain() {
  if [ "$1" = ipcbox ]; then drains serve_one ipcbox --drain=60; else drains serve_one "$1"; fi
}

serve_term_waits() {
  drain "$1"
  if ! grep -q served first; then
    echo no
  elif [ -e over ]; then
    echo partly:left
  elif [ "$1" = ipcbox ]; then
    echo yes=--drain
  else
    echo yes
  fi
}

serve_term_queue() {
  drain "$1"
  if [ "$1" = s6 ] && ! grep -q served second; then
    rm -f s starts connected go over
    drains held && grep -q served second && echo partly:held || echo no
  elif grep -q served second; then
    [ "$1" = ipcbox ] && echo yes=--drain || echo yes
  else
    echo no
  fi
}
# s6-ipcserverd and the one after it have their socket from a process that keeps it
held() {
  chmod +x prog
  launch python3 "$home/peers/sockets.py" inetd "$PWD/s" sh -c 's6-ipcserverd -c 1 ./prog <&0 & echo $! >pid.new
    mv pid.new pid; wait; exec s6-ipcserverd -c 1 ./prog'
  await [ -e pid ]
  server=$(cat pid)
  at=$(cat at)
}

serve_activation() {
  greeter
  chmod +x prog
  case $1 in
  s6) launch python3 "$home/peers/sockets.py" inetd "$PWD/s" s6-ipcserverd ./prog ;;
  ipcbox) launch python3 "$home/peers/sockets.py" activate tcpserver --inherit ./prog ;;
  *)
    absent "$1" 'accept-fd|listen_fds|inherit|activation'
    return
    ;;
  esac
  await [ -e at ]
  at=$(cat at)
  served || { echo no; return; }
  [ "$1" = s6 ] && echo yes=s6-ipcserverd:stdin || echo yes=--inherit
}

# ---- protocols around it ----

serve_proxy() {
  case $1 in
  ipcbox) ;;
  s6)
    absent s6 proxy networking
    return
    ;;
  *)
    absent "$1" 'proxy.protocol|haproxy|send-proxy'
    return
    ;;
  esac
  prog 'echo "$TCPREMOTEIP"' 'exec cat >/dev/null'
  serve ipcbox --proxy
  gets 192.0.2.7 sockets ask "$at" "$(printf 'PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\nx')" && echo yes=--proxy || echo no
}

serve_tls() {
  case $1 in
  socat) ;;
  s6)
    absent s6 'tls|ssl|cert' networking
    return
    ;;
  ipcbox)
    tcpserver --help | grep -qiE 'tls|ssl|cert' && echo '?' || echo no:tls
    return
    ;;
  *)
    absent "$1" 'tls|ssl|cert'
    return
    ;;
  esac
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=here -keyout key -out cert -days 2
  cat key cert >pem
  prog 'read -r line; echo served'
  chmod +x prog
  launch socat -d -d "OPENSSL-LISTEN:0,bind=127.0.0.1,fork,cert=pem,verify=0" EXEC:./prog
  await is_ready socat
  TLS=1 gets served sockets ask "$at" 'hello
' && echo yes=OPENSSL-LISTEN || echo no
}

# ---- clients that relay ----

# relay TOOL [OPTION...]: between stdin and stdout and $at
relay() {
  tool=$1
  shift
  port=${at##*:}
  case $tool in
  socat) timeout 60 socat "$@" - "TCP:$at" ;;
  ucspi-tcp) timeout 60 "$ucspi/mconnect" 127.0.0.1 "$port" ;;
  s6) timeout 60 s6-ipcclient "$at" s6-ioconnect ;;
  busybox) timeout 60 "$busybox" nc 127.0.0.1 "$port" ;;
  ipcbox) timeout 60 tcpclient 127.0.0.1 "$port" ;;
  esac
}
# against TOOL COMMAND: the server of sockets.py for it
against() {
  address=127.0.0.1:0
  [ "$1" != s6 ] || address=$PWD/s
  sockets "$2" "$address" &
  await [ -e at ]
  at=$(cat at)
}

# is_told COMMAND...: the client ends with an error when the server resets the connection
is_told() {
  rm -f at go status over
  against "$tool" reset
  { echo hello; await [ -e over ]; } | { "$@" >answer 2>message; echo $? >status; } &
  await grep -q partial answer
  : >go
  within 250 [ -s status ] && [ "$(cat status)" -ne 0 ]
  told=$?
  : >over
  return "$told"
}
relay_reset() {
  tool=$1
  is_told relay "$tool" && { echo yes; return; }
  case $tool in
  socat) is_told relay socat -d ;;
  ucspi-tcp) is_told tcpcat_from_there && { echo yes=tcpcat:receives; return; } ;;
  esac
  grep -qi 'connection reset' message && echo partly:warning || echo no
}
tcpcat_from_there() {
  timeout 60 "$ucspi/tcpcat" 127.0.0.1 "${at##*:}"
}

# whole TOOL [OPTION...]: the answer, which begins late
whole() {
  rm -f at eof go status
  against "$1" slow
  { echo question | relay "$@" >answer; echo $? >status; } &
  within 100 [ -e eof ] || return 1
  within 100 [ -s status ] && return 1
  : >go
  await [ -s status ]
  [ "$(cat status)" -eq 0 ] && [ "$(wc -c <answer)" -eq 700000 ]
}
relay_half_close() {
  whole "$1" && { echo yes; return; }
  [ "$1" = socat ] && whole socat -t 1000 && echo yes=-t || echo no
}
