# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# calls.sh - the system calls of one connection.

# The calls for $counted connections, by strace, as lines CALL NAME NUMBER-FOR-ONE in $dir/calls. AT is where the server
# listens, or `says`: it prints that. NAME AT COMMAND...
count_calls() {
  name=$1 at=$2
  shift 2
  columns="$columns $name"
  # the shell tells its pid, which is the server's after exec: to end strace, end what it follows
  strace -f -c -o "$dir/strace" sh -c 'echo $$; exec "$@"' sh "$@" >"$dir/fifo" 2>"$dir/err.$name" &
  tracer=$!
  {
    read -r server
    if [ "$at" = says ]; then
      read -r at
    else
      wait_for "$at" "$name"
    fi
  } <"$dir/fifo"
  "$tools/load" -n "$counted" -e 'hello\n' "$at" >/dev/null || status=1
  kill "$server"
  wait "$tracer" 2>/dev/null # its end by a signal is not worth a word
  awk -v name="$name" -v n="$counted" '$1 ~ /^[0-9.]+$/ && $NF != "total" && $4 >= n / 20 {print $NF, name, $4 / n}' \
    "$dir/strace" >>"$dir/calls"
}

# Until there is an answer
wait_for() { # ADDRESS NAME
  tries=0
  until "$tools/load" -n 1 -t 5 -e 'hello\n' "$1" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "$2 does not answer: $(cat "$dir/err.$2")"
    sleep 0.1
  done
}

# A line for each call, a column for each server
calls_table() {
  sort "$dir/calls" | awk -v columns="$columns" '
    function out(name, v,    i) {
      printf "  %-18s", name
      for (i = 1; i <= n; i++)
        printf " %12s", column[i] in v ? sprintf("%.1f", v[column[i]]) : "-"
      printf "\n"
      split("", v)
    }
    BEGIN {
      n = split(columns, column, " ")
      printf "  %-18s", ""
      for (i = 1; i <= n; i++)
        printf " %12s", column[i]
      printf "\n"
    }
    $1 != call && call != "" {out(call, v)}
    {
      call = $1
      v[$2] = $3
      sum[$2] += $3
    }
    END {
      out(call, v)
      out("all", sum)
    }'
}

calls_part() {
  has /usr/bin/strace strace || return
  counted=$((1000 / scale)) columns=
  rm -f "$dir/calls"
  new_part "System calls for one connection, of the server and its child, with the program's write and exit."
  count_calls tcpserver says "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  count_calls bareloop says "$tools/bareloop" 40 "$tools/hello"
  ! has /usr/bin/tcpserver ucspi-tcp-ipv6 || count_calls ucspi-tcp says \
    /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
  free_port
  ! has /usr/bin/tcpsvd ipsvd || count_calls tcpsvd "$port" \
    /usr/bin/tcpsvd -c 40 -b 128 -l 0 127.0.0.1 "$port" "$tools/hello"
  count_calls unixserver says "$ipcbox" unixserver -1 -c 40 ./calls.sock "$tools/hello"
  ! has /usr/bin/unixserver ucspi-unix || count_calls ucspi-unix ./calls-ucspi.sock \
    /usr/bin/unixserver -q -c 1000 -b 128 ./calls-ucspi.sock "$tools/hello"
  ! has /usr/bin/s6-ipcserver s6 || count_calls s6-ipcserver ./calls-s6.sock \
    /usr/bin/s6-ipcserver -q -c 40 -b 128 ./calls-s6.sock "$tools/hello"
  calls_table
}
