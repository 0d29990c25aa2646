# What is published: `make dist`, and the recipes for packages, which have the version of the source.

load helper/common

setup() {
  common_setup
  top=$BATS_TEST_DIRNAME/..
  version=$("$IPCBOX" --version | sed 's/.* //')
}

teardown() {
  common_teardown
}

# git's configuration is the test's own
git() {
  HOME=$PWD GIT_CONFIG_NOSYSTEM=1 command git -c user.name=somebody -c user.email=somebody@example.org "$@"
}

# A small repository with what dist.sh reads.
make_clone() {
  need git git
  command git init -q one
  mkdir -p one/contrib one/common/base
  cp "$top/contrib/dist.sh" one/contrib/
  cp "$top/common/base/version.h" one/common/base/
  printf 'a line\n' >one/text
  git -C one add .
  git -C one commit -q -m 'all of it'
}

dist() {
  (cd "$1" && HOME=$PWD/.. GIT_CONFIG_NOSYSTEM=1 sh contrib/dist.sh build)
}

@test "make dist: the same bytes in another directory, under another umask, clock and configuration, and their checksum" {
  make_clone
  run -0 dist one
  [ "$output" = "build/dist/ipcbox-$version.tar.gz" ]
  git clone -q one 'another, which is longer'
  git config --file .gitconfig core.autocrlf true
  git config --file .gitconfig tar.umask 077
  umask 077
  TZ=Asia/Tokyo run -0 dist 'another, which is longer'
  umask 022
  cmp {one,another*}/build/dist/"ipcbox-$version.tar.gz"
  (cd one/build/dist && sha256sum -c SHA256SUMS)
  [ "$(find one/build/dist -type f | wc -l)" -eq 2 ]
}

@test "make dist: everything is in one directory, as it is committed; what is not is left out, with a warning" {
  make_clone
  echo changed >one/text
  echo new >one/file
  run -0 --separate-stderr dist one
  [ "$stderr" = "dist: what is not committed is left out" ]
  tar -xf "one/$output"
  [ "$(cat "ipcbox-$version/text")" = 'a line' ]
  [ ! -e "ipcbox-$version/file" ]
  [ "$(stat -c %a "ipcbox-$version/text")" = 644 ]
  [ "$(stat -c %Y "ipcbox-$version/text")" = "$(git -C one log -1 --format=%ct)" ]
}

@test "make dist outside of a clone says what it needs" {
  need git git
  mkdir -p one/contrib
  cp "$top/contrib/dist.sh" one/contrib/
  GIT_CEILING_DIRECTORIES=$PWD run -1 dist one
  [ "${lines[-1]}" = "dist: needs a git clone: the tarball is made from a commit" ]
}

@test "the recipes for packages have the version of the source" {
  [ "$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' "$top/contrib/debian/changelog")" = "$version" ]
  grep -qE "^Version: +${version//./\\.}$" "$top/contrib/ipcbox.spec"
  grep -qx "pkgver=$version" "$top/contrib/APKBUILD"
  grep -q "/ipcbox-$version\.tar\.gz " "$top/docs/testing.md"
}

@test "the spec file has no errors" {
  need rpmlint rpmlint
  need rpm rpm
  run -0 rpmlint "$top/contrib/ipcbox.spec"
  [[ $output == *' 1 specfiles checked; 0 errors, '* ]]
}
