# unixserver: the socket file (made, taken over, left alone, removed) and what a program is told of its client.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# answers PATH TEXT: a server that echoes lives there.
answers() {
  [ "$(echo "$2" | unixclient "$1")" = "$2" ]
}

# abstract_name: one that no other test has.
abstract_name() {
  echo "@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER"
}

@test "a program finds both ends of its connection in its environment" {
  start server unixserver sock sh -c 'env | grep -E "^(PROTO|TCP|UNIX)" | sort; echo "pid $$"'
  background client unixclient sock
  wait "$client"
  local pid
  pid=$(sed -n 's/^pid //p' client.out)
  [ -n "$pid" ]
  [ "$pid" != "$server" ]
  run cat client.out
  [ "$output" = "PROTO=UNIX
UNIXCONNNUM=1
UNIXLOCALGID=$(id -g)
UNIXLOCALPATH=sock
UNIXLOCALPID=$pid
UNIXLOCALUID=$(id -u)
UNIXREMOTEEGID=$(id -g)
UNIXREMOTEEUID=$(id -u)
UNIXREMOTEPID=$client
pid $pid" ]
}

@test "variables of another server are removed from the environment" {
  export PROTO=TCP TCPREMOTEIP=192.0.2.1 TCPLOCALPORT=7 TCPCONNNUM=9 UNIXREMOTEPATH=/other UNIXLOCALPATH=/old KEPT=yes
  start server unixserver sock sh -c 'env | grep -E "^(PROTO|TCP|UNIX.*PATH|KEPT)" | sort'
  run -0 unixclient sock </dev/null
  [ "$output" = "KEPT=yes
PROTO=UNIX
UNIXLOCALPATH=sock" ]
}

@test "a program starts clean: fds 0 to 2 only, no signal ignored or blocked" {
  printf '#!/bin/sh\nexec env --ignore-signal=PIPE,USR1 --block-signal=TERM,USR2 unixserver "$@" 9</dev/null' >dirty
  chmod +x dirty
  start server ./dirty sock sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/$$/fd'
  run -0 unixclient sock </dev/null
  [ "$output" = "SigBlk:	0000000000000000
SigIgn:	0000000000000000
0
1
2" ]
}

@test "without a program it greets its client by the name of the user" {
  local name
  name=$(id -un 2>/dev/null) || name="uid $(id -u)"
  start server unixserver sock
  unixclient sock </dev/null >greeting
  run -0 grep -cE "^Hello there, $name, it's now [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [0-9]{4}"$'\r$' greeting
  [ "$output" -eq 1 ]
  [ "$(wc -l <greeting)" -eq 1 ]
}

@test "a client whose user has no name is greeted by the number" {
  need_root
  local name
  name=$(abstract_name)
  start server unixserver "$name"
  run -0 client -u 54321 "$name" rest
  [[ $output == "Hello there, uid 54321, it's now "* ]]
}

@test "UNIXCONNNUM counts the open connections of a user" {
  start server unixserver sock sh -c 'echo $UNIXCONNNUM; cat'
  background one unixclient sock sh -c 'exec cat <&6'
  until_line one.out 1
  background two unixclient sock sh -c 'exec cat <&6'
  until_line two.out 2
  run -0 unixclient sock </dev/null
  [ "$output" = 3 ]
}

@test "-1 prints the path, once clients can connect" {
  start server unixserver sock echo here
  [ "$server_at" = sock ]
  run -0 unixclient sock </dev/null
  [ "$output" = here ]
}

# ---- mode and owner ----

@test "-p is the file's mode whatever the umask" {
  umask 077
  start server unixserver -p 626 sock cat
  [ "$(stat -c %a sock)" = 626 ]
  answers sock "through mode 626"
}

@test "-p is the file's mode from the start, before any client can connect" {
  need strace strace
  # killed at the door of listen(2), it leaves what bind(2) has made
  run -137 strace -qq -o trace -e trace=bind,listen,chmod,fchmod,fchmodat -e inject=listen:signal=KILL \
    unixserver -p 620 sock cat
  grep -q 'bind.*sock' trace
  [ "$(stat -c %a sock)" = 620 ]
}

@test "-p does not change the umask of the programs" {
  umask 027
  run -0 with_server unixserver -1 -p 600 sock sh -c umask ::: unixclient sock </dev/null
  [ "$output" = 0027 ]
}

@test "without -p the mode follows the umask" {
  umask 037
  start server unixserver sock cat
  [ "$(stat -c %a sock)" = 740 ]
}

@test "-o gives the file to a user and a group" {
  need_root
  start one unixserver -o nobody one.sock cat
  start two unixserver -o nobody:daemon two.sock cat
  start three unixserver -o :daemon three.sock cat
  [ "$(stat -c %U one.sock)" = nobody ]
  [ "$(stat -c %U:%G two.sock)" = nobody:daemon ]
  [ "$(stat -c %U:%G three.sock)" = "$(id -un):daemon" ]
}

@test "an owner that doesn't exist is a usage error, and nothing is created" {
  wrong_call unixserver -o no-such-user sock cat
  wrong_call unixserver -o '' sock cat
  wrong_call unixserver -p 1777 sock cat
  wrong_call unixserver -p 8 sock cat
  [ ! -e sock ]
}

# ---- names ----

@test "@NAME is an abstract socket, which needs no file" {
  local name
  name=$(abstract_name)
  start server unixserver "$name" sh -c 'echo "$UNIXLOCALPATH"'
  [ "$server_at" = "$name" ]
  run -0 unixclient "$name" </dev/null
  [ "$output" = "$name" ]
  run -0 find . -type s
  [ -z "$output" ]
}

@test "an abstract name that is in use is refused" {
  local name
  name=$(abstract_name)
  start server unixserver "$name" cat
  run -111 timeout 60 unixserver "$name" true
  [ "$output" = "unixserver: bind $name: Address already in use" ]
  answers "$name" "still here"
}

@test "a path of 107 bytes works, one of 108 is a usage error" {
  local path
  path=$(printf 'x%.0s' {1..107})
  start server unixserver "$path" cat
  [ "$server_at" = "$path" ]
  answers "$path" "at the far end"
  wrong_call unixserver "${path}x" cat
  wrong_call unixserver '' cat
  wrong_call unixserver '@' cat
  wrong_call unixserver
  [ ! -e "${path}x" ]
}

@test "a directory that does not exist is named" {
  run -111 timeout 60 unixserver no/such/sock cat
  [ "$output" = "unixserver: no/such: No such file or directory" ]
}

# ---- what is at the path already ----

@test "the file of a killed server is replaced immediately" {
  start server unixserver -p 600 sock cat
  kill -KILL "$server"
  ends_with 137 "$server"
  [ -S sock ]
  start again unixserver -p 660 sock cat
  [ "$(stat -c %a sock)" = 660 ]
  answers sock "second life"
}

@test "a live server's socket is refused and its server is not disturbed" {
  start server unixserver sock sh -c 'echo ran >>runs; cat'
  local before
  before=$(stat -c %i sock)
  run -111 timeout 60 unixserver sock true
  [ "$output" = "unixserver: refuse to replace a live socket: sock: Address already in use" ]
  [ "$(stat -c %i sock)" = "$before" ]
  answers sock "still here"
  # the look at it was no connection: one program has run, for the line above
  [ "$(cat runs)" = ran ]
}

@test "a live server whose backlog is full is a live server" {
  peer server -b 0 sock full wait
  until_line server.err full
  run -111 timeout 60 unixserver sock true
  [[ $output == *"refuse to replace a live socket: sock: "* ]]
  [ -S sock ]
}

@test "a live datagram or seqpacket socket is refused and left" {
  for type in dgram seqpacket; do
    background owner unix-socket "$type" "$type"
    until_line owner.out up
    run -111 timeout 60 unixserver "$type" true
    [[ $output == *"refuse to replace a live socket: $type: "* ]]
    [ -S "$type" ]
  done
}

@test "a regular file, a directory, a FIFO and a symbolic link are refused and left" {
  echo precious >file
  mkdir directory
  mkfifo fifo
  ln -s nowhere dangling
  start server unixserver dead true
  kill -KILL "$server"
  ends_with 137 "$server"
  ln -s dead link
  for path in file directory fifo dangling link; do
    run -111 timeout 60 unixserver "$path" true
    [ "$output" = "unixserver: refuse to replace what is not a socket: $path: File exists" ]
  done
  [ "$(cat file)" = precious ]
  [ -d directory ]
  [ -p fifo ]
  [ "$(readlink dangling)" = nowhere ]
  [ "$(readlink link)" = dead ]
  [ ! -e nowhere ]
}

# settled N: server N is ready, or has said why not.
settled() {
  [ -s "s$1.out" ] || [ -s "s$1.err" ]
}

# race N: N servers start at once on one path; exactly one is ready and works, the others are refused.
race() {
  local i ready=() pids=()
  for ((i = 0; i < $1; i++)); do
    background "s$i" unixserver -1 sock cat
    pids+=("$!")
  done
  for ((i = 0; i < $1; i++)); do
    until_true settled "$i"
    if [ -s "s$i.out" ]; then
      ready+=("${pids[i]}")
    else
      ends_with 111 "${pids[i]}"
      grep -q 'refuse to replace a live socket' "s$i.err"
    fi
  done
  [ "${#ready[@]}" -eq 1 ]
  answers sock "one of $1"
  kill -KILL "${ready[0]}"
  ends_with 137 "${ready[0]}"
  [ -S sock ]
  rm s*.out s*.err
}

# bats test_tags=long
@test "of several servers that start at once on a dead socket, one wins" {
  start server unixserver sock cat
  kill -KILL "$server"
  ends_with 137 "$server"
  local _
  for _ in 1 2 3; do
    race 2
    race 10
  done
}

@test "a server delayed while it replaces a dead socket keeps the others waiting" {
  need strace strace
  start dead unixserver sock cat
  kill -KILL "$dead"
  ends_with 137 "$dead"
  # stopped when it has seen that nobody is there
  background s0 strace -qq -o trace -e trace=connect -e inject=connect:signal=STOP unixserver -1 sock cat
  until_line trace 'stopped by SIGSTOP'
  local held
  held=$(cat /proc/"$s0"/task/"$s0"/children)
  started+=("$held")
  background s1 unixserver -1 sock cat
  until_true asleep "$s1" unixserver
  kill -CONT "$held"
  until_true settled 0
  until_true settled 1
  [ -s s0.out ]
  ends_with 111 "$s1"
  grep -q 'refuse to replace a live socket' s1.err
  answers sock "one of two"
  kill "$held"
  ends_with 0 "$s0"
  [ ! -e sock ]
}

# ---- the end ----

@test "TERM stops it with status 0 and the file is removed" {
  start server unixserver sock cat
  finish "$server"
  [ "$status" -eq 0 ]
  [ ! -e sock ]
  [ ! -s server.err ]
}

@test "whichever signal kills it, except KILL, the file is removed and the status shows the signal" {
  local signal
  for signal in INT QUIT ALRM USR2 VTALRM XCPU IO RTMIN RTMAX; do
    start server unixserver sock cat
    [ -S sock ]
    kill -"$signal" "$server"
    ends_with $((128 + $(kill -l "$signal"))) "$server"
    [ ! -e sock ]
  done
}

@test "HUP and USR1 do not stop it" {
  start server unixserver sock cat
  kill -HUP "$server"
  answers sock "after HUP"
  kill -USR1 "$server"
  until_line server.err "^unixserver: status: [01]/40 accepted 1 denied 0 refused 0$"
  answers sock "after USR1"
}

@test "a program continues when its server is stopped" {
  start server unixserver sock cat
  mkfifo talk
  unixclient sock <talk >answer 3>&- &
  started+=("$!")
  local client=$!
  exec 5>talk
  echo one >&5
  until_line answer one
  finish "$server"
  echo two >&5
  until_line answer two
  exec 5>&-
  wait "$client"
}

@test "a file that replaced the socket is not removed on exit" {
  start server unixserver sock cat
  rm sock
  echo mine >sock
  finish "$server"
  [ "$status" -eq 0 ]
  [ "$(cat sock)" = mine ]
}

@test "another server's socket at the same path is not removed on exit" {
  start one unixserver sock echo one
  rm sock
  start two unixserver sock echo two
  finish "$one"
  run -0 unixclient sock </dev/null
  [ "$output" = two ]
}

@test "--max N: it exits after N connections, and removes the file" {
  start server unixserver --max 2 sock cat
  answers sock first
  [ -S sock ]
  answers sock second
  wait "$server"
  [ ! -e sock ]
}

@test "an error after bind leaves no file" {
  run -127 timeout 60 unixserver sock ./no-such-program
  [ "$output" = "unixserver: ./no-such-program: No such file or directory" ]
  [ ! -e sock ]
  touch plain
  run -126 timeout 60 unixserver sock ./plain
  [ ! -e sock ]
  run -111 timeout 60 bash -c 'exec unixserver -1 sock cat >/dev/full'
  [[ $output == "unixserver: report readiness to "*": No space left on device" ]]
  [ ! -e sock ]
  run -111 timeout 60 bash -c 'exec unixserver --ready-fd 5 sock cat 5</dev/null'
  [ ! -e sock ]
}

# ---- without privileges ----

@test "with -u the program runs as that user and the file is still removed at TERM and at KILL" {
  need_root
  mkdir -m 755 owned
  for signal in TERM KILL; do
    start server unixserver -u nobody -p 666 owned/sock id -un
    local helper
    helper=$(cat /proc/"$server"/task/"$server"/children)
    run -0 unixclient owned/sock </dev/null
    [ "$output" = nobody ]
    kill -"$signal" "$server"
    wait "$server" || :
    until_true test ! -e owned/sock
    for pid in $helper; do
      until_true gone "$pid"
    done
  done
}

@test "with -u a program that is not found leaves no file either" {
  need_root
  mkdir -m 755 owned
  run -127 timeout 60 unixserver -u nobody owned/sock ./no-such-program
  [ ! -e owned/sock ]
}

@test "-U uses the ids in UID and GID, and the file is still removed" {
  need_root
  mkdir -m 755 owned
  # bash keeps UID for itself
  env UID=65534 GID=1 unixserver -1 -U -p 666 owned/sock id >ready 2>server.err 3>&- </dev/null &
  server=$!
  started+=("$server")
  until_line ready owned/sock
  run -0 unixclient owned/sock </dev/null
  [[ $output == "uid=65534"*" gid=1"*" groups=1"* ]]
  finish "$server"
  [ ! -e owned/sock ]
}

# ---- limits, and sockets from elsewhere ----

@test "-C N:MESSAGE limits one user's connections and tells the others why" {
  start server unixserver -C '1:busy\r\n' sock sh -c 'echo in; cat'
  background one unixclient sock sh -c 'exec cat <&6'
  until_line one.out in
  run -0 unixclient sock </dev/null
  [ "$output" = $'busy\r' ]
  kill "$one"
  wait "$one" || :
  until_true no_children "$server"
  run -0 unixclient sock </dev/null
  [ "$output" = in ]
}

@test "-C counts each user separately" {
  need_root
  local name
  name=$(abstract_name)
  start server unixserver -C 1:busy "$name" sh -c 'echo "in as $UNIXREMOTEEUID"; cat'
  background one unixclient "$name" sh -c 'exec cat <&6'
  until_line one.out "in as 0"
  run -0 client -u 65534 "$name" shutdown rest
  [ "$output" = "in as 65534" ]
}

@test "--inherit serves a socket passed by systemd and leaves its file" {
  need systemd-socket-activate systemd
  background server systemd-socket-activate --listen="$PWD/sock" --fdname=talk -E PATH \
    unixserver -1 --inherit=talk sh -c 'echo "$UNIXLOCALPATH"; env | grep LISTEN_; cat'
  until_true test -S sock
  run -0 unixclient --retry sock <<<hello
  [ "$output" = "$PWD/sock
hello" ]
  [ "$(cat server.out)" = "$PWD/sock" ]
  finish "$server"
  [ "$status" -eq 0 ]
  [ -S sock ]
}

@test "--inherit with nothing inherited, or under another name, is a wrong configuration" {
  run -100 timeout 60 unixserver --inherit cat
  [[ $output == "unixserver: inherit"* ]]
}
