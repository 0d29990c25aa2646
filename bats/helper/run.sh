#!/bin/sh
# run.sh BUILD [FILE...]: runs the bats tests (all by default) against BUILD/ipcbox, JOBS (1) files at once. Where bats
# isn't installed, puts a copy under BUILD/ first, from Debian's package or from npm, without root and without a change
# to the system.
set -eu
build=$(readlink -f "$1")
shift
[ $# -gt 0 ] || set -- bats/*.bats

# From Debian's package: downloaded and unpacked only. Lists of packages that this machine may lack are fetched, too,
# but into our own directory.
unpack_package() {
  private="-o Dir::State=$PWD/state -o Dir::Cache=$PWD/cache -o Debug::NoLocking=1 -o APT::Sandbox::User="
  mkdir -p state/lists/partial cache/archives/partial
  # shellcheck disable=SC2086 # words
  apt-get download bats >/dev/null 2>&1 ||
    { apt-get $private update && apt-get $private download bats; } >/dev/null 2>&1 || return
  dpkg-deb -x bats_*.deb root
}

fetch_bats() {
  mkdir -p "$build/bats.tmp"
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && (cd "$build/bats.tmp" && unpack_package); then
    mv "$build/bats.tmp/root/usr" "$build/bats.copy"
    return
  fi
  if command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --prefix "$build/bats.tmp" bats >/dev/null
    mkdir -p "$build/bats.copy"
    cp -R "$build/bats.tmp/node_modules/bats/." "$build/bats.copy/"
    return
  fi
  echo "make test: bats is not installed, and neither apt-get nor npm could bring a copy" >&2
  exit 1
}

if command -v bats >/dev/null; then
  bats=bats
else
  if [ ! -x "$build/bats.copy/bin/bats" ]; then
    echo "make test: bats is not installed; putting a copy into $build/bats.copy"
    fetch_bats
    rm -rf "$build/bats.tmp"
  fi
  bats=$build/bats.copy/bin/bats
  # Debian's bats looks for its parts under /usr
  [ ! -d "$build/bats.copy/lib/bats-core" ] || export BATS_ROOT="$build/bats.copy"
fi

IPCBOX=$(readlink -f "$build/ipcbox")
# The watchdog does what BATS_TEST_TIMEOUT would need ps or pkill for.
IPCBOX_WATCHDOG=${BATS_TEST_TIMEOUT:-120}
export IPCBOX IPCBOX_WATCHDOG
unset BATS_TEST_TIMEOUT
watchdog="$build/helper/watchdog -t $IPCBOX_WATCHDOG"
if [ "${JOBS:-1}" -le 1 ] || [ $# -eq 1 ]; then
  # shellcheck disable=SC2086 # the options are words
  exec $watchdog "$bats" ${BATS_FLAGS:-} "$@"
fi

# Several files at once, the largest first; what they say comes at the end, in their order.
log=$build/test.log
rm -rf "$log"
mkdir -p "$log"
status=0
# shellcheck disable=SC2016,SC2011,SC2086 # our own names; words
ls -S "$@" | $watchdog xargs -P "$JOBS" -I FILE \
  sh -c 'name=${1##*/} && exec "$2" $3 "$1" >"$4/${name%.bats}" 2>&1' run FILE "$bats" "${BATS_FLAGS:-}" "$log" ||
  status=1
cat "$log"/*
exit $status
