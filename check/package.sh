#!/bin/sh
# package.sh BUILD: Debian's packages (`make deb`) as a user has them. lintian has no word against them; whatever package of
# Debian has one of our names is among the conflicts of ipcbox-links; on a minimal Debian they are installed, used for the
# first three recipes of the cookbook, upgraded and removed, and nothing is left; ipcbox-links gives way to a package that has
# its names, and ipcbox stays; the tests of the package pass there (autopkgtest). QUICK=1: without those of the whole source,
# which take minutes.
# Needs root, debootstrap, and this machine's sources of packages; what else is missing is named. Fails if something does.
set -eu
export LC_ALL=C
umask 022
mkdir -p "$1/minbase"
build=$(readlink -f "$1")
deb=$build/deb
. check/root.sh
alone "$@"
say() {
  echo "package: $*"
}
bad=0
complain() {
  echo "package: FAILED: $*" >&2
  bad=1
}
# have COMMAND PACKAGE
have() {
  command -v "$1" >/dev/null && return
  complain "there is no $1 (Debian: apt-get install $2)"
  return 1
}
quietly() {
  "$@" >"$deb/package.log" 2>&1 </dev/null || {
    tail -n 20 "$deb/package.log" >&2
    return 1
  }
}

# The packages once more, as of the next revision: what was compiled stays.
next_version() {
  version=$(dpkg-parsechangelog -l contrib/debian/changelog -S Version)
  next=${version%-*}-99
  (
    cd "$deb/ipcbox-${version%-*}"
    rm -r debian
    cp -R contrib/debian debian
    { sed "s/($version)/($next)/; /^ -- /q" debian/changelog && echo && cat contrib/debian/changelog; } >debian/changelog.new
    mv debian/changelog.new debian/changelog
    quietly dpkg-buildpackage -us -uc -b -nc
  )
}

check_conflicts() {
  have apt-file apt-file || return 0
  names=$("$deb/ipcbox-${version%-*}/build/ipcbox" --list | paste -sd '|' -)
  found=$(apt-file -x search "^/(usr/)?(s?bin|games)/($names)\$" 2>/dev/null | sed 's/:.*//' | grep -v '^ipcbox' | sort -u) || :
  [ -n "$found" ] || complain "apt-file finds nothing, not even ucspi-tcp: apt-file update"
  known=$(dpkg-deb -f "$deb/ipcbox-links_${version}_all.deb" Conflicts | tr ',' '\n' | tr -d ' ' | sort)
  [ "$found" = "$known" ] || complain "our names are in:
$found
and ipcbox-links conflicts with:
$known"
}

inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}
# What is in the system, but for what apt and dpkg write down of all that they do
state() {
  (
    cd "$root"
    find . -xdev \( -path ./proc -o -path ./dev -o -path ./debs -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o \
      -path './var/lib/dpkg/*-old' -o -path ./var/lib/dpkg/lock \) -prune -o -printf '%p %M %U:%G %l\n' | sort
    find usr etc -type f -exec sha256sum {} + | sort -k 2
  ) >"$1"
}
# packages VERSION: as the root has them
packages() {
  echo "/debs/ipcbox_$1_$(dpkg --print-architecture).deb /debs/ipcbox-links_$1_all.deb"
}
# shellcheck disable=SC2016 # dpkg-query's words
is_installed() {
  [ "$(inside dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null)" = "ii $2" ]
}

# recipe N: the commands to try the Nth recipe of the cookbook, as the package has it, print what the page shows.
recipe() {
  doc=$root/usr/share/doc/ipcbox
  awk -v which="$1" '/^## / { n++ } n == which && /^```/ { inside = $0 == "```console"; next } n == which && inside' \
    "$doc/cookbook.md" >"$deb/recipe"
  grep '^\$ ' "$deb/recipe" | sed 's/^..//' >"$root/home/recipes/try"
  grep -v '^\$ ' "$deb/recipe" >"$deb/recipe.shown"
  [ -s "$root/home/recipes/try" ] || complain "there is no recipe $1"
  inside sh -c 'cd /home/recipes && REDIS_URL=unix:///run/redis.socket exec sh ./try' >"$deb/recipe.printed" </dev/null || :
  diff "$deb/recipe.shown" "$deb/recipe.printed" || complain "recipe $1"
}

# The first three, in a copy of the examples, and a Redis server for the second: one that remembers who has a lock, as one that may
# have forgotten grants none in its first half minute.
recipes() {
  mkdir "$root/home/recipes"
  cp -R "$root/usr/share/doc/ipcbox/examples" "$root/home/recipes"
  quietly inside daemonize -p /run/redis.pid redis-server --port 0 --unixsocket /run/redis.socket \
    --dir /home/recipes --appendonly yes || complain "redis-server"
  quietly inside waitfor -t 60 unix /run/redis.socket || complain "no Redis server"
  for n in 1 2 3; do recipe $n; done
  quietly inside daemonize --stop -p /run/redis.pid || complain "redis-server cannot be stopped"
  rm -r "$root/home/recipes"
}

life() {
  mkdir "$root/debs"
  cp "$deb"/*.deb "$root/debs"
  configure_apt "$root"
  quietly inside apt-get update || complain "apt-get update"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # the server is ours to start
  chmod +x "$root/usr/sbin/policy-rc.d"
  quietly inside apt-get install -y --no-install-recommends redis-server || complain "redis-server cannot be installed"
  state "$deb/before"
  say "install"
  # shellcheck disable=SC2046 # words
  quietly inside apt-get install -y --no-install-recommends $(packages "$version") || complain "install"
  for name in $(inside ipcbox --list); do
    [ "$(inside "$name" --version)" = "$(inside "ipc-$name" --version)" ] || complain "$name"
  done
  # shellcheck disable=SC2016 # for that shell
  [ "$(inside withserver tcpserver -1 127.0.0.1 0 tr a-z A-Z ::: sh -c 'echo hello | tcpclient 127.0.0.1 $PORT')" = HELLO ] ||
    complain "a server and its client"
  say "the first three recipes of the cookbook"
  recipes

  say "upgrade, under a daemon"
  quietly inside daemonize -p /run/sleep.pid -P /run/monitor.pid sleep 600 || complain "daemonize"
  # shellcheck disable=SC2046 # words
  quietly inside apt-get install -y --no-install-recommends $(packages "$next") || complain "upgrade"
  for package in ipcbox ipcbox-links; do
    is_installed "$package" "$next" || complain "$package is not upgraded"
  done
  quietly inside daemonize --status -p /run/sleep.pid || complain "the daemon has not survived the upgrade"
  quietly inside daemonize --stop -p /run/sleep.pid || complain "the daemon cannot be stopped"

  say "remove"
  quietly inside apt-get remove -y ipcbox ipcbox-links || complain "remove"
  state "$deb/removed"
  diff "$deb/before" "$deb/removed" || complain "something is left"
  # shellcheck disable=SC2046 # words
  quietly inside apt-get install -y --no-install-recommends $(packages "$next") || complain "a second installation"

  say "beside a package with the same names"
  quietly inside apt-get install -y --no-install-recommends daemonize || complain "daemonize cannot be installed"
  ! is_installed ipcbox-links "$next" || complain "ipcbox-links is still there, beside daemonize"
  is_installed ipcbox "$next" || complain "ipcbox is gone, too"
  [ "$(inside ipc-daemonize --version)" = "$(inside ipcbox daemonize --version)" ] || complain "ipc-daemonize"
  quietly inside apt-get purge -y ipcbox ipcbox-links daemonize || complain "purge"
  state "$deb/purged"
  diff "$deb/before" "$deb/purged" || complain "something is left"
}

autopkgtests() {
  have autopkgtest autopkgtest || return 0
  rm -rf "$deb/autopkgtest"
  # shellcheck disable=SC2046 # words
  autopkgtest -B -o "$deb/autopkgtest" ${QUICK:+--test-name=installed} "$deb/ipcbox_$version.dsc" \
    "$deb/ipcbox_${version}_$(dpkg --print-architecture).deb" "$deb/ipcbox-links_${version}_all.deb" \
    --env=JOBS="${JOBS:-}" --timeout-test=7200 -- chroot "$root" >"$deb/autopkgtest.log" 2>&1 </dev/null ||
    complain "autopkgtest"
  if [ -s "$deb/autopkgtest/summary" ]; then cat "$deb/autopkgtest/summary"; else tail -n 20 "$deb/autopkgtest.log"; fi
}

say "the packages"
sh contrib/deb.sh "$build"
next_version || complain "the next version cannot be built"
if have lintian lintian; then
  say "lintian"
  lintian --allow-root --fail-on error,warning "$deb/ipcbox_${version}_"*.changes || complain "lintian"
fi
check_conflicts
say "a minimal system"
copy_base
life
say "the tests of the package"
autopkgtests
[ $bad -eq 0 ] || exit 1
say "all is well"
