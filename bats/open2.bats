# open2: two programs joined both ways, and its calls. One program alone is in open2-relay.bats, lock-step in
# open2-lock-step.bats, terminals in open2-pty.bats.

load helper/coproc

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# A client in the UCSPI manner: it asks on fd 7 and has its answers from fd 6.
# shellcheck disable=SC2016
asks='use IO::Handle; open my $in, "<&=6" or die; open my $out, ">&=7" or die; $out->autoflush(1); $| = 1;
  for my $word (qw(one two three)) { print $out "$word\n"; print scalar <$in> }'

# What it talks to: a line in, a line out.
# shellcheck disable=SC2016
upper='$| = 1; print uc while <STDIN>'

@test "CLIENT reads SERVER from fd 6 and writes to it on fd 7" {
  run -0 timeout --foreground 60 open2 perl -e "$upper" ::: perl -e "$asks"
  [ "$output" = $'ONE\nTWO\nTHREE' ]
}

@test "the same CLIENT works under open2, tcpclient and unixclient" {
  start server unixserver sock perl -e "$upper"
  unixclient sock perl -e "$asks" >by.unixclient
  start tcp tcpserver 127.0.0.1 0 perl -e "$upper"
  tcpclient 127.0.0.1 "$tcp_at" perl -e "$asks" >by.tcpclient
  open2 perl -e "$upper" ::: perl -e "$asks" >by.open2
  [ "$(cat by.open2)" = $'ONE\nTWO\nTHREE' ]
  cmp by.open2 by.unixclient
  cmp by.open2 by.tcpclient
}

@test "CLIENT keeps our stdin and stdout, SERVER has our stderr" {
  run -0 --separate-stderr timeout --foreground 60 open2 sh -c 'cat >&2' ::: sh -c 'cat >&7; echo said' <<<hello
  [ "$output" = said ]
  [ "$stderr" = hello ]
}

@test "-x crosses stdin and stdout of both" {
  # shellcheck disable=SC2016
  run -0 --separate-stderr timeout --foreground 60 open2 -x perl -e "$upper" ::: \
    perl -e '$| = 1; print "hello\n"; print STDERR scalar <STDIN>'
  [ -z "$output" ]
  [ "$stderr" = HELLO ]
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --cross cat ::: perl -e 'print STDERR grep { -l "/proc/self/fd/$_" } 6, 7'
  [ -z "$output" ]
}

@test "--socketpair: one socket in place of two pipes, and each direction still ends by itself" {
  # shellcheck disable=SC2016
  local kinds='printf STDERR "%s %s\n", -S STDIN ? "socket" : "other", -S STDOUT ? "socket" : "other"'
  run -0 timeout --foreground 60 open2 --socketpair perl -e "$kinds" </dev/null
  [ "$output" = "socket socket" ]
  run -0 timeout --foreground 60 open2 perl -e "$kinds; print -p STDIN" </dev/null
  [[ $output == "other other"* ]]
  run -0 timeout --foreground 60 open2 --socketpair sort <<<$'b\na'
  [ "$output" = $'a\nb' ]
  run -0 timeout --foreground 60 open2 --socketpair sort ::: perl -e 'open my $in, "<&=6"; open my $out, ">&=7";
    syswrite $out, "b\na\n"; shutdown $out, 1; print <$in>'
  [ "$output" = $'a\nb' ]
}

@test "neither program gets other fds of ours than it is promised" {
  own_fds_only open2 6 7
}

@test "masks and dispositions are the caller's, but SIGPIPE is at its default" {
  local expected show=(grep -E '^Sig(Blk|Ign)' /proc/self/status) # no shell, which would tidy up
  # shellcheck disable=SC2054
  local dirty=(env --ignore-signal=USR1,CHLD,PIPE --block-signal=USR2,TERM)
  expected=$("${dirty[@]}" env --default-signal=PIPE "${show[@]}")
  [ "$expected" != "$(env --default-signal=PIPE "${show[@]}")" ]
  [ "$expected" != "$("${dirty[@]}" "${show[@]}")" ]
  "${dirty[@]}" open2 -x "${show[@]}" ::: dd of=server status=none
  [ "$(cat server)" = "$expected" ]
  run -0 "${dirty[@]}" open2 cat ::: "${show[@]}"
  [ "$output" = "$expected" ]
  run -0 "${dirty[@]}" open2 "${show[@]}" </dev/null
  [ "$output" = "$expected" ]
}

@test "both statuses count: CLIENT's if it is not 0, else SERVER's" {
  # shellcheck disable=SC2016
  local server client want row rows=(
    'exit 0:exit 0:0' 'exit 3:exit 0:3' 'exit 0:exit 4:4' 'exit 3:exit 4:4' 'exit 124:exit 0:124'
    'kill -KILL $$:exit 0:137' 'exit 3:kill -KILL $$:137' 'kill -KILL $$:exit 4:4'
  )
  for row in "${rows[@]}"; do
    IFS=: read -r server client want <<<"$row"
    run -"$want" timeout --foreground 60 open2 sh -c "$server" ::: sh -c "$client"
    [ -z "$output" ]
  done
}

@test "SERVER's death of SIGPIPE after CLIENT has left is no failure" {
  run -0 timeout --foreground 60 open2 yes ::: sh -c 'head -n 1 <&6'
  [ "$output" = y ]
}

@test "SERVER that ends at once: CLIENT sees the end of its input" {
  run -0 timeout --foreground 60 open2 true ::: sh -c 'cat <&6; echo end'
  [ "$output" = end ]
  run -3 timeout --foreground 60 open2 --socketpair sh -c 'exit 3' ::: sh -c 'cat <&6; echo end'
  [ "$output" = end ]
}

@test "CLIENT that ends: SERVER sees the end of its input" {
  run -0 timeout --foreground 60 open2 sh -c 'cat >&2; echo end >&2' ::: sh -c 'echo hello >&7'
  [ "$output" = $'hello\nend' ]
}

@test "-k: SERVER that does not end after CLIENT is ended: 124" {
  # shellcheck disable=SC2016
  run -124 timeout --foreground 60 open2 -k 0.1 perl -e 'open F, ">pid"; print F $$; close F; sleep' ::: \
    perl -e 'select undef, undef, undef, 0.01 until -s "pid"'
  [ "$output" = "open2: end perl: it did not end by itself" ]
  gone "$(cat pid)"
}

@test "-k: SERVER that does not hear SIGTERM, either, is killed" {
  # shellcheck disable=SC2016
  run -124 timeout --foreground 60 open2 --kill-after 100ms \
    perl -e '$SIG{TERM} = "IGNORE"; open F, ">pid"; print F $$; close F; sleep while 1' ::: \
    perl -e 'select undef, undef, undef, 0.01 until -s "pid"'
  gone "$(cat pid)"
}

@test "--status-fd: a line on each program's end, SERVER is stage 0" {
  run -4 timeout --foreground 60 open2 --status-fd 9 sh -c 'cat; exit 3' ::: sh -c 'exit 4' 9>status
  run sed -E 's/ pid=[1-9][0-9]* / /; s/ seconds=[0-9]+\.[0-9]{3}$//' <(sort status)
  [ "$output" = "stage=0 exec_errno=0 exit=3 signal=0 core=0 timed_out=0
stage=1 exec_errno=0 exit=4 signal=0 core=0 timed_out=0" ]
  run -124 timeout --foreground 60 open2 -k 0 --status-fd 9 perl -e sleep ::: true 9>status
  run -0 grep -cE '^stage=0 .* signal=15 .* timed_out=1' status
  run -137 timeout --foreground 60 open2 --status-fd 9 perl -e 'kill KILL => $$' </dev/null 9>status
  run -0 grep -cE '^stage=0 .* exit=0 signal=9 .* timed_out=0' status
}

@test "a program that is not there: nothing is started" {
  run -127 timeout --foreground 60 open2 touch started ::: ./nothing
  [ "$output" = "open2: ./nothing (stage 1): No such file or directory" ]
  run -127 timeout --foreground 60 open2 ./nothing
  [ "$output" = "open2: ./nothing: No such file or directory" ]
  touch plain
  run -126 timeout --foreground 60 open2 ./plain ::: touch started
  [ ! -e started ]
}

@test "a program that can't be run after all: 127, and the other one is not left behind" {
  printf '#!/nowhere/to/be/found\n' >script
  chmod +x script
  # shellcheck disable=SC2016
  run -127 timeout --foreground 60 open2 sh -c 'echo $$ >pid; exec cat' ::: ./script
  [ "$output" = "open2: exec ./script (stage 1): No such file or directory" ]
  [ ! -s pid ] || gone "$(cat pid)"
  run -127 timeout --foreground 60 open2 ./script
}

@test "TERM reaches both programs" {
  # shellcheck disable=SC2016
  local waits='$SIG{TERM} = sub { exit 7 }; open F, ">", shift; print F "$$\n"; close F; sleep while 1'
  background joined open2 perl -e "$waits" server ::: perl -e "$waits" client
  until_true test -s server -a -s client
  kill -TERM "$joined"
  ends_with 7 "$joined"
  gone "$(cat server)"
  gone "$(cat client)"
}

@test "every wrong call is refused" {
  local long
  printf -v long '%04097d' 0
  wrong_call open2
  wrong_call open2 :::
  wrong_call open2 cat :::
  wrong_call open2 ::: cat
  wrong_call open2 cat ::: cat ::: cat
  wrong_call open2 --sep '' cat
  wrong_call open2 --sep + cat + cat + cat
  wrong_call open2 --pty=in cat
  wrong_call open2 --pty= cat
  wrong_call open2 --pty --socketpair cat
  wrong_call open2 --socketpair --pty=both cat ::: cat
  wrong_call open2 -x cat
  wrong_call open2 -l cat ::: cat
  wrong_call open2 --lines 2 cat
  wrong_call open2 --until x cat
  wrong_call open2 --greeting cat
  wrong_call open2 -t 5 cat
  wrong_call open2 -t 60 cat
  wrong_call open2 -l --lines 0 cat
  wrong_call open2 -l --lines -1 cat
  wrong_call open2 -l --lines 0x10 cat
  wrong_call open2 -l --lines '' cat
  wrong_call open2 -l --until '' cat
  wrong_call open2 -l --until "$long" cat
  wrong_call open2 -l -t 5x cat
  wrong_call open2 -l -t -1 cat
  wrong_call open2 -k -1 cat
  wrong_call open2 -k '' cat
  wrong_call open2 --status-fd 200 cat
  wrong_call open2 --status-fd -1 cat
  wrong_call open2 --status-fd x cat
  wrong_call open2 --tag cat
  wrong_call open2 --lock cat
}

@test "--sep: another word between the programs" {
  run -0 timeout --foreground 60 open2 --sep AND echo ::: AND sh -c 'cat <&6'
  [ "$output" = ::: ]
}
