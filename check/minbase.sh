#!/bin/sh
# minbase.sh BUILD [base]: the README's two commands, `make demo` and `make test`, as a new user has them: on a minimal Debian with
# a compiler and make, and nothing else. Then, as root, the tests that ask for other ids; and once more, as the user, the
# tests that ask for IPv6, namespaces, perl or /proc/sys, where there is none of these.
# Needs root, debootstrap, and this machine's sources of packages. The system is kept under BUILD/minbase; mounts and
# processes are in namespaces of our own. With `base`, makes only the system that is kept. Fails when a command fails, when
# fewer than 1,100 tests ran (with SLICE=K/N, see bats/helper/run.sh, the N-th part of half as many), or none of some applet's.
set -eu
export LC_ALL=C
build=$(readlink -f "$1")
least=1100
user=minbase-user uid=4321

. check/root.sh
alone "$@"
say() {
  echo "minbase: $*"
}
bad=0
complain() {
  echo "minbase: FAILED: $*" >&2
  bad=1
}

# ---- the system ----

# A copy of the base, with the sources in the user's home; in $root.
make_root() {
  copy_base
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
  mkdir -p "$root/.old"
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
  [ -z "${SLICE:-}" ] || least=$((least / 2 / ${SLICE#*/})) # some files have few tests, or ask for much
  [ "$n" -ge "$least" ] || complain "only $n tests ran, fewer than $least"
  for applet in applets/*.c; do
    name=$(basename "$applet" .c)
    [ -z "${SLICE:-}" ] || [ -e "$root$home/ipcbox/build/test.log/$name.tap" ] || continue
    [ "$(ran "$name" 2>/dev/null || echo 0)" -gt 0 ] || complain "no test of bats/$name.bats ran"
  done
}

# files PATTERN: the bats files that have such tests
files() {
  grep -lE "$1" bats/*.bats | paste -sd ' ' -
}

environment="PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/home/$user TERM=dumb"
[ -z "${JOBS:-}" ] || environment="$environment JOBS=$JOBS"
[ -z "${SLICE:-}" ] || environment="$environment SLICE=$SLICE"
[ -z "${BATS_TEST_TIMEOUT:-}" ] || environment="$environment BATS_TEST_TIMEOUT=$BATS_TEST_TIMEOUT"
[ -z "${http_proxy:-}" ] || environment="$environment http_proxy=$http_proxy"
[ -z "${https_proxy:-}" ] || environment="$environment https_proxy=$https_proxy"

say "a minimal system in $base"
if [ "${2:-}" = base ]; then
  [ -d "$base" ] || make_base
  exit 0
fi
make_root
say "make, make demo, as a user"
inside make -j "$(getconf _NPROCESSORS_ONLN)" all helpers >"$build/minbase/make.log" 2>&1 </dev/null || {
  cat "$build/minbase/make.log"
  complain "make"
}
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
