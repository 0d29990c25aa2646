#!/bin/bash
# hostile.bash USES STATE... - every line of USES is a use of an applet. Each is run where nothing is wrong, and then in
# each STATE (hostile.c), and compared: what is not right is printed, and the status is 1. Right are the same result, or a
# message and an honest status. With IPCBOX_ONLY_USE, a pattern, only uses that match.
set -u
uses=$1
shift
declare -A status_of out_of files_of
bad=0 runs=0

# one STATE USE: sets status, left, files, out, err.
one() {
  local option=() words
  eval "words=(${2#-t })"
  [[ $2 != -t* ]] || option=(-t)
  # shellcheck disable=SC2154 # words
  read -r status left files < <(hostile "${option[@]}" "$1" out err "${words[@]}")
  out=$(<out) err=$(<err)
  out=${out//[0-9]/}
  case $2 in
  *udpclient* | *time\ * | 'ipcbox status'*) out=${out:+some} ;; # of now
  esac
  runs=$((runs + 1))
}

# complain USE WHAT
complain() {
  echo "$state: $1: $2: status $status (${status_of[$1]}), left '$left', files '$files', out '${out:0:60}', err '${err:0:200}'"
  bad=1
}

# The message can't be read there.
is_mute() {
  [[ $state == closed-2 || $state == closed-all || $state == full-2 || $state == full-all ]]
}

judge() {
  local use=$1 file
  [ "$left" = 0 ] || complain "$use" "a process is left"
  for file in $files; do
    [[ " ${files_of[$use]} " == *" $file "* ]] || complain "$use" "$file is left"
  done
  case $status in
  hang) complain "$use" "hangs" ;;
  "${status_of[$use]}")
    [[ $out == "${out_of[$use]}" || $status != 0 ]] || complain "$use" "another result"
    ;;
  0) complain "$use" "success, which it can't be" ;;
  141) [ "$state" = broken-1 ] || complain "$use" "SIGPIPE" ;;
  153) [ "$state" = fsize ] || complain "$use" "SIGXFSZ" ;;
  *)
    ((status < 128)) || complain "$use" "killed"
    [ -n "$err" ] || is_mute || complain "$use" "silence"
    ;;
  esac
}

while read -r use; do
  [[ $use =~ ${IPCBOX_ONLY_USE:-.} ]] || continue
  state=none
  began=${EPOCHREALTIME/./}
  one none "$use"
  status_of[$use]=$status out_of[$use]=$out files_of[$use]=$files
  [[ $status != hang && $left = 0 ]] || complain "$use" "where nothing is wrong"
  for state; do
    one "$state" "$use"
    judge "$use"
  done
  rm -rf hostile.?*
  ((${EPOCHREALTIME/./} - began < 500000 * $#)) || echo "slow: $use: $(((${EPOCHREALTIME/./} - began) / 1000)) ms, status ${status_of[$use]}"
done <"$uses"
echo "$runs runs"
exit $bad
