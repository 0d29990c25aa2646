# mkfifo-sig's readers: many at once, slow ones, those that leave; and PROG, which answers them: its environment, its
# failures, its time, its end.

load helper/mkfifo

setup() {
  mkfifo_setup
}

teardown() {
  server_teardown
}

# ---- answers, whole ----

# What one read(2) gives.
read_once() {
  timeout --foreground 60 dd if=sig bs=65536 count=1 status=none
}

@test "an answer up to PIPE_BUF is one write, though PROG writes it in pieces" {
  start server mkfifo-sig sig bash -c 'for n in {1..10}; do printf "%0399d\n" 0; sleep 0.01; done'
  read_once >got
  [ "$(wc -lc <got | xargs)" = "10 4000" ]
}

@test "exactly PIPE_BUF bytes are one write; one more is whole, too" {
  start server mkfifo-sig -v sig sh -c 'for n in 1 2 3 4; do head -c 1024 /dev/zero; done; cat rest'
  : >rest
  [ "$(read_once | wc -c)" -eq 4096 ]
  printf x >rest
  [ "$(ask | wc -c)" -eq 4097 ]
}

# bats test_tags=long
@test "an answer of 1 MiB, of 100 MiB is whole" {
  "$HELPERS/stream" word 1 >file
  start server mkfifo-sig sig cat file
  ask | cmp - file
  ask | cmp - file
  start long mkfifo-sig long "$HELPERS/stream" word 100
  [ "$(ask long | sha256sum)" = "$("$HELPERS/stream" word 100 | sha256sum)" ]
}

@test "an answer of one byte, of none" {
  start server mkfifo-sig -v -n 2 sig cat file
  printf x >file
  answers x
  : >file
  answers ""
  ends_with 0 "$server"
  [ "$(grep -c 'answer .: read' server.err)" -eq 2 ]
}

@test "200 readers at once: whole answers or a clean end each, no answer twice" {
  # shellcheck disable=SC2016
  script prog 'read -r n <n; echo $((n + 1)) >n; printf "%d %02000d\n" $((n + 1)) 0'
  start server mkfifo-sig sig ./prog
  echo 0 >n
  # each of them reads to the end of file
  run -0 timeout --foreground 100 at-once 200 sh -c 'exec cat sig >got.$$'
  [ "$output" = "0 200" ]
  cat got.* >got
  run ! grep -qvE '^[0-9]+ 0{2000}$' got
  cut -d ' ' -f 1 got >numbers
  [ -s numbers ]
  [ -z "$(sort numbers | uniq -d)" ]
  # and the next one gets its own
  timeout --foreground 60 head -n 1 sig | grep -qE '^[0-9]+ 0{2000}$'
}

# ---- readers that leave ----

@test "head -1 of a long answer harms nothing" {
  start server mkfifo-sig -v sig sh -c './counter; yes | head -c 3000000'
  local n
  for n in 1 2 3; do
    [ "$(timeout --foreground 60 head -n 1 sig)" = "answer $n" ]
    # or the next reader may get the rest of this answer
    until_true eval '[ "$(grep -c "the reader left early" server.err)" -eq "$n" ]'
  done
  until_true no_children "$server"
  ask >all
  [ "$(head -n 1 all)" = "answer 4" ]
  [ "$(wc -c <all)" -eq 3000009 ]
  until_line server.err 'answer 1: read'
  # nothing was said of it but that
  [ "$(grep -c 'the reader left early' server.err)" -eq 3 ]
  run ! grep -qE 'write|Broken' server.err
}

@test "a reader that leaves early is not counted by -n" {
  start server mkfifo-sig -v -n 1 sig sh -c './counter; yes | head -c 3000000'
  [ "$(timeout --foreground 60 head -n 1 sig)" = "answer 1" ]
  until_line server.err 'the reader left early'
  [ "$(ask | wc -c)" -eq 3000009 ]
  ends_with 0 "$server"
}

@test "a reader that opens and closes at once harms nothing" {
  start server mkfifo-sig sig ./counter
  local n
  for n in 1 2 3 4 5; do
    timeout --foreground 60 bash -c ': <sig'
    # (one that comes while that answer is still made has it)
    [[ $(ask) =~ ^"answer "[0-9]+$ ]]
  done
  kill -0 "$server"
}

@test "a reader leaves while a long answer is made: PROG is terminated, the next one has a whole new answer" {
  mkfifo go
  script prog './counter; head -c 100000 /dev/zero; read -r line <go; echo end'
  start server mkfifo-sig -v sig ./prog
  background reader sh -c 'exec 5<sig; head -c 100009 <&5 >/dev/null; echo got >&2; exec sleep infinity'
  until_line reader.err got
  kill -KILL "$reader"
  ends_with 137 "$reader"
  # (a server that does not see it would not end PROG either)
  until_line server.err 'the reader left early'
  until_true no_children "$server"
  background reader cat sig
  until_line count 2
  echo line >go
  ends_with 0 "$reader"
  { echo "answer 2"; head -c 100000 /dev/zero; echo end; } | cmp - reader.out
}

@test "a reader leaves before PROG has written anything: the next one has a whole answer" {
  mkfifo go
  start server mkfifo-sig -v sig sh -c './counter; read -r line <go; echo "$line"'
  background reader cat sig
  until_true test -s count
  kill -KILL "$reader"
  ends_with 137 "$reader"
  background reader cat sig
  until_true asleep "$reader" cat
  # one for each PROG that there may be
  exec 8<>go
  printf 'line\nline\n' >&8
  ends_with 0 "$reader"
  [[ $(cat reader.out) =~ ^"answer "[12]$'\nline'$ ]]
}

# ---- readers that stay ----

# holder VAR: reads all, says so, and then neither reads nor closes.
holder() {
  background "$1" sh -c 'exec 5<sig; cat <&5 >&2; echo end >&2; exec sleep infinity'
  until_line "$1.err" end
}

@test "a reader that has all and holds on: others are served after --linger" {
  start server mkfifo-sig --linger 10ms sig ./counter
  holder one
  [ "$(cat one.err)" = $'answer 1\nend' ]
  [[ $(ask) =~ ^"answer "[2-9]$ ]]
  [[ $(ask) =~ ^"answer "[2-9]$ ]]
  kill -0 "$one"
}

@test "within --linger nothing is made for others; its close ends the wait" {
  start server mkfifo-sig -v --linger 1h sig ./counter
  holder one
  background two cat sig
  until_true in_open "$two"
  [ "$(cat count)" = 1 ]
  kill -KILL "$one"
  ends_with 0 "$two"
  [ "$(cat two.out)" = "answer 2" ]
  [ "$(cat count)" = 2 ]
}

# in_open PID: cat waits for a writer.
in_open() {
  asleep "$1" cat && ! [ -e /proc/"$1"/fd/3 ]
}

@test "a slow reader gets all, in its own time" {
  start server mkfifo-sig -v sig sh -c 'head -c 1000000 /dev/zero; ./counter'
  mkfifo go
  background slow bash -c 'exec 5<sig 6<go
    while dd bs=100000 count=1 status=none <&5 >piece && [ -s piece ]; do cat piece; read -r <&6; done'
  exec 8>go
  yes '' | head -n 1000 >&8 # a piece for each; what is left over is lost
  ends_with 0 "$slow"
  [ "$(wc -c <slow.out)" -eq 1000009 ]
  [ "$(tr -d '\0' <slow.out)" = "answer 1" ]
}

# ---- PROG ----

@test "PROG starts clean: fds 0 to 2 alone, stdin empty, no signal ignored or blocked" {
  script dirty 'exec env --ignore-signal=PIPE,USR1 --block-signal=TERM,USR2 mkfifo-sig "$@" 9</dev/null'
  start server ./dirty sig sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/$$/fd; readlink /proc/$$/fd/0
    grep -E "^Sig(Blk|Ign|Cgt)" /proc/$$/status >/dev/null; wc -c'
  [ "$(ask)" = "SigBlk:	0000000000000000
SigIgn:	0000000000000000
0
1
2
/dev/null
0" ]
}

@test "PROG has our environment and directory, its stderr is ours" {
  export WITH='some value'
  start server mkfifo-sig sig sh -c 'echo "$WITH"; pwd; echo to stderr >&2
    echo "${LISTEN_FDS-none} ${NOTIFY_SOCKET-none}"'
  [ "$(ask)" = "some value
$PWD
none none" ]
  grep -qx 'to stderr' server.err
}

@test "a PROG that fails is logged; its reader has what it wrote, and a clean end" {
  start server mkfifo-sig sig sh -c './counter; exit 3'
  answers "answer 1"
  until_line server.err '^mkfifo-sig: run sh: exit status 3$'
  answers "answer 2"
  start killed mkfifo-sig killed sh -c 'kill -SEGV $$'
  [ -z "$(ask killed)" ]
  until_line killed.err '^mkfifo-sig: run sh: killed by signal 11$'
  start quiet mkfifo-sig -q quiet sh -c './counter; exit 3'
  [ "$(ask quiet)" = "answer 3" ]
  [ "$(ask quiet)" = "answer 4" ]
  [ ! -s quiet.err ]
}

@test "a PROG that can't be started any more: logged, a clean end, and served again once it can" {
  start server mkfifo-sig sig ./counter
  mv counter away
  answers ""
  until_line server.err '^mkfifo-sig: exec ./counter: No such file or directory$'
  mv away counter
  answers "answer 1"
}

# bats test_tags=long
@test "-t: PROG and its descendants are terminated, the reader gets what there was" {
  script slow './counter; setsid sh -c "echo pid \$\$ >&2; exec sleep infinity" & exec sleep infinity'
  start server mkfifo-sig -t 4 sig ./slow
  answers "answer 1"
  until_line server.err '^mkfifo-sig: run ./slow: the deadline passed$'
  until_true no_children "$server"
  local pid
  pid=$(sed -n 's/^pid //p' server.err)
  [ -n "$pid" ]
  until_true gone "$pid"
  # PROG that ignores TERM, too
  mkfifo go
  start other mkfifo-sig -t 4 other sh -c 'trap "" TERM; ./counter; while :; do read -r line <>go; done'
  [ "$(ask other)" = "answer 2" ]
  until_line other.err '^mkfifo-sig: run sh: the deadline passed$'
  until_true no_children "$other"
}

# said_twice PATTERN
said_twice() {
  [ "$(grep -c -e "$1" server.err)" -eq 2 ]
}

# bats test_tags=long
@test "-t in the middle of a long answer: the reader gets what there was" {
  start server mkfifo-sig -t 4 sig sh -c 'head -c 200000 /dev/zero; exec sleep infinity'
  [ "$(ask | wc -c)" -eq 200000 ]
  until_line server.err 'the deadline passed$'
  [ "$(ask | wc -c)" -eq 200000 ]
  until_true said_twice 'the deadline passed$' # its PROG is ended by then
}

@test "-d DELAY: the next answer comes no sooner" {
  start server mkfifo-sig -d 400ms sig date +%s.%N
  ask >moments
  ask >>moments
  ask >>moments
  awk 'NR > 1 && $1 - last < 0.4 { exit 1 } { last = $1 } END { exit NR != 3 }' moments
}
