# unixclient: a program on fds 6 and 7 of a Unix connection, or a relay. What the relay does with each kind of stdin
# and stdout is in relay.bats: it is tcpclient's too.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

@test "a program reads the server from fd 6 and writes to it on fd 7" {
  start server unixserver sock sh -c 'read -r word; echo "$word" | tr a-z A-Z'
  run -0 timeout --foreground 60 unixclient sock sh -c 'echo hello >&7; exec cat <&6'
  [ "$output" = HELLO ]
}

@test "a program finds both ends of its connection in its environment" {
  start server unixserver sock cat
  background client unixclient sock sh -c 'env | grep -E "^(PROTO|TCP|UNIX)" | sort'
  wait "$client"
  run cat client.out
  [ "$output" = "PROTO=UNIX
UNIXLOCALGID=$(id -g)
UNIXLOCALPID=$client
UNIXLOCALUID=$(id -u)
UNIXREMOTEEGID=$(id -g)
UNIXREMOTEEUID=$(id -u)
UNIXREMOTEPATH=sock
UNIXREMOTEPID=$server" ]
}

@test "variables of another server are removed from the environment" {
  export PROTO=TCP TCPREMOTEIP=192.0.2.1 TCPLOCALHOST=x UNIXLOCALPATH=/old UNIXCONNNUM=9 KEPT=yes
  start server unixserver sock cat
  run -0 timeout --foreground 60 unixclient sock sh -c 'env | grep -E "^(PROTO|TCP|UNIX.*(PATH|NUM)|KEPT)" | sort'
  [ "$output" = "KEPT=yes
PROTO=UNIX
UNIXREMOTEPATH=sock" ]
}

@test "a program gets only fds 6 and 7 in addition to those it inherits" {
  start server unixserver sock cat
  exec 9</dev/null
  fds >before
  unixclient sock fds >after
  [ "$(tr ' ' '\n' <after | sort)" = "$(tr ' ' '\n' <before | sort - <(printf '%s\n' 6 7))" ]
}

@test "without a program it relays: stdin to the server to its end, then all of the answer" {
  random_bytes 3000000 >data
  run -0 with_server unixserver -1 sock sha256sum ::: unixclient sock <data
  [ "$output" = "$(sha256sum <data)" ]
}

@test "the relay takes 20 MiB both ways at once" {
  start server unixserver sock cat
  random_bytes 20971520 >data
  # shellcheck disable=SC2002 # a pipe, not the file, is wanted
  cat data | unixclient sock | cmp - data
  unixclient sock <data >back
  cmp back data
}

@test "@NAME is an abstract socket" {
  local name="@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER"
  start server unixserver "$name" echo found
  run -0 timeout --foreground 60 unixclient "$name" </dev/null
  [ "$output" = found ]
  run -0 timeout --foreground 60 unixclient "$name" sh -c 'echo "$UNIXREMOTEPATH"'
  [ "$output" = "$name" ]
}

@test "a path of 108 bytes, an empty one, or none is a usage error" {
  wrong_call unixclient
  wrong_call unixclient ''
  wrong_call unixclient '@'
  wrong_call unixclient "$(printf 'x%.0s' {1..108})"
  wrong_call unixclient --progress sock true
}

@test "no socket, a dead one, or another file: 111 and one line" {
  run -111 timeout --foreground 60 unixclient nothing </dev/null
  [ "$output" = "unixclient: connect to nothing: No such file or directory" ]
  start server unixserver sock cat
  kill -KILL "$server"
  ends_with 137 "$server"
  run -111 timeout --foreground 60 unixclient sock </dev/null
  [ "$output" = "unixclient: connect to sock: Connection refused" ]
  echo >file
  run -111 timeout --foreground 60 unixclient file </dev/null
  [ "$output" = "unixclient: connect to file: Connection refused" ]
}

@test "a program that doesn't exist is 127, one that can't run 126, and no connection is made" {
  start server unixserver sock sh -c 'echo ran >>runs'
  run -127 timeout --foreground 60 unixclient sock ./nothing
  [ "$output" = "unixclient: ./nothing: No such file or directory" ]
  touch plain
  run -126 timeout --foreground 60 unixclient sock ./plain
  run -0 timeout --foreground 60 unixclient sock </dev/null
  [ "$(cat runs)" = ran ]
}

@test "-T: a server that does not accept is given up in time" {
  peer server -b 0 sock full wait
  until_line server.err full
  SECONDS=0
  run -111 timeout --foreground 60 unixclient -T 250ms sock </dev/null
  [ "$output" = "unixclient: connect to sock: Connection timed out" ]
  ((SECONDS < 30))
}

@test "-T 0 tries once" {
  peer server -b 0 full full wait
  until_line server.err full
  SECONDS=0
  run -111 timeout --foreground 60 unixclient -T 0 full </dev/null
  ((SECONDS < 30))
  start other unixserver sock echo here
  run -0 timeout --foreground 60 unixclient -T 0 sock </dev/null
  [ "$output" = here ]
}

@test "--retry waits for the server to appear" {
  background client unixclient --retry sock
  until_true asleep "$client" unixclient
  start server unixserver sock echo here
  ends_with 0 "$client"
  [ "$(cat client.out)" = here ]
  [ ! -s client.err ]
}

@test "--retry waits for a dead server to be replaced" {
  start server unixserver sock echo one
  kill -KILL "$server"
  ends_with 137 "$server"
  background client unixclient --retry sock
  until_true asleep "$client" unixclient
  start again unixserver sock echo two
  ends_with 0 "$client"
  [ "$(cat client.out)" = two ]
}

@test "--retry stops when -T expires, and immediately where waiting can't help" {
  run -111 timeout --foreground 60 unixclient --retry -T 0.1 sock </dev/null
  [ "$output" = "unixclient: connect to sock: No such file or directory" ]
  SECONDS=0
  echo >file
  run -111 timeout --foreground 60 unixclient --retry -T 60 file/sock </dev/null
  [ "$output" = "unixclient: connect to file/sock: Not a directory" ]
  ((SECONDS < 30))
}

@test "-v prints the server's pid and user; -q and -Q don't" {
  start server unixserver sock cat
  run -0 --separate-stderr unixclient -v sock </dev/null
  [ "$stderr" = "unixclient: connected to pid $server uid $(id -u)" ]
  run -0 --separate-stderr unixclient -v -Q sock </dev/null
  [ -z "$stderr" ]
  run -0 --separate-stderr unixclient -v -q sock </dev/null
  [ -z "$stderr" ]
  run -111 timeout --foreground 60 unixclient -q nothing </dev/null
  [ "$output" = "unixclient: connect to nothing: No such file or directory" ]
}
