# Every applet, started where a program should not have to start: descriptors that are closed or odd, signals ignored or
# blocked, no /proc, no /dev, file systems that are read-only or full, no argv, an environment that leaves no room, small
# limits. Allowed are the same result, or a message and an honest status; never silence, a crash, a wait without end, or
# something left behind. helper/hostile.c makes the state, helper/hostile.bash judges; the uses are below.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# An applet's uses. -t: it is a server, and gets SIGTERM when it is ready (fd 9). stdin is a file with "hello".
uses() {
  cat <<U
alive $$
alive -w -t 0 $$
-t cmdserver
daemonize true
daemonize -p pid true
daemonize --foreground -p pid -l lock echo hello
daemonize --foreground --log log echo hello
deadline 60 cat in
deadline --status-fd 1 60 cat in
killpg 2147480000
lockrun F cat in
lockrun -s -t 5 F cat in
lockrun --slots 2 F cat in
lockrun --fcntl F cat in
lockrun --who F
-t mkfifo-sig --ready-fd 9 fifo echo hello
msgdemo
msgrecv -t 0 -y 5 $queue
open2 cat
open2 cat in ::: sh -c 'cat <&6'
open3 --tag cat
pipecat in 'cat in |'
pipedemo
reap cat in
safepipe cat in ::: cat
safepipe -i in -o out cat ::: cat
semset stat $set
semtake --try -n 1 $set cat in
semgive -n 0 $set
shmdemo
sigexec -i USR1 cat in
signame 15
sigtrap USR1=ignore cat in
sockenv
tcpclient 127.0.0.1 $http_at
tcpclient 127.0.0.1 $http_at sh -c 'echo >&7; cat <&6'
-t tcpserver --ready-fd 9 127.0.0.1 0 cat
tcpserver --exit-idle 20ms 127.0.0.1 0 cat
tcpserver -x $here/rules --explain 192.0.2.1
tcptime -t 5 -p $time_at 127.0.0.1
tcptime -t 5 -p $time_at localhost
-t timeserver --ready-fd 9 127.0.0.1 0
udpclient -t 5 -n 1 127.0.0.1 $time_at x
-t udpserver --ready-fd 9 127.0.0.1 0 cat
udptime -t 5 -p $time_at 127.0.0.1
udptime -t 5 -p $time_at localhost
unixclient $here/sock
-t unixserver --ready-fd 9 sock cat
waitfor -t 5 tcp 127.0.0.1 $http_at
waitfor -t 0 file in
webget -b http://127.0.0.1:$http_at/
webget -o out http://127.0.0.1:$http_at/
webget -b http://localhost:$http_at/
withserver sh -c 'echo 5; exec sleep 600s' ::: cat in
U
}

# A sanitizer needs /proc and memory itself.
need_plain() {
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "a sanitizer does not start there"
}

# in_states STATE...: all uses, in each.
in_states() {
  echo '192.0.2.:deny' >rules
  new_key queue
  new_key set
  msgsend --create -y 7 "$queue" hello
  semset create "$set" 2 >/dev/null
  # shellcheck disable=SC2016 # for that shell
  script bin/answer 'while read -r line && ((${#line} > 1)); do :; done; printf "HTTP/1.0 200 OK\r\n\r\nhello\n"'
  start http tcpserver 127.0.0.1 0 answer
  start time timeserver 127.0.0.1 0
  start unix unixserver "$here/sock" cat
  [ -s uses ] || uses >uses
  hostile "$1" out err signame 1 >/dev/null || [ $? != 77 ] || skip "this machine can't make the state: $1"
  bash "$BATS_TEST_DIRNAME/helper/hostile.bash" uses "$@" >report || {
    cat report
    false
  }
  finish "$http"
  finish "$time"
  finish "$unix"
}

@test "descriptors that are closed" {
  in_states closed-0 closed-1 closed-2 closed-all
}

@test "descriptors that can't be read or written, and many" {
  in_states writable-0 directory-0 readable-1 full-1 full-2 full-all broken-1 many-fds
}

@test "signals that are ignored" {
  in_states ignored-all ignored-chld ignored-term
}

@test "signals that are blocked" {
  in_states blocked-all blocked-chld blocked-term
}

@test "no /proc, and no /dev" {
  need_plain
  in_states no-proc no-dev
}

@test "a file system that is read-only, or full" {
  in_states ro-fs full-fs
}

@test "no argv, no environment, and one that leaves no room" {
  in_states no-argv no-env arg-max
}

@test "hardly any descriptors" {
  in_states nofile nofile-few
}

@test "hardly any memory for the stack, or at all" {
  need_plain
  in_states stack as
}

@test "no bytes may be written to files, no signals queued" {
  in_states fsize sigpending
}

@test "no process may be started" {
  in_states nproc
}

@test "status: no descriptors, no /proc, no memory, no processes" {
  need_plain
  echo 'ipcbox status --json' >uses # it may take seconds, on a machine with much to look at
  in_states closed-1 no-proc nofile-few as nproc
}
