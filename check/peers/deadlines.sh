# deadlines.sh: the rows of check/peers.sh about deadlines.
# shellcheck shell=sh

deadline_sessions() {
  "$1" 2 sh -c 'setsid stay child & wait'
  await [ -s child ]
  says within 50 ended "$(cat child)"
}

deadline_terminal() {
  reads_terminal "$1" && { echo yes; return; }
  rm -f typed
  if [ "$1" = deadline ] || ! reads_terminal "$1 --foreground"; then
    echo no
    return
  fi
  timeout --foreground 1 sh -c 'stay child & wait'
  await [ -s child ]
  runs "$(cat child)" && echo partly:foreground || echo yes=--foreground
}
# a script at a terminal runs PROG under the tool, and PROG reads a line
reads_terminal() {
  (echo hello; within 150 [ -s typed ]) |
    script -qec "$1 3 sh -c 'read -r line; echo \"\$line\" >typed'; :" /dev/null >/dev/null
  [ "$(cat typed)" = hello ]
}

deadline_told_apart() {
  if [ "$1" = deadline ]; then
    deadline --status-fd 3 10 sh -c 'exit 124' 3>own
    deadline --status-fd 3 .1 sleep 1000 3>late
    grep -q timed_out=0 own && grep -q timed_out=1 late && echo yes=--status-fd || echo no
  else
    timeout 10 sh -c 'exit 124'
    own=$?
    timeout .1 sleep 1000
    [ "$own" = $? ] || { echo yes; return; }
    # its other way has PROG's status at the deadline, which PROG can have of itself
    timeout --preserve-status 10 sh -c 'exit 143'
    own=$?
    timeout --preserve-status .1 sleep 1000
    [ "$own" = $? ] && echo no || echo yes=--preserve-status
  fi
}

deadline_endless() {
  "$1" 0 sh -c 'sleep 0.3; exit 7'
  [ $? -eq 7 ] && echo yes || echo no
}
