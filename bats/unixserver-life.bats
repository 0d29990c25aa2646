# unixserver's socket file among several servers: one ends while its successor is there already, one waits its turn.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# answers PATH TEXT: a server that echoes lives there.
answers() {
  [ "$(echo "$2" | unixclient "$1")" = "$2" ]
}

# deserted PATH: nobody serves it.
deserted() {
  if unixclient "$1" </dev/null >/dev/null 2>&1; then false; fi
}

@test "--drain: the file is removed before the wait, and a successor's file stays" {
  start old unixserver --drain 1h sock cat
  mkfifo talk
  unixclient sock <talk >answer 3>&- &
  started+=("$!")
  local client=$!
  exec 5>talk
  echo one >&5
  until_line answer one
  kill -TERM "$old"
  until_true deserted sock
  [ ! -e sock ]
  start new unixserver sock cat 5>&-
  answers sock successor
  # the old one drains still
  kill -0 "$old"
  echo two >&5
  until_line answer two
  exec 5>&-
  ends_with 0 "$old"
  wait "$client"
  [ -S sock ]
  answers sock "still here"
  finish "$new"
  [ ! -e sock ]
}

@test "--max: the file is removed before the wait for the programs, and a successor's file stays" {
  start old unixserver --max 1 sock cat
  mkfifo talk
  unixclient sock <talk >answer 3>&- &
  started+=("$!")
  exec 5>talk
  echo one >&5
  until_line answer one
  until_true deserted sock
  [ ! -e sock ]
  start new unixserver sock cat 5>&-
  exec 5>&-
  ends_with 0 "$old"
  [ -S sock ]
  answers sock "still here"
}

# has_two_fds PID: the pipe to the server and the directory
has_two_fds() {
  [ "$(fd_count "$1")" -eq 2 ]
}

@test "a killed server's keeper leaves its successor's file" {
  need_root
  mkdir -m 755 owned
  start old unixserver -u nobody owned/sock cat
  local keeper
  keeper=$(cat /proc/"$old"/task/"$old"/children)
  keeper=${keeper// /}
  started+=("$keeper")
  until_true has_two_fds "$keeper" # it has let go of the socket
  kill -STOP "$keeper"
  kill -KILL "$old"
  ends_with 137 "$old"
  # takes over the dead one's file, and on many file systems gets its inode's number
  start new unixserver owned/sock cat
  kill -CONT "$keeper"
  until_true gone "$keeper"
  [ -S owned/sock ]
  answers owned/sock "still here"
}

@test "TERM stops a server that waits for the lock on PATH, and nothing is bound" {
  mkdir locked
  (umask 077 && : >locked/.sock.lock)
  # the holder lives: of a dead one's lock, and of those who wait for it, /proc/locks of a pid namespace says nothing
  background holder flock --no-fork locked/.sock.lock sh -c 'echo held >&2; exec sleep 1000'
  until_line holder.err held
  background server unixserver locked/sock cat
  until_true waits_for_lock "$server"
  kill -TERM "$server"
  ends_with 143 "$server"
  [ ! -s server.err ]
  [ ! -e locked/sock ]
}

# waits_for_lock PID
waits_for_lock() {
  grep -qE "^[0-9]+: -> FLOCK .* $1 " /proc/locks
}

@test "-p and -o without a socket file are usage errors, and nothing is bound" {
  local name
  name=@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER
  wrong_call unixserver -p 0600 "$name" true
  wrong_call unixserver -o "$(id -un)" "$name" true
  wrong_call unixserver -o ":$(id -gn)" "$name" true
  start server unixserver "$name" cat
  # refused, not for the name that is in use
  wrong_call unixserver -p 0600 "$name" true
  wrong_call unixserver -p 0600 --inherit true
  wrong_call unixserver -o "$(id -un)" --inherit true
  answers "$name" "still here"
}
