# What the tests of System V IPC share: keys that are nobody else's, namespaces for the rest, and a look at what is left.

load helper/common
load helper/peers

# $key is a new key of the test's own.
sysv_setup() {
  common_setup
  here=$PWD
  : >"$here/.keys"
  new_key key
}

# Objects of the test's keys go; fails if one won't, or if anybody who could make another is left.
sysv_teardown() {
  local key kind
  common_teardown
  nobody_left_behind
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
  unshare --ipc "${user[@]}" true || skip "needs an IPC namespace of its own"
  unshare --ipc "${user[@]}" timeout --foreground 100 bash -euc "$(declare -f no_objects until_true until_line)
    shopt -s inherit_errexit
    $1
    no_objects" bash "${@:2}"
}

# as_nobody APPLET [ARG]...: another user, who may not be able to reach our directory.
as_nobody() {
  setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    perl -e 'exec { "/proc/self/fd/9" } @ARGV or die' "$@" 9<"$IPCBOX"
}
