# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# growth.sh - what a new connection costs while many programs of the same server live.

# 300 new connections to one server, each of which must get its line back.
grow_turn() { # NAME
  result=$("$tools/load" -n 300 "$(cat "$dir/address.$1")" 2>"$dir/complaints")
  echo "$result" | sed 's/[a-z0-9_]*=//g' >>"$dir/turns.$1"
  case $result in
  *' wrong=0 failed=0 '*) return ;;
  esac
  echo "  $1: $result"
  cat "$dir/complaints"
  status=1
}

# Microseconds for one new connection, in each round
grow_rounds() {
  round=0
  while [ "$round" -lt "$rounds" ]; do
    rm -f "$dir"/turns.*
    for slice in 1 2; do
      for name in $contestants; do
        grow_turn "$name"
      done
      rotate
    done
    for name in $contestants; do
      awk '{n += $1; s += $4} END {print n ? s / n * 1e6 : 0}' "$dir/turns.$name" >>"$dir/main.$name"
    done
    round=$((round + 1))
  done
}

# So many programs at each of three servers, or as many as this machine's limits leave room for: N
room_for() {
  # load raises the limit on its files to the hard one
  awk -v n="$1" -v pids="$(cat /proc/sys/kernel/pid_max)" '
    /^Max open files/ && $5 != "unlimited" && n > $5 - 100 {n = $5 - 100}
    /^Max processes/ && $3 != "unlimited" && n > $3 / 6 {n = $3 / 6}
    END {print(n > pids / 6 ? int(pids / 6) : int(n))}' /proc/self/limits
}

# A server for each number of programs that live: NAME LABEL COMMAND..., to which -c N HOST PORT PROG is added
growing() {
  name=$1 label=$2 goal=
  shift 2
  for many in $crowds; do
    tells_port "$name-$many" "$goal" "$label, $many live" "$@" -c $((many + 100)) 127.0.0.1 0 "$tools/copy"
    name=${name%-*}
    [ "$name" != ipcbox ] || goal=0.8
  done
}

# The bare loop takes its arguments another way.
growing_bare() {
  for many in $crowds; do
    tells_port "bare-$many" '' "bareloop, $many live" "$tools/bareloop" $((many + 100)) "$tools/copy"
  done
}

growth_part() {
  new_part 'A new connection while many programs of the same server live; 30 at a time. Microseconds for one.'
  most=$(room_for 5000)
  [ "$most" -ge 5000 ] || echo "  (the limits on files and processes leave no room for 5000: $most)"
  crowds="10 100 1000 $most"
  [ "$scale" -eq 1 ] || crowds='10 100 1000'
  growing ipcbox 'ipcbox tcpserver' "$ipcbox" tcpserver -1
  growing_bare
  ! has /usr/bin/tcpserver ucspi-tcp-ipv6 ||
    growing ucspi 'ucspi-tcp tcpserver' /usr/bin/tcpserver -1 -q -HRl0 -b 128
  prepare_to_hold
  for name in $contestants; do
    hold "$name" "${name##*-}"
  done
  grow_rounds
  release
  stop_servers
  echo '  Flat within 25 %: 0.80 x as fast as with 10, or better.'
  for name in ipcbox bare ucspi; do
    [ -s "$dir/main.$name-10" ] || continue
    set --
    for many in $crowds; do
      set -- "$@" "$name-$many"
    done
    table row us "$name-10" "$@"
  done
}
