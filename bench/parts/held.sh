# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# held.sh - what servers take while many connections are open: memory, and processor time while nothing happens.

# All servers: $1 connections at a time, $tools/copy for each
held_servers() {
  tells_port ipcbox '' 'ipcbox tcpserver' "$ipcbox" tcpserver -1 -c "$1" 127.0.0.1 0 "$tools/copy"
  [ ! -x "$static" ] || tells_port ipcbox-static '' 'ipcbox tcpserver, static with musl' \
    "$static" tcpserver -1 -c "$1" 127.0.0.1 0 "$tools/copy"
  tells_port bare '' 'bareloop' "$tools/bareloop" "$1" "$tools/copy"
  if has /usr/bin/tcpserver ucspi-tcp-ipv6; then
    tells_port ucspi '' 'ucspi-tcp tcpserver' /usr/bin/tcpserver -1 -q -HRl0 -c "$1" -b 128 127.0.0.1 0 "$tools/copy"
  fi
  if has /usr/bin/unixserver ucspi-unix; then
    silent_echo ucspi-unix '' 'ucspi-unix unixserver' ./ucspi.sock \
      /usr/bin/unixserver -q -c "$1" -b 128 ./ucspi.sock "$tools/copy"
  fi
  if has /usr/bin/s6-ipcserver s6; then
    silent_echo s6 '' 's6-ipcserver' ./s6.sock /usr/bin/s6-ipcserver -q -c "$1" -C "$1" -b 128 ./s6.sock "$tools/copy"
  fi
  if has /usr/bin/tcpsvd ipsvd; then
    free_port
    silent_echo tcpsvd '' 'ipsvd tcpsvd' "$port" /usr/bin/tcpsvd -c "$1" -b 128 -l 0 127.0.0.1 "$port" "$tools/copy"
  fi
  if has /usr/bin/systemd-socket-activate systemd; then
    free_port
    silent_echo systemd '' 'systemd-socket-activate --accept' "$port" env SYSTEMD_LOG_LEVEL=err \
      /usr/bin/systemd-socket-activate --accept --inetd -l "127.0.0.1:$port" "$tools/copy"
  fi
  if has /usr/bin/perl perl; then
    tells_port perl '' 'perl, as in perlipc' /usr/bin/perl "$bench/perl-server.pl" "$1" "$tools/copy"
  fi
  ! has /usr/bin/socat socat || held_socat "$1"
}

held_socat() {
  free_port
  silent_echo socat '' 'socat fork, nofork' "$port" /usr/bin/socat \
    "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=128,max-children=$1" "EXEC:$tools/copy,nofork"
  free_port
  silent_echo socat-relay '' 'socat fork: a relay for each' "$port" /usr/bin/socat \
    "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=128,max-children=$1" "EXEC:$tools/copy"
}

# What each server takes, into $dir/$1.NAME
weigh() {
  into=$1
  # shellcheck disable=SC2086 # numbers
  set -- 0 $pids
  for name in $servers; do
    shift
    "$tools/weigh" "$1" | sed 's/[a-z_]*=//g' >"$dir/$into.$name"
  done
}

# What was weighed, lines NAME|LABEL|PSS|ANONYMOUS|TICKS|PROCESSES
held_table() {
  awk -F '|' '
    function times(a, b) {
      return a && b ? sprintf("%.2f x", a / b) : "-"
    }
    BEGIN {
      printf "  %-38s %10s %10s %10s %10s %10s %10s\n", "", "PSS in KiB", "of no file", "/ ipcbox", "/ static",
        "processes", "CPU ticks"
    }
    {
      name[NR] = $1
      label[$1] = $2
      kb[$1] = $3
      line[NR] = sprintf("%10d %10d %10d", $4, $6, $5)
      if ($1 ~ /^ipcbox/ && $5 > 0)
        busy = 1
      if ($1 !~ /^(ipcbox|bare)/ && (least == "" || $3 + 0 < kb[least] + 0))
        least = $1
    }
    END {
      for (i = 1; i <= NR; i++) {
        n = name[i]
        split(line[i], f, " ")
        printf "  %-38s %10d %10d %10s %10s %10d %10d\n", label[n], kb[n], f[1], times(kb[n], kb["ipcbox"]),
          times(kb[n], kb["ipcbox-static"]), f[2], f[3]
      }
      print "  No processor time while nothing happens, of all builds of ipcbox: " (busy ? "missed" : "met")
      if (least != "" && kb["ipcbox-static"])
        printf "  The PSS of the static build is %.2f x that of the least of the others (%s); goal at most 1.00: %s\n",
          kb["ipcbox-static"] / kb[least], label[least], kb["ipcbox-static"] + 0 <= kb[least] + 0 ? "met" : "missed"
    }'
}

held_part() {
  many=$((1000 / scale))
  new_part "$many connections held open: memory of the server (not its programs), and its CPU time in an idle second."
  held_servers "$((many + 10))"
  servers=$contestants
  prepare_to_hold
  for name in $servers; do
    hold "$name" "$many"
  done
  weigh before
  sleep 1 # this is what is measured
  weigh after
  for name in $servers; do
    paste -d ' ' "$dir/before.$name" "$dir/after.$name" |
      awk -v name="$name" -v label="$(label_of "$name")" '{print name "|" label "|" $5 "|" $6 "|" $7 - $3 "|" $8}'
  done | held_table
  release
  stop_servers
}
