# tcptime: a result or a reason for each host. The other side is a program in C (helper/time-hosts.c) and ours (timeserver).

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
  run -0 --separate-stderr tcptime -p "$server_at" 127.0.0.1
  # seconds may pass in between
  [[ $output =~ ^'127.0.0.1                ''      '(' 0'|-[1-9])' '$date_regex$ ]]
  [ -z "$stderr" ]
  start server timeserver --offset=3600 127.0.0.1 0
  run -0 tcptime -p "$server_at" 127.0.0.1
  [[ $output =~ ^'127.0.0.1                ''    '(3600|359[0-9])' '$date_regex$ ]]
}

@test "each host has its own result or reason; an invalid answer is not printed as 1900" {
  start hosts time-hosts -t 127.0.1.1=right,100 127.0.1.2=none 127.0.1.3=short 127.0.1.4=long 127.0.1.5=reset \
    127.0.1.6=flood 127.0.1.7=silent 127.0.1.8=stuck 127.0.1.10=open,200 127.0.1.11=slow
  run -1 --separate-stderr tcptime -t 3 -p "$hosts_at" 127.0.1.{1..11}
  [ "$(offsets <<<"$output" | sort)" = "127.0.1.1 100
127.0.1.10 200
127.0.1.11 0" ]
  [ "$(sort <<<"$stderr")" = "tcptime: ask 127.0.1.2: the answer is too short: 0 of 4 octets
tcptime: ask 127.0.1.3: the answer is too short: 3 of 4 octets
tcptime: ask 127.0.1.4: the answer is too long
tcptime: ask 127.0.1.5: Connection reset by peer
tcptime: ask 127.0.1.6: the answer is too long
tcptime: ask 127.0.1.7: no answer in time
tcptime: ask 127.0.1.8: no answer in time
tcptime: ask 127.0.1.9: Connection refused" ]
}

@test "a server that never accepts is given up in time" {
  peer server -b 0 127.0.0.1 full wait
  until_line server.err full
  run -1 --separate-stderr tcptime -t 0.3 -p "$server_at" 127.0.0.1
  [ "$stderr" = 'tcptime: ask 127.0.0.1: Connection timed out' ]
}

@test "--json: one object per host, with its time or an error" {
  start hosts time-hosts -t 127.0.1.1=value,0 127.0.1.2=short
  run -1 --separate-stderr tcptime --json -p "$hosts_at" 127.0.1.{1,2}
  [ -z "$stderr" ]
  run -0 of_json host unix time error <<<"$output"
  [ "$(sort <<<"$output")" = "127.0.1.1 2085978496 2036-02-07T06:28:16Z -
127.0.1.2 - - the answer is too short: 3 of 4 octets" ]
}

@test "over IPv6, by address and by name" {
  need_ipv6
  need_own_hosts
  echo '::1 six.test' >hosts
  start server timeserver ::1 0
  run -0 with_hosts hosts tcptime -p "$server_at" ::1 six.test
  [ "$(offsets <<<"$output" | sort)" = "::1 0
six.test 0" ]
}

@test "-p: the name of a service" {
  getent services tcpmux/tcp >/dev/null || skip "needs the names of services (Debian: netbase)"
  run -1 tcptime -p tcpmux 127.0.0.1
  [ "$output" = 'tcptime: ask 127.0.0.1: Connection refused' ]
}

@test "control characters in a name are escaped" {
  local long
  long=$(printf 'x%.0s' {1..64})
  run -1 tcptime $'a\n\e[1m'"$long.test"
  [ "${#lines[@]}" -eq 1 ]
  [[ $output != *$'\e'* ]]
}

@test "a stdout that can't be written is an error, and no process is left" {
  start hosts time-hosts -t 127.0.1.1=right 127.0.1.2=silent
  run -111 --separate-stderr bash -c 'tcptime -t 1h -p "$1" 127.0.1.1 127.0.1.2 >/dev/full' '' "$hosts_at"
  [ "$stderr" = 'tcptime: write stdout: No space left on device' ]
}

@test "usage errors" {
  wrong_call tcptime
  wrong_call tcptime ''
  for port in 0 70000 -1 0x25 5x ''; do
    wrong_call tcptime -p "$port" 127.0.0.1
  done
  for n in 0 -1 5x '' 100001; do
    wrong_call tcptime -c "$n" 127.0.0.1
  done
  wrong_call tcptime -t 1e3 127.0.0.1
}

# ---- many ----

@test "all hosts are asked at once: 300 servers that answer once all have been asked" {
  start hosts time-hosts -t 127.3.0.1-100=together,300 127.3.1.1-100=together,300 127.3.2.1-100=together,300
  run -0 --separate-stderr tcptime -t 100 -p "$hosts_at" 127.3.{0..2}.{1..100}
  [ "$(columns 1 <<<"$output" | sort -u | wc -l)" -eq 300 ]
  [ -z "$stderr" ]
}

@test "-c: that many at a time, no more and no less" {
  start hosts time-hosts -tv 127.3.0.1-12=together,3
  run -0 tcptime -c 3 -t 100 -p "$hosts_at" 127.3.0.{1..12}
  [ "${#lines[@]}" -eq 12 ]
  start hosts time-hosts -tv 127.3.0.1-4=together,4
  background client tcptime -c 3 -t 1h -p "$hosts_at" 127.3.0.{1..4}
  until_true heard_of 3 hosts.err
  until_true asleep "$client" tcptime
  [ "$(wc -w <"/proc/$client/task/$client/children")" -eq 3 ]
  heard_of 3 hosts.err
}

heard_of() {
  [ "$(wc -l <"$2")" -eq "$1" ]
}

@test "2,000 hosts in one run" {
  start server timeserver 0 0
  run -0 --separate-stderr tcptime -t 100 -c 100 -p "$server_at" 127.2.{0..7}.{1..250}
  [ -z "$stderr" ]
  [ "$(columns 1 <<<"$output" | sort -u | wc -l)" -eq 2000 ]
  [ "${#lines[@]}" -eq 2000 ]
}

@test "many silent hosts take the time of one" {
  start hosts time-hosts -t 127.3.0.1-200=silent
  SECONDS=0
  run -1 --separate-stderr tcptime -t 0.5 -p "$hosts_at" 127.3.0.{1..200}
  [ "$(grep -c ': no answer in time$' <<<"$stderr")" -eq 200 ]
  ((SECONDS < 60))
}

# ---- names ----

@test "a slow lookup does not delay addresses and other names" {
  need_slow_names
  run -1 --separate-stderr with_slow_names tcptime -t 3 slow.test 127.0.0.1 quick.test
  [ "$(columns 1 <<<"$output" | sort | tr '\n' ' ')" = '127.0.0.1 quick.test ' ]
  [[ $stderr == 'tcptime: ask slow.test: '*'timed out' ]]
  [ -s slow-names.err ]
}

# ---- life ----

@test "Ctrl-C leaves no process" {
  start hosts time-hosts -t 127.0.1.1=right 127.0.1.2-2=silent
  at_terminal 'ready> ' "tcptime -t 1h -p $hosts_at 127.0.1.{1,2,3}\n" '127.0.1.1  .*\n' '\cC' \
    'ready> ' 'echo status \$?\n' 'status 130' '' 'ready> ' 'exit\n'
}

@test "SIGKILL leaves no process, either" {
  local pids
  start hosts time-hosts -tv 127.0.1.1-3=silent
  background client tcptime -t 1h -p "$hosts_at" 127.0.1.{1..3}
  until_true heard_of 3 hosts.err
  pids=$(cat "/proc/$client/task/$client/children")
  [ "$(wc -w <<<"$pids")" -eq 3 ]
  kill -KILL "$client"
  for pid in $pids; do
    until_true gone "$pid"
  done
}

@test "a process of one host that is killed is that host's reason" {
  start hosts time-hosts -tv 127.0.1.1=silent
  background client tcptime -t 1h -p "$hosts_at" 127.0.1.1
  until_true heard_of 1 hosts.err
  pid=$(cat "/proc/$client/task/$client/children")
  # shellcheck disable=SC2086 # it has a blank at its end
  kill -KILL $pid
  ends_with 1 "$client"
  [ "$(cat client.err)" = 'tcptime: ask 127.0.1.1: the process that asked this host was killed' ]
}

# ---- 2036 ----

@test "the wraparound of 2036 is read as the nearest moment" {
  local now
  now=$(date +%s)
  start hosts time-hosts -t 127.0.1.1=value,4294967295 127.0.1.2=value,0
  run -0 tcptime -p "$hosts_at" 127.0.1.{1,2}
  [ "$(columns 1,3- <<<"$output" | sort)" = "127.0.1.1 Thu Feb 7 06:28:15 2036
127.0.1.2 Thu Feb 7 06:28:16 2036" ]
  start server timeserver --offset=$((2085978496 + 3600 - now)) 127.0.0.1 0
  run -0 tcptime -p "$server_at" 127.0.0.1
  [[ $output == *' Thu Feb  7 07:28:'*' 2036' ]]
}
