# killpg: a signal for a whole process group but killpg itself, and with -k nobody of it is left.

load helper/common
load helper/peers

setup() {
  common_setup
  # group CODE [COUNT]: a process group of its own: a leader and COUNT children run CODE, then tell their pid
  printf '%s\n' '#!/usr/bin/perl' '$| = 1; alarm 100; setpgrp; my ($code, $count) = @ARGV;' \
    'sub member { alarm 100; eval $code; die $@ if $@; syswrite STDOUT, "$$\n"; sleep 1 while 1 }' \
    'for (1 .. $count // 2) { fork // die or member() }' \
    'member()' >group
  chmod +x group
}

teardown() {
  # what is left of groups, should a test have failed
  local leader
  for leader in "${leaders[@]}"; do
    kill -KILL -- "-$leader" 2>/dev/null || :
  done
  common_teardown
}

leaders=()

# group VAR CODE [COUNT]: starts ./group; returns once all members have told their pids, which are in VAR.out.
group() {
  background "$1" ./group "${@:2}"
  leaders+=("${!1}")
  until_true told "$1" "$((${3:-2} + 1))"
}

told() {
  [ "$(wc -l <"$1.out")" -ge "$2" ]
}

# living PGID: the pids of that group's living members.
living() {
  # shellcheck disable=SC2016
  perl -e 'for (</proc/[0-9]*/stat>) { open my $in, "<", $_ or next; my $text = <$in> // next;
    $text =~ /^(\d+) \(.*\) (\S) \d+ (\d+) /s and $3 == $ARGV[0] and $2 ne "Z" and $2 ne "X" and print "$1\n" }' "$1"
}

nobody_left() {
  [ -z "$(living "$1")" ]
}

@test "the whole group gets TERM, and nobody else" {
  group one ''
  group two ''
  run -0 killpg "$one"
  [ -z "$output" ]
  ends_with 143 "$one"
  until_true nobody_left "$one"
  [ "$(living "$two" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$two"
}

@test "-s: another signal, by name or number" {
  # shellcheck disable=SC2016
  group one '$SIG{$_} = sub { syswrite STDERR, "$_[0]\n" } for "USR1", "HUP", "RTMIN"'
  local sig number=0
  for sig in USR1 SIGHUP 34; do
    run -0 killpg -s "$sig" "$one"
    number=$((number + 3))
    until_true heard "$number"
  done
  [ "$(sort one.err | uniq -c | awk '{ print $2, $1 }' | paste -sd ' ')" = "HUP 3 RTMIN 3 USR1 3" ]
  run -0 killpg --signal=KILL "$one"
  ends_with 137 "$one"
  until_true nobody_left "$one"
}

heard() {
  [ "$(wc -l <one.err)" -ge "$1" ]
}

# inside KILLPG-WORDS...: killpg in a group of its own, with two members more, that is its own; prints its status.
inside() {
  # shellcheck disable=SC2016
  timeout --foreground 60 perl -e '$| = 1; alarm 100; setpgrp; pipe my $r, my $w;
    my @members = map { my $pid = fork // die; if (!$pid) { syswrite $w, "x"; sleep 1 while 1 } $pid } 1, 2;
    sysread $r, my $x, 1 for 1, 2;
    $SIG{TERM} = $SIG{HUP} = sub { };
    my $status = system "killpg", @ARGV, $$;
    waitpid($_, 0), print "member ", $? & 127, "\n" for @members;
    print "killpg exit ", $status >> 8, " signal ", $status & 127, "\n"' -- "$@"
}

@test "inside its own group killpg spares itself" {
  run -0 inside
  [ "$output" = $'member 15\nmember 15\nkillpg exit 0 signal 0' ]
  run -0 inside -s HUP
  [ "$output" = $'member 1\nmember 1\nkillpg exit 0 signal 0' ]
}

@test "inside a group where nobody else is, it has nobody to signal" {
  run -1 perl -e 'setpgrp; exec "killpg", $$'
  [[ $output == "killpg: signal group "*": it has no other member" ]]
}

@test "KILL inside its own group ends all others" {
  # shellcheck disable=SC2016
  background shell perl -e 'alarm 100; setpgrp; fork // die or do { alarm 100; sleep 1 while 1 } for 1 .. 3;
    exec "killpg", "-k", "0", "-s", "KILL", $$'
  leaders+=("$shell")
  ends_with 0 "$shell"
  nobody_left "$shell"
}

@test "-k: who ignores TERM is killed, and nobody is left at its return" {
  # shellcheck disable=SC2016
  group one '$SIG{TERM} = "IGNORE"' 5
  run -0 timeout --foreground 60 killpg -k 0.2 "$one"
  nobody_left "$one"
  [ -z "$output" ]
  ends_with 137 "$one"
}

@test "-k 0 kills at once who is still there" {
  # shellcheck disable=SC2016
  group one '$SIG{TERM} = "IGNORE"'
  run -0 timeout --foreground 60 killpg --kill-after=0 "$one"
  nobody_left "$one"
}

@test "-k: who ends in time may clean up, and is waited for no longer than that" {
  # shellcheck disable=SC2016
  group one '$SIG{TERM} = sub { select undef, undef, undef, 0.2; syswrite STDERR, "tidy\n"; exit 0 }'
  SECONDS=0
  run -0 timeout --foreground 60 killpg -k 1h "$one"
  nobody_left "$one"
  ((SECONDS < 30))
  [ "$(wc -l <one.err)" -eq 3 ]
  ends_with 0 "$one"
}

@test "-k: zombies of a parent outside the group are not waited for" {
  # shellcheck disable=SC2016
  background parent perl -e '$| = 1; alarm 100; my $pid = fork // die;
    if (!$pid) { setpgrp; alarm 100; print "$$\n"; sleep 1 while 1 } sleep 1 while 1'
  until_line parent.out .
  local pgid
  pgid=$(cat parent.out)
  leaders+=("$pgid")
  run -0 timeout --foreground 60 killpg -k 1h "$pgid"
  grep -q '^State:.*Z' "/proc/$pgid/status"
}

@test "-k: members that are stopped end, too" {
  group one ''
  kill -STOP -- "-$one"
  run -0 timeout --foreground 60 killpg -k 1h "$one"
  nobody_left "$one"
  ends_with 143 "$one"
}

@test "-k: members that fork while they are killed" {
  # each goes on in a child of its own, again and again
  # shellcheck disable=SC2016
  group one '$SIG{TERM} = "IGNORE"; $SIG{CHLD} = "IGNORE"; syswrite STDOUT, "$$\n";
    while (1) { my $pid = fork // next; exit if $pid; select undef, undef, undef, 0.002 }' 4
  run -0 timeout --foreground 60 killpg -k 0.05 "$one"
  nobody_left "$one"
}

@test "-k inside its own group: members that fork while they are killed" {
  # shellcheck disable=SC2016
  background own perl -e '$SIG{CHLD} = "IGNORE"; setpgrp; for (1 .. 3) { next if fork; $SIG{TERM} = "IGNORE";
    my $end = time + 60;
    while (time < $end) { my $pid = fork // next; exit if $pid; select undef, undef, undef, 0.002 } exit }
    exec "killpg", "-k", "0.05", $$'
  leaders+=("$own")
  SECONDS=0
  ends_with 0 "$own"
  nobody_left "$own"
  ((SECONDS < 30)) # or they have ended by themselves
}

@test "-k: one whose first thread has ended is alive, and killed" {
  [ "$(uname -m)" = x86_64 ] || skip "needs the number of exit(2)"
  perl -Mthreads -e 1 || skip "needs perl with threads"
  background one perl -Mthreads -e 'alarm 100; setpgrp; $SIG{TERM} = "IGNORE";
    threads->create(sub { sleep 1 while 1 }); syscall 60, 0'
  leaders+=("$one")
  until_true grep -q '^State:.*Z' "/proc/$one/status"
  run -0 alive "$one"
  run -0 timeout --foreground 60 killpg -k 0.1 "$one"
  run -1 alive "$one"
}

@test "a group that is not there is 1" {
  group one ''
  run -0 killpg -k 1m -s KILL "$one"
  ends_with 137 "$one"
  until_true no_group "$one"
  run -1 killpg "$one"
  [ "$output" = "killpg: signal group $one: it has no other member" ]
  run -1 killpg -k 1h "$one"
  run -1 killpg 2147483647
}

# no_group PGID: not even zombies of it, which somebody else waits for.
no_group() {
  if kill -0 -- "-$1" 2>/dev/null; then false; fi
}

@test "a member's pid is no group" {
  group one ''
  local member
  member=$(grep -vx "$one" one.out | head -n 1)
  run -1 killpg "$member"
  [ "$(living "$one" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$one"
}

@test "another user's group is refused with 111" {
  need_root
  need setpriv util-linux
  group one ''
  # shellcheck disable=SC2016
  run -111 setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    perl -e 'exec { "/proc/self/fd/9" } @ARGV or die' killpg -k 1h "$one" 9<"$IPCBOX"
  [ "$output" = "killpg: signal group $one: Operation not permitted" ]
  [ "$(living "$one" | wc -l)" -eq 3 ]
  run -0 killpg -k 1m "$one"
}

@test "wrong calls" {
  local word
  wrong_call killpg
  wrong_call killpg --
  for word in 0 1 -1 -0 -2 '' ' ' x 2x 0x10 +2 2.0 ' 2' 2147483648 99999999999999999999; do
    wrong_call killpg -- "$word"
    wrong_call killpg -k 1 -- "$word"
  done
  wrong_call killpg -1
  wrong_call killpg 2147483646 2147483647
  for word in '' 0 65 NOPE -1 'TERM,' 0x1; do
    wrong_call killpg -s "$word" 2147483647
  done
  for word in '' -1 x 5x; do
    wrong_call killpg -k "$word" 2147483647
  done
  wrong_call killpg --no-such-option 2147483647
}
