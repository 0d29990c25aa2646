# open2 -l: a line in, its answer out, and only then the next.

load helper/common
load helper/peers

setup() {
  common_setup
  # asked QUESTIONS COMMAND...: they are in COMMAND's stdin, which has no end
  mkfifo asked.in
  script bin/asked 'exec 9<>asked.in; printf %b "$1" >&9; shift; exec timeout --foreground 60 "$@" <asked.in'
}

teardown() {
  common_teardown
}

# A line in, a line out.
# shellcheck disable=SC2016
upper='$| = 1; print uc while <STDIN>'

# Answers every read(2), which says how much it got: more than one line where lines are not held back.
# shellcheck disable=SC2016
reads='$| = 1; while (sysread STDIN, my $b, 65536) { print "[", $b =~ s/\n/./gr, "]\n" }'

# It has said all that it has to say.
# shellcheck disable=SC2016
says_so='open my $said, ">", "said"; syswrite $said, "said"; close $said;'

# quiet SECONDS: whether nothing comes on stdin for that long; that nothing comes can't be waited for otherwise.
# shellcheck disable=SC2016
quiet='sub quiet { my $bits = ""; vec($bits, 0, 1) = 1; !select $bits, undef, undef, shift }'

@test "one line at a time reaches the program, however many we have" {
  seq 500 >questions
  run -0 timeout --foreground 60 open2 -l perl -e "$reads" <questions
  [ "$output" = "$(seq -f '[%.0f.]' 500)" ]
  # without -l they come together
  run -0 timeout --foreground 60 open2 perl -e "$reads" <questions
  [ "${#lines[@]}" -lt 500 ]
}

@test "the next line waits for the answer to be whole" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --lock-step perl -e "$quiet"'
    $| = 1; while (sysread STDIN, my $b, 65536) {
      print "half"; my $kept = quiet(0.1); print $kept ? " an answer\n" : " too much\n" }' <<<$'a\nb\nc'
  # behind the last line comes the end of input, and may come at once
  [ "${lines[0]}" = "half an answer" ]
  [ "${lines[1]}" = "half an answer" ]
  [ "${#lines[@]}" -eq 3 ]
}

@test "a caller sends a line, has its answer, and only then sends the next: bash's coproc" {
  local word answer
  # shellcheck disable=SC2016
  coproc talk { exec timeout --foreground 60 open2 -l perl -e '$| = 1; while (<STDIN>) {
    open my $log, ">>", "log"; print $log "server $_"; close $log; print uc }' 3>&-; }
  # shellcheck disable=SC2154
  local pid=$talk_PID
  started+=("$pid")
  eval "exec 8<&${talk[0]} 9>&${talk[1]} ${talk[0]}<&- ${talk[1]}>&-"
  for word in one two three; do
    echo "caller $word" >>log
    echo "$word" >&9
    read -r answer <&8
    echo "caller $answer" >>log
  done
  exec 9>&-
  ends_with 0 "$pid"
  run cat log
  [ "$output" = "caller one
server one
caller ONE
caller two
server two
caller TWO
caller three
server three
caller THREE" ]
}

@test "--lines N: an answer is N lines" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 -l --lines 3 perl -e '$| = 1;
    while (sysread STDIN, my $b, 65536) { chomp $b; print "$b-$_\n" for 1 .. 3 }' <<<$'a\nb'
  [ "$output" = $'a-1\na-2\na-3\nb-1\nb-2\nb-3' ]
  # with one line less than that the next question would not come, and its time passes
  # shellcheck disable=SC2016
  with_time said -124 --separate-stderr asked 'a\nb\n' open2 -l --lines 3 -t @T@ perl -e '$| = 1;
    while (sysread STDIN, my $b, 65536) { chomp $b; print "$b-$_\n" for 1 .. 2; '"$says_so }"
  [ "$output" = $'a-1\na-2' ]
}

@test "--until TEXT: an answer ends with TEXT, wherever it comes" {
  # Each answer is written byte by byte, and the program checks that nothing more came before it was whole.
  # shellcheck disable=SC2016
  local answers=$quiet'my @answers = splice @ARGV; my $early = 0;
    while (@answers && sysread STDIN, my $b, 65536) {
      my $answer = shift @answers;
      for (split //, $answer) { $early += @answers && !quiet(0.005); syswrite STDOUT, $_ }
      $early += $b !~ /^q\d\n$/ }
    print STDERR "early: $early\n"'
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until aab perl -e "$answers" \
    aaab xaab aab aaaaaab ababaab <<<$'q1\nq2\nq3\nq4\nq5'
  [ "$output" = aaabxaabaabaaaaaabababaab ]
  [ "$stderr" = "early: 0" ]
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until $'\n> ' perl -e "$answers" \
    $'\n> ' $'one\ntwo\n> ' $'\n>\n> ' <<<$'q1\nq2\nq3'
  [ "$output" = $'\n> one\ntwo\n> \n>\n> ' ]
  [ "$stderr" = "early: 0" ]
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until abacabab \
    perl -e "$answers" abacabacabab abacabab \
    <<<$'q1\nq2'
  [ "$output" = abacabacabababacabab ]
  [ "$stderr" = "early: 0" ]
}

@test "--until: a text that does not come again is waited for" {
  # shellcheck disable=SC2016
  with_time said -124 --separate-stderr asked 'q1\nq2\n' open2 -l --until END -t @T@ perl -e '$| = 1;
    while (sysread STDIN, my $b, 65536) { print $b; print $b eq "q1\n" ? "END" : "EN"; next if $b eq "q1\n";
    '"$says_so }"
  [ "$output" = $'q1\nENDq2\nEN' ]
  [ "$stderr" = "open2: wait for an answer: the deadline passed" ]
}

@test "--lines and --until: the later one wins" {
  # shellcheck disable=SC2016
  local both='$| = 1; while (sysread STDIN, my $b, 65536) { print "x\nEND\n" }'
  run -0 timeout --foreground 60 open2 -l --until NEVER --lines 2 perl -e "$both" <<<$'a\nb'
  [ "$output" = $'x\nEND\nx\nEND' ]
  run -0 timeout --foreground 60 open2 -l --lines 9 --until $'END\n' perl -e "$both" <<<$'a\nb'
  [ "$output" = $'x\nEND\nx\nEND' ]
}

@test "--greeting: before the first line an answer comes by itself" {
  # shellcheck disable=SC2016
  local greets=$quiet'$| = 1; print quiet(shift) ? "welcome\n> " : "you are early\n> ";
    while (sysread STDIN, my $b, 65536) { print uc $b, "> " }'
  run -0 timeout --foreground 60 open2 -l --greeting --until '> ' perl -e "$greets" 0.2 <<<$'one\ntwo'
  [ "$output" = $'welcome\n> ONE\n> TWO\n> ' ]
  run -0 timeout --foreground 60 open2 -l --until '> ' perl -e "$greets" 60 <<<$'one\ntwo'
  [ "${lines[0]}" = "you are early" ]
}

@test "-t: an answer that does not come in time: 124, and the program is ended" {
  # shellcheck disable=SC2016
  local silent='open F, ">pid"; print F $$; close F; sleep while 1'
  with_time pid -124 asked 'question\n' open2 -l -t @T@ perl -e "$silent"
  [ "$output" = "open2: wait for an answer: the deadline passed" ]
  gone "$(cat pid)"
  with_time pid -124 timeout --foreground 60 bash -c 'open2 "$@" <<<question' '' -l -t @T@ perl -e "$silent"
  gone "$(cat pid)"
  with_time pid -124 asked '' open2 -l --greeting --timeout @T@ perl -e "$silent"
  gone "$(cat pid)"
}

@test "-t: half an answer is none" {
  # shellcheck disable=SC2016
  with_time said -124 --separate-stderr asked 'question\n' open2 -l -t @T@ \
    perl -e '$| = 1; <STDIN>; print "half"; '"$says_so sleep"
  [ "$output" = half ]
}

@test "-t: a program that does not take its question is late, too" {
  # shellcheck disable=SC2016
  run -124 timeout --foreground 60 bash -c 'head -c 3000000 /dev/zero | open2 -l -t 0.2 perl -e sleep'
  [ "$output" = "open2: wait for an answer: the deadline passed" ]
}

# bats test_tags=long
@test "-t is an answer's, not the caller's and not all answers' together" {
  # The caller is silent for longer than an answer may take. (Both at once: it takes its time.)
  { echo one; sleep 5; echo two; } 3>&- | timeout --foreground 60 open2 -l -t 4 perl -e "$upper" 3>&- >answers &
  local silent=$!
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 -l -t 4 perl -e '$| = 1;
    while (<STDIN>) { select undef, undef, undef, 0.5; print }' < <(seq 10)
  [ "$output" = "$(seq 10)" ]
  ends_with 0 "$silent"
  [ "$(cat answers)" = $'ONE\nTWO' ]
}

@test "a program that ends early with a status: it is ours" {
  mkfifo open
  exec 9<>open
  printf 'one\ntwo\n' >&9
  # shellcheck disable=SC2016
  run -3 timeout --foreground 60 open2 -l perl -e '$_ = <STDIN>; print uc; exit 3' <open
  [ "$output" = ONE ]
  printf 'one\ntwo\n' >&9
  run -3 timeout --foreground 60 open2 -l sh -c 'exit 3' <open
  run -0 perl -e 'system @ARGV; print $? & 127' open2 -l sh -c 'kill -KILL $$' <open
  [ "$output" = 9 ]
}

@test "a program that ends well without its answer: 1 and a message" {
  mkfifo open
  exec 9<>open
  printf 'one\ntwo\n' >&9
  # shellcheck disable=SC2016
  run -1 --separate-stderr timeout --foreground 60 open2 -l perl -e 'sysread STDIN, $_, 99; print uc' <open
  [ "$output" = ONE ]
  [ "$stderr" = "open2: wait for an answer: the program ended before" ]
  run -1 timeout --foreground 60 open2 -l --greeting true <open
  [ "$output" = "open2: wait for an answer: the program ended before" ]
}

@test "the last question's answer is owed, too: after the end of our input" {
  local round
  for round in {1..10}; do # the program's end and that of our input race
    run -1 --separate-stderr timeout --foreground 60 open2 -l true <<<question
    [ "$stderr" = "open2: wait for an answer: the program ended before" ]
  done
  run -1 --separate-stderr timeout --foreground 60 open2 -l --lines 2 cat <<<question
  [ "$output" = question ]
  [ "$stderr" = "open2: wait for an answer: the program ended before" ]
}

@test "no question, no answer" {
  run -0 timeout --foreground 60 open2 -l cat </dev/null
  [ -z "$output" ]
  run -3 timeout --foreground 60 open2 -l sh -c 'cat; exit 3' </dev/null
}

@test "what the program says after our last line arrives to its end" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 -l perl -e '$| = 1; print uc while <STDIN>;
    print "$_\n" for 1 .. 100000' <<<$'a\nb'
  [ "${lines[1]}" = B ]
  [ "${#lines[@]}" -eq 100002 ]
  [ "${lines[100001]}" = 100000 ]
}

@test "a line of 1 MiB goes out and comes back" {
  local way
  { head -c 1048576 /dev/zero | tr '\0' x; echo; echo short; } >questions
  for way in '' --socketpair --pty --pty=both; do
    # shellcheck disable=SC2086 # none, or one
    timeout --foreground 60 open2 -l $way perl -e '$| = 1; print while <STDIN>' <questions >answers
    cmp questions answers
    # shellcheck disable=SC2086
    timeout --foreground 60 open2 -l $way cat <questions >answers
    cmp questions answers
  done
}

@test "a last line without a newline is a question, too" {
  printf 'one\ntwo' >questions
  timeout --foreground 60 open2 -l perl -e "$upper" <questions >answers
  [ "$(od -An -c answers)" = "$(printf 'ONE\nTWO' | od -An -c)" ]
  printf 'one' >questions
  timeout --foreground 60 open2 -l cat <questions >answers
  cmp questions answers
}

@test "empty lines and NUL bytes are bytes of questions and answers" {
  printf '\n\0\n\n\0\0x\n' >questions
  timeout --foreground 60 open2 -l perl -e '$| = 1; print while <STDIN>' <questions >answers
  cmp questions answers
}

@test "stdout that goes away ends the program, and us by SIGPIPE" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c 'yes | open2 -l sh -c "echo \$\$ >pid; exec cat" |
    head -n 3; echo "${PIPESTATUS[1]}"'
  [ "$output" = $'y\ny\ny\n141' ]
  gone "$(cat pid)"
  run -111 timeout --foreground 60 bash -c 'yes | open2 -l cat >/dev/full'
  [ "$output" = "open2: write stdout: No space left on device" ]
}

@test "a shell and a sed answer line by line" {
  run -0 timeout --foreground 60 open2 -l sh <<<$'echo one\nexpr 1 + 1'
  [ "$output" = $'one\n2' ]
  run -0 timeout --foreground 60 open2 -l sed -u 's/^/> /' <<<$'a\nb'
  [ "$output" = $'> a\n> b' ]
}
