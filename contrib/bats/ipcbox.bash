# shellcheck shell=bash
# ipcbox.bash: a library for tests with bats, 1.8 or newer: servers that are ready when the test continues and gone when it
# ends, waiting for events, and tests that fail when they leave something behind. docs/testing.md is its guide.
#
#   bats_load_library ipcbox
#   setup() { ipcbox_setup; }             # also in setup_file; DIR...: also watched for socket files
#   teardown() { ipcbox_teardown; }       # the last command there, since its status is the verdict
#
#   start_server NAME [OPTION]... SERVER [ARG]...   the options are those of withserver(1); sets and exports NAME_port,
#                                         NAME_socket, NAME_pid and NAME_log
#   stop_server NAME                      ends it with its descendants; ipcbox_teardown does so for all
#   wait_for CONDITION [::: CONDITION]... the conditions of waitfor(1)
#   wait_until COMMAND [ARG]...           until it succeeds: a function or a test of the shell's
#   expect_line FILE ERE                  until a line of FILE matches
#   nothing_left                          what ipcbox_teardown does when the servers have ended
#
# Variables: IPCBOX, the program (ipcbox); IPCBOX_TIMEOUT, the seconds that one wait may take (10); IPCBOX_GRACE, the seconds
# that processes which are about to exit have at the end (2); IPCBOX_CHECKS, what is looked for (processes fds sockets sysv).

: "${IPCBOX:=ipcbox}" "${IPCBOX_TIMEOUT:=10}" "${IPCBOX_GRACE:=2}" "${IPCBOX_CHECKS:=processes fds sockets sysv}"
ipcbox_servers=() # NAME:PID, with the PID of its withserver
ipcbox_watched=() # directories; there are some from ipcbox_setup on

# The directory of the test, or in setup_file and teardown_file that of the file
ipcbox_directory() {
  if [[ -n ${BATS_TEST_NAME:-} ]]; then echo "$BATS_TEST_TMPDIR"; else echo "$BATS_FILE_TMPDIR"; fi
}

# withserver's CLIENT: reports the address of the server, and waits until the test has ended, even by SIGKILL.
# shellcheck disable=SC2016 # for that shell
ipcbox_client='read -r server _ <"/proc/$PPID/task/$PPID/children"
printf "%s\n" "${PORT-}" "${SOCKET-}" "$server"
exec "$0" waitfor exit "$1" >/dev/null'

start_server() {
  local _name=$1 _log _ready _port _socket _server _pid _status=0
  [[ $_name =~ ^[A-Za-z_][A-Za-z_0-9]*$ && $# -gt 1 && " ${ipcbox_servers[*]}" != *" $_name:"* ]] || {
    echo "usage: start_server NAME [OPTION]... SERVER [ARG]...; NAME is as of a variable, and no other server has it" >&2
    return 100
  }
  shift
  _log=$(ipcbox_directory)/$_name.log
  _ready=${_log%.log}.ready
  rm -f "$_ready"
  mkfifo "$_ready" || return
  # a background process of a shell ignores SIGINT and SIGQUIT; bats waits until nobody has fd 3
  "$IPCBOX" sigexec -d INT,QUIT "$IPCBOX" withserver --sep '::: test :::' "$@" '::: test :::' \
    sh -c "$ipcbox_client" "$IPCBOX" $$ >"$_ready" 2>"$_log" </dev/null 3>&- &
  _pid=$!
  # with no line, it has failed
  { read -r _port && read -r _socket && read -r _server; } <"$_ready" || {
    wait "$_pid" || _status=$?
    echo "start_server: $_name did not start: status $_status" >&2
    tail -n 20 "$_log" >&2
    return $((_status ? _status : 1))
  }
  rm "$_ready"
  ipcbox_servers+=("$_name:$_pid")
  export "${_name}_port=$_port" "${_name}_socket=$_socket" "${_name}_pid=$_server" "${_name}_log=$_log"
}

stop_server() {
  local entry pid='' status=0 others=()
  for entry in "${ipcbox_servers[@]}"; do
    if [[ ${entry%:*} == "$1" ]]; then pid=${entry##*:}; else others+=("$entry"); fi
  done
  [[ -n $pid ]] || {
    echo "stop_server: no server '$1' is running" >&2
    return 1
  }
  ipcbox_servers=("${others[@]}")
  kill -TERM "$pid" 2>/dev/null || : # it has ended already, then
  wait "$pid" || status=$?
  # withserver passes the signal on, ends SERVER, and then itself by the same signal
  [[ $status -eq 143 ]] || {
    echo "stop_server: $1: withserver: status $status" >&2
    return 1
  }
}

wait_for() {
  "$IPCBOX" waitfor -t "$IPCBOX_TIMEOUT" "$@"
}

wait_until() {
  local end=$((SECONDS + IPCBOX_TIMEOUT))
  until "$@"; do
    ((SECONDS < end)) || {
      echo "wait_until: $*: not within $IPCBOX_TIMEOUT seconds" >&2
      return 1
    }
    sleep 0.05 # between two looks
  done
}

# tail(1) is the server, ready when it has printed the line. --free-port, or the first group of ERE would have to be a port.
expect_line() {
  local seen status=0
  seen=$(mktemp "$(ipcbox_directory)/expected.XXXXXX") || return
  # shellcheck disable=SC2016 # for that shell
  "$IPCBOX" withserver -q -r "$IPCBOX_TIMEOUT" --free-port --match "$2" \
    sh -c 'exec tail -n +1 -F -- "$1" 2>/dev/null' tail "$1" ::: true 2>"$seen" 3>&- || status=$?
  [[ $status -eq 0 ]] || {
    echo "expect_line: no line of $1 matches '$2'; the last ones, and why:"
    tail -n 20 "$seen"
  } >&2
  rm -f "$seen"
  return "$status"
}

ipcbox_setup() {
  IPCBOX_TEST=$(ipcbox_directory) # in the environment of all that the test starts
  export IPCBOX_TEST
  ipcbox_watched=("$IPCBOX_TEST" "$@")
  ipcbox_objects_before=$(ipcbox_objects) || return
  ipcbox_list_fds
  ipcbox_targets_before=$'\n'$(printf '%s\n' "${ipcbox_targets[@]}")$'\n'
}

ipcbox_teardown() {
  local status=0 i name
  for ((i = ${#ipcbox_servers[@]} - 1; i >= 0; i--)); do
    name=${ipcbox_servers[i]%:*}
    stop_server "$name" || status=1
    # for bats to show if the test has failed
    echo "the end of the log of $name:"
    tail -n 20 "$(ipcbox_directory)/$name.log"
  done
  nothing_left || status=1
  return $status
}

# Names all that is left, and kills the processes: only they are the test's beyond doubt.
nothing_left() {
  local left status=0
  ((${#ipcbox_watched[@]})) || return 0 # a test that was skipped before ipcbox_setup
  ipcbox_list_fds
  left=$(
    export -n IPCBOX_TEST # what looks is not the test's
    cd / && ipcbox_left_processes && ipcbox_left_fds && ipcbox_left_objects
  ) || status=$?
  [[ -n $left || $status -ne 0 ]] || return 0
  printf '%s\n' "the test has left something behind:" "$left" >&2
  return 1
}

# Each word of IPCBOX_CHECKS
ipcbox_checks() {
  [[ " $IPCBOX_CHECKS " == *" $1 "* ]]
}

# Of this shell, and without a subshell, whose pipe would be one of them. (The one of the pattern is closed by then.)
ipcbox_list_fds() {
  local fd
  ipcbox_fds=() ipcbox_targets=()
  for fd in /proc/"$BASHPID"/fd/*; do
    [[ ! -L $fd ]] || ipcbox_fds+=("$fd")
  done
  exec {fd}< <(readlink -- "${ipcbox_fds[@]}") # not as fd 0, which is one of them
  mapfile -t -u "$fd" ipcbox_targets
  exec {fd}<&-
}

ipcbox_left_fds() {
  local i
  ipcbox_checks fds || return 0
  for i in "${!ipcbox_fds[@]}"; do
    [[ $ipcbox_targets_before == *$'\n'"${ipcbox_targets[i]}"$'\n'* ]] || echo "fd ${ipcbox_fds[i]##*/}: ${ipcbox_targets[i]}"
  done
}

# Socket files, and System V objects of this user
ipcbox_objects() {
  local status
  if ipcbox_checks sockets; then
    find "${ipcbox_watched[@]}" -type s -printf 'socket %p\n' || return
  fi
  if ipcbox_checks sysv; then
    status=$("$IPCBOX" status --json) || return
    sed -nE 's/^\{"type":"(queue|semset|segment)","key":"([^"]*)","\1":([0-9]+),.*"uid":'"$EUID"'[,}].*/\1 \3, key \2/p' <<<"$status"
  fi
}

ipcbox_left_objects() {
  local objects
  objects=$(ipcbox_objects) || return
  grep -vxF -- "$ipcbox_objects_before" <<<"$objects" || :
}

# By the environment that they were started with, or by their directory
ipcbox_processes() {
  {
    grep -lszxF -- "IPCBOX_TEST=$IPCBOX_TEST" /proc/[0-9]*/environ
    find /proc -maxdepth 2 -name cwd \( -lname "$IPCBOX_TEST" -o -lname "$IPCBOX_TEST/*" \) 2>/dev/null
  } | cut -d/ -f3 | grep -vx "$$" | sort -u
}

ipcbox_left_processes() {
  local pid pids
  ipcbox_checks processes || return 0
  mapfile -t pids < <(ipcbox_processes)
  [[ ${#pids[@]} -eq 0 ]] || "$IPCBOX" alive -q -w -t "$IPCBOX_GRACE" "${pids[@]}" || :
  while read -r pid; do
    echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    kill -KILL "$pid" || :
  done 2>/dev/null < <(ipcbox_processes)
}
