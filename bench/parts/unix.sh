# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# unix.sh - a program per connection to a Unix socket, against the servers of others and a bare loop.

unix_part() {
  new_part "A program per connection to a Unix socket; 30 at a time."
  tells_port ipcbox '' 'ipcbox unixserver' "$ipcbox" unixserver -1 -c 40 ./ipcbox.sock "$tools/hello"
  tells_port bare 0.95 'bareloop: one start at a time' "$tools/bareloop" -u ./bare.sock 40 "$tools/hello"
  tells_port bare-beside '' 'bareloop -b: starts that overlap' "$tools/bareloop" -b -u ./beside.sock 40 "$tools/hello"
  if has /usr/bin/unixserver ucspi-unix; then
    # -c 40 would not do: its signal handler may come into the middle of its ++forked, so that it counts programs that
    # are gone, and at its limit it waits for them; when there are no others, that ends it
    silent ucspi 1.3 'ucspi-unix unixserver' ./ucspi.sock \
      /usr/bin/unixserver -q -c 1000 -b 128 ./ucspi.sock "$tools/hello"
  fi
  if has /usr/bin/s6-ipcserver s6; then
    silent s6 1.15 's6-ipcserver' ./s6.sock /usr/bin/s6-ipcserver -q -c 40 -b 128 ./s6.sock "$tools/hello"
  fi
  if has /usr/bin/socat socat; then
    silent socat '' 'socat fork, nofork' ./socat.sock /usr/bin/socat \
      UNIX-LISTEN:./socat.sock,fork,backlog=128,max-children=40 "EXEC:$tools/hello,nofork"
    few socat
  fi
  if [ -x "$static" ]; then
    tells_port ipcbox-static '' 'ipcbox unixserver, static with musl' "$static" unixserver -1 -c 40 ./static.sock \
      "$tools/hello"
  fi
  serve_rounds
  table base rate
  tails ucspi s6 socat
}
