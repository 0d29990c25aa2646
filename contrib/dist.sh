#!/bin/sh
# dist.sh BUILD: what `make dist` does, from the top of a git clone: BUILD/dist/ipcbox-VERSION.tar.gz, the source as it is
# committed, and SHA256SUMS. The same commit gives the same bytes, in every directory and for every user: times are the
# commit's, and neither the umask nor git's configuration has a say.
set -eu
export LC_ALL=C
umask 022
dist=$1/dist

die() {
  echo "dist: $*" >&2
  exit 1
}
command -v git >/dev/null || die "needs git"
git rev-parse -q --verify HEAD >/dev/null || die "needs a git clone: the tarball is made from a commit"
[ -z "$(git status --porcelain --untracked-files=no)" ] || echo "dist: what is not committed is left out" >&2
version=$(git show HEAD:common/base/version.h | sed -n 's/.*IPCBOX_VERSION "\(.*\)"/\1/p')
[ -n "$version" ] || die "common/base/version.h has no version"

name=ipcbox-$version
rm -rf "$dist"
mkdir -p "$dist"
git -c tar.umask=0022 -c core.autocrlf=false -c core.eol=lf -c core.attributesFile=/dev/null \
  archive --format=tar --prefix="$name/" -o "$dist/$name.tar" HEAD
gzip -n -9 "$dist/$name.tar" # -n: without a name and a time
cd "$dist"
sha256sum "$name.tar.gz" >SHA256SUMS
echo "$dist/$name.tar.gz"
