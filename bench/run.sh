#!/bin/sh
# run.sh - measures ipcbox against its peers, against the bare system calls, and against itself.
#
#     sh bench/run.sh BUILD             from the top directory; BUILD as in make B=BUILD
#                                       QUICK=1: 3 rounds instead of 7, less work in each
#                                       PARTS='tcp relay': these parts of it, of bench/parts/
#                                       AGAINST=PATH/ipcbox: this build against that one, and nothing else
#
# All contestants of a part take turns within each round, so that what else the machine does hits all of them; what
# counts is the median over the rounds of the ratio within a round. Every reply and every relayed byte is checked: one
# wrong byte, or a connection that ipcbox loses, is a failure (exit 1). Peers that are missing are named and
# left out. Tables go to stdout, and as a plot to BUILD/bench/ratios.svg where there is gnuplot. All else that it makes
# is under BUILD, and gone when it ends, as are all processes that it starts.
#
# As root it runs in a network namespace of its own, with Reno for congestion control: that knows no pacing. Where the
# machine's is BBR, it is the timer between two segments that would be measured over loopback, whoever sends them.
#
# shellcheck disable=SC2034 # what lib.sh and the parts look at
set -u

no_pacing='ip link set lo up && echo reno >/proc/sys/net/ipv4/tcp_congestion_control'
network=
# shellcheck disable=SC2016 # the inner shell's
case $#-${2-} in
1-)
  ! unshare -n sh -c "$no_pacing" 2>/dev/null ||
    exec unshare -n sh -c "$no_pacing"' && exec sh "$0" "$1" in-its-own-network' "$0" "$1"
  ;;
2-in-its-own-network) network='a namespace of its own, ' ;;
*)
  echo 'usage: sh bench/run.sh BUILD' >&2
  exit 100
  ;;
esac
all_parts='tcp options unix udp held growth relay messages pipeline start around take queue redis udptime size calls'
bench=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bench" || exit
build=$(cd "$1" && pwd)
tools=$build/bench ipcbox=$build/ipcbox static=$build/static/ipcbox
rounds=7 scale=1 # of the work in a round
[ -z "${QUICK-}" ] || rounds=3 scale=8
size=$((2147483648 / scale)) # of what is relayed
slices=$((8 / scale)) # a server's turns in a round
connections=500 # in each of them
part=0 contestants='' pids='' key='' queue='' missing='' status=0
dir=$(mktemp -d "$tools/run.XXXXXX") || exit

# shellcheck source=bench/lib.sh
. "$bench/lib.sh"
against=${AGAINST-}
[ -z "$against" ] || {
  against=$(readlink -f "$against")
  PARTS=against
}
for name in $all_parts against; do
  # shellcheck source=/dev/null
  . "$bench/parts/$name.sh"
done

trap 'stop_servers; [ -z "$key" ] || "$ipcbox" semset rm "$key" 2>/dev/null
  [ -z "$queue" ] || "$ipcbox" msgdemo -q rm "$queue"; rm -rf "$dir"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

prepare() {
  make -s B="$1" all tools >/dev/null || exit
  if command -v musl-gcc >/dev/null; then
    make -s B="$1" static >/dev/null || exit
  else
    missing=' musl-tools'
  fi
  cd "$dir" || exit
  mkfifo fifo || exit
}

describe() {
  echo "cores: $(getconf _NPROCESSORS_ONLN), kernel: $(uname -sr), $(uname -m)"
  echo "compiler: $("${CC:-cc}" --version | head -n 1)"
  sed -n 's/^model name[^:]*: /processor: /p' /proc/cpuinfo 2>/dev/null | head -n 1
  echo "network: $network$(cat /proc/sys/net/ipv4/tcp_congestion_control)"
  echo "load average before: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null)"
  echo "rounds: $rounds; each round $((slices * connections)) connections to each server (slow ones: a quarter)"
}

draw() {
  grep -qs "|.*|" "$dir/plot" && has /usr/bin/gnuplot gnuplot-nox || return
  gnuplot -e "data='$dir/plot'; picture='$tools/ratios.svg'" "$bench/ratios.gp" &&
    printf '\nThe plot: %s\n' "$tools/ratios.svg"
}

prepare "$1"
describe
for name in ${PARTS:-$all_parts}; do
  "${name}_part"
done
draw
[ -z "$missing" ] || printf '\nNot installed, so not compared with (Debian packages):%s\n' "$missing"
[ "$status" -eq 0 ] || echo "bench: there were wrong or lost replies" >&2
exit "$status"
