# What the daemonize files share: an end for every daemon that a test has started, and questions about them.

load helper/common
load helper/peers

# Daemons leave their parents, so they are known by what is in their environment (or in their monitor's).
daemon_setup() {
  common_setup
  export OF_TEST=$BATS_TEST_TMPDIR
  here=$PWD
}

daemon_teardown() {
  end_started
  env -u OF_TEST "$HELPERS/end-marked" "OF_TEST=$BATS_TEST_TMPDIR"
  local status=0
  nobody_left_behind || status=1 # the rest goes all the same
  [ ! -e "$here/small" ] || ! mountpoint -q "$here/small" || umount "$here/small"
  [ -z "${open_directory:-}" ] || rm -r "$open_directory"
  return $status
}

# small_disk BYTES ROOM: of the size, at `small`, until the end of the test, with a ballast that leaves ROOM.
small_disk() {
  need_root
  mkdir small
  mount -t tmpfs -o "size=$1" none small || skip "can't mount"
  head -c "$(($1 - $2))" /dev/zero >small/ballast
}

# for_others FILE NAME: a copy NAME of FILE that other users, too, can run, in $open_directory, until the end of the test.
for_others() {
  open_directory=$(mktemp -d "${TMPDIR:-/tmp}/daemonize.XXXXXX")
  cp -L "$1" "$open_directory/$2"
  chmod 755 "$open_directory" "$open_directory/$2"
}

# state NAME: what a daemon-state has found out, once it has written that to the file `state`.
state() {
  until_true [ -e state ]
  sed -n "s/^$1=//p" state
}

# daemonized ARG...: the call succeeds and says nothing. Not `run`, which reads until the last daemon has let go.
daemonized() {
  timeout --foreground 60 daemonize "$@" >daemonized.out 2>&1 || {
    echo "status $?: $(cat daemonized.out)" >&2
    return 1
  }
  [ ! -s daemonized.out ]
}

# noting [ARG...]: a daemon that notes its signals in the file `noted`, and does so already (helper/daemon.c).
# Its own options are in $how.
noting() {
  # shellcheck disable=SC2086 # words
  daemonized "$@" --ready fd "$HELPERS/daemon" -r ${how:-} "$here/noted"
}

# refused STATUS ARG...: so ends the call; what it says is in $output.
refused() {
  run "-$1" timeout --foreground 60 daemonize "${@:2}"
}

# says STATUS FILE: --status of the daemon of pidfile FILE.
says() {
  run "-$1" timeout --foreground 60 daemonize --status -p "$2"
}

# alive PID: there is such a process, and it is no zombie. One look, so that it can't change its mind in between.
alive() {
  local stat
  [ -n "$1" ] && read -r stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat##*) } != [ZX]* ]]
}

# field_of FIELD PID: its ppid, pgid, sid or tty (0: none), as proc(5) has them behind the name.
field_of() {
  local stat fields
  stat=$(<"/proc/$2/stat") || return
  read -ra fields <<<"${stat##*) }"
  case $1 in
    ppid) echo "${fields[1]}" ;;
    pgid) echo "${fields[2]}" ;;
    sid) echo "${fields[3]}" ;;
    tty) echo "${fields[4]}" ;;
  esac
}

# ended PID: it has, whether its new parent has waited for it or not.
ended() {
  if alive "$1"; then false; fi
}

# lines COUNT FILE: it has as many, or more.
lines() {
  [ -e "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]
}

# other FILE PID: the pidfile names another one now.
other() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && [ "$pid" != "$2" ]
}

# locked FILE: somebody holds an fcntl(2) lock on it.
locked() {
  file-lock query "$1"
}
