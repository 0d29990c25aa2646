#!/bin/sh
# floors.sh: a module of common/ includes only from floors below its own, and applets only from common/.
set -eu
floor_of() {
  case $1 in
  buf | exitcode | fd | heap | http | kinds | msg | nearest | num | rfc868 | signum | sntp | table | version | words) echo 0 ;;
  addr | clock | date | env | notify | opts | opts_help | procs | progress | proxy | sigs | sysv | udp | user) echo 1 ;;
  family | lock | logfile | pty | reap | rules | spawn | ucspi) echo 2 ;;
  fifo | job | pidfile | resolve | relay | sem) echo 3 ;;
  client | coproc | coproc_relay | monitor | monitor_start | dial | listen | probe | serve | serve_conn | serve_loop | serve_setup | serve_start | talk | timetell) echo 4 ;;
  applet | complete | install | main | toolbox) echo 5 ;;
  completion | registry) echo 0 ;;
  *) echo unknown ;;
  esac
}
bad=0
complain() {
  echo "floors: $1" >&2
  bad=1
}
for file in common/*.[ch]; do
  module=$(basename "$file" | sed 's/\.[ch]$//')
  own=$(floor_of "$module")
  [ "$own" != unknown ] || complain "$file: no floor is named for it in check/floors.sh"
  # shellcheck disable=SC2013 # one word a line
  for included in $(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file"); do
    other=$(floor_of "$included")
    [ "$included" = "$module" ] && continue
    if [ "$other" = unknown ]; then
      complain "$file includes $included.h, which is no module"
    elif [ "$other" -gt "$own" ]; then
      complain "$file (floor $own) includes $included.h (floor $other)"
    fi
  done
done
for file in applets/*.c; do
  # shellcheck disable=SC2013 # one word a line
  for included in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
    [ -e "common/$included" ] || complain "$file includes $included, which is not in common/"
  done
done
# no cycles: every header stands on its own
for header in common/*.h; do
  echo "#include \"$(basename "$header")\"" | ${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Werror -Icommon -fsyntax-only -x c - ||
    complain "$header does not compile by itself"
done
exit $bad
