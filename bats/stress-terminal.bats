# Launchers at a terminal, under interactive shells: stops and continuations at any moment, the terminal's signals, its end.

load helper/launch

setup() {
  launch_setup
  export PS1='ready> '
}

teardown() {
  launch_teardown
}

# Launchers, as rows: what stands before PROG.
launchers='deadline 1h
lockrun lock.%
reap
reap -g
sigtrap USR1=ignore
safepipe
safepipe true :::
open2
open3
withserver -k 1 sh -c "echo 1; exec sleep 1h" :::'

shells() {
  echo 'bash --norc --noediting -i'
  ! command -v zsh >/dev/null || echo 'zsh -f -i -o no_zle -o no_prompt_sp -o no_prompt_cr'
}

# in_shell SHELL [REGEX KEYS]...: at-terminal with that shell; what was shown is $output.
in_shell() {
  local words
  read -ra words <<<"$1"
  run timeout --foreground -s KILL 100 "$HELPERS/at-terminal" "${@:2}" -- "${words[@]}"
}

# failed ROW: says so, with what the terminal has shown.
failed() {
  echo "$1: status $status, shown:" >&2
  echo "$output" >&2
  return 1
}

# each_at_terminal FUNCTION: for each shell and each launcher, one process for each row.
each_at_terminal() {
  local shell row n=0 jobs=() job bad=0
  while read -r shell; do
    while read -r row; do
      n=$((n + 1))
      "$1" "$shell" "${row//%/$n}" &
      jobs+=("$!")
    done <<<"$launchers"
    for job in "${jobs[@]}"; do
      wait "$job" || bad=1
    done
    jobs=()
  done < <(shells)
  return "$bad"
}

# A PROG that says that it is there, and sleeps.
prog='sh -c "echo up-\$((40 + 2)) >/dev/tty; exec sleep 1h"'

by_signal() {
  local keys want
  while read -r keys want; do
    in_shell "$1" 'ready> ' "$2 $prog\n" 'up-42' "$keys" 'ready> ' 'echo s=\$?\n' "s=$want" '' 'ready> ' 'exit 0\n'
    [ "$status" -eq 0 ] || failed "$1: $2: $keys" || return
  done <<'END'
\cC 130
\x1c 131
END
}

@test "Ctrl-C and Ctrl-\\ end each launcher as they end PROG, and the shell has the terminal back" {
  ulimit -c 0
  each_at_terminal by_signal
}

by_stop() {
  local stopped='(Stopped|suspended).*\r\n(.*\r\n)?ready> '
  in_shell "$1" 'ready> ' "$2 signals </dev/null\n" 'it ready' '\cZ' "$stopped" 'fg\n' 'it 18' '\cZ' "$stopped" 'bg\n' \
    'it 18' 'echo and-\$((40 + 2))\n' 'and-42' 'kill %1; wait; echo end-\$((40 + 2))\n' 'end-42' 'exit 0\n'
  [ "$status" -eq 0 ] && [[ $output == *'it 15'* ]] || failed "$1: $2"
}

@test "Ctrl-Z stops each launcher with PROG, fg and bg go on, and it can be stopped again" {
  each_at_terminal by_stop
}

by_early_stop() {
  local round keys=()
  for round in {1..12}; do
    # the stop is typed behind the command, and comes while that starts
    keys+=('ready> ' "$2 sh -c 'exit 3'; echo s-\\\$?\n\cZ")
  done
  in_shell "$1" "${keys[@]}" 'ready> ' 'while fg; do :; done 2>/dev/null; echo end-\$((40 + 2))\n' 'end-42' 'exit 0\n' 'ready> ' 'exit 0\n'
  [[ $output == *end-42* ]] || failed "$1: $2"
}

@test "Ctrl-Z while a launcher starts: no shell waits for ever, and fg ends what was stopped" {
  each_at_terminal by_early_stop
}

by_hangup() {
  local words
  script "prog.$2" "echo >up.$2; exec sleep 1h"
  eval "words=($1)"
  # the launcher is the session's leader; its terminal goes away
  timeout --foreground -s KILL 60 hangup "up.$2" "${words[@]}" "./prog.$2" || {
    echo "$1: status $?" >&2
    return 1
  }
}

@test "a hangup of the terminal ends the launcher that leads its session, and PROG" {
  local row n=0 jobs=() job bad=0
  while read -r row; do
    n=$((n + 1))
    by_hangup "${row//%/$n}" "$n" &
    jobs+=("$!")
  done <<<"$launchers"
  for job in "${jobs[@]}"; do
    wait "$job" || bad=1
  done
  [ "$bad" -eq 0 ]
}

by_background() {
  local what
  for what in 'read -r line </dev/tty' 'stty tostop </dev/tty; echo x >/dev/tty; stty -echo </dev/tty'; do
    script "prog.$3" "$what; exec sleep 1h"
    in_shell "$1" 'ready> ' "$2 ./prog.$3 &\n" 'ready> ' 'wait \$!; echo s=\$?\n' 's=124' 'exit 0\n'
    [ "$status" -eq 0 ] || failed "$1: $2: $what" || return
  done
}

@test "a background job that reads or writes the terminal ends at its deadline" {
  local shell row n=0 jobs=() job bad=0
  while read -r shell; do
    for row in 'deadline 1' 'deadline -k 0 1' 'safepipe -t 1' 'safepipe -t 1 true :::' \
      'withserver -t 1 sh -c "echo 1; exec sleep 1h" :::'; do
      n=$((n + 1))
      by_background "$shell" "$row" "$n" &
      jobs+=("$!")
    done
    for job in "${jobs[@]}"; do
      wait "$job" || bad=1
    done
    jobs=()
  done < <(shells)
  [ "$bad" -eq 0 ]
}
