# open2 --pty: a terminal for programs that answer line by line only there, and what must not be seen of it.

load helper/coproc

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# Which of a program's fds 0 to 2 are terminals.
# shellcheck disable=SC2016
ttys='for fd in 0 1 2; do if [ -t $fd ]; then all=${all}1; else all=${all}0; fi; done; echo "$all" >&2'

@test "--pty: stdout is a terminal, stdin and stderr are not" {
  local way
  for way in --pty --pty=out; do
    run -0 --separate-stderr timeout --foreground 60 open2 "$way" sh -c "$ttys" </dev/null
    [ "$stderr" = 010 ]
    run -0 --separate-stderr timeout --foreground 60 open2 "$way" sh -c "$ttys" ::: true
    [ "$stderr" = 010 ]
  done
  run -0 --separate-stderr timeout --foreground 60 open2 sh -c "$ttys" </dev/null
  [ "$stderr" = 000 ]
}

@test "--pty=both: stdin is the terminal, too" {
  run -0 --separate-stderr timeout --foreground 60 open2 --pty=both sh -c "$ttys" </dev/null
  [ "$stderr" = 110 ]
  run -0 --separate-stderr timeout --foreground 60 open2 --pty=both sh -c "$ttys" ::: true
  [ "$stderr" = 110 ]
}

@test "--pty=both: the terminal is the program's controlling one, of a session of its own" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --pty=both bash -c 'read -ra stat </proc/$$/stat
    for field in 4 5 7; do # process group, session, foreground group
      [ "${stat[field]}" = $$ ] && echo mine
    done
    [ /proc/self/fd/0 -ef /proc/self/fd/1 ] && echo one; echo "by its name" >/dev/tty' </dev/null
  [ "$output" = $'mine\nmine\nmine\none\nby its name' ]
}

@test "--pty: the program stays in our session and process group" {
  # shellcheck disable=SC2016
  local look='read -ra stat </proc/$$/stat; echo "${stat[*]:4:2}"'
  run -0 bash -c "$look"'; exec open2 --pty bash -c "$1"' '' "$look" </dev/null
  [ "${#lines[@]}" -eq 2 ]
  [ "${lines[0]}" = "${lines[1]}" ]
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
    run -0 timeout --foreground 60 open2 "$way" sort ::: sh -c 'printf "b\na\n" >&7; exec 7>&-; cat <&6'
    [ "$output" = $'a\nb' ]
  done
}

@test "the terminal's hang-up is the end of CLIENT's input, not an error" {
  local way
  for way in --pty --pty=both; do
    run -0 timeout --foreground 60 open2 "$way" echo hello ::: sh -c 'cat <&6 && echo end'
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
  local way
  for way in --pty --pty=both; do
    run -0 timeout --foreground 60 open2 -l "$way" tr a-z A-Z <<<$'a\nb\nc'
    [ "$output" = $'A\nB\nC' ]
    run -0 timeout --foreground 60 open2 -l "$way" sed 's/^/> /' <<<$'a\nb'
    [ "$output" = $'> a\n> b' ]
  done
  mkfifo open
  exec 9<>open
  printf 'a\nb\n' >&9
  run -124 timeout --foreground 60 open2 -l -t 0.3 tr a-z A-Z <open
}

@test "a CLIENT talks with a program that buffers on pipes" {
  # shellcheck disable=SC2016
  local asks='for word in one two; do echo $word >&7; read -r answer <&6; echo "$answer"; done'
  run -0 timeout --foreground 60 open2 --pty tr a-z A-Z ::: sh -c "$asks"
  [ "$output" = $'ONE\nTWO' ]
  run -0 timeout --foreground 60 open2 --pty=both tr a-z A-Z ::: sh -c "$asks"
  [ "$output" = $'ONE\nTWO' ]
}

@test "--pty=both: every byte arrives, special ones and NUL too, in lines of any length" {
  local n
  {
    all_bytes
    echo
    for n in {1..999}; do
      printf '\4\26\3\177\0\32\34\21\23\r\b\25\27\22\17'
    done
    printf '\n\4\n\26\n\0\n'
    for n in {1..20} {2046..2050} {4093..4099} 8192 10000 0 1 65536; do
      printf '%*s\n' "$n" '' | tr ' ' x
    done
  } >data
  timeout --foreground 60 open2 --pty=both cat <data >back
  cmp data back
  timeout --foreground 60 open2 --pty=both sh -c 'cat >got' ::: sh -c 'cat data >&7' <data
  cmp data got
}

@test "--pty=both: 1 MiB of random bytes, however the program reads them" {
  local size
  random_bytes 1048576 >data
  for size in 1000 2047 2048 2049 4096 65536; do
    timeout --foreground 60 open2 --pty=both dd bs="$size" of=got status=none <data
    cmp data got
  done
  [ "$(timeout --foreground 60 open2 --pty=both cat <data | cksum)" = "$(cksum <data)" ]
}

@test "--pty=both: byte by byte" {
  random_bytes 20000 >data
  timeout --foreground 60 open2 --pty=both dd bs=1 status=none <data >back
  cmp data back
}

@test "--pty=both: a program that is slow to read loses nothing" {
  random_bytes 100000 >data
  # -k: 400 lines, and five processes for each, some of which it has yet to read when we are done
  timeout --foreground 250 open2 -k 200 --pty=both sh -c ': >got
    while [ "$(dd bs=4096 count=1 status=none | tee -a got | wc -c)" -gt 0 ]; do sleep 0.005; done' <data
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
  local TIMEFORMAT='%U %S' closes
  for closes in '' '<&- >&-'; do
    { time open2 --pty=both sh -c "trap '' HUP; exec sleep 1.5 $closes" </dev/null; } 2>spent
    awk '{ exit !($1 + $2 < 0.5) }' spent
  done
}

@test "--pty=both -l: the end of input does not put off the deadline" {
  run -124 timeout --foreground 20 open2 -l -t 0.3 -k 0.1 --pty=both sleep infinity <<<question
  [ "$output" = "open2: no answer from sleep within 0.3 s" ]
  run -124 timeout --foreground 20 open2 -l -t 0.3 -k 0.1 --pty=both \
    actor ignore HUP line close 0 close 1 sleep <<<question
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

@test "a CLIENT that leaves: SERVER sees the end of its input, and is terminated after -k if it does not exit" {
  local way
  mkfifo up
  for way in --pty --pty=both; do
    timeout --foreground 60 open2 "$way" sh -c 'cat; echo end >seen' ::: true
    [ "$(cat seen)" = end ]
    rm seen
    run -124 timeout --foreground 60 open2 -k 0.2 "$way" actor ignore HUP pid up sleep ::: sh -c 'cat up >pid'
    gone "$(cat pid)"
  done
}

@test "--pty=both: signals reach a program in its own session" {
  local sig
  for sig in TERM INT; do
    background relay open2 --pty=both actor put 'ready\n' await "$sig" put 'got it\n' exit 7
    until_line relay.out ready
    kill -"$sig" "$relay"
    ends_with 7 "$relay"
    [ "$(cat relay.out)" = $'ready\ngot it' ]
  done
}

@test "--pty=both: a program that makes its terminal raw gets the bytes as they are" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 -l --greeting --pty=both \
    sh -c 'stty -icanon min 1; echo ready; dd bs=1 count=8 status=none | od -An -tx1' <<<$'a\x04b\x16\x03cd'
  [ "$output" = $'ready\n 61 04 62 16 03 63 64 0a' ]
  # as at any terminal, reads wait in a program that only leaves the mode of lines
  run -0 timeout --foreground 60 open2 --pty=both stty -a </dev/null
  [[ $output == *"min = 1; time = 0;"* ]]
}

# once_ready COMMAND...: COMMAND, whose stdin is the file `question` once it has written a line; its stdout is `answers`
once_ready() {
  : >answers
  { until_line answers ready && cat question; } | timeout --foreground 60 "$@" >answers
}

@test "--pty=both: a raw program that has read all its input is hung up on" {
  local program
  printf 'a\4b\nc' >question
  for program in 'exec cat' 'cat; exit $?' 'trap "exit 0" HUP; cat; exit 0'; do
    once_ready open2 --pty=both bash -c "stty raw; echo ready; $program"
    [ "$(cat answers)" = $'ready\na\x04b\nc' ]
  done
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --pty=both sh -c 'stty raw; echo ready; exec cat' ::: \
    sh -c 'read -r line <&6; echo "$line"; echo question >&7; exec 7>&-; cat <&6; echo end'
  [ "$output" = $'ready\nquestion\nend' ]
}

@test "--pty=both: a program whose terminal is canonical again after its input has ended reads the end" {
  echo line >question
  once_ready timeout --foreground 60 open2 --pty=both \
    sh -c 'stty raw -echo; echo ready; head -c5; stty icanon; cat; cat; echo end'
  [ "$(cat answers)" = $'ready\nline\nend' ]
}

@test "--pty=both: a hang-up that is not ours is no success, and where it is ignored, -k ends the program" {
  # shellcheck disable=SC2016
  run -0 how-it-ends open2 --pty=both sh -c 'kill -HUP $$' </dev/null
  [ "$output" = "exit 0 signal 1" ]
  : >question
  status=0
  once_ready open2 -k 0.1 --pty=both sh -c 'trap "" HUP; stty raw; echo ready; cat; exec sleep infinity' || status=$?
  [ "$status" -eq 124 ]
}

@test "--pty=both -l: no hang-up while a raw program owes an answer" {
  echo question >question
  once_ready open2 -l --greeting --end error --pty=both \
    sh -c 'stty raw; echo ready; exec actor line pause 2500 put "late\n" again'
  [ "$(cat answers)" = $'ready\nlate' ]
}

@test "--pty=both: a shell at its prompt ends with its input" {
  # shellcheck disable=SC2016
  echo 'echo $((6 * 7))' >question
  once_ready open2 --pty=both bash --norc -c 'echo ready; exec bash --norc -i' 2>/dev/null
  grep -q 42 answers
}
