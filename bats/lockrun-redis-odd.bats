# lockrun redis:NAME where something is odd: no memory, no rights, no descriptors, a terminal, a slow server, a strange NAME.

load helper/lease

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

@test "a server that is out of memory: the lease is renewed and given back; nobody new gets one" {
  local n
  server
  hold alone one --lease 2 redis:a
  cli CONFIG SET maxmemory 1 >reply
  for n in 1 2 3 4; do
    until_true renewed
  done
  run lockrun -n redis:b true
  [ "$status" -eq 111 ]
  [[ $output == *OOM* ]]
  finish "$one"
  [ "$status" -eq 143 ]
  cli CONFIG SET maxmemory 0 >reply
  run -0 lockrun -n redis:a true
}

@test "a user with the rights of the manual can do all of it, and none less" {
  local right rights='+@connection +info +eval +blpop +time +@sortedset +@hash +rpush +pexpire +del +exists +set +get +setnx'
  server
  # shellcheck disable=SC2086 # words
  cli ACL SETUSER ann on '>sesame' '~ipcbox:*' $rights >reply
  REDIS_URL=unix://ann:sesame@$redis_path
  hold alone one redis:a
  background two lockrun redis:a echo yes
  until_true waits 1
  run -0 lockrun --who redis:a
  finish "$one"
  ends_with 0 "$two"
  run -0 semset create --value 2 redis:b
  run -0 semtake -c redis:b semset set redis:b 0 3
  run -0 semset rm redis:b
  for right in eval info blpop; do
    cli ACL SETUSER ann "-$right" >reply
    run lockrun -t 60 redis:a true
    [ "$status" -eq 111 ] || [ "$right" = blpop ]
    [[ $output == *NOPERM* ]] || [ "$right" = blpop ]
    cli ACL SETUSER ann "+$right" >reply
  done
}

@test "a NAME of any bytes is one name" {
  local name long
  server
  long=$(printf '%0255d' 0)
  for name in '{a}' 'a}' '}' '{' $'new\nline' $'\xff\xfe' '*' 'a:held' "$long"; do
    run -0 lockrun -n "redis:$name" sh -c 'lockrun -n "$0" true; echo $?; lockrun -n redis:a echo other; lockrun --who "$0"' "redis:$name"
    [ "${lines[1]}" = 1 ]
    [ "${lines[2]}" = other ]
    [[ ${lines[3]} == *' sh '* ]]
  done
  wrong_call lockrun "redis:${long}0" true
}

@test "^Z stops PROG, not the renewals; fg goes on" {
  server
  # the shell gives the terminal away, then continues it: not before that is ^C for it
  script prog 'trap "echo continued" CONT; echo runs; while :; do read -rt 1 <> <(:); done'
  # a lease and a half later it is still held
  script later 'read -rt 6 <> <(:); lockrun -n redis:a true; echo got=$?'
  at_terminal 'ready> ' 'lockrun --lease 4 redis:a ./prog\n' 'runs\r' '\cZ' 'Stopped' '' 'ready> ' './later\n' '^got=1' '' \
    'ready> ' 'fg\n' 'continued' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
  [[ $output == *s=130* ]]
  run -0 lockrun -n redis:a true
}

@test "^C and HUP from a terminal reach PROG once, and the lock is free" {
  server
  script prog 'trap "echo int; exit 3" INT; echo runs; while :; do read -rt 1 <> <(:); done'
  at_terminal 'ready> ' 'lockrun redis:a ./prog; echo s=\$?\n' 'runs\r' '\cC' '^s=3' '' 'ready> ' 'exit 0\n'
  [ "$(grep -c 'int$' <<<"$output")" -eq 1 ]
  run -0 lockrun -n redis:a true
}

@test "facts are asked for once a connection, however long it waits" {
  server
  hold alone one --lease 6 redis:a
  background two lockrun --lease 1 redis:a echo yes
  until_true waits 1
  background seen redis-cli -s "$redis_path" MONITOR
  # the holder's renewals are every two seconds
  until_true eval '[ "$(grep -c \"EVAL\" seen.out)" -ge 8 ]'
  kill "$seen"
  run ! grep -q '"INFO"' seen.out
  finish "$one"
  ends_with 0 "$two"
}

@test "a server that forgets is doubted by one that waited, too" {
  redis_up
  run -0 lockrun --lease 1 redis:a true # it has run for that long
  hold alone one --lease 1 redis:a
  background two lockrun --lease 3 redis:a sh -c 'redis-cli -s redis.sock INFO server | grep uptime_in_seconds'
  until_true waits 1
  redis_stop KILL
  ends_with 111 "$one"
  redis_up
  ends_with 0 "$two"
  [[ $(cat two.out) != *:[0-2]? ]]
}

# An answer that takes longer than a third of the lease: too little of it would be left.
@test "a server that is slow: what comes too late is not used, and -n does not try again" {
  server
  need_perl IO::Socket::UNIX
  # answers take half a second more
  script relay 'exec perl -MIO::Socket::UNIX -e "
    my \$l = IO::Socket::UNIX->new(Local => shift, Listen => 5) or die;
    print STDERR qq(ready\n);
    \$SIG{CHLD} = qq(IGNORE);
    while (1) {
      my \$c = \$l->accept or next;
      my \$s = IO::Socket::UNIX->new(Peer => \$ARGV[0]) or die;
      if (fork) { close \$c; next }
      my (\$in, \$out) = fork ? (\$c, \$s) : (\$s, \$c);
      while (sysread(\$in, my \$b, 65536)) { select(undef, undef, undef, 0.5) if \$in == \$s; syswrite(\$out, \$b) }
      shutdown(\$out, 1);
      exit
    }" slow.sock "$1"'
  background relay ./relay "$redis_path"
  until_line relay.err ready
  REDIS_URL=unix://$PWD/slow.sock run lockrun -n --lease 1 redis:a echo no
  [ "$status" -eq 111 ]
  [ "$output" = "lockrun: ask unix://$PWD/slow.sock: its answers come too late for this lease" ]
  REDIS_URL=unix://$PWD/slow.sock run lockrun --lease 1 redis:b echo no
  [ "$status" -eq 111 ]
  REDIS_URL=unix://$PWD/slow.sock run -0 lockrun --lease 30 redis:b echo yes
}

@test "without a descriptor to spare, and where pidfds are refused, the lock is kept and lost alike" {
  server
  script few 'ulimit -S -n 6; exec "$@"'

  background one ./few lockrun --lease 2 redis:a sh -c "ulimit -S -n 100; $family"
  until_true test -s running
  until_true renewed
  until_true renewed
  kill -KILL "$one"
  lockrun -t 60 redis:a true
  no_family
  rm running
  background two denying 1 lockrun redis:a sh -c "$family"
  until_true test -s running
  kill -KILL "$two"
  lockrun -t 60 redis:a true
  no_family
}

@test "nobody reads the messages: PROG is ended in time all the same" {
  server
  mkfifo nobody
  exec 7<>nobody
  dd if=/dev/zero of=/proc/self/fd/7 bs=4096 count=64 oflag=nonblock status=none || :
  rm -f running
  lockrun --lease 2 redis:a sh -c "$family" 2>&7 3>&- 7>&- &
  local one=$!
  started+=("$one")
  until_true test -s running
  cli DEL 'ipcbox:{a}:held' >reply
  ends_with 111 "$one"
  no_family
}

@test "a process that PROG leaves behind goes on without the lock" {
  server
  run -0 lockrun redis:a sh -c 'mkfifo left; setsid sh -c "echo \$\$ >left; exec sleep 1000" >/dev/null 2>&1 3>&- & cat left'
  run -0 lockrun -n redis:a true
  local pid=${lines[0]}
  kill -KILL "$(cd /proc && for pid in [0-9]*; do [ "$(readlink "$pid/cwd")" = "$BATS_TEST_TMPDIR" ] && [ "$(cat "$pid/comm")" = sleep ] && echo "$pid"; done)"
}

@test "a replica, a cluster, a wrong password: an error at once, or the deadline and the reason" {
  server
  cli REPLICAOF 127.0.0.1 1 >reply
  run lockrun -t 1 redis:a true
  [ "$status" -eq 124 ]
  [[ $output == *READONLY* ]]
  run lockrun -n redis:a true
  [ "$status" -eq 111 ]
  cli REPLICAOF no one >reply
  cli CONFIG SET requirepass sesame >reply
  run lockrun redis:a true
  [ "$status" -eq 111 ]
  [[ $output == *NOAUTH*REDIS_URL* ]]
  redis_stop
  liar say '-MOVED 3999 127.0.0.1:6381\r\n-MOVED 3999 127.0.0.1:6381\r\n-MOVED 3999 127.0.0.1:6381\r\n-MOVED 3999 127.0.0.1:6381\r\n'
  run lockrun redis:a true
  [ "$status" -eq 111 ]
  [[ $output == *MOVED*Cluster* ]]
}

# What no lease prevents, and what the fence is for.
@test "both processes are stopped past the lease: two programs run, and the store refuses the first, by its fence" {
  need flock util-linux
  server
  # store FENCE TEXT: nothing with a smaller fence than it has seen
  script store 'exec 9>>store.lock; flock 9; [ "$1" -ge "$(cat store.fence 2>/dev/null || echo 0)" ] || exit 1
    echo "$1" >store.fence; echo "$2" >>stored'
  script prog './store "$IPCBOX_FENCE" "first of $1"; echo $$ >"running.$1"; waitfor -q file "go.$1"
    ./store "$IPCBOX_FENCE" "second of $1"; echo $? >"status.$1"; exec sleep 1000'
  background one lockrun --lease 2 redis:a ./prog one
  until_true test -s running.one
  keeper=$(cat "/proc/$one/task/$one/children")
  kill -STOP "$one" "$keeper"
  background two lockrun --lease 2 redis:a ./prog two
  until_true test -s running.two
  kill -0 "$(cat running.one)" # the overlap
  touch go.one
  until_true test -s status.one
  [ "$(cat status.one)" = 1 ]
  touch go.two
  until_true test -s status.two
  [ "$(cat status.two)" = 0 ]
  [ "$(cat stored)" = "first of one
first of two
second of two" ]
  # they go on: it is too late, and they know
  kill -CONT "$keeper" "$one" # in this order: one of them ends the other
  ends_with 111 "$one"
  until_true gone "$(cat running.one)"
  kill -0 "$(cat running.two)"
  finish "$two"
}

@test "what was asked for and comes late, after the lease was given back, takes nothing, nor a place in the queue" {
  local words
  server
  background monitor redis-cli -s "$redis_path" MONITOR
  until_line monitor.out OK
  run -0 lockrun redis:a true
  cli ECHO seen >reply
  until_true grep -q '"ECHO" "seen"' monitor.out
  words=$(sed -n 's/^[0-9.]* \[[^]]*unix:[^]]*\] \("EVAL".*\)$/\1/p' monitor.out)
  [ "$(wc -l <<<"$words")" -eq 2 ] # take, give
  head -n 1 <<<"$words" | redis-cli -s "$redis_path" >late
  [ "$(head -n 1 late)" = 0 ]
  [ "$(cli ZCARD 'ipcbox:{a}:held')$(cli ZCARD 'ipcbox:{a}:wait')" = 00 ]
  run -0 lockrun -n redis:a true
}

@test "TERM ends who waits, also if it was ignored and blocked at the start; a program has it as it was" {
  local odd='env --ignore-signal=TERM --block-signal=TERM' look waiter
  server
  hold alone one redis:a
  msgsend redis:q one
  for waiter in 'lockrun redis:a true' 'lockrun -s redis:a true' 'lockrun --for $one redis:a' 'semtake redis:a true' 'semtake --lease 9 redis:a' \
    'msgsend --max-length 1 redis:q two'; do
    eval "background two $odd $waiter"
    case $waiter in
      msgsend*) until_true eval '[[ $(cli CLIENT LIST) == *cmd=eval* ]]' ;;
      *) until_true waits 1 ;;
    esac
    finish "$two"
    [ "$status" -eq 143 ]
    waits 0
  done
  finish "$one"
  look='grep -E "^Sig(Blk|Ign)" /proc/self/status'
  for waiter in 'lockrun redis:a' 'semtake redis:a' 'msgrecv -n 1 redis:q'; do
    # shellcheck disable=SC2086 # words
    run -0 $odd $waiter sh -c "$look"
    [ "$output" = "$($odd sh -c "$look")" ]
  done
}

@test "an answer that none of the scripts gives is an error, by name" {
  local applet
  for applet in 'lockrun redis:a true' 'semtake redis:a true' 'msgsend redis:a x' 'msgdemo create redis:a'; do
    liar say '+x\r\n+x\r\n+x\r\n+x\r\n'
    # shellcheck disable=SC2086 # words
    run -111 timeout --foreground 30 $applet
    kill "$liar"
    [[ $output == *'ask redis://'*': '?* ]] || {
      echo "$applet: $output" >&2
      return 1
    }
  done
}

# There, the keeper is process 1 of a namespace of which we are not.
@test "unshare --pid lockrun: the lock is renewed, given back, and lost with the keeper" {
  local pid=(unshare --map-root-user --pid)
  "${pid[@]}" sh -c true 2>/dev/null || skip "needs a user namespace and a PID namespace"
  server
  background one "${pid[@]}" lockrun --lease 2 redis:a sh -c 'echo $$ >running; until [ -e go ]; do sleep 0.1; done; exit 3'
  until_true test -s running
  [ "$(cat running)" -lt 10 ] # it is a namespace of its own
  until_true renewed
  until_true renewed
  run -1 lockrun -n redis:a true
  touch go
  ends_with 3 "$one"
  run -0 lockrun -n redis:a true
  rm -f running go
  holder=unshare hold alone one --map-root-user --pid lockrun redis:a
  kill -KILL "$keeper"
  ends_with 111 "$one"
  run -0 lockrun -n redis:a true
}
