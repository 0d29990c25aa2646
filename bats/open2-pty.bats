# open2 --pty: a terminal for programs that answer line by line only there, and what must not be seen of it.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# Which of a program's fds 0 to 2 are terminals.
ttys='print STDERR map { -t $_ ? 1 : 0 } *STDIN, *STDOUT, *STDERR'

@test "--pty: stdout is a terminal, stdin and stderr are not" {
  local way
  for way in --pty --pty=out; do
    run -0 --separate-stderr timeout --foreground 60 open2 "$way" perl -e "$ttys" </dev/null
    [ "$stderr" = 010 ]
    run -0 --separate-stderr timeout --foreground 60 open2 "$way" perl -e "$ttys" ::: true
    [ "$stderr" = 010 ]
  done
  run -0 --separate-stderr timeout --foreground 60 open2 perl -e "$ttys" </dev/null
  [ "$stderr" = 000 ]
}

@test "--pty=both: stdin is the terminal, too" {
  run -0 --separate-stderr timeout --foreground 60 open2 --pty=both perl -e "$ttys" </dev/null
  [ "$stderr" = 110 ]
  run -0 --separate-stderr timeout --foreground 60 open2 --pty=both perl -e "$ttys" ::: true
  [ "$stderr" = 110 ]
}

@test "--pty=both: the terminal is the program's controlling one, of a session of its own" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --pty=both perl -MPOSIX -e 'open my $tty, "+<", "/dev/tty" or die "open: $!";
    printf "%s %s %s\n", POSIX::getpgrp() == $$ ? "leader" : "member",
      POSIX::tcgetpgrp(0) == $$ ? "foreground" : "background", ttyname(0) eq ttyname(1) ? "one" : "two";
    print {$tty} "by its name\n"' </dev/null
  [ "$output" = $'leader foreground one\nby its name' ]
}

@test "--pty: the program stays in our session and process group" {
  # shellcheck disable=SC2016
  run -0 perl -e 'my $group = getpgrp; exec @ARGV, $group' open2 --pty \
    perl -e 'print getpgrp == shift ? 1 : 0' </dev/null
  [ "$output" = 1 ]
}

@test "the output has no CR, whatever the input" {
  local way
  printf 'a\nb\r\n\tc\n\n' >data
  for way in --pty --pty=both; do
    timeout --foreground 60 open2 "$way" cat <data >back
    cmp data back
  done
}

@test "sort sees a true end of file" {
  local way
  for way in --pty --pty=both; do
    run -0 timeout --foreground 60 open2 "$way" sort <<<$'b\na'
    [ "$output" = $'a\nb' ]
    # shellcheck disable=SC2016
    run -0 timeout --foreground 60 open2 "$way" sort ::: perl -e 'open my $in, "<&=6"; open my $out, ">&=7";
      print {$out} "b\na\n"; close $out; print <$in>'
    [ "$output" = $'a\nb' ]
  done
}

@test "the terminal's hang-up is the end of CLIENT's input, not an error" {
  local way
  for way in --pty --pty=both; do
    # shellcheck disable=SC2016
    run -0 timeout --foreground 60 open2 "$way" echo hello ::: perl -e 'open my $in, "<&=6"; my ($n, $text, $b);
      $text .= $b while $n = sysread $in, $b, 999; printf "%s%s\n", $text, defined $n ? "end" : "error $!"'
    [ "$output" = $'hello\nend' ]
  done
}

@test "all of a large output arrives before the hang-up" {
  local way
  for way in --pty --pty=both; do
    [ "$(timeout --foreground 60 open2 "$way" seq 200000 </dev/null | cksum)" = "$(seq 200000 | cksum)" ]
    [ "$(timeout --foreground 60 open2 "$way" seq 200000 ::: sh -c 'cat <&6' | cksum)" = "$(seq 200000 | cksum)" ]
  done
}

@test "programs that buffer on pipes answer line by line" {
  # shellcheck disable=SC2016
  local way buffers='print uc while <STDIN>'
  for way in --pty --pty=both; do
    run -0 timeout --foreground 60 open2 -l "$way" perl -e "$buffers" <<<$'a\nb\nc'
    [ "$output" = $'A\nB\nC' ]
    run -0 timeout --foreground 60 open2 -l "$way" tr a-z A-Z <<<$'a\nb\nc'
    [ "$output" = $'A\nB\nC' ]
    run -0 timeout --foreground 60 open2 -l "$way" sed 's/^/> /' <<<$'a\nb'
    [ "$output" = $'> a\n> b' ]
  done
  mkfifo open
  exec 9<>open
  printf 'a\nb\n' >&9
  run -124 timeout --foreground 60 open2 -l -t 0.3 perl -e "$buffers" <open
}

@test "a CLIENT talks with a program that buffers on pipes" {
  # shellcheck disable=SC2016
  local asks='open my $in, "<&=6"; open my $out, ">&=7"; 
    for (qw(one two)) { syswrite $out, "$_\n"; print scalar <$in> }'
  run -0 timeout --foreground 60 open2 --pty tr a-z A-Z ::: perl -e "$asks"
  [ "$output" = $'ONE\nTWO' ]
  run -0 timeout --foreground 60 open2 --pty=both tr a-z A-Z ::: perl -e "$asks"
  [ "$output" = $'ONE\nTWO' ]
}

@test "--pty=both: every byte arrives, special ones and NUL too, in lines of any length" {
  # shellcheck disable=SC2016
  perl -e 'binmode STDOUT; print map(chr, 0 .. 255), "\n", "\4\26\3\177\0\32\34\21\23\r\b\25\27\22\17" x 999,
    "\n\4\n\26\n\0\n";
    print "x" x $_, "\n" for 1 .. 20, 2046 .. 2050, 4093 .. 4099, 8192, 10000, 0, 1, 65536' >data
  timeout --foreground 60 open2 --pty=both cat <data >back
  cmp data back
  timeout --foreground 60 open2 --pty=both sh -c 'cat >got' ::: sh -c 'cat data >&7' <data
  cmp data got
}

@test "--pty=both: 1 MiB of random bytes, however the program reads them" {
  local size
  random_bytes 1048576 >data
  for size in 1000 2047 2048 2049 4096 65536; do
    # shellcheck disable=SC2016
    timeout --foreground 60 open2 --pty=both perl -e 'my ($size, $b) = @ARGV; open STDOUT, ">", "got";
      syswrite STDOUT, $b while sysread STDIN, $b, $size' "$size" <data
    cmp data got
  done
  [ "$(timeout --foreground 60 open2 --pty=both cat <data | cksum)" = "$(cksum <data)" ]
}

@test "--pty=both: byte by byte" {
  random_bytes 20000 >data
  # shellcheck disable=SC2016
  timeout --foreground 60 open2 --pty=both perl -e 'print $b while sysread STDIN, $b, 1' <data >back
  cmp data back
}

@test "--pty=both: a program that is slow to read loses nothing" {
  random_bytes 100000 >data
  # shellcheck disable=SC2016
  timeout --foreground 60 open2 --pty=both perl -e 'open STDOUT, ">", "got";
    while (sysread STDIN, my $b, 4096) { syswrite STDOUT, $b; select undef, undef, undef, 0.005 }' <data
  cmp data got
}

@test "--pty=both: the end of input arrives, with and without a last newline" {
  local text
  for text in '' 'x' $'x\n' $'x\ny' "$(printf '%02048d' 0)" "$(printf '%04096d' 0)" "$(printf '%04095d' 0)"$'\n'; do
    printf %s "$text" >data
    timeout --foreground 60 open2 --pty=both cat <data >back
    cmp data back
    timeout --foreground 60 open2 --pty=both wc -c <data >count
    [ "$(cat count)" -eq "${#text}" ]
  done
}

@test "--pty=both: the input stays at its end, whoever reads it next" {
  run -0 timeout --foreground 60 open2 --pty=both sh -c 'cat; cat; cat; echo end' <<<text
  [ "$output" = $'text\nend' ]
}

# bats test_tags=long
@test "--pty=both: at the end of input a program that goes on costs no CPU" {
  # shellcheck disable=SC2016
  local own='my @before = times; system @ARGV; my @after = times; open my $log, ">", "log";
    print {$log} $after[2] + $after[3] - $before[2] - $before[3] < 0.5 ? "idle" : "busy @after"'
  local lives='$SIG{HUP} = "IGNORE"; MORE select undef, undef, undef, 1.5'
  perl -e "$own" open2 --pty=both perl -e "${lives/MORE/}" </dev/null
  [ "$(cat log)" = idle ]
  perl -e "$own" open2 --pty=both perl -e "${lives/MORE/close STDIN; close STDOUT;}" </dev/null
  [ "$(cat log)" = idle ]
}

@test "--pty=both -l: the end of input does not put off the deadline" {
  # shellcheck disable=SC2016
  local closes='$SIG{HUP} = "IGNORE"; <STDIN>; close STDIN; close STDOUT; sleep while 1'
  run -124 timeout --foreground 20 open2 -l -t 0.3 -k 0.1 --pty=both perl -e 'sleep while 1' <<<question
  [ "$output" = "open2: wait for an answer: the deadline passed" ]
  run -124 timeout --foreground 20 open2 -l -t 0.3 -k 0.1 --pty=both perl -e "$closes" <<<question
  [[ $output == "open2: "* ]]
}

@test "--pty=both: nothing is echoed" {
  run -0 timeout --foreground 60 open2 --pty=both sh -c 'cat >got; echo answer' <<<question
  [ "$output" = answer ]
  [ "$(cat got)" = question ]
}

@test "--pty=both: a program that never reads or dies does not keep us" {
  run -5 timeout --foreground 60 bash -c 'yes | open2 --pty=both sh -c "echo x; exit 5"'
  [ "$output" = x ]
  run -0 timeout --foreground 60 bash -c 'yes | open2 --pty true'
}

@test "a reader that leaves: we die of SIGPIPE, and nothing is left" {
  local way
  for way in --pty --pty=both; do
    # shellcheck disable=SC2016
    run -0 timeout --foreground 60 bash -c 'open2 "$1" sh -c "echo \$\$ >pid; exec yes 2>/dev/null" </dev/null |
      head -n 1; echo "${PIPESTATUS[0]}"' '' "$way"
    [ "$output" = $'y\n141' ]
    gone "$(cat pid)"
  done
}

@test "a CLIENT that leaves: SERVER sees the end, and is ended after -k when it does not" {
  local way
  for way in --pty --pty=both; do
    timeout --foreground 60 open2 "$way" sh -c 'cat; echo end >seen' ::: true
    [ "$(cat seen)" = end ]
    rm seen
    # shellcheck disable=SC2016
    run -124 timeout --foreground 60 open2 -k 0.2 "$way" perl -e '$SIG{HUP} = "IGNORE";
      open F, ">pid"; print F $$; close F; sleep while 1' ::: perl -e 'select undef, undef, undef, 0.01 until -s "pid"'
    gone "$(cat pid)"
    rm pid
  done
}

@test "--pty=both: signals reach a program in its own session" {
  local sig
  for sig in TERM INT; do
    # shellcheck disable=SC2016
    background relay open2 --pty=both perl -e "\$SIG{$sig} = sub { print \"got it\n\"; exit 7 };
      print \"ready\n\"; sleep while 1"
    until_line relay.out ready
    kill -"$sig" "$relay"
    ends_with 7 "$relay"
    [ "$(cat relay.out)" = $'ready\ngot it' ]
  done
}

@test "--pty=both: a program that makes its terminal raw gets the bytes as they are" {
  # shellcheck disable=SC2016
  local raw='my $t = POSIX::Termios->new; $t->getattr(0); $t->setlflag($t->getlflag & ~&POSIX::ICANON);
    MORE; $t->setattr(0, &POSIX::TCSANOW); print "ready\n";
    my $got = ""; while (length $got < 8) { my $n = sysread STDIN, my $b, 99; die "end" unless $n; $got .= $b }
    print unpack("H*", $got), "\n"'
  run -0 timeout --foreground 60 open2 -l --greeting --pty=both perl -MPOSIX= \
    -e "${raw/MORE/\$t->setcc(POSIX::VMIN(), 1)}" <<<$'a\x04b\x16\x03cd'
  [ "$output" = $'ready\n610462160363640a' ]
  # as at any terminal, reads wait in a program that only leaves the mode of lines
  run -0 timeout --foreground 60 open2 --pty=both perl -MPOSIX= -e 'my $t = POSIX::Termios->new; $t->getattr(0);
    print $t->getcc(POSIX::VMIN()), $t->getcc(POSIX::VTIME())' </dev/null
  [ "$output" = 10 ]
}
