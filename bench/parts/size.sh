# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# size.sh - how large the static build is, and how much of it is state.

# One line: LABEL VALUE [LIMIT]
size_line() {
  awk -v label="$1" -v value="$2" -v limit="${3-}" 'BEGIN {
    printf "  %-38s %10s", label, value
    printf limit == "" ? "\n" : "   at most %d: %s\n", limit, value + 0 <= limit + 0 ? "met" : "missed"
  }'
}

# Bytes of all that can be written while it runs: FILE. What .data.rel.ro holds is constant once it has started.
size_state() {
  size -A "$1" | awk '$1 ~ /^\.(data|bss|tdata|tbss)$/ {n += $2} END {print n + 0}'
}

size_of() { # LABEL FILE [LIMIT STATE_LIMIT]
  bytes=$(wc -c <"$2") applets=$("$2" --list | wc -l)
  size_line "$1: bytes" "$bytes" "${3-}"
  size_line "$1: data and bss" "$(size_state "$2")" "${4-}"
  size_line "$1: applets" "$applets"
  size_line "$1: bytes an applet" $((bytes / applets))
}

size_part() {
  [ -x "$static" ] && has /usr/bin/size binutils || return 0
  new_part 'The size of the static build.'
  size_of 'ipcbox, with musl' "$static" 501760 32768
  # one that is not static has an interpreter
  has /usr/bin/busybox busybox-static && ! size -A /usr/bin/busybox | grep -q '^\.interp' || return 0
  size_of 'busybox-static' /usr/bin/busybox
}
