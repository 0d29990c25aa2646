#!/bin/sh
# peers.sh BUILD [PAGE]: docs/peers.md, on stdout; with PAGE, how it differs from that, and status 1 if it does. What flock,
# timeout, tini, dumb-init, start-stop-daemon, supervisord and runit do, and what lockrun, deadline, reap and daemonize do in
# their place; and socat, ucspi-tcp, s6 and busybox beside our servers and clients. Every cell is an experiment of this run;
# check/peers/*.sh has them, a function for a row, which is called with the name of a tool. For `make peers` and
# `make check-peers`; not for `make check`, as it wants all these programs and three minutes.
#
# An experiment prints `yes`, `yes=OPTION` (with that option), `no`, `partly`, or `-` (it makes no sense here); behind a
# colon the name of a footnote. It is the last such line: the tools print, too. What it starts has PEERS_RUN in its
# environment, and is killed by that afterward. VERBOSE=1 prints the cells as they come. PEERS_ONLY=servers makes the
# experiments with servers only, and takes the rest of the page from docs/peers.md.
# shellcheck disable=SC2317 # the experiments call what is here
set -u
build=$(readlink -f "$1")
home=$(readlink -f "$(dirname "$0")")
missing=
commands='flock python3 socat tcprules s6-ipcserver openssl'
case ${PEERS_ONLY:-} in
'') commands="$commands timeout tini dumb-init chpst start-stop-daemon supervisord unshare script" ;;
servers) ;;
*)
  echo "peers: PEERS_ONLY=$PEERS_ONLY: only servers can be chosen" >&2
  exit 1
  ;;
esac
for command in $commands; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || missing="$missing $command"
done
[ -z "$missing" ] || {
  echo "peers: needs$missing (Debian: apt-get install util-linux bsdutils coreutils tini dumb-init runit dpkg supervisor" \
    "socat ucspi-tcp-ipv6 s6 openssl)" >&2
  exit 1
}
# where ucspi-tcp's programs are, beside tcprules, as ours come first in PATH; and a busybox with its servers
ucspi=$(dirname "$(command -v tcprules)")
busybox=$(readlink -f "$(command -v "${BUSYBOX:-busybox}")")
"$busybox" tcpsvd --help >/dev/null 2>&1 || {
  echo "peers: needs a busybox with tcpsvd and udpsvd, which Debian's is not, as BUSYBOX=FILE" \
    '(apt-get source busybox; CONFIG_TCPSVD=y, CONFIG_UDPSVD=y, CONFIG_NC=y)' >&2
  exit 1
}
root=$(mktemp -d /tmp/peers.XXXXXX)
# other users are clients, too
chmod 755 "$root"
mkdir "$root/bin"
"$build/ipcbox" --install -s "$root/bin" >/dev/null
PATH=$root/bin:$PATH:/usr/sbin:/sbin
PEERS_RUN=$root
export PATH PEERS_RUN LC_ALL=C
unset TMPDIR TINI_SUBREAPER TINI_VERBOSITY TINI_KILL_PROCESS_GROUP DUMB_INIT_SETSID DUMB_INIT_DEBUG NOTIFY_SOCKET
namespace='unshare --pid --fork --kill-child --mount-proc'
[ "$(id -u)" -eq 0 ] || namespace='unshare --map-root-user --pid --fork --kill-child --mount-proc'

# ---- for the experiments ----

# within TRIES COMMAND...: whether it succeeds in one of TRIES looks, 50 a second; await COMMAND...: until it does, or the
# experiment has failed, so that nothing is concluded from what never began.
within() {
  tries=$1
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.02 || :
  done
}
await() {
  within 500 "$@" || {
    echo "never: $*"
    exit 1
  } >&2
}
state() {
  stat=
  read -r stat 2>/dev/null <"/proc/$1/stat" || :
  stat=${stat##*) }
  echo "${stat%% *}"
}
runs() {
  case $(state "$1") in '' | Z | X) return 1 ;; esac
}
ended() {
  ! runs "$1"
}
stopped() {
  [ "$(state "$1")" = T ]
}
resumed() {
  ! stopped "$1"
}
parent() {
  sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status"
}
holds() {
  ! flock -n "$1" true
}
# says COMMAND...: yes if it succeeds, else no
says() {
  if "$@"; then echo yes; else echo no; fi
}
# lacks TOOL PATTERN: no, if the tool's help doesn't know of it; a question that the author has to answer otherwise
lacks() {
  case $1 in
  runit) help=$(chpst 2>&1; svlogd 2>&1; sv 2>&1) ;;
  tini) help=$(tini -h) ;;
  *) help=$("$1" --help 2>&1) ;;
  esac
  if printf '%s\n' "$help" | grep -qiE -- "$2"; then echo '?'; else echo no; fi
}
# a program that puts its pid into the file $1 and stays
cat >"$root/bin/stay" <<'END'
#!/bin/sh
echo $$ >"$1.new"
mv "$1.new" "$1"
exec sleep 1000
END
chmod +x "$root/bin/stay"

# ---- the page ----

kill_all() {
  within 500 none_left
}
none_left() {
  # grep must not find itself; its status is about files that it may not read, too
  left=$(env -u PEERS_RUN grep -lzsxF "PEERS_RUN=$root" /proc/[0-9]*/environ)
  [ -n "$left" ] || return 0
  for file in $left; do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}" 2>/dev/null || :
  done
  return 1
}
trap 'kill_all; rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP

# experiment ROW TOOL: its verdict goes to $verdict
experiment() {
  dir=$root/$1.$2
  mkdir "$dir"
  (cd "$dir" && "$1" "$2") >"$dir/out" 2>"$dir/log" </dev/null
  verdict=$(grep -xE '(yes|no|partly|-)([=:].*)?|\?' "$dir/out" | tail -n 1)
  kill_all
  [ -z "${VERBOSE:-}" ] || echo "peers: $1 $2: $verdict" >&2
}

# cell ROW TOOL: its text
cell() {
  experiment "$1" "$2"
  note=
  case $verdict in *:*) note=${verdict#*:} verdict=${verdict%%:*} ;; esac
  case $verdict in
  yes | no | partly) text=$verdict ;;
  -) text=– ;;
  yes=*) text="yes, with \`${verdict#*=}\`" ;;
  *)
    echo "peers: $1 $2: an experiment without a verdict: '$verdict'" >&2
    sed 's/^/  /' "$root/$1.$2/out" "$root/$1.$2/log" >&2
    text='?' bad=1
    ;;
  esac
  [ -z "$note" ] || footnote "$note"
  [ -z "$note" ] || text="$text [$number]"
}

# footnote NAME: its number, in the order of the first use; a letter, if there is $lettered
footnote() {
  number=$(printf '%s' "$notes" | grep -nxF "$1" | cut -d: -f1)
  [ -n "$number" ] || {
    notes="$notes$1
"
    number=$(printf '%s' "$notes" | grep -c .)
  }
  label "$number"
}
label() {
  number=$1
  [ -z "$lettered" ] || number=$(printf 'abcdefghijklmnop' | cut -c "$1")
}
# footnotes: all so far; the next ones are of another series
footnotes() {
  echo
  count=0
  printf '%s' "$notes" | while read -r note; do
    count=$((count + 1))
    label "$count"
    printf '[%s] %s\n\n' "$number" "$(note_text "$note")"
  done
  notes=
}

# table TOOL...: begins one; row NAME TEXT: its next line, for these tools
table() {
  tools=$*
  head='|' line='|---|'
  for tool in "$@"; do
    head="$head | $tool"
    line="$line---|"
  done
  printf '%s |\n%s\n' "$head" "$line"
}
row() {
  out="| $2"
  for tool in $tools; do
    cell "$1" "$tool"
    out="$out | $text"
  done
  printf '%s |\n' "$out"
}
# packages NAME...: with their versions, a new line after the fourth
packages() {
  count=0
  for package in "$@"; do
    count=$((count + 1))
    # shellcheck disable=SC2016 # for dpkg-query
    dpkg-query -W -f '${Package} ${Version}' "$package" 2>/dev/null || printf '%s' "$package"
    case $count in
    "$#") ;;
    4) printf ',\n' ;;
    *) printf ', ' ;;
    esac
  done
}

bad=0
notes=
lettered=
# shellcheck source=check/peers/locks.sh
. "$home/peers/locks.sh"
# shellcheck source=check/peers/deadlines.sh
. "$home/peers/deadlines.sh"
# shellcheck source=check/peers/inits.sh
. "$home/peers/inits.sh"
# shellcheck source=check/peers/daemons.sh
. "$home/peers/daemons.sh"
# shellcheck source=check/peers/servers.sh
. "$home/peers/servers.sh"
# shellcheck source=check/peers/connections.sh
. "$home/peers/connections.sh"
# shellcheck source=check/peers/text.sh
. "$home/peers/text.sh"
if [ "${PEERS_ONLY:-}" = servers ]; then
  sed '/^## Servers/,$d' "$home/../docs/peers.md" >"$root/page"
else
  page >"$root/page"
fi
{ page_servers && page_end; } >>"$root/page"
if [ "$#" -lt 2 ]; then
  cat "$root/page"
else
  # the versions are those of the machine
  for file in "$2" "$root/page"; do
    sed '/^Measured with/,/^$/d' "$file" >"$root/$(basename "$file").cut"
  done
  diff -u "$root/$(basename "$2").cut" "$root/page.cut" && [ "$bad" -eq 0 ]
  exit
fi
exit "$bad"
