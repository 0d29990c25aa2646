# text.sh: the page that check/peers.sh prints, around its tables.
# shellcheck shell=sh disable=SC2016,SC2034,SC2154

page() {
  cat <<'END'
# Beside the tools that you know

What flock, timeout, tini, dumb-init, start-stop-daemon, supervisord and runit do, and what `lockrun`, `deadline`, `reap` and
`daemonize` do in their place; and socat, ucspi-tcp, s6 and busybox beside our servers and clients. Each cell is an experiment,
made by `check/peers.sh` with the programs themselves; `make peers` makes them again and writes this page.

*yes, with `-x`*: not by default, but with that option. *–*: the question does not arise.

END
  printf 'Measured with '
  packages util-linux coreutils tini dumb-init dpkg supervisor runit
  printf ', and %s.\n' "$(ipcbox --version | head -n 1)"

  printf '\n## Locks\n\n`chpst -l` and `-L` are runit'"'"'s.\n\n'
  table flock runit lockrun
  row lock_kept 'If the tool is killed (SIGKILL), nobody gets the lock while PROG runs'
  row lock_prog_dies 'If the tool is killed (SIGKILL), PROG ends, too'
  row lock_background 'A process that PROG leaves behind does not keep the lock'
  row lock_busy_status 'A status of its own for a lock that is taken, distinct from those of PROG'
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
  row daemon_schedule 'A stop by several signals, each with a time of its own'
  row daemon_stranger 'Never signals another process that has since got the PID of PROG'
  row daemon_self 'Stops a PROG that puts itself into the background'
  row daemon_backoff 'Restarts PROG, after pauses that grow'
  row daemon_gives_up 'Gives up after N restarts'
  row daemon_rotates 'Rotates the log by size'
  row daemon_times 'Puts the time before each line of the log'
  row daemon_many 'Several programs under one supervisor, stopped by one command'
  row daemon_limits 'Sets the nice value and resource limits of PROG'

  footnotes
}

page_servers() {
  lettered=yes
  cat <<'END'
## Servers

s6 serves Unix sockets; s6-networking, which has the servers for TCP and TLS, is not in Debian 12. ucspi-tcp is Debian's
ucspi-tcp-ipv6; ipcbox is `tcpserver`, `unixserver`, `udpserver`, `tcpclient` and `unixclient`.

END
  printf 'Measured with '
  packages socat ucspi-tcp-ipv6 s6
  printf ', %s, and %s.\n\n' "$("$busybox" | sed -n '1s/^BusyBox v\([0-9.]*\).*/busybox \1/p')" "$(ipcbox --version | head -n 1)"
  table socat ucspi-tcp s6 busybox ipcbox
  row serve_tcp 'A program for each TCP connection'
  row serve_unix 'A program for each connection to a Unix socket'
  row serve_udp 'A program for each datagram'
  row serve_udp_session 'One program for all datagrams of a client'
  row serve_ipv6 'IPv6'
  row serve_limit 'At most N connections at once; others wait'
  row serve_per_client 'At most N connections at once of the same client'
  row serve_rules 'Rules for clients, by address or user ID'
  row serve_rules_edit 'Edited rules apply to the next connection, without a compiler'
  row serve_environment 'The environment names the client'
  row serve_log 'A log of connections: the client, and the status or signal of its program'
  row serve_ready 'Reports when it is ready, and the port that the kernel chose'
  row serve_activation 'Takes a listening socket from a service manager'
  row serve_term_waits 'On SIGTERM, programs finish, and the server waits for them'
  row serve_term_queue 'On SIGTERM, connections that wait already are served, too'
  row serve_proxy 'Takes the client from a PROXY header'
  row serve_tls 'Serves TLS'
  row relay_reset 'Client: a reset is an error, not an end of file'
  row relay_half_close 'Client: the end of stdin is passed on, and the whole answer comes, however late'
  footnotes
}

page_end() {
  cat <<'END'
What none of these tables can show: flock, timeout and start-stop-daemon are on nearly every Debian system already; supervisord
has a web page and XML-RPC, runit can be the init of a whole machine; socat connects almost anything with anything: terminals,
files, raw IP, proxies of SOCKS and HTTP; s6 is a whole supervision suite.
END
}

note_text() {
  case $1 in
  exec) echo 'The tool becomes PROG by exec.' ;;
  foreground) echo 'With `--foreground`, which leaves the descendants of PROG alone.' ;;
  forwards) echo 'Not all of them.' ;;
  stop) echo 'PROG is stopped, but not the tool, so the shell does not see that its job has stopped.' ;;
  two) echo 'One signal, a time, then SIGKILL.' ;;
  match) echo 'Only with an option such as `--exec` that tells the other program apart; with the pidfile alone it is killed.' ;;
  constant) echo 'Always after the same pause.' ;;
  late) echo 'Once the time of `sv -w` has passed.' ;;
  nice) echo 'The nice value only.' ;;
  networking) echo 's6-networking has it.' ;;
  built) echo 'Debian builds its busybox without this program. Here it is built from the same source, with it.' ;;
  ucspi-unix) echo 'Another package, ucspi-unix, has `unixserver`.' ;;
  compiled) echo 'Once `tcprules` has compiled them; then, without a restart.' ;;
  no-port) echo 'It reports that it is ready, but not the port.' ;;
  left) echo 'Programs finish, but the server does not wait for them.' ;;
  warning) echo 'There is a message (from socat only with `-d`), but the exit status is 0.' ;;
  receives) echo 'It only receives; to `mconnect`, which sends, too, a reset is an end of file.' ;;
  local) echo 'It can be built to do so (`FEATURE_UNIX_LOCAL`); by default, and in Debian, it is not.' ;;
  held) echo 'If another process keeps the socket, such as `s6-fdholder`, the next server serves them.' ;;
  stdin) echo 'As its stdin.' ;;
  tls) echo 'docs/tls.md shows the ways to TLS with other programs.' ;;
  *) echo "$1?" ;;
  esac
}
