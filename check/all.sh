#!/bin/sh
# all.sh BUILD: everything `make check` looks at. A linter that is not installed is named and left out, unless
# CHECK_ALL is set (CI), where it must be there. With SLICE=K/N, clang's analyzer and the tests (bats/helper/run.sh) look at
# every N-th file only; all other checks look at all files.
set -eu
export LC_ALL=C
build=$1
bad=

step() {
  echo "check: $*"
}
have() {
  command -v "$1" >/dev/null && return
  echo "check: $1 is not installed, left out" >&2
  [ -z "${CHECK_ALL:-}" ] || exit 1
  return 1
}
must() {
  "$@" || {
    echo "check: FAILED: $*" >&2
    bad="$bad
check: FAILED: $*"
  }
}
jobs=$(getconf _NPROCESSORS_ONLN)
flags='-std=c11 -D_GNU_SOURCE -Icommon'

# The analyzer takes nine tenths of the time.
# shellcheck disable=SC2012,SC2016 # our own names; that shell's
tidy() {
  ls -S applets/*.c common/*/*.c |
    awk -v slice="${SLICE:-0/1}" '{ split(slice, s, "/"); print "--checks=" ((NR - 1) % s[2] == s[1] ? "" : "-clang-analyzer-*"), $0 }' |
    xargs -P "$jobs" -n 2 sh -c 'clang-tidy --quiet "$@" -- '"$flags"' -I"$0"' "$build" 2>"$build/clang-tidy.err" && return
  cat "$build/clang-tidy.err"
  return 1
}

# Steps of one process each: they keep one processor busy, and run beside those that follow.
one_by_one() {
  step "floors and house rules"
  must sh check/floors.sh
  must sh check/house.sh "$build"

  step "manual pages, --help and README agree"
  must sh check/manpages.sh "$build"

  if have clang-format; then
    step "layout of the code"
    must clang-format --dry-run -Werror applets/*.c common/*/*.[ch] bench/*.[ch] bats/helper/*.c check/*.c check/*/*.c
  fi
  if have shellcheck; then
    step "shell scripts"
    must shellcheck -x -s sh check/*.sh check/peers/*.sh bench/*.sh bench/parts/*.sh contrib/*.sh contrib/APKBUILD \
      contrib/debian/*.sh contrib/debian/tests/[is]* bats/helper/*.sh
    must find examples -type f -perm -u+x -exec shellcheck -s sh {} +
    must shellcheck -s bash -e SC2030,SC2031,SC2154,SC2034,SC2016,SC2261 bats/helper/*.bash contrib/bats/*.bash
  fi
  if have spin; then
    step "every interleaving of locks, pidfiles, leases and FIFOs"
    must sh check/models.sh
  fi
  if have systemd-analyze; then
    step "systemd units"
    must sh check/units.sh "$build"
  fi
  printf '%s' "$bad" >"$build/check.beside.bad"
}

# What they have said, in one piece, and what failed. One that stopped half-way has left no list.
end_beside() {
  wait "$beside" || bad="$bad
check: FAILED: the steps of one process each have stopped half-way"
  trap - EXIT
  cat "$build/check.beside"
  [ ! -e "$build/check.beside.bad" ] || bad="$bad$(cat "$build/check.beside.bad")"
}

rm -f "$build/check.beside.bad"
one_by_one >"$build/check.beside" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if have cppcheck; then
  step "cppcheck"
  must cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
    --suppress=missingIncludeSystem -D_GNU_SOURCE -Icommon -I"$build" -j "$jobs" applets common
fi
if have clang-tidy; then
  step "clang-tidy${SLICE:+, whose analyzer looks at slice $SLICE}"
  must tidy
fi
if have gcc; then
  step "gcc -fanalyzer"
  must sh check/analyse.sh "$build" gcc
fi
for compiler in gcc clang; do
  if have "$compiler"; then
    step "no warnings with $compiler"
    must make -s -j "$jobs" B="$build/check-$compiler" CC="$compiler" WERROR=-Werror \
      CFLAGS='-O2 -Wconversion -Wno-sign-conversion' all tools helpers
  fi
done
if have musl-gcc; then
  step "static build with musl, of at most 490 KiB"
  must make -s -j "$jobs" B="$build" WERROR=-Werror ALSO="$build/static/try-escape" static
  must test "$(wc -c <"$build/static/ipcbox")" -le 501760
  step "tests of the static build: those with no word of libc's in them, and no signal that is musl's own"
  ln -sfn ../helper "$build/static/helper"
  must env BATS_FLAGS='--filter-tags !long' sh bats/helper/run.sh "$build/static" bats/all.bats bats/alive.bats bats/container.bats bats/daemonize.bats \
    bats/deadline.bats bats/confine.bats bats/hostile-start.bats bats/killpg.bats bats/load.bats bats/lockrun.bats bats/lockrun-slots.bats \
    bats/open2.bats bats/open3.bats bats/pipecat.bats bats/relay.bats bats/safepipe-life.bats bats/safepipe-status.bats bats/shmdemo.bats \
    bats/sigtrap-actions.bats bats/tcpserver-load.bats bats/tcpserver-rules.bats
fi
end_beside

step "tests under AddressSanitizer and UndefinedBehaviorSanitizer, without the longest"
# Leaks: a process that ends gives its memory back by ending, and LeakSanitizer can't run under strace; what a server
# would lose by the connection shows in load.bats. Some tests run it with no environment, so this is linked in.
mkdir -p "$build/sanitized"
echo 'const char *__asan_default_options(void); const char *__asan_default_options(void) { return "detect_leaks=0:disable_coredump=0"; }' |
  ${CC:-cc} -x c -c -o "$build/sanitized/defaults.o" -
# thousands of starts are faster with the runtime linked in; clang does that by itself
runtime='-static-libasan -static-libubsan'
case $(${CC:-cc} --version) in *clang*) runtime= ;; esac
# thousands of starts: without PIE, the linker has done 67,000 relocations, most of them of descriptions of strings
must make -s -j "$jobs" B="$build/sanitized" SPAWN=fork WERROR=-Werror HARDEN='-fno-pie' \
  LINK='-no-pie -Wl,-z,relro,-z,now -Wl,--as-needed' LDFLAGS="$build/sanitized/defaults.o $runtime" \
  CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
  all "$build/sanitized/check/redis-call" "$build/sanitized/check/resp-fuzz" "$build/sanitized/check/fuzz-replay"
ln -sfn ../helper "$build/sanitized/helper"
must env IPCBOX_SANITIZED=1 sh bats/helper/run.sh "$build/sanitized"

[ -z "$bad" ] || {
  echo "check: in short:$bad" >&2 # the first of it is far above
  exit 1
}
echo "check: all is well"
