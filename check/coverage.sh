#!/bin/sh
# coverage.sh BUILD [TEST...]: how much of common/ and applets/ the tests run, in lines and branches, and with a slice of `make
# torture` in addition, for TORTURE_SECONDS (900, in which such a build makes about as many runs as CI in 300; 0: none). By clang;
# the counters are in a file that is mapped, so that they stay whatever ends a process: SIGKILL, _exit(2), exec(2). In
# BUILD/coverage: html/index.html, and shown, the same as text. All tests: writes the table of docs/reliability.md.
set -eu
export LC_ALL=C
top=$1
shift
for tool in clang llvm-profdata llvm-cov; do
  command -v $tool >/dev/null || {
    echo "coverage: $tool is not installed (Debian: clang llvm libclang-rt-14-dev)" >&2
    exit 1
  }
done
mkdir -p "$top/coverage"
build=$(readlink -f "$top/coverage")
rm -rf "$build/tests" "$build/torture"
mkdir -m 777 "$build/tests" "$build/torture" # programs of other users count, too

# %c: the file is mapped, which the offset of -runtime-counter-relocation is for; %m: all runs of a program add to one file
# shellcheck disable=SC2086 # words
make -s -j "$(getconf _NPROCESSORS_ONLN)" B="$build" CC=clang LDFLAGS=-Wno-unused-command-line-argument \
  CFLAGS="-O1 -g -fprofile-instr-generate=$build/tests/%c%m.profraw -fcoverage-mapping -mllvm -runtime-counter-relocation" \
  all "$build/try-escape" "$build/check/redis-call" "$build/check/resp-fuzz" "$build/check/fuzz-replay"
ln -sfn ../helper "$build/helper"
ln -sfn ../bench "$build/bench"

# before anybody else makes it, the file is made writable for everybody
(
  umask 0
  mkdir -p "$build/empty"
  for program in ipcbox try-escape check/redis-call check/resp-fuzz check/fuzz-replay; do
    timeout 5 "$build/$program" "$build/empty" >/dev/null 2>&1 </dev/null || :
    LLVM_PROFILE_FILE="$build/torture/%c%m.profraw" timeout 5 "$build/$program" "$build/empty" >/dev/null 2>&1 </dev/null || :
  done
)

# report NAME FILE...: what these profiles say: of all, and of each file that is not covered
report() {
  name=$1
  shift
  llvm-profdata merge -o "$build/$name.profdata" "$@"
  llvm-cov report "$build/ipcbox" -instr-profile="$build/$name.profdata" |
    awk -v name="$name" '
      $1 == "TOTAL" { printf "coverage: %s: %d of %d lines (%s), %d of %d branches (%s)\n", name, $8 - $9, $8, $10, $11 - $12, $11, $13 }
      /\.c / && $9 + $12 { print $9, $12, $10, $13, $1 > "/dev/stderr" }' 2>"$build/$name.files" >"$build/$name.figures"
}

status=0
sh bats/helper/run.sh "$build" "$@" || status=1
report tests "$build"/tests/*.profraw
last=tests
if [ "${TORTURE_SECONDS:=900}" -gt 0 ]; then
  LLVM_PROFILE_FILE="$build/torture/%c%m.profraw" python3 check/torture.py --build "$build" --slice "$TORTURE_SECONDS" --seed coverage || status=1
  last=with-torture
  report $last "$build"/tests/*.profraw "$build"/torture/*.profraw
fi
echo 'lines and branches that nothing runs, and what is covered:'
sort -k2,2nr -k1,1nr "$build/$last.files" | awk '{ printf "%5d %5d %8s %8s  %s\n", $1, $2, $3, $4, $5 }'
llvm-cov show "$build/ipcbox" -instr-profile="$build/$last.profdata" -format=html -show-branches=count -output-dir="$build/html"
llvm-cov show "$build/ipcbox" -instr-profile="$build/$last.profdata" -show-branches=count >"$build/shown"
{
  sed 's/^coverage: /- /' "$build/tests.figures"
  [ $last = tests ] || sed "s/^coverage: with-torture/- with $TORTURE_SECONDS s of \`make torture\` in addition/" "$build/$last.figures"
  echo
  python3 check/uncovered.py "$build/shown"
} >"$build/table.md"
# of all tests, the document has it
if [ $# -eq 0 ] && [ -z "${SLICE:-}" ]; then
  awk -v table="$build/table.md" '
    /<!-- coverage: end -->/ { skip = 0 }
    !skip
    /<!-- coverage: begin -->/ {
      skip = 1
      while ((getline line <table) > 0) print line
    }' docs/reliability.md >"$build/reliability.md"
  cat "$build/reliability.md" >docs/reliability.md
fi
cat "$build/table.md"
cat "$build/tests.figures" "$build/$last.figures" | uniq
echo "coverage: see $build/html/index.html"
exit $status
