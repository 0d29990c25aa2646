# tcpserver's limits: how many connections, of whom, how fast; what it says to those beyond; what it does when the
# system is short of something.

load helper/tcpserver

setup() {
  server_setup
  # a program that holds its connection until the client hangs up
  script bin/hold 'echo "up $$"; exec cat'
}

teardown() {
  server_teardown
}

# line_of PATTERN: the number of the log's first such line.
line_of() {
  grep -nE -m 1 -- "$1" srv.err | cut -d: -f1
}

# holds VAR: a connection to srv that is served; its fd in VAR, its program's pid in VAR_pid.
holds() {
  connect "$1" "$srv_at"
  hear "${!1}"
  [[ $heard == "up "* ]]
  printf -v "$1_pid" %s "${heard#up }"
}

# ---- all clients together ----

@test "-c 1 serves one at a time: the second client waits, and is served after the first" {
  start srv tcpserver -v -c 1 127.0.0.1 0 hold
  holds a
  connect b "$srv_at"
  around srv
  hang_up "$a"
  hear "$b"
  [ "$(line_of "^tcpserver: end $a_pid ")" -lt "$(line_of "^tcpserver: ok ${heard#up } ")" ]
  run ! grep 'status: 2/' srv.err
}

@test "-c 2 serves two, the third waits" {
  start srv tcpserver -v -c 2 127.0.0.1 0 hold
  holds a
  holds b
  connect c "$srv_at"
  around srv
  hang_up "$b"
  hear "$c"
  [ "$(line_of "^tcpserver: end $b_pid ")" -lt "$(line_of "^tcpserver: ok ${heard#up } ")" ]
  grep 'status: 2/2' srv.err
  run ! grep 'status: 3/' srv.err
}

@test "-c applies to the greeting, too" {
  start srv tcpserver -v -c 1 127.0.0.1 0
  for ((turn = 0; turn < 10; turn++)); do
    call "$srv_at" >"got.$turn" 3>&- &
    callers+=($!)
  done
  wait "${callers[@]}"
  [ "$(cat got.* | grep -c '^Hello there')" -eq 10 ]
  run ! grep 'status: 2/' srv.err
}

@test "the default limit is 40" {
  start srv tcpserver 127.0.0.1 0 true
  kill -USR1 "$srv"
  until_line srv.err '^tcpserver: status: 0/40 '
}

@test "--max N: the server exits after N connections, once their programs have exited" {
  start srv tcpserver --max 2 127.0.0.1 0 hold
  holds a
  holds b
  until_true refuses "$srv_at"
  kill -0 "$srv"
  echo still >&"$a"
  hear "$a"
  [ "$heard" = still ]
  hang_up "$a"
  around srv
  hang_up "$b"
  ends_with 0 "$srv"
}

@test "--max counts accepted connections, and no more are accepted" {
  start srv tcpserver --max 3 -v 127.0.0.1 0 printf served
  for ((turn = 0; turn < 3; turn++)); do
    [ "$(call "$srv_at")" = served ]
  done
  ends_with 0 "$srv"
  refuses "$srv_at"
  [ "$(grep -c '^tcpserver: ok ' srv.err)" -eq 3 ]
}

# ---- the rate ----

@test "--rate N/TIME: the connection after N waits for the end of the period" {
  start srv tcpserver --rate 3/700ms 127.0.0.1 0 printf served
  before=${EPOCHREALTIME/./}
  for ((turn = 0; turn < 4; turn++)); do
    [ "$(call "$srv_at")" = served ]
  done
  [ $((${EPOCHREALTIME/./} - before)) -ge 700000 ]
}

@test "--rate: the first N are served without waiting" {
  start srv tcpserver --rate 3/1h 127.0.0.1 0 printf served
  for ((turn = 0; turn < 3; turn++)); do
    [ "$(call "$srv_at")" = served ]
  done
}

@test "--rate: however many connect at once, N are accepted per period" {
  start srv tcpserver --rate 2/300ms -v 127.0.0.1 0 true
  before=${EPOCHREALTIME/./}
  for ((turn = 0; turn < 7; turn++)); do
    call "$srv_at" 3>&- &
    callers+=($!)
  done
  wait "${callers[@]}"
  # the seventh is in the fourth window
  [ $((${EPOCHREALTIME/./} - before)) -ge 900000 ]
  [ "$(grep -c '^tcpserver: ok ' srv.err)" -eq 7 ]
}

@test "--rate: a waiting server still handles signals, and exits" {
  start srv tcpserver --rate 1/1h 127.0.0.1 0 printf served
  [ "$(call "$srv_at")" = served ]
  connect c "$srv_at"
  around srv
  [[ $(tail -n 1 srv.err) == *" accepted 1 "* ]]
  finish "$srv"
  [ "$status" -eq 0 ]
}

# ---- one client ----

@test "-C N: a client's connections beyond N are closed, until one of the N ends" {
  start srv tcpserver -v -C 2 127.0.0.1 0 hold
  holds a
  holds b
  run -0 call "$srv_at"
  [ -z "$output" ]
  grep -E '^tcpserver: refuse 127\.0\.0\.1:[0-9]+: it already has 2 connections$' srv.err
  run -0 call "$srv_at" -i 127.0.0.2
  [[ $output == "up "* ]]
  hang_up "$a"
  until_line srv.err "^tcpserver: end $a_pid "
  run -0 call "$srv_at"
  [[ $output == "up "* ]]
}

@test "-C N:MSG sends refused clients the message" {
  start srv tcpserver -C '1:too many,\tsorry: \\o/\r\n' 127.0.0.1 0 hold
  holds a
  call "$srv_at" >got
  printf 'too many,\tsorry: \\o/\r\n' | cmp - got
}

@test "-C N:MSG reaches a client that has already sent something, and no reset follows" {
  start srv tcpserver -C '1:sorry\n' 127.0.0.1 0 hold
  holds a
  # what it sends is there before the server looks at the connection
  kill -STOP "$srv"
  connect b "$srv_at"
  echo 'HELO me' >&"$b"
  kill -CONT "$srv"
  run -0 cat <&"$b"
  [ "$output" = sorry ]
}

@test "-C without --per-net counts 127.0.0.1 and 127.0.0.2 separately; with it a /24 is one client" {
  start srv tcpserver -C '1:no' 127.0.0.1 0 hold
  holds a
  [[ $(call "$srv_at" -i 127.0.0.2) == "up "* ]]
  finish "$srv"
  start srv tcpserver --per-net -C '1:no' 127.0.0.1 0 hold
  holds b
  [ "$(call "$srv_at" -i 127.0.0.2)" = no ]
  [[ $(call "$srv_at" -i 127.0.1.2) == "up "* ]]
}

@test "TCPCONNNUM counts the connections of a network with --per-net" {
  start srv tcpserver --per-net -C 5 127.0.0.1 0 sh -c 'echo "$TCPCONNNUM"; cat'
  connect a "$srv_at"
  hear "$a"
  [ "$heard" = 1 ]
  [ "$(call "$srv_at" -i 127.0.0.2)" = 2 ]
}

@test "-C counts IPv4 clients of a dual-stack socket by their IPv4 address" {
  start srv tcpserver -C '1:no' 0 0 hold
  holds a
  [ "$(call "$srv_at")" = no ]
  [[ $(call "$srv_at" -i 127.0.0.2) == "up "* ]]
}

@test "-C: refused connections don't count for -c" {
  start srv tcpserver -c 2 -C '1:no' 127.0.0.1 0 hold
  holds a
  for ((turn = 0; turn < 5; turn++)); do
    [ "$(call "$srv_at")" = no ]
  done
  [[ $(call "$srv_at" -i 127.0.0.2) == "up "* ]]
}

@test "a connection whose program can't be started doesn't count for -C" {
  script prog 'echo served'
  start srv tcpserver -C '1:no' 127.0.0.1 0 ./prog
  mv prog away
  for ((turn = 0; turn < 3; turn++)); do
    [ -z "$(call "$srv_at")" ]
  done
  mv away prog
  [ "$(call "$srv_at")" = served ]
}

@test "-B TEXT is sent to every client first" {
  start srv tcpserver -B 'welcome: ' -C '1:no' 127.0.0.1 0 hold
  connect a "$srv_at"
  hear "$a"
  [[ $heard == "welcome: up "* ]]
  [ "$(call "$srv_at")" = 'welcome: no' ]
  start greeter tcpserver -B 'welcome: ' 127.0.0.1 0
  [[ $(call "$greeter_at") == "welcome: Hello there, "* ]]
}

# ---- shortages ----

@test "without a free fd the server reports it once and waits; then the client is served" {
  need prlimit util-linux
  start srv tcpserver -v 127.0.0.1 0 printf served
  around srv
  for ((free = 0; free < 256; free++)); do
    [ -e "/proc/$srv/fd/$free" ] || break
  done
  prlimit --pid "$srv" --nofile="$free:256"
  connect c "$srv_at"
  until_line srv.err 'Too many open files'
  around srv
  kill -0 "$srv"
  prlimit --pid "$srv" --nofile=256:256
  run -0 cat <&"$c"
  [ "$output" = served ]
  [ "$(grep -c 'Too many open files' srv.err)" -eq 1 ]
  grep -x 'tcpserver: accept (will retry): Too many open files' srv.err
}

# bats test_tags=long
@test "shortages in accept are reported once, waited out without a busy loop, and lose no connection" {
  for error in EMFILE ENFILE ENOBUFS ENOMEM; do
    with_strace trace -e trace=accept4,ppoll -e "inject=accept4:error=$error:when=1..5"
    start srv traced 127.0.0.1 0 printf served
    run -0 call "$srv_at"
    [ "$output" = served ]
    finish "$srv"
    [ "$(grep -c '^accept4' trace)" -ge 6 ]
    [ "$(wc -l <trace)" -lt 40 ]
    [ "$(grep -c 'accept (will retry): ' srv.err)" -eq 1 ]
    rm trace
  done
}

@test "a later shortage is reported again" {
  with_strace trace -e trace=accept4 -e inject=accept4:error=EMFILE:when=1
  start srv traced 127.0.0.1 0 printf served
  [ "$(call "$srv_at")" = served ]
  finish "$srv"
  with_strace trace -e trace=accept4 -e inject=accept4:error=EMFILE:when=1..1000+4
  start srv traced 127.0.0.1 0 printf served
  for ((turn = 0; turn < 3; turn++)); do
    [ "$(call "$srv_at")" = served ]
  done
  [ "$(grep -c 'Too many open files' srv.err)" -ge 2 ]
}

@test "errors of accept that concern one client don't affect others" {
  for error in ECONNABORTED EPROTO EPERM ENETUNREACH ENETDOWN ENOPROTOOPT EHOSTDOWN EHOSTUNREACH EOPNOTSUPP EINTR; do
    with_strace trace -e trace=accept4 -e "inject=accept4:error=$error:when=1"
    start srv traced 127.0.0.1 0 printf served
    [ "$(call "$srv_at")" = served ]
    finish "$srv"
    [ "$status" -eq 0 ]
  done
}

@test "a connection is kept while no process can be started, and served later" {
  for error in EAGAIN ENOMEM; do
    for prog in 'printf served' ''; do
      with_strace trace -e trace=clone,clone3,fork,vfork,accept4 -e "inject=clone,clone3,fork,vfork:error=$error:when=1..3"
      start srv traced -v 127.0.0.1 0 $prog
      run -0 call "$srv_at"
      [[ $output == served || $output == Hello* ]]
      [ "$(grep -c 'fork (will retry): ' srv.err)" -eq 1 ]
      [ "$(grep -cE '^(clone|fork|vfork)' trace)" -eq 4 ]
      finish "$srv"
      [ "$status" -eq 0 ]
      rm trace
    done
  done
}

@test "while a connection waits for a process, no other connection is accepted" {
  with_strace trace -e trace=clone,clone3,fork,vfork,accept4 -e 'inject=clone,clone3,fork,vfork:error=EAGAIN:when=1..3'
  start srv traced 127.0.0.1 0 printf served
  connect a "$srv_at"
  connect b "$srv_at"
  [ "$(cat <&"$a")" = served ]
  [ "$(cat <&"$b")" = served ]
  grep -oE '^(accept4|clone|fork|vfork).*= -?[0-9]+' trace | sed -E 's/\(.*= (-?).*/ \1/' | head -n 6 >calls
  [ "$(sort -u <(head -n 5 calls | tail -n 3))" = 'clone -' ] || [ "$(head -n 1 calls)" = 'accept4 ' ]
  [ "$(sed -n 1,4p calls)" = $'accept4 \nclone -\nclone -\nclone -' ]
}

@test "TERM stops a server whose connection waits for a process" {
  with_strace trace -e trace=clone,clone3,fork,vfork -e inject=clone,clone3,fork,vfork:error=EAGAIN
  start srv traced 127.0.0.1 0 printf served
  connect c "$srv_at"
  until_line srv.err '^tcpserver: fork '
  finish "$srv"
  [ "$status" -eq 0 ]
  [ -z "$(cat <&"$c")" ]
}

@test "an idle server sleeps" {
  with_strace trace -e trace=all
  start srv traced 127.0.0.1 0 true
  call "$srv_at"
  until_true no_other_children "$srv"
  before=$(wc -l <trace)
  around srv
  [ $(($(wc -l <trace) - before)) -lt 40 ]
}

# Of its children only the tracer is left, if that is one.
no_other_children() {
  [ "$(wc -w <"/proc/$1/task/$1/children")" -le 1 ]
}

@test "a connection is kept while exec lacks memory, and served later" {
  script prog 'echo served'
  for error in ENOMEM EAGAIN; do
    # each process's first
    with_strace trace -f -e trace=execve -P ./prog -e "inject=execve:error=$error:when=1"
    start srv traced 127.0.0.1 0 ./prog
    connect c "$srv_at"
    until_line srv.err '^tcpserver: exec '
    end_strace "$srv"
    run -0 cat <&"$c"
    [ "$output" = served ]
    [ "$(grep -c '^tcpserver: ' srv.err)" -eq 1 ]
    grep '^tcpserver: exec (will retry): ' srv.err
    finish "$srv"
    [ "$status" -eq 0 ]
  done
}

@test "where no sleep is possible, TERM still stops the server" {
  with_strace trace -e trace=ppoll -e inject=ppoll:error=ENOMEM
  start srv traced 127.0.0.1 0 true
  until_line srv.err '^tcpserver: poll .*: Cannot allocate memory$'
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "--rate: a period of centuries lets its first connections in" {
  start srv tcpserver --rate=1/9223372035 127.0.0.1 0 echo served
  run -0 call "$srv_at"
  [ "$output" = served ]
}
