# safepipe while it runs: deadlines and descendants, signals, ids, and what programs find as the caller left it.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# told STAGE FIELD: its last value in the file `told`, where --status-fd wrote
told() {
  grep "^stage=$1 " told | tail -n 1 | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# ---- deadlines ----

# all_gone DIR: a brood that had settled there is gone
all_gone() {
  local name
  for name in child session orphan hidden parent; do
    [ -s "$1/$name" ]
    gone "$(cat "$1/$name")"
  done
}

@test "-t: all programs and their descendants are ended, wherever they hide, and the status is 124" {
  mkdir one two
  with_time "$(echo {one,two}/{child,session,orphan,hidden,parent})" -124 --separate-stderr timeout --foreground 60 \
    safepipe -t @T@ -k 50 --status-fd 9 "$HELPERS/brood" one ::: sleep 1000 ::: "$HELPERS/brood" two 9>>told
  ((SECONDS < 30))
  [ "$stderr" = "safepipe: end the pipeline: the deadline passed" ]
  all_gone one
  all_gone two
  gone "$(told 1 pid)"
  [ "$(told 1 signal)" = 15 ]
}

@test "-k: who is deaf to TERM is killed after that" {
  mkdir deaf
  with_time "$(echo deaf/{child,session,orphan,hidden,parent})" -124 timeout --foreground 60 \
    safepipe -t @T@ -k 200ms --status-fd 9 "$HELPERS/brood" deaf stay deaf 9>>told
  ((SECONDS < 30))
  all_gone deaf
  [ "$(told 0 signal)" = 9 ]
}

@test "-k: who hears TERM has that time to end in its own way, and safepipe does not wait longer than it needs" {
  with_time ready -124 timeout --foreground 60 safepipe -t @T@ -k 1h perl -e '
    $SIG{TERM} = sub { select undef, undef, undef, 0.2; open my $f, ">", "tidy"; exit };
    open my $ready, ">", "ready"; syswrite $ready, "ready"; sleep while 1'
  ((SECONDS < 30))
  [ -e tidy ]
}

@test "-t: a stopped program is ended, too" {
  with_time ready -124 timeout --foreground 60 safepipe -t @T@ -k 1h --status-fd 9 \
    sh -c 'echo >ready; kill -STOP $$' 9>>told
  ((SECONDS < 30))
  [ "$(told 0 signal)" = 15 ]
  gone "$(told 0 pid)"
}

@test "-t 0 ends the pipeline at once" {
  run -124 timeout --foreground 60 safepipe -t 0 --status-fd 9 sleep 1000 ::: sleep 1000 9>told
  gone "$(told 0 pid)"
  gone "$(told 1 pid)"
}

@test "-t: a pipeline that ends in time leaves its descendants alone, and has its own status" {
  mkdir left
  local name
  run -3 timeout --foreground 60 safepipe -t 60 "$HELPERS/brood" left leave ::: sh -c 'cat; exit 3'
  for name in child session orphan hidden; do
    kill -0 "$(cat left/$name)"
    kill -KILL "$(cat left/$name)"
  done
}

@test "-t: children that who exec'd safepipe had are not safepipe's to end" {
  run -124 timeout --foreground 60 sh -c 'sleep 1000 3>&- >/dev/null 2>&1 & echo $! >stranger
    exec safepipe -t 300ms sleep 1000'
  kill -0 "$(cat stranger)"
  kill -KILL "$(cat stranger)"
}

# ---- signals ----

# have_become NAME PID COUNT: so many children of PID run NAME by now
have_become() {
  local child children count=0
  read -r -a children </proc/"$2"/task/"$2"/children
  for child in "${children[@]}"; do
    [ "$(cat /proc/"$child"/comm)" != "$1" ] || count=$((count + 1))
  done
  ((count == $3))
}

@test "a signal sent to safepipe reaches every program, and the status is 128+N" {
  local row name number
  for row in HUP:1 INT:2 QUIT:3 USR1:10 ALRM:14 TERM:15 RTMIN+2:36; do
    name=${row%:*} number=${row#*:}
      background pipe safepipe --status-fd 9 sh -c 'ulimit -c 0; exec sleep 1000' ::: \
      sh -c 'ulimit -c 0; exec sleep 1000' 9>told
    until_true have_become sleep "$pipe" 2
    kill -"$name" "$pipe"
    ends_with $((128 + number)) "$pipe"
    [ "$(told 0 signal)" = "$number" ]
    [ "$(told 1 signal)" = "$number" ]
    [ "$(told 1 timed_out)" = 0 ]
  done
}

@test "a program that takes the signal goes on, and its status counts" {
  background pipe safepipe perl -e '$SIG{TERM} = sub { print STDERR "heard\n"; exit 7 }; print STDERR "up\n";
    sleep while 1'
  until_line pipe.err up
  kill -TERM "$pipe"
  ends_with 7 "$pipe"
  [ "$(cat pipe.err)" = $'up\nheard' ]
}

@test "a signal that comes twice reaches the program twice" {
  background pipe safepipe perl -e '$SIG{USR1} = sub { print STDERR "heard ", ++$n, "\n" }; print STDERR "up\n";
    select undef, undef, undef, 0.01 until $n == 2'
  until_line pipe.err up
  kill -USR1 "$pipe"
  until_line pipe.err 'heard 1'
  kill -USR1 "$pipe"
  ends_with 0 "$pipe"
  [ "$(grep -c heard pipe.err)" -eq 2 ]
}

# signals_in FILE: mask and dispositions, of a copy of /proc/self/status
signals_in() {
  grep -E '^Sig(Blk|Ign|Cgt)' "$1"
}

@test "mask and dispositions are the caller's in every program, but SIGPIPE is at its default" {
  local ignored='--ignore-signal=INT,CHLD,ALRM,WINCH,RTMIN+5' blocked='--block-signal=USR1,TERM,RTMIN+3,CHLD,HUP'
  local as_caller=(env --default-signal "$ignored" "$blocked")
  "${as_caller[@]}" cp /proc/self/status direct
  # timeout, which changes some, stands before
  timeout --foreground 60 "${as_caller[@]}" safepipe -t 60 cp /proc/self/status 0 ::: cp /proc/self/status 1 \
    ::: cp /proc/self/status 2
  signals_in direct
  [ "$(signals_in 0)" = "$(signals_in direct)" ]
  [ "$(signals_in 1)" = "$(signals_in direct)" ]
  [ "$(signals_in 2)" = "$(signals_in direct)" ]
  # something is there to be seen
  [[ $(signals_in direct) != *$'SigIgn:\t0000000000000000'* ]]
  [[ $(signals_in direct) != *$'SigBlk:\t0000000000000000'* ]]
  rm -f direct 0 1
  env --default-signal cp /proc/self/status direct
  env --default-signal --ignore-signal=PIPE safepipe cp /proc/self/status 0 ::: cp /proc/self/status 1
  [ "$(signals_in 0)" = "$(signals_in direct)" ]
  [ "$(signals_in 1)" = "$(signals_in direct)" ]
}

@test "SIGPIPE that is ignored: an endless program ends all the same" {
  run -0 timeout --foreground 60 env --ignore-signal=PIPE safepipe yes ::: head -n 1
  [ "$output" = y ]
}

@test "SIGCHLD that is ignored or blocked: ends are seen all the same" {
  run -7 timeout --foreground 60 env --ignore-signal=CHLD safepipe true ::: sh -c 'exit 7'
  run -7 timeout --foreground 60 env --block-signal safepipe true ::: sh -c 'exit 7'
}

@test "SIGINT that was ignored is ignored by safepipe, too" {
  background pipe env --ignore-signal=INT safepipe sleep 1000 ::: cat
  until_true have_become cat "$pipe" 1
  kill -INT "$pipe"
  kill -TERM "$pipe"
  ends_with 143 "$pipe"
}

# ---- what programs inherit ----

@test "programs have the caller's fds and no more" {
  cat >bin/fds <<'PROG'
#!/bin/sh
exec perl -e 'my @fds = grep { -l "/proc/self/fd/$_" } 0 .. 255; open my $f, ">", $ARGV[0]; print $f "@fds\n"' "$1"
PROG
  chmod +x bin/fds
  exec 9</dev/null 40>/dev/null
  fds direct
  timeout --foreground 60 safepipe -t 60 -i /dev/null -o out fds 0 ::: fds 1 ::: fds 2
  [[ $(cat direct) == *" 9 "*40* ]]
  [ "$(cat 0)" = "$(cat direct)" ]
  [ "$(cat 1)" = "$(cat direct)" ]
  [ "$(cat 2)" = "$(cat direct)" ]
}

@test "process substitution reaches every program" {
  run -0 timeout --foreground 60 safepipe cat <(echo one) ::: cat - <(echo two) ::: cat - <(echo three)
  [ "$output" = $'one\ntwo\nthree' ]
}

@test "started with fds 0 to 2 closed: pipes and files are where they belong, and what was closed stays closed" {
  local script='for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && printf %s "$fd" >>'
  safepipe sh -c "$script 0; done; :" ::: sh -c "$script 1; done; :" ::: sh -c "$script 2; done; :" <&- >&- 2>&-
  [ "$(cat 0)" = 1 ]
  [ "$(cat 1)" = 01 ]
  [ "$(cat 2)" = 0 ]
  echo hello >in
  safepipe -i in -o out cat ::: tr a-z A-Z <&- >&- 2>&-
  [ "$(cat out)" = HELLO ]
  run -124 timeout --foreground 60 sh -c 'exec safepipe -t 200ms sleep 1000 ::: sleep 1000 <&- >&- 2>&-'
}

@test "LISTEN_PID is rewritten for each program when it was ours, and left when not" {
  local check='[ "$LISTEN_PID" = $$ ] && [ "$LISTEN_FDS" = 2 ]'
  run -0 timeout --foreground 60 sh -c 'export LISTEN_PID=$$ LISTEN_FDS=2; exec safepipe "$@"' '' \
    sh -c "$check" ::: sh -c "$check" ::: sh -c "$check"
  run -0 env LISTEN_PID=1 LISTEN_FDS=2 safepipe sh -c 'echo $LISTEN_PID' ::: sh -c 'cat; echo $LISTEN_PID'
  [ "$output" = $'1\n1' ]
  run -0 env -u LISTEN_PID safepipe sh -c 'echo ${LISTEN_PID-none}'
  [ "$output" = none ]
}

@test "programs stay in the caller's process group and session, and are safepipe's children" {
  local look='read -r -a stat </proc/$$/stat; echo "${stat[*]:4:2}"; echo "$PPID" >&2'
  run -0 --separate-stderr timeout --foreground 60 bash -c '
    read -r -a stat </proc/$$/stat; echo "${stat[*]:4:2}"; echo $$ >&2; exec safepipe "$@"' '' \
    bash -c "$look" ::: bash -c "cat; $look"
  [ "${#lines[@]}" -eq 3 ]
  [ "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" -eq 1 ]
  [ "$(printf '%s\n' "${stderr_lines[@]}" | sort -u | wc -l)" -eq 1 ]
}

# ---- stdin and stdout belong to the programs ----

@test "who writes to stdin gets SIGPIPE once the first program has ended" {
  mkfifo source hold
  env --default-signal=PIPE yes >source 3>&- &
  started+=("$!")
  local writer=$!
  safepipe true ::: cat hold <source >/dev/null 3>&- &
  started+=("$!")
  local pipe=$!
  ends_with 141 "$writer"
  kill -0 "$pipe"
  echo >hold
  ends_with 0 "$pipe"
  run -0 timeout --foreground 60 bash -c 'yes | safepipe true; echo "${PIPESTATUS[*]}"'
  [ "$output" = "141 0" ]
}

@test "who reads stdout sees its end once the last program has ended" {
  mkfifo sink hold
  safepipe cat hold ::: echo last >sink 3>&- </dev/null &
  started+=("$!")
  local pipe=$!
  run -0 timeout --foreground 60 cat sink
  [ "$output" = last ]
  kill -0 "$pipe"
  # cat would die of SIGPIPE, which is no failure
  echo >hold
  ends_with 0 "$pipe"
}

# ---- ids ----

# ids_in FILE: real, effective, saved and file system ids, and groups
ids_in() {
  grep -E '^(Uid|Gid|Groups):' "$1"
}

@test "-u, -g: every program has the user's ids and groups, and no way back" {
  need_root
  need setpriv util-linux
  local show=(grep -E '^(Uid|Gid|Groups):' /proc/self/status) want
  local both=("${show[@]}" ::: sh -c 'cat; exec grep -E "^(Uid|Gid|Groups):" /proc/self/status')
  want=$(setpriv --reuid nobody --regid nogroup --init-groups "${show[@]}")
  run -0 timeout --foreground 60 safepipe -u nobody "${both[@]}"
  [ "$output" = "$want"$'\n'"$want" ]
  want=$(setpriv --reuid daemon --regid bin --groups bin "${show[@]}")
  run -0 timeout --foreground 60 safepipe --user "$(id -u daemon):bin" "${show[@]}"
  [ "$(grep -v ^Groups <<<"$output")" = "$(grep -v ^Groups <<<"$want")" ]
  run -0 timeout --foreground 60 safepipe -u 4242:4343 "${both[@]}"
  want=$(setpriv --reuid 4242 --regid 4343 --groups 4343 "${show[@]}")
  [ "$output" = "$want"$'\n'"$want" ]
  run -0 timeout --foreground 60 safepipe -g 4343 -u 4242 "${both[@]}"
  [ "$output" = "$want"$'\n'"$want" ]
  run -0 timeout --foreground 60 safepipe -g 4343 "${show[@]}"
  [ "$output" = "$(setpriv --regid 4343 --groups 4343 "${show[@]}")" ]
  # safepipe's own, too
  background pipe safepipe -u nobody sleep 1000 ::: cat
  until_true have_become cat "$pipe" 1
  [ "$(ids_in /proc/"$pipe"/status)" = "$(setpriv --reuid nobody --regid nogroup --init-groups "${show[@]}")" ]
  finish "$pipe"
}

# names are relative: nobody can't get at the test's directory from above

@test "-u: files are opened, and programs looked up, by that user" {
  need_root
  mkdir -m 777 open
  mkdir -m 700 secret
  chmod 755 .
  echo kept >mine
  chmod 600 mine
  cp "$(type -P true)" secret/prog
  local option
  for option in -i -o -a; do
    run -111 timeout --foreground 60 safepipe -u nobody "$option" mine touch open/ran
    [ "$output" = "safepipe: open mine: Permission denied" ]
  done
  [ "$(cat mine)" = kept ]
  run -111 timeout --foreground 60 safepipe -u nobody -o new touch open/ran
  [ ! -e new ]
  run -126 timeout --foreground 60 safepipe -u nobody -o open/out secret/prog
  [ ! -e open/ran ]
  [ ! -e open/out ]
  safepipe -u nobody -o open/out echo hello
  [ "$(stat -c %U open/out)" = nobody ]
  [ "$(cat open/out)" = hello ]
}

@test "-u, -g: one that can't be had is fatal before anything is opened" {
  need_root
  need setpriv util-linux
  need strace strace
  chmod 777 .
  cp "$IPCBOX" ipcbox
  chmod 755 ipcbox
  local as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups ./ipcbox safepipe)
  run -111 timeout --foreground 60 "${as_nobody[@]}" -u root -o new touch ran
  [ "$output" = "safepipe: change user: Operation not permitted" ]
  run -111 timeout --foreground 60 "${as_nobody[@]}" -g root -o new touch ran
  # a number that no user has, and no group given
  run -111 timeout --foreground 60 safepipe -u 4242 -o new touch ran
  run -111 timeout --foreground 60 strace -qq -o trace -e trace=setresuid -e inject=setresuid:error=EAGAIN \
    safepipe -u nobody -o new touch ran
  [ ! -e new ]
  [ ! -e ran ]
  # who is that user already may say so
  run -0 timeout --foreground 60 "${as_nobody[@]}" -u nobody -o new touch ran
  [ -e new ]
  [ -e ran ]
}
