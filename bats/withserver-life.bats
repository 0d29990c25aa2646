# withserver: the exit status, the output of SERVER, and the termination of all: in time, at a terminal, by a signal, by
# the thousand.

load helper/launch

setup() {
  launch_setup
  # a SERVER that is ready at once, and notes its pid
  forever='echo "server $$" >>log; echo 7; exec sleep infinity'
  # one that notes the signal that it exits at, and one that exits at none
  script noting "exec '$HELPERS/noting' noted"
  script deaf "echo \"server \$\$\" >>log; exec '$HELPERS/noting' -d"
}

teardown() {
  launch_teardown
}

# ---- status ----

@test "CLIENT's exit status is ours" {
  local code
  for code in 0 1 2 100 111 124 126 127 128 143 255; do
    run "-$code" with_server sh -c "$forever" ::: sh -c "exit $code"
    [ -z "$output" ]
  done
  all_gone log
}

@test "a signal that kills CLIENT kills us, too" {
  local signal
  for signal in 1 2 6 9 13 15 35 64; do
    run -0 how_it_ends withserver sh -c "$forever" ::: bash -c 'kill -"$1" $$' '' "$signal"
    [ "$output" = "exit 0 signal $signal" ]
  done
  all_gone log
}

@test "a failure of SERVER while CLIENT runs is reported, and the status is CLIENT's" {
  mkfifo go
  local client='echo >go; until [ ! -e /proc/$(cat pid) ]; do read -rt 0.01 <>go || :; done'
  run -0 with_server sh -c 'echo $$ >pid; echo 7; read -r _ <go; exit 4' ::: bash -c "$client"
  [ "$output" = "withserver: run sh: SERVER exited with status 4 before CLIENT exited" ]
  run -3 with_server sh -c 'echo $$ >pid; echo 7; read -r _ <go; kill -KILL $$' ::: bash -c "$client; exit 3"
  [ "$output" = "withserver: run sh: SERVER was killed by SIGKILL before CLIENT exited" ]
  run -0 with_server sh -c 'echo $$ >pid; echo 7; read -r _ <go; exit 0' ::: bash -c "$client"
  [ -z "$output" ]
}

# ---- the output of SERVER ----

@test "SERVER's output goes to stderr, CLIENT's to stdout" {
  run -0 --separate-stderr with_server sh -c 'echo 7; echo out; echo err >&2; : >said; exec sleep infinity' ::: \
    sh -c 'waitfor file said; echo client'
  [ "$output" = client ]
  [ "$(sort <<<"$stderr")" = $'err\nout' ]
}

# bats test_tags=long
@test "SERVER's output arrives whole: much of it, and what it writes as it exits" {
  with_server sh -c 'echo 7; seq 1 300000; : >said; exec sleep infinity' ::: waitfor file said 2>err
  seq 1 300000 | cmp - err
  with_server sh -c 'trap "seq 1 300000; exit" TERM; echo 7; sleep infinity & wait' ::: true 2>err
  seq 1 300000 | cmp - err
  with_server sh -c 'trap "seq 1 300000; exit" TERM; echo 7; sleep infinity & wait' ::: true 2>&1 >/dev/null | cmp - err
}

@test "a full stderr blocks neither SERVER nor the termination" {
  mkfifo full
  exec 8<>full
  run -1 dd if=/dev/zero of=full bs=4096 oflag=nonblock
  SECONDS=0
  with_server sh -c 'echo 7; yes' ::: echo over >out 2>&8
  [ "$(cat out)" = over ]
  ((SECONDS < 30))
}

@test "a stderr that nobody reads any more does not stop SERVER" {
  mkfifo unread
  exec 9<>unread
  exec 8>unread 9>&-
  with_server sh -c 'echo 7; seq 1 300000; : >said; exec sleep infinity' ::: waitfor file said 2>&8
  rm said
  with_server sh -c 'echo 7; seq 1 300000; : >said; exec sleep infinity' ::: waitfor file said 2>&-
}

# ---- termination ----

@test "SERVER gets SIGTERM, once, and time to exit; it has exited when withserver exits" {
  run -0 with_server ./noting ::: true
  [ "$(cat noted)" = TERM ]
  run -0 with_server sh -c 'trap "rm lock; exit 9" TERM; : >lock; echo 7; sleep infinity & wait' ::: test -e lock
  [ -z "$output" ]
  [ ! -e lock ]
}

@test "-k: a SERVER that does not exit is killed, and CLIENT's status is kept" {
  local time
  for time in 0 0.2; do
    SECONDS=0
    run -3 with_server -k "$time" ./deaf ::: sh -c 'exit 3'
    ((SECONDS < 30))
    all_gone log
  done
}

@test "SERVER's descendants are terminated, too, in whatever session" {
  run -0 with_server -k 2 "$HELPERS/descendants" log plain session orphan session-orphan stopped deaf deaf-session-orphan -- \
    sh -c 'echo 7; exec sleep infinity' ::: test -s log
  all_gone log
  [ "$(grep -c TERM log)" -eq 5 ]
}

@test "SERVER can terminate its children first; CLIENT's descendants are terminated like SERVER's" {
  run -0 with_server "$HELPERS/descendants" log child -- bash -c 'pid=$(sed -n "s/^child //p" log)
    trap "kill -USR1 $pid; until grep USR1 log; do read -rt 0.01 <> <(:); done; exit" TERM
    echo 7; sleep infinity & wait' ::: \
    "$HELPERS/descendants" client.log left orphan
  [ "$(tail -n 1 log)" = "child USR1" ]
  all_gone log
  all_gone client.log
}

@test "children that withserver was started with are left alone" {
  run -0 with_stranger timeout --foreground 60 withserver sh -c "$forever" ::: true
  kill -0 "$(cat stranger)"
  kill -KILL "$(cat stranger)"
}

@test "-t: a CLIENT that hangs is terminated with SERVER and all descendants: 124 and one line" {
  with_time client.log -124 with_server -t @T@ sh -c "$forever" ::: \
    "$HELPERS/descendants" client.log plain session-orphan -- sleep infinity
  [ "$output" = "withserver: run $HELPERS/descendants: CLIENT did not exit in time" ]
  all_gone log
  all_gone client.log
  with_time log -124 with_server -t @T@ -k 0.1 ./deaf ::: ./deaf
  all_gone log
}

# ---- signals ----

@test "a signal before SERVER is ready terminates both" {
  local signal
  for signal in TERM INT HUP USR1; do
    : >log
    background runner withserver sh -c 'echo "server $$" >>log; exec sleep infinity' ::: touch ran
    until_line log server
    kill "-$signal" "$runner"
    ends_with "$((128 + $(kill -l "$signal")))" "$runner"
    all_gone log
    [ ! -s runner.err ]
  done
  [ ! -e ran ]
}

@test "a signal from a process is forwarded to CLIENT" {
  cp "$HELPERS/signals" signals
  background runner withserver ./noting ::: ./signals
  until_line runner.out 'it ready'
  kill -USR1 "$runner"
  until_line runner.out '^it 10$'
  kill -INT "$runner"
  until_line runner.out '^it 2$'
  [ ! -e noted ]
  kill -TERM "$runner"
  ends_with 0 "$runner"
  [ "$(cat noted)" = TERM ]
}

@test "a signal while SERVER does not exit kills SERVER and withserver" {
  background runner withserver -k 1h ./deaf ::: sh -c 'exit 3'
  until_line runner.err 'deaf to TERM'
  kill -TERM "$runner"
  ends_with 143 "$runner"
  all_gone log
}

@test "SIGKILL: SERVER and CLIENT are killed, too" {
  background runner withserver ./deaf ::: ./deaf
  until_line runner.out 7
  kill -KILL "$runner"
  ends_with 137 "$runner"
  [ "$(wc -l <log)" -eq 2 ]
  local pid
  for pid in $(pid_of log server); do
    timeout --foreground 60 waitfor exit "$pid"
  done
  # and before it is ready
  background runner withserver sh -c 'echo $$ >pid; echo up >&2; exec sleep infinity' ::: true
  until_line runner.err up
  kill -KILL "$runner"
  timeout --foreground 60 waitfor exit "$(cat pid)"
}

# ---- at a terminal ----

# shown REGEX: how often, in what the terminal has shown.
shown() {
  grep -cE "$1" <<<"$output" || :
}

@test "Ctrl-C terminates CLIENT and the shell's loop; SERVER gets SIGTERM" {
  at_terminal 'ready> ' "for n in 1 2 3; do echo round-\\\$n; withserver ./noting ::: cat; done\n" \
    'round-1\r' 'echoed\n' 'echoed\r\nechoed\r' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
  [ "$(shown '^round-')" -eq 1 ]
  [ "$(shown '^s=130')" -eq 1 ]
  [ "$(cat noted)" = TERM ]
}

@test "Ctrl-C that CLIENT catches does not terminate it" {
  cp "$HELPERS/signals" signals
  at_terminal 'ready> ' "withserver ./noting ::: ./signals reader; echo s=\\\$?\n" 'reader ready' '\cC' 'reader 2' \
    '\x1c' 'reader 3' 'x\n' 'reader read' '' 's=0' '' 'ready> ' 'exit 0\n'
  [ "$(shown 'reader 2$')" -eq 1 ]
  [ "$(cat noted)" = TERM ]
}

@test "Ctrl-C before SERVER is ready" {
  local how port
  port=$(free_port)
  script never 'echo "server $$" >log; echo up >&2; exec sleep infinity'
  for how in '' "--port=$port" --socket=sock --notify; do
    at_terminal 'ready> ' "withserver $how ./never ::: touch ran\n" '^up\r' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
    [ "$(shown '^s=130')" -eq 1 ]
    all_gone log
  done
  [ ! -e ran ]
}

@test "Ctrl-C while SERVER does not exit" {
  at_terminal 'ready> ' 'withserver -k 1h ./deaf ::: true\n' 'deaf to TERM' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
  [ "$(shown '^s=130')" -eq 1 ]
  [ "$(shown 'deaf to INT')" -eq 0 ]
  all_gone log
}

@test "Ctrl-Z stops withserver and CLIENT, fg continues them" {
  cp "$HELPERS/signals" signals
  at_terminal 'ready> ' "withserver ./noting ::: ./signals reader; echo s=\\\$?\n" 'reader ready' '\cZ' \
    'Stopped.*\r\n(.*\r\n)?ready> ' 'fg\n' 'reader 18' 'a line\n' 'reader read' '' 'ready> ' 'jobs; echo s=end; exit\n'
  [ "$(shown '^s=end')" -eq 1 ]
  [ "$(cat noted)" = TERM ]
}

# ---- by the thousand ----

# bats test_tags=long
@test "100 runs in a row on ports of the kernel's choice, or 10,000 with IPCBOX_LONG=1, without one failure" {
  local n=100 run
  [ "${IPCBOX_LONG:-}" != 1 ] || n=${IPCBOX_RUNS:-10000}
  for ((run = 0; run < n; run++)); do
    answer=$(timeout --foreground 60 withserver tcpserver -1 127.0.0.1 0 sh -c 'echo "server $PPID" >log; exec cat' ::: \
      tcpclient 127.0.0.1 '{PORT}' 2>>err <<<"$run") || {
      echo "run $run: status $?: $(cat err)" >&2
      return 1
    }
    [ "$answer" = "$run" ]
    all_gone log
  done
  [ ! -s err ]
}
