# `ipcbox status`: which processes are ours, and what is shown of them.

load helper/common
load helper/peers

setup() {
  common_setup
  box=$BATS_TEST_TMPDIR/box # of this test alone: the machine is full of others
  cp "$IPCBOX" "$box"
}

teardown() {
  teardown_with_programs
}

# ours MEMBER...: those members of the records of the processes that run $box, a line each.
ours() {
  "$IPCBOX" status >status.out || return
  json-values executable "$@" <status.out >values || return
  sed -n "s|^$box ||p" values
}

# of TYPE PID MEMBER...: those of the records of that type and process.
of() {
  "$IPCBOX" status >status.out || return
  json-values type pid "${@:3}" <status.out >values || return
  sed -n "s/^$1 $2 //p" values
}

# as_nobody COMMAND...: its $0 is COMMAND's name, its file fd 9. (before=(background VAR): there.)
as_nobody() {
  "${before[@]}" setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups bash -c 'exec -a "$0" /proc/self/fd/9 "$@"' "$@"
}

need_other_user() {
  need_root
  need setpriv util-linux
}

# runs PID FILE: that process has executed that file.
runs() {
  [ "$(readlink /proc/"$1"/exe)" = "$2" ]
}

# is_shown PID
is_shown() {
  ours pid >pids && grep -qx "$1" pids
}

# ---- the command ----

@test "status has no link and is in no list, and is in the overview, in help and in the suggestions" {
  [ ! -e "$BATS_FILE_TMPDIR/links/status" ]
  run ! grep -qx status <("$IPCBOX" --list)
  grep -qx '       ipcbox status \[OPTION\]\.\.\.' <("$IPCBOX")
  run -0 "$IPCBOX" status --help
  [[ $output == "Usage: ipcbox status [OPTION]..."*"ipcbox-status(1)"* ]]
  [ "$output" = "$("$IPCBOX" --help status)" ]
  run -127 --separate-stderr "$IPCBOX" statsu
  [[ $stderr == *"did you mean status?" ]]
  ln -s "$IPCBOX" my-status # a link of somebody's own is not taken for it
  run -0 ./my-status --list
  [[ $output == *tcpserver* ]]
}

@test "a usage error is 100" {
  local words
  for words in junk --watch=0 --watch=x --all; do
    run -100 --separate-stderr "$IPCBOX" status "$words"
    [ -z "$output" ]
    [ "${stderr_lines[1]}" = "Try 'ipcbox status --help'." ]
  done
}

@test "its options are completed" {
  need bash bash
  run -0 bash -c 'eval "$("$IPCBOX" --completion bash)"; COMP_WORDS=(ipcbox status --w); COMP_CWORD=2 COMP_LINE="ipcbox status --w"
    COMP_POINT=${#COMP_LINE}; _ipcbox ipcbox; printf "%s\n" "${COMPREPLY[@]}"'
  [ "$output" = --watch ]
}

# ---- which processes ----

@test "200 running things: none is missing, none is invented" {
  local i pids=()
  mkfifo never
  exec {held}<>never
  for ((i = 0; i < 40; i++)); do
    "$box" tcpserver 127.0.0.1 0 cat <&- >"tcp.$i" 2>&1 3>&- & pids+=($!)
    "$box" lockrun "lock.$i" cat <never >/dev/null 3>&- & pids+=($!)
    "$box" deadline 10m cat <never >/dev/null 3>&- & pids+=($!)
    "$box" sigtrap HUP=ignore cat <never >/dev/null 3>&- & pids+=($!)
    "$box" unixserver "socket.$i" cat 2>"unix.$i" 3>&- & pids+=($!)
  done
  started+=("${pids[@]}")
  [ "${#pids[@]}" -eq 200 ]
  for i in "${pids[@]}"; do until_true runs "$i" "$box"; done
  ours pid | sort >shown
  printf '%s\n' "${pids[@]}" | sort >expected
  diff expected shown
  kill -KILL "${pids[3]}"
  wait "${pids[3]}" || :
  ours pid | sort >shown
  diff <(grep -vx "${pids[3]}" expected) shown
}

@test "the applet: by its page, by the name of a link, by the first operand" {
  ln -s "$box" my-deadline
  background linked ./my-deadline 10m tail -f /dev/null
  background inner "$box" reap tail -f /dev/null
  ln -s "$box" bin/tcpserver
  start server tcpserver 127.0.0.1 0 cat
  until_true runs "$linked" "$box"
  until_true runs "$inner" "$box"
  run -0 ours pid applet applet_from
  [ "$(sort <<<"$output")" = "$(printf '%s\n' "$linked deadline arguments" "$inner reap arguments" "$server tcpserver page" | sort)" ]
}

@test "the time of a start is right, and the same at each look" {
  local earliest=$((EPOCHSECONDS - 1)) until shown
  background idle "$box" deadline 10m tail -f /dev/null
  until_true runs "$idle" "$box"
  until=$((${EPOCHREALTIME/./} + 1200000)) # whole seconds of two clocks would differ within each second
  while ((${EPOCHREALTIME/./} < until)); do ours started; done | sort -u >times
  shown=$(date -d "$(<times)" +%s) # of one
  ((shown >= earliest && shown <= EPOCHSECONDS))
}

@test "another user's process that calls itself tcpserver does not appear, and is counted where it may not be looked at" {
  need_other_user
  local tail
  tail=$(readlink -f "$(type -P tail)")
  before=(background forged)
  as_nobody tcpserver -f /dev/null 9<"$tail"
  before=()
  until_true runs "$forged" "$tail"
  [ "$(tr '\0' ' ' <"/proc/$forged/cmdline")" = "tcpserver -f /dev/null " ]
  "$IPCBOX" status >all
  run ! grep -q "\"pid\":$forged," all
  # the other way: nobody may not look at root's
  background hidden "$box" reap tail -f /dev/null
  until_true runs "$hidden" "$box"
  as_nobody ipcbox status 9<"$IPCBOX" >theirs
  run ! grep -q "\"pid\":$hidden," theirs
  run -0 json-values type processes <theirs
  [ "${lines[-1]#unseen }" -gt 0 ]
  run ! grep -q "\"pid\":$forged,\"user\"" theirs # his own, but none of ours
}

@test "an executable that was replaced or removed is still known, and so is one of another version" {
  cp "$box" old
  need perl perl
  perl -pi -e 's/ipcbox\0\0\K\d+\.\d+\.\d+/9.8.7/' old
  background removed "$box" reap tail -f /dev/null
  until_true runs "$removed" "$box"
  background other ./old reap tail -f /dev/null
  until_true runs "$other" "$PWD/old"
  rm "$box"
  run -0 ours pid executable_is_gone version
  [ "$output" = "$removed true $("$IPCBOX" --version | cut -d' ' -f2)" ]
  box=$PWD/old
  run -0 ours pid executable_is_gone version
  [ "$output" = "$other false 9.8.7" ]
}

@test "files with notes that lie about their size and place are not ours, and do no harm" {
  need perl perl
  local tail n pids=() pid
  tail=$(readlink -f "$(type -P tail)")
  for n in 0:ffffffffffffffff 7fffffffffffffff:ffffffffffffffff ffffffffffffff00:1000 0:1 40:7fffffff; do
    # the first PT_NOTE of 64-bit files: its offset and size
    perl -e 'my ($from, $to, $at, $size) = @ARGV; open F, "<:raw", $from or die; local $/; my $f = <F>;
      exit 3 if substr($f, 4, 2) ne "\2\1";
      my ($table, $n) = (unpack("Q<", substr($f, 32, 8)), unpack("v", substr($f, 56, 2)));
      for my $i (0 .. $n - 1) { my $e = $table + 56 * $i; next if unpack("V", substr($f, $e, 4)) != 4;
        substr($f, $e + 8, 8) = pack("H16", $at =~ s/^(.*)$/sprintf "%016s", $1/er) =~ s/(.*)/reverse $1/ers;
        substr($f, $e + 32, 8) = pack("H16", $size =~ s/^(.*)$/sprintf "%016s", $1/er) =~ s/(.*)/reverse $1/ers; last }
      open T, ">:raw", $to or die; print T $f; chmod 0755, $to' "$tail" "./liar.$n" "${n%:*}" "${n#*:}" ||
      skip "needs 64-bit little-endian programs"
    "./liar.$n" -f /dev/null 3>&- & pids+=($!)
    started+=($!)
  done
  for pid in "${pids[@]}"; do until_true eval '[[ $(readlink "/proc/$pid/exe") == */liar.* ]]'; done
  background real "$box" reap tail -f /dev/null
  until_true is_shown "$real"
  for pid in "${pids[@]}"; do run ! grep -q "\"type\":\"process\",\"pid\":$pid," status.out; done
}

@test "processes that exit while they are looked at do no harm" {
  background brood bash -c 'while :; do "$0" deadline 5 true & "$0" lockrun lock true & "$0" safepipe true ::: true; wait; done' "$box"
  local i
  for ((i = 0; i < 20; i++)); do
    "$IPCBOX" status >out 2>err
    json-values type pid <out >values
  done
  [ ! -s err ]
}

@test "an executable that can't be read is counted, not taken for another program's" {
  local alone=(unshare --user --map-root-user --pid --fork --kill-child --mount-proc) # others come and go
  need strace strace
  "${alone[@]}" true 2>/dev/null || skip "needs namespaces for users and processes"
  # shellcheck disable=SC2016 # for that shell
  box=$box "${alone[@]}" bash -c '"$box" reap tail -f /dev/null 3>&- &
    until "$IPCBOX" status --json >before && grep -q "\"applet\":\"reap\"" before; do :; done
    strace -D -f -qq -o /dev/null -e trace=pread64 -e inject=pread64:error=EIO -P "$box" "$IPCBOX" status --json >after'
  run ! grep '"applet":"reap"' after
  [ "$(json-values type processes <before | tail -n 1)" = "unseen 0" ]
  [ "$(json-values type processes <after | tail -n 1)" = "unseen 1" ]
}

@test "a file, and an executable, whose path is longer than the kernel tells are left out" {
  local i here=$PWD
  for ((i = 0; i < 20; i++)); do # 20 * 220 is more than PATH_MAX
    mkdir "$(printf 'x%.0s' {1..220})"
    cd "$(printf 'x%.0s' {1..220})"
  done
  cp "$IPCBOX" ipcbox
  background one "$box" lockrun lock tail -f /dev/null
  background two ./ipcbox reap tail -f /dev/null
  cd "$here"
  until_true is_shown "$one"
  run -0 "$IPCBOX" status
}

@test "executables that can't be opened in time cost a second, and are counted" {
  need_root
  local i
  cp "$(readlink -f "$(type -P tail)")" slow
  cp slow slower
  for i in 1 2 3; do
    background "a$i" ./slow -f /dev/null
    background "b$i" ./slower -f /dev/null
  done
  background real "$box" reap tail -f /dev/null
  until_true is_shown "$real"
  background hung hung-exec -o slow slower
  until_true eval '[ -s hung.out ] || ! kill -0 "$hung" 2>/dev/null'
  kill -0 "$hung" 2>/dev/null || skip "needs fanotify(7) with permission events"
  is_shown "$real"
  run -0 json-values type unreadable <status.out
  [ "${lines[-1]}" = "unseen 6" ]
  kill -USR1 "$hung"
  is_shown "$real"
  run -0 json-values type unreadable <status.out
  [ "${lines[-1]}" = "unseen 0" ]
}

@test "where /proc is of another pid namespace, that is an error; where it hides others, that is reported" {
  need_other_user
  unshare --pid --fork true 2>/dev/null || skip "needs a pid namespace of its own"
  run -111 --separate-stderr unshare --pid --fork "$IPCBOX" status
  [[ $stderr == "status: look at /proc: "* ]]
  unshare --mount mount -t proc -o hidepid=2 proc /proc 2>/dev/null || skip "needs to mount /proc"
  run -0 unshare --mount bash -c 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid nobody --regid nogroup \
    --clear-groups bash -c "exec -a ipcbox /proc/self/fd/9 status"' 9<"$IPCBOX"
  [[ $output == *'"others_are_hidden":true'* ]]
}

@test "no process of ours: 0" {
  need_root
  unshare --pid --fork --mount-proc true 2>/dev/null || skip "needs a pid namespace of its own"
  run -0 --separate-stderr unshare --pid --fork --mount-proc "$IPCBOX" status
  [ -z "$stderr" ]
  run ! grep -q '"type":"process"' <<<"$output"
}

@test "what cannot be listed or opened is an error, not a shorter list" {
  need strace strace
  run -111 strace -f -qq -o trace -e trace=getdents64 -e inject=getdents64:error=EIO "$IPCBOX" status
  [ "$output" = "status: look at /proc: Input/output error" ]
  run -111 bash -c 'exec 3>&- 4>&-; ulimit -n 6; exec "$IPCBOX" status'
  [ "$output" = "status: look at /proc: Too many open files" ]
}
