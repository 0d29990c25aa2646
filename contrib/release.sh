#!/bin/sh
# release.sh BUILD [ARCH...]: what `make release` does: BUILD/release has the tarball of dist.sh, a static binary for each
# machine (x86_64, aarch64, armhf, riscv64), and SHA256SUMS. Each binary is built twice from the tarball, in two
# directories, which must give the same bytes, and is tried under qemu-user (check/uses.sh). The bytes are those of a
# release if compiler, linker and C library are, which are in TOOLS.
#
# The C library is musl, built here for each machine (BUILD/musl, kept) from Debian's source package, or from
# MUSL_SOURCE=DIRECTORY. A machine whose compiler or emulator is missing is left out; it is named, and the status is 1.
# shellcheck disable=SC2317 # what `quietly` calls
set -eu
export LC_ALL=C
umask 022
mkdir -p "$1"
build=$(readlink -f "$1")
shift
[ $# -gt 0 ] || set -- x86_64 aarch64 armhf riscv64
release=$build/release musl=$build/musl
bad=0
# a make above has its own flags
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

complain() {
  echo "release: $*" >&2
  bad=1
}
quietly() {
  "$@" >"$build/release.log" 2>&1 || {
    tail -n 20 "$build/release.log" >&2
    return 1
  }
}

# machine ARCH: sets $triplet, as compilers have it, and $qemu
machine() {
  case $1 in
  x86_64) triplet=x86_64-linux-gnu qemu=x86_64 package=gcc ;;
  aarch64) triplet=aarch64-linux-gnu qemu=aarch64 package=gcc-aarch64-linux-gnu ;;
  armhf) triplet=arm-linux-gnueabihf qemu=arm package=gcc-arm-linux-gnueabihf ;;
  riscv64) triplet=riscv64-linux-gnu qemu=riscv64 package=gcc-riscv64-linux-gnu ;;
  *)
    complain "unknown machine '$1': expected x86_64, aarch64, armhf or riscv64"
    return 1
    ;;
  esac
  command -v "$triplet-gcc" >/dev/null || {
    complain "$1 is left out: there is no $triplet-gcc (Debian: apt-get install $package)"
    return 1
  }
  qemu=$(command -v "qemu-$qemu-static" "qemu-$qemu" | head -n 1) || :
  [ -n "$qemu" ] || {
    complain "$1 is left out: it could not be tried (Debian: apt-get install qemu-user-static)"
    return 1
  }
}

# Debian's source package, by lists of our own: this machine's may lack those of sources.
fetch_musl() {
  mkdir -p "$musl/apt/lists/partial" "$musl/apt/archives/partial"
  # shellcheck disable=SC2016 # apt's words
  apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' "Codename: $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" 'Component: main' |
    sort -u >"$musl/apt/sources.list"
  own="-o Dir::State=$musl/apt -o Dir::Cache=$musl/apt -o Dir::Etc::SourceList=$musl/apt/sources.list
    -o Dir::Etc::SourceParts=/dev/null -o Debug::NoLocking=1 -o APT::Sandbox::User="
  # shellcheck disable=SC2086 # words
  (cd "$musl/apt" && apt-get $own update && apt-get $own --only-source source musl && mv musl-*/ "$musl/source")
}

# make_musl ARCH: a musl-gcc for it, in $musl/ARCH
make_musl() {
  [ ! -x "$musl/$1/bin/musl-gcc" ] || return 0
  source=${MUSL_SOURCE:-$musl/source}
  [ -x "$source/configure" ] || quietly fetch_musl || {
    complain "there is no source of musl: MUSL_SOURCE=DIRECTORY names one"
    return 1
  }
  rm -rf "$musl/$1.tmp"
  mkdir -p "$musl/$1.tmp"
  (cd "$musl/$1.tmp" && quietly "$source/configure" --target="${triplet%%-*}-linux-musl" --prefix="$musl/$1" --disable-shared \
    --enable-wrapper=gcc CC="$triplet-gcc" AR="$triplet-ar" RANLIB="$triplet-ranlib" CFLAGS="-ffile-prefix-map=$source=." &&
    quietly make -s -j"${JOBS:-1}" install) || return 1
  rm -rf "$musl/$1.tmp"
}

# binary ARCH DIRECTORY: builds it in DIRECTORY
binary() {
  mkdir -p "$2"
  tar -x -C "$2" --strip-components=1 -f "$release/$name.tar.gz"
  quietly make -s -C "$2" -j"${JOBS:-1}" STATIC_CC="$musl/$1/bin/musl-gcc" static
}

one() {
  machine "$1" && make_musl "$1" || return 0
  echo "release: $1"
  work=$build/release.tmp
  rm -rf "$work"
  if ! binary "$1" "$work/one" || ! binary "$1" "$work/another which is longer"; then
    complain "$1: cannot be built"
    return 0
  fi
  cmp "$work/one/build/static/ipcbox" "$work/another which is longer/build/static/ipcbox" ||
    complain "$1: two builds differ"
  cp "$work/one/build/static/ipcbox" "$release/$name-$1"
  rm -rf "$work"
  sh check/uses.sh "$qemu" "$release/$name-$1" || complain "$1: does not work under ${qemu##*/}"
  echo "$1: $("$triplet-gcc" --version | head -n 1); $("$triplet-ld" --version | head -n 1)" >>"$release/TOOLS"
}

rm -rf "$release"
mkdir -p "$release"
tarball=$(sh contrib/dist.sh "$build")
cp "$tarball" "$release/"
name=${tarball##*/}
name=${name%.tar.gz}
for arch; do
  one "$arch"
done
[ ! -f "$release/TOOLS" ] || echo "musl $(cat "${MUSL_SOURCE:-$musl/source}/VERSION")" >>"$release/TOOLS"
(cd "$release" && sha256sum "$name"* >SHA256SUMS && cat SHA256SUMS)
exit $bad
