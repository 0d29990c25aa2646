# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# messages.sh - 1 byte there and 1 byte back, again and again: through a coprocess, and through a relay to a socket.
#
# Only one of those that take part has anything to do at a time. They all run on one processor: on several, it is where
# the kernel puts them that decides, for a round or for all of it, and the figures are 5 times apart.

# N round trips, or a quarter of them for those that are slow. The command has the word N where their number goes.
trip_turn() { # NAME N
  name=$1 n=$2
  [ ! -f "$dir/few.$1" ] || n=$((n / 4))
  set --
  while read -r word; do
    [ "$word" != N ] || word=$n
    set -- "$@" "$word"
  done <"$dir/words.$name"
  rm -f "$dir/timed"
  "$tools/timed" -o "$dir/timed" "$tools/pingpong" pin "$@" >"$dir/out"
  if [ "$(cat "$dir/out")" != "ok $n" ]; then
    echo "  $name: a wrong answer, or none"
    status=1
  fi
  took "$n"
}

trips() { # N
  rounds_of trip_turn $(($1 / scale))
}

# A relay to a socket: NAME GOAL LABEL COMMAND...
relays() {
  name=$1 goal=$2 label=$3
  shift 3
  repeated "$name" "$goal" "$label" "$tools/pingpong" run N "$@"
}

coprocesses() {
  new_part 'Round trips of 1 byte to a program that echoes: joined, with nobody between.'
  repeated ipcbox '' 'ipcbox open2, two programs' "$ipcbox" open2 "$tools/copy" ::: "$tools/pingpong" on N 6 7
  # opened anew: what bash duplicates of them is closed by exec
  # shellcheck disable=SC2016 # for bash
  ! has /usr/bin/bash bash || repeated bash '' 'bash: coproc, exec' /usr/bin/bash -c \
    'coproc "$1"; shift; exec "$@" 6</dev/fd/"${COPROC[0]}" 7>/dev/fd/"${COPROC[1]}"' \
    bash "$tools/copy" "$tools/pingpong" on N 6 7
  repeated run '' 'the client itself, by two pipes' "$tools/pingpong" run N "$tools/copy"
  trips 8000
  table base rate
  new_part 'Round trips of 1 byte to a program that echoes: relayed.'
  relays ipcbox '' 'ipcbox open2, one program' "$ipcbox" open2 "$tools/copy"
  ! has /usr/bin/socat socat || relays socat 1 'socat EXEC' /usr/bin/socat - "EXEC:$tools/copy"
  if has /usr/bin/bash bash; then
    cat >"$dir/relay.bash" <<'E'
coproc "$1"
while IFS= read -rN1 byte; do
  printf %s "$byte" >&"${COPROC[1]}"
  IFS= read -rN1 -u "${COPROC[0]}" byte
  printf %s "$byte"
done
true
E
    relays bash 1 'bash: coproc, read and printf' /usr/bin/bash "$dir/relay.bash" "$tools/copy"
    few bash
  fi
  trips 8000
  table base rate
}

messages_part() {
  coprocesses
  tells_port unix '' '' "$tools/pingpong" pin "$tools/pingpong" unix ./echo
  tells_port tcp '' '' "$tools/pingpong" pin "$tools/pingpong" tcp
  to=$(cat "$dir/address.tcp")
  new_part 'Round trips of 1 byte through a relay to a Unix socket.'
  relays ipcbox '' 'ipcbox unixclient' "$ipcbox" unixclient ./echo
  ! has /usr/bin/socat socat || relays socat 1 socat /usr/bin/socat - UNIX:./echo
  ! has /usr/bin/nc.openbsd netcat-openbsd || relays nc 1 'nc (netcat-openbsd)' /usr/bin/nc.openbsd -N -U ./echo
  ! has /usr/bin/ncat ncat || relays ncat 1 ncat /usr/bin/ncat -U ./echo
  trips 8000
  table base rate
  new_part 'Round trips of 1 byte through a relay to a TCP port.'
  relays ipcbox '' 'ipcbox tcpclient' "$ipcbox" tcpclient 127.0.0.1 "$to"
  ! has /usr/bin/socat socat || relays socat 1 socat /usr/bin/socat - "TCP:127.0.0.1:$to"
  ! has /usr/bin/nc.openbsd netcat-openbsd || relays nc 1 'nc (netcat-openbsd)' /usr/bin/nc.openbsd -N 127.0.0.1 "$to"
  ! has /usr/bin/ncat ncat || relays ncat 1 ncat /usr/bin/ncat 127.0.0.1 "$to"
  trips 8000
  table base rate
  stop_servers
}
