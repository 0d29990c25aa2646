# tcpserver's life: how it gets its sockets, says that it is ready, ends, and what it says meanwhile.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# ---- readiness ----

@test "-1 prints the port and closes stdout, and the server keeps running" {
  mkfifo out
  tcpserver -1 127.0.0.1 0 tell >out 2>srv.err 3>&- </dev/null &
  started+=($!)
  port=$(cat out)
  [[ $port =~ ^[0-9]+$ ]]
  run -0 call "$port"
  [[ $output == *PROTO=TCP* ]]
}

@test "--ready-fd gets a newline and is closed, and the server keeps running" {
  mkfifo ready
  tcpserver --ready-fd 5 127.0.0.1 0 true 5>ready >out 2>srv.err 3>&- </dev/null &
  started+=($!)
  [ "$(od -An -tx1 <ready)" = " 0a" ]
  kill -0 "${started[0]}"
  [ ! -s out ]
}

@test "--ready-fd 2 keeps fd 2 open, so that no connection gets it" {
  start srv tcpserver --ready-fd 2 127.0.0.1 0 true
  [ "$(readlink "/proc/$srv/fd/2")" = /dev/null ]
}

# manager NAME: a service manager's end of NOTIFY_SOCKET; what it receives goes to manager.out, a line each.
manager() {
  background manager "$HELPERS/tell" -l "$1"
  until_line manager.out '^up$'
  wrap managed env NOTIFY_SOCKET="$1"
}

@test "a service manager gets READY=1 and, at the end, STOPPING=1; programs don't see its socket" {
  for name in "$PWD/notify" "@ipcbox-test-$$"; do
    manager "$name"
    start srv managed 127.0.0.1 0 tell
    until_line manager.out '^READY=1$'
    run -0 call "$srv_at"
    [[ $output != *NOTIFY_SOCKET* ]]
    [ "$(cat manager.out)" = $'up\nREADY=1' ]
    finish "$srv"
    [ "$status" -eq 0 ]
    until_line manager.out '^STOPPING=1$'
    [ "$(cat manager.out)" = $'up\nREADY=1\nSTOPPING=1' ]
  done
}

@test "STOPPING=1 is sent when draining begins" {
  manager "$PWD/notify"
  start srv managed --drain 1h 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  kill -TERM "$srv"
  until_line manager.out '^STOPPING=1$'
  kill -0 "$srv"
}

@test "STOPPING=1 is sent when --max is reached" {
  manager "$PWD/notify"
  start srv managed --max 1 127.0.0.1 0 printf served
  call "$srv_at"
  ends_with 0 "$srv"
  until_line manager.out '^STOPPING=1$'
}

@test "readiness that can't be reported is an error" {
  run -111 --separate-stderr env NOTIFY_SOCKET="$PWD/nobody" tcpserver 127.0.0.1 0 true
  [ "$stderr" = "tcpserver: report readiness to NOTIFY_SOCKET: No such file or directory" ]
  run -111 bash -c 'exec tcpserver -1 127.0.0.1 0 true >/dev/full'
  [ "$output" = "tcpserver: report readiness to stdout: No space left on device" ]
}

@test "readiness is reported before the first connection is accepted" {
  manager "$PWD/notify"
  with_strace trace -e 'trace=accept4,write,sendto,?send' # i386 has that, too
  TCPSERVER=traced with_sockets l CALLED=1 NOTIFY_SOCKET="$PWD/notify"
  start srv activated --inherit --ready-fd 2 true
  until_line trace '^accept4\('
  sed -n 's/^\([a-z0-9]*\)(.*/\1/p' trace | head -n 4 >calls
  [[ $(cat calls) =~ ^write$'\n'send(to)?$'\n'write$'\n'accept4$ ]]
}

# ---- inherited sockets ----

@test "--inherit uses all sockets that a service manager passes; programs don't inherit them" {
  with_sockets ll
  start srv activated --inherit fds
  read -r first second <ports
  [ "$srv_at" = "$first" ]
  for port in "$first" "$second"; do
    run -0 call "$port"
    [ "$output" = '0 1 2' ]
  done
}

@test "--inherit: programs don't see LISTEN_*" {
  with_sockets l NAMES=web
  start srv activated --inherit tell
  run -0 call "$srv_at"
  [[ $output != *LISTEN_* ]]
  [[ $output == *"TCPLOCALPORT=$srv_at"* ]]
}

@test "--inherit=NAME uses only the sockets with that name" {
  with_sockets lll NAMES=web:admin:web
  start srv activated --inherit=admin printf served
  read -r web admin web2 <ports
  [ "$srv_at" = "$admin" ]
  [ "$(call "$admin")" = served ]
  start srv activated --inherit=web printf served
  read -r web admin web2 <ports
  [ "$(call "$web")" = served ]
  [ "$(call "$web2")" = served ]
}

@test "--inherit serves a connection that came before the server" {
  with_sockets l CALLED=1
  start srv activated --inherit -v printf served
  until_true ended srv 1
}

@test "--inherit does not change the flags of a listener, which may be shared" {
  with_sockets l
  start srv activated --inherit printf served
  [ "$(call "$srv_at")" = served ]
  [ $(($(awk '$1 == "flags:" {print $2}' "/proc/$srv/fdinfo/3") & 04000)) -eq 0 ]
}

@test "--inherit refuses sockets for another process, no sockets, and sockets that are not TCP listeners" {
  for how in 'l WRONG_PID=1' u d x f lf 'l NAMES=web' 'l NAMES=' 'l WRONG_PID=x' 'l WRONG_PID='; do
    with_sockets $how
    echo "$how"
    case $how in *NAMES*) option=--inherit=admin ;; *) option=--inherit ;; esac
    run -100 --separate-stderr activated "$option" true
    [[ $stderr == "tcpserver: inherit"* ]]
  done
  run -100 --separate-stderr tcpserver --inherit true
  [[ $stderr == "tcpserver: inherit"* ]]
}

@test "--inherit works under systemd-socket-activate, with and without the socket's name" {
  need systemd-socket-activate systemd
  for option in --inherit --inherit=web; do
    port=$(free_port)
    background srv systemd-socket-activate -l "127.82.67.3:$port" --fdname=web \
      "$(command -v tcpserver)" "$option" "$BATS_TEST_TMPDIR/bin/tell"
    until_line srv.err '^Listening on'
    for ((turn = 0; turn < 2; turn++)); do
      run -0 tcpclient 127.82.67.3 "$port" </dev/null
      [[ $output == *"TCPLOCALPORT=$port"* ]]
      [[ $output != *LISTEN_* ]]
    done
    finish "$srv"
    [ "$status" -eq 0 ]
  done
}

@test "a server started with fd 2 closed gives its programs /dev/null as fd 2" {
  script bin/mute 'exec tcpserver "$@" 2>&-'
  start srv mute 127.0.0.1 0 sh -c 'fds; readlink /proc/$$/fd/2'
  run -0 call "$srv_at"
  [ "$output" = $'0 1 2\n/dev/null' ]
}

# ---- signals ----

@test "TERM stops the server with status 0; its programs continue" {
  start srv tcpserver 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  finish "$srv"
  [ "$status" -eq 0 ]
  [ ! -s srv.err ]
  refuses "$srv_at"
  echo still >&"$c"
  hear "$c"
  [ "$heard" = still ]
}

@test "INT kills the server, so that a shell loop stops too; its programs continue" {
  script noted 'echo $$ >pid.new; mv pid.new pid; exec tcpserver "$@" >&9 9>&-'
  script bin/watched 'exec how-it-ends ./noted "$@" 9>&1 >ended'
  start srv watched 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  until_true [ -e pid ]
  kill -INT "$(cat pid)"
  wait "$srv"
  [ "$(cat ended)" = 'exit 0 signal 2' ]
  echo still >&"$c"
  hear "$c"
  [ "$heard" = still ]
}

@test "a signal that the server was started to ignore stays ignored" {
  wrap ignoring env --ignore-signal=INT
  start srv ignoring 127.0.0.1 0 true
  kill -INT "$srv"
  around srv
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "PIPE doesn't stop the server" {
  start srv tcpserver 127.0.0.1 0 true
  kill -PIPE "$srv"
  around srv
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "USR1 prints the status" {
  start srv tcpserver -c 7 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  kill -USR1 "$srv"
  until_true [ -s srv.err ]
  [ "$(cat srv.err)" = "tcpserver: status: 1/7 accepted 1 denied 0 refused 0" ]
}

@test "a program that could not be executed is reported, also when TERM comes before it is known" {
  need strace strace
  printf '#!/bin/sh\n' >prog
  chmod +x prog
  start srv tcpserver 127.0.0.1 0 ./prog
  background tracer strace -f -qq -p "$srv" -o calls -e trace=execve -e inject=execve:error=EACCES:delay_exit=300000
  until_true eval 'grep -q "^TracerPid:.*[1-9]" /proc/$srv/status || ! kill -0 "$tracer" 2>/dev/null'
  kill -0 "$tracer" 2>/dev/null || skip "needs the right to trace a process (ptrace_scope)"
  background client tcpclient 127.0.0.1 "$srv_at"
  until_true grep -qs execve calls
  finish "$srv"
  [ "$status" -eq 0 ]
  [ "$(cat srv.err)" = "tcpserver: exec ./prog: Permission denied" ]
}

@test "--drain: TERM closes the listener and waits for the programs" {
  start srv tcpserver --drain 1h 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  kill -TERM "$srv"
  until_true refuses "$srv_at"
  echo still >&"$c"
  hear "$c"
  [ "$heard" = still ]
  kill -0 "$srv"
  hang_up "$c"
  ends_with 0 "$srv"
  [ -z "$(grep ^tcpserver: srv.err)" ] # a program that served one of `refuses` may have had something to say
}

@test "--drain with nothing to wait for exits immediately" {
  start srv tcpserver --drain 1h 127.0.0.1 0 true
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "--drain: a program that doesn't exit in time gets TERM, and the status is 124" {
  start srv tcpserver --drain 100ms 127.0.0.1 0 "$HELPERS/signals" it
  connect c "$srv_at"
  hear "$c"
  finish "$srv"
  [ "$status" -eq 124 ]
  hear "$c"
  [ "$heard" = 'it 15' ]
  [[ $(cat srv.err) == "tcpserver: drain: "* ]]
}

@test "--drain: a second TERM ends the wait" {
  start srv tcpserver --drain 1h 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  kill -TERM "$srv"
  until_true refuses "$srv_at"
  finish "$srv"
  [ "$status" -eq 124 ]
}

@test "--drain applies to TERM: INT stops the server immediately" {
  start srv tcpserver --drain 1h 127.0.0.1 0 sh -c 'echo up; cat'
  connect c "$srv_at"
  hear "$c"
  kill -INT "$srv"
  ends_with 130 "$srv"
}

# ---- messages ----

@test "-v logs the start and the end of each connection, as ucspi-tcp does" {
  start srv tcpserver -v -l here 127.0.0.1 0 sh -c 'echo $$; exit 3'
  run -0 tcpclient 127.0.0.1 "$srv_at" sh -c 'echo "$TCPLOCALPORT"; cat <&6'
  until_true ended srv 1
  finish "$srv"
  [ "$(cat srv.err)" = "tcpserver: status: 0/40
tcpserver: ok ${lines[1]} here:127.0.0.1:$srv_at :127.0.0.1::${lines[0]}
tcpserver: status: 1/40
tcpserver: end ${lines[1]} status 768
tcpserver: status: 0/40" ]
}

@test "without -v success is silent" {
  start srv tcpserver 127.0.0.1 0 sh -c 'exit 3'
  call "$srv_at"
  until_true no_children "$srv"
  finish "$srv"
  [ ! -s srv.err ]
}

@test "-q prints only fatal errors; the last of -q, -Q and -v counts" {
  script prog true
  for options in -q -vq -qQ; do
    start srv tcpserver "$options" 127.0.0.1 0 ./prog
    mv prog away
    call "$srv_at"
    mv away prog
    around srv
    finish "$srv"
    grep -v ' accepted ' srv.err >said || :
    case $options in
      -qQ) [ "$(cat said)" = "tcpserver: exec ./prog: No such file or directory" ] ;;
      *) [ ! -s said ] ;;
    esac
  done
  run -127 tcpserver -q 127.0.0.1 0 ./nowhere
  [ "$output" = "tcpserver: ./nowhere: No such file or directory" ]
}

# events FILE: each line is an object with ts, applet, pid and event; prints the events with their fields, sorted.
events() {
  local line text name value
  while read -r line; do
    [[ $(json-values ts <<<"$line") =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$ ]] || return
    [ "$(json-values applet pid <<<"$line")" = "tcpserver $srv" ] || return
    text=$(json-values event <<<"$line")
    for name in $(grep -oE '"[a-z_]+":' <<<"$line" | tr -d '":' | sort); do
      value=$(json-values "$name" <<<"$line")
      [[ " ts applet pid event " == *" $name "* ]] || text+=" $name=$value"
    done
    echo "$text"
  done <"$1"
}

@test "--log-format=json makes every line an object with the event and its fields" {
  script prog 'echo $$; cat; exit 3'
  printf '127.0.0.3:deny\n:allow\n' >rules
  start srv tcpserver -v --log-format=json -x rules -C 1 127.0.0.1 0 ./prog
  connect c "$srv_at"
  hear "$c"
  call "$srv_at"
  call "$srv_at" -i 127.0.0.3
  kill -USR1 "$srv"
  until_line srv.err '"event":"status"'
  hang_up "$c"
  until_line srv.err '"event":"end"'
  mv prog away
  call "$srv_at" -i 127.0.0.2
  until_line srv.err '"event":"error"'
  finish "$srv"
  run -0 events srv.err
  local number='[0-9]+'
  [[ ${lines[0]} =~ ^"ok active="$number" child=$heard connections=1 local_ip=127.0.0.1 local_port=$srv_at \
remote_ip=127.0.0.1 remote_port="$number$ ]]
  [[ ${lines[1]} =~ ^"refuse client=127.0.0.1:"$number" limit=1"$ ]]
  [[ ${lines[2]} =~ ^"deny line=1 remote=127.0.0.3:"$number$ ]]
  [ "${lines[3]}" = "status accepted=3 active=1 denied=1 limit=40 refused=1" ]
  [ "${lines[4]}" = "end active=0 child=$heard exit=3 signal=0" ]
  [[ ${lines[5]} =~ ^"ok active="$number" child="($number)" " ]]
  [ "${lines[6]}" = "error action=exec object=./prog reason=No such file or directory" ]
  [ "${lines[7]}" = "end active=0 child=${BASH_REMATCH[1]} exit=127 signal=0" ]
  [ "${#lines[@]}" -eq 8 ]
}

@test "--log-format=json: an end by a signal" {
  start srv tcpserver -v --log-format=json 127.0.0.1 0 sh -c 'kill -KILL $$'
  call "$srv_at"
  until_line srv.err '"event":"end"'
  run -0 events srv.err
  [[ ${lines[1]} =~ ^"end active=0 child="[0-9]+" exit=137 signal=9"$ ]]
}

@test "--log-format=json applies to fatal errors, too, whatever bytes they contain" {
  run -127 --separate-stderr tcpserver --log-format=json 127.0.0.1 0 $'./no\n"where"\xff'
  [ "${#stderr_lines[@]}" -eq 1 ]
  [ "$(json-values applet event reason <<<"$stderr")" = 'tcpserver error No such file or directory' ]
  [[ $(json-values object <<<"$stderr") == $'./no\n"where"'* ]]
}

@test "a message is one line, whatever bytes it contains" {
  run -127 --separate-stderr tcpserver 127.0.0.1 0 $'./no\n\e[31mwhere'
  [ "$stderr" = 'tcpserver: ./no\n\x1b[31mwhere: No such file or directory' ]
}

@test "a log whose reader has exited doesn't stop the server" {
  mkfifo log
  head -n 1 <log >first 3>&- &
  reader=$!
  script bin/piped 'exec tcpserver "$@" 2>log'
  start srv piped -v 127.0.0.1 0 printf served
  wait "$reader"
  for ((turn = 0; turn < 3; turn++)); do
    run -0 call "$srv_at"
    [ "$output" = served ]
  done
}
