# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# take.sh - a static program under a semaphore or a lock.

take_part() {
  new_part "A static program under a semaphore or a lock, one run after the other."
  : >"$dir/lock"
  key=$dir/lock:1
  "$ipcbox" semset create "$key" || die 'no semaphore'
  repeated ipcbox '' 'ipcbox semtake' "$ipcbox" semtake "$key" "$tools/hello"
  repeated ipcbox-lockrun '' 'ipcbox lockrun' "$ipcbox" lockrun "$dir/lock" "$tools/hello"
  [ ! -x "$build/static/ipcbox" ] ||
    repeated ipcbox-static '' 'ipcbox semtake, static with musl' "$build/static/ipcbox" semtake "$key" "$tools/hello"
  repeated none '' 'the program alone' "$tools/hello"
  has /usr/bin/flock util-linux && repeated flock 1 'flock' /usr/bin/flock "$dir/lock" "$tools/hello"
  has /usr/bin/perl perl &&
    repeated perl 3 'perl, as in perlipc' /usr/bin/perl "$bench/take.pl" \
      "$("$ipcbox" semset stat "$key" | awk '$1 == "key" {print $2}' | while read -r hex; do echo $((hex)); done)" \
      "$tools/hello"
  repeat_rounds 500
  "$ipcbox" semgive "$key" 2>/dev/null && {
    echo '  the semaphore was still taken at the end'
    status=1
  }
  "$ipcbox" semset rm "$key"
  table base rate
}
