# text.sh: the page that check/peers.sh prints, around its tables.
# shellcheck shell=sh disable=SC2016,SC2154

page() {
  cat <<'END'
# Beside the tools that you know

What flock, timeout, tini, dumb-init, start-stop-daemon, supervisord and runit do, and what `lockrun`, `deadline`, `reap` and
`daemonize` do in their place. Each cell is an experiment, made by `check/peers.sh` with the programs themselves; `make peers`
makes them again and writes this page.

*yes, with `-x`*: not by default, but with that option. *–*: the question does not arise.

END
  printf 'Measured with '
  packages
  printf ', and %s.\n' "$(ipcbox --version | head -n 1)"

  printf '\n## Locks\n\n`chpst -l` and `-L` are runit'"'"'s.\n\n'
  table flock runit lockrun
  row lock_kept 'If the tool is killed (SIGKILL), nobody gets the lock while PROG runs'
  row lock_prog_dies 'If the tool is killed (SIGKILL), PROG ends, too'
  row lock_background 'A process that PROG leaves behind does not keep the lock'
  row lock_busy_status 'A status of its own for a lock that is taken, apart from those of PROG'
  row lock_slots 'A lock for up to N at a time'
  row lock_file_replaced 'If the file is removed and made again, two do not hold the lock at once'
  row lock_no_process 'No process of the tool stays beside PROG'

  printf '\n## Deadlines\n\n'
  table timeout deadline
  row deadline_sessions 'Descendants in a session of their own are terminated, too'
  row deadline_terminal 'In a script at a terminal, PROG can read from the terminal'
  row deadline_told_apart 'A deadline that passed can be told from a PROG that exits with the same status'
  row deadline_endless 'A duration of 0 means no deadline'

  printf '\n## Inits\n\n'
  table tini dumb-init reap
  row init_orphans 'As process 1, reaps orphans'
  row init_subreaper 'Reaps orphans when it is not process 1'
  row init_forwards 'Passes HUP, INT, QUIT, USR1, USR2, TERM, ALRM and WINCH on to PROG'
  row init_rewrites 'Passes a signal on as another one'
  row init_stops 'Ctrl-Z at a terminal stops PROG and is noticed by the shell; `fg` continues both'
  row init_leftovers 'Processes that PROG leaves behind get SIGTERM, and time to clean up'
  row init_exec 'A PROG that does not exist is 127, one that cannot be executed 126'
  row init_environment 'Options can be set in the environment'

  printf '\n## Daemons\n\n'
  table start-stop-daemon supervisord runit daemonize
  row daemon_exec 'The command that starts PROG fails if PROG cannot be executed'
  row daemon_ready 'It can wait until PROG says that it is ready'
  row daemon_schedule 'A stop by several signals, each with its time'
  row daemon_stranger 'Never signals a process that has got the PID of PROG by now'
  row daemon_self 'Stops a PROG that puts itself into the background'
  row daemon_backoff 'Restarts PROG, after pauses that grow'
  row daemon_gives_up 'Gives up after N restarts'
  row daemon_rotates 'Rotates the log by size'
  row daemon_times 'Puts the time before each line of the log'
  row daemon_many 'Several programs under one supervisor, stopped by one command'
  row daemon_limits 'Sets the nice value and resource limits of PROG'

  echo
  number=0
  printf '%s' "$notes" | while read -r note; do
    number=$((number + 1))
    printf '[%s] %s\n\n' "$number" "$(note_text "$note")"
  done
  cat <<'END'
What none of these tables can show: flock, timeout and start-stop-daemon are on nearly every Debian system already; supervisord
has a web page and XML-RPC, runit can be the init of a whole machine.
END
}

note_text() {
  case $1 in
  exec) echo 'The tool becomes PROG by exec.' ;;
  foreground) echo 'With `--foreground`, which leaves the descendants of PROG alone.' ;;
  forwards) echo 'Not all of them.' ;;
  stop) echo 'PROG is stopped, but not the tool, so that the shell does not see that its job has stopped.' ;;
  two) echo 'One signal, a time, then SIGKILL.' ;;
  match) echo 'Only with an option such as `--exec` that tells the other program apart; with the pidfile alone it is killed.' ;;
  constant) echo 'Always after the same pause.' ;;
  late) echo 'Once the time of `sv -w` has passed.' ;;
  nice) echo 'The nice value only.' ;;
  *) echo "$1?" ;;
  esac
}
