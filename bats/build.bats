# The Makefile under other people's flags and paths: a packager's CPPFLAGS and CFLAGS, a DESTDIR with blanks, a umask that
# lets nobody in. What is built is one object, in the test's directory.

load helper/common

setup() {
  common_setup
  top=$(readlink -f "$BATS_TEST_DIRNAME/..")
  # those of `make test` itself
  unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CC CFLAGS CPPFLAGS LDFLAGS WERROR B
}

teardown() {
  common_teardown
}

need_compiler() {
  need make make
  need cc gcc
  echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1 || skip "needs the C library's headers (Debian: libc6-dev)"
}

# source_tree DIR: one to build in, whose files are the real ones
source_tree() {
  mkdir "$1"
  ln -s "$top/Makefile" "$top/common" "$top/applets" "$top/contrib" "$top/man" "$top/examples" "$1/"
}

# builds NAME=VALUE...: make builds an object with these
builds() {
  [ -d src ] || source_tree src
  make -s -C src "$@" build/common/base/fd.o
}

# ---- flags ----

@test "CPPFLAGS of the command line come beside what the code needs" {
  need_compiler
  run -0 builds WERROR=-Werror CPPFLAGS=-DPACKAGED
}

@test "a packager's _FORTIFY_SOURCE takes the place of ours: in CFLAGS, in CPPFLAGS, behind -Wp" {
  need_compiler
  local flags
  for flags in 'CFLAGS=-O2 -Wp,-D_FORTIFY_SOURCE=3' CPPFLAGS=-D_FORTIFY_SOURCE=3 'CFLAGS=-O2 -U_FORTIFY_SOURCE'; do
    run -0 builds WERROR=-Werror "$flags"
  done
}

@test "flags with quotes and parentheses are as the shell takes them, and a change of them rebuilds" {
  need_compiler
  echo '_Static_assert(sizeof TEXT == 8, "the text");' >text.h
  run -0 builds CFLAGS="-O1 -include ../text.h -DTEXT='\"(1 (2))\"' -D'SAME(x)=x'"
  run -0 builds CFLAGS="-O1 -include ../text.h -DTEXT='\"(1 (2))\"' -D'SAME(x)=x'"
  [[ $output != *'CC '* ]]
  run -0 builds CFLAGS="-O1 -include ../text.h -DTEXT='\"(1 (3))\"' -D'SAME(x)=x'"
  [[ $output == *'CC '* ]]
}

@test "a warning stops no build, except with WERROR=-Werror" {
  need_compiler
  echo '#warning "a compiler of tomorrow"' >warning.h
  run -0 builds 'CPPFLAGS=-include ../warning.h'
  [[ $output == *'of tomorrow'* ]]
  run -2 builds 'CPPFLAGS=-include ../warning.h' WERROR=-Werror
}

@test "with -g, an object is the same from whatever directory" {
  need_compiler
  local dir
  for dir in one 'another that is longer'; do
    mkdir "$dir"
    cp -R "$top/Makefile" "$top/common" "$top/applets" "$dir"
    make -s -C "$dir" CFLAGS='-O1 -g' build/common/base/fd.o
  done
  cmp */build/common/base/fd.o
}

@test "a build whose long has 32 bits calls no function whose times have 32" {
  local class
  class=$(dd if="$IPCBOX" bs=1 skip=4 count=1 2>/dev/null | od -An -tu1)
  [ "$class" -eq 1 ] || skip "long has 64 bits"
  need nm binutils
  sh "$top/check/times.sh" "$IPCBOX"
}

@test "the timer of the tick is found by the name that musl has for it where long has 32 bits" {
  need_compiler
  printf '#include <sys/syscall.h>\n#undef SYS_timer_settime\n#define SYS_timer_settime32 __NR_timer_settime\n' >names.h
  source_tree src
  run -0 make -s -C src 'CPPFLAGS=-include ../names.h' build/common/base/tick.o
}

# ---- make install ----

# make_install TARGET NAME=VALUE...: with the binary that is tested, and nothing built for it
make_install() {
  local target=$1
  shift
  # no rule of the program's is to run: `all` is there already
  make -s -C src -o all "$target" B=at "$@"
}

@test "DESTDIR and PREFIX with blanks and quotes: make install writes there, make uninstall removes nothing elsewhere" {
  need make make
  local dest="$PWD/it's un b" other
  source_tree src
  ln -s "$top"/{README.md,CHANGELOG.md,LICENSE,docs} src/
  ln -s "${IPCBOX%/*}" src/at
  mkdir -p un/my/bin "it's/my/bin" my/bin
  for other in un "it's" .; do
    ln -s ipcbox "$other/my/bin/tcpserver"
  done
  run -0 make_install install DESTDIR="$dest" PREFIX='/my own'
  [ -x "$dest/my own/bin/ipcbox" ]
  run -0 make_install uninstall DESTDIR="$dest" PREFIX='/my own'
  [ ! -e "$dest/my own/bin/ipcbox" ]
  for other in un "it's" .; do
    [ -L "$other/my/bin/tcpserver" ]
    [ "$(find "$other/my" -type f)" = "" ]
  done
}

@test "what is installed is for all users, whatever the umask" {
  need make make
  source_tree src
  ln -s "$top"/{README.md,CHANGELOG.md,LICENSE,docs} src/
  ln -s "${IPCBOX%/*}" src/at
  umask 077
  run -0 make_install install DESTDIR="$PWD/dest" PREFIX=/usr
  umask 022
  [ -z "$(find dest/usr \( -type f -o -type d \) ! -perm -044)" ]
}

@test "make applet: source, page and tests of a new applet, and its name in every list" {
  need_compiler
  mkdir src
  cp -R "$top"/{README.md,bats,man,applets,contrib,check} src/
  ln -s "$top"/{Makefile,common} src/
  cd src
  run -0 make -s applet NAME=stop-watch SUMMARY='run a program, and say how long' THEME=time
  run -0 make -s WERROR=-Werror build/applets/stop-watch.o
  run -1 grep -n '@[A-Za-z]*@' applets/stop-watch.c man/stop-watch.1 bats/stop-watch.bats
  ! command -v mandoc || run -0 mandoc -T lint -W warning man/stop-watch.1
  run -0 sed -n '/^### Time/,/^###* S/{/^| `/p}' README.md
  [ "${lines[*]:0:2}" = '| `stop-watch` | run a program, and say how long | '"$(grep '^| `tcptime' README.md)" ]
  run -0 grep -A 1 '^\.Xr stop-watch 1 ,' man/ipcbox.1
  [ "${lines[1]}" = '.Xr tcpclient 1 ,' ]
  grep -A 2 '^@test "stop-watch(1)"' bats/docs.bats
  run -0 grep -A 1 '^stop-watch cat in' bats/hostile-start.bats
  [[ ${lines[1]} == tcpclient* ]]
  grep -A 1 -x '\[stop-watch\]' check/torture/uses
  grep "binary with $(($(ipcbox --list | wc -l) + 1)) applets" README.md
  # one that begins as another does
  run -0 make -s applet NAME=tcptime-x THEME=time
  run -0 grep -A 1 '^| `tcptime` ' README.md
  [ "${lines[1]}" = '| `tcptime-x` | run a program |' ]
  # names that are there, or are none, and no name
  run ! make -s applet NAME=stop-watch
  [[ $output == *"applets/stop-watch.c is there already"* ]]
  run ! make -s applet NAME='a b'
  run ! make -s applet
  [[ $output == *usage* ]]
}
