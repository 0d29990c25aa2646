# What all launchers have in common: what they hold on to while PROG runs, and the signals that reach it.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# All launchers that start no program later, one a line; PROG follows.
launchers() {
  cat <<'LAUNCHERS'
deadline 1h
lockrun lock
reap
sigtrap USR1=ignore --
safepipe
safepipe other :::
open2
open2 --pty=both
open2 other :::
open3 --socketpair other :::
open2 --pty other :::
LAUNCHERS
}

# with_each FUNCTION: calls it for each launcher, whose words are in $launcher; it starts $launched.
with_each() {
  local words launcher
  script bin/other 'exec sleep infinity >&- 5>&-'
  while read -r words; do
    read -ra launcher <<<"$words"
    echo "$words"
    rm -f pid end
    "$1"
    finish "$launched"
  done < <(launchers)
}

# ---- what PROG gives up is free ----

# with_reader COMMAND...: the end of a FIFO, whose writer is fd 5 of COMMAND and of nobody else, is read by fd 6.
with_reader() {
  mkfifo end
  exec 8<>end 6<end
  "$@" 5>end 6<&- 8<&-
  exec 8<&-
}

closed_fd_ends() {
  script prog 'exec 5>&-; echo $$ >pid; exec sleep infinity'
  with_reader background launched "${launcher[@]}" ./prog
  timeout --foreground 60 cat <&6
  until_true test -s pid
  kill -0 "$(cat pid)"
}

@test "a pipe that PROG has closed has ended" {
  with_each closed_fd_ends
}

@test "a port that PROG has closed refuses" {
  need_perl IO::Socket::INET
  local port
  # shellcheck disable=SC2016
  script prog 'until [ -e closes ]; do read -t 0.01 <> <(:); done
    exec {LISTENER}<&-; echo $$ >pid; exec sleep infinity'
  background launched perl -MIO::Socket::INET -e '$^F = 99;
    $l = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
    open P, ">", "port.new"; print P $l->sockport, "\n"; close P; rename "port.new", "port";
    $ENV{LISTENER} = fileno $l; exec qw(reap deadline 1h sigtrap USR1=ignore lockrun lock ./prog)'
  until_true test -s port
  port=$(cat port)
  tcpclient 127.0.0.1 "$port" true
  touch closes
  is_refused_at() { run tcpclient 127.0.0.1 "$port" true; [[ $output == *"Connection refused" ]]; }
  until_true is_refused_at
  until_true test -s pid
  kill -0 "$(cat pid)"
  finish "$launched"
}

# at_null FD: of the launcher.
at_null() {
  [ "/proc/$launched/fd/$1" -ef /dev/null ]
}

stdio_ends() {
  script prog 'echo $$ >pid; exec sleep infinity'
  background launched "${launcher[@]}" ./prog
  until_true test -s pid
  [[ ${launcher[*]} != open2 && ${launcher[*]} != *both ]] || return 0 # it relays
  until_true at_null 1
  at_null 0
}

@test "stdin and stdout are /dev/null while PROG runs" {
  with_each stdio_ends
}

@test "stdin and stdout are /dev/null although the launcher had no descriptor left" {
  # 4 is the lock; a shell as PROG would lack one
  background launched sh -c 'exec <. 3<. 4<&- 5<&- && ulimit -n 5 && exec lockrun lock sleep infinity'
  until_true at_null 1
  at_null 0
  finish "$launched"
}

at_root() {
  [ "/proc/$launched/cwd" -ef / ] && [ "/proc/$launched/exe" -ef "$IPCBOX" ]
}

goes_to_root() {
  script prog 'echo $PWD >where; echo $$ >pid; exec sleep infinity'
  background launched "${launcher[@]}" ./prog
  until_true at_root
  until_true test -s pid
  [ "$(cat where)" = "$PWD" ]
}

@test "the directory is / while PROG runs, and PROG's is ours" {
  with_each goes_to_root
}

@test "a file system that PROG has left can be unmounted" {
  need_root
  unshare --mount true || skip "needs a mount namespace of its own"
  mkdir mnt
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 unshare --mount bash -c 'mount -t tmpfs none mnt
    cd mnt
    reap deadline 1h sigtrap USR1=ignore lockrun ../lock safepipe bash -c "cd ..; echo \$\$ >pid; exec sleep infinity" 3>&- &
    cd ..
    until [ -s pid ]; do read -rt 0.01 <> <(:); done
    until umount mnt 2>/dev/null; do read -rt 0.01 <> <(:); done
    kill "$(cat pid)"
    wait'
}

@test "where close_range(2) is missing, fds are closed one by one" {
  need strace strace
  script prog 'exec 5>&- 4>&- 9>&-; echo $$ >pid; exec sleep infinity'
  mkfifo end
  exec 8<>end 6<end
  background launched strace -f -qq -o trace -e trace=close_range -e inject=close_range:error=ENOSYS \
    sh -c 'exec 4>end 9>end; exec deadline --status-fd 7 1h ./prog 7>line' 6<&- 8<&-
  until_true test -s pid
  exec 8<&-
  timeout --foreground 60 cat <&6
  kill -KILL "$(cat pid)"
  ends_with 137 "$launched"
  grep -q INJECTED trace
  grep -q 'signal=9' line
}

@test "sigtrap that may start a program keeps what that is to inherit" {
  local action
  script handler 'readlink /proc/$$/fd/5 >handled.new; mv handled.new handled'
  for action in USR2=exec:./handler USR2=restart; do
    rm -f pid
    script prog 'readlink /proc/$$/fd/5 >found; echo $$ >>pid; exec sleep infinity'
    background launched sigtrap "$action" ./prog 5>kept
    until_true test -s pid
    [ "/proc/$launched/cwd" -ef . ]
    kill -USR2 "$launched"
    if [ "$action" = USR2=restart ]; then
      until_true has_lines 2 pid
      [ "$(cat found)" = "$PWD/kept" ]
    else
      until_true test -e handled
      [ "$(cat handled)" = "$PWD/kept" ]
    fi
    finish "$launched"
  done
}

# has_lines N FILE
has_lines() {
  [ "$(wc -l <"$2")" -eq "$1" ]
}

# ---- signals of faults ----

fault_signals_reach() {
  local signal
  background launched "${launcher[@]}" does note2 ILL note2 TRAP note2 ABRT note2 BUS note2 FPE note2 SEGV note2 SYS \
    to pid '%' to pid last sleep
  until_true grep -qs last pid
  for signal in ILL TRAP ABRT BUS FPE SEGV SYS; do
    kill -"$signal" "$launched"
    until_line launched.err "^$signal$"
  done
  finish "$launched"
}

@test "the signals of faults, when they are sent, reach PROG" {
  local launcher words
  while read -r words; do
    read -ra launcher <<<"$words"
    echo "$words"
    rm -f pid
    fault_signals_reach
  done < <(launchers | grep -v :::)
}

@test "PROG that aborts leaves its core, and its launcher none" {
  mkdir at
  local launcher
  cd at
  for launcher in "deadline 1h" reap "sigtrap USR1=ignore --" "lockrun ../lock"; do
    # shellcheck disable=SC2086
    background launched $launcher does to ../pid '%' sleep
    until_true test -s ../pid
    until_true at_root
    kill -ABRT "$launched"
    ends_with 134 "$launched"
    rm ../pid
  done
  [ ! -e /core ]
}

@test "a signal of a fault that was ignored stays ignored" {
  # shellcheck disable=SC2016
  run -0 bash -c 'trap "" ABRT; deadline 1h bash -c "kill -ABRT \$PPID; kill -USR1 \$PPID; sleep infinity"; [ $? = 138 ]'
}

@test "a script without #! gets all of its arguments, few or many, and with a name that begins with -" {
  printf 'echo "$#" "$1"\n' >plain
  chmod +x plain
  cp plain bin/-dash
  local n words
  for n in 1 2 20 600; do
    mapfile -t words < <(seq "$n")
    run -0 deadline 60 ./plain "${words[@]}"
    [ "$output" = "$n 1" ]
    (cd bin && PATH=:$PATH timeout --foreground 60 deadline 60 -dash "${words[@]}") >said
    [ "$(<said)" = "$n 1" ]
    run -0 safepipe ./plain "${words[@]}" ::: cat ::: cat
    [ "$output" = "$n 1" ]
  done
}
