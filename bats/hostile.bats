# Beside a hostile local user: names that he has taken, files that he has put there, locks that he can hold. What needs
# another user's files makes them as root; the table at the end is over all applets that make a file.

load helper/daemon

other=65534

setup() {
  daemon_setup
  umask 022
}

teardown() {
  daemon_teardown
}

# shared MODE: a directory `shared` of root's that everybody can write to.
shared() {
  mkdir shared
  chmod "$1" shared
}

# theirs FILE: it belongs to another user.
theirs() {
  chown -h "$other:$other" "$1"
}

@test "unixserver -o USER: what USER moves to PATH meanwhile is not given to him" {
  need_root
  need strace strace
  mkdir dir
  theirs dir
  echo secret >dir/secret
  chmod 600 dir/secret
  # as bind(2) has made the file, and before anything is done to it, there is time to move another there
  background server strace -qq -o /dev/null -e trace=bind -e inject=bind:delay_exit=700000 \
    unixserver -1 -o "$other" dir/sock true
  until_true socket_below dir
  mv -f dir/secret dir/sock
  until_true ready_or_gone
  [ "$(find dir -type f -printf '%u')" = root ]
  rm -f dir/sock
}

ready_or_gone() {
  [ -s server.out ] || gone "$server"
}

# socket_below DIR: a socket is in it, or in a directory there.
socket_below() {
  [ -n "$(find "$1" -type s)" ]
}

@test "unixserver -o USER -p MODE: the socket is USER's from the first moment, and nothing else is left" {
  need_root
  mkdir dir
  theirs dir
  mkdir -m 700 dir/.sock.new # of one that was killed
  make socket dir/.sock.new/sock
  start server unixserver -o "$other:$other" -p 0640 dir/sock cat
  [ "$(stat -c '%F %u %g %a' dir/sock)" = "socket $other $other 640" ]
  [ "$(ls -A dir)" = sock ]
  [ "$(echo hello | unixclient dir/sock)" = hello ]
  finish "$server"
  [ -z "$(ls -A dir)" ]
  mkdir dir/.sock.new
  theirs dir/.sock.new
  run -111 --separate-stderr unixserver -o "$other" dir/sock cat
  [ "$stderr" = "unixserver: bind dir/sock: File exists" ]
}

@test "a lock that another user holds on the directory keeps nobody waiting" {
  mkdir dir
  background holder flock --no-fork dir sh -c 'echo held; exec sleep 6301s'
  until_line holder.out held
  start server unixserver dir/sock cat
  finish "$server"
  start fifo mkfifo-sig dir/fifo echo
  finish "$fifo"
  daemonized -p dir/pid -P dir/monitor sleep 6302s
  run -0 daemonize --stop -P dir/monitor
  [ -z "$(ls -A dir)" ]
}

@test "a directory that we may write to and not read is no obstacle" {
  mkdir dir
  chmod 1333 dir
  start server unixserver dir/sock cat
  finish "$server"
  daemonized -p "$here/dir/pid" --log "$here/dir/log" --log-size 1k sleep 6303s
  run -0 daemonize --stop -p "$here/dir/pid"
  chmod 755 dir
  [ "$(ls -A dir)" = log ]
}

@test "what one of us left when it was killed makes way: locks, new pidfiles, new logs" {
  mkdir dir
  for name in pid sock fifo log; do
    (umask 077 && : >"dir/.$name.lock" && : >"dir/.$name.served")
    echo 4711 >"dir/.$name.new"
  done
  daemonized -p dir/pid --log dir/log --log-size 1k sh -c 'seq 1000; exec sleep 6304s'
  until_true [ -e dir/log.3 ]
  [ ! -e dir/.pid.lock ]
  [ ! -e dir/.pid.new ]
  [ ! -e dir/.log.new ]
  run -0 daemonize --stop -p dir/pid
  start fifo mkfifo-sig dir/fifo echo
  finish "$fifo"
  [ ! -e dir/.fifo.served ]
  rm dir/.sock.new
  start server unixserver -o "$(id -u)" dir/sock cat
  [ ! -e dir/.sock.lock ]
  finish "$server"
}

@test "one that is called as our lock is, and is none, is left alone" {
  mkdir dir
  echo precious >dir/.sock.lock
  run -111 --separate-stderr unixserver dir/sock cat
  [ "$stderr" = "unixserver: take the lock beside dir/sock: File exists" ]
  rm dir/.sock.lock
  ln -s "$here/elsewhere" dir/.sock.lock
  run -111 --separate-stderr unixserver dir/sock cat
  [ "$stderr" = "unixserver: take the lock beside dir/sock: a symbolic link that is not followed here" ]
  [ ! -e elsewhere ]
}

@test "-p, -P, -l and --log that lead to one file are a usage error, whatever the paths look like" {
  mkdir a
  ln -s a b
  : >one
  ln one two
  local words
  for words in '-p a/x -P b/x' '-p a/x -l b/x' '-P a/x -l ./a/../b/x' '-p one -P two' '-p one -l two' '-p one --log ./one'; do
    # shellcheck disable=SC2086 # words
    refused 100 $words touch ran
    [[ $output == *"-p, -P, -l and logs need different files: "* ]]
  done
  [ ! -e ran ]
  [ "$(ls -A a)" = "" ]
}

@test "--log-size needs a regular file: a device stays where it is, and a FIFO keeps its reader" {
  mkfifo fifo
  ln -s /dev/null null
  for log in /dev/null fifo null; do
    refused 100 --log "$log" --log-size 4k touch ran
    [[ $output == *"--log-size needs a regular file"* ]]
  done
  [ ! -e ran ]
  [ -c /dev/null ]
}

@test "--log: a symbolic link that PROG's user makes is not followed at HUP, and the old log stays" {
  need_root
  mkdir dir
  theirs dir
  mkfifo lines
  exec 6<>lines
  daemonized -P monitor --log dir/log --hup reopen cat "$here/lines" 6>&-
  echo one >&6
  until_line dir/log one
  mv dir/log dir/moved
  ln -s "$here/target" dir/log
  kill -HUP "$(cat monitor)"
  until_true grep -q 'symbolic link' dir/moved
  [ ! -e target ]
  echo two >&6
  until_line dir/moved two
  run -0 daemonize --stop -P monitor
  [ ! -e target ]
}

@test "--log: owner and mode survive rotation, by size and by HUP" {
  need_root
  : >log
  chmod 600 log
  theirs log
  daemonized -P monitor --log log --log-size 1k --hup reopen sh -c 'seq 1000; exec sleep 6305s'
  until_true [ -e log.3 ]
  [ "$(stat -c '%u %g %a' log)" = "$other $other 600" ]
  mv log moved
  kill -HUP "$(cat monitor)"
  until_true [ -e log ]
  until_true eval '[ "$(stat -c "%u %g %a" log)" = "$other $other 600" ]'
  run -0 daemonize --stop -P monitor
}

@test "the pidfile is emptied before PROG's pid can be another's" {
  need strace strace
  run -0 strace -qq -o calls -e trace=ftruncate,wait4 daemonize --foreground -p pid \
    sh -c 'until [ -s pid ]; do :; done'
  # wait4 says a pid only when it has reaped; ftruncate of the pidfile comes first
  run -0 awk '/^ftruncate\([0-9]+, 0\)/ { emptied = NR } /^wait4\(.* = [1-9]/ { good = emptied; exit } END { exit !good }' calls
}

@test "an empty pidfile that is locked: --status, --restart and --stop work, --reload says that nobody was told" {
  daemonized -p pid -P monitor --supervise --backoff 1h:1h sh -c 'exit 3'
  until_true [ ! -s pid ]
  says 0 pid
  [[ $output == "restarting: monitor $(cat monitor), 0 restarts, last exit status 3"* ]]
  until_true grep -q 'next start' <(daemonize --status -p pid)
  local words
  for words in '-p pid' '-P monitor'; do
    # shellcheck disable=SC2086 # words
    refused 1 --reload $words
    [ "$output" = "daemonize: reload $here/${words#* }: PROG does not run now: nobody was told" ]
  done
  refused 0 --restart -p pid
  until_true restarted
  refused 0 --stop -p pid
  says 3 pid
}

restarted() {
  daemonize --status -p pid | grep -q ' 1 restart,'
}

@test "--restart and --reload send nothing to a program that locks a pidfile of its own" {
  background holder "$HELPERS/file-lock" fcntl pid hold
  until_line holder.out held
  local command
  for command in --restart --reload; do
    refused 111 "$command" -p pid
    [[ $output == *": not a pidfile of daemonize" ]]
  done
  kill -0 "$holder"
}

@test "unixserver -u: the file goes although its lock is held for a while; a keeper that is killed is reported" {
  need_root
  mkdir dir
  start server unixserver -u "$other:$other" dir/sock cat
  (umask 077 && : >dir/.sock.lock)
  background holder flock --no-fork dir/.sock.lock sh -c 'echo held; exec sleep 6306s'
  until_line holder.out held
  kill -TERM "$server"
  until_true waits "$(children "$server")"
  kill "$holder"
  ends_with 0 "$server"
  [ ! -e dir/sock ]
  start server unixserver -u "$other:$other" dir/sock cat
  kill -KILL "$(children "$server")"
  kill -TERM "$server"
  ends_with 111 "$server"
  [ "$(cat server.err)" = "unixserver: remove dir/sock: its keeper was killed" ]
}

# children PID
children() {
  local pids
  pids=$(cat "/proc/$1/task/$1/children")
  echo "${pids% }"
}

# waits PID: for a lock of flock(2).
waits() {
  grep -qE "^[0-9]+: -> FLOCK .* $1 " /proc/locks
}

@test "a FIFO where we may make no file is served, and by one of us only" {
  need_root
  mkdir dir
  mkfifo -m 666 dir/fifo
  background server setpriv --reuid "$other" --regid "$other" --clear-groups mkfifo-sig -1 dir/fifo echo answer
  until_line server.out dir/fifo
  [ "$(cat dir/fifo)" = answer ]
  run -111 --separate-stderr setpriv --reuid "$other" --regid "$other" --clear-groups mkfifo-sig dir/fifo echo other
  [ "$stderr" = "mkfifo-sig: serve dir/fifo: another mkfifo-sig serves it" ]
  finish "$server"
  [ -p dir/fifo ]
}

@test "what leads elsewhere is not followed: a lock file, an output, a directory in place of ours" {
  need_root
  mkdir dir victim
  theirs dir
  local option
  for option in -l -o -e --log -p -P; do
    ln -sfn "$here/victim/new" dir/name
    theirs dir/name
    refused 111 "$option" dir/name touch ran
    ln -sfn "$here/dir/name" link # ours, to theirs
    refused 111 "$option" link touch ran
  done
  [ ! -e victim/new ]
  [ ! -e ran ]
  mkdir -m 700 dir/.sock.new # that USER has moved there
  echo precious >dir/.sock.new/sock
  run -111 --separate-stderr unixserver -o "$other" dir/sock cat
  [ "$(cat dir/.sock.new/sock)" = precious ]
}

@test "a killed server's socket makes way, though it is USER's" {
  need_root
  mkdir dir
  theirs dir
  start server unixserver -o "$other" dir/sock cat
  kill -KILL "$server"
  ends_with 137 "$server"
  start server unixserver -o "$other" dir/sock cat
  [ "$(echo hello | unixclient dir/sock)" = hello ]
  finish "$server"
  [ -z "$(ls -A dir)" ]
}

@test "a restart takes over nobody's pidfile, and replaces nothing that is none" {
  daemonized -p pid -P one --supervise --backoff 1ms:1ms sleep 6308s
  rm pid
  daemonized -p pid -P two sleep 6309s
  local second
  second=$(cat pid)
  refused 0 --restart -P one
  until_true eval '[ "$(daemonize --status -P one | grep -c " 1 restart")" = 1 ]'
  [ "$(cat pid)" = "$second" ]
  refused 0 --stop -P two
  until_true [ ! -e pid ]
  echo precious >pid
  refused 0 --restart -P one
  until_true eval '[ "$(daemonize --status -P one | grep -c " 2 restarts")" = 1 ]'
  [ "$(cat pid)" = precious ]
  refused 0 --stop -P one
  [ "$(cat pid)" = precious ]
}

@test "--log and -o: /dev/stdout and its like are our own descriptors" {
  run -0 daemonize --foreground --log /dev/stdout echo logged
  [ "$output" = logged ]
  run -0 daemonize --foreground -o /dev/stdout echo written
  [ "$output" = written ]
  run -0 daemonize --foreground --log /proc/self/fd/1 echo logged
  [ "$output" = logged ]
}

@test "locks work where only what is open for writing can be locked, as on NFS" {
  need strace strace
  start server unixserver dir-sock cat
  run -111 strace -f -qq -o calls -e trace=flock unixserver dir-sock cat
  finish "$server"
  run -0 strace -f -qq -o calls -e trace=openat,flock daemonize --foreground -p pid -l lock true
  # every lock is on an fd that was opened for reading and writing
  run -0 awk '/^[0-9]+ +openat.*O_CREAT/ { writable[$NF] = /O_RDWR/ } /flock\(/ { split($0, a, /[(,]/); seen++; bad += !writable[a[2]] }
    END { exit !seen || bad }' calls
}

@test "a socket can be bound from a directory that the server may not enter" {
  need_root
  mkdir -m 1777 shared
  mkdir -m 700 private
  chmod a+x "$BATS_RUN_TMPDIR" # the path has to lead there for another user, too
  # shellcheck disable=SC2016 # for that shell
  background server sh -c 'cd private && exec setpriv --reuid "$1" --regid "$1" --clear-groups unixserver -1 "$2" echo up' \
    sh "$other" "$here/shared/sock"
  until_true [ -s server.out ] || { cat server.err; false; }
  run -0 unixclient shared/sock </dev/null
  [ "$output" = up ]
}

# What each applet makes, and how: NAME of the file, what kind of file stands for it, and the call.
table() {
  cat <<'T'
pid file daemonize -p shared/pid touch ran
pid file daemonize -P shared/pid touch ran
lock file daemonize -l shared/lock touch ran
log file daemonize --log shared/log touch ran
out file daemonize -o shared/out touch ran
out file daemonize -e shared/out touch ran
fifo fifo mkfifo-sig shared/fifo touch ran
fifo fifo mkfifo-sig -m 0600 shared/fifo touch ran
sock socket unixserver shared/sock touch ran
sock socket unixserver -o 0 shared/sock touch ran
T
}

# make KIND FILE
make() {
  case $1 in
  file) : >"$2" ;;
  fifo) mkfifo -m 600 "$2" ;;
  socket)
    background dead "$HELPERS/unix-socket" stream "$2"
    until_line dead.out up
    kill -KILL "$dead"
    ends_with 137 "$dead"
    ;;
  esac
}

@test "another user's file in a directory that others write to is refused, and stays as it is" {
  need_root
  local name kind call before
  while read -r name kind call; do
    rm -rf shared
    shared 1777
    make "$kind" "shared/$name"
    theirs "shared/$name"
    before=$(stat -c '%i %u %g %a %s' "shared/$name")
    # shellcheck disable=SC2086 # words
    run -111 --separate-stderr timeout --foreground 60 $call
    [[ $stderr == *"belongs to another user, in a directory that others can write to" ]] || {
      echo "$call: $stderr"
      false
    }
    [ "$before" = "$(stat -c '%i %u %g %a %s' "shared/$name")" ]
    [ "$(ls -A shared)" = "$name" ]
  done < <(table)
  [ ! -e ran ]
}

@test "a name that another user has taken for our lock is refused at once" {
  need_root
  local name kind call
  while read -r name kind call; do
    [[ $call != *" -l "* && $call != *" --log "* && $call != *" -o shared/out"* && $call != *" -e "* ]] || continue
    rm -rf shared
    shared 1777
    (umask 077 && : >"shared/.$name.lock" && : >"shared/.$name.served")
    theirs "shared/.$name.lock"
    theirs "shared/.$name.served"
    # shellcheck disable=SC2086 # words
    run -111 --separate-stderr timeout --foreground 60 $call
    [[ $stderr == *"belongs to another user, in a directory that others can write to" ]] || {
      echo "$call: $stderr"
      false
    }
  done < <(table)
  [ ! -e ran ]
}

@test "lockrun: PROG itself can be the lock, and so can a script that locks itself" {
  cp "$(type -P true)" prog
  run -0 lockrun -n ./prog ./prog
  cat >script <<'S'
#!/bin/sh
[ -n "$LOCKED" ] || LOCKED=1 exec lockrun -n "$0" "$0"
echo ran
S
  chmod 755 script
  run -0 ./script
  [ "$output" = ran ]
  background holder lockrun ./prog sleep 6307s
  until_true taken ./prog
  run -1 lockrun -n ./prog ./prog
}

# taken FILE
taken() {
  if lockrun -n "$1" true 2>/dev/null; then false; fi
}
