# What the open2 and open3 files share: a look at fds.

load helper/common
load helper/peers

# own_fds_only APPLET FD...: its programs have the fds that we have, and CLIENT those FDs besides.
own_fds_only() {
  local applet=$1 way before fds='print join(" ", grep { -l "/proc/self/fd/$_" } 0 .. 255), "\n"'
  shift
  exec 9</dev/null
  before=$(perl -e "$fds")
  for way in '' --socketpair --pty --pty=both; do
    # shellcheck disable=SC2086 # none, or one
    timeout --foreground 60 "$applet" $way --status-fd 20 \
      perl -e "open STDOUT, '>', 'server'; $fds" ::: perl -e "open STDOUT, '>', 'client'; $fds" 20>/dev/null
    [ "$(cat server)" = "$before" ]
    # shellcheck disable=SC2086 # words
    [ "$(cat client)" = "$(printf '%s\n' "$@" $before | sort -nu | paste -sd ' ')" ]
    # shellcheck disable=SC2086
    timeout --foreground 60 "$applet" $way perl -e "open STDOUT, '>', 'alone'; $fds" </dev/null
    [ "$(cat alone)" = "$before" ]
  done
}
