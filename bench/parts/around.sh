# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# around.sh - lockrun, deadline and reap around a static program, against those that do such a thing.

# The rows of all three, and the measurement: NAME [ARG...] of the applet.
around() {
  applet=$1
  shift
  repeated ipcbox '' "ipcbox $applet" "$ipcbox" "$applet" "$@" "$tools/hello"
  [ ! -x "$static" ] ||
    repeated ipcbox-static '' "ipcbox $applet, static with musl" "$static" "$applet" "$@" "$tools/hello"
  repeated spawnwait '' 'spawnwait: posix_spawn and wait' "$tools/spawnwait" "$tools/hello"
  [ ! -x "$dir/spawnwait.musl" ] ||
    repeated spawnwait-static '' 'spawnwait, static with musl' "$dir/spawnwait.musl" "$tools/hello"
  repeated none '' 'the program alone' "$tools/hello"
  repeat_rounds $((280 / scale)) hello
}

# The rows of one build: NAME LABEL, the GOAL against the peer (which may have been left out), and the peer's LABEL
around_rows() {
  rm "$dir/rows"
  row "$1" '' "$2"
  [ ! -s "$dir/main.peer" ] || row peer "$3" "$4"
}

# Two tables, as the two builds have different goals: the peer's LABEL
around_tables() {
  if [ -x "$static" ]; then
    around_rows ipcbox-static "ipcbox $applet, static with musl" 2 "$1"
    row spawnwait-static '' 'spawnwait, static with musl'
    row none '' 'the program alone'
    table base rate ipcbox-static
  fi
  around_rows ipcbox "ipcbox $applet" 1.11 "$1"
  row spawnwait '' 'spawnwait: posix_spawn and wait'
  row none '' 'the program alone'
  table base rate ipcbox
}

around_part() {
  static_program spawnwait musl
  : >"$dir/lock"
  new_part 'lockrun around a static program, one run after the other.'
  ! has /usr/bin/flock util-linux || repeated peer '' flock /usr/bin/flock "$dir/lock" "$tools/hello"
  around lockrun "$dir/lock"
  around_tables flock
  new_part 'deadline around a static program.'
  ! has /usr/bin/timeout coreutils || repeated peer '' timeout /usr/bin/timeout 60 "$tools/hello"
  around deadline 60
  around_tables 'timeout (coreutils)'
  new_part 'reap around a static program.'
  ! has /usr/bin/tini tini || repeated peer '' 'tini -s' /usr/bin/tini -s -- "$tools/hello"
  around reap
  around_tables 'tini -s'
}
