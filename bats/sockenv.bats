# sockenv: one handler under every server, told the same of its connection.

load helper/common
load helper/peers

setup() {
  common_setup
  # what a careless server leaves behind
  export TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=1 TCPREMOTEHOST=stale TCPLOCALHOST=stale UNIXREMOTEPID=1
}

teardown() {
  common_teardown
}

# The handler: all that it is told.
tell='env | grep -E "^(PROTO|TCP|UNIX)" | sort'

# told_the_truth PORT: the handler there is told what its client sees from the other side, and nothing else.
told_the_truth() {
  run -0 --separate-stderr tcpclient --retry -T 60 127.0.0.1 "$1" sh -c 'cat <&6; echo "$TCPLOCALPORT"'
  [ "$output" = "PROTO=TCP
TCP6LOCALIP=::ffff:127.0.0.1
TCP6LOCALPORT=$1
TCP6REMOTEIP=::ffff:127.0.0.1
TCP6REMOTEPORT=${lines[-1]}
TCPLOCALIP=127.0.0.1
TCPLOCALPORT=$1
TCPREMOTEIP=127.0.0.1
TCPREMOTEPORT=${lines[-1]}
${lines[-1]}" ]
}

# ---- servers ----

@test "under tcpserver" {
  start server tcpserver 127.0.0.1 0 sockenv sh -c "$tell"
  told_the_truth "$server_at"
}

@test "under tcpserver, over IPv6 and over an IPv4 connection to an IPv6 socket" {
  need_ipv6
  start server tcpserver 0 0 sockenv sh -c 'echo $PROTO $TCPLOCALIP $TCPREMOTEIP'
  run -0 tcpclient ::1 "$server_at" </dev/null
  [ "$output" = "TCP6 ::1 ::1" ]
  run -0 tcpclient 127.0.0.1 "$server_at" </dev/null
  [ "$output" = "TCP 127.0.0.1 127.0.0.1" ]
}

@test "under systemd with Accept=yes" {
  need systemd-socket-activate systemd
  local port
  port=$(free_port)
  background server systemd-socket-activate --accept --inetd --listen="127.0.0.1:$port" -E PATH -E TCPREMOTEIP \
    sockenv sh -c "$tell"
  told_the_truth "$port"
}

@test "under socat" {
  need socat socat
  background server socat -d -d TCP4-LISTEN:0,bind=127.0.0.1,fork "EXEC:sockenv sh handler,nofork"
  echo "$tell" >handler
  until_line server.err 'listening on'
  told_the_truth "$(sed -n 's/.*listening on .*127.0.0.1:\([0-9]*\).*/\1/p' server.err)"
}

@test "under inetd" {
  need inetd openbsd-inetd
  need_root
  local port
  port=$(free_port)
  echo "$tell" >handler
  echo "127.0.0.1:$port stream tcp nowait root $(command -v sockenv) sockenv sh $PWD/handler" >inetd.conf
  background server inetd -i "$PWD/inetd.conf"
  told_the_truth "$port"
}

@test "under unixserver" {
  start server unixserver sock sockenv sh -c "$tell; echo pid \$\$"
  background client unixclient sock
  ends_with 0 "$client"
  local pid
  pid=$(sed -n 's/^pid //p' client.out)
  run cat client.out
  [ "$output" = "PROTO=UNIX
UNIXLOCALGID=$(id -g)
UNIXLOCALPATH=sock
UNIXLOCALPID=$pid
UNIXLOCALUID=$(id -u)
UNIXREMOTEEGID=$(id -g)
UNIXREMOTEEUID=$(id -u)
UNIXREMOTEPID=$client
pid $pid" ]
}

# ---- what fd 0 may be ----

@test "anything but a socket is 111 and one line, and PROG does not run" {
  mkfifo pipe
  : >file
  local stdin
  for stdin in file /dev/null .; do
    run -111 sockenv touch ran <"$stdin"
    [[ $output == "sockenv: "*" fd 0: Socket operation on non-socket" ]]
  done
  run -111 sockenv touch ran <>pipe
  run -111 sh -c 'sockenv touch ran <&-'
  [ "${#lines[@]}" -eq 1 ]
  [ ! -e ran ]
}

@test "a datagram socket is not a TCP connection" {
  # shellcheck disable=SC2016
  run -111 activate d sh -c 'exec sockenv sh -c "echo \$PROTO" <&3'
  [[ $output == "sockenv: "*"fd 0: "* ]]
}

@test "a client that has closed the connection is still described" {
  mkfifo go
  start server tcpserver 127.0.0.1 0 sh -c 'read -r _ <go; sockenv sh -c "echo \$PROTO \$TCPREMOTEPORT" >result.part
    mv result.part result'
  run -0 tcpclient 127.0.0.1 "$server_at" sh -c 'echo "$TCPLOCALPORT"'
  echo >go
  until_true test -e result
  [ "$(cat result)" = "TCP $output" ]
}

@test "a client that has reset the connection is unknown, and PROG runs" {
  mkfifo go
  start server tcpserver 127.0.0.1 0 sh -c 'exec 5<go; echo; read -r _ <&5
    sockenv sh -c "echo \$PROTO \$TCPLOCALPORT \${TCPREMOTEIP-no ip} \${TCPREMOTEPORT-no port}" >result.part 2>&1
    mv result.part result'
  exec 8<>go
  client "$server_at" line reset
  echo >&8
  until_true test -e result
  [ "$(cat result)" = "TCP $server_at no ip no port" ]
}

# ---- options ----

@test "-l names the local end; the last one counts" {
  run -0 with_tcp sockenv -l first -l our.name sh -c 'echo $TCPLOCALHOST' ::: tcpclient 127.0.0.1 '{PORT}' </dev/null
  [ "$output" = our.name ]
}

@test "-h looks up the names of both ends; without it nothing is looked up" {
  local name
  name=$(getent hosts 127.0.0.1 | awk '{ print $2 }')
  [ -n "$name" ] || skip "127.0.0.1 has no name here"
  run -0 with_tcp sh -c 'for option in -q -h "-h -p" "-h -l mine"; do
      [ "$option" != -q ] || option=
      sockenv $option sh -c "echo \"<\$TCPREMOTEHOST><\$TCPLOCALHOST>\""
    done' ::: tcpclient 127.0.0.1 '{PORT}' </dev/null
  [ "$output" = "<><>
<$name><$name>
<$name><$name>
<$name><mine>" ]
}

@test "-e keeps the addresses in the environment; fd 0 may be anything" {
  run -0 sockenv -e sh -c 'echo $TCPREMOTEIP $TCPREMOTEPORT' </dev/null
  [ "$output" = "192.0.2.1 1" ]
}

@test "-e with -h looks up the addresses in the environment" {
  need_own_hosts
  printf '127.0.0.7 seven.test\n127.0.0.8 eight.test\n' >hosts
  export TCPREMOTEIP=127.0.0.7 TCPLOCALIP=::ffff:127.0.0.8
  run -0 with_hosts hosts sockenv -e -h sh -c 'echo $TCPREMOTEHOST $TCPLOCALHOST' </dev/null
  [ "$output" = "seven.test eight.test" ]
}

@test "-p accepts a name only if it resolves to the address" {
  need_dns
  unset TCPREMOTEHOST
  look() {
    TCPREMOTEIP=$1 with_dns "${@:2}" sh -c 'echo "<$TCPREMOTEHOST>"' </dev/null
    rm -f dns.ready
  }
  run -0 look 127.0.0.7 sockenv -e -h
  [ "$output" = "<liar.test>" ]
  run -0 look 127.0.0.7 sockenv -e -h -p
  [ "$output" = "<>" ]
  run -0 look 127.0.0.8 sockenv -e -h -p
  [ "$output" = "<honest.test>" ]
}

@test "a name that looks like an address, in any form of inet_aton(3), is none" {
  need_own_hosts
  local name n=0 names='' none='10.0.0.1 10.1 167772161 0x7f.1 0x7f000001 0X7F.0.0.0x1 0177.0.0.1 1.2.3.4.5 host.1 x.0x'
  unset TCPREMOTEHOST
  for name in $none 10.0.0.1.test 0x7f.example.1f 0xyz; do
    [[ " $none " == *" $name "* ]] || names+=" $name"
    echo "127.0.1.$((++n)) $name" >>hosts
  done
  run -0 with_hosts hosts sh -c 'for n in $(seq "$0"); do
    TCPREMOTEIP=127.0.1.$n sockenv -e -h sh -c "echo \$TCPREMOTEHOST"; done' "$n" </dev/null
  [ "$(echo $output)" = "${names# }" ]
}

@test "-e with -h replaces or unsets names that were set before" {
  need_dns
  export TCPREMOTEIP=127.0.0.10 TCPREMOTEHOST=stale
  run -0 with_dns sockenv -e -h sh -c 'echo "<$TCPREMOTEHOST>"' </dev/null
  [ "$output" = "<>" ]
}

@test "-t limits the lookups, and PROG runs without the name" {
  need_dns
  unset TCPREMOTEHOST
  export TCPREMOTEIP=127.0.0.9
  SECONDS=0
  run -0 with_dns sockenv -e -h -t 0.3 sh -c 'echo "<$TCPREMOTEHOST>"' </dev/null
  [ "$output" = "<>" ]
  # or it was the default
  ((SECONDS < 10))
}

# ---- the program ----

@test "a program that doesn't exist is 127, one that can't run 126, none is a usage error" {
  run -127 sockenv -e ./nothing
  [ "$output" = "sockenv: ./nothing: No such file or directory" ]
  touch plain
  run -126 sockenv -e ./plain
  wrong_call sockenv
  wrong_call sockenv -e
  wrong_call sockenv -t soon true
}

@test "the program inherits ignored and blocked signals, fds and the pid" {
  local state=(bash -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status; [ -e /proc/$$/fd/9 ] && echo fd 9') how
  exec 9</dev/null
  for how in --default-signal --ignore-signal=PIPE,USR1,CHLD --block-signal=PIPE,USR2,RTMIN+3; do
    run -0 env --default-signal "$how" "${state[@]}"
    local expected=$output
    run -0 env --default-signal "$how" sockenv -e "${state[@]}"
    [ "$output" = "$expected" ]
  done
  background program sockenv -e sh -c 'echo $$'
  ends_with 0 "$program"
  [ "$(cat program.out)" = "$program" ]
}
