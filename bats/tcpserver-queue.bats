# The queue of a server: what becomes of clients that the kernel has connected and nobody has accepted, when the server ends; when
# they are made to wait; and when there are none. For tcpserver and unixserver.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# queue N: so many clients in the queue of srv, which is stopped for it; each has asked something. Their outputs are client.N.
queue() {
  local i to=("127.0.0.1" "$srv_at")
  [[ $srv_at =~ ^[0-9]+$ ]] || to=("$srv_at")
  kill -STOP "$srv"
  until_true stopped "$srv"
  clients=()
  for ((i = 1; i <= $1; i++)); do
    if [ "${#to[@]}" -eq 2 ]; then
      tcpclient -v "${to[@]}" >"client.$i" 2>"client.$i.err" <<<"hello $i" 3>&- &
    else
      unixclient -v "${to[@]}" >"client.$i" 2>"client.$i.err" <<<"hello $i" 3>&- &
    fi
    clients+=($!)
  done
  for ((i = 1; i <= $1; i++)); do
    until_line "client.$i.err" 'connected'
  done
}

stopped() {
  [[ $(cat /proc/"$1"/stat) == *") T "* ]]
}

# Stops the server while its queue is full, and lets it go on.
end_with_queue() {
  kill -"${1:-TERM}" "$srv"
  kill -CONT "$srv"
}

# The number of clients that got an answer, in $served; all others have seen an error.
count_served() {
  local i
  served=0
  for ((i = 1; i <= ${#clients[@]}; i++)); do
    if wait "${clients[i - 1]}"; then
      [ "$(cat "client.$i")" = "hello $i" ]
      served=$((served + 1))
    else
      [ ! -s "client.$i" ]
    fi
  done
}

# ---- the end of the server ----

@test "--drain: TERM serves all clients in the queue, as many at a time as -c allows" {
  start srv tcpserver -v -c 3 --drain 60 127.0.0.1 0 cat
  queue 30
  end_with_queue
  count_served
  [ "$served" -eq 30 ]
  ends_with 0 "$srv"
  [ "$(grep -c '^tcpserver: ok ' srv.err)" -eq 30 ]
  run ! grep -E '^tcpserver: status: ([4-9]|.[0-9])' srv.err
  run ! grep reset srv.err
}

@test "--drain: the same on a Unix socket, by path and abstract" {
  local name
  for name in sock "@queue-$$"; do
    start srv unixserver -c 3 --drain 60 "$name" cat
    queue 30
    end_with_queue
    count_served
  [ "$served" -eq 30 ]
    ends_with 0 "$srv"
    run ! grep reset srv.err
  done
}

@test "--drain: the rules and the PROXY header apply to the queue, too" {
  echo '192.0.2.7:deny' >rules
  start srv tcpserver --drain 60 -x rules --proxy=60 127.0.0.1 0 sh -c 'echo "$TCPREMOTEIP"'
  kill -STOP "$srv"
  until_true stopped "$srv"
  connect a "$srv_at"
  connect b "$srv_at"
  printf 'PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n' >&"$a"
  printf 'PROXY TCP4 192.0.2.8 192.0.2.1 ' >&"$b"
  end_with_queue
  run -0 cat <&"$a"
  [ -z "$output" ]
  printf '1 2\r\n' >&"$b"
  run -0 cat <&"$b"
  [ "$output" = 192.0.2.8 ]
  ends_with 0 "$srv"
}

@test "--drain: clients that nobody could serve in time are reset and counted; the status is 124" {
  start srv tcpserver -c 1 --drain 300ms 127.0.0.1 0 sh -c 'echo up; cat >/dev/null'
  connect a "$srv_at"
  hear "$a"
  queue 20
  end_with_queue
  count_served
  [ "$served" -eq 0 ]
  ends_with 124 "$srv"
  grep -qx 'tcpserver: exit: reset 20 clients that waited' srv.err
}

@test "without --drain TERM serves the queue as far as -c allows at once; the rest is reset and counted" {
  start srv tcpserver -c 5 127.0.0.1 0 sh -c 'read -r line; echo "$line"; read -r line'
  queue 12
  end_with_queue
  ends_with 0 "$srv"
  count_served
  [ "$served" -eq 5 ]
  grep -qx 'tcpserver: exit: reset 7 clients that waited' srv.err
}

@test "INT serves nobody, and counts" {
  start srv tcpserver 127.0.0.1 0 cat
  queue 4
  end_with_queue INT
  ends_with 130 "$srv"
  count_served
  [ "$served" -eq 0 ]
  [ "$(cat srv.err)" = 'tcpserver: exit: reset 4 clients that waited' ]
}

@test "while the queue is served nobody joins it" {
  # a filter on a listening socket, which some kernels refuse to ordinary users
  need_root
  start srv tcpserver -v -c 1 --drain 60 127.0.0.1 0 sh -c 'read -r line; echo "$line"'
  connect a "$srv_at"
  until_line srv.err '^tcpserver: ok '
  queue 1
  end_with_queue
  until_true stopping
  run -111 tcpclient -T 300ms 127.0.0.1 "$srv_at" <<<late
  until_true stopping # still, and without a busy loop
  echo first >&"$a"
  hear "$a"
  count_served
  [ "$served" -eq 1 ]
  ends_with 0 "$srv"
  [ "$(grep -c '^tcpserver: ok ' srv.err)" -eq 2 ]
}

# The server has been around its loop since TERM.
stopping() {
  [ -e "/proc/$srv" ] || {
    echo "the server has ended: $(<srv.err)" >&2
    exit 1
  }
  grep -q '^ShdPnd:.*0000$' "/proc/$srv/status" && asleep "$srv" tcpserver
}

@test "--drain under load: each client is served or refused, none is reset" {
  local i said
  start srv tcpserver -c 10 --drain 60 127.0.0.1 0 cat
  for ((i = 0; i < 8; i++)); do
    (while said=$(echo "hello $i" | tcpclient -T 60 127.0.0.1 "$srv_at" 2>&1); do
      [ "$said" = "hello $i" ] && echo served
    done
      echo "$said") >"client.$i" 3>&- &
    clients+=($!)
  done
  for ((i = 0; i < 8; i++)); do
    until_line "client.$i" served
  done
  finish "$srv"
  [ "$status" -eq 0 ]
  wait "${clients[@]}"
  [ "$(grep -vcx served client.? | awk -F : '{ n += $2 } END { print n }')" -eq 8 ]
  [ "$(cat client.? | grep -c 'Connection refused$')" -eq 8 ]
}

# ---- waiting ----

@test "-c reached: one message when a client has to wait, one when none has for a while" {
  start srv tcpserver -c 2 127.0.0.1 0 sh -c 'echo up; cat'
  connect a "$srv_at"
  hear "$a"
  connect b "$srv_at"
  hear "$b"
  around srv
  run ! grep limit srv.err
  connect c "$srv_at"
  connect d "$srv_at"
  until_line srv.err '^tcpserver: limit of -c reached: clients wait$'
  around srv
  hang_up "$a"
  hear "$c"
  hang_up "$b"
  hear "$d"
  around srv
  hang_up "$c"
  hang_up "$d"
  until_line srv.err '^tcpserver: limit of -c reached: clients wait no longer$'
  [ "$(grep -c limit srv.err)" -eq 2 ]
  idle "$srv"
}

@test "-c reached: the message is an event with --log-format=json, and -q leaves it out" {
  local quiet
  for quiet in -Q -q; do
    start srv tcpserver "$quiet" --log-format=json -c 1 127.0.0.1 0 sh -c 'echo up; cat'
    connect a "$srv_at"
    hear "$a"
    connect b "$srv_at"
    [ "$quiet" = -q ] || until_line srv.err 'clients wait'
    around_json
    hang_up "$a"
    hear "$b"
    run -0 json-values event <srv.err
    [ "$(grep -c error <<<"$output")" -eq "$([ "$quiet" = -q ] && echo 0 || echo 1)" ]
    finish "$srv"
  done
}

around_json() {
  kill -USR1 "$srv"
  until_line srv.err '"event":"status"'
}

# ---- the last word ----

@test "the greeting reaches a client that has already sent something, and no reset follows" {
  start srv tcpserver 127.0.0.1 0
  kill -STOP "$srv"
  until_true stopped "$srv"
  connect a "$srv_at"
  head -c 20000 /dev/zero >&"$a"
  kill -CONT "$srv"
  run -0 cat <&"$a"
  [[ $output == 'Hello there, 127.0.0.1'* ]]
  start srv unixserver sock
  kill -STOP "$srv"
  until_true stopped "$srv"
  mkfifo go
  exec {go}<>go
  client sock send 'hello\n' stdin rest <go >got 3>&- &
  until_true asleep $! client # until it has sent
  kill -CONT "$srv"
  echo >&"$go"
  wait $!
  grep -q '^Hello there' got
}

@test "-B reaches a client that a rule denies and that has already sent something, and no reset follows" {
  echo ':deny' >rules
  start srv tcpserver -x rules -B 'go away' 127.0.0.1 0 cat
  kill -STOP "$srv"
  until_true stopped "$srv"
  connect a "$srv_at"
  echo 'HELO me' >&"$a"
  kill -CONT "$srv"
  run -0 cat <&"$a"
  [ "$output" = 'go away' ]
}
