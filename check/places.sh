#!/bin/sh
# places.sh BUILD [NAME...]: builds ipcbox as others would, elsewhere, with warnings as errors, and tests what that may
# change; a table at the end. Without NAMEs, all places:
#
#   i386-gcc, i386-clang   where long has 32 bits, and no call may have times of 32 bits
#   newest-gcc, -clang     the newest compilers of Debian unstable, in a system of its own (as root, by debootstrap)
#   armhf, aarch64, riscv64, mipsel, s390x
#                          other machines, run by qemu-user
#   packager               CPPFLAGS, CFLAGS with another _FORTIFY_SOURCE, CC of two words
#   started                the tests as an ordinary user started oddly: signals ignored, umask 077, a TMPDIR with a blank,
#                          a Turkish locale, nohup
#   no-ipv6, no-perl       the tests where loopback has no IPv6; where there is no perl
#   read-only              tests of what makes files, where the root is mounted read-only
#   2040                   tests of what tells the time, with libfaketime, when 32 bits no longer hold it
#   locale                 the checks in a Turkish and a German locale
#
# A place whose packages are missing is skipped, and they are named. All files are under BUILD/places; FILES="bats/a.bats
# ..." are the tests of those places that run any, in place of a choice of ours. Fails if a place does.
# shellcheck disable=SC2317 # what is called by `case`
set -eu
export LC_ALL=C
build=$(readlink -f "$1")
shift
places=$build/places
mkdir -p "$places"
top=$PWD
jobs=$(getconf _NPROCESSORS_ONLN)
# what long, signals, time and the flags may change
few="bats/build.bats bats/signame.bats bats/sigexec.bats bats/deadline.bats bats/waitfor.bats bats/alive.bats bats/lockrun.bats
  bats/semset.bats bats/tcpserver-starts.bats bats/webget.bats bats/udptime.bats bats/open2.bats bats/cmdserver.bats"
few=${FILES:-$few}
table=$places/table
: >"$table"
bad=0

# ---- outcomes: of the place in $place, whose log is in $log ----

row() {
  printf '%-13s %-8s %s\n' "$place" "$1" "$2" | tee -a "$table"
}
skip() {
  row skipped "$1"
}
failed() {
  bad=1
  row FAILED "$1; see $log"
}
# in_log COMMAND...
in_log() {
  "$@" >>"$log" 2>&1 </dev/null
}
has() {
  command -v "$1" >/dev/null
}
# compiles COMPILER-WORD...: it finds its own headers and library, for a program that it can link
compiles() {
  echo '#include <sys/socket.h>
    int main(void) { return 0; }' | "$@" -x c -o "$places/compiles" - 2>/dev/null
}
# the last line of a run of the tests: "N tests, N failed, N skipped"; one file has none
sum() {
  sed -n 's/^\([0-9]* tests, [0-9]* failed, [0-9]* skipped\).*/\1/p' "$log" | tail -n 1 | grep . ||
    awk '/^(not )?ok / { n++; bad += /^not/ } END { printf "%d tests, %d failed\n", n, bad }' "$log"
}
# made DIRECTORY NAME=VALUE...: builds there, with warnings as errors; false, with the row, when it doesn't
made() {
  dir=$1
  shift
  in_log make -s -j "$jobs" B="$dir" WERROR=-Werror "$@" && return
  failed "does not build"
  return 1
}
# tested DIRECTORY FILE...: the row of those tests
tested() {
  dir=$1
  shift
  if in_log sh bats/helper/run.sh "$dir" "$@"; then row ok "$(sum)"; else failed "$(sum)"; fi
}

# ---- the places ----

# asm/ is that of the other width, which gcc-multilib alone links to. A kernel without programs of 32 bits has an emulator.
i386() {
  cc="$1 -m32 -idirafter /usr/include/$(uname -m)-linux-gnu"
  case $(uname -m) in x86_64) ;; *) skip "needs an x86-64 machine" && return ;; esac
  # shellcheck disable=SC2086 # words
  compiles $cc || { skip "needs $1 libc6-dev-i386 lib32gcc-12-dev (or gcc-multilib)" && return; }
  if ! "$places/compiles" 2>/dev/null; then
    made "$places/$place.dynamic" CC="$cc" all || return 0
    if in_log sh check/times.sh "$places/$place.dynamic/ipcbox"; then another "$cc" qemu-i386 qemu-user; else failed "times of 32 bits"; fi
    return
  fi
  made "$places/$place" CC="$cc" all helpers || return 0
  # shellcheck disable=SC2086
  tested "$places/$place" $few
}

# In a system of Debian unstable, kept: its newest compiler builds; its tests are those that need nothing but the binary.
newest() {
  sid=$places/sid
  [ "$(id -u)" -eq 0 ] || { skip "needs root" && return; }
  has debootstrap || { skip "needs debootstrap" && return; }
  if [ ! -d "$sid" ]; then
    in_log debootstrap --variant=minbase --include=gcc,libc6-dev,make,ca-certificates sid "$sid.new" \
      "${MIRROR:-http://deb.debian.org/debian}" || { skip "debootstrap finds no Debian unstable; see $log" && return; }
    mv "$sid.new" "$sid"
  fi
  name=$(chroot "$sid" apt-cache search --names-only "^$1-[0-9]+\$" | cut -d ' ' -f 1 | sort -V | tail -n 1)
  in_log chroot "$sid" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$name" ||
    { skip "needs $name" && return; }
  rm -rf "$sid/src/$1"
  mkdir -p "$sid/src/$1"
  sources "$sid/src/$1"
  version=$(chroot "$sid" "$name" -dumpversion)
  # the benchmark's programs with -static and no library, too
  # shellcheck disable=SC2016 # for that shell
  if in_log unshare --mount sh -euc 'mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" sh -euc "cd /src/$1
      make -s -j $3 CC=$2 WERROR=-Werror all tools helpers
      sh contrib/demo.sh build/ipcbox"' "$sid" "$1" "$name" "$jobs"; then
    row ok "$name ($version): no warnings; the demo runs"
  else
    failed "$name ($version)"
  fi
}

# sources DIRECTORY: what is committed, or all where that is not known
sources() {
  if git rev-parse HEAD >/dev/null 2>&1; then
    git archive HEAD | tar -x -C "$1"
  else
    tar -c --exclude=./build . | tar -x -C "$1"
  fi
}

# another COMPILER-WORDS QEMU PACKAGES: a static build, as its own libc's files are not where it looks for them
another() {
  # shellcheck disable=SC2086 # words
  if ! has "${1%% *}" || ! has "$2" || ! compiles $1 -static; then
    skip "needs $3"
    return
  fi
  made "$places/$place" CC="$1 -static" LINK= all || return 0
  if in_log sh check/uses.sh "$2" "$places/$place/ipcbox"; then row ok "$(tail -n 1 "$log")"; else failed "$(grep '^wrong: ' "$log" | head -n 1)"; fi
}

packager() {
  made "$places/$place" CC='cc -pipe' CPPFLAGS='-DPACKAGED="\"a (b)\""' CFLAGS='-O2 -g -Wp,-D_FORTIFY_SOURCE=3' all helpers || return 0
  # shellcheck disable=SC2086
  tested "$places/$place" $few
}

# a locale that this system may lack, for this run alone
locales() {
  export LOCPATH="$places/locales"
  mkdir -p "$LOCPATH"
  for name in tr_TR de_DE; do
    [ -d "$LOCPATH/$name.UTF-8" ] || localedef -i "$name" -f UTF-8 "$LOCPATH/$name.UTF-8" 2>/dev/null || return
  done
}

in_locales() {
  locales || { skip "needs locales" && return; }
  made "$build" all || return 0
  for name in tr_TR de_DE; do
    for check in house manpages; do
      in_log env LC_ALL="$name.UTF-8" sh "check/$check.sh" "$build" || { failed "$check.sh in $name" && return; }
    done
  done
  row ok "house.sh, manpages.sh in tr_TR, de_DE"
}

# As nobody, where we are root.
started() {
  locales || { skip "needs locales" && return; }
  dir=$(mktemp -d) # which an ordinary user can reach
  sources "$dir"
  mkdir "$dir/with a blank"
  chmod 755 "$dir"
  as=
  [ "$(id -u)" -ne 0 ] || {
    chown -R nobody "$dir"
    as='setpriv --reuid nobody --regid nogroup --clear-groups'
  }
  cp -R "$LOCPATH" "$dir/locales"
  # shellcheck disable=SC2016,SC2086 # for that shell; words
  if in_log $as env HOME="$dir" LC_ALL=tr_TR.UTF-8 LOCPATH="$dir/locales" sh -c 'trap "" PIPE INT CHLD
    umask 077
    cd "$0" && make -s CC="cc -pipe" all helpers && TMPDIR="$0/with a blank" exec nohup make CC="cc -pipe" test TESTS="$1"' \
    "$dir" "${FILES:-}"; then
    row ok "$(sum)"
  else
    failed "$(sum)"
  fi
  rm -rf "$dir"
}

# The build of here, whose logs are the place's: in $dir.
same_build() {
  made "$build" all helpers || return
  dir=$places/$place
  mkdir -p "$dir"
  ln -sfn "$build/ipcbox" "$build/helper" "$dir/"
}

no_ipv6() {
  same_build || return 0
  unshare --net --mount true 2>/dev/null || { skip "needs root, for namespaces" && return; }
  # shellcheck disable=SC2016,SC2046 # for that shell; words
  if in_log unshare --net --mount sh -euc '"$0/helper/lo-up"
    echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
    exec sh bats/helper/run.sh "$@"' "$build" "$dir" $(of '::1|need_ipv6|need_dns|lo-up'); then
    row ok "$(sum)"
  else
    failed "$(sum)"
  fi
}

# perl is removed from a copy of /usr/bin that nobody else sees.
no_perl() {
  same_build || return 0
  # shellcheck disable=SC2016 # for that shell
  hide='mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work &&
    mount -t overlay -o lowerdir=/usr/bin,upperdir=/mnt/upper,workdir=/mnt/work overlay /usr/bin && rm -f /usr/bin/perl*'
  unshare --mount sh -ec "$hide" 2>/dev/null || { skip "needs root, for a mount namespace, and overlayfs" && return; }
  # shellcheck disable=SC2046 # words
  if in_log unshare --mount sh -euc "$hide"'
    exec sh bats/helper/run.sh "$@"' "$build" "$dir" $(of perl); then
    row ok "$(sum)"
  else
    failed "$(sum)"
  fi
}

# Nothing can be written but what the tests are given: a TMPDIR, and their logs.
read_only() {
  same_build || return 0
  # shellcheck disable=SC2016 # for that shell
  only='mount -t tmpfs -o mode=1777 tmpfs /mnt && mount --bind "$0" "$0" && mount -o remount,bind,ro /'
  unshare --mount sh -ec "$only" "$places" 2>/dev/null || { skip "needs root, for a mount namespace" && return; }
  # shellcheck disable=SC2016,SC2086 # for that shell; words
  if in_log unshare --mount sh -euc "$only"'
    dir=$1
    shift
    TMPDIR=/mnt exec sh bats/helper/run.sh "$dir" "$@"' "$places" "$dir" \
    ${FILES:-$few bats/daemonize*.bats bats/mkfifo-sig*.bats bats/unixserver*.bats bats/install.bats}; then
    row ok "$(sum)"
  else
    failed "$(sum)"
  fi
}

# Of those that tell the time, not the ones that take it from the kernel, which is not told.
in_2040() {
  same_build || return 0
  has faketime || { skip "needs faketime" && return; }
  # shellcheck disable=SC2086 # words
  if in_log env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f '+14y' sh bats/helper/run.sh "$dir" \
    ${FILES:-bats/timeserver.bats bats/tcptime.bats bats/daemonize-rotate.bats bats/webget-retry.bats}; then
    row ok "$(sum)"
  else
    failed "$(sum)"
  fi
}

# of PATTERN: the files with such tests
of() {
  echo "${FILES:-$(grep -lE "$1" bats/*.bats)}"
}

[ $# -gt 0 ] || set -- i386-gcc i386-clang newest-gcc newest-clang armhf aarch64 riscv64 mipsel s390x packager locale no-ipv6 \
  no-perl read-only 2040 started
for place; do
  cd "$top"
  log=$places/$place.log
  : >"$log"
  case $place in
  i386-*) i386 "${place#*-}" ;;
  newest-*) newest "${place#*-}" ;;
  armhf) another arm-linux-gnueabihf-gcc qemu-arm "gcc-arm-linux-gnueabihf qemu-user" ;;
  aarch64) another aarch64-linux-gnu-gcc qemu-aarch64 "gcc-aarch64-linux-gnu qemu-user" ;;
  riscv64) another riscv64-linux-gnu-gcc qemu-riscv64 "gcc-riscv64-linux-gnu qemu-user" ;;
  mipsel) another mipsel-linux-gnu-gcc qemu-mipsel "gcc-mipsel-linux-gnu qemu-user" ;;
  s390x) another s390x-linux-gnu-gcc qemu-s390x "gcc-s390x-linux-gnu qemu-user" ;;
  no-ipv6) no_ipv6 ;;
  no-perl) no_perl ;;
  read-only) read_only ;;
  2040) in_2040 ;;
  packager) packager ;;
  locale) in_locales ;;
  started) started ;;
  *)
    echo "places: there is no place '$place'" >&2
    exit 1
    ;;
  esac
done
echo
cat "$table"
exit $bad
