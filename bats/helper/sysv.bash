# What the tests of System V IPC share: keys that are nobody else's, namespaces for the rest, and a look at what is left.

load helper/common
load helper/peers

# One process that tests use as the other side: queue, segment and semaphore (helper/*.c) make the system's calls; perl
# programs do where perl's own functions and IPC::SysV are the peer.

# $key is a new key of the test's own.
sysv_setup() {
  common_setup
  if [[ $(declare -f "$BATS_TEST_NAME") == *in_namespace* ]]; then need_ipc_namespace; fi
  here=$PWD
  : >"$here/.keys"
  new_key key
}

# Objects of the test's keys go; fails if one won't, or if anybody who could make another is left.
sysv_teardown() {
  local key kind
  common_teardown
  [ -e "${here:-}/.keys" ] || return 0 # skipped before it was there
  while read -r key; do
    for kind in -M -S -Q; do
      ipcrm "$kind" "$key" 2>/dev/null || :
    done
    no_objects "$key"
  done <"$here/.keys"
}

# new_key VAR: a key that nobody uses, 0x and 8 digits as ipcs(1) has it. What has it goes at the test's end.
new_key() {
  local _key
  while _key=0x$(od -An -N 4 -t x4 /dev/urandom | tr -d ' '); do
    [[ $_key == 0x00000000 ]] || ipcs | grep -q "^$_key " || break
  done
  echo "$_key" >>"$here/.keys"
  printf -v "$1" %s "$_key"
}

# no_objects [KEY]: nothing is there of that key, or nothing at all in a namespace of its own.
no_objects() {
  local found
  found=$(ipcs | grep -E "^${1:-0x[0-9a-f]+} ") || return 0
  echo "left behind: $found" >&2
  return 1
}

# in_namespace SCRIPT [ARG]...: bash runs it in an IPC namespace that is empty, and has to be at its end. So are tests
# that make private objects, use keys that may be another's, or change limits. Its keys need not be new ones.
in_namespace() {
  local user=()
  [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
  unshare --ipc "${user[@]}" timeout --foreground 100 bash -euc "$(declare -f no_objects until_true look_later until_line)
    shopt -s inherit_errexit
    $1
    no_objects" bash "${@:2}"
}

# For setup, and so for every test that has in_namespace in its text: a skip in a `run` would skip nothing.
need_ipc_namespace() {
  local user=()
  [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
  unshare --ipc "${user[@]}" true 2>/dev/null || skip "needs an IPC namespace of its own (user namespaces, or root)"
}

# For tests that change a namespace's limits.
need_own_limits() {
  need_root
  [ -w /proc/sys/kernel/msgmax ] || skip "needs a /proc/sys that can be written"
}

need_other_user() {
  need_root
  need setpriv util-linux
}

# as_nobody APPLET [ARG]...: another user, who may not be able to reach our directory.
as_nobody() {
  as_uid nobody "$@"
}

# as_uid USER APPLET [ARG]...
as_uid() {
  setpriv --reuid "$1" --regid "$(id -g nobody)" --clear-groups \
    bash -c 'exec -a "$1" /proc/self/fd/9 "${@:2}"' '' "${@:2}" 9<"$IPCBOX"
}

# all_bytes: each of the 256 once, in order.
all_bytes() {
  # shellcheck disable=SC2059 # the format is made of escapes
  printf "$(printf '\\x%02x' {0..255})"
}

# flat_json: an object without lists, as stat prints it in text.
flat_json() {
  sed 's/^{//; s/}$//; s/,"/\n"/g' | sed 's/^"\([a-z_]*\)":/\1 /; s/ null$/ never/; s/ "\(.*\)"$/ \1/'
}

# stop_and_go PID COUNT: it is stopped and continued that often, which interrupts what it waits for.
stop_and_go() {
  local n stat hole
  exec {hole}<> <(:)
  for ((n = 0; n < $2; n++)); do
    kill -STOP "$1" 2>/dev/null || break
    until is_in_state "$1" '[TZX]'; do read -rt 0.001 <&"$hole" || :; done
    kill -CONT "$1" 2>/dev/null || break
    while is_in_state "$1" T; do read -rt 0.001 <&"$hole" || :; done
  done
  exec {hole}>&-
}

# is_in_state PID PATTERN: of proc(5)'s letters; one that is gone is in state X.
is_in_state() {
  local stat=") X"
  read -r stat 2>/dev/null <"/proc/$1/stat" || stat=") X"
  # shellcheck disable=SC2053 # a pattern
  [[ ${stat##*) } == $2* ]]
}
