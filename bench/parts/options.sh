# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# options.sh - what rules, limits and logging cost tcpserver.

options_part() {
  new_part "What options cost tcpserver; the same, against itself without."
  awk 'BEGIN {
    for (i = 0; i < 99999; i++)
      printf "10.%d.%d.%d:%s\n", i / 65536, i / 256 % 256, i % 256, i % 2 ? "deny" : "allow,NUMBER=\"" i "\""
    print "127.0.0.1:allow,WHO=\"us\""
  }' >"$dir/rules"
  set -- 127.0.0.1 0 "$tools/hello"
  tells_port ipcbox '' 'no options' "$ipcbox" tcpserver -1 -c 40 "$@"
  tells_port ipcbox-again '' 'no options, again: the noise' "$ipcbox" tcpserver -1 -c 40 "$@"
  tells_port ipcbox-rules 0.9 '-x, 100,000 access rules' "$ipcbox" tcpserver -1 -c 40 -x "$dir/rules" "$@"
  tells_port ipcbox-per-client 0.9 '-C 1000' "$ipcbox" tcpserver -1 -c 40 -C 1000 "$@"
  tells_port ipcbox-log 0.9 '-v --log-format=json, to a file' "$ipcbox" tcpserver -1 -c 40 -v --log-format=json "$@"
  serve_rounds
  table row rate
  [ "$(grep -c '"ok"' "$dir/err.ipcbox-log")" -eq "$(awk '{n += $1} END {print n}' "$dir/count.ipcbox-log")" ] ||
    die 'the log has not one line for each connection'
}
