# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# udptime.sh - 2,000 hosts are asked for the time at once; each of them once, so that a lost datagram is a failure.

# N runs of it, with all hosts; each of them must have told its own time, in each run.
ask_turn() { # NAME N
  name=$1 n=$2
  if ! timed_runs "$1" "$n" ||
    ! awk -v n="$n" '
      NR == FNR {wanted[$1] = 1; next}
      {
        split($1, octet, ".")
        off = $2 - (octet[3] * 256 + octet[4])
        bad += off < -1 || off > 1 # a second may begin in between
        told[$1]++
      }
      END {
        for (host in wanted)
          bad += told[host] != n
        exit(bad > 0 || FNR != n * length(wanted))
      }' "$dir/after" "$dir/out"; then
    echo "  $name: an answer was lost, or wrong"
    status=1
  fi
  took $((n * 2000))
}

udptime_part() {
  contestants=
  tells_port responder '' '' "$tools/timeresponder"
  port=$(cat "$dir/address.responder")
  new_part '2,000 hosts are asked for the time at once, over UDP; a second is how many of them.'
  repeated ipcbox '' 'ipcbox udptime' "$ipcbox" udptime -r 1 -p "$port"
  repeated loop 0.77 'udploop: sendto, recvmmsg in turn' "$tools/udploop" "$port"
  repeated batch '' 'udploop -b: sendmmsg, recvmmsg' "$tools/udploop" -b "$port"
  ! has /usr/bin/perl perl || repeated perl 1 'perl, as in perlipc' /usr/bin/perl "$bench/udptime.pl" "$port"
  [ ! -x "$static" ] || repeated ipcbox-static '' 'ipcbox, static with musl' "$static" udptime -r 1 -p "$port"
  awk 'BEGIN {for (i = 0; i < 2000; i++) print "127.0." int(i / 250) + 1 "." i % 250 + 1}' >"$dir/after"
  rounds_of ask_turn $((24 / scale))
  stop_servers
  table base rate
}
