# daemonize: pidfiles that don't lie, and the control commands that trust the lock and not the number.

load helper/daemon

setup() {
  daemon_setup
}

teardown() {
  daemon_teardown
}

# files_of_none: no pidfile is left, nor one that is half made.
files_of_none() {
  [ -z "$(compgen -G 'prog*')$(compgen -G 'monitor*')" ]
}

# orphaned: the monitor of prog and monitor has been killed.
orphaned() {
  local prog monitor
  daemonized -p prog -P monitor sleep 6019s
  prog=$(cat prog) monitor=$(cat monitor)
  kill -KILL "$monitor"
  until_true ended "$monitor"
  until_true ended "$prog"
}

# stranger: a process that has nothing to do with it, and notes every signal that it gets in the file `stranger`.
stranger() {
  background stranger "$HELPERS/daemon" -k "$here/stranger" INT QUIT ALRM CONT RTMIN NUM35 WINCH
  until_true lines 1 stranger
}

# not_hurt: it lives, and got nothing. (One more, to be sure that what came before is noted.)
not_hurt() {
  kill -USR2 "$stranger"
  until_line stranger USR2
  [ "$(cat stranger)" = "$stranger start
$stranger USR2" ]
  echo "$stranger start" >stranger
}

# ---- what a pidfile says ----

@test "-p has PROG's pid, -P the monitor's; complete, locked by the monitor, and gone at the end" {
  noting -p prog -P monitor
  local prog monitor
  prog=$(cat prog) monitor=$(cat monitor)
  [ "$(cat noted)" = "$prog start" ]
  [ "$(field_of ppid "$prog")" -eq "$monitor" ]
  [ "$(od -An -c prog | tr -d ' ')" = "$(printf '%s\n' "$prog" | od -An -c | tr -d ' ')" ]
  locked prog
  locked monitor
  says 0 prog
  [ "$output" = "running: pid $prog, monitor $monitor, 0 restarts" ]
  says 0 monitor
  kill -TERM "$prog"
  until_true ended "$monitor"
  files_of_none
}

# bats test_tags=long
@test "300 times: complete when the caller returns, never empty or stale for a constant reader" {
  background reader "$HELPERS/pidfile-reader" "$here/prog" "$here/monitor"
  until_line reader.out reading
  local round prog monitor
  for ((round = 0; round < 300; round++)); do
    daemonized -p prog -P monitor sleep 6020s
    prog=$(<"$here/prog") monitor=$(<"$here/monitor")
    until_true asleep "$prog" sleep
    read -r _ _ _ parent _ <"/proc/$prog/stat"
    [ "$parent" -eq "$monitor" ]
    timeout 60 daemonize --stop -p prog
    [ ! -e "/proc/$prog" ]
    [ ! -e prog ]
    [ ! -e monitor ]
  done
  kill -TERM "$reader"
  ends_with 0 "$reader"
  run -0 grep -vE '^(reading|saw [1-9][0-9]*)$' -c reader.out || [ "$output" = 0 ]
  until_line reader.out '^saw [1-9]'
}

@test "a second start while the first lives: 1, and nothing is changed" {
  daemonized -p prog -P monitor -o out sh -c 'echo first; exec sleep 6021s'
  until_line out first
  local before monitor
  monitor=$(cat monitor)
  before=$(stat -c '%n %i %Y %s' prog monitor out)
  refused 1 -p prog -o out touch ran
  [ "$output" = "daemonize: start under $here/prog: already running as pid $monitor" ]
  refused 1 -q -p prog -o out touch ran
  [ -z "$output" ]
  refused 1 -P monitor -o out touch ran
  refused 1 -p monitor -o out touch ran
  refused 1 -p another -P monitor -o out --log-keep 3 touch ran
  refused 1 --foreground -p prog touch ran
  [ "$(stat -c '%n %i %Y %s' prog monitor out)" = "$before" ]
  [ "$(compgen -G '*' | LC_ALL=C sort | paste -sd ' ')" = "bin daemonized.out monitor out prog" ]
  alive "$monitor"
}

@test "20 starters at once: one wins, 19 get 1, and one PROG has been started" {
  local n winners=0 losers=0 statuses
  mkfifo go
  for n in {1..20}; do
    background "starter$n" sh -c "read -r line <go; exec daemonize -p prog -P monitor '$HELPERS/daemon' '$here/runs'"
    statuses+=("$!")
  done
  exec 5<>go
  printf 'go\n%.0s' {1..20} >&5
  for n in "${statuses[@]}"; do
    status=0
    wait "$n" || status=$?
    case $status in
      0) ((++winners)) ;;
      1) ((++losers)) ;;
      *) cat starter*.err ;;
    esac
  done
  exec 5>&-
  [ "$winners" -eq 1 ]
  [ "$losers" -eq 19 ]
  [ "$(cat runs)" = "$(cat prog) start" ]
}

@test "a killed monitor takes PROG along; what it leaves is dead, and the next start takes it over" {
  orphaned
  [ -e prog ]
  says 1 prog
  [ "$output" = "not running, but the pidfile exists" ]
  noting -p prog -P monitor
  [ "$(cat noted)" = "$(cat prog) start" ]
  says 0 prog
  timeout 60 daemonize --stop -P monitor
  files_of_none
}

@test "a stranger with the pid of a dead daemon is never signalled" {
  local file
  stranger
  orphaned
  for file in prog monitor; do
    echo "$stranger" >prog
    echo "$stranger" >monitor
    says 1 "$file"
    refused 0 --stop -p "$file"
    [ -z "$output" ]
    refused 1 --reload -p "$file"
    [ "$output" = "daemonize: reload $here/$file: not running" ]
    refused 1 --restart -P "$file"
    [ "$output" = "daemonize: restart $here/$file: not running" ]
    not_hurt
  done
  daemonized -p prog -P monitor sleep 6022s
  not_hurt
}

@test "what is in the file counts for nothing while its daemon lives, either" {
  stranger
  noting -p prog -P monitor
  local prog
  prog=$(cat prog)
  # in place: the lock stays
  echo "$stranger" | tee prog monitor >/dev/null
  says 0 prog
  refused 0 --reload -p prog
  until_line noted "^$prog HUP$"
  refused 0 --stop -P monitor
  ended "$prog"
  not_hurt
}

@test "a pidfile that another program has made, or locked with flock, is not a daemon's" {
  stranger
  echo "$stranger" >prog
  background holder flock prog sleep 6023s
  until_true flocked prog
  says 1 prog
  refused 0 --stop -p prog
  daemonized -p prog sleep 6024s
  not_hurt
}

flocked() {
  if flock -n "$1" true; then false; fi
}

# lock_held KIND: somebody keeps `prog` locked, in its own way: read, which needs no right to write; ofd, a lock of the
# open file description, whose holder nobody can name.
lock_held() {
  background holder file-lock "$1" prog hold
  until_line holder.out held
}

@test "a stranger's read lock on a dead pidfile makes it no daemon's, and it is not signalled" {
  orphaned
  lock_held read
  says 1 prog
  refused 1 --reload -p prog
  refused 0 --stop -p prog
  alive "$holder"
  daemonized -p prog -P monitor sleep 6035s
}

@test "a lock whose holder can't be named: 4, no start, and a reason for it" {
  echo 1 >prog
  lock_held ofd
  says 4 prog
  [[ $output == "daemonize: look at "*prog": "* ]]
  refused 111 --stop -p prog
  [[ $output == "daemonize: look at "*prog": "* ]]
  run timeout --foreground 60 daemonize -p prog touch ran
  [ "$status" -ne 0 ]
  [ ! -e ran ]
  [ "$(cat prog)" = 1 ]
}

@test "a daemon of another pid namespace is alive: no second one, and no wrong status" {
  need_root
  unshare --pid --fork true || skip "needs a pid namespace of its own"
  daemonized -p prog -P monitor sleep 6036s
  local before
  before=$(stat -c '%i %Y' prog)
  run unshare --pid --fork --mount-proc timeout --foreground 60 daemonize -p prog touch ran
  [ "$status" -ne 0 ]
  [ ! -e ran ]
  [ "$(stat -c '%i %Y' prog)" = "$before" ]
  run unshare --pid --fork --mount-proc timeout --foreground 60 daemonize --status -p prog
  [ "$status" -eq 0 ] || [ "$status" -eq 4 ]
}

@test "a file that is not a pidfile is neither replaced nor removed: FIFO, device, socket, a file with other contents" {
  local file
  mkfifo fifo
  echo precious >regular
  background listener tell -l socket
  until_true [ -S socket ]
  local files=(fifo regular socket)
  if [ "$(id -u)" -eq 0 ] && mknod null c 1 3; then
    files+=(null)
  fi
  for file in "${files[@]}"; do
    local before
    before=$(stat -c '%i %F' "$file")
    refused 111 -p "$file" touch ran
    refused 111 -P "$file" touch ran
    [ "$(stat -c '%i %F' "$file")" = "$before" ]
  done
  [ "$(cat regular)" = precious ]
  [ ! -e ran ]
}

@test "-p and -P can't be one file" {
  wrong_call daemonize -p prog -P prog touch ran
}

@test "another's file in place of the pidfile is not removed at the end" {
  noting -p prog -P monitor
  local monitor
  monitor=$(cat monitor)
  echo other >new
  mv new prog
  refused 0 --stop -P monitor
  ended "$monitor"
  [ "$(cat prog)" = other ]
  [ ! -e monitor ]
}

@test "two pidfiles in two directories" {
  mkdir one two
  daemonized -p one/prog -P two/monitor sleep 6025s
  refused 1 -p one/prog -P two/other touch ran
  refused 1 -p one/other -P two/monitor touch ran
  [ "$(find one two -type f | sort | paste -sd ' ')" = "one/prog two/monitor" ]
  refused 0 --stop -p one/prog
  [ -z "$(find one two -type f)" ]
}

@test "two starters with the same two directories, crossed, do not wait for each other" {
  need strace strace
  mkdir one two
  # each is slow after its first lock, so that both have one
  local slow=(strace -D -f -qq -o /dev/null -e trace=flock -e inject=flock:delay_exit=500000:when=1)
  background a timeout 60 "${slow[@]}" daemonize -p one/prog -P two/monitor sleep 6026s
  background b timeout 60 "${slow[@]}" daemonize -p two/prog -P one/monitor sleep 6037s
  ends_with 0 "$a"
  ends_with 0 "$b"
  says 0 one/prog
  says 0 two/prog
}

@test "a pidfile that can't be made: 111, and PROG is ended or was never there" {
  refused 111 -p nowhere/prog "$HELPERS/daemon" "$here/noted"
  [ ! -e noted ]
  mkdir prog
  refused 111 -p prog -P monitor "$HELPERS/daemon" "$here/noted"
  [ -d prog ]
  [ ! -e monitor ]
  [ ! -e noted ] || ended "$(awk '{print $1; exit}' noted)"
}

@test "-u: PROG has USER's ids, while the monitor can still remove the pidfile" {
  need_root
  mkdir -m 755 run
  daemonized -u nobody -p run/prog -P run/monitor sleep 6027s
  [ "$(stat -c %u "/proc/$(cat run/prog)")" -eq "$(id -u nobody)" ]
  [ "$(stat -c %u "/proc/$(cat run/monitor)")" -eq 0 ]
  local monitor
  monitor=$(cat run/monitor)
  kill -TERM "$monitor"
  until_true ended "$monitor"
  [ -z "$(ls run)" ]
}

@test "-l: a lock that flock(1) sees, from before PROG to its end" {
  refused 3 -l lock --settle 1h sh -c "flock -n '$here/lock' true; echo \$? >'$here/inside'; exit 3"
  [ "$(cat inside)" = 1 ]
  flock -n lock true
  daemonized -l lock -P monitor sleep 6028s
  run -1 flock -n lock true
  refused 1 -l lock touch ran
  [ "$output" = "daemonize: lock $here/lock: it is taken" ]
  [ ! -e ran ]
  refused 0 --stop -P monitor
  flock -n lock true
  background holder flock lock sleep 6029s
  until_true flocked lock
  refused 1 -l lock -p prog touch ran
  files_of_none
}

# ---- --status ----

@test "--status: 0 running, 1 dead with its pidfile, 3 not running, 4 unknown" {
  says 3 prog
  [ "$output" = "not running" ]
  daemonized -p prog -P monitor sleep 6030s
  says 0 prog
  run -0 daemonize --status -P monitor
  [ "$output" = "running: pid $(cat prog), monitor $(cat monitor), 0 restarts" ]
  refused 0 --stop -p prog
  says 3 prog
  orphaned
  says 1 prog
  ln -s loop loop
  says 4 loop
  [[ $output == "daemonize: look at "*"loop: a symbolic link that is not followed here" ]]
}

@test "--status of a pidfile that this user cannot read is 4, and --stop fails" {
  need_root
  need setpriv util-linux
  local as=(setpriv --reuid nobody --clear-groups)
  for_others "$IPCBOX" daemonize
  cd "$open_directory"
  "${as[@]}" ./daemonize --version || skip "nobody can't run a copy here"
  daemonized -p prog sleep 6031s
  chmod 0 prog
  run -4 "${as[@]}" ./daemonize --status -p prog
  [ "$output" = "daemonize: look at $PWD/prog: Permission denied" ]
  run -111 "${as[@]}" ./daemonize --stop -p prog
  chmod 644 prog
  run -0 "${as[@]}" ./daemonize --status -p prog
  # seen, but not ours to end
  run -111 "${as[@]}" ./daemonize --stop -p prog
  [[ $output == *": Operation not permitted" ]]
  alive "$(cat prog)"
}

# ---- --stop, --restart, --reload ----

@test "--stop waits until PROG, its children and the monitor have ended and the files are gone" {
  daemonized -p prog -P monitor bash -c "
    trap 'read -rt 0.3 <> <(:); echo ended >$here/ended; exit' TERM
    sleep 6032s & echo \$! >$here/child; echo >$here/up; while :; do wait; done"
  until_true [ -e up ]
  local prog monitor
  prog=$(cat prog) monitor=$(cat monitor)
  refused 0 --stop -p prog
  [ -z "$output" ]
  [ "$(cat ended)" = ended ]
  ended "$prog"
  ended "$monitor"
  ended "$(cat child)"
  files_of_none
}

# bats test_tags=long
@test "--stop -t: what does not end is killed, and that is 124; the next start finds the place free" {
  how=-k noting -p prog -P monitor
  local prog monitor
  prog=$(cat prog) monitor=$(cat monitor)
  refused 124 --stop -p prog -t 3
  [ "$output" = "daemonize: stop $here/prog: it did not stop in time and was killed" ]
  ended "$monitor"
  until_true ended "$prog"
  until_line noted "$prog TERM"
  daemonized -p prog -P monitor sleep 6033s
}

@test "--stop of what does not run is 0, and removes nothing" {
  refused 0 --stop -p prog
  refused 0 --stop -P nowhere/at/all
  [ -z "$output" ]
  echo 'not a number' >prog
  refused 0 --stop -p prog
  [ "$(cat prog)" = 'not a number' ]
}

@test "--stop also terminates a stopped PROG" {
  daemonized -p prog sleep 6034s
  local prog
  prog=$(cat prog)
  kill -STOP "$prog"
  refused 0 --stop -p prog -t 5
  ended "$prog"
}

@test "--restart: PROG is ended and started again, with its new pid in the file; twice in a row" {
  noting -p prog -P monitor
  local first second third monitor
  first=$(cat prog) monitor=$(cat monitor)
  refused 0 --restart -p prog
  until_true other prog "$first"
  second=$(cat prog)
  ended "$first"
  until_line noted "^$second start$"
  says 0 prog
  refused 0 --restart -P monitor
  until_true other prog "$second"
  third=$(cat prog)
  until_line noted "^$third start$"
  [ "$(cat noted)" = "$first start
$first TERM
$second start
$second TERM
$third start" ]
  [ "$(cat monitor)" = "$monitor" ]
  locked prog
  refused 0 --stop -p prog
  ended "$third"
  files_of_none
}

@test "--restart: PROG that does not end in -k's time is killed" {
  how=-k noting -k 100ms -p prog
  local first
  first=$(cat prog)
  refused 0 --restart -p prog
  until_true other prog "$first"
  ended "$first"
  until_line noted "^$(cat prog) start$"
}

@test "--reload: PROG gets HUP, each time, and its pid stays" {
  noting -p prog
  local prog
  prog=$(cat prog)
  refused 0 --reload -p prog
  until_true lines 2 noted
  refused 0 --reload -p prog
  until_true lines 3 noted
  [ "$(cat noted)" = "$prog start
$prog HUP
$prog HUP" ]
  [ "$(cat prog)" = "$prog" ]
}

@test "signals to the monitor go on to PROG" {
  noting -p prog -P monitor
  local signal
  for signal in PIPE USR1 USR2 HUP; do # PIPE does not: it is one of the monitor's own writes
    kill -"$signal" "$(cat monitor)"
    [ "$signal" = PIPE ] || until_line noted " $signal$"
  done
  [ "$(wc -l <noted)" -eq 4 ]
}

@test "--status-fd tells about PROG's end" {
  daemonized --status-fd 7 -P monitor sh -c 'exit 3' 7>ends
  until_line ends ' exit=3 '
  [ "$(wc -l <ends)" -eq 1 ]
}

@test "a restart writes the pidfile in place, so that its lock is never gone" {
  noting --supervise -p prog
  local pid file
  pid=$(cat prog) file=$(stat -c %i prog)
  refused 0 --restart -p prog
  until_true other prog "$pid"
  [ "$(stat -c %i prog)" = "$file" ]
  locked prog
}
