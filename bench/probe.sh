#!/bin/sh
# probe.sh - one question to one tool, for probes.sh.
#
#     sh bench/probe.sh DIR FUNCTION TOOL     DIR has bin/, with ipcbox's links, and helper, which is probe.pl
#
# The answer goes to DIR/FUNCTION.TOOL/answer. What a probe leaves behind is ended by probes.sh, which also puts an end
# to a probe that takes too long.
# shellcheck disable=SC2016,SC2086 # a program's own variables; options and commands are words
set -u

[ $# -eq 3 ] || {
  echo 'usage: sh bench/probe.sh DIR FUNCTION TOOL' >&2
  exit 100
}
self=$0 dir=$1 tool=$3 here=$1/$2.$3 bin=$1/bin
opts='' before='' operand='' subreaper=-s lock='' namespace=${PROBES_NAMESPACE:-}
case $tool in deadline | timeout*) operand=5 ;; lockrun | flock*) operand=f ;; esac
mkdir -p "$here" && cd "$here" || exit

# ---- what probes are made of ----

# The tool of this column with $opts, and the words given; never returns. $before: the words that start it.
perform() {
  case $tool in
  tini) set -- /usr/bin/tini $subreaper $opts -- "$@" ;;
  dumb-init | catatonit) set -- "/usr/bin/$tool" $opts -- "$@" ;;
  reap | deadline | lockrun) set -- "$bin/$tool" $opts "$@" ;;
  timeout | flock) set -- "/usr/bin/$tool" $opts "$@" ;;
  timeout_*) set -- /usr/bin/timeout "${tool#*_}" $opts "$@" ;;
  flock_*) set -- /usr/bin/flock "${tool#*_}" $opts "$@" ;;
  ipcbox_daemonize) set -- "$bin/daemonize" -p "$here/d.pid" ${lock:+-l "$here/d.lock"} $opts "$@" ;;
  daemonize\(1\)) set -- /usr/bin/daemonize -p "$here/d.pid" ${lock:+-l "$here/d.lock"} $opts "$@" ;;
  start-stop-daemon)
    prog=$1
    shift
    set -- /sbin/start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$here/d.pid" $opts \
      --startas "$prog" -- "$@"
    ;;
  esac
  exec $before "$@"
}

call() { (perform "$@"); }

# options TOOL[=WORDS]...: what this probe needs of each. A tool that is not named has nothing of the kind.
options() {
  for known; do
    opts=${known#"${tool%%_*}"}
    case $opts in '' | =*) opts=${opts#=} && return ;; esac
  done
  answer n.a.
}

answer() {
  echo "$1" >answer
  exit 0
}

yes_if() {
  "$@" && answer yes
  answer no
}

until_true() {
  until "$@"; do
    sleep 0.02
  done
}

# Is it so within two seconds?
soon() {
  for _ in $(seq 100); do
    "$@" && return
    sleep 0.02
  done
  return 1
}

# It was ready and has ended, whether or not somebody has waited for it.
ended() {
  [ -s "$1.pid" ] || answer '?'
  case $(sed 's/.*) //' "/proc/$(cat "$1.pid")/stat") in '' | Z* | X*) ;; *) return 1 ;; esac
}

alive() { ! ended "$1"; }
ready() { until_true [ -s "$1.pid" ]; }
heard() { grep -qx "$2" "$1.heard"; }
lock_is_free() { ../helper lock "$here/$1"; }

as_pid_1() {
  [ -n "$namespace" ] || answer n.a.
  before=$namespace subreaper=
}

# The tool in the background, with PROG that stays
background() { # WORDS before PROG
  perform "$@" ../helper stay prog &
  ready prog
}

# PROG that stays, as a daemon: it can be somewhere else
daemon() { # WORDS for it
  call "$dir/helper" stay "$here/prog" "$@" || return
  ready prog
}

# The probe can't be made without PACKAGE.
lacks() {
  echo "$1" >>"$dir/missing"
  answer n.a.
}

# ---- what several are asked ----

exact_status() {
  for expected in 0 1 42 255; do
    call $operand sh -c "exit $expected"
    [ $? -eq "$expected" ] || answer no
  done
  answer yes
}

killed_status() {
  call $operand sh -c 'kill -USR1 $$'
  answer $?
}

exec_statuses() {
  : >plain
  call $operand "$here/none"
  first=$?
  call $operand "$here/plain"
  answer "$first, $?"
}

# ---- inits ----

init_orphans() {
  as_pid_1
  yes_if call ../helper orphan
}

init_subreaper() { yes_if call ../helper orphan; }

init_leftover() {
  as_pid_1
  call ../helper stay left leave slow "$@"
  yes_if [ -e left.done ]
}

init_leftover_session() { init_leftover session; }

init_leftover_deaf() {
  [ "$tool" != reap ] || opts='--grace 0.3'
  call ../helper stay left leave session deaf
  yes_if soon ended left
}

init_forward() {
  background
  kill "-${1:-10}" $!
  yes_if soon heard prog "${1:-10}"
}

init_realtime() { init_forward 36; }

init_group() {
  options reap=-g tini=-g dumb-init catatonit=-g
  perform sh -c '../helper stay child & exec ../helper stay prog' &
  ready prog
  ready child
  kill -10 $!
  yes_if soon heard child 10
}

init_rewrite() {
  options 'reap=--rewrite TERM:USR1' 'dumb-init=-r 15:10'
  background
  kill -TERM $!
  soon heard prog 10
  yes_if [ "$(cat prog.heard)" = 10 ]
}

init_remap() {
  options 'reap=-e 143' 'tini=-e 143'
  yes_if call sh -c 'exit 143'
}

init_listen() {
  before='../helper listen'
  yes_if call sh -c '[ "$LISTEN_PID" = $$ ]'
}

init_ignored() {
  [ "$(call grep ^SigIgn /proc/self/status)" = "$(grep ^SigIgn /proc/self/status)" ] || answer no
  trap '' PIPE TTIN
  yes_if [ "$(call grep ^SigIgn /proc/self/status)" = "$(grep ^SigIgn /proc/self/status)" ]
}

init_blocked() {
  before='../helper block'
  yes_if [ "$(call grep ^SigBlk /proc/self/status)" = "$($before grep ^SigBlk /proc/self/status)" ]
}

# ---- deadlines ----

deadline_passed() {
  call 0.1 sleep 30
  answer $?
}

deadline_deaf() {
  opts='-k 0.2'
  call 0.5 ../helper stay prog deaf
  last=$?
  alive prog && answer no
  answer "$last"
}

# PROG has a descendant with WORDS; is it ended?
deadline_descendant() {
  call 1 sh -c '../helper stay left "$@"; exec ../helper stay prog' sh "$@"
  yes_if soon ended left
}

deadline_child() {
  call 1 sh -c '../helper stay left session & exec ../helper stay prog'
  yes_if soon ended left
}

deadline_orphan() { deadline_descendant leave; }
deadline_daemon() { deadline_descendant leave session; }

deadline_descendant_deaf() {
  opts='-k 0.2'
  deadline_descendant leave deaf
}

deadline_stopped() {
  call 0.5 ../helper stay prog stopped
  yes_if soon ended prog
}

deadline_in_time() {
  call 10 ../helper stay left leave
  yes_if alive left
}

deadline_told() {
  background 20
  kill -TERM $!
  yes_if soon ended prog
}

deadline_group() {
  yes_if [ "$(call 5 perl -e 'print getpgrp')" = "$(perl -e 'print getpgrp')" ]
}

deadline_terminal() {
  [ -x /usr/bin/script ] || lacks bsdutils
  export self dir tool
  echo hello | SHELL=/bin/sh script -qec 'sh "$self" "$dir" read_terminal "$tool"' /dev/null
  yes_if [ "$(cat "../read_terminal.$tool/read")" = hello ]
}

read_terminal() { perform 2 sh -c 'read line; echo "$line" >read'; }

# ---- locks ----

lock_background() {
  call f ../helper stay left leave
  yes_if lock_is_free f
}

holder() {
  background f
  holder=$!
}

lock_end() { # SIGNAL
  holder
  kill "-$1" $holder
  yes_if soon ended prog
}

lock_kill() { lock_end KILL; }
lock_term() { lock_end TERM; }

lock_lies() {
  holder
  kill -KILL $holder
  soon ended prog && answer yes
  lock_is_free f && answer no
  answer yes
}

asleep() { # two looks, to be sure
  for pid in $1 $1; do
    sleep 0.1
    grep -q "(${tool%%_*}) S " "/proc/$pid/stat" || return
  done
}

lock_inode() {
  holder
  perform f sh -c '../helper lock f; echo $? >seen.new; mv seen.new seen' &
  until_true asleep $!
  rm f
  kill -TERM "$(cat prog.pid)"
  until_true [ -e seen ]
  yes_if [ "$(cat seen)" = 1 ]
}

lock_slots() {
  options 'lockrun=--slots 2'
  for name in one two; do
    perform f ../helper stay $name &
    ready $name
  done
  opts='--slots 2 -n'
  call f true
  yes_if [ $? -eq 1 ]
}

lock_timeout() {
  holder
  options 'lockrun=-t 0.2' 'flock=-w 0.2'
  began=$(date +%s%N)
  call f true
  last=$?
  [ $(($(date +%s%N) - began)) -lt 900000000 ] || answer no
  answer $last
}

lock_who() {
  options lockrun
  holder
  opts=--who
  case $(call f) in "$holder "*) answer yes ;; esac
  answer no
}

# ---- daemons ----

daemon_exec() {
  printf '#!/nonexistent/interpreter\n' >bad
  chmod +x bad
  call "$here/none"
  first=$?
  rm -f d.pid
  call "$here/bad"
  answer "$first, $?"
}

daemon_early() {
  options 'ipcbox=--settle 0.5' 'daemonize(1)' start-stop-daemon
  call /bin/sh -c 'exit 3'
  answer $?
}

daemon_ready() {
  options 'ipcbox=--ready notify' start-stop-daemon=--notify-await
  call "$dir/helper" notify "$here/ready"
  yes_if [ -e ready ]
}

daemon_late() {
  options 'ipcbox=--ready notify -t 1' 'start-stop-daemon=--notify-await --notify-timeout 1'
  daemon
  answer $?
}

daemon_late_end() {
  (daemon_late)
  [ "$(cat answer)" != n.a. ] || exit 0
  yes_if soon ended prog
}

# Each write that the tool does begins a third of a second late, so that what must not be between two calls is seen.
slow_writes() {
  [ -x /usr/bin/strace ] || lacks strace
  strace -o /dev/null true || answer n.a.
  before="strace -f -qq -o /dev/null -e trace=write -e inject=write:delay_enter=300000 $*"
}

daemon_pidfile() {
  slow_writes ../helper returned returned
  perform "$dir/helper" stay "$here/prog" &
  until_true [ -s returned ]
  [ "$(cat returned)" = yes ] || answer no
  ready prog
  yes_if [ "$(cat d.pid)" = "$(cat prog.pid)" ]
}

daemon_empty() {
  slow_writes
  perform "$dir/helper" stay "$here/prog" &
  until_true [ -e d.pid ]
  yes_if [ -s d.pid ]
}

daemon_twice() {
  lock=1
  daemon
  call "$dir/helper" stay "$here/second" && answer no
  alive prog || answer no
  yes_if [ "$(cat d.pid)" = "$(cat prog.pid)" ]
}

daemon_race() {
  lock=1
  for n in 1 2 3 4 5 6 7 8; do
    (call "$dir/helper" stay "$here/$n" && : >"started.$n") &
  done
  wait
  set -- started.*
  answer $#
}

daemon_gone() {
  daemon
  kill "$(cat prog.pid)"
  yes_if soon [ ! -e d.pid ]
}

bystander() {
  ../helper stay "$here/bystander" &
  ready bystander
  cp bystander.pid d.pid
}

stop() {
  case $tool in ipcbox*) "$bin/daemonize" --stop -p d.pid ;; *) /sbin/start-stop-daemon --stop --pidfile d.pid ;; esac
}

daemon_stop() {
  options ipcbox start-stop-daemon
  daemon
  stop
  yes_if soon ended prog
}

daemon_stranger() {
  options ipcbox start-stop-daemon
  bystander
  stop
  kill -36 "$(cat bystander.pid)" # comes after SIGTERM
  soon heard bystander 36 || answer no
  if heard bystander 15; then answer no; fi
  answer yes
}

daemon_stale() {
  bystander
  yes_if daemon
}

daemon_fds() {
  exec 7>leak
  call /bin/sh -c 'ls -l /proc/$$/fd >"$0.new"; mv "$0.new" "$0"; sleep 30' "$here/fds"
  until_true [ -e fds ]
  if grep -q leak fds; then answer no; fi
  answer yes
}

daemon_terminal() {
  call "$dir/helper" terminal "$here/tty"
  until_true [ -e tty ]
  yes_if [ "$(cat tty)" = 0 ]
}

daemon_lock() {
  options ipcbox 'daemonize(1)'
  lock=1
  daemon "$@"
  if lock_is_free d.lock; then answer no; fi
  kill "$(cat prog.pid)"
  yes_if soon lock_is_free d.lock
}

daemon_lock_closed() { daemon_lock closed; }

daemon_monitor() {
  options ipcbox
  lock=1
  daemon
  kill -KILL "$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$(cat prog.pid)/stat")"
  yes_if soon ended prog
}

daemon_again() {
  options 'ipcbox=--supervise --backoff 50ms:1'
  daemon
  first=$(cat prog.pid)
  rm prog.pid
  kill -KILL "$first"
  yes_if soon [ -s prog.pid ]
}

"$2"
