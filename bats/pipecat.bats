# pipecat: files, stdin and commands' output as one stream: in order, whole, without a shell, and with an exit status
# that says what failed.

load helper/common
load helper/peers

setup() {
  common_setup
  set -o pipefail
  printf 'one\n' >f1
  printf 'two, no newline' >f2
  printf 'three\n' >f3
  echo 'echo failing; exit 7' >failing
  echo 'kill -TERM $$' >killed
  echo 'kill -KILL $$' >beaten
  echo 'exit 143' >as-if
  echo 'echo "pid $$" >&2; exec perl -e sleep' >pid
  echo 'echo said; read -r line <go; echo "$line"' >conversation
  # ends some time after its output has
  echo 'echo slow; exec >&-; perl -e "select undef, undef, undef, .3"; echo yes >ended' >slow
}

teardown() {
  common_teardown
}

# cat_all WORDS...: (timeout: on that the test fails, which would wait for ever)
cat_all() {
  timeout --foreground 100 pipecat "$@"
}

# ---- order ----

@test "files, stdin and commands come in the order of the words" {
  printf 'stdin\n' >in
  run -0 --separate-stderr cat_all f1 'echo cmd1 |' - f2 'printf 1\n2\n|' f3 <in
  [ "$output" = $'one\ncmd1\nstdin\ntwo, no newline1\n2\nthree' ]
  [ -z "$stderr" ]
}

@test "the same bytes as perl's magic ARGV" {
  random_bytes 300000 >f1
  random_bytes 99999 >f2
  random_bytes 70000 >in
  perl -pe1 f1 'head -c 5000 /dev/zero|' - f2 'seq 20000|' f3 <in >expected
  cat_all f1 'head -c 5000 /dev/zero|' - f2 'seq 20000|' f3 <in >got
  cmp expected got
  # shellcheck disable=SC2002 # a pipe it is to be
  cat in | cat_all f1 'head -c 5000 /dev/zero|' - f2 'seq 20000|' f3 | cmp expected -
}

@test "no word at all is stdin, as is -; a second - finds its end" {
  [ "$(cat_all <f1)" = one ]
  [ "$(cat_all -- <f1)" = one ]
  # shellcheck disable=SC2002 # a pipe it is to be
  [ "$(cat f1 | cat_all - -)" = one ]
  [ "$(cat_all - f3 - <f1)" = $'one\nthree' ]
}

@test "stdin is taken from where it stands, a command has it, too" {
  printf 'first\nsecond\nthird\n' >in
  run -0 sh -c '{ dd bs=6 count=1 of=/dev/null 2>/dev/null; pipecat "dd bs=7 count=1 status=none |" f1 -; } <in'
  [ "$output" = $'second\none\nthird' ]
}

@test "the next command is not run before the last one has ended" {
  run -0 cat_all 'sh slow |' 'cat ended |' f1
  [ "$output" = $'slow\nyes\none' ]
}

# ---- names and words ----

@test "a name is a name: leading > and <, blanks before, within and behind it, all of its bytes" {
  local name
  for name in '>file' '<file' '>>file' ' in front' 'behind ' 'in the middle' '|file' 'a|b' '&1' $'new\nline' '*' \
    '$HOME'; do
    echo "this is $name" >"$name"
    [ "$(cat_all "$name")" = "this is $name" ]
  done
  echo dash >-dash
  [ "$(cat_all -- -dash)" = dash ]
  [ "$(cat_all ./-dash)" = dash ]
}

@test "-n: every word is a name, but for -" {
  echo pipe >'echo no |'
  [ "$(cat_all -n 'echo no |' f1)" = $'pipe\none' ]
  [ "$(cat_all --names - 'echo no |' <f1)" = $'one\npipe' ]
  run -111 cat_all -n 'echo nothing |'
  [ "$output" = "pipecat: open echo nothing |: No such file or directory" ]
}

@test "a command's words are split at blanks, and nothing is special in them" {
  script words 'printf "<%s>\n" "$@"'
  run -0 cat_all $' ./words  a\tb\n c  |'
  [ "$output" = $'<a>\n<b>\n<c>' ]
  run -0 cat_all './words $HOME * ; > "x y" '\''z'\'' \ `id` $(id) & | # ~ a||'
  [ "$output" = $'<$HOME>\n<*>\n<;>\n<>>\n<"x>\n<y">\n<\'z\'>\n<\\>\n<`id`>\n<$(id)>\n<&>\n<|>\n<#>\n<~>\n<a|>' ]
  run -0 cat_all './words|'
  [ "$output" = '<>' ]
}

@test "--shell: commands are run by sh" {
  export WORD='some  blanks'
  run -0 cat_all --shell 'echo "$WORD"; echo $((20 + 22)) | cat; cat <f1 |' f3
  [ "$output" = $'some  blanks\n42\none\nthree' ]
  run -5 --separate-stderr cat_all --shell 'echo a; exit 5 |' f1
  [ "$output" = $'a\none' ]
  [ "$stderr" = "pipecat: run echo a; exit 5 |: exit 5" ]
}

# ---- what fails ----

# fails STATUS MESSAGE WORDS...: between f1 and f3 something fails; that is said, and the rest is read.
fails() {
  local status_wanted=$1 message=$2
  shift 2
  run -"$status_wanted" --separate-stderr cat_all f1 "$@" f3
  [ "${lines[0]}" = one ]
  [ "${lines[-1]}" = three ]
  [ "$stderr" = "pipecat: $message" ]
}

@test "a part that fails is said, the rest is read, and the exit status is that of the failure" {
  fails 111 'open missing: No such file or directory' missing
  fails 111 'open : No such file or directory' ''
  fails 111 'open f2/below: Not a directory' f2/below
  fails 111 'read bin: Is a directory' bin
  fails 127 'no-such-command: command not found' 'no-such-command x |'
  fails 127 './missing: No such file or directory' './missing|'
  : >plain
  fails 126 './plain: Permission denied' './plain |'
  fails 1 'run false |: exit 1' 'false |'
  fails 7 'run sh failing |: exit 7' 'sh failing |'
  fails 143 'run sh killed |: signal 15' 'sh killed |'
  fails 137 'run sh beaten |: signal 9' 'sh beaten |'
  fails 143 'run sh as-if |: exit 143' 'sh as-if |'
}

@test "a file that may not be read" {
  if [ "$(id -u)" -eq 0 ]; then
    need setpriv util-linux
    setpriv --bounding-set -all --inh-caps -all true || skip "needs setpriv"
    script bin/weak 'exec setpriv --bounding-set -all --inh-caps -all pipecat "$@"'
  else
    script bin/weak 'exec pipecat "$@"'
  fi
  chmod 0 f2
  run -111 --separate-stderr weak f1 f2 f3
  [ "$output" = $'one\nthree' ]
  [ "$stderr" = "pipecat: open f2: Permission denied" ]
}

@test "the exit status is that of the last failure; all are said" {
  run -127 --separate-stderr cat_all missing 'false |' f1 'no-such-command |' f3
  [ "$output" = $'one\nthree' ]
  [ "${#stderr_lines[@]}" -eq 3 ]
  run -1 --separate-stderr cat_all 'no-such-command |' missing 'false|' f1
  [ "$output" = one ]
}

@test "what a failing command has said is in the stream" {
  run -7 --separate-stderr cat_all 'sh failing |'
  [ "$output" = failing ]
}

@test "a closed stdin is a failure where it is read, and nowhere else" {
  run -111 --separate-stderr bash -c 'exec pipecat f1 - f3 <&-'
  [ "$output" = $'one\nthree' ]
  [ "$stderr" = "pipecat: read stdin: Bad file descriptor" ]
  run -0 --separate-stderr bash -c 'exec pipecat f1 "echo cmd |" f3 <&-'
  [ "$output" = $'one\ncmd\nthree' ]
}

@test "what is the output, too, is not read, by any name" {
  ln f1 hard
  ln -s f1 soft
  local name
  for name in f1 ./f1 hard soft; do
    run -111 --separate-stderr bash -c 'exec timeout 60 pipecat f3 "$0" f3 >>f1' "$name"
    [ "$stderr" = "pipecat: read $name: it is the output, too" ]
  done
  run -111 --separate-stderr bash -c 'exec timeout 60 pipecat - <f1 >>f1'
  [ "$stderr" = "pipecat: read stdin: it is the output, too" ]
  [ "$(sort f1 | uniq -c | sed 's/ *//')" = $'1 one\n8 three' ]
  # /dev/null is no file that grows
  run -0 bash -c 'exec timeout 60 pipecat - </dev/null >/dev/null'
}

@test "stdout full or closed" {
  local word
  for word in f1 - 'yes |'; do
    run -111 bash -c 'exec timeout --foreground 60 pipecat "$0" f3 <f3 >/dev/full' "$word"
    [ "$output" = "pipecat: write stdout: No space left on device" ]
  done
  run -111 bash -c 'exec pipecat f1 >&-'
  [ "$output" = "pipecat: write stdout: Bad file descriptor" ]
}

@test "a reader that has gone ends it by SIGPIPE, and its command" {
  run -0 timeout --foreground 60 bash -c 'pipecat "yes |" f1 | head -n 1; echo "${PIPESTATUS[0]}"'
  [ "$output" = $'y\n141' ]
  run -0 timeout --foreground 60 bash -c 'pipecat /dev/zero | head -c 1 >/dev/null; echo "${PIPESTATUS[0]}"'
  [ "$output" = 141 ]
  # where SIGPIPE is ignored: an error
  run -0 timeout --foreground 60 bash -c 'trap "" PIPE; pipecat "yes |" 2>err | head -n 1; echo "${PIPESTATUS[0]}"'
  [ "$output" = $'y\n111' ]
  grep -qx 'pipecat: write stdout: Broken pipe' err
}

@test "TERM and INT end it and its command" {
  local signal
  for signal in TERM:143 INT:130; do
    background cat pipecat f1 'sh pid |' f3
    until_line cat.err '^pid'
    kill -"${signal%:*}" "$cat"
    ends_with "${signal#*:}" "$cat"
    until_true gone "$(sed -n 's/^pid //p' cat.err)"
    [ "$(cat cat.out)" = one ]
    # while it waits for stdin
    mkfifo "silent.$signal"
    exec 5<>"silent.$signal"
    background cat bash -c 'exec pipecat f1 - <&5'
    until_line cat.out one
    until_true asleep "$cat" pipecat
    kill -"${signal%:*}" "$cat"
    ends_with "${signal#*:}" "$cat"
    # while it waits for a FIFO's writer
    background cat pipecat f1 "silent.$signal"
    until_line cat.out one
    kill -"${signal%:*}" "$cat"
    ends_with "${signal#*:}" "$cat"
    exec 5<&-
  done
}

@test "a FIFO, an empty file, files of /proc and /dev" {
  mkfifo fifo
  : >empty
  background writer bash -c 'exec 6>fifo; echo from the fifo >&6'
  run -0 cat_all f1 empty fifo
  [ "$output" = $'one\nfrom the fifo' ]
  ends_with 0 "$writer"
  cat_all /proc/self/mounts /dev/null | cmp - <(cat /proc/self/mounts)
  [ "$(cat_all 'true |' empty | wc -c)" -eq 0 ]
  [ "$(cat_all /dev/fd/5 5<f3)" = three ]
}

# ---- how much, and how ----

# bats test_tags=long
@test "100 MiB, from file to file, to a pipe, from a command, appended" {
  "$HELPERS/stream" word 100 >file
  local sum
  sum=$(sha256sum <file)
  cat_all file >out
  cmp file out
  rm out
  [ "$(cat_all file | sha256sum)" = "$sum" ]
  cat_all 'cat file |' >out
  cmp file out
  cat_all 'cat file |' | cmp file -
  echo before >out
  cat_all file >>out
  { echo before; cat file; } | cmp - out
  rm out
  # shellcheck disable=SC2002 # a pipe it is to be
  cat file | cat_all | cmp file -
}

@test "file to pipe, file to file, command to pipe: nothing is copied through the process" {
  need strace strace
  random_bytes 3000001 >file
  # its own reads are those of the program's start
  local calls=read,write,splice,sendfile,pread64,readv,writev
  strace -qq -o trace -e trace=$calls -e signal=none pipecat file | cmp file -
  grep -q '^splice(' trace
  run ! grep -q '^write' trace
  strace -qq -o trace -e trace=$calls -e signal=none pipecat file >out
  cmp file out
  grep -q '^sendfile(' trace
  run ! grep -q '^write' trace
  strace -qq -o trace -e trace=$calls -e signal=none pipecat 'cat file |' | cmp file -
  grep -q '^splice(' trace
  run ! grep -q '^write' trace
}

@test "a command that says nothing more does not hold up what it has said" {
  mkfifo go
  background cat pipecat 'sh conversation |' f1
  until_line cat.out said
  [ "$(cat cat.out)" = said ]
  echo on >go
  ends_with 0 "$cat"
  [ "$(cat cat.out)" = $'said\non\none' ]
}

@test "a command has no fd but 0 to 2 and those that we were given; SIGPIPE is at its default" {
  printf '#!%s\n%s' "$(command -v perl)" 'print "$_ " for grep { -e "/proc/self/fd/$_" } 0 .. 9;
    open my $f, "<", "/proc/self/status"; /SigIgn:\s*(\w+)/ and print hex($1) >> 12 & 1 for <$f>' >fds
  chmod +x fds
  run -0 bash -c 'trap "" PIPE; exec 5<f1 3>&- 4>&-; exec pipecat f1 "./fds |"'
  [ "$output" = $'one\n0 1 2 5 0' ]
}

@test "wrong calls" {
  wrong_call pipecat --nonsense f1
  wrong_call pipecat -x
  wrong_call pipecat --name f1
  wrong_call pipecat f1 '|'
  wrong_call pipecat f1 $' \t |' f3
  wrong_call pipecat --shell '  |'
}
