#!/bin/sh
# probes.sh - asks ipcbox's launchers and their peers the same yes/no questions, and prints the answers as tables.
#
#     sh bench/probes.sh BUILD          from the top directory; BUILD as in make B=BUILD
#                                       PARTS='init deadline lock daemon': these parts of it
#
# A cell is "yes" or "no", an exit status (or two), "n.a." where a tool has nothing of the kind, or "hangs" when a probe
# was not over in eight seconds. Peers that are missing are named and left out. All files are made under BUILD and
# are gone when it ends, as are all processes that were started: they are known by a variable in their environment.
# shellcheck disable=SC2016 # Markdown's backquotes; a format's names
set -u

[ $# -eq 1 ] || {
  echo 'usage: sh bench/probes.sh BUILD' >&2
  exit 100
}
bench=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bench" || exit
build=$(cd "$1" && pwd) || exit
dir=$(mktemp -d "$build/bench/probes.XXXXXX") || exit
namespace=

# Whoever descends from a probe, wherever it is
end_all() {
  while pids=$(grep -lsxzF "PROBES=$dir" /proc/[0-9]*/environ | cut -d/ -f3) && [ -n "$pids" ]; do
    # shellcheck disable=SC2086 # pids
    kill -KILL $pids
    sleep 0.02
  done 2>/dev/null
}

trap 'end_all; rm -rf "$dir"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# Is the peer there? If not, its package is named at the end.
have() {
  [ -x "$1" ] || {
    echo "$2" >>"$dir/missing"
    return 1
  }
}

# The answer of a tool to a probe
ask() { # FUNCTION TOOL
  PROBES=$dir PROBES_NAMESPACE=$namespace timeout --foreground -k 1 8 \
    sh "$bench/probe.sh" "$dir" "$1" "$2" </dev/null >"$dir/out" 2>&1
  status=$?
  end_all
  if [ -s "$dir/$1.$2/answer" ]; then
    cat "$dir/$1.$2/answer"
  elif [ "$status" -eq 124 ]; then
    echo hangs
  else
    echo '?'
  fi
}

row() { # FUNCTION LABEL
  line="| $2 |"
  for column in $columns; do
    line="$line $(ask "$1" "$column") |"
  done
  echo "$line"
}

# part NAME TITLE COLUMN [COLUMN:PATH:PACKAGE]...
part() {
  case " ${PARTS:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
  title=$2 columns=$3
  shift 3
  for peer; do
    path=${peer#*:}
    if have "${path%:*}" "${path#*:}"; then
      columns="$columns ${peer%%:*}"
    fi
  done
  printf '\n### %s\n\n| |' "$title"
  for column in $columns; do
    printf ' %s |' "$(echo "$column" | tr _ ' ')"
  done
  printf '\n|---|'
  for column in $columns; do
    printf -- '---|'
  done
  echo
}

init_part() {
  part init Inits reap tini:/usr/bin/tini:tini dumb-init:/usr/bin/dumb-init:dumb-init \
    catatonit:/usr/bin/catatonit:catatonit || return 0
  row exact_status 'exits with the status of PROG'
  row killed_status 'status when PROG is killed by SIGUSR1 (10)'
  row exec_statuses 'status when PROG is not there, is not executable'
  row init_orphans 'waits for orphans, as process 1'
  row init_subreaper 'waits for orphans, as a subreaper (`tini -s`)'
  row init_leftover 'as process 1, what is left in the session of PROG gets SIGTERM and time'
  row init_leftover_session 'the same for what is left in a session of its own'
  row init_leftover_deaf 'as a subreaper, what is left and ignores SIGTERM is killed'
  row init_forward 'passes a signal on to PROG'
  row init_realtime 'passes a real-time signal on'
  row init_group 'passes a signal on to the process group of PROG (option)'
  row init_rewrite 'passes one signal on as another (option)'
  row init_remap 'exits with 0 in place of another status (option)'
  row init_listen 'LISTEN_PID becomes the pid of PROG'
  row init_ignored 'signals ignored by the caller are for PROG, SIGPIPE too, and no others'
  row init_blocked 'signals blocked by the caller are for PROG, and no others'
}

deadline_part() {
  part deadline Deadlines deadline timeout:/usr/bin/timeout:coreutils \
    timeout_--foreground:/usr/bin/timeout:coreutils || return 0
  row exact_status 'exits with the status of PROG that ends in time'
  row killed_status 'status when PROG is killed by SIGUSR1 (10)'
  row exec_statuses 'status when PROG is not there, is not executable'
  row deadline_passed 'status when the time is over'
  row deadline_deaf 'status when the time is over and PROG ignores SIGTERM (`-k`)'
  row deadline_stopped 'ends PROG that is stopped'
  row deadline_child 'ends a child of PROG in a session of its own'
  row deadline_orphan 'ends an orphan in the process group of PROG'
  row deadline_daemon 'ends an orphan in a session of its own'
  row deadline_descendant_deaf 'ends an orphan that ignores SIGTERM, where PROG does not (`-k`)'
  row deadline_in_time 'leaves the descendants of PROG alone when it ends in time'
  row deadline_told 'ends PROG when it gets SIGTERM itself'
  row deadline_group 'PROG stays in the process group of the caller'
  row deadline_terminal 'PROG can read the terminal'
}

lock_part() {
  part lock Locks lockrun flock:/usr/bin/flock:util-linux flock_-o:/usr/bin/flock:util-linux || return 0
  row exact_status 'exits with the status of PROG'
  row killed_status 'status when PROG is killed by SIGUSR1 (10)'
  row exec_statuses 'status when PROG is not there, is not executable'
  row lock_background 'what PROG leaves in the background does not keep the lock'
  row lock_lies 'killed with SIGKILL, there is no PROG without the lock'
  row lock_kill 'killed with SIGKILL, it takes PROG with it'
  row lock_term 'ended with SIGTERM, it ends PROG'
  row lock_inode 'sees that the file was removed while it waited'
  row lock_timeout 'status after a time-out of 0.2 seconds'
  row lock_slots 'lets N in at a time (option)'
  row lock_who 'tells who has the lock (option)'
}

daemon_part() {
  part daemon Daemons ipcbox_daemonize 'daemonize(1):/usr/bin/daemonize:daemonize' \
    start-stop-daemon:/sbin/start-stop-daemon:dpkg || return 0
  row daemon_exec 'status when PROG is not there, when its interpreter is not'
  row daemon_early 'status when PROG ends at once with 3 (option)'
  row daemon_ready 'returns when PROG says that it is ready (option)'
  row daemon_late 'status when PROG is not ready in time (option)'
  row daemon_late_end 'ends PROG that is not ready in time (option)'
  row daemon_pidfile 'the pidfile names PROG on return'
  row daemon_empty 'the pidfile is never empty'
  row daemon_gone 'the pidfile is gone when PROG has ended'
  row daemon_stale 'a pidfile whose pid is a stranger now does not prevent a start'
  row daemon_stop '`--stop` ends PROG'
  row daemon_stranger '`--stop` leaves a stranger with the pid of the pidfile alone'
  row daemon_twice 'a second start is refused and changes nothing'
  row daemon_race 'how many of eight simultaneous starts succeed'
  row daemon_lock 'the lock is taken as long as PROG runs, and free afterwards (`-l`)'
  row daemon_lock_closed 'also when PROG closes its descriptors'
  row daemon_monitor 'PROG ends when the holder of the lock is killed'
  row daemon_fds 'descriptors of the caller do not reach PROG'
  row daemon_terminal 'PROG can get no controlling terminal by opening one'
  row daemon_again 'starts PROG again when it was killed (option)'
}

versions() {
  for package in tini dumb-init catatonit coreutils util-linux daemonize dpkg; do
    dpkg-query -W -f '${Package} ${Version}\n' "$package" 2>/dev/null
  done | sed '/ $/d' | paste -sd, | sed 's/,/, /g'
}

mkdir "$dir/bin" && "$build/ipcbox" --install -s "$dir/bin" || exit
ln -s "$bench/probe.pl" "$dir/helper" || exit
for try in 'unshare -pf --mount-proc --kill-child' 'unshare -Urpf --mount-proc --kill-child'; do
  # shellcheck disable=SC2086 # words
  [ -n "$namespace" ] || ! $try true 2>/dev/null || namespace=$try
done
[ -n "$namespace" ] || echo '(no pid namespace can be made: what is about process 1 is n.a.)'
echo "$("$build/ipcbox" --version | head -n 1), $(uname -sr); peers: $(versions)"
init_part
deadline_part
lock_part
daemon_part
[ ! -s "$dir/missing" ] ||
  printf '\nMissing, left out: %s (Debian packages)\n' "$(sort -u "$dir/missing" | paste -sd' ')"
