# open3: open2 with stderr apart, for a CLIENT on fd 8, and --tag. What both do is in open2*.bats.

load helper/coproc

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# tagged PROG...: what open3 --tag makes of it, in the file tagged; the streams again in again.out and again.err.
tagged() {
  timeout --foreground 100 open3 --tag "$@" </dev/null >tagged
  untag again <tagged
}

@test "CLIENT reads SERVER's stderr from fd 8, its stdout from 6, and writes to it on 7" {
  run -0 --separate-stderr timeout --foreground 60 open3 sh -c 'cat; echo error >&2' ::: \
    sh -c 'echo hello >&7; exec 7>&-; sed "s/^/6 /" <&6; sed "s/^/8 /" <&8; echo mine >&2'
  [ "$output" = $'6 hello\n8 error' ]
  [ "$stderr" = mine ]
}

@test "-x crosses stdin and stdout, stderr stays on fd 8" {
  run -0 --separate-stderr timeout --foreground 60 open3 -x sh -c 'echo error >&2; cat >got' ::: \
    sh -c 'echo hello; exec >&-; cat <&8 >&2'
  [ "$(cat got)" = hello ]
  [ "$stderr" = error ]
}

@test "neither program gets other fds of ours than it is promised" {
  own_fds_only open3 6 7 8
}

@test "stderr is a pipe of its own also beside a terminal or a socket" {
  local way
  for way in --pty --pty=both --socketpair; do
    run -0 timeout --foreground 60 open3 "$way" sh -c 'stat -L -c %F /proc/self/fd/2 >&2' ::: sh -c 'cat <&8'
    [ "$output" = fifo ]
  done
}

@test "10 MiB at once on all three streams, with a CLIENT" {
  local way
  random_bytes 10485760 >data
  for way in '' --socketpair --pty; do
    # shellcheck disable=SC2086 # none, or one
    run -0 timeout --foreground 100 open3 $way tee /dev/stderr ::: three-streams data
    [ "$output" = $'6 same\n8 same' ]
  done
}

@test "10 MiB at once on all three streams, with one program, to files and to pipes" {
  local way
  random_bytes 10485760 >data
  for way in '' --socketpair --pty; do
    # shellcheck disable=SC2086 # none, or one
    timeout --foreground 60 open3 $way tee /dev/stderr <data >out 2>err
    cmp data out
    cmp data err
    # shellcheck disable=SC2002,SC2086 # a pipe, not the file, is wanted
    { cat data | timeout --foreground 60 open3 $way tee /dev/stderr 2>&8 | cmp data - >&9; } 8>&1 9>different |
      cmp data -
    [ ! -s different ]
  done
}

@test "one stream that nobody reads does not stop the others for good" {
  # stderr is read only when stdout has ended
  mkfifo err
  exec 9<>err
  run -0 timeout --foreground 60 bash -c 'open3 sh -c "seq 1000 >&2; seq 100000" </dev/null 2>err | cksum'
  [ "$output" = "$(seq 100000 | cksum)" ]
  [ "$(head -n 1000 <&9 | cksum)" = "$(seq 1000 | cksum)" ]
}

@test "the reader of our stderr has gone: the program's stdout still arrives" {
  run -0 timeout --foreground 60 bash -c '{ open3 sh -c "trap \"\" PIPE; seq 100000 >&2; echo done" \
    </dev/null 2>&1 >&3 | head -n 1; } 3>&1'
  [[ $output == *done* ]]
}

@test "the status is the program's, and of the signal that killed it we die, too" {
  run -7 --separate-stderr timeout --foreground 60 open3 sh -c 'echo error >&2; exit 7' </dev/null
  [ "$stderr" = error ]
  [ -z "$output" ]
  # shellcheck disable=SC2016
  run -0 how-it-ends open3 --tag sh -c 'kill -TERM $$' </dev/null
  [ "$output" = "exit 0 signal 15" ]
  run -3 timeout --foreground 60 open3 sh -c 'exit 3' ::: true
  run -4 timeout --foreground 60 open3 sh -c 'exit 3' ::: sh -c 'exit 4'
}

@test "-l: answers on stdout, and stderr as it comes" {
  # shellcheck disable=SC2016
  run -0 --separate-stderr timeout --foreground 60 open3 -l \
    bash -c 'while read -r line; do echo note >&2; echo "${line^^}"; done' <<<$'a\nb'
  [ "$output" = $'A\nB' ]
  [ "$stderr" = $'note\nnote' ]
}

@test "--tag: each line with its time and where it came from" {
  tagged sh -c 'echo one; echo two >&2; printf "\n"'
  run cut -d ' ' -f 2- tagged
  [ "$(sort tagged | cut -d ' ' -f 2- | sort)" = $'err: two\nout: \nout: one' ]
  local now time
  now=$(date +%s)
  # shellcheck disable=SC2013 # words
  for time in $(cut -d ' ' -f 1 tagged); do
    time=$(date -d "$time" +%s)
    ((now - 120 <= time && time <= now))
  done
}

@test "-l: the message at the deadline is open2's" {
  mkfifo open
  exec 9<>open
  echo question >&9
  run -124 timeout --foreground 60 open3 -l -t 0.3 tr a b <open
  [[ $output == "open3: no answer from tr within 0.3 s; "*" --pty" ]]
}

@test "--tag: the order within each stream is kept" {
  tagged bash -c 'for ((n = 1; n <= 20000; n++)); do echo "out $n"; echo "err $n" >&2; done'
  [ "$(cksum <again.out)" = "$(seq -f 'out %.0f' 20000 | cksum)" ]
  [ "$(cksum <again.err)" = "$(seq -f 'err %.0f' 20000 | cksum)" ]
}

@test "--tag: two writers at once, and in pieces, never share a line" {
  # shellcheck disable=SC2016
  script pieces 'for ((n = 1; n <= 3000; n++)); do
    printf -v more "%*s" $((n % 50)) ""
    text="$1 $n ${more// /$1}"$'"'\\n'"'
    while [ -n "$text" ]; do printf %s "${text:0:1 + n % 17}"; text=${text:1 + n % 17}; done
  done'
  tagged sh -c './pieces err >&2 & ./pieces out; wait'
  ./pieces out >expected.out
  ./pieces err >expected.err
  cmp expected.out again.out
  cmp expected.err again.err
  [ "$(grep -cE '^[^ ]+ (out|err): (out|err) [0-9]+ [a-z]*$' tagged)" -eq 6000 ]
}

@test "--tag: a last line without a newline has a + and stays one" {
  tagged sh -c 'printf "a\nhalf"; printf "b\nrest" >&2'
  run -0 grep -cE '^[^ ]+ (out\+ half|err\+ rest)$' tagged
  [ "$output" -eq 2 ]
  [ "$(od -An -c again.out)" = "$(printf 'a\nhalf' | od -An -c)" ]
  [ "$(od -An -c again.err)" = "$(printf 'b\nrest' | od -An -c)" ]
}

@test "--tag: lines over 64 KiB come in pieces that join to the original" {
  # shellcheck disable=SC2016
  script long 'for n in 1 {65534..65538} 70000 {131070..131074} 0 262144 1000000 200000; do
    yes "$1" | tr -d "\n" | head -c $n
    echo
  done
  yes tail | tr -d "\n" | head -c 120000'
  tagged sh -c './long x >&2 & ./long yz; wait'
  ./long yz | cmp - again.out
  ./long x | cmp - again.err
  # no line of the output is longer than a piece and its head
  [ "$(wc -L <tagged)" -le $((65536 + 64)) ]
  run -0 grep -cE '^[^ ]+ err\+ x' tagged
}

@test "--tag: any bytes at all, the streams can be had back byte for byte" {
  { all_bytes && printf '\0\n\0\n\n2026-01-01T00:00:00.000000Z err: not mine\n\r\n\033[31m'; } >beginning
  { cat beginning && random_bytes 3000000; } >one
  { random_bytes 3000000 && cat beginning; } >two
  tagged sh -c 'cat two >&2 & cat one; wait'
  cmp one again.out
  cmp two again.err
}

@test "--tag: lines leave when they are whole, not at the end" {
  mkfifo open
  exec 9<>open
  background relay open3 --tag actor put 'one\n' err 'two\n' put 'three ' sleep
  until_line relay.out 'out: one$'
  until_line relay.out 'err: two$'
  run -1 grep three relay.out
  finish "$relay"
  [ "$status" -eq 143 ]
  run -0 grep -cE '^[^ ]+ out\+ three $' relay.out
}

@test "--tag: a full disk is 111, a reader that leaves SIGPIPE" {
  run -111 timeout --foreground 60 bash -c 'open3 --tag seq 100000 </dev/null >/dev/full'
  [ "$output" = "open3: write stdout: No space left on device" ]
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c 'open3 --tag sh -c "echo \$\$ >pid; exec yes >&2" </dev/null | head -n 1
    echo "${PIPESTATUS[0]}"'
  [[ ${lines[0]} == *" err: y" ]]
  [ "${lines[1]}" = 141 ]
  gone "$(cat pid)"
}

@test "--tag and --pty: lines come when they are written, with no CR" {
  timeout --foreground 60 open3 --tag --pty seq 3 </dev/null >tagged
  run cut -d ' ' -f 2- tagged
  [ "$output" = $'out: 1\nout: 2\nout: 3' ]
}

@test "every usage error of open3's own is reported" {
  wrong_call open3
  wrong_call open3 --tag
  wrong_call open3 --tag cat ::: cat
  wrong_call open3 --tag -l cat
  wrong_call open3 --tag --lock-step --until x cat
  wrong_call open3 --tag=x cat
  wrong_call open3 --tag -x cat
  wrong_call open3 --ta cat
  wrong_call open3 --pty --socketpair cat
  wrong_call open3 cat ::: cat ::: cat
  wrong_call open3 -l cat ::: cat
}

@test "started with fds 0 to 2 closed, CLIENT still has its three" {
  # shellcheck disable=SC2016
  run -4 timeout --foreground 60 sh -c 'exec open3 tee /proc/self/fd/2 ::: sh -c "$1" <&- >&- 2>&-' '' \
    'echo hello >&7; exec 7>&-; cat <&6 >heard; cat <&8 >>heard; exit 4'
  [ "$(cat heard)" = $'hello\nhello' ]
}

@test "perl's IPC::Open3 drives open3, and all three streams are separate" {
  need_perl IPC::Open3 Symbol
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 perl -MIPC::Open3 -MSymbol=gensym -e '
    my $pid = open3(my $to, my $from, my $errors = gensym, qw(open3 perl -e), "\$| = 1; while (<STDIN>) { print uc;
      print STDERR lc }");
    $to->autoflush(1);
    for (1 .. 100) { print {$to} "Line $_\n"; my ($back, $error) = (scalar <$from>, scalar <$errors>);
      $back eq "LINE $_\n" && $error eq "line $_\n" or die "got $back and $error" }
    close $to; die "more" if defined <$from> || defined <$errors>; waitpid $pid, 0; print "status $?\n"'
  [ "$output" = "status 0" ]
}
