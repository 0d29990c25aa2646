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

# fill FD: the pipe takes no more. (Opened anew, so that only this writer does not wait for room.)
fill() {
  tr '\0' x </dev/zero | dd bs=4096 iflag=fullblock oflag=nonblock of="/proc/self/fd/$1" 2>/dev/null || :
}

# every_signal: those that end a process and that can be caught, but for those that faults cause.
every_signal() {
  seq 64 | grep -vxE '4|5|6|7|8|9|11|1[789]|2[0-3]|28|31|32|33|34'
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
