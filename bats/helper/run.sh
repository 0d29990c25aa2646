#!/bin/sh
# run.sh BUILD [FILE...]: runs bats tests against BUILD/ipcbox: FILEs in whole; without, all files, but without the tests
# tagged `long` unless ALL is set. With SLICE=K/N, of these files every N-th only, from the K-th (0 is the first). JOBS files
# at once (two a processor: they wait more than they work). What each file has said is in BUILD/test.log/ (of one
# file alone: on stdout); what failed comes at the end, too. Where bats isn't installed, puts a copy under BUILD/ first, from Debian's package or from npm, without root
# and without a change to the system.
# However it is started: the umask is 022, and the watchdog gives all signals their defaults back. Where TMPDIR is longer
# than a socket's name has room for (unix(7)), or has blanks, which configuration files of peers don't take, the tests
# work in another directory.
set -eu
export LC_ALL=C
umask 022
build=$(readlink -f "$1")
shift
case ${TMPDIR:-/tmp} in
*[!A-Za-z0-9/._+-]* | ?????????????????????????????????*)
  for dir in /tmp /var/tmp /dev/shm; do
    [ -w "$dir" ] || continue
    echo "make test: TMPDIR is long, or has blanks; the tests work in $dir"
    export TMPDIR="$dir"
    break
  done
  ;;
esac
filter=
if [ $# -eq 0 ]; then
  set -- bats/*.bats
  [ -n "${ALL:-}" ] || filter='--filter-tags !long'
fi
if [ -n "${SLICE:-}" ]; then
  if ! { [ "${SLICE%/*}" -ge 0 ] && [ "${SLICE%/*}" -lt "${SLICE#*/}" ]; } 2>/dev/null; then
    echo "make test: SLICE=$SLICE: not K/N with 0 <= K < N" >&2
    exit 1
  fi
  # by size, so that all slices take about as long; our own names
  # shellcheck disable=SC2012,SC2046
  set -- $(ls -S "$@" | awk -v k="${SLICE%/*}" -v n="${SLICE#*/}" '(NR - 1) % n == k')
  echo "make test: slice $SLICE, $# files"
  [ $# -gt 0 ] || exit 0
fi

# From Debian's package: downloaded and unpacked only. Lists of packages that this machine may lack are fetched, too,
# but into our own directory.
unpack_package() {
  private="-o Dir::State=$PWD/state -o Dir::Cache=$PWD/cache -o Debug::NoLocking=1 -o APT::Sandbox::User="
  mkdir -p state/lists/partial cache/archives/partial
  # shellcheck disable=SC2086 # words
  apt-get download bats >/dev/null 2>&1 ||
    { apt-get $private update && apt-get $private download bats; } >/dev/null 2>&1 || return
  dpkg-deb -x bats_*.deb root
}

fetch_bats() {
  mkdir -p "$build/bats.tmp"
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && (cd "$build/bats.tmp" && unpack_package); then
    mv "$build/bats.tmp/root/usr" "$build/bats.copy"
    return
  fi
  if command -v npm >/dev/null; then
    npm install --silent --no-audit --no-fund --prefix "$build/bats.tmp" bats >/dev/null
    mkdir -p "$build/bats.copy"
    cp -R "$build/bats.tmp/node_modules/bats/." "$build/bats.copy/"
    return
  fi
  echo "make test: bats is not installed, and neither apt-get nor npm could bring a copy" >&2
  exit 1
}

# bats there is, and knows tags
have_bats() {
  command -v bats >/dev/null || return
  bats --version | awk '{ split($2, v, "."); exit !(v[1] > 1 || v[2] >= 8) }'
}

if have_bats; then
  bats=bats
else
  if [ ! -x "$build/bats.copy/bin/bats" ]; then
    echo "make test: bats (1.8 or newer) is not installed; putting a copy into $build/bats.copy"
    fetch_bats
    rm -rf "$build/bats.tmp"
  fi
  bats=$build/bats.copy/bin/bats
  # Debian's bats looks for its parts under /usr
  [ ! -d "$build/bats.copy/lib/bats-core" ] || export BATS_ROOT="$build/bats.copy"
fi

IPCBOX=$(readlink -f "$build/ipcbox")
# The watchdog does what BATS_TEST_TIMEOUT would need ps or pkill for.
[ "${IPCBOX_LONG:-}" != 1 ] || BATS_TEST_TIMEOUT=3600
IPCBOX_WATCHDOG=${BATS_TEST_TIMEOUT:-300}
export IPCBOX IPCBOX_WATCHDOG
JOBS=${JOBS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
unset BATS_TEST_TIMEOUT
watchdog="$build/helper/watchdog -t $IPCBOX_WATCHDOG"
if [ $# -eq 1 ]; then
  # shellcheck disable=SC2086 # the options are words
  exec $watchdog "$bats" ${BATS_FLAGS:-} "$@"
fi

log=$build/test.log
rm -rf "$log"
mkdir -p "$log"
files=$#

# Of what logs say: tests, passed, failed, skipped. Whom bats has not heard of any more has failed.
# shellcheck disable=SC2016 # awk's
counts='
  function end_file() { total += planned; lost += planned - seen; planned = seen = 0 }
  FNR == 1 { end_file() }
  /^1\.\.[0-9]/ { planned = substr($0, 4) }
  /^(not )?ok [0-9]/ { seen++ }
  /^not ok [0-9]/ { failed++ }
  /^ok [0-9]+ .* # skip/ { skipped++ }
  END { end_file(); printf "%d %d %d %d\n", total, total - lost - failed - skipped, failed + lost, skipped }'

# counts FILE...
counts() {
  awk "$counts" "$@" /dev/null
}

# The names of the logs, which end is no status
logs() {
  find "$log" -name '*.tap'
}

# One line on a terminal, again and again, as long as we live.
show_progress() {
  while kill -0 $$ 2>/dev/null; do
    # shellcheck disable=SC2046 # names, numbers
    set -- $(find "$log" -name '*.status' | wc -l) $(counts $(logs))
    failed=$(cat "$log"/*.tap | grep -c '^not ok ')
    printf '\r\033[K%s of %s files, %s passed, %s failed, %s skipped ' "$1" "$files" "$3" "$failed" "$5"
    sleep 1
  done
}

# Without a terminal: a line when a file is done.
# shellcheck disable=SC2016 # for that shell
one_file='log=$4/$(basename "$1" .bats).tap status=0
  "$2" --formatter tap $3 "$1" >"$log" 2>&1 || status=$?
  echo $status >"$log.status"
  set -- "$1" $(awk "$5" "$log" /dev/null)
  [ -t 1 ] || echo "$1: $2 tests, $4 failed, $5 skipped"
  exit $((status != 0))'

if [ -t 1 ]; then
  show_progress &
  progress=$!
  trap 'kill "$progress" 2>/dev/null; printf "\r\033[K"' EXIT
  trap 'exit 130' INT
fi
status=0
# the longest first: docs.bats, whose examples are elsewhere, then the largest
# shellcheck disable=SC2012,SC2086 # our own names; words
ls -S "$@" | awk '/docs\.bats$/ { print; next } { rest = rest $0 "\n" } END { printf "%s", rest }' | $watchdog xargs -P "$JOBS" -I FILE sh -c "$one_file" run FILE "$bats" "$filter ${BATS_FLAGS:-}" "$log" "$counts" || status=1
if [ -t 1 ]; then
  kill "$progress"
  trap - EXIT INT
  printf '\r\033[K'
fi

# What failed: its lines, below its file's name; of a file that has failed without a failed test, all.
for file in "$@"; do
  name=$(basename "$file" .bats)
  [ "$(cat "$log/$name.tap.status" 2>/dev/null)" != 0 ] || continue
  status=1
  echo "== $file"
  if grep -q '^not ok ' "$log/$name.tap"; then
    awk '/^(not )?ok / { failed = /^not/ } failed || /^# bats warning/' "$log/$name.tap"
  else
    echo "error: $file: no test has failed, but bats: status $(cat "$log/$name.tap.status" 2>/dev/null || echo unknown)"
    cat "$log/$name.tap"
  fi
done

# shellcheck disable=SC2046 # names
set -- $(counts $(logs))
skips=$(find "$log" -name '*.tap' -exec sed -n 's/^ok [0-9].* # skip //p' {} + | sort | uniq -c | sort -rn)
packages=$(echo "$skips" | sed -n 's/.*(Debian: \(.*\))$/\1/p' | tr ', ' '\n' | sed '/^$/d' | sort -u | paste -sd ' ' -)
echo "$1 tests, $3 failed, $4 skipped${packages:+; to run them: apt-get install $packages}"
echo "$skips" | sed '/^$/d; /(Debian: /d; s/^/skipped: /'
# what counts is how often the tag stands in the files
[ -z "$filter" ] || echo "left out: $(cat bats/*.bats | grep -c '^# bats test_tags=long') long tests; make test-all runs them, too"
exit $status
