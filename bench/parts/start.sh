# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# start.sh - the start of an applet, against programs that do next to nothing.

# A program of bench/, linked statically: NAME musl|glibc; it is $dir/NAME.musl or $dir/NAME.glibc. False: no musl-gcc.
static_program() {
  case $2 in
  musl) has /usr/bin/musl-gcc musl-tools || return ;;
  esac
  compiler=${CC:-cc}
  [ "$2" = glibc ] || compiler=musl-gcc
  "$compiler" -std=c11 -Os -D_GNU_SOURCE -I"$bench" -static -s -o "$dir/$1.$2" "$bench/$1.c" || die "no $1.$2"
}

# N runs of it, each of which ends with 0 and writes what $dir/says has for it: nothing, or this line.
start_turn() { # NAME N
  name=$1 n=$2
  set --
  while read -r word; do
    set -- "$@" "$word"
  done <"$dir/words.$name"
  rm -f "$dir/timed"
  if ! "$tools/timed" -o "$dir/timed" "$tools/repeat" "$n" "$@" >"$dir/out"; then
    echo "  $name: a run has failed"
    status=1
  fi
  line='' lines=0
  case $name in
  ipcbox*) line=HUP lines=$n ;;
  esac
  if [ "$(wc -l <"$dir/out")" -ne "$lines" ] || grep -qvx "$line" "$dir/out"; then
    echo "  $name: it has written something else"
    status=1
  fi
  took "$n"
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
