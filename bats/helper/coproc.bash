# What the open2 and open3 files share.

load helper/common
load helper/peers

# own_fds_only APPLET FD...: its programs have the fds that we have, and CLIENT those FDs besides.
own_fds_only() {
  local applet=$1 way before
  shift
  exec 9</dev/null
  before=$(fds)
  for way in '' --socketpair --pty --pty=both; do
    # shellcheck disable=SC2086 # none, or one
    timeout --foreground 60 "$applet" $way --status-fd 20 \
      fds server ::: fds client 20>/dev/null
    [ "$(cat server)" = "$before" ]
    # shellcheck disable=SC2086 # words
    [ "$(cat client)" = "$(printf '%s\n' "$@" $before | sort -nu | paste -sd ' ')" ]
    # shellcheck disable=SC2086
    timeout --foreground 60 "$applet" $way fds alone </dev/null
    [ "$(cat alone)" = "$before" ]
  done
}

# all_bytes: each of the 256.
all_bytes() {
  local n
  for n in {0..255}; do
    # shellcheck disable=SC2059 # the byte is the format
    printf "\\$(printf %o "$n")"
  done
}
