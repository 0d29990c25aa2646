# What tcpclient and unixclient do without a program: stdin to the server, the server's answer to stdout, whatever
# these are, every byte, and a right word when that can't be.

load helper/common
load helper/peers

setup() {
  common_setup
  set -o pipefail
}

teardown() {
  common_teardown
}

# echo_server: what it is sent comes back; its port in $server_at.
echo_server() {
  start server tcpserver 127.0.0.1 0 cat
}

# (timeout: on that the test fails, which would wait for ever)
relay() {
  timeout --foreground 100 tcpclient 127.0.0.1 "$server_at"
}

# ---- what stdin and stdout may be ----

@test "stdin may be a file, a pipe, a socket, or /dev/null" {
  start server tcpserver 127.0.0.1 0 sha256sum
  random_bytes 3000001 >data
  local expected
  expected=$(sha256sum <data)
  relay <data >file
  [ "$(cat file)" = "$expected" ]
  cat data | relay >pipe
  [ "$(cat pipe)" = "$expected" ]
  start source unixserver sock cat data
  unixclient sock sh -c 'exec tcpclient 127.0.0.1 "$0" <&6' "$server_at" >socket
  [ "$(cat socket)" = "$expected" ]
  relay </dev/null >null
  [ "$(cat null)" = "$(sha256sum </dev/null)" ]
}

@test "stdin is read from its current offset" {
  printf 'first\nsecond\n' >data
  run -0 with_tcp cat ::: sh -c '{ dd bs=6 count=1 of=/dev/null 2>/dev/null; tcpclient 127.0.0.1 $PORT; } <data'
  [ "$output" = second ]
}

@test "stdout may be a file, a file that is appended to, a pipe, a socket, or /dev/null" {
  random_bytes 3000001 >data
  start server tcpserver 127.0.0.1 0 cat data
  relay </dev/null >file
  cmp data file
  echo before >append
  relay </dev/null >>append
  { echo before; cat data; } | cmp - append
  relay </dev/null | cmp - data
  relay </dev/null >/dev/null
  start sink unixserver sock sh -c 'cat >socket; : >received'
  unixclient sock sh -c 'exec tcpclient 127.0.0.1 "$0" </dev/null >&7' "$server_at"
  until_true test -e received
  cmp data socket
}

@test "stdin and stdout may be the two ends of every pair of kinds at once" {
  echo_server
  random_bytes 2000003 >data
  relay <data >out
  cmp data out
  relay <data >>appended
  cmp data appended
  relay <data | cmp - data
  cat data | relay >out
  cmp data out
  cat data | relay | cmp - data
}

# ---- both directions, and their ends ----

@test "the end of stdin reaches the server, and the relay waits for its answer" {
  start server tcpserver 127.0.0.1 0 sh -c 'sum=$(sha256sum); echo "$sum"'
  random_bytes 5000000 >data
  run -0 relay <data
  [ "$output" = "$(sha256sum <data)" ]
}

@test "20 MiB go each way at once without a deadlock" {
  echo_server
  random_bytes 20971520 >data
  relay <data >out
  cmp data out
  cat data | relay | cmp - data
}

@test "a server that closes its side first and reads on gets all of a file" {
  peer server 127.0.0.1 accept send 'answer\n' shutdown rest FILE=received say done wait
  random_bytes 20971520 >data
  run -0 relay <data
  [ "$output" = answer ]
  until_line server.err done
  cmp data received
}

@test "a server that disconnects ends the relay, though stdin stays open" {
  start server tcpserver 127.0.0.1 0 echo bye
  mkfifo talk
  relay <>talk >out
  [ "$(cat out)" = bye ]
}

@test "data is written as it arrives" {
  echo_server
  mkfifo talk
  tcpclient 127.0.0.1 "$server_at" <talk >out 3>&- &
  started+=("$!")
  exec 5>talk
  echo one >&5
  until_line out one
  echo two >&5
  until_line out two
  exec 5>&-
  ends_with 0 "$!"
}

@test "a server's reset is an error, and what came before it is on stdout" {
  peer server 127.0.0.1 accept send 'before\n' read 100 reset
  mkfifo talk
  tcpclient 127.0.0.1 "$server_at" <talk >out 2>err 3>&- &
  local client=$!
  started+=("$client")
  exec 5>talk
  until_line out before
  echo go >&5
  ends_with 111 "$client"
  exec 5>&-
  [ "$(cat out)" = before ]
  [ "$(cat err)" = "tcpclient: receive: Connection reset by peer" ]
}

@test "a reset in the middle of a large answer is an error too" {
  peer server 127.0.0.1 accept flood 300000 read 1 reset
  mkfifo talk
  tcpclient 127.0.0.1 "$server_at" <talk >out 2>err 3>&- &
  local client=$!
  started+=("$client")
  exec 5>talk
  until_true test -s out
  echo go >&5
  ends_with 111 "$client"
  exec 5>&-
  grep -q '^tcpclient: .*Connection reset by peer$' err
}

@test "a server that exits without reading everything: its answer is on stdout, the status reports the loss" {
  peer server 127.0.0.1 accept read 1000 send 'enough\n' close say closed wait
  stream=$HELPERS/stream
  "$stream" x 4 >data
  run relay <data
  [ "$status" -eq 111 ]
  [[ $output == *"tcpclient: "*": "* ]]
}

# ---- when stdout or stdin fail ----

@test "a full disk is 111 and one line" {
  run -111 with_tcp echo hello ::: sh -c 'exec tcpclient 127.0.0.1 $PORT </dev/null >/dev/full'
  [ "$output" = "tcpclient: write stdout: No space left on device" ]
}

@test "a file size limit is 111 and one line, not SIGXFSZ" {
  start server tcpserver 127.0.0.1 0 head -c 100000 /dev/zero
  run timeout 60 bash -c 'trap "" XFSZ; ulimit -f 8; exec tcpclient 127.0.0.1 "$0" </dev/null >out' "$server_at"
  [ "$status" -eq 111 ]
  [ "$output" = "tcpclient: write stdout: File too large" ]
}

@test "a closed stdout is 111 and one line" {
  start server tcpserver 127.0.0.1 0 echo hello
  run -111 timeout 60 sh -c 'exec tcpclient 127.0.0.1 "$0" </dev/null >&-' "$server_at"
  [ "$output" = "tcpclient: write stdout: Bad file descriptor" ]
}

@test "a closed stdin is 111 and one line, as in other tools" {
  start server tcpserver 127.0.0.1 0 cat
  run -111 timeout 60 sh -c 'exec tcpclient 127.0.0.1 "$0" <&-' "$server_at"
  [ "$output" = "tcpclient: read stdin: Bad file descriptor" ]
}

@test "stdin that can't be read is 111, and the server sees no orderly end" {
  peer server 127.0.0.1 accept tell wait
  run -111 relay <.
  [ "$output" = "tcpclient: read stdin: Is a directory" ]
  until_line server.err .
  [ "$(cat server.err)" = "Connection reset by peer" ]
}

@test "a reader that exits ends it silently by SIGPIPE, like a filter" {
  start server tcpserver 127.0.0.1 0 yes
  run -0 timeout 60 bash -c '{ tcpclient 127.0.0.1 "$0"; echo "status $?" >&3; } </dev/null 2>err 3>status | head -n 1' "$server_at"
  [ "$output" = y ]
  [ "$(cat status)" = "status 141" ]
  run ! grep -v 'Broken pipe' err
  [ ! -s err ]
}

@test "where SIGPIPE is ignored, a reader that exits is 111 and one line" {
  start server tcpserver 127.0.0.1 0 yes
  run -0 timeout 60 bash -c '{ env --ignore-signal=PIPE tcpclient 127.0.0.1 "$0"; echo "status $?" >&3; } \
    </dev/null 2>err 3>status | head -n 1' "$server_at"
  [ "$output" = y ]
  [ "$(cat status)" = "status 111" ]
  [ "$(cat err)" = "tcpclient: write stdout: Broken pipe" ]
}

# ---- slowness ----

@test "a slow reader loses nothing" {
  echo_server
  random_bytes 3000000 >data
  relay <data | slow 3000 | cmp - data
}

@test "a slow server loses nothing" {
  start server tcpserver 127.0.0.1 0 slow 3000
  random_bytes 3000000 >data
  relay <data | cmp - data
  cat data | relay | cmp - data
}

@test "stdin that arrives in small pieces is sent unchanged" {
  echo_server
  random_bytes 100000 >data
  dd bs=700 <data 2>dd.err | relay | cmp - data
}

# ---- what others share with us stays as it was ----

@test "O_NONBLOCK is not set on inherited pipes, during the run and afterwards" {
  echo_server
  mkfifo in out
  exec 5<>in 6<>out
  tcpclient 127.0.0.1 "$server_at" <&5 >&6 3>&- &
  local client=$!
  started+=("$client")
  echo hello >&5
  read -r line <&6
  [ "$line" = hello ]
  run -0 fd-state nonblock 5 6
  [ "$output" = "0 0" ]
  kill "$client"
  wait "$client" || :
  run -0 fd-state nonblock 5 6
  [ "$output" = "0 0" ]
}

@test "stdin in non-blocking mode works, and stays non-blocking" {
  echo_server
  mkfifo in out
  exec 5<>in 6<>out
  [ "$(fd-state set-nonblock 5)" = 1 ]
  tcpclient 127.0.0.1 "$server_at" <&5 >&6 3>&- &
  started+=("$!")
  local n
  for n in 1 2 3; do
    echo "line $n" >in
    read -r line <&6
    [ "$line" = "line $n" ]
  done
  [ "$(fd-state nonblock 5)" = 1 ]
}

# ---- where the kernel says no ----

# injected EXPRESSION: the relay gives the same bytes, from a file and from a pipe, to a file and to a pipe, when
# strace makes system calls fail like that.
injected() {
  relay_so() {
    strace -f -qq -o trace -e "trace=${1%%:*}" -e inject="$1" timeout --foreground 30 tcpclient 127.0.0.1 "$server_at"
    grep -q INJECTED trace
  }
  relay_so "$1" <data >out
  cmp data out
  cat data | relay_so "$1" | cmp - data
}

@test "the same bytes without splice and sendfile" {
  need strace strace
  echo_server
  random_bytes 3000000 >data
  local error
  for error in EINVAL ENOSYS EPERM EOPNOTSUPP; do
    injected "splice,sendfile:error=$error"
  done
}

@test "the same bytes when splice and sendfile fail later on" {
  need strace strace
  echo_server
  random_bytes 3000000 >data
  injected splice,sendfile:error=EINVAL:when=2+
}

@test "the same bytes when calls are interrupted or would block" {
  need strace strace
  echo_server
  random_bytes 3000000 >data
  injected splice,sendfile:error=EAGAIN:when=1+3
  injected splice,sendfile:error=EINTR:when=1+3
  injected ppoll:error=EINTR:when=1+2
  relay() {
    strace -f -qq -o /dev/null -e inject=splice,sendfile:error=EINVAL -e "inject=$1" \
      timeout --foreground 30 tcpclient 127.0.0.1 "$server_at"
  }
  local error
  for error in EAGAIN EINTR; do
    relay "recvfrom,sendto,write:error=$error:when=1+3" <data >out
    cmp data out
    cat data | relay "recvfrom,sendto:error=$error:when=1+3" | cmp - data
  done
}

@test "a send that fails for lack of memory is 111 and one line, not a wait for an answer" {
  need strace strace
  echo_server
  random_bytes 3000000 >data
  local error
  for error in ENOMEM ENOBUFS EIO; do
    run -111 strace -f -qq -o trace -e trace=sendfile -e "inject=sendfile:error=$error:when=2+" \
      sh -c 'timeout --foreground 30 tcpclient 127.0.0.1 "$0" <data >out' "$server_at"
    [[ $output == "tcpclient: "* ]]
    [ "${#lines[@]}" -eq 1 ]
  done
}

# ---- how far it is ----

@test "--progress reports the total in each direction at the end" {
  start server tcpserver 127.0.0.1 0 sh -c 'cat >/dev/null; head -c 50000 /dev/zero'
  random_bytes 3000000 >data
  tcpclient --progress 127.0.0.1 "$server_at" <data 2>err >out
  [ "$(wc -c <out)" -eq 50000 ]
  [[ $(tail -n 1 err) =~ ^"tcpclient: sent 3000000 received 50000 bytes in "[0-9.]+" s, "[0-9.]+" MiB/s"$ ]]
}

@test "--progress at a terminal: a line that is drawn again each second, and none for less than a second" {
  start server tcpserver 127.0.0.1 0 sh -c 'echo hello; read -r line'
  run -0 timeout --foreground 60 at-terminal 'received 6 bytes in [1-9]' 'x\n' -- tcpclient --progress 127.0.0.1 "$server_at" 3>&-
  [[ $output == *$'tcpclient: sent 0 received 6 bytes in '*$'\e[K'*'sent 2 received 6 bytes in '* ]]
  run timeout --foreground 60 at-terminal -- sh -c 'echo | tcpclient --progress 127.0.0.1 "$0"; echo "s=$?"' "$server_at" 3>&-
  [ "$output" = "hello
s=0" ] || [[ $output == *'bytes in '[1-9]* ]] # that machine took a second
}

@test "without --progress nothing is printed" {
  echo_server
  run -0 --separate-stderr relay <<<hello
  [ "$output" = hello ]
  [ -z "$stderr" ]
}

# ---- much ----

# much MIB: that much each way at once, checked, in flat memory.
much() {
  local sum peak
  start server tcpserver 127.0.0.1 0 sh -c '"$0" down "$1" & sha256sum >up.sum; wait' "$HELPERS/stream" "$1"
  mkfifo up down
  "$HELPERS/stream" up "$1" >up 3>&- &
  started+=("$!")
  sha256sum <down >down.sum 3>&- &
  started+=("$!")
  sum=$!
  tcpclient 127.0.0.1 "$server_at" <up >down 3>&- &
  local client=$!
  started+=("$client")
  # the peak only grows: the last one seen counts
  while seen=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/"$client"/status 2>/dev/null) && [ -n "$seen" ]; do
    peak=$seen
    read -rt 0.02 <> <(:) || :
  done
  ends_with 0 "$client"
  wait "$sum"
  echo "peak: $peak kB"
  ((peak < 20480))
  until_true test -s up.sum
  [ "$(cat up.sum)" = "$("$HELPERS/stream" up "$1" | sha256sum)" ]
  [ "$(cat down.sum)" = "$("$HELPERS/stream" down "$1" | sha256sum)" ]
}

# bats test_tags=long
@test "256 MiB each way at once arrive whole, in flat memory" {
  much 256
}

@test "2 GiB each way at once arrive whole, in flat memory" {
  [ "${IPCBOX_LONG:-}" = 1 ] || skip "takes minutes: set IPCBOX_LONG=1"
  much 2048
}
