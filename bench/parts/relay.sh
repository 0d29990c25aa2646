# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# relay.sh - bulk data through tcpclient, by file, pipe and socket.

relay() { # NAME send|receive PORT: stdin to the server, or the server to stdout
  case $1-$2 in
  ipcbox-static-*) set -- "$static" tcpclient 127.0.0.1 "$3" ;;
  ipcbox-*) set -- "$ipcbox" tcpclient 127.0.0.1 "$3" ;;
  bare-copy-*) set -- "$tools/barerelay" -c "$2" "$3" ;;
  bare-*) set -- "$tools/barerelay" "$2" "$3" ;;
  nc-send) set -- /usr/bin/nc.openbsd -N 127.0.0.1 "$3" ;;
  nc-receive) set -- /usr/bin/nc.openbsd -d 127.0.0.1 "$3" ;;
  ncat-send) set -- /usr/bin/ncat 127.0.0.1 "$3" ;;
  ncat-receive) set -- /usr/bin/ncat --recv-only 127.0.0.1 "$3" ;;
  socat-send) set -- /usr/bin/socat -t 60 - "TCP:127.0.0.1:$3" ;;
  socat-receive) set -- /usr/bin/socat -u "TCP:127.0.0.1:$3" - ;;
  socat-*-send) set -- /usr/bin/socat -b "$(echo "$1" | tr -dc 0-9)" -t 60 - "TCP:127.0.0.1:$3" ;;
  socat-*-receive) set -- /usr/bin/socat -u -b "$(echo "$1" | tr -dc 0-9)" "TCP:127.0.0.1:$3" - ;;
  esac
  "$tools/timed" -o "$dir/timed" "$@"
}

# One relay of N bytes; the verdict into $dir/verdict, its times into $dir/timed
relay_once() { # WAY NAME N
  sink=$(cat "$dir/address.sink-$3") source=$(cat "$dir/address.source-$3")
  case $1 in
  file-to-socket) relay "$2" send "$sink" <"$dir/data.$3" >"$dir/verdict" ;;
  pipe-to-socket) "$tools/bytes" make "$3" | relay "$2" send "$sink" >"$dir/verdict" ;;
  socket-to-pipe) relay "$2" receive "$source" </dev/null | "$tools/bytes" check "$3" >"$dir/verdict" ;;
  socket-to-file) # over zeros that are in memory, so that it is not the file system that is measured
    head -c "$3" /dev/zero 1<>"$dir/out.$3"
    relay "$2" receive "$source" </dev/null 1<>"$dir/out.$3"
    "$tools/bytes" check "$3" <"$dir/out.$3" >"$dir/verdict"
    ;;
  esac
}

relay_turn() { # NAME
  amount=$all times=1
  [ ! -f "$dir/few.$1" ] || amount=$((all / 4)) times=4
  rm -f "$dir/timed"
  relay_once "$way" "$1" "$amount"
  if [ "$(cat "$dir/verdict")" != "ok $amount" ]; then
    echo "  $1: $(cat "$dir/verdict")"
    status=1
  fi
  sed 's/[a-z_]*=//g' "$dir/timed" | awk -v times="$times" '{print $1 * times, $2 * times, $3 * times}' >"$dir/times"
  mv "$dir/times" "$dir/timed"
  took 1
}

# Whether ipcbox takes so little of the processor: GOAL, the smallest ratio of nc's time to its own
cpu_goal() {
  [ -s "$dir/cpu.nc" ] || return
  paste -d ' ' "$dir/cpu.nc" "$dir/cpu.ipcbox" | awk '$2 > 0 {print $1 / $2}' | sort -n | awk -v goal="$1" '
    {v[NR] = $1}
    END {
      m = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
      verdict = m >= goal ? "met" : "missed"
      printf "  Processor time: nc takes %.2f x that of ipcbox; goal %.1f: %s\n", m, goal, verdict
    }'
}

relay_way() { # WAY GOAL-AGAINST-NC GOAL-OF-CPU
  new_part "Relay of $((all / 1048576)) MiB, $1; (a quarter): of a quarter, times 4."
  contestant ipcbox '' 'ipcbox tcpclient'
  contestant bare 0.95 'barerelay: sendfile or splice'
  case $1 in
  pipe-to-socket | socket-to-file) slow bare-copy 'barerelay -c: read and write (a quarter)' ;;
  esac
  ! has /usr/bin/nc.openbsd netcat-openbsd || contestant nc "$2" 'nc (netcat-openbsd)'
  ! has /usr/bin/ncat ncat || slow ncat 'ncat (a quarter)'
  if has /usr/bin/socat socat; then
    slow socat 'socat (a quarter)'
    slow socat-131072 'socat -b 131072 (a quarter)'
    slow socat-1048576 'socat -b 1048576 (a quarter)'
  fi
  way=$1
  rounds_of relay_turn
  table base time
  cpu_goal "$3"
}

slow() { # NAME LABEL
  contestant "$1" '' "$2"
  few "$1"
}

relay_part() {
  contestants='' all=$size
  for amount in $all $((all / 4)); do
    "$tools/bytes" make "$amount" >"$dir/data.$amount" || die 'no room for the data'
    tells_port "sink-$amount" '' '' "$tools/bytes" sink "$amount"
    tells_port "source-$amount" '' '' "$tools/bytes" source "$amount"
  done
  relay_way file-to-socket 2.5 2
  relay_way pipe-to-socket 1.4 2
  relay_way socket-to-pipe 1.4 2
  relay_way socket-to-file '' 1
  stop_servers
  rm -f "$dir"/data.* "$dir"/out.*
}
