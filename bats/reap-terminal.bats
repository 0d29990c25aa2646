# reap at a terminal, under a shell with job control.

load helper/launch

setup() {
  launch_setup
  cp "$HELPERS/signals" signals
}

teardown() {
  launch_teardown
}

# shown REGEX: how often, in what the terminal has shown.
shown() {
  grep -cE "$1" <<<"$output" || :
}

@test "Ctrl-C reaches PROG once, with -g and without" {
  local group
  for group in "" -g; do
    at_terminal 'ready> ' "reap $group ./signals reader\n" 'reader ready' '\cC' 'reader 2' '\x1c' 'reader 3' 'x\n' \
      'reader read' '' 'ready> ' 'exit 0\n'
    [ "$(shown 'reader 2$')" -eq 1 ]
    [ "$(shown 'reader 3$')" -eq 1 ]
  done
}

@test "Ctrl-C terminates PROG, and a shell's loop around us" {
  local group
  for group in "" -g; do
    at_terminal 'ready> ' "for n in 1 2 3; do echo round-\\\$n; reap $group cat; done\n" 'round-1\r' 'echoed\n' \
      'echoed\r\nechoed\r' '\cC' 'ready> ' 'echo s=\$?; exit 0\n'
    [ "$(shown '^round-')" -eq 1 ]
    [ "$(shown '^s=130')" -eq 1 ]
  done
}

@test "Ctrl-Z stops us with PROG, fg goes on, and PROG reads the terminal" {
  local group
  for group in "" -g; do
    at_terminal 'ready> ' "reap $group ./signals reader; echo s=\\\$?\n" 'reader ready' '\cZ' \
      'Stopped.*\r\n(.*\r\n)?ready> ' \
      'fg\n' 'reader 18' 'a line\n' 'reader read' '' 'ready> ' 'jobs; echo s=end; exit\n'
    [ "$(shown '^s=end')" -eq 1 ]
    # with -g, PROG has it from us alone; a second could undo a stop that came between
    [ -z "$group" ] || [ "$(shown 'reader 18$')" -eq 1 ]
  done
}

@test "after Ctrl-Z, bg leaves the terminal to the shell" {
  local group
  for group in "" -g; do
    at_terminal 'ready> ' "reap $group ./signals\n" 'it ready' '\cZ' 'Stopped.*\r\n(.*\r\n)?ready> ' 'bg\n' 'it 18' \
      'echo still-\$((40 + 2))\n' 'still-42' 'kill %1; wait %1; echo s=\$?; exit\n'
    [ "$(shown '^s=0')" -eq 1 ]
  done
}

@test "-g: PROG has the terminal, and the shell has it back afterwards" {
  # of /proc/PID/stat, after the name: its process group, and that in the foreground of its terminal
  script prog 'read -r stat </proc/$$/stat; read -ra f <<<"${stat##*) }"
    [ "${f[2]}" = $$ ] && [ "${f[5]}" = $$ ] && echo mine || echo not mine'
  at_terminal 'ready> ' 'reap -g ./prog\n' 'mine\r' '' 'ready> ' 'echo back-\$((40 + 2)); exit\n'
  [ "$(shown '^mine')" -eq 1 ]
  [ "$(shown '^back-42')" -eq 1 ]
}

@test "-g in the background does not take the terminal" {
  at_terminal 'ready> ' 'reap -g ./signals &\n' 'it ready' 'echo and-\$((40 + 2))\n' 'and-42' \
    'kill %1; wait %1; echo s=\$?; exit\n'
  [ "$(shown '^s=0')" -eq 1 ]
}

@test "when the terminal goes away PROG exits, and no process is left" {
  local group
  for group in "" -g; do
    run timeout --foreground 60 "$HELPERS/at-terminal" -- reap $group sh -c 'trap "exit 3" HUP; kill -HUP $PPID
      while :; do read -r line; done'
    [ "$status" -eq 3 ]
  done
}

@test "as process 1: Ctrl-C reaches PROG once, with -g and without" {
  need_root
  unshare --pid --fork --mount-proc true || skip "needs a pid namespace of its own"
  local group again=(reader.2 'u\n' reader.12 '\cC')
  for group in "" -g; do
    run -0 timeout --foreground 60 "$HELPERS/at-terminal" 'reader ready' '\cC' \
      "${again[@]}" "${again[@]}" "${again[@]}" "${again[@]}" \
      reader.2 'u\n' reader.12 'x\n' -- \
      unshare --pid --fork --kill-child --mount-proc reap $group ./signals reader
    [ "$(shown 'reader 2$')" -eq 5 ]
  done
}
