# What every test file loads. Traffic is on loopback, ports are the kernel's choice, nothing sleeps for a guessed
# time: tests wait for the line that a server prints when it is ready, for a file, or for a process's end.

bats_require_minimum_version 1.5.0

# Where bats runs without helper/run.sh, its own limit is the one for a test that hangs; it needs ps or pkill.
if [ -n "${IPCBOX_WATCHDOG:-}" ]; then
  trap 'echo "the test has been running for $IPCBOX_WATCHDOG s: ended" >&2; exit 1' ABRT
elif command -v pkill ps >/dev/null; then
  [ "${IPCBOX_LONG:-}" != 1 ] || BATS_TEST_TIMEOUT=3600
  export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300}
fi
IPCBOX=${IPCBOX:-$BATS_TEST_DIRNAME/../build/ipcbox}
[ -n "${IPCBOX_WATCHDOG:-}" ] || IPCBOX=$(readlink -f "$IPCBOX") # run.sh has done that
HELPERS=${IPCBOX%/*}/helper # programs of helper/NAME.c
export IPCBOX LC_ALL=C TZ=UTC
umask 022 # the caller may have another

# With IPCBOX_ONLY, a pattern, only tests run in whose text it is, or in that of functions that they call.
common_setup() {
  [ -z "${IPCBOX_ONLY:-}" ] || text_of setup "$BATS_TEST_NAME" | grep -qE -- "$IPCBOX_ONLY" || skip "is not in IPCBOX_ONLY"
  cd "$BATS_TEST_TMPDIR" || return
  mkdir bin # of the test's own programs
  # the links are the file's: as many for each test would be a tenth of all the time
  if [ ! -d "$BATS_FILE_TMPDIR/links" ]; then
    "$IPCBOX" --install -s -p "$BATS_FILE_TMPDIR/links"
    mkfifo "$BATS_FILE_TMPDIR/silent"
  fi
  export PATH=$BATS_TEST_TMPDIR/bin:$BATS_FILE_TMPDIR/links:$HELPERS:$PATH
  started=()
  need_perl_of_test
}

# need COMMAND PACKAGE: skips the test where COMMAND is missing. (By PATH: a test may have a function of that name.)
need() {
  type -P "$1" >/dev/null || skip "needs $1 (Debian: $2)"
}

# need_perl [MODULE]...: for a test in which a program in perl is the peer.
need_perl() {
  local module
  need perl perl
  for module in "$@"; do
    perl -M"$module" -e 1 2>/dev/null || skip "needs perl's $module (Debian: perl)"
  done
}

# Skips a test with a program in perl where there is no perl, or of modules (-M in its own text) that are missing.
need_perl_of_test() {
  local body modules
  command -v perl >/dev/null || ! text_of setup "$BATS_TEST_NAME" | grep -qE '(^|[^a-z_])perl|PERL/' || need_perl
  # by a file: a command substitution is a process, and there are thousands of tests
  declare -f "$BATS_TEST_NAME" >"$BATS_TEST_TMPDIR.text"
  read -rd '' body <"$BATS_TEST_TMPDIR.text" || :
  [[ $body == *perl*-M[A-Z]* ]] || return 0
  mapfile -t modules < <(grep -oE -- '-M[A-Z][A-Za-z:]*' <<<"$body" | cut -c 3- | sort -u)
  need_perl "${modules[@]}"
}

# text_of FUNCTION...: their text, and that of all that they call. (By awk: a loop of bash is slow under bats's trap.)
text_of() {
  declare -f | awk -v queue="$*" '
    /^[^ {}]+ \(\) *$/ { name = $1 }
    { text[name] = text[name] $0 "\n" }
    END {
      seen["common_setup"] = seen["need_perl"] = 1
      n = split(queue, next_one, " ")
      for (i = 1; i <= n; i++) {
        if (next_one[i] in seen || !(next_one[i] in text)) continue
        seen[next_one[i]] = 1
        printf "%s", text[next_one[i]]
        k = split(text[next_one[i]], word, /[^a-zA-Z_0-9]+/)
        for (j = 1; j <= k; j++) if (word[j] in text && word[j] !~ /^bats_/) next_one[++n] = word[j]
      }
    }'
}

# is_of_test PID: it is a child of ours, or works in the test's directory: not a stranger that has got the number since.
is_of_test() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  [[ ${stat##*) } == ?" $BASHPID "* || $(readlink "/proc/$1/cwd") == "$BATS_TEST_TMPDIR"* ]]
}

# Ends what start and background have started.
end_started() {
  local pid
  for pid in "${started[@]}"; do
    is_of_test "$pid" || continue
    kill -KILL "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
  done
}

# The same, and fails if any other process outlives its test.
common_teardown() {
  end_started
  nobody_left_behind
}

# background VAR COMMAND...: runs it in the background with stdout, stderr in VAR.out, VAR.err; its pid in $VAR.
# SIGINT and SIGQUIT, which a shell ignores for background jobs, are at their defaults. (_names: VAR may be any other.)
background() {
  local _name=$1
  shift
  : >"$_name.out" >"$_name.err" # here, lest a test that waits for a line finds an earlier run's
  env --default-signal=INT,QUIT "$@" >"$_name.out" 2>"$_name.err" 3>&- </dev/null &
  printf -v "$_name" %s "$!"
  started+=("$!")
}

# start VAR SERVER [ARG...]: runs SERVER with -1 as its first option; waits for the line it prints, which goes to
# $VAR_at (port or path); pid in $VAR, stderr in VAR.err. Fails with stderr when the server ends first.
start() {
  local _name=$1 _server=$2 _line
  shift 2
  rm -f "$_name.ready"
  mkfifo "$_name.ready"
  env --default-signal=INT,QUIT "$_server" -1 "$@" >"$_name.ready" 2>"$_name.err" 3>&- </dev/null &
  printf -v "$_name" %s "$!"
  started+=("$!")
  if ! read -r _line <"$_name.ready"; then
    echo "$_server did not start:" >&2
    cat "$_name.err" >&2
    return 1
  fi
  printf -v "${_name}_at" %s "$_line"
}

# finish PID: TERMs it and waits; its status is $status.
finish() {
  kill -TERM "$1"
  status=0
  wait "$1" || status=$?
}

# until_true COMMAND...: until it succeeds. The event is COMMAND's; the pause between two looks is only a courtesy, and
# the test's time is the limit.
until_true() {
  while ! "$@"; do
    look_later
  done
}

# Between two looks, without a process. Nobody writes to the FIFO. (1: it can't be opened.)
look_later() {
  read -rt 0.02 <>"$BATS_FILE_TMPDIR/silent" || [ $? -ne 1 ] || sleep 0.02 || :
}

# until_line FILE PATTERN: until a line of FILE matches (grep -E).
until_line() {
  until_true grep -sqE -- "$2" "$1" # it may not be there yet
}

# no_children PID: it has no children, zombies included.
no_children() {
  local children=
  read -r children <"/proc/$1/task/$1/children" || : # it ends with no newline
  [ -z "$children" ]
}

# fd_count PID
fd_count() {
  local fds=(/proc/"$1"/fd/*)
  echo "${#fds[@]}"
}

# wrong_call WORDS...: the call is refused with 100, one line that says what is wrong, and the hint. (timeout: a server
# that starts instead would outlive the test.) Not by `run --separate-stderr`, which takes ten times as long, and some
# tests make hundreds of such calls.
wrong_call() {
  local - # bats' trap for each command is not wanted in there, either
  set +T
  is_refused "$@"
}

is_refused() {
  local said=$BATS_TEST_TMPDIR.said
  status=0
  timeout --foreground 60 "$@" >"$said.out" 2>"$said.err" || status=$?
  # a command substitution is a process
  read -rd '' output <"$said.out" || :
  mapfile -t stderr_lines <"$said.err"
  printf -v stderr '%s\n' "${stderr_lines[@]}"
  stderr=${stderr%$'\n'}
  [ "$status" -eq 100 ] && [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 2 ] && [[ ${stderr_lines[0]} == "$1: "* ]] &&
    [ "${stderr_lines[1]}" = "Try '$1 --help'." ] && return
  echo "not a refusal: $*: status $status, stdout '$output', stderr '$stderr'" >&2
  return 1
}

# script FILE TEXT: an executable bash script; it appears whole.
script() {
  printf '#!/bin/bash\n%s\n' "$2" >"$1.new"
  chmod +x "$1.new"
  mv "$1.new" "$1"
}

# with_time FILES RUN-ARG...: `run`, with @T@ in its words replaced by a duration that was enough for the programs to
# write something to all FILES, so that they were ready: the first of 0.3 s, 0.6 s, 1.2 s... for which they have. So a
# deadline passes that soon, and yet not over programs that a busy machine has still to start. FILES are removed before
# each; SECONDS counts from there.
with_time() {
  local _files _file _ms
  read -ra _files <<<"$1"
  shift
  for ((_ms = 300; ; _ms *= 2)); do
    rm -f "${_files[@]}"
    SECONDS=0
    run "${@//@T@/${_ms}ms}"
    for _file in "${_files[@]}"; do
      [ -s "$_file" ] || continue 2
    done
    return 0
  done
}

# For teardown: the same as common_teardown, of tests whose launchers are killed, which leaves their programs.
teardown_with_programs() {
  local pids
  end_started
  cd /
  mapfile -t pids < <("$HELPERS/left-behind" 0 "$BATS_TEST_TMPDIR")
  [ "${#pids[@]}" -eq 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || :
  nobody_left_behind
}

# For teardown: fails if any process of the test (its directory is theirs) does not go.
nobody_left_behind() {
  local pid left=$BATS_TEST_TMPDIR.left
  cd /
  "$HELPERS/left-behind" 5000 "$BATS_TEST_TMPDIR" >"$left" && return
  while read -r pid; do
    echo "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" >&2
    kill -KILL "$pid"
  done <"$left"
  return 1
}
