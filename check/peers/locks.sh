# locks.sh: the rows of check/peers.sh about locks. chpst -l and -L are runit's.
# shellcheck shell=sh

# locked TOOL FILE PROG...: runs PROG under a lock on FILE
locked() {
  tool=$1
  shift
  case $tool in
  flock | lockrun) "$tool" "$@" ;;
  runit) chpst -l "$@" ;;
  esac
}

# hold TOOL: a PROG that stays holds the lock `lock`; the tool's pid is $holder, that of PROG $prog. A function that is
# run in the background is a process of the shell, so the tools are started by exec.
hold() {
  (exec_locked "$1" lock stay prog) &
  holder=$!
  await [ -s prog ]
  prog=$(cat prog)
}
exec_locked() {
  tool=$1
  shift
  case $tool in
  flock | lockrun) exec "$tool" "$@" ;;
  runit) exec chpst -l "$@" ;;
  esac
}

lock_kept() {
  hold "$1"
  kill -KILL "$holder"
  await ended "$holder"
  # nobody can have the lock as long as PROG runs
  within 100 free_or_ended
  if ended "$prog"; then says within 500 flock -n lock true; else says holds lock; fi
}
free_or_ended() {
  ended "$prog" || ! holds lock
}

lock_prog_dies() {
  hold "$1"
  kill -KILL "$holder"
  within 100 ended "$prog" || {
    echo no
    return
  }
  [ "$holder" = "$prog" ] && echo yes:exec || echo yes
}

lock_background() {
  locked "$1" lock sh -c 'stay prog & until [ -s prog ]; do sleep 0.01; done'
  if ! holds lock; then
    echo yes
  elif [ "$1" = flock ]; then
    kill "$(cat prog)"
    rm prog
    flock -o lock sh -c 'stay prog & until [ -s prog ]; do sleep 0.01; done'
    holds lock && echo no || echo yes=-o
  else
    echo no
  fi
}

lock_busy_status() {
  flock lock stay prog &
  await [ -s prog ]
  case $1 in
  flock | lockrun)
    "$1" -n -E 75 lock true
    busy=$?
    "$1" -n -E 75 other sh -c 'exit 1'
    [ "$busy $?" = '75 1' ] && echo yes=-E || echo no
    ;;
  runit)
    chpst -L lock true
    busy=$?
    chpst -L other sh -c "exit $busy"
    [ "$busy" = $? ] && echo no || echo yes
    ;;
  esac
}

lock_slots() {
  [ "$1" = lockrun ] || {
    lacks "$1" 'slot|at a time|at most|semaphore'
    return
  }
  lockrun --slots 2 lock stay one &
  lockrun --slots 2 lock stay two &
  await [ -s one ]
  await [ -s two ]
  lockrun -n --slots 2 lock true && echo no || echo yes=--slots
}

lock_file_replaced() {
  hold "$1"
  (exec_locked "$1" lock stay second) &
  second=$!
  await waits_for_lock "$second"
  rm lock
  (exec_locked "$1" lock stay third) &
  await [ -s third ]
  kill "$prog"
  # the second gets the lock on the file that is gone, or finds out and waits for the third
  within 100 [ -s second ] && { echo no; return; }
  kill "$(cat third)"
  await [ -s second ]
  echo yes
}
# in flock(2) or fcntl(2), or in a wait with a limit
waits_for_lock() {
  grep -q -- '->' /proc/locks && grep -qE -- "-> .* $1 " /proc/locks
}

lock_no_process() {
  hold "$1"
  [ "$holder" = "$prog" ] && { echo yes; return; }
  [ "$1" = flock ] || { echo no; return; }
  flock -F lock2 stay again &
  await [ -s again ]
  [ "$!" = "$(cat again)" ] && echo yes=-F || echo no
}
