# Ends: TERM ends every applet, whatever it was born with; descendants of every kind are gone after those who end them.

load helper/stress

setup() {
  stress_setup
}

teardown() {
  stress_teardown
}

# ---- TERM ----

# Applets whose TERM is their own, as rows: STATUS|COMMAND; they are there when they sleep. % is a number of the row's.
own='0|tcpserver 127.0.0.1 0 true
0|unixserver sock.% true
0|udpserver 127.0.0.1 0 true
0|timeserver 127.0.0.1 0
0|mkfifo-sig sig.% true
143|waitfor file nowhere
143|waitfor exit $holder
143|alive -w $holder
143|msgrecv $key
0,143|cmdserver <asked
0,143|daemonize --foreground -P $here/monitor.% sleep 1h'

# Launchers; PROG says when it is there.
launchers='deadline 1h
lockrun lock.%
reap
reap -g
sigtrap USR1=ignore
safepipe
safepipe sleep 1h :::
open2
open3
open2 --pty
open2 -k 0.1 sleep 1h :::
withserver -k 0.1 sh -c "echo 1; exec sleep 1h" :::'

wait_for_things() {
  background holder sleep infinity
  mkfifo asked
  exec {fd}<>asked
  connected+=("$fd")
  msgdemo create "$key"
}

# asleep_below PID [DEPTH]: the process that it has started, or the one that this has, and so on, has become an applet and
# sleeps; its pid is $there. Or all is over.
asleep_below() {
  local stat depth
  there=$1
  kill -0 "$1" 2>/dev/null || return 0
  for ((depth = 0; depth < ${2:-1}; depth++)); do
    read -r there _ 2>/dev/null <"/proc/$there/task/$there/children" || [ -n "$there" ] || return
  done
  stat=$(cat "/proc/$there/stat" 2>/dev/null) || return
  [[ $stat == *") S "* ]] && [ "/proc/$there/exe" -ef "$IPCBOX" ]
}

# end_all DEPTH: TERM to each of $runs, or to who is DEPTH below it, once that sleeps; again and again, as it may sleep
# before it is at work.
end_all() {
  local run pid there
  for run in "${runs[@]}"; do
    pid=${run%% *}
    until_true asleep_below "$pid" "$1"
    until_true ends_at_term "$there" "$pid"
  done
}

ends_at_term() {
  kill -TERM "$1" 2>/dev/null || :
  kill -0 "$2" 2>/dev/null && read -rt 0.05 <> <(:)
  [[ ! -e /proc/$2 || $(cat "/proc/$2/stat" 2>/dev/null) != *") S "* ]]
}

@test "TERM ends every applet whose TERM is its own, also where it was ignored at the start" {
  local before runs=() row want
  wait_for_things
  for before in '' 'env --ignore-signal=TERM'; do
    while IFS='|' read -r want row; do
      run_row "$want" "$row"
    done <<<"$own"
    end_all 1
    judge
    rm -f sock.*
  done
}

@test "TERM ends every such applet as process 1 of a pid namespace, too" {
  need_root
  unshare --pid --fork --mount-proc true || skip "needs a pid namespace of its own"
  local before runs=() row want
  wait_for_things
  for before in 'unshare --pid --fork --kill-child --mount-proc' \
    'env --ignore-signal=TERM unshare --pid --fork --kill-child --mount-proc'; do
    while IFS='|' read -r want row; do
      [[ $row == *holder* ]] || run_row "$want" "$row" # who is of another namespace
    done <<<"$own"
    end_all 2
    judge
    rm -f sock.*
  done
}

@test "launchers: PROG that handles TERM, one that dies of it, one that both of them were born to ignore" {
  local before='' runs=() row n=0 end prog
  while read -r row; do
    for end in 143 7; do
      n=$((n + 1))
      prog="sh -c 'trap \"exit 7\" TERM; echo >there.$n; sleep 1h & wait'"
      [ "$end" = 7 ] || prog="sh -c 'echo >there.$n; exec sleep 1h'"
      run_row "$end" "${row//%/$n} $prog"
    done
  done <<<"$launchers"
  local i
  for ((i = 1; i <= n; i++)); do
    until_true test -e "there.$i"
  done
  local run
  for run in "${runs[@]}"; do
    kill -TERM "${run%% *}"
  done
  judge
  # ignored: TERM passes both by, and PROG ends by itself afterwards
  before='env --ignore-signal=TERM'
  rm -f there.*
  n=0
  while read -r row; do
    [[ $row != *sleep* && $row != *exec* ]] || continue # whose other program would ignore it, too
    n=$((n + 1))
    run_row 0 "${row//%/$n} sh -c 'echo >there.$n; until [ -e go ]; do sleep 0.1s; done; echo >done.$n'"
  done <<<"$launchers"
  for ((i = 1; i <= n; i++)); do
    until_true test -e "there.$i"
  done
  for run in "${runs[@]}"; do
    kill -TERM "$(cat "/proc/${run%% *}/task/${run%% *}/children")"
  done
  echo >go
  judge
  [ "$(find . -name 'done.*' | wc -l)" -eq "$n" ]
}

# ---- descendants ----

# Who ends descendants, as rows: STATUS|COMMAND. PROG, which has them, is @ and sleeps once it has made its file %; @T@ is a
# time, for which see `ends_all`; @ready is a program that ends when % is there.
enders='124|deadline -k 0.1 @T@ @
124|deadline -s KILL @T@ @
124|safepipe -k 0.1 -t @T@ true ::: @
124|withserver -k 0.1 -t @T@ sh -c "echo 1; exec sleep 1h" ::: @
0|withserver -k 0.1 @ ::: true
143|deadline 1h reap --grace 0.1 sh -c "@ & @ready; kill \$\$"
0|cmdserver -t @T@ go.%="@" <go'

# ends_all PROG: each of the rows ends, and then none of its descendants is left, which are those with its file's name in
# their environment. Again with twice the time if that was too short for PROG to start.
ends_all() {
  local row n=0 jobs=() job bad=0
  while read -r row; do
    n=$((n + 1))
    end_one "$n" "${row%%|*}" "${row#*|}" "$1" &
    jobs+=("$!")
  done <<<"$enders"
  for job in "${jobs[@]}"; do
    wait "$job" || bad=1
  done
  return "$bad"
}

end_one() {
  local ms command status prog ready="until [ -e ready.$1 ]; do sleep 0.05s; done"
  script "prog.$1" "cd '$PWD/dir.$1' || exit
    $4 sh -c 'echo 1; echo >../ready.$1; exec sleep 1h'"
  script "until.$1" "$ready"
  mkdir -p "dir.$1"
  echo "go.$1" >"go.$1"
  for ((ms = 300; ms < 60000; ms *= 2)); do
    rm -f "ready.$1"
    command=${3//@T@/${ms}ms}
    command=${command//@ready/./until.$1}
    command=${command//@/./prog.$1}
    command=${command//<go/<go.$1}
    status=0
    eval "exec timeout --foreground -s KILL 60 $before ${command//%/$1}" >/dev/null 2>&1 </dev/null 3>&- &
    wait "$!" || status=$?
    [ ! -e "ready.$1" ] || break
  done
  [ "$status" -eq "$2" ] && [ -z "$(in_dir "$1")" ] || {
    echo "$before $3, $4: status $status, expected $2; left: $(in_dir "$1")" >&2
    return 1
  }
}

# in_dir N: the pids of those who work in that row's directory.
in_dir() {
  find /proc -maxdepth 2 -name cwd -lname "$BATS_TEST_TMPDIR/dir.$1*" 2>/dev/null | cut -d/ -f3
}

# With the kernel's help, and where it refuses: pidfds there are not (ENOSYS), or not for us (EPERM).
refusals=('' 'denying 38' 'denying 1')

@test "descendants of every kind are gone" {
  local before
  for before in "${refusals[@]}"; do
    ends_all 'exec descendants log plain session orphan session-orphan deaf stopped session-orphan-deaf --'
  done
}

@test "processes that fork and exit all the time are gone" {
  local before how
  for before in "${refusals[@]:0:2}"; do
    for how in '' 'session deaf'; do
      ends_all "exec comets 2 $how --"
    done
  done
}

@test "daemonize --stop: descendants of every kind are gone" {
  local before
  for before in "${refusals[@]}"; do
    rm -f ready.1 log
    mkdir -p dir.1
    script prog "cd '$PWD/dir.1' || exit
      exec descendants log plain orphan session-orphan deaf session-orphan-deaf -- sh -c 'echo >&3; exec sleep 1h'"
    # shellcheck disable=SC2086 # words
    timeout --foreground 60 $before daemonize -P "$here/monitor" -k 0.1 --ready fd "$here/prog"
    refused 0 --stop -P monitor
    [ -z "$(in_dir 1)" ] || {
      echo "$before: left: $(in_dir 1)" >&2
      return 1
    }
  done
}

@test "without /proc: PROG ends, and so does who ends it" {
  need_root
  unshare --mount mount -t tmpfs none /proc || skip "needs a mount namespace of its own"
  script bin/blind 'exec unshare --mount sh -c "mount -t tmpfs none /proc && exec \"\$@\"" "" "$@"'
  local before=blind
  enders='124|deadline -k 0.1 @T@ @
124|safepipe -k 0.1 -t @T@ true ::: @
124|withserver -k 0.1 -t @T@ sh -c "echo 1; exec sleep 1h" ::: @
124|open2 -k 0.1 @ ::: @ready
0|cmdserver -t @T@ go.%="@" <go'
  ends_all 'exec'
  before='blind denying 38'
  ends_all 'exec'
}
