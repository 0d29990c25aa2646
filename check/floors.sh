#!/bin/sh
# floors.sh: a room of common/ includes only from itself and from those named here; applets include from common/ only.
set -eu
export LC_ALL=C
may_include() {
  case $1 in
  base) echo "" ;;
  cli | io) echo "base" ;;
  process) echo "base cli io" ;;
  box) echo "base cli process" ;;
  pipe | daemon | net) echo "base cli io process" ;;
  serve) echo "base cli io process net" ;;
  status) echo "base cli io process net" ;;
  sysv) echo "base cli process" ;;
  redis) echo "base cli io process net" ;;
  ipc) echo "base cli io process net sysv redis" ;;
  *) echo unknown ;;
  esac
}
bad=0
complain() {
  echo "floors: $1" >&2
  bad=1
}
# the includes of a file, one a line, except those that the Makefile makes
includes() {
  sed -n 's/^#include "\(.*\)"$/\1/p' "$1" | grep -vxE 'registry\.h|completion\.h' || :
}
for file in common/*/*.[ch]; do
  room=$(basename "$(dirname "$file")")
  allowed=$(may_include "$room")
  [ "$allowed" != unknown ] || complain "$file: check/floors.sh has no room $room"
  for included in $(includes "$file"); do
    case " $room $allowed " in
    *" ${included%/*} "*) [ -e "common/$included" ] || complain "$file includes $included, which is not there" ;;
    *) complain "$file includes $included; $room may include from: $allowed" ;;
    esac
  done
done
for file in applets/*.c; do
  for included in $(includes "$file"); do
    [ -e "common/$included" ] || complain "$file includes $included, which is not in common/"
  done
done
for room in common/*/; do
  [ "$room" = common/completion/ ] || [ -e "${room}README.md" ] || complain "${room}README.md is missing"
done
# every header stands on its own
for header in common/*/*.h; do
  echo "#include \"${header#common/}\"" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Werror -Icommon -fsyntax-only -x c - ||
    complain "$header does not compile by itself"
done
exit $bad
