#!/bin/sh
# deb.sh BUILD: what `make deb` does: Debian's packages, and the source package that they are made of, in BUILD/deb, from
# the tarball of dist.sh and contrib/debian. Needs dpkg-dev and debhelper.
set -eu
export LC_ALL=C
build=$1
for command in dpkg-buildpackage dh; do
  command -v "$command" >/dev/null || {
    echo "deb: there is no $command (Debian: apt-get install dpkg-dev debhelper)" >&2
    exit 1
  }
done
tarball=$(sh contrib/dist.sh "$build")
version=${tarball##*/ipcbox-}
version=${version%.tar.gz}
rm -rf "$build/deb"
mkdir -p "$build/deb"
cp "$tarball" "$build/deb/ipcbox_$version.orig.tar.gz"
cd "$build/deb"
tar -xf "ipcbox_$version.orig.tar.gz"
cd "ipcbox-$version"
cp -R contrib/debian debian
case $(dpkg-parsechangelog -S Version) in
"$version"-*) ;;
*)
  echo "deb: contrib/debian/changelog is about $(dpkg-parsechangelog -S Version), not $version" >&2
  exit 1
  ;;
esac
# a make above has its own jobs, flags and directory
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
dpkg-buildpackage -us -uc "-J${JOBS:-auto}" >../build.log 2>&1 || {
  tail -n 30 ../build.log
  exit 1
}
cd ..
ls -- *.deb
