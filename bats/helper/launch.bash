# What the tests of reap, deadline and lockrun share: programs to run, terminals, a look at what is left behind.

load helper/common
load helper/peers

launch_setup() {
  common_setup
  export PS1='ready> '
}

launch_teardown() {
  common_teardown
}

# How a command's life has ended, as wait(2) says it.
how_it_ends() {
  how-it-ends "$@"
}

# at_terminal [REGEX KEYS]...: an interactive shell at a terminal; KEYS are typed once REGEX has been
# shown. What was shown is $output. The shell's prompt is "ready> ".
at_terminal() {
  run -0 timeout --foreground 60 "$HELPERS/at-terminal" "$@" -- bash --norc --noediting -i
}

# signals_ignored_and_blocked COMMAND...: what a program under COMMAND finds, with some ignored and some blocked.
signals_ignored_and_blocked() {
  env --ignore-signal=PIPE,USR2,CHLD,TSTP --block-signal=TERM,USR1,CHLD,ALRM,40 \
    "$@" grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
}

# all_gone LOG: everybody who has written a pid there.
all_gone() {
  local pid
  [ -s "$1" ]
  # shellcheck disable=SC2013 # they are words
  for pid in $(sed -n 's,^.* \([0-9]*\)$,\1,p' "$1"); do
    gone "$pid" || {
      echo "there is still $(grep " $pid\$" "$1"): $(cat "/proc/$pid/stat")" >&2
      return 1
    }
  done
}

# pid_of LOG KIND: of helper/descendants.c.
pid_of() {
  sed -n "s/^$2 \([0-9]*\)\$/\1/p" "$1"
}

# with_stranger COMMAND...: COMMAND, by exec of a process that has a child already, which is nobody's
# business. Its pid is in the file stranger. (with_time may call it again.)
with_stranger() {
  [ ! -s stranger ] || kill "$(cat stranger)"
  # shellcheck disable=SC2016 # for that shell
  sh -c 'sleep infinity >/dev/null 2>&1 3>&- & echo $! >stranger; exec "$@"' '' "$@"
}
