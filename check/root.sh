# root.sh - for minbase.sh and package.sh, which read it from the top of the source, with $build set: a minimal Debian with a
# compiler and make, $base (BUILD/minbase/base), which is made once and kept; and a copy of it, $root, which goes when the
# script does. Needs root, debootstrap, and this machine's sources of packages.
# shellcheck shell=sh disable=SC2154 # $build
base=$build/minbase/base

# alone ARG...: in namespaces of our own, of processes, too, so that nothing is left, however this ends; ARGs are the script's.
alone() {
  [ "$(id -u)" -eq 0 ] || {
    echo "${0##*/}: needs root" >&2
    exit 1
  }
  if [ -z "${IPCBOX_ALONE:-}" ]; then
    IPCBOX_ALONE=1 exec unshare --mount --propagation private --pid --fork --kill-child -- sh "$0" "$@"
  fi
  trap 'exit 130' INT TERM
}

# "URI SUITE COMPONENT" of each source of this machine's own release
sources() {
  # shellcheck disable=SC2016 # apt's words
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v own="$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" 'index($2, own) == 1' | sort -u
}

# configure_apt ROOT: what it needs so that it gets packages as this machine does. The system's own keys are in it.
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
    echo "${0##*/}: apt knows no source of this release" >&2
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

# A copy of the base, which is made first if it is not there.
copy_base() {
  [ -d "$base" ] || make_base
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
  mkdir -p "$root/proc" "$root/dev"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
}
