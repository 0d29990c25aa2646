# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# unix.sh - a program per connection to a Unix socket.

unix_part() {
  new_part "A program per connection to a Unix socket; 30 at a time."
  tells_port ipcbox '' 'ipcbox unixserver' "$ipcbox" unixserver -1 -c 40 ./ipcbox.sock "$tools/hello"
  if has /usr/bin/unixserver ucspi-unix; then
    silent ucspi '' 'ucspi-unix unixserver' ./ucspi.sock \
      /usr/bin/unixserver -q -c 40 -b 128 ./ucspi.sock "$tools/hello"
  fi
  if has /usr/bin/s6-ipcserver s6; then
    silent s6 '' 's6-ipcserver' ./s6.sock /usr/bin/s6-ipcserver -q -c 40 -b 128 ./s6.sock "$tools/hello"
  fi
  serve_rounds
  table base rate
}
