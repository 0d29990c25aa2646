# open2 with one program: its stdin and stdout relayed to ours, whatever either side does.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# lines_of_size: how many lines of seq the test of size moves: 100 MiB, with IPCBOX_LONG 1 GiB.
lines_of_size() {
  [ "${IPCBOX_LONG:-}" = 1 ] && echo 119000000 || echo 13000000
}

@test "10 MiB both ways at once, through pipes, a socket and a terminal" {
  local way
  random_bytes 10485760 >data
  for way in '' --socketpair --pty; do
    # shellcheck disable=SC2086,SC2002 # none, or one; a pipe, not the file, is wanted
    cat data | timeout --foreground 100 open2 $way cat | cmp - data
  done
}

@test "10 MiB both ways at once, between files" {
  random_bytes 10485760 >data
  timeout --foreground 60 open2 cat <data >back
  cmp data back
  timeout --foreground 60 open2 --socketpair cat <data >>back
  cmp <(cat data data) back
}

@test "size does not matter: 100 MiB, or 1 GiB with IPCBOX_LONG=1" {
  local n
  n=$(lines_of_size)
  [ "$(seq "$n" | timeout --foreground 110 open2 cat | cksum)" = "$(seq "$n" | cksum)" ]
}

@test "a program that writes all before it reads, and one that reads all before it writes" {
  random_bytes 3000000 >data
  timeout --foreground 60 open2 sh -c 'cat data; cat' <data >back
  cmp <(cat data data) back
  timeout --foreground 60 open2 sh -c 'cat >kept; cat kept' <data >back
  cmp data back
}

@test "a program that never reads: its end is ours, with stdin still full or open" {
  run -0 timeout --foreground 60 bash -c 'yes | open2 true'
  run -5 timeout --foreground 60 bash -c 'yes | open2 sh -c "echo x; exit 5"'
  [ "$output" = x ]
  mkfifo open
  exec 9<>open
  run -5 timeout --foreground 60 open2 sh -c 'echo x; exit 5' <open
  [ "$output" = x ]
}

@test "a program that writes without end ends with its reader, by SIGPIPE, and nothing is left" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c 'open2 sh -c "echo \$\$ >pid; exec yes" </dev/null | head -n 1
    echo "${PIPESTATUS[0]}"'
  [ "$output" = $'y\n141' ]
  gone "$(cat pid)"
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 bash -c 'yes x | open2 sh -c "echo \$\$ >pid; exec cat" | head -n 1
    echo "${PIPESTATUS[1]}"'
  [ "$output" = $'x\n141' ]
  gone "$(cat pid)"
}

@test "a program that closes its stdout still gets its input" {
  random_bytes 1000000 >data
  run -6 timeout --foreground 60 open2 sh -c 'exec >&-; cat >got; exit 6' <data
  cmp got data
}

@test "a program that closes its stdin still gets its answer through" {
  run -0 timeout --foreground 60 bash -c 'yes | open2 sh -c "exec <&-; seq 200000" | tail -n 1'
  [ "$output" = 200000 ]
}

@test "a program that closes both and does not exit is terminated after -k: 124" {
  local way
  for way in '' --socketpair --pty --pty=both; do
    # shellcheck disable=SC2086 # none, or one
    run -124 timeout --foreground 20 open2 -k 0.1 $way actor ignore HUP pid pid close 0 close 1 sleep </dev/null
    [ "$output" = "open2: end actor: it did not exit by itself" ]
    gone "$(cat pid)"
  done
}

@test "-k: a child left behind that holds stdout does not keep us" {
  mkfifo open
  exec 9<>open
  # shellcheck disable=SC2016
  run -5 timeout --foreground 60 open2 -k 0.1 sh -c 'sleep infinity 2>/dev/null 3>&- 9>&- &
    echo $! >pid; echo answer; exit 5' <open
  [ "${lines[0]}" = answer ]
  [ "${lines[1]}" = "open2: read from sh: it has exited, but another process still holds its output open" ]
  kill -KILL "$(cat pid)" # it is none of ours
  until_true gone "$(cat pid)"
}

@test "the later output of a child left behind arrives" {
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 open2 sh -c '(while [ -e /proc/$$ ]; do sleep 0.01; done; seq 100000) & ' </dev/null
  [ "${lines[-1]}" = 100000 ]
  [ "${#lines[@]}" -eq 100000 ]
}

@test "a full disk: 111 and a message" {
  run -111 timeout --foreground 60 bash -c 'open2 seq 100000 </dev/null >/dev/full'
  [ "$output" = "open2: write stdout: No space left on device" ]
  run -111 timeout --foreground 60 bash -c 'yes | open2 cat >/dev/full'
  [ "$output" = "open2: write stdout: No space left on device" ]
}

@test "stdout gone where SIGPIPE is ignored: 111 and a message" {
  run -0 --separate-stderr timeout --foreground 60 bash -c 'trap "" PIPE
    { open2 yes </dev/null; echo "$?" >status; } | head -n 1'
  [ "$output" = y ]
  [ "$(cat status)" = 111 ]
  [ "${stderr_lines[0]}" = "open2: write stdout: Broken pipe" ]
}

@test "stdin that can't be read: 111 and a message" {
  run -111 timeout --foreground 60 bash -c 'open2 cat </'
  [ "$output" = "open2: read stdin: Is a directory" ]
}

@test "the program's status is ours; of the signal that killed it we die, too" {
  run -9 timeout --foreground 60 open2 sh -c 'cat; exit 9' <<<hello
  [ "$output" = hello ]
  local sig
  for sig in TERM KILL USR1 PIPE SEGV; do
    # shellcheck disable=SC2016
    run -0 how-it-ends open2 sh -c "kill -$sig \$\$" </dev/null
    [ "$output" = "exit 0 signal $(kill -l "$sig")" ]
  done
  [ -z "$(find . -name 'core*')" ]
}

@test "TERM, HUP and INT sent to us reach the program" {
  local sig
  for sig in TERM HUP INT; do
    background relay open2 actor put 'ready\n' await "$sig" put 'got it\n' exit 7
    until_line relay.out ready
    kill -"$sig" "$relay"
    ends_with 7 "$relay"
    [ "$(cat relay.out)" = $'ready\ngot it' ]
  done
}

@test "TERM where the program does not catch it: both are gone, killed by it" {
  # shellcheck disable=SC2016
  background relay open2 sh -c 'echo $$; exec sleep infinity'
  until_line relay.out .
  until_true asleep "$(cat relay.out)" sleep
  kill -TERM "$relay"
  ends_with 143 "$relay"
  gone "$(cat relay.out)"
}

@test "O_NONBLOCK is never set on the caller's stdin and stdout" {
  # shellcheck disable=SC2016 # flags: proc_pid_fdinfo(5); O_NONBLOCK is 04000
  run -0 timeout --foreground 60 bash -c 'yes | head -n 100000 | (open2 cat
    for fd in 0 1; do
      while read -r key value; do
        [ "$key" != flags: ] || echo "$((8#$value & 8#4000))" >&2
      done </proc/$BASHPID/fdinfo/$fd
    done) | cat >/dev/null'
  [ "$output" = $'0\n0' ]
}

@test "started with fds 0 to 2 closed: what needs none of them works, a stdin that can't be read is 111" {
  run -0 timeout --foreground 60 sh -c 'exec open2 sh -c "cat >got; echo there >>got" </dev/null >&- 2>&-'
  [ "$(cat got)" = there ]
  run -111 timeout --foreground 60 sh -c 'exec open2 sh -c "cat; echo ended >ended" <&- >&- 2>&-'
  [ "$(cat ended)" = ended ]
  # shellcheck disable=SC2016
  run -4 timeout --foreground 60 sh -c 'exec open2 tr a-z A-Z ::: sh -c "$1" <&- >&- 2>&-' '' \
    'echo hello >&7; exec 7>&-; cat <&6 >heard; exit 4'
  [ "$(cat heard)" = HELLO ]
}

@test "perl's IPC::Open2 drives open2, through which its lines come back" {
  need_perl IPC::Open2
  # shellcheck disable=SC2016
  run -0 timeout --foreground 60 perl -MIPC::Open2 -e '
    my $pid = open2(my $from, my $to, qw(open2 cat)); $to->autoflush(1);
    for (1 .. 100) { print $to "line $_\n"; my $back = <$from>; $back eq "line $_\n" or die "got $back" }
    close $to; die "more" if defined <$from>; waitpid $pid, 0; print "status $?\n"'
  [ "$output" = "status 0" ]
}
