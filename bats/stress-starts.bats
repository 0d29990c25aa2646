# The start of a program: execs that hang, shortages, strange files, signals that come with it.

load helper/stress

setup() {
  stress_setup
  script prog 'echo served'
}

teardown() {
  stress_teardown
}

# Launchers, as rows: what stands before PROG.
launchers='deadline 1h
lockrun lock.%
reap
reap -g
sigtrap USR1=ignore
safepipe
safepipe true :::
open2
open2 --pty
open3
open2 -k 0.1 sleep 1h :::
withserver -k 0.1 sh -c "echo 1; exec sleep 1h" :::
daemonize --foreground'

# hold FILE...: their execs hang until `release`.
hold() {
  need_root
  background hung hung-exec "$@"
  until_true says_or_ends
  kill -0 "$hung" 2>/dev/null || skip "needs fanotify(7) with permission events"
}

says_or_ends() {
  grep -q ready hung.out || ! kill -0 "$hung" 2>/dev/null
}

release() {
  kill -USR1 "$hung"
}

# held N: so many execs hang, or have.
held() {
  [ "$(grep -c '^held' hung.out)" -ge "$1" ]
}

# ---- an exec that hangs ----

@test "a hung exec: every launcher takes TERM" {
  hold prog
  local row run runs=()
  while read -r row; do
    run_row 143 "$row ./prog"
  done <<<"$launchers"
  run_row 143 'withserver ./prog ::: true'
  run_row 143 'cmdserver slow=./prog < <(echo slow; exec sleep 1h)'
  until_true held "${#runs[@]}"
  for run in "${runs[@]}"; do
    kill -TERM "${run%% *}"
  done
  judge
}

@test "a hung exec: daemonize -t gives up, and PROG is gone" {
  hold prog
  run -124 timeout --foreground -s KILL 60 daemonize -t 0.3 -p "$PWD/pid" --ready fd "$PWD/prog"
  [[ $output == "daemonize: exec $PWD/prog: it was not executed in time" ]]
  [ ! -e pid ]
}

@test "a hung exec: every deadline passes" {
  hold prog
  local runs=()
  msgdemo create "$key" && msgsend "$key" one
  run_row 124 'deadline 0.2 ./prog'
  run_row 124 'deadline -k 0 0.2 ./prog'
  run_row 124 'safepipe -t 0.2 ./prog ::: ./prog'
  run_row 124 'withserver -t 0.2 sh -c "echo 1; exec sleep 1h" ::: ./prog'
  run_row 124 'withserver -r 0.2 ./prog ::: true'
  run_row 124 'open2 -l -t 0.2 ./prog <prog'
  run_row 0 'cmdserver -t 0.2 slow=./prog < <(echo slow; echo quit)'
  judge
}

@test "a hung exec: launchers go on when it does" {
  hold prog
  local row runs=()
  while read -r row; do
    run_row 0 "$row ./prog"
  done <<<"$launchers"
  until_true held "${#runs[@]}"
  release
  runs=("${runs[@]/ 0 open2 -k/ 124 open2 -k}") # its server has to be ended
  judge
}

# call_held N CLIENT...: that many clients, the execs of whose programs hang.
call_held() {
  local n
  callers=()
  for ((n = 1; n <= $1; n++)); do
    "${@:2}" </dev/null >"told.$n" 2>/dev/null 3>&- &
    callers+=("$!")
  done
  until_true held "$1"
}

@test "20 hung execs: servers serve all when they go on" {
  hold prog
  local server
  start tcp tcpserver 127.0.0.1 0 ./prog
  start unix unixserver sock ./prog
  callers=()
  for server in tcp unix; do
    : >hung.out
    if [ "$server" = tcp ]; then call_held 20 tcpclient 127.0.0.1 "$tcp_at"; else call_held 20 unixclient sock; fi
    kill -USR1 "${!server}"
    until_line "$server.err" "status: 20/40 accepted 20 "
    release
    wait "${callers[@]}"
    [ "$(cat told.* | grep -c served)" -eq 20 ]
    finish "${!server}"
    [ "$status" -eq 0 ]
    kill "$hung"
    wait "$hung" || :
    hold prog
  done
}

@test "20 hung execs: servers end at TERM at once, and their address is free" {
  hold prog
  printf '#!/bin/sh\necho other\n' >other
  chmod +x other
  start tcp tcpserver 127.0.0.1 0 ./prog
  call_held 20 tcpclient 127.0.0.1 "$tcp_at"
  finish "$tcp"
  [ "$status" -eq 0 ]
  start again tcpserver 127.0.0.1 "$tcp_at" ./other
  [ "$(call "$tcp_at")" = other ]
  release
  wait "${callers[@]}" || :
  finish "$again"
  [ "$status" -eq 0 ]
}

# ---- shortages ----

# as_nobody WORDS...: as a user whom nobody else is.
as_nobody() {
  chmod 755 . .. "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
  chmod 777 .
  poor="setpriv --reuid $((640000000 + BASHPID)) --clear-groups"
}

@test "no process: launchers end with 111 and say so, and safepipe tries as long as it was told" {
  need_root
  as_nobody
  local row runs=()
  while read -r row; do
    case $row in
      safepipe*) row="safepipe --retry=0.2 ${row#safepipe}" ;;
      *open2\ -k* | *echo*) continue ;;
    esac
    run_row 111 "$poor prlimit --nproc=1 $row ./prog"
  done <<<"$launchers"
  judge
  [ "$(cat err.* | grep -c 'Resource temporarily unavailable')" -ge 8 ]
}

@test "few processes: a server serves all of its clients, one after the other" {
  need_root
  as_nobody
  script bin/poor "exec $poor prlimit --nproc=3 tcpserver \"\$@\""
  start srv poor -q 127.0.0.1 0 ./prog
  local n callers=()
  for n in {1..12}; do
    call "$srv_at" >"told.$n" &
    callers+=("$!")
  done
  wait "${callers[@]}"
  [ "$(cat told.* | grep -c '^served$')" -eq 12 ]
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "few fds: every launcher ends, by itself, with any limit" {
  local row fds runs
  for fds in 3 4 5 6 7 8 9 10 12 16; do
    runs=()
    while read -r row; do
      run_row 0,1,111,124,126,127 "prlimit --nofile=$fds ${row/\%/%.$fds} /bin/true"
    done <<<"$launchers"
    judge
  done
}

@test "few fds: a server serves all of its clients, and ends at TERM" {
  script bin/poor 'exec prlimit --nofile=12 tcpserver "$@"'
  start srv poor -q 127.0.0.1 0 ./prog
  local n callers=()
  for n in {1..20}; do
    call "$srv_at" >"told.$n" &
    callers+=("$!")
  done
  wait "${callers[@]}"
  [ "$(cat told.* | grep -c '^served$')" -eq 20 ]
  finish "$srv"
  [ "$status" -eq 0 ]
}

# ---- strange files ----

# all_say STATUS WORD PROG: each launcher of it ends with STATUS, and WORD (if not -) is what it has printed.
all_say() {
  local row bad=0 n=0 status said
  while read -r row; do
    case $row in
      *open2\ -k* | *open2 | *open3 | *echo* | daemonize*) continue ;; # where it goes elsewhere
    esac
    status=0
    said=$(eval "timeout --foreground -s KILL 60 ${row//%/$((++n))} $3" 2>/dev/null </dev/null | tr -d '\r'; exit "${PIPESTATUS[0]}") ||
      status=$?
    [ "$status" -eq "$1" ] && { [ "$2" = - ] || [ "$said" = "$2" ]; } || {
      echo "$row $3: status $status, '$said'; expected $1, '$2'" >&2
      bad=1
    }
  done <<<"$launchers"
  return "$bad"
}

@test "strange files: a script without #!, one whose name begins with -, an empty one, another machine's" {
  echo 'echo "served $0"' >plain
  cp plain ./-plain
  : >empty
  # an ELF of no machine that there is
  printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\377\377\001\000\000\000' >foreign
  head -c 200 /dev/zero >>foreign
  chmod +x plain ./-plain empty foreign
  all_say 0 'served ./plain' ./plain
  all_say 0 'served ./-plain' ./-plain
  PATH=:$PATH all_say 0 - plain
  all_say 126 '' ./empty
  all_say 126 '' ./foreign
  # by its name alone: it is not an option of the shell that runs it
  launchers=$'deadline 1h\nlockrun lock\nreap --\nsafepipe --'
  PATH=:$PATH all_say 0 - -plain
}

@test "in a pid namespace whose process 1 is PROG" {
  need_root
  unshare --pid --fork true || skip "needs a pid namespace of its own"
  local row bad=0 n=0
  for row in 'deadline 1h' 'lockrun lock' reap 'reap -g' 'sigtrap USR1=ignore' safepipe open2; do
    status=0
    # shellcheck disable=SC2086 # words
    timeout --foreground -s KILL 60 unshare --pid $row sh -c 'exit 3' </dev/null || status=$?
    [ "$status" -eq 3 ] || {
      echo "$row: status $status" >&2
      bad=1
    }
  done
  [ "$bad" -eq 0 ]
}

# ---- signals with the start ----

@test "a TERM that is pending at the start reaches PROG" {
  local row runs=()
  while read -r row; do
    run_row 143 "does block TERM kill TERM self exec $row does unblock TERM sleep"
  done <<<"$launchers"
  judge
}

# at_once TIMES STATUSES COMMAND: TERM comes as soon as there is such a process, or a little later, and ends it.
at_once() {
  local said
  said=$(eval "timeout --foreground -s KILL 60 kill-at-random -t $1 15 $3" 2>/dev/null </dev/null | sed '/served/d') || :
  [ "$(awk '{ n += $2 } END { print n }' <<<"$said")" = "$1" ] && [[ -z $(grep -vE "^(${2//,/|}) " <<<"$said") ]] || {
    echo "$3: TERM at once: expected $2, found (status, times): $said" >&2
    return 1
  }
}

@test "a TERM that comes at once ends each launcher and server, and leaves nothing behind" {
  local row jobs=() job bad=0 n=0
  while read -r row; do
    at_once 30 0,143 "${row//%/$((++n))} sleep 1h" &
    jobs+=("$!")
  done <<<"$launchers"
  for row in 'tcpserver 127.0.0.1 0 true' 'unixserver sock true' 'udpserver 127.0.0.1 0 true' 'timeserver 127.0.0.1 0' 'mkfifo-sig sig true'; do
    at_once 30 0,143 "$row" &
    jobs+=("$!")
  done
  for job in "${jobs[@]}"; do
    wait "$job" || bad=1
  done
  [ "$bad" -eq 0 ]
}
