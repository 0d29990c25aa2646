# What the tests of udpserver and udpclient share.

load helper/common
load helper/peers

udp_setup() {
  common_setup
}

udp_teardown() {
  common_teardown
}

# ask [OPTION...] TEXT: udpclient for the server in $srv_at; a time that is long enough for a loaded machine.
ask() {
  udpclient -t 30 "${@:1:$#-1}" 127.0.0.1 "$srv_at" "${@: -1}"
}

# counts RECEIVED RUN REFUSED FAILED ANSWERED: the status of the server `srv` says that, soon, and never that received is
# another number than the next three together.
counts() {
  local want="received $1 run $2 refused $3 failed $4 answered $5" n
  until grep -qF "$want" srv.err; do
    n=$(grep -c ' received ' srv.err) || :
    kill -USR1 "$srv"
    until_true said_more "$n"
    [ -z "$(awk '/ received / && $5 != $7 + $9 + $11' srv.err)" ]
  done
}

said_more() {
  [ "$(grep -c ' received ' srv.err)" -gt "$1" ]
}

# need_network: before `run in_network`, in which a skip would skip nothing.
need_network() {
  unshare --user --map-root-user --net true 2>/dev/null || skip "needs a network namespace of its own"
}

# in_network IP/BITS COMMAND: bash runs COMMAND in a network of its own, in which all addresses of IP's network are ours.
# Not for 127.0.0.0/8, they are not loopback addresses.
in_network() {
  unshare --user --map-root-user --net bash -euc 'lo-up; lo-address "$0"; eval "$1"' "$@"
}
