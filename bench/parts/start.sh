# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# start.sh - the start of an applet, against programs that do next to nothing.

# Only ours have something to say.
start_turn() { # NAME N
  case $1 in
  ipcbox*) repeat_turn "$1" "$2" HUP ;;
  *) repeat_turn "$1" "$2" ;;
  esac
}

start_part() {
  new_part "The start of an applet: 'signame 1', which writes HUP, against programs that write nothing."
  ln -sf "$ipcbox" "$dir/signame"
  repeated ipcbox '' 'ipcbox signame 1' "$dir/signame" 1
  if [ -x "$static" ]; then
    mkdir -p "$dir/static"
    ln -sf "$static" "$dir/static/signame"
    repeated ipcbox-static '' 'ipcbox signame 1, static with musl' "$dir/static/signame" 1
  fi
  ! has /usr/bin/busybox busybox-static || repeated busybox 2 'busybox true' /usr/bin/busybox true
  ! has /usr/bin/toybox toybox || repeated toybox 1.33 'toybox true' /usr/bin/toybox true
  ! static_program nothing musl || repeated musl 0.83 'nothing, static with musl' "$dir/nothing.musl"
  static_program nothing glibc
  repeated glibc '' 'nothing, static with glibc' "$dir/nothing.glibc"
  repeated dynamic '' 'nothing, dynamic' "$tools/nothing"
  rounds_of start_turn $((800 / scale))
  [ ! -x "$static" ] || table base rate ipcbox-static busybox musl glibc
  table base rate ipcbox toybox dynamic
}
