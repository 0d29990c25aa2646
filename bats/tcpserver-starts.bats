# tcpserver: programs that are on their way to exec at the same time.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# call_all N PORT: that many clients at once; what they are told goes to the files 1 to N.
call_all() {
  local i callers=()
  for ((i = 1; i <= $1; i++)); do
    tcpclient 127.0.0.1 "$2" </dev/null >"$i" &
    callers+=("$!")
  done
  wait "${callers[@]}"
}

# lines_of FILE PATTERN N: at least so many.
lines_of() {
  [ "$(grep -c -- "$2" "$1")" -ge "$3" ]
}

@test "a start does not wait for the exec of another" {
  script prog 'echo served'
  # each exec takes long
  with_strace trace -f -e trace=execve,accept4,clone,clone3,vfork -P ./prog -e inject=execve:delay_enter=2000000:when=1
  start srv traced 127.0.0.1 0 ./prog
  call_all 4 "$srv_at"
  for i in 1 2 3 4; do
    [ "$(cat "$i")" = served ]
  done
  finish "$srv"
  # four children called exec before the first of them was through with it
  awk '/execve\(/ {begun++} /execve resumed|execve\(.*= 0/ && !ended++ {first = begun} END {exit first < 4}' trace
}

@test "more starts at once than there are lanes for: all are served, with their own environment" {
  script prog 'echo "$TCPREMOTEPORT $(readlink /proc/$$/fd/0 | tr -d 0-9)"'
  start srv tcpserver -c 100 127.0.0.1 0 ./prog
  call_all 60 "$srv_at"
  [ "$(cat {1..60} | cut -d' ' -f2 | sort -u)" = 'socket:[]' ]
  [ "$(cat {1..60} | cut -d' ' -f1 | sort -u | wc -l)" -eq 60 ]
}

@test "programs that have gone are said one by one, and those that are there again run" {
  script prog 'echo served'
  start srv tcpserver -v 127.0.0.1 0 ./prog
  mv prog away
  call_all 30 "$srv_at"
  [ -z "$(cat {1..30})" ]
  until_true lines_of srv.err '^tcpserver: exec ./prog: No such file or directory$' 30
  until_true lines_of srv.err '^tcpserver: end [0-9]* status 32512$' 30
  mv away prog
  call_all 30 "$srv_at"
  [ "$(cat {1..30} | grep -c '^served$')" -eq 30 ]
  [ "$(grep -c '^tcpserver: exec' srv.err)" -eq 30 ]
  until_true no_children "$srv"
}

@test "without memory for many execs none of their connections is lost" {
  script prog 'echo served'
  with_strace trace -f -e trace=execve -P ./prog -e inject=execve:error=ENOMEM:when=1..3
  start srv traced 127.0.0.1 0 ./prog
  call_all 20 "$srv_at"
  [ "$(cat {1..20} | grep -c '^served$')" -eq 20 ]
  [ "$(grep '^tcpserver: ' srv.err | sort -u)" = 'tcpserver: exec (will retry): Cannot allocate memory' ]
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "a signal for a program that is still on its way to exec ends that, and nothing else" {
  script prog 'echo served'
  with_strace trace -f -e trace=execve -P ./prog -e inject=execve:error=ENOMEM
  start srv traced 127.0.0.1 0 ./prog
  connect c "$srv_at"
  until_line srv.err '^tcpserver: exec '
  local child=
  for pid in $(cat "/proc/$srv/task/$srv/children"); do
    [ "$(cat "/proc/$pid/comm")" = strace ] || child=$pid
  done
  [ -n "$child" ]
  kill -TERM "$child"
  run -0 cat <&"$c"
  [ -z "$output" ]
  kill -0 "$srv"
  finish "$srv"
  [ "$status" -eq 0 ]
}

# bats test_tags=long
@test "its port is free when it has ended, whatever is on its way" {
  script prog 'echo served'
  start srv tcpserver -q 127.0.0.1 0 ./prog
  local port=$srv_at
  finish "$srv"
  # again and again: twenty clients, an answer for the first, TERM
  local turn n clients client
  for ((turn = 0; turn < 60; turn++)); do
    start srv tcpserver -q -c 200 127.0.0.1 "$port" ./prog
    clients=()
    for n in {1..20}; do
      exec {client}<>"/dev/tcp/127.0.0.1/$port"
      clients+=("$client")
    done
    hear "${clients[0]}"
    [ "$heard" = served ]
    finish "$srv"
    [ "$status" -eq 0 ]
    for client in "${clients[@]}"; do
      hang_up "$client"
    done
  done
}

@test "a program that waits for memory keeps neither the port nor its client when the server has ended" {
  script prog 'echo served'
  with_strace trace -f -e trace=execve -P ./prog -e inject=execve:error=ENOMEM
  start srv traced 127.0.0.1 0 ./prog
  connect c "$srv_at"
  until_line srv.err '^tcpserver: exec '
  finish "$srv"
  start again tcpserver 127.0.0.1 "$srv_at" ./prog
  run -0 cat <&"$c"
  [ -z "$output" ]
  run -0 call "$srv_at"
  [ "$output" = served ]
}

@test "where a child can't share our memory it is a copy" {
  need_shared_memory
  script prog 'echo served'
  for error in EINVAL ENOSYS; do
    with_strace trace -e trace=clone -e "inject=clone:error=$error:when=1"
    start srv traced 127.0.0.1 0 ./prog
    run -0 call "$srv_at"
    [ "$output" = served ]
    run -0 call "$srv_at"
    [ "$output" = served ]
    finish "$srv"
    [ ! -s srv.err ] || [ -z "$(grep '^tcpserver' srv.err)" ]
    [ "$(grep -c child_stack=NULL trace)" -eq 1 ]
    [ "$(grep -c CLONE_VM trace)" -eq 2 ]
  done
}

# counts SERVER ACTIVE: asked, it says that so many connections are active.
counts() {
  kill -USR1 "$1"
  grep -q "^tcpserver: status: $2/" srv.err
}

# zombies SERVER COUNT: that many of its programs have exited, and were not waited for.
zombies() {
  local pid stat found=0
  # shellcheck disable=SC2013 # they are words
  for pid in $(cat "/proc/$1/task/$1/children"); do
    read -r stat <"/proc/$pid/stat"
    [[ $stat != *') Z '* ]] || found=$((found + 1))
  done
  [ "$found" -eq "$2" ]
}

@test "with hundreds of programs the ends of old and new ones are seen, also those of one moment" {
  start srv tcpserver -c 700 127.0.0.1 0 cat
  local n
  for ((n = 0; n < 550; n++)); do
    connect c "$srv_at"
  done
  for c in "${connected[@]}"; do
    echo x >&"$c"
    hear "$c"
    [ "$heard" = x ]
  done
  # 20 old ones and the newest end while the server is stopped: it gets one SIGCHLD for all
  kill -STOP "$srv"
  for c in "${connected[@]:0:20}" "${connected[549]}"; do
    hang_up "$c"
  done
  until_true zombies "$srv" 21
  kill -CONT "$srv"
  until_true counts "$srv" 529
  for c in "${connected[@]:20:529}"; do
    hang_up "$c"
  done
  until_true counts "$srv" 0
  no_children "$srv"
}
