# reap without PROG, and what its parent's exit means; against tini and dumb-init.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# at_work PID: it is ours, and has let go of all that it does not need.
at_work() {
  [ "/proc/$1/exe" -ef "$IPCBOX" ] && [ "/proc/$1/cwd" -ef / ]
}

# has_reap: $parent has a child at work, $reap.
has_reap() {
  reap=$(tr -d ' ' <"/proc/$parent/task/$parent/children")
  [ -n "$reap" ] && at_work "$reap"
}

# ---- without PROG ----

@test "without PROG: reaps until TERM, then exits 0" {
  background pause sh -c 'does fork 20 exit 3 ";" to forked yes sleep & echo $! >child; exec reap'
  until_true test -s forked
  until_true at_work "$pause"
  # the zombies of its child become its own
  kill -KILL "$(cat child)"
  until_true no_children "$pause"
  finish "$pause"
  [ "$status" -eq 0 ]
  [ ! -s pause.err ]
}

@test "without PROG: another signal that ends it kills it, those of no effect do nothing" {
  local signal
  for signal in INT HUP USR1 ABRT; do
    background parent how-it-ends reap
    until_true has_reap
    kill -WINCH "$reap"
    kill -CONT "$reap"
    kill -"$signal" "$reap"
    ends_with 0 "$parent"
    [ "$(cat parent.out)" = "exit 0 signal $(kill -l "$signal")" ]
  done
}

@test "without PROG: TERM ends it even if it was ignored" {
  background pause env --ignore-signal=TERM reap
  until_true at_work "$pause"
  finish "$pause"
  [ "$status" -eq 0 ]
}

@test "as process 1 without PROG: reaps orphans of processes that join, and ends them with itself" {
  need_root
  unshare --pid --fork --mount-proc true || skip "needs a pid namespace of its own"
  need nsenter util-linux
  local child
  background parent unshare --pid --fork --kill-child --mount-proc reap
  until_true has_reap
  nsenter --target "$reap" --pid --mount --root --wd does fork 20 fork 1 exit 0 ';' exit 0 ';' fork 1 sleep ';' exit 0
  until_true has_one_child
  child=$(tr -d ' ' <"/proc/$reap/task/$reap/children")
  kill -TERM "$reap"
  ends_with 0 "$parent"
  gone "$child"
}

has_one_child() {
  [ "$(wc -w <"/proc/$reap/task/$reap/children")" -eq 1 ]
}

# ---- --death-signal ----

# parent_dies WORDS...: the parent of these is killed once PROG runs; what PROG then got is in `got`.
parent_dies() {
  rm -f ready got
  # shellcheck disable=SC2016
  script prog 'trap "echo TERM >got; exit" TERM; trap "echo USR1 >got; exit" USR1
    echo $$ >ready; while :; do read -rt 0.01 <> <(:); done'
  # shellcheck disable=SC2016
  background parent bash -c '"$@" ./prog & wait' '' "$@"
  until_true test -s ready
  kill -KILL "$parent"
  until_true test -s got
  until_true gone "$(cat ready)"
}

@test "--death-signal: the exit of the parent is passed on, as with tini -p" {
  parent_dies reap --death-signal TERM
  [ "$(cat got)" = TERM ]
  parent_dies reap -g --death-signal SIGUSR1
  [ "$(cat got)" = USR1 ]
  parent_dies reap --rewrite TERM:USR1 --death-signal TERM
  [ "$(cat got)" = USR1 ]
  need tini tini
  parent_dies tini -s -p SIGTERM --
  [ "$(cat got)" = TERM ]
}

@test "--death-signal: PROG gets it when reap is killed" {
  background init reap --death-signal TERM does note2 TERM to ready '%' sleep
  until_true test -s ready
  kill -KILL "$init"
  until_line init.err '^TERM$'
  kill -KILL "$(cat ready)"
}

@test "--death-signal KILL: nobody is left" {
  background parent bash -c 'reap --death-signal KILL does to ready % sleep & wait'
  until_true test -s ready
  kill -KILL "$parent"
  until_true gone "$(cat ready)"
}

@test "--death-signal: what is not a signal is refused" {
  wrong_call reap --death-signal 0 touch ran
  wrong_call reap --death-signal NO touch ran
  wrong_call reap --death-signal '' touch ran
  [ ! -e ran ]
}

@test "ABRT reaches PROG, as under dumb-init" {
  need dumb-init dumb-init
  local name
  for name in reap dumb-init; do
    rm -f ready
    background init "$name" does note2 ABRT to ready '%' sleep
    until_true test -s ready
    kill -ABRT "$init"
    until_line init.err '^ABRT$'
    kill -KILL "$(cat ready)"
    wait "$init" || :
  done
}

@test "without PROG: options that are about PROG are a usage error" {
  local option
  for option in -g '--rewrite TERM:INT' '-e 143' '--status-fd 1'; do
    # shellcheck disable=SC2086 # words
    wrong_call reap $option
    [[ ${stderr_lines[0]} == *" requires PROG" ]]
  done
}
