# udptime: which answers count, which hosts are asked again, what is printed. The other side is a program in C (helper/time-hosts.c), ours
# (timeserver), chrony, and inetd.

load helper/launch
load helper/time

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# ---- what is printed ----

@test "a line has the form of the manual: the name, the offset, the date" {
  start server timeserver 127.0.0.1 0
  run -0 --separate-stderr udptime -p "$server_at" 127.0.0.1
  # seconds may pass in between
  [[ $output =~ ^'127.0.0.1    ''      '(' 0'|-[1-9])' '$date_regex$ ]]
  [ -z "$stderr" ]
  start server timeserver --offset=-3600 127.0.0.1 0
  run -0 udptime -p "$server_at" 127.0.0.1
  [[ $output =~ ^'127.0.0.1    ''   -360'[01]' '$date_regex$ ]]
}

@test "the date is in the local zone" {
  start hosts time-hosts 127.0.1.1=value,3000000000
  TZ=EST5 run -0 udptime -p "$hosts_at" 127.0.1.1
  [[ $output == *" Wed Jan 25 00:20:00 1995" ]]
}

@test "a silent host is reported at the end, and the status is 1" {
  start hosts time-hosts 127.0.1.1=silent 127.0.1.2=right,100 127.0.1.3=silent
  run -1 --separate-stderr udptime -r 4 -p "$hosts_at" 127.0.1.{1,2,3}
  [ "$(offsets <<<"$output")" = '127.0.1.2 100' ]
  [ "$stderr" = "udptime: ask 127.0.1.1: no answer
udptime: ask 127.0.1.3: no answer" ]
}

@test "--json: one object per host, with its time or an error" {
  start hosts time-hosts 127.0.1.1=silent 127.0.1.2=value,0
  run -1 --separate-stderr udptime --json -r 4 -p "$hosts_at" 127.0.1.{1,2}
  [ -z "$stderr" ]
  run -0 of_json host unix time error <<<"$output"
  [ "$output" = "127.0.1.2 2085978496 2036-02-07T06:28:16Z -
127.0.1.1 - - no answer" ]
}

@test "control characters in a name are escaped" {
  local long name
  long=$(printf 'x%.0s' {1..64})
  name=$'a\n\e[1m"'$long.test
  run -1 udptime "$name"
  [ "${#lines[@]}" -eq 1 ]
  [[ $output != *$'\e'* ]]
  run -1 udptime --json "$name"
  of_json error <<<"$output"
  [[ $output != *$'\e'* ]]
}

@test "a host that is given twice, and two names of one address, each have a line" {
  need_own_hosts
  echo '127.0.1.1 one.test same.test' >hosts
  start hosts time-hosts -v 127.0.1.1=right
  run -0 with_hosts hosts udptime -p "$hosts_at" one.test 127.0.1.1 same.test 127.0.1.1
  [ "$(cut -d ' ' -f 1 <<<"$output" | sort | tr '\n' ' ')" = '127.0.1.1 127.0.1.1 one.test same.test ' ]
}

@test "a stdout that can't be written is an error" {
  start server timeserver 127.0.0.1 0
  run -111 --separate-stderr bash -c 'udptime -p "$1" 127.0.0.1 >/dev/full' '' "$server_at"
  [ "$stderr" = 'udptime: write stdout: No space left on device' ]
}

@test "usage errors" {
  wrong_call udptime
  wrong_call udptime ''
  for port in 0 70000 -1 0x25 5x ''; do
    wrong_call udptime -p "$port" 127.0.0.1
  done
  for tries in 0 -1 5x '' 1001; do
    wrong_call udptime -r "$tries" 127.0.0.1
  done
  wrong_call udptime -t -1 127.0.0.1
  wrong_call udptime --nothing 127.0.0.1
}

@test "HOST 0 is this machine" {
  start server timeserver 127.0.0.1 0
  run -0 udptime -p "$server_at" 0
  [ "$(offsets <<<"$output")" = '0 0' ]
}

# ---- which answers count ----

@test "an answer from another port or address does not count; -v prints their number" {
  local manner
  for manner in port other; do
    start hosts time-hosts "127.0.1.1=$manner"
    run -1 --separate-stderr udptime -v -r 3 -p "$hosts_at" 127.0.1.1
    [ -z "$output" ]
    # one for each query, except the last one's, which may come too late
    [[ $stderr == "udptime: ask 127.0.1.1: no answer
udptime: answers ignored: "[1-3]" from addresses that were not asked, 0 late or duplicate, 0 invalid" ]]
    finish "$hosts"
  done
}

@test "an answer counts once: a duplicate, and an answer to an earlier query" {
  start hosts time-hosts 127.0.1.1=twice,500 127.0.1.2=late,700
  run -0 --separate-stderr udptime -v -p "$hosts_at" 127.0.1.{1,2}
  [ "$(offsets <<<"$output")" = "127.0.1.1 500
127.0.1.2 700" ]
  # the last one may come too late; a busy machine may be asked again
  [[ $stderr == "udptime: answers ignored: 0 from addresses that were not asked, "[1-9]" late or duplicate, 0 invalid" ]]
}

@test "an answer that is too short or too long is an error: neither 1900 nor 2036" {
  start hosts time-hosts 127.0.1.1=short 127.0.1.2=long 127.0.1.3=empty 127.0.1.4=huge
  run -1 --separate-stderr udptime -t 2 -p "$hosts_at" 127.0.1.{1,2,3,4}
  [ -z "$output" ]
  [ "$stderr" = "udptime: ask 127.0.1.1: the answer is too short
udptime: ask 127.0.1.2: the answer is too long
udptime: ask 127.0.1.3: the answer is too short
udptime: ask 127.0.1.4: the answer is too long" ]
}

@test "after an invalid answer the host is asked again" {
  start hosts time-hosts 127.0.1.1=mended,900
  run -0 --separate-stderr udptime -v -p "$hosts_at" 127.0.1.1
  [ "$(offsets <<<"$output")" = '127.0.1.1 900' ]
  [[ $stderr == *' 1 invalid' ]]
}

# ---- how often, and how long ----

@test "-r: a silent host is asked that many times, and printed at its first answer" {
  start hosts time-hosts -v 127.0.1.1=silent 127.0.1.2=only,2 127.0.1.3=only,4
  run -1 udptime -r 3 -p "$hosts_at" 127.0.1.{1,2,3}
  [ "$(offsets <<<"${lines[0]}")" = '127.0.1.2 0' ]
  [ "${lines[*]:1}" = 'udptime: ask 127.0.1.1: no answer udptime: ask 127.0.1.3: no answer' ]
  # the second may be asked once more before its answer arrives
  [[ $(sort hosts.err | uniq -c | awk '{ print $1, $3 }') == "3 127.0.1.1
"[23]" 127.0.1.2
3 127.0.1.3" ]]
}

@test "the pauses between queries grow" {
  need strace strace
  start hosts time-hosts 127.0.1.1=silent
  run -1 strace -qq -ttt -e trace=sendto -o trace udptime -t 1.6 -p "$hosts_at" 127.0.1.1
  awk '{ if (NR > 1) printf "%.3f\n", $1 - last; last = $1 }' trace >pauses
  # a quarter of a second, then half of it more each time, less a quarter at random
  awk 'NR == 1 && $1 < 0.1875 || NR == 2 && $1 < 0.28 { bad = 1 } END { exit bad || NR < 1 || NR > 5 }' pauses
}

@test "-t limits the whole run, however many tries are left" {
  start hosts time-hosts 127.0.1.1=silent
  SECONDS=0
  run -1 --separate-stderr udptime -t 250ms -r 1000 -p "$hosts_at" 127.0.1.1
  [ "$stderr" = 'udptime: ask 127.0.1.1: no answer' ]
  ((SECONDS < 30))
}

@test "a port without a server and an unreachable network: each has its reason" {
  need_root
  unshare --net true || skip "needs a network namespace of its own"
  run -1 --separate-stderr unshare --net sh -c 'lo-up; udptime -t 1 -r 1 127.0.0.1 192.0.2.1'
  [ "$stderr" = "udptime: ask 127.0.0.1: no answer
udptime: ask 192.0.2.1: Network is unreachable" ]
}

# ---- many ----

@test "3,000 hosts in one run, from one socket per family, in bursts" {
  need strace strace
  need_ipv6
  start server timeserver 0 0
  run -0 --separate-stderr strace -f -qq -e trace=socket,sendto,ppoll,recvmmsg -o trace \
    udptime -t 60 -p "$server_at" ::1 127.2.{0..11}.{1..250}
  [ -z "$stderr" ]
  [ "$(columns 1 <<<"$output" | sort -u | wc -l)" -eq 3001 ]
  [ "${#lines[@]}" -eq 3001 ]
  grep 'SOCK_DGRAM' trace >sockets
  [ "$(grep -c AF_INET, sockets)" -eq 1 ]
  [ "$(grep -c AF_INET6, sockets)" -eq 1 ]
  # never more than a burst without a look at what has come
  awk '/sendto/ { if (++n > most) most = n } /ppoll/ { n = 0 } END { exit most > 64 }' trace
  [ "$(grep -c recvmmsg trace)" -lt 1500 ]
}

@test "1,000 hosts of which each loses 20 % of the queries all answer" {
  start hosts time-hosts -v 127.3.{0..3}.1-250=lossy,20
  run -0 --separate-stderr udptime -r 12 -t 60 -p "$hosts_at" 127.3.{0..3}.{1..250}
  [ -z "$stderr" ]
  [ "$(wc -l <hosts.err)" -ge 1200 ]
  [ "$(columns 1 <<<"$output" | sort -u | wc -l)" -eq 1000 ]
}

@test "1,000 hosts all answer over a network that loses 20 % of all packets" {
  need tc iproute2
  need_root
  unshare --net true || skip "needs a network namespace of its own"
  unshare --net sh -c 'lo-up && tc qdisc add dev lo root netem loss 20%' 2>/dev/null ||
    skip "this kernel has no sch_netem"
  # shellcheck disable=SC2016 # for that shell
  run -0 --separate-stderr unshare --net bash -euc '
    lo-up; tc qdisc add dev lo root netem loss 20% limit 100000
    mkfifo ready; timeserver -1 0 0 >ready & read -r port <ready
    status=0; udptime -r 30 -t 60 -p "$port" 127.4.{0..3}.{1..250} || status=$?
    kill $!; exit $status'
  [ -z "$stderr" ]
  [ "$(columns 1 <<<"$output" | sort -u | wc -l)" -eq 1000 ]
}

# ---- names ----

@test "a slow lookup does not delay addresses and other names" {
  need_slow_names
  run -1 --separate-stderr with_slow_names udptime -t 3 slow.test 127.0.0.1 quick.test nothing.invalid..
  [ "$(columns 1 <<<"$output" | sort | tr '\n' ' ')" = '127.0.0.1 quick.test ' ]
  [[ $stderr == *'udptime: ask slow.test: the lookup of its name timed out'* ]]
  [ "${#stderr_lines[@]}" -eq 2 ]
  [ -s slow-names.err ]
}

@test "a name of both families, of which one is unreachable" {
  need_own_hosts
  unshare --net true || skip "needs a network namespace of its own"
  printf '2001:db8::1 both.test\n127.0.0.1 both.test\n' >hosts
  # shellcheck disable=SC2016 # for that shell
  run -0 with_hosts hosts unshare --net bash -c 'lo-up; mkfifo ready
    timeserver -1 127.0.0.1 0 >ready & read -r port <ready
    udptime -p "$port" both.test; status=$?; kill $!; exit $status'
  [[ $output =~ ^'both.test           0 '$date_regex$ ]]
}

# ---- a terminal ----

@test "on a terminal the progress is shown on a line that is erased" {
  start hosts time-hosts 127.0.1.1=right 127.0.1.2=silent
  at_terminal 'ready> ' "udptime -r 4 -p $hosts_at 127.0.1.1 127.0.1.2; true\n" \
    'udptime: 1 of 2 hosts, 1 silent' '' 'no answer' '' 'ready> ' 'exit\n'
  [[ $output == *$'\e[Kudptime: ask 127.0.1.2: no answer\n'* ]]
  at_terminal 'ready> ' "udptime -q -r 1 -p $hosts_at 127.0.1.1 127.0.1.2; echo do''ne\n" 'done' '' 'ready> ' 'exit\n'
  [[ $output != *' of 2 hosts'* ]]
}

# ---- SNTP ----

@test "--sntp: offset and round trip in milliseconds" {
  start hosts time-hosts -s 127.0.1.1=right,1.5 127.0.1.2=right,-86400 127.0.1.3=twice
  run -0 --separate-stderr udptime --sntp -p "$hosts_at" 127.0.1.{1,2,3}
  [ -z "$stderr" ]
  local name offset trip date
  while read -r name offset trip date; do
    [[ $offset =~ ^-?[0-9]+\.[0-9]{3}$ && $trip =~ ^[0-9]+\.[0-9]{3}$ && $date =~ ^$date_regex$ ]]
    echo "$name $offset $trip" >>measured
  done <<<"$output"
  # half of the round trip is how wrong it may be
  awk '{ want = $1 == "127.0.1.1" ? 1500 : $1 == "127.0.1.2" ? -86400000 : 0; off = $2 - want
    if (off < 0) off = -off; if (off > $3 / 2 + 1) bad = 1 } END { exit bad || NR != 3 }' measured
}

@test "--sntp: refusals, unsynchronized clocks, answers without a time or with another cookie do not count" {
  start hosts time-hosts -sv 127.0.1.1=DENY 127.0.1.2=unsure 127.0.1.3=timeless 127.0.1.4=forged \
    127.0.1.5=symmetric 127.0.1.6=short 127.0.1.7=echo 127.0.1.8=RSTR 127.0.1.9=INIT 127.0.1.10=zero
  run -1 --separate-stderr udptime --sntp -r 2 -p "$hosts_at" 127.0.1.{1..10}
  [ -z "$output" ]
  [ "$stderr" = "udptime: ask 127.0.1.1: the server refuses to answer (DENY)
udptime: ask 127.0.1.2: its clock is not synchronized
udptime: ask 127.0.1.3: the answer has no time
udptime: ask 127.0.1.4: no answer
udptime: ask 127.0.1.5: no answer
udptime: ask 127.0.1.6: no answer
udptime: ask 127.0.1.7: no answer
udptime: ask 127.0.1.8: the server refuses to answer (RSTR)
udptime: ask 127.0.1.9: its clock is not synchronized (INIT)
udptime: ask 127.0.1.10: its clock is not synchronized" ]
  # a server that refuses is not asked again, others are
  [ "$(sort hosts.err | uniq -c | awk '{ print $3 "=" $1 }' | sort -V | tr '\n' ' ')" = '127.0.1.1=1 127.0.1.2=2 127.0.1.3=2 127.0.1.4=2 127.0.1.5=2 127.0.1.6=2 127.0.1.7=2 127.0.1.8=1 127.0.1.9=2 127.0.1.10=2 ' ]
}

@test "--sntp: a server that is not synchronized yet is asked again, and answers" {
  start hosts time-hosts -sv 127.0.1.1=INIT,1 127.0.1.2=STEP,1
  run -0 --separate-stderr udptime --sntp -t 60 -p "$hosts_at" 127.0.1.{1,2}
  [ "$(columns 1 <<<"$output" | sort | tr '\n' ' ')" = '127.0.1.1 127.0.1.2 ' ]
  [ -z "$stderr" ]
}

@test "--sntp: the same with chrony, which gets its time meanwhile" {
  need chronyc chrony
  mkdir -m 700 commands
  start_chrony 'bindcmdaddress %/commands/socket'
  background asking udptime --sntp -v -t 100 -r 40 -p "$chrony_at" 127.0.0.1
  until_true asked_of "$chrony_at"
  run -0 chronyc -h "$PWD/commands/socket" local stratum 10
  ends_with 0 "$asking"
  [[ $(cat asking.out) == '127.0.0.1 '* ]]
}

# The datagram of a client was received at that port, and answered.
asked_of() {
  [[ $(chronyc -h "$PWD/commands/socket" serverstats 2>/dev/null) =~ 'NTP packets received'[^0-9]*[1-9] ]]
}

@test "--sntp: after RATE a server is asked again later: not within 8 seconds" {
  start hosts time-hosts -s 127.0.1.1=RATE,1 127.0.1.2=RATE
  need strace strace
  run -1 --separate-stderr strace -qq -ttt -e trace=sendto -o trace udptime --sntp -t 11 -p "$hosts_at" 127.0.1.{1,2}
  [[ $output == '127.0.1.1 '* ]]
  [ "$stderr" = 'udptime: ask 127.0.1.2: the server is asked too often (RATE)' ]
  awk '{ ip = $0; sub(/.*inet_addr\("/, "", ip); sub(/".*/, "", ip); if (ip in last && $1 - last[ip] < 7.9) bad = 1; last[ip] = $1; n++ }
    END { exit bad || n != 4 }' trace
}

@test "--sntp: an answer to an earlier question counts" {
  start hosts time-hosts -s 127.0.1.1=earlier
  run -0 --separate-stderr udptime --sntp -t 60 -r 2 --json -p "$hosts_at" 127.0.1.1
  run -0 of_json host round_trip_ms <<<"$output"
  # from when it was sent: 2 s and more, as the server took no time between receiving and sending
  awk '{ exit !($1 == "127.0.1.1" && $2 > 2000) }' <<<"$output"
}

@test "--sntp: queries to one address are 2 seconds apart, and one answer is for all that name it" {
  need strace strace
  start hosts time-hosts -sv 127.0.1.1=right 127.0.1.2=silent
  run -1 --separate-stderr strace -qq -ttt -e trace=sendto -o trace udptime --sntp -t 6 -p "$hosts_at" \
    127.0.1.{1,1,1,1,2,2,2,2}
  [ "$(columns 1 <<<"$output" | tr '\n' ' ')" = '127.0.1.1 127.0.1.1 127.0.1.1 127.0.1.1 ' ]
  [ "${#stderr_lines[@]}" -eq 4 ]
  [ "$(grep -c '127.0.1.1$' hosts.err)" -eq 1 ]
  grep -F 127.0.1.2 trace >silent
  awk 'NR > 1 && $1 - last < 2 { bad = 1 } { last = $1 } END { exit bad || NR < 2 }' silent
}

@test "--sntp: chrony that limits the rate answers for all" {
  start_chrony 'local stratum 10' 'ratelimit interval 1 burst 1 leak 4'
  run -0 --separate-stderr udptime --sntp -p "$chrony_at" 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1
  [ "${#lines[@]}" -eq 4 ]
  [ -z "$stderr" ]
}

@test "--sntp: chrony answers" {
  start_chrony 'local stratum 10'
  run -0 --separate-stderr udptime --sntp --json -p "$chrony_at" 127.0.0.1
  run -0 of_json host stratum offset_ms round_trip_ms <<<"$output"
  # it is the same clock
  awk '{ exit !($1 == "127.0.0.1" && $2 == 10 && $3 > -$4 - 1 && $3 < $4 + 1 && $4 >= 0 && $4 < 10000) }' <<<"$output"
}

# ---- 2036 ----

@test "the wraparound of 2036 is read as the nearest moment, by RFC 868 and SNTP" {
  local now offset
  start hosts time-hosts 127.0.1.1=value,4294967295 127.0.1.2=value,0 127.0.1.3=value,3600
  run -0 udptime -p "$hosts_at" 127.0.1.{1,2,3}
  [ "$(columns 1,3- <<<"$output" | sort)" = "127.0.1.1 Thu Feb 7 06:28:15 2036
127.0.1.2 Thu Feb 7 06:28:16 2036
127.0.1.3 Thu Feb 7 07:28:16 2036" ]
  now=$(date +%s)
  offset=$((3155760000 - now)) # in 2070
  start hosts time-hosts "127.0.1.1=right,$offset"
  run -0 udptime -p "$hosts_at" 127.0.1.1
  [[ $output == *' 2070' ]]
  start hosts time-hosts -s "127.0.1.1=right,$offset"
  run -0 udptime --sntp -p "$hosts_at" 127.0.1.1
  [[ $output == *' 2070' ]]
}

# ---- inetd ----

@test "inetd's time service answers, over UDP and TCP" {
  need_inetd
  run -0 --separate-stderr with_inetd sh -c 'udptime 192.0.2.1 && tcptime 192.0.2.1'
  [ "$(offsets <<<"$output")" = "192.0.2.1 0
192.0.2.1 0" ]
}
