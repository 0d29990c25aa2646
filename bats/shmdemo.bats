# shmdemo: perlipc's round trip, and segments that other programs share.

load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# stat_of NAME: a value that stat shows.
stat_of() {
  shmdemo stat "$key" | sed -n "s/^$1 //p"
}

@test "the round trip, line for line as perlipc's" {
  need_perl IPC::SysV
  "$PERL/perlipc-shm" | tr -d '\0' | sed 's/[0-9]*$/ID/' >perl.out
  run -0 --separate-stderr shmdemo
  [ -z "$stderr" ]
  [ "$(sed 's/[0-9]*$/ID/' <<<"$output")" = "$(cat perl.out)" ]
  [[ $output =~ ^shm\ key\ ([0-9]+)$'\n' ]]
  [ "${lines[4]}" = "deleting shm ${BASH_REMATCH[1]}" ]
}

@test "the round trip, line for line" {
  run -0 --separate-stderr shmdemo
  [ -z "$stderr" ]
  [[ $output =~ ^"shm key "([0-9]+)$'\n'"wrote: 'Message #1'"$'\n'"read : 'Message #1'"$'\n'swell$'\n'"deleting shm "([0-9]+)$ ]]
  [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
}

@test "a round trip of any size leaves nothing" {
  in_namespace 'for size in 60 2000 64k 1M 100M; do [ "$(shmdemo "$size" | tail -n 2 | head -n 1)" = swell ]; no_objects; done'
}

@test "a round trip that nobody can read says so, and leaves nothing" {
  in_namespace 'for out in /dev/full "&-"; do
      status=0; eval "shmdemo >$out" 2>err || status=$?
      [ "$status" -eq 111 ]; grep -q "^shmdemo: write stdout: " err; no_objects
    done'
}

@test "a signal in the midst of a round trip leaves nothing" {
  need strace strace
  in_namespace "$(declare -f signals_at)"'
    signals_at shmget "$1"; signals_at shmat "$1"' "$(every_signal)" shmdemo
}

@test "create: 0600 of zeros; -m, private, and one that is there" {
  run -0 shmdemo create "$key" 5000
  [ -z "$output" ]
  [ "$(stat_of size)" = 5000 ]
  [ "$(stat_of mode)" = 0600 ]
  shmdemo read "$key" | cmp - <(head -c 5000 /dev/zero)
  run -1 shmdemo create "$key" 5000
  [ "$output" = "shmdemo: create $key: it already exists" ]
  shmdemo rm "$key"
  run -0 shmdemo create -m 0640 "$key" 1k
  [ "$(stat_of mode)" = 0640 ]
  [ "$(stat_of size)" = 1024 ]
  shmdemo rm "$key"
  run -0 shmdemo --mode=4 create "$key" 1
  [ "$(ipcs -m | awk -v key="$key" '$1 == key { print $4 }')" -eq 4 ] # its owner may not look at it
  shmdemo rm "$key"
}

@test "the umask does not matter" {
  umask 0777
  shmdemo create "$key" 1
  [ "$(stat_of mode)" = 0600 ]
  shmdemo rm "$key"
}

@test "a segment on a server is refused, and why" {
  local call
  for call in "create redis:a 10" "write redis:a" "read redis:a/b" "stat redis:a" "rm redis:a"; do
    # shellcheck disable=SC2086 # words
    wrong_call shmdemo $call
    [[ $stderr == *"share memory: no server can hold it"* ]]
  done
  wrong_call shmdemo stat redis:
}

@test "private prints a name that the other commands know" {
  in_namespace 'one=$(shmdemo create private 10); two=$(shmdemo create private 10)
    [[ $one =~ ^id:[0-9]+$ && $one != "$two" ]]
    printf one | shmdemo write "$one"; printf two | shmdemo write "$two"
    [ "$(shmdemo read --length 3 "$one")" = one ]; [ "$(shmdemo read -l 3 "$two")" = two ]
    shmdemo rm "$one"; shmdemo rm "$two"'
}

@test "any bytes, of any size, come back as they were" {
  local size
  for size in 1 2 4095 4096 4097 5000 65536 65537 1000003; do
    random_bytes "$size" >in
    shmdemo create "$key" "$size"
    shmdemo write "$key" <in
    shmdemo read "$key" | cmp - in
    shmdemo rm "$key"
  done
  all_bytes >in
  shmdemo create "$key" 256
  shmdemo write "$key" < <(cat in)
  shmdemo read "$key" >out
  cmp in out
  shmdemo rm "$key"
}

# bats test_tags=long
@test "64 MiB, or 1 GiB with IPCBOX_LONG=1" {
  local mib=64
  [ "${IPCBOX_LONG:-}" != 1 ] || mib=1024
  shmdemo create "$key" "${mib}M"
  "$HELPERS/stream" segment "$mib" | shmdemo write "$key"
  shmdemo read "$key" | cmp - <("$HELPERS/stream" segment "$mib")
  # at its far end
  printf end | shmdemo write -o "$((mib * 1048576 - 3))" -l 3 "$key"
  [ "$(shmdemo read -o "$((mib * 1048576 - 3))" "$key")" = end ]
  shmdemo rm "$key"
}

@test "--offset and --length say which bytes, and touch no others" {
  shmdemo create "$key" 10
  printf 0123456789 | shmdemo write "$key"
  printf AB | shmdemo write --offset 3 --length 2 "$key"
  [ "$(shmdemo read "$key")" = 012AB56789 ]
  printf Z | shmdemo write -o 9 "$key"
  printf Y | shmdemo write -l 1 "$key"
  [ "$(shmdemo read "$key")" = Y12AB5678Z ]
  [ "$(shmdemo read -o 2 -l 4 "$key")" = 2AB5 ]
  [ "$(shmdemo read --offset=8 "$key")" = 8Z ]
  [ "$(shmdemo -o 1 read -l 1 "$key")" = 1 ]
  [ -z "$(shmdemo read -o 10 "$key")" ]
  [ -z "$(shmdemo read -l 0 "$key")" ]
  # input that ends early is what is written; input that goes on is left to the next
  printf cd | shmdemo write -o 1 "$key"
  [ "$(shmdemo read "$key")" = YcdAB5678Z ]
  printf efgh | { shmdemo write -o 5 -l 2 "$key" && [ "$(cat)" = gh ]; }
  [ "$(shmdemo read "$key")" = YcdABef78Z ]
  shmdemo write "$key" </dev/null
  shmdemo write -l 0 "$key" </dev/null
  [ "$(shmdemo read "$key")" = YcdABef78Z ]
  shmdemo rm "$key"
}

@test "nothing is read or written past the end" {
  local range
  shmdemo create "$key" 5000
  # its last page has 8192 - 5000 bytes more, and they are nobody's
  [ "$(shmdemo read "$key" | wc -c)" -eq 5000 ]
  for range in '-o 5001' '-l 5001' '-o 4999 -l 2' '-o 5000 -l 1' '-o 8192' '-o 4096 -l 4096' \
    '-o 4611686018427387904 -l 4611686018427387904' '-l 4611686018427387904' '-o 4611686018427387904'; do
    # shellcheck disable=SC2086 # words
    run -111 --separate-stderr shmdemo read $range "$key"
    [ -z "$output" ]
    [ "$stderr" = "shmdemo: read $key: the range exceeds the segment, which has 5000 bytes" ]
    # shellcheck disable=SC2086
    run -111 --separate-stderr shmdemo write $range "$key" < <(random_bytes 10000)
    [ "$stderr" = "shmdemo: write $key: the range exceeds the segment, which has 5000 bytes" ]
  done
  shmdemo read "$key" | cmp - <(head -c 5000 /dev/zero)
  run -111 shmdemo write -o 4990 "$key" < <(printf 'x%.0s' {1..11})
  [ "$output" = "shmdemo: write $key: the input does not fit: the rest was not written" ]
  [ "$(shmdemo read -o 4989 "$key" | tr '\0' .)" = .xxxxxxxxxx ]
  run -111 shmdemo write -l 4 "$key" < <(printf 'abc')
  [ "$output" = "shmdemo: write $key: the input is shorter than --length" ]
  shmdemo rm "$key"
}

@test "stdin or stdout that can't be used is an error" {
  shmdemo create "$key" 100
  run -111 shmdemo write "$key" <.
  [ "$output" = "shmdemo: read stdin: Is a directory" ]
  run -111 bash -c 'shmdemo write "$1" <&-' '' "$key"
  [ "$output" = "shmdemo: read stdin: Bad file descriptor" ]
  run -111 bash -c 'shmdemo read "$1" >&-' '' "$key"
  [ "$output" = "shmdemo: write stdout: Bad file descriptor" ]
  run -111 bash -c 'shmdemo read "$1" >/dev/full' '' "$key"
  [ "$output" = "shmdemo: write stdout: No space left on device" ]
  run -111 bash -c 'shmdemo stat "$1" >/dev/full' '' "$key"
  [ "$output" = "shmdemo: write stdout: No space left on device" ]
  shmdemo rm "$key"
}

@test "perl reads what shmdemo writes, and the other way round" {
  need_perl IPC::SysV
  round_trips_with "$PERL/segment"
}

@test "other programs read what shmdemo writes, and the other way round" {
  round_trips_with segment
}

# round_trips_with PROGRAM: one that has the commands of helper/segment.c
round_trips_with() {
  random_bytes 3000 >in
  shmdemo create "$key" 3000
  shmdemo write "$key" <in
  "$1" "$key" read 0 3000 | cmp - in
  tail -c 500 in | "$1" "$key" write 100
  shmdemo read -o 100 -l 500 "$key" | cmp - <(tail -c 500 in)
  shmdemo rm "$key"
  "$1" "$key" create 700
  [ "$(stat_of size)" = 700 ]
  head -c 700 in | shmdemo write "$key"
  "$1" "$key" read 0 700 | cmp - <(head -c 700 in)
  shmdemo rm "$key"
}

@test "a KEY is a number, a path as for ftok, or an identifier" {
  local word id
  mkdir dir
  shmdemo create "./dir:7" 10
  owns shmdemo ./dir:7
  segment "./dir:7" write 0 <<<text
  [ "$(shmdemo read -l 4 "$PWD/dir:7")" = text ]
  id=$(shmdemo stat ./dir:7 | sed -n 's/^id //p')
  word=$(shmdemo stat ./dir:7 | sed -n 's/^key //p')
  [ "$(shmdemo read -l 4 "id:$id")" = text ]
  [ "$(shmdemo read -l 4 "$word")" = text ]
  [ "$(shmdemo read -l 4 "$((word))")" = text ]
  run -111 shmdemo read ./dir:8
  run -111 shmdemo read ./dir
  shmdemo rm ./dir:7
  # without an ID it is 1; one character is its code
  shmdemo create ./dir 10
  owns shmdemo ./dir
  [ "$(shmdemo stat ./dir/:1 | sed -n 's/^key //p')" = "$(shmdemo stat ./dir | sed -n 's/^key //p')" ]
  shmdemo rm "./dir:$(printf '\1')"
  shmdemo create ./dir:A 10
  owns shmdemo ./dir:A
  shmdemo rm ./dir:65
  run -111 shmdemo create ./nothing:1 10
  [ "$output" = "shmdemo: ftok ./nothing: No such file or directory" ]
}

@test "stat: what other programs see, as text and as JSON" {
  local holder
  shmdemo create -m 0644 "$key" 4242
  [ "$(stat_of key)" = "$key" ]
  [ "$(stat_of attached)" = 0 ]
  [ "$(stat_of last_attach)" = never ]
  [ "$(stat_of uid)" = "$(id -u)" ]
  [ "$(stat_of gid)" = "$(id -g)" ]
  [ "$(ipcs -m | awk -v key="$key" '$1 == key { print $2, $4, $5 }')" = "$(stat_of id) 644 4242" ]
  mkfifo hold
  background holder bash -c 'exec "$@" <hold' '' segment "$key" hold
  exec {open}>hold
  until_line holder.out attached
  [ "$(stat_of attached)" = 1 ]
  [ "$(stat_of last_pid)" = "$holder" ]
  shmdemo stat --json "$key" >json
  flat_json <json | cmp - <(shmdemo stat "$key")
  grep -qE '"size":4242,.*"last_attach":"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}Z","last_detach":null,' json
  [ "$(wc -l <json)" -eq 1 ]
  # gone from its key at once, and from memory with the last who has it
  run -0 shmdemo rm "$key"
  [ "$output" = "shmdemo: remove $key: it is still attached (1): its memory is freed at the last detach" ]
  run -111 shmdemo stat "$key"
  exec {open}>&-
  ends_with 0 "$holder"
}

@test "what is not there: 111 and advice" {
  local call
  for call in stat read write rm; do
    run -111 shmdemo "$call" "$key" </dev/null
    [[ $output == "shmdemo: "*" $key: no such segment; 'shmdemo create' creates one" ]]
    run -111 shmdemo "$call" id:2147483647 </dev/null
    [[ $output == "shmdemo: "*" id:2147483647: Invalid argument: it no longer exists" ]]
  done
}

@test "another user: EACCES, EPERM" {
  need_other_user
  shmdemo create "$key" 100
  run -111 as_nobody shmdemo read "$key"
  [[ $output == "shmdemo: "*" $key: Permission denied: its mode denies access to this user" ]]
  run -111 as_nobody shmdemo stat "$key"
  run -111 as_nobody shmdemo rm "$key"
  [[ $output == "shmdemo: remove $key: Operation not permitted: only its owner, its creator and root may do that" ]]
  shmdemo rm "$key"
  shmdemo create -m 0604 "$key" 100
  printf hello | shmdemo write "$key"
  run -0 as_nobody shmdemo read -l 5 "$key"
  [ "$output" = hello ]
  run -111 as_nobody shmdemo write "$key" <<<no
  [[ $output == "shmdemo: attach $key: Permission denied: "* ]]
  [ "$(shmdemo read -l 5 "$key")" = hello ]
  shmdemo rm "$key"
}

@test "limits: ENOSPC, and a size that can't be" {
  need_own_limits
  in_namespace 'fails() { status=0; "$@" >out 2>&1 || status=$?; cat out; [ "$status" -eq 111 ]; }
    echo 1000000 >/proc/sys/kernel/shmmax
    fails shmdemo create 1 1000001
    grep -q "^shmdemo: create 1: Invalid argument: kernel.shmmax does not allow" out
    echo 1 >/proc/sys/kernel/shmmni
    shmdemo create 1 4096
    fails shmdemo create 2 4096
    grep -q "^shmdemo: create 2: No space left on device: .*ipcs -m.*kernel.shmmni" out
    fails shmdemo
    grep -q "^shmdemo: create private: No space left on device: " out
    shmdemo rm 1'
}

@test "usage errors do nothing" {
  local words
  while read -r words; do
    # shellcheck disable=SC2086 # words
    wrong_call shmdemo $words </dev/null
  done <<EOF
59
0
5x
-1
2000 1
nothing
--json
-m 0600
-o 1
create
create $key
create $key 0
create $key 5x
create $key -1
create $key 99999999999999999999
create $key 1 1
create -m 01000 $key 1
create -m 8 $key 1
create -m 0x1ff $key 1
create -o 1 $key 1
create --json $key 1
create private
create 0 1
create 4294967296 1
create 0x 1
create 0x0 1
create 0x100000000 1
create 0xg 1
create -- -5 1
create id:x 1
create id: 1
create some 1
create ./:0 1
create ./:256 1
create ./:xy 1
create ./: 1
write
read
stat
rm
stat private
rm private
read private
read $key 1
rm $key $key
stat -o 1 $key
stat -l 1 $key
rm --json $key
read --json $key
read -m 0600 $key
read -o -1 $key
read -o 1x $key
read -l $key
read --off 1 $key
--nothing
EOF
  wrong_call shmdemo ''
  wrong_call shmdemo create '' 1
  wrong_call shmdemo create "$key" ''
  no_objects "$key"
}
