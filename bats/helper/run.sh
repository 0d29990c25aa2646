#!/bin/sh
# run.sh BUILD [FILE...]: runs the bats tests (all by default) against BUILD/ipcbox. Where bats isn't installed, puts
# a copy under BUILD/ first, from Debian's package or from npm, without root and without a change to the system.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- bats/*.bats

fetch_bats() {
  mkdir -p "$build/bats.tmp"
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    # as nobody in particular: download and unpack only
    if (cd "$build/bats.tmp" && apt-get download bats >/dev/null 2>&1 && dpkg-deb -x bats_*.deb root); then
      mv "$build/bats.tmp/root/usr" "$build/bats.copy"
      return
    fi
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
  bats=$PWD/$build/bats.copy/bin/bats
  # Debian's bats looks for its parts under /usr
  [ ! -d "$build/bats.copy/lib/bats-core" ] || export BATS_ROOT="$PWD/$build/bats.copy"
fi

IPCBOX=$(readlink -f "$build/ipcbox") BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120} exec "$bats" ${BATS_FLAGS:-} "$@"
