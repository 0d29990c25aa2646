# msgrecv: a message that can't be delivered goes back to the queue's end, or to stderr, and msgrecv ends with an error.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# two: in the queue are "hello" of type 7 and, behind it, "next" of type 8.
two() {
  new_queue
  msgsend -y 7 "$key" hello
  msgsend -y 8 "$key" next
}

# is_back: "hello" is behind "next" now, and that is all there is. Removes the queue.
is_back() {
  run -0 queue "$key" recv 0 2
  [ "$output" = $'8:next\n7:hello' ]
  msgdemo rm "$key"
}

# is_untouched: they are as they were.
is_untouched() {
  run -0 queue "$key" recv 0 2
  [ "$output" = $'7:hello\n8:next' ]
  msgdemo rm "$key"
}

# says_back ERRORS: it said so first.
says_back() {
  [ "$(head -n 1 <<<"$1")" = "msgrecv: put back $key: a message of type 7 is at the end of the queue again" ]
}

# says_why_and_back ERRORS HOW: what it says of PROG.
says_why_and_back() {
  [[ $1 =~ ^"msgrecv: run "[a-z./]+": it $2"$'\n'"msgrecv: put back $key: a message of type 7 is at the end of the queue again"$ ]]
}

# says_lost ERRORS TEXT: the message was printed.
says_lost() {
  [[ $1 =~ ^"msgrecv: put back $key: "(Resource temporarily unavailable|Invalid argument|Identifier removed)": a message of type 7: "(.*)$ ]]
  [ "${BASH_REMATCH[2]}" = "$2" ]
}

@test "stdout is closed" {
  local options
  for options in '' --follow --json -0 '-t 5'; do
    two
    # shellcheck disable=SC2016
    run -111 bash -c 'msgrecv '"$options"' "$1" >&-' '' "$key"
    says_back "$output"
    [ "${lines[1]}" = "msgrecv: write stdout: Bad file descriptor" ]
    is_back
  done
}

@test "stdout is full: /dev/full, or a file's limit" {
  two
  run -111 bash -c 'msgrecv --follow "$1" >/dev/full' '' "$key"
  says_back "$output"
  [ "${lines[1]}" = "msgrecv: write stdout: No space left on device" ]
  is_back
  two
  run -111 bash -c 'ulimit -f 0; msgrecv --follow "$1" 2>&1 >file | cat; exit "${PIPESTATUS[0]}"' '' "$key"
  says_back "$output"
  [ "${lines[1]}" = "msgrecv: write stdout: File too large" ]
  is_back
}

@test "-q says only why" {
  two
  run -111 bash -c 'msgrecv -q "$1" >/dev/full' '' "$key"
  [ "$output" = "msgrecv: write stdout: No space left on device" ]
  is_back
}

@test "a pipe whose reader has gone: nothing is taken" {
  local options reader
  mkfifo pipe
  for options in '' --follow '-t 50' '-t 0'; do
    two
    # the reader goes before msgrecv starts
    run -141 timeout --foreground 60 bash -c 'exec 5<>pipe 6>pipe 5>&-; exec msgrecv '"$options"' "$1" >&6' '' "$key"
    [ -z "$output" ]
    is_untouched
  done
}

@test "a pipe whose reader goes while msgrecv waits: it does not wait on" {
  local receiver hole
  new_queue
  mkfifo pipe
  exec {hole}<>pipe
  background receiver bash -c 'exec "$@" >pipe '"$hole>&-" '' msgrecv --follow "$key"
  until_true asleep "$receiver" msgrecv
  msgsend "$key" one
  read -r line <&"$hole"
  [ "$line" = one ]
  exec {hole}>&-
  ends_with 141 "$receiver"
  msgsend -y 7 "$key" hello
  msgsend -y 8 "$key" next
  is_untouched
}

# blocked: msgrecv --follow, $receiver, has taken "hello" and can't write it: its stdout is a full pipe, $hole its reader.
blocked() {
  two
  rm -f pipe
  mkfifo pipe
  exec {hole}<>pipe
  fill "$hole"
  background receiver bash -c 'exec "$@" >pipe '"$hole>&-" '' msgrecv --follow "$key"
  until_true has_messages 1 "$key"
  until_true asleep "$receiver" msgrecv
}

@test "a pipe whose reader goes when the message has been taken" {
  local receiver hole
  blocked
  exec {hole}>&-
  ends_with 111 "$receiver"
  says_back "$(cat receiver.err)"
  [ "$(tail -n +2 receiver.err)" = "msgrecv: write stdout: Broken pipe" ]
  is_back
}

@test "a signal while the output waits for a full pipe" {
  local receiver hole signal
  for signal in TERM HUP INT USR1; do
    blocked
    kill "-$signal" "$receiver"
    ends_with "$((128 + $(kill -l "$signal")))" "$receiver"
    says_back "$(cat receiver.err)"
    [ "$(wc -l <receiver.err)" -eq 1 ]
    is_back
    exec {hole}>&-
  done
}

@test "a full pipe that is read on gets all" {
  local receiver hole
  blocked
  cat <pipe >got 3>&- &
  started+=("$!")
  until_true grep -q next got
  finish "$receiver"
  [ "$status" -eq 143 ]
  exec {hole}>&-
  [ "$(sed 's/^x*//' got)" = $'hello\nnext' ]
  has_messages 0 "$key"
  msgdemo rm "$key"
}

@test "PROG fails: its status is ours" {
  local code
  for code in 1 2 100 111 124 126 127 255; do
    two
    run "-$code" timeout --foreground 60 msgrecv --follow "$key" sh -c "cat >/dev/null; exit $code"
    says_why_and_back "$output" "exited with status $code"
    is_back
  done
}

@test "PROG is killed: we end by the same signal" {
  local signal
  for signal in KILL TERM SEGV PIPE USR1; do
    two
    run "-$((128 + $(kill -l "$signal")))" timeout --foreground 60 msgrecv --follow "$key" sh -c "ulimit -c 0; kill -$signal \$\$"
    says_why_and_back "$output" "was killed by SIG$signal"
    is_back
  done
}

@test "PROG is ended by our TERM" {
  local receiver
  two
  script prog 'echo runs; exec sleep infinity'
  background receiver msgrecv --follow "$key" ./prog
  until_line receiver.out runs
  finish "$receiver"
  [ "$status" -eq 143 ]
  says_why_and_back "$(cat receiver.err)" "was killed by SIGTERM"
  is_back
}

@test "PROG can't be executed" {
  two
  printf '#!/nothing/at/all\n' >prog
  chmod +x prog
  run -127 msgrecv --follow "$key" ./prog
  [[ ${lines[0]} == "msgrecv: exec ./prog: "* ]]
  says_back "${lines[1]}"
  is_back
  two
  printf '\177ELF\0 not a program' >prog
  run -126 msgrecv --follow "$key" ./prog
  [ "${lines[0]}" = "msgrecv: exec ./prog: Exec format error" ]
  says_back "${lines[1]}"
  is_back
}

@test "PROG's stdin can't be made" {
  need strace strace
  two
  run -111 bash -c 'ulimit -f 0; msgrecv --follow "$1" cat 2>&1 | cat; exit "${PIPESTATUS[0]}"' '' "$key"
  says_back "$output"
  [[ ${lines[1]} == "msgrecv: "*": File too large" ]]
  is_back
  two
  run -111 strace -qq -o trace -e trace=memfd_create -e inject=memfd_create:error=ENFILE msgrecv --follow "$key" cat
  says_back "$output"
  [ "${lines[1]}" = "msgrecv: memfd_create: Too many open files in system" ]
  is_back
}

@test "there can be no more processes" {
  need_other_user
  need prlimit util-linux
  new_queue -m 0666
  msgsend -y 7 "$key" hello
  msgsend -y 8 "$key" next
  # a user of that number has no other processes
  run -111 prlimit --nproc=1 setpriv --reuid 61184 --regid 61184 --clear-groups \
    bash -c 'exec -a msgrecv /proc/self/fd/9 "$@"' '' --follow "$key" cat 9<"$IPCBOX"
  says_back "$output"
  [[ ${lines[1]} == "msgrecv: fork"*": Resource temporarily unavailable" ]]
  is_back
}

# bats test_tags=long
@test "the queue is full meanwhile: the message is on stderr, escaped, in one write" {
  need strace strace
  # shellcheck disable=SC2016
  script prog 'while msgsend -q -t 0 "$1" "$(printf "x%.0s" {1..1000})"; do :; done
    while msgsend -q -t 0 "$1" x; do :; done; exit 3'
  new_queue
  printf 'a\nb\t\\ \0\033[1m \xff\x9b \xc3\xa4' | msgsend --raw -y 7 "$key"
  run -3 strace -qq -o trace -s 100000 -e trace=write,pwritev2 -e signal=none msgrecv --follow "$key" ./prog "$key"
  [ "${lines[0]}" = "msgrecv: run ./prog: it exited with status 3" ]
  says_lost "${lines[1]}" 'a\nb\t\\ \x00\x1b[1m \xff\x9b ä'
  [ "$(grep -cE '^p?write[v2]*\(2, .*"msgrecv: put.* = [0-9]' trace)" -eq 1 ]
  [ "$(grep -cE '^p?write[v2]*\(2,.* = [0-9]' trace)" -eq 2 ]
  msgdemo -q rm "$key"
  # the longest
  new_queue
  head -c 8192 /dev/zero | msgsend --raw -y 7 "$key"
  run -3 strace -qq -o trace -s 10 -e trace=write,pwritev2 -e signal=none msgrecv -q "$key" ./prog "$key"
  [ "$(grep -o '\\x00' <<<"$output" | wc -l)" -eq 8192 ]
  [ "$(grep -cE '^p?write[v2]*\(2,.* = [0-9]' trace)" -eq 1 ]
  msgdemo -q rm "$key"
  # one of nothing
  new_queue
  msgsend -y 7 "$key" ''
  run -111 bash -c 'msgrecv "$1" >/dev/full' '' "$key"
  says_back "$output"
  msgdemo -q rm "$key"
}

@test "the queue is removed meanwhile: the message is on stderr" {
  local receiver hole
  new_queue
  msgsend -y 7 "$key" hello
  run -3 msgrecv --follow "$key" sh -c 'msgdemo rm "$1"; exit 3' '' "$key"
  says_lost "${lines[1]}" hello
  blocked
  msgdemo -q rm "$key"
  finish "$receiver"
  [ "$status" -eq 143 ]
  says_lost "$(cat receiver.err)" hello
  exec {hole}>&-
}

@test "who waits for the queue gets what was put back" {
  local waiter
  two
  background waiter msgrecv --follow -t 30 "$key" sh -c 'cat >>got; echo >>got'
  until_true has_messages 0 "$key"
  msgsend -y 7 "$key" again
  until_true grep -qs again got
  finish "$waiter"
  [ "$(sort got)" = $'again\nhello\nnext' ]
  msgdemo rm "$key"
}
