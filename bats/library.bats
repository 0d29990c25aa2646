# contrib/bats/ipcbox.bash, the library for the tests of others: each test here runs a bats of its own (IPCBOX_BATS, if it
# shall be another one than this) with tests that use the library, and looks at what that prints. It runs in an IPC namespace
# of its own, where nobody else makes System V objects.

load helper/common

setup() {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "is a matter of the shell: the same for every build"
  common_setup
  top=$(readlink -f "$BATS_TEST_DIRNAME/..")
  flags=(--ipc)
  [ "$(id -u)" -eq 0 ] || flags+=(--map-root-user)
  alone=()
  # shellcheck disable=SC2034 # the library's
  if unshare "${flags[@]}" true 2>/dev/null; then alone=(unshare "${flags[@]}"); else export IPCBOX_CHECKS='processes fds sockets'; fi
}

teardown() {
  common_teardown
}

# inner [STATUS] <<TESTS: runs them in bats, which exits with STATUS; $said is what it prints. HERE is our directory.
inner() {
  {
    echo 'bats_load_library ipcbox'
    echo 'setup() { cd "$BATS_TEST_TMPDIR"; ipcbox_setup; }'
    echo 'teardown() { ipcbox_teardown; }'
    sed 's/^TEST /@test /' # which bats would take for one of this file
  } >inner.bats
  run "${alone[@]}" env BATS_LIB_PATH="$top/contrib/bats" TMPDIR="$PWD" HERE="$PWD" \
    "${IPCBOX_BATS:-bats}" --tap inner.bats 3>&-
  said=$output
  echo "$said"
  [ "$status" -eq "${1:-0}" ]
}

# named ERE: a line of what it printed of its tests begins so
named() {
  grep -qE -- "^# $1" <<<"$said"
}

# failed N: so many of them
failed() {
  [ "$(grep -c '^not ok' <<<"$said")" -eq "$1" ]
}

@test "the library is found by both of its names" {
  local name
  for name in ipcbox ipcbox.bash; do
    printf 'bats_load_library %s\n@test one { declare -F start_server; }\n' $name >found.bats
    BATS_LIB_PATH=$top/contrib/bats run -0 "${IPCBOX_BATS:-bats}" --tap found.bats
  done
}

@test "a server is ready when the test goes on: its port, socket, log and pid" {
  inner <<'END'
TEST "a port that the server prints" {
  start_server upper tcpserver -1 127.0.0.1 0 tr a-z A-Z
  [ "$(echo hello | tcpclient 127.0.0.1 "$upper_port")" = HELLO ]
  [ -z "$upper_socket" ]
  [ "$(cat "/proc/$upper_pid/comm")" = tcpserver ]
  env | grep -qx "upper_port=$upper_port"
}
TEST "a socket" {
  start_server talk unixserver -1 ./sock cat
  [ "$talk_socket" = ./sock ]
  [ -z "$talk_port" ]
  [ "$(echo hello | unixclient "$talk_socket")" = hello ]
}
TEST "options of withserver, and its separator among the words of the server" {
  start_server first --free-port sh -c 'exec tcpserver 127.0.0.1 "$1" cat' ::: {PORT}
  wait_for tcp 127.0.0.1 "$first_port"
  start_server second --match 'listening on ([0-9]+)' sh -c 'echo "listening on 4711"; exec tail -f /dev/null'
  [ "$second_port" = 4711 ]
  start_server third --notify unixserver ./third cat
  [ -S third ]
}
TEST "its stderr, and all stdout but the first line, are its log" {
  start_server chat sh -c 'echo 4711; echo out; echo err >&2; exec tail -f /dev/null'
  expect_line "$chat_log" '^out$'
  expect_line "$chat_log" '^err$'
}
TEST "its SIGINT has the default action" {
  start_server loop sh -c 'echo 4711; exec tail -f /dev/null'
  kill -INT "$loop_pid"
  wait_for exit "$loop_pid"
}
END
}

@test "a server that does not start fails the test at once, with its own words" {
  inner 1 <<'END'
TEST "exits" { start_server bad sh -c 'echo "the disk is full" >&2; exit 3'; }
TEST "is missing" { start_server bad no-such-server; }
TEST "is not ready in time" { start_server bad -r 0.1 tail -f /dev/null; }
TEST "has no name for a variable" { start_server no-name true; }
END
  named 'start_server: bad did not start: status 111'
  named 'the disk is full'
  named 'withserver: .* exited with status 3 before it was ready'
  named 'start_server: bad did not start: status 127'
  named 'start_server: bad did not start: status 124'
  named 'usage: start_server NAME'
  failed 4
  run ! named 'the test has left'
}

# A server with a child, and one in a session of its own; their pids are in the file pids, a line each
family() {
  script family 'tail -f /dev/null &
    echo $! >>"$HERE/pids"
    setsid tail -f /dev/null &
    echo $! >>"$HERE/pids"
    echo $$ >>"$HERE/pids"
    echo 4711
    wait'
}

@test "teardown ends a server with all its descendants, whether the test passes or fails" {
  family
  inner 1 <<'END'
TEST "passes" { start_server family "$HERE/family"; }
TEST "fails" { start_server family "$HERE/family"; false; }
END
  failed 1
  run ! named 'the test has left'
  named 'the end of the log of family:'
  mapfile -t pids <pids
  [ "${#pids[@]}" -eq 6 ]
  alive -w -t 0 "${pids[@]}"
}

@test "stop_server ends one of them, once" {
  inner 1 <<'END'
TEST "one of two" {
  start_server a unixserver -1 ./a cat
  start_server b unixserver -1 ./b cat
  stop_server a
  [ ! -e a ]
  [ -S b ]
  wait_for exit "$a_pid"
  alive "$b_pid"
  run stop_server a
  [ "$status" -eq 1 ]
  start_server a unixserver -1 ./a cat
  run start_server a unixserver -1 ./c cat
  [ "$status" -eq 100 ]
}
TEST "one that there is not" { stop_server c; }
END
  failed 1
  named "stop_server: no server 'c' is running"
}

@test "the servers of a test that is killed end, too" {
  family
  inner 1 <<'END'
TEST "is killed" { start_server family "$HERE/family"; kill -KILL $$; }
END
  mapfile -t pids <pids
  [ "${#pids[@]}" -eq 3 ]
  alive -w -t 60 "${pids[@]}"
}

@test "a server of setup_file is there for all tests of the file, and is ended after them" {
  inner <<'END'
setup_file() {
  ipcbox_setup
  start_server upper tcpserver -1 127.0.0.1 0 tr a-z A-Z
  echo "$upper_pid" >"$HERE/pids"
}
teardown_file() { ipcbox_teardown; }
TEST "one" { [ "$(echo one | tcpclient 127.0.0.1 "$upper_port")" = ONE ]; }
TEST "two" { [ "$(echo two | tcpclient 127.0.0.1 "$upper_port")" = TWO ]; }
END
  alive -w -t 0 "$(cat pids)"
}

@test "wait_for, wait_until and expect_line wait for their events" {
  inner <<'END'
TEST "conditions of waitfor" {
  (until [ -e go ]; do sleep 0.02; done; : >file) 3>&- &
  : >go
  wait_for file ./file ::: exit "$!"
  run wait_for -t 0 file nothing
  [ "$status" -eq 1 ]
}
TEST "a command" {
  n=0
  third() { ((++n == 3)); }
  wait_until third
  [ "$n" -eq 3 ]
}
TEST "a line of a log that is not there yet, with a group in the expression" {
  (until [ -e waits ]; do sleep 0.02; done; echo "GET / is done" >later.log) 3>&- &
  : >waits
  expect_line later.log '^(GET|POST) / is done$'
  wait "$!"
}
END
}

@test "what does not come is reported, with the end of the log" {
  inner 1 <<'END'
IPCBOX_TIMEOUT=1
TEST "a condition" { wait_for file nothing; }
TEST "a command" { wait_until test -e nothing; }
TEST "a line" { seq 100 >log; expect_line log '^101$'; }
TEST "a wrong expression" { : >log; expect_line log '('; }
END
  named 'waitfor: file nothing: the deadline passed'
  named 'wait_until: test -e nothing: not within 1 seconds'
  named "expect_line: no line of log matches '\^101\\$'"
  named '100$'
  run ! named '80$'
  named "withserver: option --match '\('"
  failed 4
}

@test "a test that leaves a process fails, and names it; the process is killed" {
  inner 1 <<'END'
IPCBOX_GRACE=0
TEST "in the background" { tail -n 1 -f /dev/null 3>&- & echo "$!" >>"$HERE/pids"; }
TEST "elsewhere, in a session of its own" { (cd / && setsid tail -n 2 -f /dev/null 3>&- & echo "$!" >>"$HERE/pids"); }
TEST "without its environment" { env -i tail -n 3 -f /dev/null 3>&- & echo "$!" >>"$HERE/pids"; }
TEST "none" { true; }
END
  failed 3
  named 'process [0-9]*: tail -n 1 -f /dev/null'
  named 'process [0-9]*: tail -n 2 -f /dev/null'
  named 'process [0-9]*: tail -n 3 -f /dev/null'
  mapfile -t pids <pids
  [ "${#pids[@]}" -eq 3 ]
  alive -w -t 60 "${pids[@]}"
}

@test "a process that is about to exit is not left behind" {
  # it exits when it is waited for
  script box '[ "$1" != alive ] || rm "$HERE/works"
    exec "$REAL" "$@"'
  : >works
  export REAL=$IPCBOX IPCBOX=$PWD/box IPCBOX_GRACE=60
  inner <<'END'
TEST "one" { sh -c 'while [ -e "$HERE/works" ]; do sleep 0.02; done' 3>&- & }
END
  [ ! -e works ]
}

@test "a test that leaves a descriptor fails, and names it" {
  inner 1 <<'END'
TEST "a file" {
  exec {fd}<"$HERE/inner.bats"
}
TEST "a pipe" {
  mkfifo fifo
  exec 7<>fifo
}
TEST "none, of many" {
  exec {fd}</dev/zero
  exec {fd}<&-
  cat <(echo one) <(echo two)
}
END
  failed 2
  named "fd [0-9]*: $PWD/inner.bats"
  named 'fd 7: .*/fifo'
}

@test "a test that leaves a socket file fails, and names it, also in directories that are named" {
  need_perl Socket
  mkdir run
  cat >bind <<'END'
#!/usr/bin/perl
use Socket;
socket my $s, AF_UNIX, SOCK_STREAM, 0 or die;
bind $s, pack_sockaddr_un shift or die;
END
  chmod +x bind
  ./bind run/old
  inner 1 <<'END'
setup() { cd "$BATS_TEST_TMPDIR"; ipcbox_setup "$HERE/run"; }
TEST "here" { "$HERE/bind" ./here; }
TEST "there" { cd "$HERE"; ./bind run/there; }
TEST "none" { "$HERE/bind" ./gone; rm gone; }
END
  failed 2
  named 'socket .*/here'
  named 'socket .*/run/there'
  run ! named 'socket .*/run/old'
}

@test "a test that leaves a System V object fails, and names it" {
  [ "${#alone[@]}" -gt 0 ] || skip "needs an IPC namespace"
  inner 1 <<'END'
setup_file() { semset create 0x10 1; }
TEST "a queue" { msgdemo create 0x11; }
TEST "a semaphore set" { semset create private 1; }
TEST "a segment" { shmdemo create 0x12 4k; }
TEST "none" { semset create 0x13 1; semset rm 0x13; }
TEST "it is not looked for" { IPCBOX_CHECKS='processes fds'; semset create 0x14 1; }
END
  failed 3
  named 'queue [0-9]+, key 0x00000011$'
  named 'semset [0-9]+, key private$'
  named 'segment [0-9]+, key 0x00000012$'
  run ! named 'semset [0-9]+, key 0x00000010$'
}

@test "a file that leaves something fails" {
  inner 1 <<'END'
IPCBOX_GRACE=0
setup_file() { ipcbox_setup; tail -f /dev/null 3>&- & }
teardown_file() { ipcbox_teardown; }
TEST "one" { true; }
END
  failed 1
  named 'process [0-9]*: tail -f /dev/null'
}

@test "a test that is skipped before ipcbox_setup leaves nothing, and does no harm to what the file has started" {
  inner <<'END'
setup_file() { ipcbox_setup; start_server upper tcpserver -1 127.0.0.1 0 tr a-z A-Z; }
teardown_file() { ipcbox_teardown; }
setup() { [ "$BATS_TEST_DESCRIPTION" != one ] || skip "not today"; ipcbox_setup; }
TEST "one" { false; }
TEST "two" { [ "$(echo two | tcpclient 127.0.0.1 "$upper_port")" = TWO ]; }
END
  [[ $said == *'# skip not today'* ]]
}

# Every workflow, as JSON: those of this project, and that of the documentation
workflows() {
  awk '/^```/ { open = /^```yaml/; next } open' "$top/docs/testing.md" >tests.yml
  python3 -c 'import json, sys, yaml
for name in sys.argv[1:]:
    print(json.dumps(yaml.safe_load(open(name))))' tests.yml "$top"/.github/workflows/*.yml
}

@test "the workflows are YAML, and what they run is shell" {
  need python3 python3
  python3 -c 'import yaml' 2>/dev/null || skip "needs PyYAML (Debian: python3-yaml)"
  workflows >workflows.json
  [ "$(wc -l <workflows.json)" -ge 2 ]
  python3 -c 'import json, subprocess, sys
for line in sys.stdin:
    for job in json.loads(line)["jobs"].values():
        assert job["runs-on"] and job["timeout-minutes"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step), step
            subprocess.run(["bash", "-n", "-c", step.get("run", "")], check=True)' <workflows.json
  grep -qF 'bash .ci/run' "$top/.github/workflows/ci.yml"
  [ -e "$top/.ci/run" ]
}
