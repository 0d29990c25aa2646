# What the sigtrap files share: a PROG that tells its signals, a handler that waits, and looks at both.

load helper/common
load helper/peers

sigtrap_setup() {
  common_setup
  # recorder SIG...: tells its pid and every signal that comes; ends by itself in the end, should a test fail
  # shellcheck disable=SC2016
  program recorder '#!/bin/sh
    for name; do set -- "$@" note "$name"; shift; done
    exec does "$@" say "ready $$" sleep'
  # gated: a handler that begins, waits for a line from the FIFO `go` (one that opens it while the last writer has it
  # open may read nothing), and ends
  program gated '#!/bin/sh
    echo "begin $SIGNAL" >>runs; until read -r line <go; do :; done; echo "end $SIGNAL" >>runs'
}

# program FILE TEXT
program() {
  printf '%s\n' "$2" >"$1"
  chmod +x "$1"
}

# trapped SIGTRAP-WORDS...: starts sigtrap with a PROG that tells its pid at once; pids in $trap and $prog.
trapped() {
  background trap sigtrap "$@"
  until_line trap.out '^ready'
  prog=$(awk '/^ready/ { print $2; exit }' trap.out)
  started+=("$prog")
}

# quiet PID: sigtrap has taken all signals and waits.
quiet() {
  local state
  state=$(cat "/proc/$1/status")
  [[ $state == *"State:"*"S (sleeping)"*"SigPnd:"*0000000000000000*"ShdPnd:"*0000000000000000*"SigBlk"* ]]
}

# lines FILE COUNT: it has that many.
lines() {
  [ "$(wc -l <"$1")" -ge "$2" ]
}

# nth N: the pid of the N-th PROG, after its start.
nth() {
  until_true lines pids "$1"
  pid=$(sed -n "${1}p" pids)
  started+=("$pid")
}

# heard WORD...: what PROG has told after its first line.
heard() {
  [ "$(tail -n +2 trap.out | paste -sd ' ')" = "$*" ]
}
