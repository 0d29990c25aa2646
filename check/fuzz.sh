#!/bin/sh
# fuzz.sh - runs the fuzz targets, check/fuzz/NAME.c, which `make fuzz` builds.
#
#   fuzz.sh run [SECONDS [TARGET]...]   each for SECONDS (600), and on until no new edge came for QUIET seconds (180);
#                                       the table goes into docs/reliability.md once all targets have been run
#   fuzz.sh plant [TARGET]...           each without a corpus, with its planted fault, which it must find in a minute
#   fuzz.sh afl [SECONDS [TARGET]...]   the five largest (or these) with AFL++, each for SECONDS (600)
#   fuzz.sh minimize [TARGET]...        what `run` has found into check/fuzz/corpus, as few and small files as have
#                                       its edges
#   fuzz.sh list
#
# B=DIR is the build directory (build). Whatever is found is in B/fuzz/found; repeat it with B/fuzz/target/TARGET FILE.
set -eu
export LC_ALL=C
export ASAN_OPTIONS=quarantine_size_mb=16
cd "$(dirname "$0")/.."
build=${B:-build}
work=$build/fuzz
quiet=${QUIET:-180}
nice=${NICE:-19}
# the largest, by edges
largest="rules options proc redis-url http-body"

targets() {
  for file in check/fuzz/*.c; do basename "$file" .c; done
}
now() {
  date +%s
}
# fuzz TARGET KIND SECONDS DIR...: libFuzzer on $work/KIND/TARGET; its output is in $work/log/KIND-TARGET
fuzz() {
  target=$1 kind=$2 seconds=$3
  shift 3
  mkdir -p "$work/log" "$work/found"
  # what it reads is kept for good, as in the applets
  [ "$target" != redis-url ] || set -- -detect_leaks=0 "$@"
  # no target needs more than a second for 4 KiB; memory is that of one input
  nice -n "$nice" "$work/$kind/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=4096 -len_control=20 -print_final_stats=1 \
    -close_fd_mask=1 -dict=check/fuzz/words.dict -artifact_prefix="$work/found/$([ "$kind" = target ] || echo "$kind-")$target-" "$@" \
    >"$work/log/$kind-$target" 2>&1
}
edges() {
  sed -n 's/^#[0-9]*[^0-9]*cov: \([0-9]*\).*/\1/p' "$work/log/target-$1" | tail -n 1
}
executions() {
  sed -n 's/^stat::number_of_executed_units: //p' "$work/log/target-$1"
}

run_one() {
  target=$1 begin=$(now) count=0 had=-1 seconds=$2
  mkdir -p "$work/corpus/$target" "check/fuzz/corpus/$target"
  while :; do
    fuzz "$target" target "$seconds" "$work/corpus/$target" "check/fuzz/corpus/$target" || {
      tail -n 40 "$work/log/target-$target" >&2
      echo "fuzz: $target has found something, see $work/found/$target-*" >&2
      return 1
    }
    count=$((count + $(executions "$target"))) have=$(edges "$target")
    if [ "$quiet" = 0 ] || [ "$have" -le "$had" ]; then
      break
    fi
    had=$have seconds=$quiet
  done
  printf '| %s | %s | %s | %s |\n' "$target" $(($(now) - begin)) "$count" "$have"
}

run() {
  seconds=${1:-600} failed=0
  [ $# = 0 ] || shift
  # shellcheck disable=SC2046 # words
  [ $# -gt 0 ] || set -- $(targets)
  mkdir -p "$work/row"
  for target; do
    rm -f "$work/row/$target"
    row=$(run_one "$target" "$seconds") || {
      failed=1
      continue
    }
    echo "$row" | tee "$work/row/$target"
  done
  write_table
  return $failed
}

# Between the marks in docs/reliability.md, if all targets have been run.
write_table() {
  {
    printf '%s\n' "With $(clang --version | head -n 1), on $(getconf _NPROCESSORS_ONLN) cores at nice $nice:"
    printf '\n| target | seconds | executions | edges |\n|---|---|---|---|\n'
    for target in $(targets); do cat "$work/row/$target" || return 0; done
  } >"$work/table.md" 2>/dev/null
  awk -v table="$work/table.md" '
    /<!-- fuzz: end -->/ { skip = 0 }
    !skip
    /<!-- fuzz: begin -->/ {
      skip = 1
      while ((getline line <table) > 0) print line
    }' docs/reliability.md >"$work/reliability.md"
  cat "$work/reliability.md" >docs/reliability.md
}

plant() {
  failed=0
  # shellcheck disable=SC2046 # words
  [ $# -gt 0 ] || set -- $(targets)
  for target; do
    begin=$(now)
    rm -rf "$work/empty/$target"
    mkdir -p "$work/empty/$target"
    if fuzz "$target" plant 60 -max_len=400 -len_control=100 "$work/empty/$target"; then
      echo "$target: the planted fault is not found in a minute"
      failed=1
    elif grep -q 'fuzz: .* planted: ' "$work/log/plant-$target"; then
      echo "$target: found after $(($(now) - begin)) s"
    else
      tail -n 40 "$work/log/plant-$target"
      echo "$target: something else is found"
      failed=1
    fi
  done
  return $failed
}

minimize() {
  # shellcheck disable=SC2046 # words
  [ $# -gt 0 ] || set -- $(targets)
  for target; do
    rm -rf "$work/small"
    mkdir -p "$work/small" "$work/corpus/$target" "check/fuzz/corpus/$target"
    fuzz "$target" target 0 -use_counters=0 -set_cover_merge=1 "$work/small" "$work/corpus/$target" \
      "check/fuzz/corpus/$target"
    # those with names are kept: what once was a fault, and beginnings; numbers are by size
    rm -f "check/fuzz/corpus/$target"/[0-9]*
    i=0
    for file in $(cd "$work/small" && ls -Sr); do
      i=$((i + 1))
      cp "$work/small/$file" "check/fuzz/corpus/$target/$i"
    done
    echo "$target: $i files"
  done
  find check/fuzz/corpus -type f -printf '%s\n' | awk '{ n += $1 } END { print NR " files of " n " bytes" }'
}

afl() {
  seconds=${1:-600} failed=0
  [ $# = 0 ] || shift
  # shellcheck disable=SC2086 # words
  [ $# -gt 0 ] || set -- $largest
  make -s fuzz FUZZ_CC=afl-clang-fast FUZZ_B="$build/afl" FUZZ="$*"
  export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0
  export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1
  for target; do
    rm -rf "$work/afl/$target"
    mkdir -p "$work/afl" "$work/log"
    nice -n "$nice" afl-fuzz -V "$seconds" -m none -t 1000+ -x check/fuzz/words.dict -i "check/fuzz/corpus/$target" \
      -o "$work/afl/$target" -- "$build/afl/target/$target" >"$work/log/afl-$target" 2>&1 || failed=1
    awk -v target="$target" -F ' *: *' '
      { value[$1] = $2 }
      END {
        printf "%s: %d executions, %d edges of AFL++, %d crashes, %d hangs\n", target, value["execs_done"],
          value["edges_found"], value["saved_crashes"], value["saved_hangs"]
        exit value["saved_crashes"] > 0
      }' "$work/afl/$target/default/fuzzer_stats" || failed=1
  done
  return $failed
}

# in one piece, so that the script may change while it runs
{
  command=${1:-}
  [ $# = 0 ] || shift
  case $command in
  run) run "$@" ;;
  plant) plant "$@" ;;
  afl) afl "$@" ;;
  minimize) minimize "$@" ;;
  list) targets ;;
  *)
    sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2
    exit 100
    ;;
  esac
  exit
}
