# What the tables of the stress files share: rows that run at once, each in the background with a minute, and their ends.

load helper/sysv
load helper/tcpserver
load helper/daemon

stress_setup() {
  sysv_setup
  connected=()
  before=''
  export OF_TEST=$BATS_TEST_TMPDIR
}

stress_teardown() {
  local fd
  for fd in "${connected[@]}"; do
    exec {fd}>&-
  done
  env -u OF_TEST "$HELPERS/end-marked" "OF_TEST=$BATS_TEST_TMPDIR"
  sysv_teardown
}

# run_row STATUS COMMAND: runs it behind the words of $before; goes to $runs. % is its number, err.% its stderr.
run_row() {
  eval "exec timeout --foreground -s KILL 60 $before ${2//%/${#runs[@]}}" >/dev/null 2>"err.${#runs[@]}" 3>&- &
  runs+=("$! $1 $2")
}

# judge: all of $runs end with their status, or one of several, with commas between.
judge() {
  local run pid want row status bad=0
  for run in "${runs[@]}"; do
    read -r pid want row <<<"$run"
    status=0
    wait "$pid" || status=$?
    [[ " ${want//,/ } " == *" $status "* ]] || {
      echo "$before $row: status $status, expected $want" >&2
      bad=1
    }
  done
  runs=()
  return "$bad"
}
