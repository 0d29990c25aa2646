# tcpserver while connections keep coming: signals and new rules have their turn nevertheless.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# flood: connectors that never leave srv without a connection to accept, until it refuses one; each is bounded.
flood() {
  background one "$HELPERS/flood" "$srv_at" 8000 one.served
  background two "$HELPERS/flood" "$srv_at" 8000 two.served
  until_true test -e one.served
  until_true test -e two.served
}

# flood_is_refused: it has not run out.
flood_is_refused() {
  ends_with 0 "$one"
  ends_with 0 "$two"
}

@test "TERM stops a server under a flood of connections" {
  start srv tcpserver -c 100000 127.0.0.1 0 /bin/echo served
  flood
  finish "$srv"
  [ "$status" -eq 0 ]
  flood_is_refused
}

@test "new rules are applied under a flood of connections" {
  echo :allow >rules
  start srv tcpserver -c 100000 -x rules 127.0.0.1 0 /bin/echo served
  flood
  echo :deny >rules.new
  mv rules.new rules
  flood_is_refused
}

@test "USR1 is answered, and programs are reaped, under a flood of connections" {
  start srv tcpserver -c 100000 127.0.0.1 0 /bin/echo served
  flood
  kill -USR1 "$srv"
  until_line srv.err ' accepted '
  kill -0 "$one"
  kill -0 "$two"
  finish "$srv"
  [ "$status" -eq 0 ]
  flood_is_refused
}
