# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# calls.sh - the system calls of one connection.

# The calls of 1000 connections, by strace, into $dir/calls.NAME: NAME COMMAND...
count_calls() {
  name=$1
  shift
  # the shell tells its pid, which is the server's after exec: to end strace, end what it follows
  strace -f -c -o "$dir/strace" sh -c 'echo $$; exec "$@"' sh "$@" >"$dir/fifo" 2>/dev/null &
  tracer=$!
  {
    read -r server
    read -r port
  } <"$dir/fifo"
  "$tools/load" -n 1000 -e 'hello\n' "$port" >/dev/null || status=1
  kill "$server"
  wait "$tracer"
  awk -v name="$name" '$1 ~ /^[0-9.]+$/ && $NF != "total" && $4 >= 50 {print $NF, name, $4 / 1000}' "$dir/strace" \
    >>"$dir/calls"
}

calls_part() {
  has /usr/bin/strace strace || return
  new_part "System calls for one connection, of the server and its child, with the program's write and exit."
  count_calls ipcbox "$ipcbox" tcpserver -1 -c 40 127.0.0.1 0 "$tools/hello"
  has /usr/bin/tcpserver ucspi-tcp-ipv6 &&
    count_calls ucspi /usr/bin/tcpserver -1 -q -HRl0 -c 40 -b 128 127.0.0.1 0 "$tools/hello"
  sort "$dir/calls" | awk '
    function out() {
      if (call != "")
        printf "  %-34s %10s %10s\n", call, n["ipcbox"] == "" ? "-" : sprintf("%.1f", n["ipcbox"]),
          n["ucspi"] == "" ? "-" : sprintf("%.1f", n["ucspi"])
      split("", n)
    }
    BEGIN {printf "  %-34s %10s %10s\n", "", "ipcbox", "ucspi-tcp"}
    $1 != call {out(); call = $1}
    {n[$2] = $3; sum[$2] += $3}
    END {out(); printf "  %-34s %10.1f %10.1f\n", "all", sum["ipcbox"], sum["ucspi"]}'
}
