#!/bin/sh
# analyse.sh BUILD [gcc] [scan-build] [cppcheck] [valgrind]: analysers that take longer than the linters of `make check`, which
# has the first of them; all without. A suppression has its reason beside it: in check/accepted for gcc, in .clang-tidy for
# clang-tidy, in a comment of the code for the others. clang-tidy, also with the checks of scan-build, is in `make check`.
set -eu
export LC_ALL=C
build=$1
shift
[ $# -gt 0 ] || set -- gcc scan-build cppcheck valgrind
jobs=$(getconf _NPROCESSORS_ONLN)
# as in the Makefile
flags="-std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Icommon -I$build"
bad=0

need() {
  command -v "$1" >/dev/null && return
  echo "analyse: $1 is not installed (Debian: $2)" >&2
  exit 1
}

# Warnings of gcc -fanalyzer on stdin: those that are not in check/accepted, and its rows that are not needed.
judge() {
  awk -F ' [|] ' '
    FILENAME != "-" && !/^#/ { file[++rows] = $1; kind[rows] = "-Wanalyzer-" $2; part[rows] = $3 }
    FILENAME != "-" || !/: warning: / { next }
    {
      split($0, place, ":")
      for (n = 0; n < place[2] && (getline text < place[1]) > 0; n++)
        ;
      close(place[1])
      known = 0
      for (i = 1; i <= rows; i++)
        if (place[1] == file[i] && index($0, "[" kind[i] "]") && index(text, part[i]))
          known = used[i] = 1
      if (!known) { print; wrong = 1 }
    }
    END {
      for (i = 1; i <= rows; i++)
        if (!used[i]) { print "check/accepted: not reported any more: " file[i] ": " kind[i] ": " part[i]; wrong = 1 }
      exit wrong
    }' check/accepted -
}

analyse() {
  case $1 in
  gcc)
    need gcc gcc
    # shellcheck disable=SC2086 # words
    printf '%s\n' applets/*.c common/*/*.c | xargs -P "$jobs" -I FILE_NAME gcc -fanalyzer -fdiagnostics-path-format=none \
      -O1 $flags -c -o /dev/null FILE_NAME >"$build/gcc-analyzer.log" 2>&1 || { cat "$build/gcc-analyzer.log"; return 1; }
    judge <"$build/gcc-analyzer.log"
    ;;
  scan-build)
    need scan-build clang-tools
    scan-build --status-bugs -o "$build/scan-build" make -s -j "$jobs" B="$build/scanned" CC=clang all >"$build/scan-build.log" 2>&1 ||
      { cat "$build/scan-build.log"; return 1; }
    rm -rf "$build/scanned"
    ;;
  cppcheck)
    need cppcheck cppcheck
    cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inconclusive --inline-suppr \
      --suppress=missingIncludeSystem -D_GNU_SOURCE -Icommon -I"$build" -j "$jobs" applets common
    ;;
  valgrind)
    need valgrind valgrind
    make -s -j "$jobs" B="$build/valgrind" SPAWN=fork CFLAGS='-O1 -g' all && python3 check/valgrind.py "$build/valgrind"
    ;;
  *)
    echo "analyse: $1: gcc, scan-build, cppcheck or valgrind" >&2
    exit 100
    ;;
  esac
}

for analyser; do
  echo "analyse: $analyser"
  analyse "$analyser" || bad=1
done
exit $bad
