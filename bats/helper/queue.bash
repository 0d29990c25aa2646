# What the tests of shared memory and message queues share beside sysv.bash.

load helper/sysv

# owns APPLET KEY...: those objects of paths' keys have to be gone at the test's end, too.
owns() {
  local applet=$1 key
  for key in "${@:2}"; do
    "$applet" stat "$key" | sed -n 's/^key //p' >>"$here/.keys"
  done
}

# in_queue KEY: how many messages are in it.
in_queue() {
  msgdemo stat "$1" | sed -n 's/^messages //p'
}

# has_messages COUNT KEY
has_messages() {
  [ "$(in_queue "$2")" -eq "$1" ]
}

# new_queue [OPTION]...: makes an empty one of the test's $key.
new_queue() {
  msgdemo create "$@" "$key"
}

# as_other COMMAND [ARG]...: as another user, who may not be able to reach our directory; COMMAND is an applet.
as_other() {
  setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    perl -e 'exec { "/proc/self/fd/9" } @ARGV or die' "$@" 9<"$IPCBOX"
}

need_other_user() {
  need_root
  need setpriv util-linux
}

# fill FD: the pipe takes no more.
fill() {
  perl -MFcntl -e 'fcntl STDOUT, F_SETFL, O_RDWR | O_NONBLOCK or die; 1 while syswrite STDOUT, "x" x 4096;
    fcntl STDOUT, F_SETFL, O_RDWR or die' >&"$1"
}

# every_signal: those that end a process and that can be caught, but for those that faults cause.
every_signal() {
  perl -e 'print join " ", grep { !/^(4|5|6|7|8|9|11|1[789]|2[0-3]|28|31|32|33|34)$/ } 1 .. 64'
}

# signals_at CALL "SIGNAL..." COMMAND...: runs COMMAND for each signal, which comes while it is in its first CALL.
signals_at() {
  local call=$1 signals=$2 signal
  shift 2
  ulimit -c 0
  for signal in $signals; do
    timeout --foreground 60 strace -qq -o trace -e "trace=$call" -e "inject=$call:signal=$signal:when=1" "$@" \
      >/dev/null 2>&1 || :
    no_objects || {
      echo "after signal $signal in $call" >&2
      return 1
    }
  done
}
