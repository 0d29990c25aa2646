# tcpserver: where it listens, what its programs find, which calls are wrong. Its life from readiness to the end, its
# limits, its access rules and the PROXY protocol have files of their own.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# The name that this host gives to 127.0.0.1, in $name.
loopback_name() {
  name=$(getent hosts 127.0.0.1 | awk '{print $2}')
  [ -n "$name" ] || skip "127.0.0.1 has no name here"
}

# ---- the environment ----

@test "a program gets the addresses of both ends, and nothing else" {
  start srv tcpserver 127.0.0.1 0 tell
  run -0 tcpclient 127.0.0.1 "$srv_at" sh -c 'echo "$TCPLOCALPORT"; cat <&6'
  [ "$(tail -n +2 <<<"$output")" = "PROTO=TCP
TCP6LOCALIP=::ffff:127.0.0.1
TCP6LOCALPORT=$srv_at
TCP6REMOTEIP=::ffff:127.0.0.1
TCP6REMOTEPORT=${lines[0]}
TCPCONNNUM=1
TCPLOCALIP=127.0.0.1
TCPLOCALPORT=$srv_at
TCPREMOTEIP=127.0.0.1
TCPREMOTEPORT=${lines[0]}" ]
}

@test "over IPv6, PROTO is TCP6 and the addresses are IPv6" {
  need_ipv6
  start srv tcpserver ::1 0 tell
  run -0 tcpclient ::1 "$srv_at" sh -c 'echo "$TCPLOCALPORT"; cat <&6'
  [ "$(tail -n +2 <<<"$output")" = "PROTO=TCP6
TCP6LOCALIP=::1
TCP6LOCALPORT=$srv_at
TCP6REMOTEIP=::1
TCP6REMOTEPORT=${lines[0]}
TCPCONNNUM=1
TCPLOCALIP=::1
TCPLOCALPORT=$srv_at
TCPREMOTEIP=::1
TCPREMOTEPORT=${lines[0]}" ]
}

@test "with -6, IPv4 is shown as mapped IPv6 and PROTO is TCP6" {
  start srv tcpserver -6 127.0.0.1 0 tell
  run -0 tcpclient 127.0.0.1 "$srv_at" sh -c 'echo "$TCPLOCALPORT"; cat <&6'
  [ "$(tail -n +2 <<<"$output")" = "PROTO=TCP6
TCP6LOCALIP=::ffff:127.0.0.1
TCP6LOCALPORT=$srv_at
TCP6REMOTEIP=::ffff:127.0.0.1
TCP6REMOTEPORT=${lines[0]}
TCPCONNNUM=1
TCPLOCALIP=::ffff:127.0.0.1
TCPLOCALPORT=$srv_at
TCPREMOTEIP=::ffff:127.0.0.1
TCPREMOTEPORT=${lines[0]}" ]
}

@test "TCPCONNNUM counts the connections that this client has now" {
  start srv tcpserver -v 127.0.0.1 0 sh -c 'echo "$TCPCONNNUM"; cat'
  for n in 1 2 3; do
    connect c "$srv_at"
    hear "$c"
    [ "$heard" = "$n" ]
  done
  run -0 call "$srv_at" -i 127.0.0.2
  [ "$output" = 1 ]
  hang_up "$c"
  until_true ended srv 2
  run -0 call "$srv_at"
  [ "$output" = 3 ]
}

@test "-l NAME is TCPLOCALHOST" {
  start srv tcpserver -l mail.example 127.0.0.1 0 tell
  run -0 call "$srv_at"
  [[ $output == *"TCPLOCALHOST=mail.example"* ]]
  [[ $output != *TCPREMOTEHOST* ]]
}

@test "what another server has left in the environment is not passed on" {
  local stale=(PROTO TCPREMOTEHOST TCPREMOTEINFO TCPREMOTEIP TCPLOCALHOST TCP6REMOTEIP TCP6REMOTEHOST TCP6LOCALPORT
    TCP6INTERFACE UNIXREMOTEEUID UNIXREMOTEPID UNIXLOCALPATH UNIXCONNNUM LISTEN_FDS LISTEN_PID LISTEN_FDNAMES)
  wrap after env "${stale[@]/%/=stale}" KEPT=kept
  start srv after 127.0.0.1 0 sh -c 'tell; echo "$KEPT"'
  run -0 call "$srv_at"
  [[ $output != *stale* ]]
  [ "${#lines[@]}" -eq 11 ]
  [ "${lines[10]}" = kept ]
}

@test "an empty environment suffices" {
  script bin/bare "exec env -i '$IPCBOX' tcpserver \"\$@\""
  start srv bare 127.0.0.1 0 /usr/bin/env
  run -0 call "$srv_at"
  [[ $output == *TCPREMOTEIP=127.0.0.1* ]]
  [ "${#lines[@]}" -eq 10 ]
}

# ---- names ----

@test "-h looks the client's name up, however tcpserver was called" {
  loopback_name
  mkdir other
  cp "$IPCBOX" other/tcpserver
  script other/word "exec env PATH=/usr/bin:/bin '$IPCBOX' tcpserver \"\$@\""
  for call in tcpserver other/tcpserver other/word; do
    start srv "$call" -h -l here 127.0.0.1 0 env
    run -0 call "$srv_at"
    [[ $output == *"TCPREMOTEHOST=$name"* ]]
    [[ $output == *"TCPLOCALHOST=here"* ]]
    [[ $output == *"TCPREMOTEIP=127.0.0.1"* ]]
    [[ $output == *"TCPLOCALPORT=$srv_at"* ]]
    [[ $output == *"TCPCONNNUM=1"* ]]
    finish "$srv"
  done
}

@test "without -h, or with a later -H, no name is looked up" {
  for options in -H -hH; do
    start srv tcpserver "$options" 127.0.0.1 0 tell
    run -0 call "$srv_at"
    [ "${#lines[@]}" -eq 10 ]
    [[ $output != *HOST=* ]]
  done
}

@test "-h -p accepts a name that resolves to the client's address" {
  loopback_name
  [ "$(getent ahostsv4 "$name" | awk 'NR == 1 {print $1}')" = 127.0.0.1 ] || skip "$name is not 127.0.0.1 here"
  start srv tcpserver -hp 127.0.0.1 0 tell
  run -0 call "$srv_at"
  [[ $output == *"TCPREMOTEHOST=$name"* ]]
}

@test "-h passes the program's arguments unchanged" {
  start srv tcpserver -h 127.0.0.1 0 printf '<%s>' -h -- '' 'a b'
  run -0 call "$srv_at"
  [ "$output" = '<-h><--><><a b>' ]
}

@test "-h with a program that doesn't exist is an error at startup" {
  run -127 --separate-stderr tcpserver -h 127.0.0.1 0 ./nowhere
  [ "$stderr" = "tcpserver: ./nowhere: No such file or directory" ]
}

# ---- the greeting ----

# greeted ZONE: the line of that zone's date, of a second between $before and $after, is in the file `got`.
greeted() {
  local t
  for ((t = before; t <= after; t++)); do
    TZ=$1 date -d "@$t" $'+Hello there, 127.0.0.1, it\'s now %a %b %e %H:%M:%S %Y\r' >want
    ! cmp -s got want || return 0
  done
  return 1
}

@test "without a program, clients are greeted with their address and the local date, ended by CR LF" {
  for zone in UTC Nowhere-5:30; do
    TZ=$zone start srv tcpserver 127.0.0.1 0
    printf -v before '%(%s)T' -1
    call "$srv_at" >got
    printf -v after '%(%s)T' -1
    greeted "$zone"
  done
}

@test "with -h, the greeting has the client's name" {
  loopback_name
  start srv tcpserver -h 127.0.0.1 0
  run -0 call "$srv_at"
  [[ $output == "Hello there, $name, it's now "* ]]
}

# ---- the addresses ----

@test "HOST 0 and the empty HOST are all addresses of both families, and IPv4 is shown as IPv4" {
  for host in 0 ''; do
    start srv tcpserver "$host" 0 tell
    run -0 call "$srv_at"
    [[ $output == *PROTO=TCP$'\n'* ]]
    [[ $output == *TCPLOCALIP=127.0.0.1$'\n'* ]]
    [[ $output == *TCPREMOTEIP=127.0.0.1$'\n'* ]]
    grep -qs . /proc/net/if_inet6 || continue
    run -0 tcpclient ::1 "$srv_at" </dev/null
    [[ $output == *PROTO=TCP6$'\n'* ]]
    [[ $output == *TCPREMOTEIP=::1$'\n'* ]]
  done
}

@test "with -4, IPv4 alone" {
  for host in 0 ''; do
    start srv tcpserver -4 "$host" 0 tell
    run -0 call "$srv_at"
    [[ $output == *TCPREMOTEIP=127.0.0.1$'\n'* ]]
    refuses "$srv_at" ::1
  done
}

@test "one IPv6 address doesn't take IPv4 clients" {
  need_ipv6
  start srv tcpserver :: 0 tell
  run -0 tcpclient ::1 "$srv_at" </dev/null
  [[ $output == *PROTO=TCP6$'\n'* ]]
  refuses "$srv_at" 127.0.0.1
}

@test "one IPv4 address doesn't take connections to another" {
  start srv tcpserver 127.0.0.1 0 tell
  refuses "$srv_at" 127.0.0.2
}

@test "a host name stands for all its addresses" {
  getent hosts localhost >hosts || skip "localhost has no address here"
  start srv tcpserver localhost 0 tell
  for ip in $(getent ahosts localhost | awk '{print $1}' | sort -u); do
    run -0 tcpclient "$ip" "$srv_at" </dev/null
    [[ $output == *"TCPLOCALIP=$ip"* ]]
  done
}

@test "a port may be a service's name" {
  port=$(getent services postgresql/tcp | awk '{print $2 + 0}')
  [ -n "$port" ] || skip "no service names here (Debian: netbase)"
  start srv tcpserver 127.82.67.1 postgresql true
  [ "$srv_at" = "$port" ]
}

@test "a port with leading zeros is decimal" {
  start srv tcpserver 127.0.0.1 0 true
  run -111 tcpserver 127.0.0.1 "00$srv_at" true
  [ "$output" = "tcpserver: bind 127.0.0.1:$srv_at: Address already in use" ]
}

@test "-I listens on one network device" {
  start srv tcpserver -I lo 0 0 tell
  run -0 call "$srv_at"
  [[ $output == *TCPREMOTEIP=127.0.0.1* ]]
  run -111 --separate-stderr tcpserver -I nosuch0 127.0.0.1 0 true
  [[ $stderr == "tcpserver: "*": No such device" ]]
}

@test "a port in use is a failure that names it" {
  start srv tcpserver 127.0.0.1 0 true
  run -111 tcpserver 127.0.0.1 "$srv_at" true
  [ "$output" = "tcpserver: bind 127.0.0.1:$srv_at: Address already in use" ]
}

@test "the port of a killed server is available immediately, while its programs continue" {
  start srv tcpserver 127.0.0.1 0 sh -c 'echo old; cat'
  connect old "$srv_at"
  hear "$old"
  kill -KILL "$srv"
  wait "$srv" || :
  start again tcpserver 127.0.0.1 "$srv_at" sh -c 'echo new; cat'
  [ "$again_at" = "$srv_at" ]
  connect new "$srv_at"
  hear "$new"
  [ "$heard" = new ]
  echo still >&"$old"
  hear "$old"
  [ "$heard" = still ]
}

@test "-D sends small writes immediately, -d lets the kernel combine them" {
  script bin/nodelay 'exec fd-state nodelay 0'
  start srv tcpserver -D 127.0.0.1 0 nodelay
  [ "$(call "$srv_at")" -ne 0 ]
  start srv tcpserver -D -d 127.0.0.1 0 nodelay
  [ "$(call "$srv_at")" -eq 0 ]
}

@test "IP options of a client are removed; -o keeps them" {
  script bin/options 'exec fd-state ip-options 0'
  start srv tcpserver 127.0.0.1 0 options
  [ "$(client -o "$srv_at" rest)" -eq 0 ]
  start srv tcpserver -o 127.0.0.1 0 options
  [ "$(client -o "$srv_at" rest)" -gt 0 ]
}

@test "a system that has no IP options refuses no connection for it" {
  local n
  with_strace trace -e trace=setsockopt
  start srv traced 127.0.0.1 0 echo served
  run -0 call "$srv_at"
  finish "$srv"
  n=$(grep -n IP_OPTIONS trace | cut -d: -f1)
  with_strace trace -e trace=setsockopt -e "inject=setsockopt:error=ENOPROTOOPT:when=$n"
  start srv traced 127.0.0.1 0 echo served
  run -0 call "$srv_at"
  [ "$output" = served ]
  grep -q 'IP_OPTIONS.*INJECTED' trace
  [ ! -s srv.err ]
}

# ---- the program ----

@test "a program has the connection on fds 0 and 1, the server's stderr on 2, and no other fd" {
  script bin/crowded 'exec tcpserver "$@" 5</dev/null 7</dev/null 63</dev/null'
  start srv crowded 127.0.0.1 0 sh -c 'fds
    [ "$(readlink /proc/$$/fd/0)" = "$(readlink /proc/$$/fd/1)" ] && echo same
    echo "to stderr" >&2'
  run -0 call "$srv_at"
  [ "$output" = $'0 1 2\nsame' ]
  until_line srv.err '^to stderr$'
}

@test "a program starts with no signal blocked or ignored, whatever the server was started with" {
  wrap deaf env --ignore-signal=PIPE,CHLD,HUP,USR1,USR2,TERM --block-signal=TERM,HUP,CHLD,USR2,ALRM
  start srv deaf 127.0.0.1 0 grep -E '^Sig(Blk|Ign)' /proc/self/status
  run -0 call "$srv_at"
  [ "$output" = $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000' ]
}

@test "a blocked TERM still stops the server" {
  wrap deaf env --block-signal=TERM,CHLD
  start srv deaf 127.0.0.1 0 true
  finish "$srv"
  [ "$status" -eq 0 ]
}

@test "a program's options are not parsed" {
  start srv tcpserver 127.0.0.1 0 printf '<%s>' -v --help -- x
  run -0 call "$srv_at"
  [ "$output" = '<-v><--help><--><x>' ]
}

@test "a program that doesn't exist is an error at startup: 127, before anything is bound" {
  start busy tcpserver 127.0.0.1 0 true
  run -127 --separate-stderr tcpserver 127.0.0.1 "$busy_at" ./nowhere
  [ "$stderr" = 'tcpserver: ./nowhere: No such file or directory' ]
  for prog in nowhere-in-path ''; do
    run -127 --separate-stderr tcpserver 127.0.0.1 "$busy_at" "$prog"
    [ "$stderr" = "tcpserver: $prog: command not found" ]
  done
}

@test "a program that can't be run is an error at startup: 126, before anything is bound" {
  start busy tcpserver 127.0.0.1 0 true
  touch plain
  mkdir directory
  for prog in ./plain ./directory; do
    run -126 --separate-stderr tcpserver 127.0.0.1 "$busy_at" "$prog"
    [ "$stderr" = "tcpserver: $prog: Permission denied" ]
  done
}

@test "a program that is removed fails its connections, not the server" {
  script prog 'echo served'
  start srv tcpserver 127.0.0.1 0 ./prog
  run -0 call "$srv_at"
  [ "$output" = served ]
  mv prog away
  run -0 call "$srv_at"
  [ -z "$output" ]
  [ "$(cat srv.err)" = "tcpserver: exec ./prog: No such file or directory" ]
  mv away prog
  run -0 call "$srv_at"
  [ "$output" = served ]
}

@test "a program whose interpreter is missing fails its connections, not the server" {
  printf '#!/no/interpreter\n' >prog
  chmod +x prog
  start srv tcpserver 127.0.0.1 0 ./prog
  run -0 call "$srv_at"
  [ -z "$output" ]
  until_line srv.err '^tcpserver: exec ./prog: No such file or directory$'
  kill -0 "$srv"
}

@test "programs leave no zombies, and the server no fds" {
  start srv tcpserver 127.0.0.1 0 true
  around srv
  before=$(fd_count "$srv")
  for ((turn = 0; turn < 20; turn++)); do
    call "$srv_at"
  done
  until_true no_children "$srv"
  around srv
  [ "$(fd_count "$srv")" -eq "$before" ]
}

# ---- usage errors ----

@test "a usage error is reported, and nothing is bound" {
  start busy tcpserver 127.0.0.1 0 true
  : >rules
  while IFS= read -r call; do
    eval "words=($call)"
    echo "tcpserver $call"
    wrong_call tcpserver "${words[@]}" 127.0.0.1 "$busy_at" true
  done <<'END'
-Z
--nope
--verb
--verbose=1
-c 0
-c -1
-c foo
-c 5x
-c 0x10
-c ''
-c 1000001
-C 0
-C foo
-C ''
-C ':full'
-C '1:\q'
-C '1:\'
--rate 5
--rate 5/
--rate /5
--rate 0/1
--rate 5/0
--rate x/1
--rate -1/1
--drain x
--drain -1
--drain 5y
--drain ''
--max 0
--max -1
--max x
-b -1
-b x
-t x
--ready-fd x
--ready-fd -1
--ready-fd 77
-1 --ready-fd 1
--log-format=xml
--proxy=x
--proxy=
-X
--per-net
--explain 127.0.0.1
-x rules --explain localhost
-x rules --explain ''
-x rules --explain 127.0.0
-u nosuchuser
-u ''
-u :nogroup
-u 0:nosuchgroup
-u 4294967295
-g nosuchgroup
-g ''
END
}

@test "usage error: the argument of an option is missing" {
  for option in -c -C --rate --drain --max -b -B -x -u -g -l -I -t --explain --ready-fd --log-format; do
    wrong_call tcpserver "$option"
  done
}

@test "usage error: HOST and PORT are required, and PORT must be valid" {
  wrong_call tcpserver
  wrong_call tcpserver -v
  wrong_call tcpserver 127.0.0.1
  for port in 65536 70000 -1 +1 0x10 5x ' 5' '' 99999999999999999999; do
    wrong_call tcpserver -- 127.0.0.1 "$port" true
  done
}

@test "usage error: -U without numbers in UID and GID" {
  for ids in 'UID=x GID=1' 'UID=1 GID=' 'UID=-1 GID=1' 'UID=1'; do
    run -100 --separate-stderr env -u GID $ids tcpserver -U 127.0.0.1 0 true
    [ "${#stderr_lines[@]}" -eq 2 ]
    [ "${stderr_lines[1]}" = "Try 'tcpserver --help'." ]
  done
}

@test "invalid access rules are refused before anything is bound" {
  start busy tcpserver 127.0.0.1 0 true
  echo nonsense >rules
  run -100 --separate-stderr tcpserver -x rules 127.0.0.1 "$busy_at" true
  [[ $stderr == "tcpserver: rules rules line 1: "* ]]
}

@test "--help goes to stdout" {
  run -0 --separate-stderr tcpserver --help
  [[ ${lines[0]} == "Usage: tcpserver "* ]]
  [ -z "$stderr" ]
}
