# safepipe: what is looked up and opened before anything runs, who runs it, and every wrong call. Statuses are in
# safepipe-status.bats, signals, deadlines and what stages inherit in safepipe-life.bats.

load helper/common
load helper/peers

setup() {
  common_setup
  # a try that was found and then fails
  printf '#!/nowhere/interpreter\n' >no-interpreter
  printf '#!%s\n' "$PWD/plain" >bad-interpreter
  printf '\177ELF\0\ntouch owned\n' >no-script
  touch plain
  chmod +x no-interpreter bad-interpreter no-script
}

teardown() {
  common_teardown
}

# pipe_of COUNT PROG...: PROG, COUNT times, as the words of one pipeline in ${stages[@]}
pipe_of() {
  local count=$1 n
  shift
  stages=("$@")
  for ((n = 1; n < count; n++)); do
    stages+=(::: "$@")
  done
}

# told STAGE FIELD: its value in the file `told`, where --status-fd wrote
told() {
  grep "^stage=$1 " told | tr ' ' '\n' | sed -n "s/^$2=//p"
}

@test "each program reads what the one before it writes" {
  run -0 safepipe printf '%s\n' b c a ::: sort ::: tr a-z A-Z
  [ "$output" = $'A\nB\nC' ]
}

@test "one program alone reads stdin and writes to stdout" {
  run -0 safepipe tr a-z A-Z <<<hello
  [ "$output" = HELLO ]
}

@test "10 MiB through 5 programs arrive as they were" {
  random_bytes 10485760 >data
  pipe_of 5 cat
  run -0 timeout --foreground 60 safepipe -i data "${stages[@]}" ::: sha256sum
  [ "$output" = "$(sha256sum <data)" ]
}

@test "2 and 500 programs run, 501 are a usage error" {
  pipe_of 2 cat
  run -0 timeout --foreground 60 safepipe "${stages[@]}" <<<hello
  [ "$output" = hello ]
  pipe_of 500 cat
  run -0 timeout --foreground 100 safepipe "${stages[@]}" <<<hello
  [ "$output" = hello ]
  pipe_of 501 touch ran
  wrong_call safepipe "${stages[@]}"
  [[ ${stderr_lines[0]} == *501*500* ]]
  [ ! -e ran ]
}

@test "--sep: another word between the programs, which may then hold :::" {
  run -0 safepipe --sep=-- echo ::: x -- tr x y
  [ "$output" = "::: y" ]
  run -0 safepipe --sep '|' echo hello '|' tr a-z A-Z
  [ "$output" = HELLO ]
  run -0 safepipe --sep=x --sep=+ echo x + cat
  [ "$output" = x ]
}

@test "a program's own options are its own" {
  run -0 safepipe -- echo -t 0 --help ::: cat -- -
  [ "$output" = "-t 0 --help" ]
  run -0 safepipe printf %s, -i x ::: cat -u
  [ "$output" = "-i,x," ]
}

@test "a program that is missing: 127, it is named, nothing has run and nothing was opened" {
  echo kept >out
  local words
  for words in "./nothing ::: touch ran ::: touch ran" "touch ran ::: ./nothing ::: touch ran" \
    "touch ran ::: touch ran ::: ./nothing" "touch ran ::: nothing-of-that-name ::: ./nothing"; do
    # shellcheck disable=SC2086 # words
    run -127 timeout --foreground 60 safepipe -o out $words
    [[ $output =~ ^"safepipe: "(\./nothing" (stage "[012]"): No such file or directory"|nothing-of-that-name" (stage "[012]"): command not found")$ ]]
    [ ! -e ran ]
    [ "$(cat out)" = kept ]
  done
  run -127 timeout --foreground 60 safepipe touch ran ::: ./nothing
  [ "$output" = "safepipe: ./nothing (stage 1): No such file or directory" ]
  run -127 timeout --foreground 60 safepipe -o new touch ran ::: ''
  run -127 timeout --foreground 60 safepipe -o new touch ran ::: plain/x
  [ ! -e ran ]
  [ ! -e new ]
}

@test "a program that can't be run: 126, it is named, nothing has run and nothing was opened" {
  echo kept >out
  mkdir directory
  local name
  for name in ./plain ./directory; do
    run -126 timeout --foreground 60 safepipe -o out touch ran ::: touch ran ::: "$name"
    [ "$output" = "safepipe: $name (stage 2): Permission denied" ]
    [ ! -e ran ]
    [ "$(cat out)" = kept ]
  done
  cp plain bin/unrunnable
  run -126 timeout --foreground 60 safepipe unrunnable
  [ "$output" = "safepipe: unrunnable: Permission denied" ]
}

@test "an exec that fails after the lookup: 126 or 127, and the others are terminated at once" {
  local row name status
  for row in no-interpreter:127 bad-interpreter:126 no-script:126; do
    name=${row%:*} status=${row#*:}
    SECONDS=0
    run "-$status" --separate-stderr timeout --foreground 60 \
      safepipe -k 50 --status-fd 9 sleep 1000 ::: sleep 1000 ::: "./$name" ::: sleep 1000 9>told
    ((SECONDS < 30))
    [[ $stderr == "safepipe: exec ./$name (stage 2): "* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "$(told 0 signal)" = 15 ]
    [ "$(told 1 signal)" = 15 ]
    [ "$(told 2 exit)" = "$status" ]
    [ "$(told 2 exec_errno)" -gt 0 ]
    gone "$(told 0 pid)"
    gone "$(told 1 pid)"
    [ "$(told 3 signal)" = 15 ]
    [ ! -e owned ]
    # first, last and alone
    run "-$status" timeout --foreground 60 safepipe "./$name" ::: touch ran
    run "-$status" timeout --foreground 60 safepipe sleep 1000 ::: "./$name"
    run "-$status" timeout --foreground 60 safepipe "./$name"
    [ ! -e owned ]
  done
}

@test "an exec that fails, and one before it that is deaf to TERM: -k, and it is killed" {
  run -127 timeout --foreground 60 env --ignore-signal=TERM \
    safepipe -k 100ms --status-fd 9 sleep 1000 ::: ./no-interpreter 9>told
  [ "$(told 0 signal)" = 9 ]
  gone "$(told 0 pid)"
}

@test "a program that is removed after the lookup: 127, and the others are terminated" {
  printf '#!/bin/sh\n' >prog
  chmod +x prog
  mkfifo in
  # the look-up is over when it waits for the FIFO's other end
  background pipe safepipe -k 50 -i in --status-fd 9 sleep 1000 ::: ./prog 9>told
  until_true asleep "$pipe" safepipe
  rm prog
  : >in
  ends_with 127 "$pipe"
  [ "$(cat pipe.err)" = "safepipe: exec ./prog (stage 1): No such file or directory" ]
  [ "$(told 0 signal)" = 15 ]
  gone "$(told 0 pid)"
}

@test "no shell sees a program's name or words" {
  local name='a b;touch owned|$(touch owned)&'
  printf '#!/bin/sh\necho "$#:$1"\n' >"bin/$name"
  chmod +x "bin/$name"
  run -0 safepipe "$name"
  [ "$output" = "0:" ]
  run -0 safepipe "$PWD/bin/$name" '; touch owned' ::: cat
  [ "$output" = "1:; touch owned" ]
  local word
  for word in 'touch owned' 'touch owned;' '>owned' 'true|touch owned' '$(touch owned)' '`touch owned`' \
    'touch owned&' ' touch' '*' '~' 'A=1'; do
    run -127 timeout --foreground 60 safepipe "$word"
    run -127 timeout --foreground 60 safepipe true ::: "$word"
    [ ! -e owned ]
  done
  run -0 safepipe echo '$HOME' '*' '>owned' ::: cat
  [ "$output" = '$HOME * >owned' ]
  [ ! -e owned ]
}

@test "what a message says of a name is escaped" {
  run -127 timeout --foreground 60 safepipe $'no\e[1m\nthing'
  [ "${#lines[@]}" -eq 1 ]
  [[ $output != *$'\e'* ]]
}

@test "-i, -o: FILE in place of stdin and stdout, made or emptied" {
  echo input >in
  run -0 safepipe -i in -o out cat ::: tr a-z A-Z <<<unread
  [ -z "$output" ]
  [ "$(cat out)" = INPUT ]
  echo "much longer than before" >out
  safepipe -i in --output=out cat ::: cat
  cmp in out
  safepipe -o out true
  [ ! -s out ]
}

@test "-a: at the end of FILE, which is made if it is not there" {
  safepipe -a out echo one
  safepipe --append out echo two ::: cat
  run cat out
  [ "$output" = $'one\ntwo' ]
  # the last of -o and -a counts
  safepipe -o out -a out echo three
  [ "$(tail -n 1 out)" = three ]
  safepipe -a out -o out echo four
  [ "$(cat out)" = four ]
}

@test "-a: what others write meanwhile is not lost" {
  mkfifo hold
  background pipe safepipe -a out sh -c 'echo one >&2; read line <hold; echo three'
  until_line pipe.err one
  echo two >>out
  echo >hold
  ends_with 0 "$pipe"
  run cat out
  [ "$output" = $'two\nthree' ]
}

@test "new files have the mode that the umask leaves" {
  (umask 027 && safepipe -o new true && safepipe -a more true)
  [ "$(stat -c %a new more)" = $'640\n640' ]
}

@test "a file that is missing or can't be made: 111, it is named, nothing has run" {
  echo kept >out
  run -111 timeout --foreground 60 safepipe -i nothing -o out touch ran
  [ "$output" = "safepipe: open nothing: No such file or directory" ]
  [ "$(cat out)" = kept ]
  run -111 timeout --foreground 60 safepipe -o no/such touch ran
  [ "$output" = "safepipe: no: No such file or directory" ]
  run -111 timeout --foreground 60 safepipe -a . touch ran
  [ "$output" = "safepipe: open .: Is a directory" ]
  [ ! -e ran ]
}

@test "-o: an output that is the input, too, is refused and unharmed" {
  echo precious >data
  ln data link
  ln -s data soft
  local name
  for name in data link soft ./data; do
    run -100 timeout --foreground 60 safepipe -i data -o "$name" touch ran
    [[ $output == "safepipe: open $name: "* ]]
    [ "$(cat data)" = precious ]
    run -100 timeout --foreground 60 safepipe -o "$name" touch ran <data
    [ "$(cat data)" = precious ]
    [ ! -e ran ]
  done
  # what can't be lost may be both
  run -0 timeout --foreground 60 safepipe -i /dev/null -o /dev/null cat
}

@test "-t: a FIFO that nobody opens is given up in time" {
  mkfifo fifo
  SECONDS=0
  run -124 timeout --foreground 60 safepipe -t 300ms -i fifo touch ran
  [[ $output == "safepipe: open fifo: "* ]]
  run -124 timeout --foreground 60 safepipe -t 300ms -o fifo touch ran
  [[ $output == "safepipe: open fifo: "* ]]
  run -124 timeout --foreground 60 safepipe -t 0 -a fifo touch ran
  ((SECONDS < 30))
  [ ! -e ran ]
}

# slept PID COUNT: it has gone to sleep so many times, or ended
slept() {
  local times
  times=$(sed -n 's/^voluntary_ctxt_switches:\t//p' /proc/"$1"/status 2>/dev/null) || return 0
  ((times >= $2))
}

@test "a FIFO as input and as output is waited for, however long it takes" {
  mkfifo in out
  background pipe safepipe -i in -o out tr a-z A-Z
  # it looks up now and then, and goes on waiting
  until_true slept "$pipe" 10
  echo hello >in
  [ "$(cat out)" = HELLO ]
  ends_with 0 "$pipe"
}

@test "a signal ends one that waits for a FIFO's other end, and nothing has run" {
  mkfifo fifo
  local row
  for row in TERM:143 HUP:129 INT:130; do
    background pipe safepipe -i fifo touch ran
    until_true asleep "$pipe" safepipe
    kill -"${row%:*}" "$pipe"
    ends_with "${row#*:}" "$pipe"
  done
  [ ! -e ran ]
}

@test "--retry: a fork that fails for a while is tried again" {
  need strace strace
  run -0 timeout --foreground 60 strace -qq -o trace -e trace=clone -e inject=clone:error=EAGAIN:when=1..3 \
    safepipe --retry echo hello ::: tr a-z A-Z
  [ "$output" = HELLO ]
  [ "$(grep -c INJECTED trace)" -eq 3 ]
}

# bats test_tags=long
@test "--retry=TIME: gives up after that, and those that run are terminated" {
  need strace strace
  local before after
  before=$(date +%s%N)
  run -111 --separate-stderr timeout --foreground 60 strace -qq -o trace -e trace=clone \
    -e inject=clone:error=EAGAIN:when=2+ safepipe --retry=3 -k 50 --status-fd 9 sleep 1000 ::: touch ran 9>told
  after=$(date +%s%N)
  ((after - before >= 3000000000 && after - before < 30000000000))
  [ "$stderr" = "safepipe: fork touch (stage 1): Resource temporarily unavailable" ]
  (($(grep -c INJECTED trace) > 2))
  [ "$(told 0 signal)" = 15 ]
  gone "$(told 0 pid)"
  [ ! -e ran ]
}

@test "--retry: another failure, or none with 0, is not tried again" {
  need strace strace
  run -111 timeout --foreground 60 strace -qq -o trace -e trace=clone -e inject=clone:error=ENOMEM:when=1 \
    safepipe --retry touch ran
  [ "$(grep -c 'clone(' trace)" -eq 1 ]
  run -111 timeout --foreground 60 strace -qq -o trace -e trace=clone -e inject=clone:error=EAGAIN:when=1 \
    safepipe --retry=0 touch ran
  [ "$(grep -c 'clone(' trace)" -eq 1 ]
  [ ! -e ran ]
}

@test "-t ends the tries of --retry, too" {
  need strace strace
  SECONDS=0
  run -124 timeout --foreground 100 strace -qq -o trace -e trace=clone -e inject=clone:error=EAGAIN:when=1+ \
    safepipe -t 300ms --retry touch ran
  ((SECONDS < 30))
  [ ! -e ran ]
}

@test "TERM ends the tries of --retry, and the programs that run" {
  need strace strace
  : >trace
  background tracer strace -qq -o trace -e trace=clone -e inject=clone:error=EAGAIN:when=2+ \
    safepipe --retry=40 --status-fd 9 sleep 1000 ::: touch ran 9>told
  until_line trace INJECTED
  local pipe
  pipe=$(cat /proc/"$tracer"/task/"$tracer"/children)
  started+=("${pipe% }")
  kill -TERM "${pipe% }"
  ends_with 143 "$tracer"
  gone "$(told 0 pid)"
  [ ! -e ran ]
}

@test "without --retry a fork that fails is 111 at once, and the others are terminated" {
  need strace strace
  run -111 --separate-stderr timeout --foreground 60 strace -qq -o trace -e trace=clone \
    -e inject=clone:error=EAGAIN:when=3 safepipe --status-fd 9 sleep 1000 ::: sleep 1000 ::: touch ran 9>told
  [ "$stderr" = "safepipe: fork touch (stage 2): Resource temporarily unavailable" ]
  [ "$(grep -c INJECTED trace)" -eq 1 ]
  gone "$(told 0 pid)"
  gone "$(told 1 pid)"
  [ ! -e ran ]
}

@test "a pipe that can't be had is 111, and the others are terminated" {
  need strace strace
  run -111 --separate-stderr timeout --foreground 60 strace -qq -o trace -e trace=pipe2 \
    -e inject=pipe2:error=EMFILE:when=2 safepipe --status-fd 9 sleep 1000 ::: touch ran ::: cat 9>told
  [ "$stderr" = "safepipe: pipe touch (stage 1): Too many open files" ]
  gone "$(told 0 pid)"
  [ ! -e ran ]
}

@test "--pipe-size: every pipe holds as much" {
  local size=(actor capacity)
  run -0 safepipe --pipe-size 256k "${size[@]}" ::: "${size[@]}" ::: cat
  [ "$output" = $'262144\n262144' ]
  run -0 safepipe --pipe-size=1M --pipe-size=4096 "${size[@]}" ::: cat
  [ "$output" = 4096 ]
  run -0 safepipe "${size[@]}" ::: cat
  [ "$output" = 65536 ]
}

@test "--pipe-size: more than the user may have is 111, and nothing has run" {
  need_root
  local most
  most=$(cat /proc/sys/fs/pipe-max-size)
  chmod 777 .
  run -111 timeout --foreground 60 safepipe -u nobody --pipe-size $((most * 2)) touch ran ::: cat
  [ "$output" = "safepipe: pipe touch (stage 0): Operation not permitted" ]
  [ ! -e ran ]
  run -0 timeout --foreground 60 safepipe -u nobody --pipe-size "$most" echo hello ::: cat
  [ "$output" = hello ]
}

@test "every usage error: 100, and nothing has run" {
  wrong_call safepipe
  wrong_call safepipe -t 5
  wrong_call safepipe --
  wrong_call safepipe :::
  wrong_call safepipe ::: touch ran
  wrong_call safepipe touch ran :::
  wrong_call safepipe touch ran ::: ::: touch ran
  wrong_call safepipe --sep
  wrong_call safepipe --sep= touch ran
  wrong_call safepipe --sep x touch ran x
  local option value
  for option in --no-such --time=5 --statu=any -z --quiet=1 --verbose=1; do
    wrong_call safepipe "$option" touch ran
  done
  for value in '' x -1 5x 0x10 1e3 ' 1' '1 ' . 1h30m 99999999999999999999; do
    for option in -t -k --timeout --kill-after; do
      wrong_call safepipe "$option" "$value" touch ran
    done
    wrong_call safepipe --retry="$value" touch ran
  done
  for value in '' 0 -1 x 64kk 0x10 64x 1.5k 2G 99999999999999999999; do
    wrong_call safepipe --pipe-size "$value" touch ran
  done
  for value in '' FIRST firs all 0 ' any'; do
    wrong_call safepipe --status "$value" touch ran
  done
  for value in '' IGNORE coun 0 default; do
    wrong_call safepipe --sigpipe "$value" touch ran
  done
  for value in '' -1 x 0x3 77 2147483648 99999999999; do
    wrong_call safepipe --status-fd "$value" touch ran
  done
  for value in '' no-such-user -1 : :0 nobody: nobody:no-such-group 4294967295 4294967296; do
    wrong_call safepipe -u "$value" touch ran
  done
  for value in '' no-such-group -1 4294967295; do
    wrong_call safepipe -g "$value" touch ran
  done
  for option in -i -o -a -u -g -t -k --input --output --append --user --group --pipe-size --status --sigpipe \
    --status-fd; do
    wrong_call safepipe "$option"
  done
  [ ! -e ran ]
}
