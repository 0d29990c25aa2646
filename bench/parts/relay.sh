# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# relay.sh - bulk data through tcpclient, by file, pipe and socket.

relay() { # NAME send|receive PORT: stdin to the server, or the server to stdout
  case $1-$2 in
  ipcbox-*) set -- "$ipcbox" tcpclient 127.0.0.1 "$3" ;;
  bare-splice-send) set -- "$tools/barerelay" splice "$3" ;;
  bare-*) set -- "$tools/barerelay" "$2" "$3" ;;
  nc-send) set -- /usr/bin/nc.openbsd -N 127.0.0.1 "$3" ;;
  nc-receive) set -- /usr/bin/nc.openbsd -d 127.0.0.1 "$3" ;;
  ncat-send) set -- /usr/bin/ncat 127.0.0.1 "$3" ;;
  ncat-receive) set -- /usr/bin/ncat --recv-only 127.0.0.1 "$3" ;;
  socat-send) set -- /usr/bin/socat -b 131072 -t 60 - "TCP:127.0.0.1:$3" ;;
  socat-receive) set -- /usr/bin/socat -u -b 131072 "TCP:127.0.0.1:$3" - ;;
  esac
  "$tools/timed" -o "$dir/timed" "$@"
}

# One relay of a way, by NAME; the verdict into $dir/verdict, its times into $dir/timed
relay_once() { # WAY NAME
  case $1 in
  file-to-socket) relay "$2" send "$sink" <"$dir/data" >"$dir/verdict" ;;
  pipe-to-socket) "$tools/bytes" make "$size" | relay "$2" send "$sink" >"$dir/verdict" ;;
  socket-to-pipe) relay "$2" receive "$source" </dev/null | "$tools/bytes" check "$size" >"$dir/verdict" ;;
  socket-to-file) # over zeros that are in memory, so that it is not the file system that is measured
    head -c "$size" /dev/zero 1<>"$dir/out"
    relay "$2" receive "$source" </dev/null 1<>"$dir/out"
    "$tools/bytes" check "$size" <"$dir/out" >"$dir/verdict"
    ;;
  esac
}

relay_turn() { # NAME
  rm -f "$dir/timed"
  relay_once "$way" "$1"
  if [ "$(cat "$dir/verdict")" != "ok $size" ]; then
    echo "  $1: $(cat "$dir/verdict")"
    status=1
  fi
  took 1
}

relay_way() { # WAY
  new_part "Relay of $((size / 1048576)) MiB, $1."
  contestant ipcbox '' 'ipcbox tcpclient'
  contestant bare '' 'barerelay: sendfile, splice, copy'
  [ "$1" != pipe-to-socket ] || contestant bare-splice '' 'barerelay: splice'
  ! has /usr/bin/nc.openbsd netcat-openbsd || contestant nc '' 'nc (netcat-openbsd)'
  ! has /usr/bin/ncat ncat || contestant ncat '' ncat
  ! has /usr/bin/socat socat || contestant socat '' 'socat -b 131072'
  way=$1
  rounds_of relay_turn
  table base time
}

relay_part() {
  "$tools/bytes" make "$size" >"$dir/data" || die 'no room for the data'
  tells_port sink '' '' "$tools/bytes" sink "$size"
  tells_port source '' '' "$tools/bytes" source "$size"
  sink=$(cat "$dir/address.sink") source=$(cat "$dir/address.source")
  for way in file-to-socket pipe-to-socket socket-to-pipe socket-to-file; do
    relay_way "$way"
  done
  stop_servers
  rm -f "$dir/data" "$dir/out"
}
