# udpserver: a program per datagram, its answer, its environment, and who is answered.

load helper/udp

setup() {
  udp_setup
}

teardown() {
  udp_teardown
}

# ---- a datagram and its answer ----

@test "PROG reads the datagram and writes the answer: to socat, nc, perl and udpclient" {
  start srv udpserver 127.0.0.1 0 sh -c 'printf "<%s>" "$(cat)"'
  run -0 ask hello
  [ "$output" = "<hello>" ]
  run -0 perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]", Proto => "udp") or die;
    $s->send("from perl"); $s->recv(my $answer, 100); print $answer' "$srv_at"
  [ "$output" = "<from perl>" ]
}

@test "socat is answered" {
  need socat socat
  start srv udpserver 127.0.0.1 0 sh -c 'printf "<%s>" "$(cat)"'
  mkfifo hold answer
  socat - "UDP:127.0.0.1:$srv_at" <hold >answer 3>&- &
  exec 7>hold
  printf 'from socat' >&7
  read -r -d '>' line <answer
  exec 7>&-
  [ "$line" = "<from socat" ]
  wait $!
}

@test "nc -u is answered" {
  need nc netcat-openbsd
  start srv udpserver 127.0.0.1 0 sh -c 'printf "<%s>" "$(cat)"'
  mkfifo hold answer
  nc -u 127.0.0.1 "$srv_at" <hold >answer 3>&- &
  local nc=$!
  exec 7>hold
  printf 'from nc' >&7
  read -r -d '>' line <answer
  exec 7>&-
  kill "$nc" 2>/dev/null || : # it may have ended by itself
  [ "$line" = "<from nc" ]
}

@test "an empty datagram is one; nothing written, a status that is not 0, a signal: no answer" {
  script bin/prog 'read -r -N 9 word
    case $word in
    fail) echo no; exit 1 ;;
    die) echo no; kill -KILL $$ ;;
    silent) ;;
    *) echo "got ${#word}" ;;
    esac'
  start srv udpserver 127.0.0.1 0 prog
  run -0 ask ''
  [ "$output" = "got 0
" ] || [ "$output" = "got 0" ]
  for word in fail die silent; do
    udpclient -n 0 127.0.0.1 "$srv_at" "$word"
  done
  counts 4 4 0 0 1
}

@test "an answer leaves from the address that was asked, of both families" {
  need_ipv6
  start srv udpserver 0 0 sh -c 'echo "$UDPLOCALIP"'
  for address in 127.0.0.1 127.9.8.7 ::1; do
    run -0 udpclient -t 30 --raw "$address" "$srv_at" where # its kernel takes it from nobody else
    [ "$output" = "$address" ]
  done
}

@test "a broadcast is answered from the interface's own address" {
  need_network
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 'mkfifo ready
    udpserver -1 0 0 cat >ready & read -r port <ready
    udpclient --broadcast --raw --who -t 30 192.0.2.255 "$port" hello; echo; kill $!'
  [[ $output =~ ^192\.0\.2\.1:[0-9]+\ hello$ ]]
}

@test "65507 bytes are answered whole; one more is a message and no answer" {
  start srv udpserver 127.0.0.1 0 sh -c 'read -r n; head -c "$n" /dev/zero | tr "\0" x'
  run -0 ask 65507
  [ "${#output}" -eq 65507 ]
  udpclient -n 0 127.0.0.1 "$srv_at" 65508
  until_line srv.err "^udpserver: answer 127.0.0.1:[0-9]+: it is longer than a datagram$"
  counts 2 2 0 0 1
}

@test "a question of 65507 bytes reaches PROG whole" {
  start srv udpserver 127.0.0.1 0 sh -c 'cksum; exit 0'
  random_bytes 65507 >data
  run -0 udpclient --whole -t 30 127.0.0.1 "$srv_at" <data
  [ "$output" = "$(cksum <data)
" ] || [ "$output" = "$(cksum <data)" ]
}

@test "a program that writes without an end is terminated, and others are answered meanwhile" {
  start srv udpserver 127.0.0.1 0 sh -c 'read -r word; if [ "$word" = yes ]; then exec yes; fi; echo "$word"'
  udpclient -n 0 127.0.0.1 "$srv_at" yes
  run -0 ask hello
  until_line srv.err "it is longer than a datagram$"
  until_true no_children "$srv"
}

@test "an answer that is written slowly is whole; a descendant that keeps stdout open delays none" {
  start srv udpserver 127.0.0.1 0 sh -c 'read -r word; sleep infinity & echo $! >>left
    echo one; until [ -e go ]; do sleep 0.02; done; head -c 60000 /dev/zero | tr "\0" x'
  background client udpclient -t 60 127.0.0.1 "$srv_at" slow
  until_true [ -s left ]
  : >go
  wait "$client"
  [ "$(wc -c <client.out)" -eq 60005 ]
  kill $(cat left)
}

@test "-c: no more programs than that; what waits in the kernel's queue is served afterwards" {
  mkfifo go
  start srv udpserver -c 2 127.0.0.1 0 sh -c 'echo $$ >>running; read -r line <go; cat'
  background client sh -c 'seq 6 | udpclient -n 6 -t 60 127.0.0.1 "$0"' "$srv_at"
  until_true more_lines 2 running
  counts 2 2 0 0 0
  exec 7<>go
  yes go | head -n 6 >&7
  wait "$client"
  exec 7>&-
  [ "$(sort client.out)" = "$(seq 6)" ]
  counts 6 6 0 0 6
}

more_lines() {
  [ -e "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]
}

# ---- what PROG is told ----

@test "the environment names both ends; what was inherited of another connection is gone" {
  export TCPREMOTEIP=192.0.2.1 UDPREMOTEHOST=old UNIXREMOTEPID=1 PROTO=TCP
  start srv udpserver 127.0.0.1 0 sh -c 'env | grep -E "^(PROTO|TCP|UDP|UNIX)" | sort'
  run -0 ask hello
  [[ $output =~ ^PROTO=UDP.UDPCONNNUM=1.UDPLOCALIP=127.0.0.1.UDPLOCALPORT=$srv_at.UDPREMOTEIP=127.0.0.1.UDPREMOTEPORT=[0-9]+.*$ ]]
  [[ $output != *TCP* && $output != *UNIX* && $output != *HOST* ]]
}

@test "a program starts clean: fds 0 to 2 only, no signal ignored or blocked" {
  printf '#!/bin/sh\nexec env --ignore-signal=PIPE,USR1 --block-signal=TERM,USR2 udpserver "$@" 9</dev/null' >dirty
  chmod +x dirty
  start srv ./dirty 127.0.0.1 0 sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/$$/fd'
  run -0 ask hello
  [ "$output" = "SigBlk:	0000000000000000
SigIgn:	0000000000000000
0
1
2" ]
}

@test "-v logs each datagram, as text and as JSON" {
  start srv udpserver -v 127.0.0.1 0 cat
  run -0 ask hello
  until_line srv.err '^udpserver: end [0-9]+ status 0$'
  grep -qE '^udpserver: ok [0-9]+ 127\.0\.0\.1:[0-9]+ 5$' srv.err
  finish "$srv"
  start srv udpserver -v --log-format=json 127.0.0.1 0 cat
  run -0 ask hello
  until_line srv.err '"event":"end"'
  grep -E '"event":"ok".*"local":"127\.0\.0\.1:'"$srv_at"'","remote":"127\.0\.0\.1:[0-9]+","bytes":5' srv.err
  kill -USR1 "$srv"
  until_line srv.err '"received":1,"run":1,"refused":0,"failed":0,"answered":1'
}

# ---- who is answered ----

@test "an answer may be as long as the question, or 64 bytes; --amplify allows more; loopback has no limit" {
  need_network
  start srv udpserver 127.0.0.1 0 sh -c 'printf %1000s x'
  run -0 ask q
  [ "${#output}" -eq 1000 ]
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 'mkfifo ready
    udpserver -1 192.0.2.1 0 sh -c "read -r n; printf %\${n}s x" >ready 2>err & read -r port <ready
    asks() { udpclient -t "$1" --whole 192.0.2.1 "$port" | wc -c; }
    echo 64 | asks 30; printf "%-100s" 99 | asks 30; printf "%-100s" 100 | asks 30
    echo 65 | asks 0.3 2>/dev/null || :; printf "%-100s" 101 | asks 0.3 2>/dev/null || :
    kill $!; wait $! || :; cat err
    udpserver -1 --amplify 3 192.0.2.1 0 sh -c "read -r n; printf %\${n}s x" >ready & read -r port <ready
    printf "%-100s" 300 | asks 30; kill $!'
  [ "${lines[0]}:${lines[1]}:${lines[2]}:${lines[3]}:${lines[4]}" = 65:100:101:0:0 ]
  [[ ${lines[5]} =~ ^udpserver:\ answer\ 192.0.2.[0-9]+:[0-9]+:\ it\ is\ longer\ than\ --amplify\ allows$ ]]
  [ "${lines[7]}" -eq 301 ]
}

@test "ports behind which everything is answered are refused" {
  need_network
  # shellcheck disable=SC2016 # for that shell
  run -0 in_network 192.0.2.1/24 'mkfifo ready
    udpserver -v -1 127.0.0.1 0 sh -c "echo ran >>ran; cat" >ready 2>err & srv=$!; read -r port <ready
    for from in 7 13 17 19 37 38; do
      perl -MIO::Socket::INET -e "my \$s = IO::Socket::INET->new(PeerAddr => \"127.0.0.1:$port\", LocalPort => $from,
        Proto => \"udp\") or die; \$s->send(\"hello\")"
    done
    udpclient -t 30 127.0.0.1 "$port" last; kill -USR1 $srv
    until grep received err; do sleep 0.02 || :; done; kill $srv; wc -l <ran'
  [ "${lines[0]}" = last ]
  [[ ${lines[1]} == *"received 7 run 2 refused 5 failed 0"* ]]
  [ "${lines[2]}" -eq 2 ]
}

@test "-x: rules deny, set variables, are read again at HUP; --explain" {
  printf '127.0.0.2:deny\n127.0.0.1:allow,WHO="one"\n' >rules
  start srv udpserver -v -x rules 127.0.0.1 0 sh -c 'echo "$WHO"'
  run -0 ask hello
  [ "$output" = one ]
  udpclient -n 0 -i 127.0.0.2 127.0.0.1 "$srv_at" hello
  until_line srv.err '^udpserver: deny 127.0.0.2:[0-9]+ by line 1$'
  counts 2 1 1 0 1
  printf '127.0.0.2:allow,WHO="two"\n' >rules.new
  mv rules.new rules
  run -0 udpclient -t 30 -i 127.0.0.2 127.0.0.1 "$srv_at" hello
  [ "$output" = two ]
  run -0 udpserver --explain 127.0.0.2 -x rules
  [[ $output == "127.0.0.2: allow, by line 1:"* ]]
}

@test "-C: so many programs per address, or with --per-net per network; MESSAGE is the others' answer" {
  mkfifo go
  start srv udpserver -v -C '1:busy' --per-net 127.0.0.1 0 sh -c 'echo up >>running; read -r line <go; cat'
  background first udpclient -t 60 127.0.0.1 "$srv_at" first
  until_true [ -s running ]
  run -0 udpclient -t 30 -i 127.0.0.9 127.0.0.1 "$srv_at" second
  [ "$output" = busy ]
  grep -qE '^udpserver: refuse 127.0.0.9:[0-9]+: it already has 1 programs$' srv.err
  echo >go
  wait "$first"
  [ "$(cat first.out)" = first ]
  counts 2 1 1 0 2
}

@test "received is run, refused and failed together, whatever becomes of a datagram" {
  echo '127.0.0.2:deny' >rules
  script bin/prog cat
  start srv udpserver -x rules 127.0.0.1 0 prog
  for i in 1 2 3; do
    ask "$i"
    udpclient -n 0 -i 127.0.0.2 127.0.0.1 "$srv_at" "$i"
  done
  counts 6 3 3 0 3
  rm bin/prog # as it was found at the start, that is an exec that fails
  udpclient -n 0 127.0.0.1 "$srv_at" lost
  counts 7 3 3 1 3
  grep -q '^udpserver: exec .*prog: No such file or directory$' srv.err
}

@test "usage errors" {
  wrong_call udpserver
  wrong_call udpserver 127.0.0.1
  wrong_call udpserver 127.0.0.1 0
  wrong_call udpserver --unix sock
  wrong_call udpserver --unix "" cat
  wrong_call udpserver -p 0600 127.0.0.1 0 cat
  wrong_call udpserver -p 0600 --unix @name cat
  local option
  for option in -4 '-I lo' '--amplify 2' --inherit '--inherit-fd 0'; do
    # shellcheck disable=SC2086
    wrong_call udpserver $option --unix sock cat
  done
  wrong_call udpserver -4 --inherit cat
  wrong_call udpserver -I lo --inherit-fd 0 cat
  wrong_call udpserver --stream -C 1 127.0.0.1 0 cat
  wrong_call udpserver --per-net 127.0.0.1 0 cat
  : >rules
  wrong_call udpserver --per-net -C 1 -x rules --unix sock cat
  wrong_call udpserver -X 127.0.0.1 0 cat
  wrong_call udpserver --amplify -1 127.0.0.1 0 cat
  wrong_call udpserver --banner hello 127.0.0.1 0 cat
  run -100 udpserver --inherit cat
  run -127 udpserver 127.0.0.1 0 no-such-program
}
