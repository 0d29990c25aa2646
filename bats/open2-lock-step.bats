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
upper=(sed -u 's/.*/\U&/')

# No line that could be an answer, and no end.
# shellcheck disable=SC2016
silent=(sh -c 'echo $$ >pid; exec sleep infinity')

@test "one line at a time reaches the program, however many we have" {
  seq 500 >questions
  run -0 timeout --foreground 60 open2 -l actor show again <questions
  [ "$output" = "$(seq -f '[%.0f.]' 500)" ]
  # without -l they come together
  run -0 timeout --foreground 60 open2 actor show again <questions
  [ "${#lines[@]}" -lt 500 ]
}

@test "the next line waits for the answer to be whole" {
  run -0 timeout --foreground 60 open2 --lock-step \
    actor line put half quiet 100 ' an answer\n' ' too much\n' again <<<$'a\nb\nc'
  # behind the last line comes the end of input, and may come at once
  [ "${lines[0]}" = "half an answer" ]
  [ "${lines[1]}" = "half an answer" ]
  [ "${#lines[@]}" -eq 3 ]
}

@test "a caller sends a line, has its answer, and only then sends the next: bash's coproc" {
  local word answer
  # shellcheck disable=SC2016
  coproc talk { exec timeout --foreground 60 open2 -l bash -c 'while read -r line; do
    echo "server $line" >>log; echo "${line^^}"; done' 3>&-; }
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
  run -0 timeout --foreground 60 open2 -l --lines 3 \
    sh -c 'while read -r line; do for n in 1 2 3; do echo "$line-$n"; done; done' <<<$'a\nb'
  [ "$output" = $'a-1\na-2\na-3\nb-1\nb-2\nb-3' ]
  # with one line less than that the next question would not come, and its time passes
  # shellcheck disable=SC2016
  with_time said -124 --separate-stderr asked 'a\nb\n' open2 -l --lines 3 -t @T@ \
    sh -c 'while read -r line; do echo "$line-1"; echo "$line-2"; echo said >said; done'
  [ "$output" = $'a-1\na-2' ]
}

@test "--until TEXT: an answer ends with TEXT, wherever it comes" {
  # Each answer is written byte by byte, and the program checks that nothing more came before it was whole.
  # (Behind the last question the end of input may come at once.)
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until aab actor line drip aaab line drip xaab \
    line drip aab line drip aaaaaab line put ababaab early <<<$'q1\nq2\nq3\nq4\nq5'
  [ "$output" = aaabxaabaabaaaaaabababaab ]
  [ "$stderr" = "early: 0" ]
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until $'\n> ' actor line drip $'\n> ' \
    line drip $'one\ntwo\n> ' line put $'\n>\n> ' early <<<$'q1\nq2\nq3'
  [ "$output" = $'\n> one\ntwo\n> \n>\n> ' ]
  [ "$stderr" = "early: 0" ]
  run -0 --separate-stderr timeout --foreground 60 open2 -l -t 20 --until abacabab \
    actor line drip abacabacabab line put abacabab early <<<$'q1\nq2'
  [ "$output" = abacabacabababacabab ]
  [ "$stderr" = "early: 0" ]
}

@test "--until: a text that does not come again is waited for" {
  with_time said -124 --separate-stderr asked 'q1\nq2\n' open2 -l --until END -t @T@ \
    actor line put 'q1\nEND' line put 'q2\nEN' file said yes sleep
  [ "$output" = $'q1\nENDq2\nEN' ]
  # (it did speak: --pty would not help)
  [[ $stderr =~ ^"open2: no whole answer from actor within "[0-9.]+" s"$ ]]
}

@test "--lines and --until: the later one wins" {
  local both='while read -r line; do echo x; echo END; done'
  run -0 timeout --foreground 60 open2 -l --until NEVER --lines 2 sh -c "$both" <<<$'a\nb'
  [ "$output" = $'x\nEND\nx\nEND' ]
  run -0 timeout --foreground 60 open2 -l --lines 9 --until $'END\n' sh -c "$both" <<<$'a\nb'
  [ "$output" = $'x\nEND\nx\nEND' ]
}

@test "--greeting: before the first line an answer comes by itself" {
  # shellcheck disable=SC2016
  local greets='actor quiet "$1" "welcome\n> " "you are early\n> "
    while read -r line; do printf "%s\n> " "${line^^}"; done'
  run -0 timeout --foreground 60 open2 -l --greeting --until '> ' bash -c "$greets" '' 200 <<<$'one\ntwo'
  [ "$output" = $'welcome\n> ONE\n> TWO\n> ' ]
  run -0 timeout --foreground 60 open2 -l --until '> ' bash -c "$greets" '' 60000 <<<$'one\ntwo'
  [ "${lines[0]}" = "you are early" ]
}

@test "-t: an answer that does not come in time: 124, and the program is terminated" {
  with_time pid -124 asked 'question\n' open2 -l -t @T@ "${silent[@]}"
  [[ $output == "open2: no answer from sh within "* ]]
  gone "$(cat pid)"
  with_time pid -124 timeout --foreground 60 bash -c 'open2 "$@" <<<question' '' -l -t @T@ "${silent[@]}"
  gone "$(cat pid)"
  with_time pid -124 asked '' open2 -l --greeting --timeout @T@ "${silent[@]}"
  gone "$(cat pid)"
}

@test "-t: the message names --pty where that may help" {
  local way hint="a program that buffers its output at a pipe answers at once under --pty"
  for way in '' --socketpair; do
    # shellcheck disable=SC2086 # none, or one
    run -124 asked 'a\n' open2 -l -t 0.3 $way tr a b
    [ "$output" = "open2: no answer from tr within 0.3 s; $hint" ]
  done
  # not where it is given
  run -124 asked 'a\n' open2 -l -t 0.25 --pty sleep infinity
  [ "$output" = "open2: no answer from sleep within 0.25 s" ]
  run -124 asked 'a\n' open2 -l -t 250ms --pty=both sleep infinity
  [ "$output" = "open2: no answer from sleep within 0.25 s" ]
  # nor to one that has answered before, or that has only not exited
  with_time said -124 --separate-stderr asked 'a\nb\n' open2 -l -t @T@ actor line put 'A\n' line file said yes sleep
  [ "$output" = A ]
  [[ $stderr =~ ^"open2: no answer from actor within "[0-9.]+" s"$ ]]
  run -124 timeout --foreground 60 open2 -l -t 0 sleep infinity </dev/null
  [ "$output" = "open2: sleep did not exit within 0 s of the end of its input" ]
}

@test "-t: half an answer is none" {
  with_time said -124 --separate-stderr asked 'question\n' open2 -l -t @T@ actor line put half file said yes sleep
  [ "$output" = half ]
}

@test "-t: a program that does not take its question is late, too" {
  run -124 timeout --foreground 60 bash -c 'head -c 3000000 /dev/zero | open2 -l -t 0.2 sleep infinity'
  [ "$output" = "open2: sleep has not read its input for 0.2 s" ]
}

# bats test_tags=long
@test "-t is an answer's, not the caller's and not all answers' together" {
  # A busy machine may make any answer late: then it has twice the time.
  local time=1
  until caller_is_silent "$time"; do
    time=$((2 * time))
  done
  time=1
  until answers_take_longer "$time"; do
    time=$((2 * time))
  done
}

# caller_is_silent SECONDS: the caller is silent for longer than that, which an answer may take.
caller_is_silent() {
  [ "$({ echo one; read -rt "$1.2" <> <(:) || :; echo two; } | open2 -q -l -t "$1" "${upper[@]}")" = $'ONE\nTWO' ]
}

# answers_take_longer SECONDS: all answers together take longer than that, which one answer may take.
answers_take_longer() {
  # shellcheck disable=SC2016
  local slow='while read -r line; do read -rt "$1" <> <(:) || :; echo "$line"; done'
  [ "$(seq 5 | open2 -q -l -t "$1" bash -c "$slow" '' "$(($1 / 4)).$((25 * ($1 % 4)))")" = "$(seq 5)" ]
}

@test "a program that ends early with a status: it is ours" {
  mkfifo open
  exec 9<>open
  printf 'one\ntwo\n' >&9
  run -3 timeout --foreground 60 open2 -l actor line put 'ONE\n' exit 3 <open
  [ "$output" = ONE ]
  printf 'one\ntwo\n' >&9
  run -3 timeout --foreground 60 open2 -l sh -c 'exit 3' <open
  # shellcheck disable=SC2016
  run -0 how-it-ends open2 -l sh -c 'kill -KILL $$' <open
  [ "$output" = "exit 0 signal 9" ]
}

@test "a program's exit with status 0 is the last answer" {
  need bc bc
  run -0 --separate-stderr timeout --foreground 60 open2 -l bc <<<$'1+1\nquit\n2+2'
  [ "$output" = 2 ]
  [ -z "$stderr" ]
  run -0 timeout --foreground 60 open2 -l --greeting true </dev/null
  run -0 timeout --foreground 60 open2 -l --lines 2 cat <<<question
  [ "$output" = question ]
  run -0 timeout --foreground 60 open2 -l --end error --end answer --until END echo bye <<<quit
  [ "$output" = bye ]
  run -3 timeout --foreground 60 open2 -l sh -c 'exit 3' <<<quit
}

@test "--end error: a program that ends well without its answer: 1 and a message" {
  mkfifo open
  exec 9<>open
  printf 'one\ntwo\n' >&9
  run -1 --separate-stderr timeout --foreground 60 open2 -l --end error actor line put 'ONE\n' <open
  [ "$output" = ONE ]
  [ "$stderr" = "open2: read an answer from actor: it exited first" ]
  run -1 timeout --foreground 60 open2 -l --end error --greeting true <open
  [ "$output" = "open2: read an answer from true: it exited first" ]
}

@test "--end error: the last question's answer is owed, too: after the end of our input" {
  local round
  for round in {1..10}; do # the program's end and that of our input race
    run -1 --separate-stderr timeout --foreground 60 open2 -l --end error true <<<question
    [ "$stderr" = "open2: read an answer from true: it exited first" ]
  done
  run -1 --separate-stderr timeout --foreground 60 open2 -l --end error --lines 2 cat <<<question
  [ "$output" = question ]
  [ "$stderr" = "open2: read an answer from cat: it exited first" ]
}

@test "no question, no answer" {
  run -0 timeout --foreground 60 open2 -l cat </dev/null
  [ -z "$output" ]
  run -3 timeout --foreground 60 open2 -l sh -c 'cat; exit 3' </dev/null
}

@test "the output after our last line arrives whole" {
  run -0 timeout --foreground 60 open2 -l sh -c 'sed -u "s/.*/\U&/"; seq 100000' <<<$'a\nb'
  [ "${lines[1]}" = B ]
  [ "${#lines[@]}" -eq 100002 ]
  [ "${lines[100001]}" = 100000 ]
}

@test "a line of 1 MiB goes out and comes back" {
  local way
  { head -c 1048576 /dev/zero | tr '\0' x; echo; echo short; } >questions
  for way in '' --socketpair --pty --pty=both; do
    # shellcheck disable=SC2086 # none, or one
    timeout --foreground 60 open2 -l $way grep -a --line-buffered '' <questions >answers
    cmp questions answers
    # shellcheck disable=SC2086
    timeout --foreground 60 open2 -l $way cat <questions >answers
    cmp questions answers
  done
}

@test "a last line without a newline is a question, too" {
  printf 'one\ntwo' >questions
  timeout --foreground 60 open2 -l "${upper[@]}" <questions >answers
  [ "$(od -An -c answers)" = "$(printf 'ONE\nTWO' | od -An -c)" ]
  printf 'one' >questions
  timeout --foreground 60 open2 -l cat <questions >answers
  cmp questions answers
}

@test "empty lines and NUL bytes are bytes of questions and answers" {
  printf '\n\0\n\n\0\0x\n' >questions
  timeout --foreground 60 open2 -l sed -u '' <questions >answers
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
