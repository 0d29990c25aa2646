# tcpserver and unixserver with --stdio: one connection, relayed to the server's own stdin and stdout.

load helper/tcpserver

setup() {
  server_setup
  set -o pipefail
  mkfifo in
}

teardown() {
  server_teardown
}

# stdio SERVER WORD...: with --stdio; reads from fd 5, writes to out; its pid in $srv, its port or path in $at.
stdio() {
  : >out
  env --default-signal=INT,QUIT "$1" -1 --stdio "${@:2}" <in >out 2>err 3>&- &
  srv=$!
  started+=("$srv")
  exec 5>in
  until_line out .
  at=$(head -n 1 out)
}

@test "the line of -1 comes first, then what the client sends; the client gets stdin, and both see the other's end" {
  stdio tcpserver 127.0.0.1 0
  echo hello >&5
  exec 5>&-
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$at" <<<question
  [ "$output" = hello ]
  ends_with 0 "$srv"
  [ "$(cat out)" = "$at
question" ]
  [ ! -s err ]
  stdio unixserver sock
  echo hello >&5
  exec 5>&-
  run -0 timeout --foreground 60 unixclient sock <<<question
  [ "$output" = hello ]
  ends_with 0 "$srv"
  [ "$(cat out)" = "sock
question" ]
}

@test "20 MB each way at once, with nc, socat and tcpclient" {
  random_bytes 20000000 >data
  local client
  for client in 'nc -N 127.0.0.1' 'socat - TCP:127.0.0.1:' 'tcpclient 127.0.0.1'; do
    command -v "${client%% *}" >/dev/null || continue
    : >out # here, lest the line of an earlier round is taken for that of this one
    tcpserver -1 --stdio 127.0.0.1 0 <data >out 2>err 3>&- &
    srv=$!
    started+=("$srv")
    until_line out .
    port=$(head -n 1 out | tr -d '\0')
    client="$client $port"
    # shellcheck disable=SC2086 # words
    timeout --foreground 100 ${client/: /:} <data >answer
    ends_with 0 "$srv"
    cmp data answer
    tail -c +"$((${#port} + 2))" out | cmp data -
  done
}

@test "the listener is closed once a client is there: others are refused, and the socket file is gone" {
  stdio tcpserver 127.0.0.1 0
  connect c "$at"
  echo hello >&"$c"
  until_line out hello
  run -111 timeout --foreground 60 tcpclient 127.0.0.1 "$at" true
  [[ $output == *"Connection refused" ]]
  echo answer >&5
  hear "$c"
  [ "$heard" = answer ]
  hang_up "$c"
  exec 5>&-
  ends_with 0 "$srv"
  stdio unixserver sock
  unixclient sock sh -c 'echo hello >&7; exec cat <&6' 3>&- 5>&- &
  started+=("$!")
  until_line out hello
  [ ! -e sock ]
  exec 5>&-
  ends_with 0 "$!"
  ends_with 0 "$srv"
}

@test "a denied client does not count, nor one that sends no PROXY header" {
  printf '127.0.0.2:deny\n' >rules
  stdio tcpserver -x rules --proxy=1h 0 0
  connect silent "$at"
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$at" < <(printf 'PROXY TCP4 127.0.0.2 127.0.0.1 1 2\r\n')
  [ -z "$output" ]
  timeout --foreground 60 tcpclient 127.0.0.1 "$at" < <(printf 'PROXY TCP4 127.0.0.3 127.0.0.1 1 2\r\nhello\n') 3>&- 5>&- &
  local client=$!
  started+=("$client")
  until_line out hello
  run -0 timeout 60 cat <&"$silent"
  [ -z "$output" ]
  exec 5>&-
  ends_with 0 "$client"
  ends_with 0 "$srv"
}

@test "--no-shutdown leaves our side open; --idle is 124; a reset is 111" {
  stdio tcpserver --no-shutdown --idle 0.3 127.0.0.1 0
  exec 5>&-
  run -0 timeout --foreground 60 tcpclient --no-shutdown 127.0.0.1 "$at" <<<hello
  ends_with 124 "$srv"
  [ "$(cat err)" = "tcpserver: relay: nothing moved for the time of --idle" ]
  [ "$(tail -n 1 out)" = hello ]
  stdio tcpserver 127.0.0.1 0
  tcpclient 127.0.0.1 "$at" <. 2>client.err || :
  ends_with 111 "$srv"
  [ "$(cat err)" = "tcpserver: receive: Connection reset by peer" ]
  exec 5>&-
}

@test "--progress reports the totals" {
  stdio tcpserver --progress 127.0.0.1 0
  echo hello >&5
  exec 5>&-
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$at" <<<question
  ends_with 0 "$srv"
  [[ $(tail -n 1 err) == "tcpserver: sent 6 received 9 bytes in "* ]]
}

@test "SIGTERM: status 0 while nobody is there, then as tcpclient, even if it was ignored" {
  stdio tcpserver 127.0.0.1 0
  finish "$srv"
  [ "$status" -eq 0 ]
  exec 5>&-
  wrap ignoring env --ignore-signal=TERM
  stdio ignoring 127.0.0.1 0
  connect c "$at"
  echo hello >&"$c"
  until_line out hello
  finish "$srv"
  [ "$status" -eq 143 ]
  exec 5>&-
}

@test "SIGTERM while bytes are moved without a pause" {
  tcpserver -1 --stdio 127.0.0.1 0 </dev/zero >out 2>err 3>&- &
  srv=$!
  started+=("$srv")
  until_line out .
  tcpclient 127.0.0.1 "$(head -n 1 out | tr -d '\0')" </dev/null >/dev/null 2>client.err 3>&- &
  started+=("$!")
  until_true grep -qE '^rchar: [0-9]{8}' "/proc/$srv/io"
  finish "$srv"
  [ "$status" -eq 143 ]
}

@test "SIGTERM while the line of -1, or that of --ready-fd, waits for its reader" {
  local how port
  port=$(free_port)
  for how in '1 tcpserver -1' '5 tcpserver --ready-fd 5'; do
    # shellcheck disable=SC2086 # words
    background srv stalled pipe $how --stdio 127.0.0.1 "$port"
    rm -f connected
    timeout --foreground 60 tcpclient --retry -T 50 127.0.0.1 "$port" sh -c 'echo >connected; exec cat <&6' 2>client.err 3>&- &
    started+=("$!")
    until_true test -e connected
    until_true refuses "$port" # it is accepted
    finish "$srv"
    [ "$status" -eq 143 ]
  done
}

@test "usage errors: what needs programs, and the relay's options without --stdio" {
  wrong_call tcpserver --stdio 127.0.0.1 0 true
  [ "${stderr_lines[0]}" = "tcpserver: --stdio cannot be combined with PROG, -c, -C, --max or --drain" ]
  for option in '-c 40' '-C 1' '--max 1' '--drain 1'; do
    # shellcheck disable=SC2086 # words
    wrong_call tcpserver --stdio $option 127.0.0.1 0
    # shellcheck disable=SC2086 # words
    wrong_call unixserver --stdio $option sock
  done
  wrong_call tcpserver --stdio --ready-fd 1 127.0.0.1 0
  wrong_call tcpserver --stdio --inherit-fd 0
  for option in --progress --no-shutdown '--idle 1'; do
    # shellcheck disable=SC2086 # words
    wrong_call tcpserver $option 127.0.0.1 0
    [ "${stderr_lines[0]}" = "tcpserver: --progress, --no-shutdown and --idle need --stdio" ]
    # shellcheck disable=SC2086 # words
    wrong_call unixserver $option sock true
  done
}
