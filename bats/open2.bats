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
asks=(sh -c 'for word in one two three; do echo $word >&7; read -r answer <&6; echo "$answer"; done')

# What it talks to: a line in, a line out.
upper=(sed -u 's/.*/\U&/')

@test "CLIENT reads SERVER from fd 6 and writes to it on fd 7" {
  run -0 timeout --foreground 60 open2 "${upper[@]}" ::: "${asks[@]}"
  [ "$output" = $'ONE\nTWO\nTHREE' ]
}

@test "the same CLIENT works under open2, tcpclient and unixclient" {
  start server unixserver sock "${upper[@]}"
  unixclient sock "${asks[@]}" >by.unixclient
  start tcp tcpserver 127.0.0.1 0 "${upper[@]}"
  tcpclient 127.0.0.1 "$tcp_at" "${asks[@]}" >by.tcpclient
  open2 "${upper[@]}" ::: "${asks[@]}" >by.open2
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
  run -0 --separate-stderr timeout --foreground 60 open2 -x "${upper[@]}" ::: sh -c 'echo hello; head -n 1 >&2'
  [ -z "$output" ]
  [ "$stderr" = HELLO ]
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 --cross cat ::: sh -c '[ ! -e /proc/$$/fd/6 ] && [ ! -e /proc/$$/fd/7 ]'
}

@test "--socketpair: two in place of two pipes, and each direction ends by itself" {
  local kinds=(stat -L -c %F /proc/self/fd/0 /proc/self/fd/1)
  run -0 timeout --foreground 60 open2 --socketpair "${kinds[@]}" </dev/null
  [ "$output" = $'socket\nsocket' ]
  run -0 timeout --foreground 60 open2 "${kinds[@]}" </dev/null
  [ "$output" = $'fifo\nfifo' ]
  run -0 timeout --foreground 60 open2 --socketpair sort <<<$'b\na'
  [ "$output" = $'a\nb' ]
  run -0 timeout --foreground 60 open2 --socketpair sort ::: sh -c 'printf "b\na\n" >&7; exec 7>&-; cat <&6'
  [ "$output" = $'a\nb' ]
  # each is shut in the other direction, as a pipe is
  run -0 timeout --foreground 60 open2 --socketpair sh -c 'echo x; exec >&-; exec cat >&2' ::: \
    bash -c 'trap "" PIPE; cat <&6; ! echo no 2>/dev/null >&6 && ! read -r -u 7 && echo yes >&7'
  [ "$output" = $'x\nyes' ]
}

@test "--socketpair: socat is told of the end of what CLIENT sends, and CLIENT of its" {
  need socat socat
  run -0 timeout --foreground 60 open2 --socketpair socat - SYSTEM:sort ::: \
    sh -c 'printf "b\na\n" >&7; exec 7>&-; cat <&6; echo end'
  [ "$output" = $'a\nb\nend' ]
}

@test "a SERVER that is a shell whose program died of SIGPIPE is not a failure" {
  run -0 timeout --foreground 60 open2 bash -c 'yes; exit $?' ::: sh -c 'head -n 1 <&6'
  [ "$output" = y ]
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

@test "SERVER's death by SIGPIPE after CLIENT has exited is not a failure" {
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

@test "-k: SERVER that does not exit after CLIENT is terminated: 124" {
  mkfifo up
  run -124 timeout --foreground 60 open2 -k 0.1 actor pid up sleep ::: sh -c 'cat up >pid'
  [ "$output" = "open2: end actor: it did not exit by itself" ]
  gone "$(cat pid)"
}

@test "-k: SERVER that ignores SIGTERM, too, is killed" {
  mkfifo up
  run -124 timeout --foreground 60 open2 --kill-after 100ms actor ignore TERM pid up sleep ::: sh -c 'cat up >pid'
  gone "$(cat pid)"
}

@test "--status-fd: a line on each program's end, SERVER is stage 0" {
  run -4 timeout --foreground 60 open2 --status-fd 9 sh -c 'cat; exit 3' ::: sh -c 'exit 4' 9>status
  run sed -E 's/ pid=[1-9][0-9]* / /; s/ seconds=[0-9]+\.[0-9]{3}$//' <(sort status)
  [ "$output" = "stage=0 exec_errno=0 exit=3 signal=0 core=0 timed_out=0
stage=1 exec_errno=0 exit=4 signal=0 core=0 timed_out=0" ]
  run -124 timeout --foreground 60 open2 -k 0 --status-fd 9 sleep infinity ::: true 9>status
  run -0 grep -cE '^stage=0 .* signal=15 .* timed_out=1' status
  # shellcheck disable=SC2016
  run -137 timeout --foreground 60 open2 --status-fd 9 sh -c 'kill -KILL $$' </dev/null 9>status
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
  background joined open2 actor pid server await TERM exit 7 ::: actor pid client await TERM exit 7
  until_true test -s server -a -s client
  kill -TERM "$joined"
  ends_with 7 "$joined"
  gone "$(cat server)"
  gone "$(cat client)"
}

@test "every usage error is reported" {
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
  wrong_call open2 -t 5 cat ::: cat
  [ "${stderr_lines[0]}" = "open2: --lock-step and its options take one program, without ':::' and CLIENT" ]
  wrong_call open2 --lines 2 cat
  wrong_call open2 --until x cat
  wrong_call open2 --greeting cat
  wrong_call open2 --end error cat
  wrong_call open2 --end answer cat ::: cat
  wrong_call open2 -l --end yes cat
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
