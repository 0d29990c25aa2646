# Many connections: none is lost or wrong, and the server is afterwards what it was before. The load program is
# bench/load.c, which compares every reply.

load helper/common
load helper/peers

setup() {
  common_setup
  load=$HELPERS/../bench/load
  ulimit -Sn "$(ulimit -Hn)"
}

teardown() {
  common_teardown
}

# resident PID: kB
resident() {
  sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/"$1"/status
}

# unchanged PID COMMAND...: after COMMAND the server has the fds and, within 1 MiB, the memory that it had, and no
# child, zombies included.
unchanged() {
  local fds kb
  until_true no_children "$1"
  fds=$(fd_count "$1") kb=$(resident "$1")
  "${@:2}"
  until_true no_children "$1"
  echo "memory: $kb kB before, $(resident "$1") kB after"
  [ "$(fd_count "$1")" -eq "$fds" ]
  (($(resident "$1") <= kb + 1024))
}

# said_nothing: no line on the server's stderr, which is printed otherwise
said_nothing() {
  cat server.err
  [ ! -s server.err ]
}

# all_right N COMMAND...: the load program says that all N replies were right.
all_right() {
  run -0 --separate-stderr "${@:2}"
  [[ $output == "ok=$1 wrong=0 failed=0 "* ]]
  [ -z "$stderr" ]
}

# -c is far above 50, for a program whose client has gone counts until it has been waited for.
# bats test_tags=long
@test "20,000 connections to tcpserver, 50 at a time: none lost, none wrong, nothing left" {
  start server tcpserver -c 1000 127.0.0.1 0 cat
  all_right 500 "$load" -n 500 -c 50 "$server_at"
  unchanged "$server" all_right 20000 "$load" -n 20000 -c 50 "$server_at"
  said_nothing
}

# bats test_tags=long
@test "5,000 connections to unixserver, 50 at a time: none lost, none wrong, nothing left" {
  start server unixserver -c 1000 "$PWD/sock" cat
  all_right 500 "$load" -n 500 -c 50 "$PWD/sock"
  unchanged "$server" all_right 5000 "$load" -n 5000 -c 50 "$PWD/sock"
  said_nothing
}

@test "more clients than programs: they wait for their turn and all get it" {
  start server tcpserver -c 5 127.0.0.1 0 cat
  all_right 3000 "$load" -n 3000 -c 200 "$server_at"
  until_true no_children "$server"
}

need_fds() {
  local most
  most=$(ulimit -Hn)
  [ "$most" = unlimited ] || ((most > $1)) || skip "needs more than $1 fds"
}

@test "1,000 connections opened before the first sends a byte: none lost, none wrong, nothing left" {
  need_fds 1100
  start server tcpserver -c 1000 127.0.0.1 0 cat
  all_right 100 "$load" -n 100 -c 50 "$server_at"
  unchanged "$server" all_right 1000 "$load" -s -n 1000 -c 100 -t 300 "$server_at"
}

# has_children PID COUNT
has_children() {
  [ "$(wc -w </proc/"$1"/task/"$1"/children)" -eq "$2" ]
}

@test "1,000 connections each with its program at once, each answered" {
  need_fds 1100
  start server tcpserver -c 1000 127.0.0.1 0 cat
  mkfifo go
  background clients "$PERL/many" 1000 "" "$server_at" go
  until_true has_children "$server" 1000
  echo >go
  ends_with 0 "$clients"
  [ "$(cat clients.out)" = 1000 ]
  until_true no_children "$server"
}
