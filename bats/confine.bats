# --confine: what a confined process can't do any more, and that its job is done all the same; --no-new-privs. The
# attempts to escape are those of check/escape.c, in a build of its own.

load helper/tcpserver
load helper/time

setup() {
  server_setup
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
}

teardown() {
  server_teardown
}

need_confinement() {
  local need
  need=$(tcpclient --confine 127.0.0.1 1 2>&1) || :
  [[ $need != *"--confine needs"* ]] || skip "$need"
}

# no_32_bits APPLET WORD...: the kernel has no calls of 32 bits: where nothing is confined, too, they are a fault.
no_32_bits() {
  TRY_ESCAPE=call_32_bits TRY_ESCAPE_AT=0 run "$escape" "$@"
  [ "$status" -eq 139 ]
}

# escapes NAME... ::: APPLET WORD...: every attempt of the list fails in that applet, but those of NAME.
escapes() {
  local but=" " attempt escape=${IPCBOX%/*}/try-escape
  while [ "$1" != ::: ]; do
    but+="$1 "
    shift
  done
  shift
  [ -x "$escape" ] || skip "needs a build of its own (make $escape)"
  need_confinement
  for attempt in $(TRY_ESCAPE=list TRY_ESCAPE_AT=0 "$escape" "$@" 2>&1); do
    [[ $but != *" $attempt "* ]] || continue
    TRY_ESCAPE=$attempt TRY_ESCAPE_AT=2 run "$escape" "$@"
    case $attempt in
    call_32_bits) [ "$status" -eq 159 ] || no_32_bits "$@" && continue ;;
    execve* | clone* | fork | ptrace) [ "$status" -eq 159 ] && continue ;;
    table_read) [ "$output" = "$attempt: Bad address" ] && continue ;;
    connect_short) [[ $output == "$attempt: "@(Invalid argument|Operation not permitted) ]] && continue ;;
    *) [ "$status" -eq 0 ] && [ "$output" = "$attempt: Operation not permitted" ] && continue ;;
    esac
    echo "$* could try $attempt: status $status, $output" >&2
    return 1
  done
}

no_table="connect_copy connect_short connect_inside connect_behind connect_half \
table_munmap table_mprotect table_mremap table_madvise table_read"

@test "no attempt to escape succeeds in timeserver" {
  # shellcheck disable=SC2086 # words
  escapes $no_table ::: timeserver --confine 127.0.0.1 0
}

@test "no attempt to escape succeeds in udptime" {
  escapes ::: udptime --confine -t 1 -p 9 127.0.0.1
}

@test "no attempt to escape succeeds in webget" {
  escapes socket_stream ::: webget --confine http://127.0.0.1:1/
}

@test "no attempt to escape succeeds in tcpclient" {
  escapes socket_stream ::: tcpclient --confine 127.0.0.1 1
  escapes socket_stream bind ::: tcpclient --confine -p 0 -i 127.0.0.1 127.0.0.1 1
}

@test "no attempt to escape succeeds in unixclient, and no other path can be connected to" {
  escapes socket_unix ::: unixclient --confine ./nobody
  TRY_ESCAPE=connect_short TRY_ESCAPE_AT=2 run -0 "${IPCBOX%/*}/try-escape" unixclient --confine ./nobody
  [ "$output" = "connect_short: Operation not permitted" ]
}

@test "without --confine these attempts succeed; under Landlock alone, files are out of reach" {
  local attempt escape=${IPCBOX%/*}/try-escape
  [ -x "$escape" ] || skip "needs a build of its own (make $escape)"
  need_confinement
  for attempt in clone fork ptrace open create kill mmap_code mprotect_code socket_datagram socket_unix listen bind \
    sendto setown chdir mkdir; do
    TRY_ESCAPE=$attempt TRY_ESCAPE_AT=0 run -0 "$escape" tcpclient --confine 127.0.0.1 1
    [ "$output" = "$attempt: done" ]
  done
  for attempt in execve open create; do
    TRY_ESCAPE=$attempt TRY_ESCAPE_AT=1 run -0 "$escape" tcpclient --confine 127.0.0.1 1
    [ "$output" = "$attempt: Permission denied" ]
  done
}

# ---- the job is done ----

# confined PID: by a filter, and without a way to more privileges
confined() {
  grep -q $'^NoNewPrivs:\t1$' "/proc/$1/status" && grep -q $'^Seccomp:\t2$' "/proc/$1/status"
}

@test "timeserver answers over TCP and UDP, reports its end to its manager, and exits at SIGTERM" {
  need_confinement
  background manager "$HELPERS/tell" -l "$PWD/notify"
  until_line manager.out '^up$'
  wrap_applet managed timeserver "NOTIFY_SOCKET=$PWD/notify"
  start server managed --confine -v --log-format json 127.0.0.1 0
  until_true confined "$server"
  run -0 udptime -p "$server_at" 127.0.0.1
  run -0 tcptime -p "$server_at" 127.0.0.1
  until_line server.err '"result":"told"'
  finish "$server"
  [ "$status" -eq 0 ]
  until_line manager.out '^READY=1$'
  until_line manager.out '^STOPPING=1$'
}

# wrap_applet NAME APPLET ASSIGNMENT: NAME is a command that becomes APPLET with that in its environment.
wrap_applet() {
  script "bin/$1" "export ${3@Q}; exec $2 \"\$@\""
}

@test "timeserver serves text, and as another user" {
  need_confinement
  need_root
  start server timeserver --confine --daytime=udp -u nobody 127.0.0.1 0
  run -0 tcpclient --confine 127.0.0.1 "$server_at"
  [[ $output == *-UTC* ]]
  confined "$server"
}

@test "a signal kills a confined process, without a core" {
  need_confinement
  start server timeserver --confine 127.0.0.1 0
  until_true confined "$server"
  kill -INT "$server"
  status=0
  wait "$server" || status=$?
  [ "$status" -eq 130 ]
  peer server 127.0.0.1 accept say connected wait
  background client tcpclient --confine 127.0.0.1 "$server_at"
  until_line server.err connected
  confined "$client"
  finish "$client"
  [ "$status" -eq 143 ]
}

@test "udptime looks names up first, then asks; the local time is right" {
  need_confinement
  start server timeserver 127.0.0.1 0
  run -1 --separate-stderr udptime --confine -v -t 5 -p "$server_at" 127.0.0.1 localhost no.such.host.invalid 127.0.0.1
  [ "$(grep -c '^127.0.0.1  *[-0-9]* ' <<<"$output")" -eq 2 ]
  [ "$(grep -c '^localhost  *[-0-9]* ' <<<"$output")" -eq 1 ]
  [[ $stderr == *"udptime: ask no.such.host.invalid: "* ]]
  TZ=EST5 run -0 udptime --confine --json -p "$server_at" 127.0.0.1
  [ ! -e /usr/share/zoneinfo/Asia/Tokyo ] || {
    TZ=Asia/Tokyo run -0 udptime --confine -p "$server_at" 127.0.0.1
    [[ $output == *" $(TZ=Asia/Tokyo date +%H):"* || $output == *" $(TZ=Asia/Tokyo date -d '1 minute ago' +%H):"* ]]
  }
}

@test "udptime: a name server that doesn't answer takes a quarter of the time, and the other hosts are asked" {
  need_confinement
  need_slow_names
  run -1 --separate-stderr with_slow_names udptime --confine -t 4 quick.test 127.0.0.1 slow.test
  [ "${#lines[@]}" -eq 2 ]
  [ "$stderr" = "udptime: ask slow.test: the lookup of its name timed out" ]
}

@test "tcpclient relays a file, a pipe and much data, with its messages and its progress" {
  need_confinement
  start server tcpserver 127.0.0.1 0 cat
  random_bytes 3000000 >data
  tcpclient --confine -v --progress localhost "$server_at" <data >out 2>said
  cmp data out
  grep -q '^tcpclient: connected to ' said
  grep -q '^tcpclient: sent 3000000 received 3000000 ' said
  # shellcheck disable=SC2002 # a pipe is what is meant
  cat data | tcpclient --confine -i 127.0.0.1 127.0.0.1 "$server_at" | cmp - data
}

@test "tcpclient reads from a terminal" {
  need_confinement
  start server tcpserver 127.0.0.1 0 sh -c 'read -r word; echo "<$word>"'
  run -0 timeout --foreground 60 at-terminal . 'hello\n' -- sh -c 'echo ready; exec tcpclient --confine "$@"' '' 127.0.0.1 "$server_at"
  [[ $output == *"<hello>"* ]]
}

@test "tcpclient retries, until the server is there, or until the time is over" {
  need_confinement
  port=$(free_port)
  background client tcpclient --confine --retry localhost "$port"
  until_true confined "$client"
  start server tcpserver 127.0.0.1 "$port" echo here
  ends_with 0 "$client"
  [ "$(cat client.out)" = here ]
  run -111 tcpclient --confine --retry -T 0.3 127.0.0.1 1
  [ "$output" = "tcpclient: connect to 127.0.0.1 port 1 (127.0.0.1:1): Connection refused" ]
  run -111 tcpclient --confine no.such.host.invalid 1
  [[ $output == "tcpclient: connect to no.such.host.invalid port 1: "* ]]
}

@test "unixclient relays over a path and over an abstract name, and retries" {
  need_confinement
  for path in ./socket "@$BATS_TEST_TMPDIR/name"; do
    background client sh -c 'echo "$0" | exec unixclient --confine --retry -v "$1"' hello "$path"
    start server unixserver "$path" cat
    ends_with 0 "$client"
    [ "$(cat client.out)" = hello ]
    finish "$server"
  done
}

@test "webget gets documents of several hosts, with progress, and to a file" {
  need_confinement
  random_bytes 2000000 >data
  script bin/answer 'while read -r line && [ "${line%$'"'\r'"'}" ]; do :; done; printf "HTTP/1.0 200 OK\r\nContent-Length: 2000000\r\n\r\n"; cat data'
  start server tcpserver 127.0.0.1 0 answer
  cat data data >twice
  webget --confine -b --progress "http://localhost:$server_at/x" "http://127.0.0.1:$server_at" >out 2>said
  cmp twice out
  grep -q 'received 2000000 bytes' said
  webget --confine -b -p "$server_at" localhost /x /y | cmp - twice
  run -111 --separate-stderr webget --confine -b http://no.such.host.invalid/ "http://127.0.0.1:$server_at/"
  [[ $stderr == "webget: connect to no.such.host.invalid port 80: "* ]]
}

@test "webget --unix, and a deadline" {
  need_confinement
  script bin/answer 'while read -r line && [ "${line%$'"'\r'"'}" ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\nbody"'
  start server unixserver ./socket answer
  run -0 webget --confine -b --unix ./socket http://any.test/ http://other.test/
  [ "$output" = bodybody ]
  peer server 127.0.0.1 accept wait
  run -124 webget --confine -t 0.2 "http://127.0.0.1:$server_at/"
}

# ---- where it can't be ----

@test "--confine with a program is a usage error" {
  wrong_call tcpclient --confine 127.0.0.1 1 true
  wrong_call unixclient --confine ./socket true
}

@test "a kernel without Landlock or without filters: status 100, and a message that names what is missing" {
  need_confinement
  for applet in "timeserver --confine 127.0.0.1 0" "udptime --confine 127.0.0.1" "webget --confine 127.0.0.1 /" \
    "tcpclient --confine 127.0.0.1 1" "unixclient --confine ./socket"; do
    # shellcheck disable=SC2086 # words
    run -100 refusing landlock $applet
    [ "$output" = "${applet%% *}: --confine needs Landlock: Function not implemented" ]
    # shellcheck disable=SC2086 # words
    run -100 refusing seccomp $applet
    [ "$output" = "${applet%% *}: --confine needs seccomp filters: Invalid argument" ]
  done
}

# ---- --no-new-privs ----

@test "--no-new-privs: programs can't gain privileges; without it they can" {
  for option in --no-new-privs -q; do
    [ $option = -q ] && expected=0 || expected=1
    start server tcpserver $option 127.0.0.1 0 grep NoNewPrivs /proc/self/status
    [ "$(call "$server_at")" = $'NoNewPrivs:\t'$expected ]
    start server unixserver $option ./socket$option grep NoNewPrivs /proc/self/status
    [ "$(unixclient ./socket$option </dev/null)" = $'NoNewPrivs:\t'$expected ]
  done
  daemonize --no-new-privs -o "$PWD/said" grep NoNewPrivs /proc/self/status
  until_line said $'^NoNewPrivs:\t1$'
  daemonize --no-new-privs --foreground -o "$PWD/said" grep NoNewPrivs /proc/self/status
  until_line said $'^NoNewPrivs:\t1$'
}

@test "--no-new-privs with another user" {
  need_root
  start server tcpserver --no-new-privs -u nobody 127.0.0.1 0 sh -c 'id -un; grep NoNewPrivs /proc/self/status'
  [ "$(call "$server_at")" = $'nobody\nNoNewPrivs:\t1' ]
  mkdir -m 777 open
  daemonize --no-new-privs -u nobody -o "$PWD/open/said" sh -c 'id -un; grep NoNewPrivs /proc/self/status'
  until_line open/said $'^NoNewPrivs:\t1$'
  [ "$(head -1 open/said)" = nobody ]
}

@test "a --no-new-privs that is refused ends it" {
  run -111 refusing no-new-privs tcpserver --no-new-privs 127.0.0.1 0 true
  [ "$output" = "tcpserver: prctl PR_SET_NO_NEW_PRIVS: Operation not permitted" ]
  run -111 refusing no-new-privs daemonize --no-new-privs true
  [ "$output" = "daemonize: prctl PR_SET_NO_NEW_PRIVS for true: Operation not permitted" ]
}
