# What the tcpserver files share: clients, wrappers around the server, a look at what is left behind.

load helper/common
load helper/peers

server_setup() {
  common_setup
  connected=()
  # a program that tells what its environment says about the connection
  script bin/tell 'env | grep -E "^(PROTO|TCP|UNIX|LISTEN_|NOTIFY_)" | sort'
}

# Hangs up, ends the servers, and sees to it that no process of the test is left.
server_teardown() {
  local fd
  for fd in "${connected[@]}"; do
    exec {fd}>&-
  done
  common_teardown
}

# wrap NAME COMMAND...: NAME is a command that runs tcpserver under COMMAND, which keeps its pid.
wrap() {
  local name=$1
  shift
  script "bin/$name" "exec ${*@Q} tcpserver \"\$@\""
}

# with_strace LOG STRACE-OPTION...: `traced` is a command that runs tcpserver under strace, which is its child.
with_strace() {
  need strace strace
  wrap traced strace -D -qq -o "$@"
}

# end_strace PID: what was injected into that server is over. In the middle of an injection the call would fail with
# another error: the server is stopped for it, which it can't be while it makes a call or waits in vfork(2).
end_strace() {
  kill -STOP "$1"
  until_true took_stop "$1"
  kill -KILL "$(awk '/^TracerPid:/ {print $2}' "/proc/$1/status")"
  kill -CONT "$1"
}

# took_stop PID: SIGSTOP isn't pending any more.
took_stop() {
  local pending
  pending=$(awk '/^ShdPnd:/ {print $2}' "/proc/$1/status")
  ((!(16#$pending & 1 << 18)))
}

# call PORT [TCPCLIENT-OPTION...]: what the server says to a client that says nothing.
call() {
  local port=$1
  shift
  tcpclient "$@" 127.0.0.1 "$port" </dev/null
}

# connect VAR PORT [HOST]: a connection that stays; its fd in VAR. To be closed by hang_up or the teardown.
connect() {
  local fd
  exec {fd}<>"/dev/tcp/${3:-127.0.0.1}/$2"
  connected+=("$fd")
  printf -v "$1" %s "$fd"
}

# hear FD: the next line that comes in; goes to $heard.
hear() {
  IFS= read -r heard <&"$1"
}

hang_up() {
  local fd=$1
  exec {fd}>&-
}

# refuses PORT [HOST]: nothing listens there.
refuses() {
  ! (exec 9<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null
}

# around VAR: until the server that start or background has put into VAR has been around its loop, twice, so that it
# has seen all that was there before.
around() {
  local n twice
  for twice in 1 2; do
    n=$(grep -c ' accepted ' "$1.err") || :
    kill -USR1 "${!1}"
    until_true more_than "$n" "$1.err"
  done
}

more_than() {
  [ "$(grep -c ' accepted ' "$2")" -gt "$1" ]
}

# with_sockets KINDS [NAME=VALUE]...: `activated` is a command that runs tcpserver (or $TCPSERVER) with sockets as systemd
# passes them, in fd 3 and on (helper/activate.c).
with_sockets() {
  local kinds=$1
  shift
  script bin/activated "exec env ${*@Q} '$HELPERS/activate' '$kinds' '${TCPSERVER:-tcpserver}' \"\$@\""
}

# ended VAR N: the log of the server in VAR, under -v, has seen N programs end.
ended() {
  [ "$(grep -c '^tcpserver: end ' "$1.err")" -ge "$2" ]
}

# Only x86-64 and arm64 have children that share our memory (ELF header, elf(5): class 2, machine 62 or 183).
need_shared_memory() {
  local header
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "this build makes copies only"
  read -ra header < <(od -An -tu1 -w20 -N20 "$IPCBOX")
  [[ ${header[4]} == 2 && ${header[18]} =~ ^(62|183)$ && ${header[19]} == 0 ]] || skip "on this machine children are copies only"
}
