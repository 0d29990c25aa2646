# Each allocation of a program is refused in turn: it says so and ends, or does what it does else; never is its work done by half.

load helper/common
load helper/peers

setup() {
  common_setup
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers have their own malloc"
  need cc gcc
  [ -e "$BATS_FILE_TMPDIR/alloc.so" ] ||
    cc -D_GNU_SOURCE -shared -fPIC -o "$BATS_FILE_TMPDIR/alloc.so" "$BATS_TEST_DIRNAME/../check/torture/alloc.c"
  count TORTURE_ALLOC_COUNT=count LD_PRELOAD="$BATS_FILE_TMPDIR/alloc.so" signame 9
  before=$count
  count TORTURE_ALLOC_COUNT=count LD_PRELOAD="$BATS_FILE_TMPDIR/alloc.so" alive $$
  [ "$count" -gt "$before" ] || skip "a static binary has its own malloc"
}

# count VARIABLE... COMMAND: how many allocations it makes, in $count. (What is built for coverage makes some before main.)
count() {
  : >count
  env "$@" >/dev/null 2>&1 || :
  count=$(stat -c %s count)
}

teardown() {
  common_teardown
}

# each_allocation: lines on stdin: STATUS | COMMAND, a shell's, whose first program is an applet. It is run once, and then once for
# each allocation of its process with the most, which is refused: then its result is the same, or it says why it is not, with one of
# the statuses (1,2).
each_allocation() {
  local statuses command wrong=0
  while IFS='|' read -r statuses command; do
    read -r statuses <<<"$statuses"
    is_thrifty || wrong=1
  done
  return $wrong
}

# bats' trap for each command is not wanted in there
is_thrifty() {
  local - n all refused=0 usual=0
  set +T
  : >count
  try TORTURE_ALLOC_COUNT="$PWD/count" || usual=$?
  cat out err >usual.said
  all=$(stat -c %s count)
  for ((n = before + 1; n <= all; n++)); do
    status=0
    try TORTURE_ALLOC=$n || status=$?
    [ "$status" -ne "$usual" ] || ! is_usual || continue
    [[ ,$statuses, == *,$status,* ]] && [ "$(says_why out err)" -gt 0 ] && refused=$((refused + 1)) && continue
    echo "allocation $n of $all,$command: status $status, not $statuses or $usual; $(cat out err)"
    return 1
  done
  [ "$refused" -gt 0 ] && return
  echo "$command: none of $all allocations was missed"
  return 1
}

# The same was said, but for numbers.
is_usual() {
  cat out err | sed 's/[0-9][0-9]*/N/g' >said
  sed 's/[0-9][0-9]*/N/g' usual.said | cmp -s - said
}

# try VARIABLE: the command, with it
try() {
  : >out
  eval "timeout --foreground 60 env '$1' LD_PRELOAD='$BATS_FILE_TMPDIR/alloc.so' $command" >out 2>err </dev/null
}

# says_why FILE...: how many lines do
says_why() {
  cat "$@" | grep -cE ': (Cannot allocate memory|Memory allocation failure|Non-recoverable failure in name resolution)$'
}

@test "launchers" {
  each_allocation <<'END'
111 | alive $$
126 | lockrun lock true
126 | lockrun --slots 3 lock true
111,126 | sigtrap USR1=ignore 'USR2=exec:echo caught' -- echo out
126 | reap true
126 | sigexec -i INT true
END
}

@test "files, rules, and programs without a first line" {
  printf '%s\n' '127.:allow,A="x"' '10.0.0.:deny' '[::1]:allow,B="y"' '[fe80::1%lo]:allow' ':deny' >rules
  printf '%s\n' 'gid=daemon:deny' 'uid=root:allow,A="x"' ':deny' >unix-rules
  printf 'echo ran\n' >plain
  printf 'echo "$#"\n' >-dash
  chmod +x plain -- -dash
  PATH=:$PATH
  list=$(printf '10.0.%d.0/24,' {1..120})
  each_allocation <<'END'
111,126 | lockrun lock ./plain {1..40}
126 | lockrun -- lock -dash a b
111,126 | pipecat './plain {1..40}|'
111 | daemonize --foreground ./plain
111 | tcpserver --explain ::1 -x rules -u nobody -C 1:busy\\n --rate 9/1s 127.0.0.1 0 true
111 | unixserver --explain nobody -x unix-rules socket true
111 | tcpserver --proxy-from $list,x 127.0.0.1 0 true
111 | ipcbox --completion bash >/dev/null
END
}

@test "what waits, pipes and a server of commands" {
  each_allocation <<'END'
111 | waitfor file /
1,111 | waitfor -t 0 tcp 127.0.0.1 1
1,111 | waitfor -t 0 http http://127.0.0.1:1/
111,126 | pipecat 'echo text |'
111,126 | pipecat --shell 'echo text |'
111,126 | open2 echo text
111,126 | open2 --pty echo text
111,126 | open2 --lock-step --until=abab cat
111,126 | open3 sh -c 'echo a; echo b >&2'
111,126 | safepipe echo text ::: cat
0,111 | cmdserver 'own=echo text' <<<$'own\nhelp'
END
}

@test "status: all that there is, or why not" {
  local spaces=(unshare --user --map-root-user --pid --ipc --fork --kill-child --mount-proc)
  "${spaces[@]}" true 2>/dev/null || skip "needs namespaces for users, processes and IPC"
  # shellcheck disable=SC2016 # for that shell
  script bin/in-there 'exec 3>&-
    mkfifo locked port
    lockrun lock sh -c "echo >locked; exec sleep 600s" &
    read -r <locked
    lockrun -t 600 lock true &
    until grep -q -- "-> FLOCK" /proc/locks; do :; done
    tcpserver -1 127.0.0.1 0 cat >port &
    read -r port <port
    exec 8<>/dev/tcp/127.0.0.1/$port
    echo line >&8 && read -r <&8 # it serves, and has been counted as soon as its page says so
    until ipcbox status --json >look && grep -q "\"active\":1" look; do :; done
    # status VARIABLE: but for itself and the time of day
    status() {
      status=0
      env "$1" LD_PRELOAD="$so" ipcbox status --json >out 2>err || status=$?
      sed "/\"applet\":\"status\"/d; s/\"time\":\"[^\"]*\"//; s/,\"program\":/,/" out >"$2"
    }
    status TORTURE_ALLOC_COUNT="$PWD/count" whole
    all=$(stat -c %s count) refused=0
    for ((n = before + 1; n <= all; n++)); do
      status TORTURE_ALLOC=$n shown
      if [ $status -eq 0 ] && cmp -s whole shown && [ ! -s err ]; then continue; fi
      [[ "$status $(<err)" == "111 status: "*": Cannot allocate memory" && ! -s out ]] && refused=$((refused + 1)) && continue
      echo "allocation $n of $all: status $status, $(<err)"
      diff whole shown
      exit 1
    done
    [ $refused -gt 20 ]'
  : >count
  before=$before so="$BATS_FILE_TMPDIR/alloc.so" "${spaces[@]}" bash bin/in-there
}

@test "daemonize" {
  each_allocation <<'END'
111,126 | daemonize --foreground -o prog.out -e prog.err -E A=b --clear-env --ready fd -t 0 -p pid sleep 600s
111,126 | daemonize --foreground --ready notify -t 0 -P pid sleep 600s
1,111,126 | daemonize --foreground --supervise --max-restarts 2/60 --backoff 0:0 --on-exit 'echo hook' false >/dev/null
END
}

@test "withserver" {
  each_allocation <<'END'
111,126 | withserver --free-port -t 60 env -u LD_PRELOAD tcpserver 127.0.0.1 {PORT} echo answer ::: sh -c 'tcpclient 127.0.0.1 $PORT'
111,126 | withserver --notify -t 60 env -u LD_PRELOAD unixserver socket true ::: env -u LD_PRELOAD unixclient socket true
111,126 | withserver --match 'port ([0-9]+)' -t 60 sh -c 'echo port 5; exec sleep 600s' ::: sh -c 'echo $PORT'
END
}

@test "clients" {
  start tcp tcpserver 127.0.0.1 0 echo text
  start unix unixserver socket echo text
  start time timeserver 127.0.0.1 0
  start udp udpserver 127.0.0.1 0 tr a-z A-Z
  each_allocation <<END
111,126 | tcpclient localhost $tcp_at true
111,126 | tcpclient 127.0.0.1 $tcp_at true
111,126 | tcpclient 127.0.0.1 $tcp_at
111,126 | tcpclient -h -l here 127.0.0.1 $tcp_at true
111,126 | unixclient socket true
111,126 | unixclient socket
1,111 | tcptime -p $time_at localhost 127.0.0.1 >/dev/null
1,111 | udptime -p $time_at localhost 127.0.0.1 >/dev/null
111 | udpclient 127.0.0.1 $udp_at text
111 | udpclient localhost $udp_at text
111,126 | sockenv true <>/dev/tcp/127.0.0.1/$tcp_at
111,126 | sockenv -h true <>/dev/tcp/127.0.0.1/$tcp_at
111 | webget http://localhost:$udp_at/a/../b
END
  finish "$tcp"
  finish "$unix"
  finish "$time"
  finish "$udp"
}

@test "a queue: a message and no message lost, or the same result" {
  unshare --ipc true 2>/dev/null || skip "needs an IPC namespace of its own"
  # shellcheck disable=SC2016
  run unshare --ipc bash -c 'msgdemo create 77
    refused=0
    for ((n = 1; n <= 8; n++)); do
      for call in "msgrecv -n 1 77" "msgrecv -n 1 77 cat"; do
        echo text | msgsend 77
        status=0
        TORTURE_ALLOC=$n LD_PRELOAD=$1 $call >out 2>err || status=$?
        [ "$status" -ne 0 ] || { [ "$(<out)" = text ] && continue; }
        [[ $status == 111 || $status == 126 ]] && grep -q "Cannot allocate memory" err && [ "$(msgrecv -t 0 77)" = text ] &&
          refused=$((refused + 1)) && continue
        echo "allocation $n of $call: status $status, $(<out), $(<err)"
        exit 1
      done
    done
    [ $refused -gt 0 ]' '' "$BATS_FILE_TMPDIR/alloc.so"
  [ "$status" -eq 0 ] || {
    echo "$output"
    false
  }
}

@test "servers" {
  each_allocation_of_server <<'END'
tcpserver -l here -x rules 127.0.0.1 0 echo served | tcpclient 127.0.0.1 $srv_at
tcpserver -h localhost 0 echo served | tcpclient 127.0.0.1 $srv_at
tcpserver --proxy 127.0.0.1 0 echo served | tcpclient 127.0.0.1 $srv_at <<<$'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r'
END
}

@test "servers of Unix sockets, FIFOs and the time" {
  each_allocation_of_server <<'END'
unixserver socket echo served | unixclient socket
udpserver --unix socket echo served | udpclient --unix socket text
timeserver 127.0.0.1 0 | tcptime -p $srv_at 127.0.0.1 >/dev/null && echo served
mkfifo-sig fifo echo served | cat fifo
END
}

# each_allocation_of_server: lines on stdin: SERVER | CLIENT
each_allocation_of_server() {
  local - server client n wrong=0
  set +T
  script bin/without-memory 'export "$2" LD_PRELOAD="$3"; exec "$4" "$1" "${@:5}"'
  echo '127.:allow,A="b"' >rules
  while IFS='|' read -r server client; do
    : >count
    serves TORTURE_ALLOC_COUNT="$PWD/count" || wrong=1
    count=$(stat -c %s count)
    [ "$count" -gt "$before" ] || wrong=1
    for ((n = before + 1; n <= count; n++)); do
      serves TORTURE_ALLOC=$n || wrong=1
    done
  done
  return $wrong
}

# serves VARIABLE: with it, two clients are served, or as many of them as are not, and the server if it does not start, are said why;
# and no socket file is left.
serves() {
  local missed=0
  status=0
  if eval "start srv without-memory '$1' '$BATS_FILE_TMPDIR/alloc.so' $server" 2>/dev/null; then
    for _ in 1 2; do
      eval "timeout 60 $client" >out 2>&1 </dev/null || :
      [ "$(<out)" = served ] || missed=$((missed + 1))
    done
    finish "$srv"
  else
    missed=1
    wait "$srv" && missed=2
  fi
  [ "$(says_why srv.err)" -ge $missed ] && [ $((status && !missed)) -eq 0 ] && [ ! -e socket ] && [ ! -e fifo ] && return
  echo "$1 $server: status $status, $missed missed, $(<out), $(<srv.err), $(ls)"
  return 1
}
