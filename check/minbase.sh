#!/bin/sh
# minbase.sh BUILD: the README's two commands, `make demo` and `make test`, as a new user has them: on a minimal Debian with
# a compiler and make, and nothing else. Then, as root, the tests that ask for other ids; and once more, as the user, the
# tests that ask for IPv6, namespaces, perl or /proc/sys, where there is none of these.
# Needs root, debootstrap, and this machine's sources of packages. The system is kept under BUILD/minbase; mounts and
# processes are in namespaces of our own. Fails when a command fails, when fewer than 1,100 tests ran, or none of some applet's.
set -eu
export LC_ALL=C
build=$(readlink -f "$1")
base=$build/minbase/base
least=1100
user=minbase-user uid=4321

[ "$(id -u)" -eq 0 ] || {
  echo "minbase: needs root" >&2
  exit 1
}
if [ -z "${IPCBOX_MINBASE:-}" ]; then
  # of processes, too, so that none is left, however this ends
  IPCBOX_MINBASE=1 exec unshare --mount --propagation private --pid --fork --kill-child -- sh "$0" "$@"
fi
trap 'exit 130' INT TERM
say() {
  echo "minbase: $*"
}
bad=0
complain() {
  echo "minbase: FAILED: $*" >&2
  bad=1
}

# ---- the system ----

# "URI SUITE COMPONENT" of each source of this machine's own release
sources() {
  # shellcheck disable=SC2016 # apt's words
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v own="$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" 'index($2, own) == 1' | sort -u
}

# What a root needs so that it gets packages as this machine does. The system's own keys are in it.
configure_apt() {
  sources | sed 's/^/deb /' >"$1/etc/apt/sources.list"
  apt-config dump | grep -iE '^Acquire::[a-z:./0-9_-]*(proxy|verify-peer|verify-host|cainfo)' >"$1/etc/apt/apt.conf.d/90host" || :
  cat /etc/resolv.conf >"$1/etc/resolv.conf"
  cp /etc/hosts "$1/etc/hosts"
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

make_base() {
  # shellcheck disable=SC2046 # words
  set -- $(sources | awk '$3 == "main"' | grep -v -- '[-/]security\|-updates' | head -n 1)
  [ $# -eq 3 ] || {
    echo "minbase: apt knows no source of this release" >&2
    exit 1
  }
  proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -z "$proxy" ] || [ "$proxy" = DIRECT ] || export http_proxy="${http_proxy:-$proxy}"
  rm -rf "$base" "$base.new"
  mkdir -p "$base.new"
  debootstrap --variant=minbase --include=gcc,libc6-dev,make,ca-certificates "$2" "$base.new" "$1" \
    >"$build/minbase/log" 2>&1 || {
    tail -n 20 "$build/minbase/log"
    exit 1
  }
  mv "$base.new" "$base"
}

# A copy of it, which goes when we do, with the sources in the user's home; in $root.
make_root() {
  root=$build/minbase/root
  mkdir -p "$root"
  mount -t tmpfs -o mode=755 minbase "$root"
  mkdir "$root/upper" "$root/work" "$root/all"
  if mount -t overlay -o "lowerdir=$base,upperdir=$root/upper,workdir=$root/work" overlay "$root/all" 2>/dev/null; then
    root=$root/all
  else
    cp -a "$base/." "$root/all"
    root=$root/all
    mount --bind "$root" "$root" # a mount point, for pivot_root
  fi
  configure_apt "$root"
  echo "$user:x:$uid:$uid::/home/$user:/bin/bash" >>"$root/etc/passwd"
  echo "$user:x:$uid:" >>"$root/etc/group"
  home=/home/$user
  mkdir -p "$root$home/ipcbox"
  if git rev-parse HEAD >/dev/null 2>&1; then
    git archive HEAD | tar -x -C "$root$home/ipcbox"
  else
    tar -c --exclude=./build . | tar -x -C "$root$home/ipcbox"
  fi
  chown -R "$uid:$uid" "$root$home"
  mkdir -p "$root/proc" "$root/dev" "$root/.old"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
}

# inside [-r] COMMAND...: runs it there as the user (-r: as root). With pivot_root: in a mere chroot there are no user
# namespaces.
inside() {
  as="setpriv --reuid $uid --regid $uid --clear-groups"
  [ "$1" != -r ] || {
    as=
    shift
  }
  # shellcheck disable=SC2016,SC2086 # for that shell; words
  unshare --mount sh -euc 'cd "$1" && shift
    pivot_root . .old
    umount -l /.old
    cd "$1/ipcbox" && shift
    exec "$@"' sh "$root" "$home" $as env -i $environment "$@"
}

# without COMMAND...: runs it there as the user where there is no network, no IPv6, no user namespace (it is a mere chroot),
# no perl, and /proc/sys can't be written.
without() {
  # shellcheck disable=SC2016,SC2086 # for that shell; words
  unshare --mount --net sh -euc 'cd "$1"
    chroot . "$2/ipcbox/build/helper/lo-up"
    echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    rm -f usr/bin/perl*
    root=$1 home=$2
    shift 2
    exec chroot "$root" sh -c "cd $home/ipcbox && exec \"\$@\"" sh "$@"' sh "$root" "$home" \
    setpriv --reuid "$uid" --regid "$uid" --clear-groups env -i $environment "$@"
}

# ---- what ran ----

# ran [FILE...]: how many tests were not skipped, by the logs of the last run
ran() {
  find "$root$home/ipcbox/build/test.log" -name "${1:-*}.tap" -exec cat {} + | grep '^ok ' | grep -vc ' # skip' || :
}

check_counts() {
  n=$(ran)
  say "$n tests ran as a user"
  [ "$n" -ge "$least" ] || complain "only $n tests ran, fewer than $least"
  for applet in applets/*.c; do
    name=$(basename "$applet" .c)
    [ "$(ran "$name" 2>/dev/null || echo 0)" -gt 0 ] || complain "no test of bats/$name.bats ran"
  done
}

# files PATTERN: the bats files that have such tests
files() {
  grep -lE "$1" bats/*.bats | paste -sd ' ' -
}

environment="PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/home/$user TERM=dumb"
[ -z "${JOBS:-}" ] || environment="$environment JOBS=$JOBS"
[ -z "${http_proxy:-}" ] || environment="$environment http_proxy=$http_proxy"
[ -z "${https_proxy:-}" ] || environment="$environment https_proxy=$https_proxy"

say "a minimal system in $base"
[ -d "$base" ] || make_base
make_root
say "make demo, as a user"
inside make demo >"$build/minbase/demo.log" 2>&1 </dev/null || {
  cat "$build/minbase/demo.log"
  complain "make demo"
}
say "make test, as a user"
inside make test || complain "make test"
check_counts

for_ids='need_root|need_other_user|need_own_hosts|need_dns|as_nobody'
say "make test as root, of the tests that ask for other ids"
inside -r env IPCBOX_ONLY="$for_ids" make test BATS_FLAGS='--filter-tags !long' TESTS="$(files "$for_ids")" ||
  complain "make test as root"
say "$(ran) tests ran as root"
for_less='need_ipv6|in_namespace|unshare|/proc/sys|::1|perl'
say "make test, as a user: no IPv6, no user namespaces, no perl, no writable /proc/sys; of the tests that might miss them"
chown -R "$uid:$uid" "$root$home"
without env IPCBOX_ONLY="$for_less" make test BATS_FLAGS='--filter-tags !long' TESTS="$(files "$for_less")" ||
  complain "make test without IPv6, perl"
say "$(ran) tests ran there"
[ $bad -eq 0 ] || exit 1
say "all is well"
