# What the tcpserver files share: clients, wrappers around the server, a look at what is left behind.

load helper/common

server_setup() {
  common_setup
  connected=()
  # a program that tells what its environment says about the connection
  script bin/tell 'env | grep -E "^(PROTO|TCP|UNIX|LISTEN_|NOTIFY_)" | sort'
}

# Hangs up, ends the servers, and fails if any process of the test (its directory is theirs) is still there.
server_teardown() {
  local fd tries
  for fd in "${connected[@]}"; do
    exec {fd}>&-
  done
  common_teardown
  for ((tries = 0; tries < 500; tries++)); do
    [ -n "$(left_behind)" ] || return 0
    read -rt 0.01 <> <(:) || :
  done
  echo "left behind: $(left_behind)" >&2
  left_behind | xargs -r kill -KILL
  return 1
}

# The pids of all but the test itself that work in its directory.
left_behind() (
  cd / && find /proc -maxdepth 2 -name cwd -lname "$BATS_TEST_TMPDIR*" 2>/dev/null | cut -d/ -f3 | grep -vx "$$"
)

# script FILE TEXT: an executable shell script.
script() {
  printf '#!/bin/sh\n%s\n' "$2" >"$1.new"
  chmod +x "$1.new"
  mv "$1.new" "$1"
}

# wrap NAME COMMAND...: NAME is a command that runs tcpserver under COMMAND, which keeps its pid.
wrap() {
  local name=$1
  shift
  script "bin/$name" "exec ${*@Q} tcpserver \"\$@\""
}

# traced LOG STRACE-OPTION...: the same, as `traced`, under strace; the server is the parent of its tracer.
traced() {
  needs strace strace
  wrap traced strace -D -qq -o "$@"
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
  ! (exec {connected[0]}<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null
}

# around VAR: until the server that start or background has put into VAR has been around its loop, twice, so that it
# has seen all that was there before.
around() {
  local n i
  for i in 1 2; do
    n=$(grep -c ' accepted ' "$1.err") || :
    kill -USR1 "${!1}"
    until_true more_than "$n" "$1.err"
  done
}

more_than() {
  [ "$(grep -c ' accepted ' "$2")" -gt "$1" ]
}

is_gone() {
  [ ! -e "/proc/$1" ]
}

needs() {
  command -v "$1" >/dev/null || skip "$1 is not installed (Debian: $2)"
}

needs_root() {
  [ "$(id -u)" -eq 0 ] || skip "not root"
}

needs_ipv6() {
  [ -s /proc/net/if_inet6 ] || skip "no IPv6 here"
}

# activated KINDS [NAME=VALUE]...: `activated` is a command that runs tcpserver with sockets as systemd passes them
# (helper/activate.pl).
activated() {
  local kinds=$1
  shift
  script bin/activated "exec env ${*@Q} perl '$BATS_TEST_DIRNAME/helper/activate.pl' $kinds tcpserver \"\$@\""
}

# ended VAR N: the log of the server in VAR, under -v, has seen N programs end.
ended() {
  [ "$(grep -c '^tcpserver: end ' "$1.err")" -ge "$2" ]
}
