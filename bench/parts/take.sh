# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# take.sh - a program under a semaphore, and single calls: take, then give. All use one semaphore, by its number.

# Each of them has given back what it took.
take_is_free() {
  "$ipcbox" semgive -q "$number" && {
    echo '  the semaphore was still taken at the end'
    status=1
  }
}

take_prog() {
  new_part 'A static program under a semaphore or a lock, one run after the other.'
  repeated ipcbox '' 'ipcbox semtake' "$ipcbox" semtake "$number" "$tools/hello"
  repeated raw 0.8 'rawtake: semop, exec' "$tools/rawtake" "$number" "$tools/hello"
  ! has /usr/bin/flock util-linux || repeated flock 1 flock /usr/bin/flock "$dir/lock" "$tools/hello"
  if has /usr/bin/perl perl; then
    repeated perl 3 'perl with IPC::SysV: semop, exec' /usr/bin/perl "$bench/take.pl" "$number" "$tools/hello"
    few perl
  fi
  repeated none '' 'the program alone' "$tools/hello"
  [ ! -x "$static" ] ||
    repeated ipcbox-static '' 'ipcbox semtake, static with musl' "$static" semtake "$number" "$tools/hello"
  [ ! -x "$dir/rawtake.musl" ] ||
    repeated raw-static '' 'rawtake, static with musl' "$dir/rawtake.musl" "$number" "$tools/hello"
  repeat_rounds $((400 / scale)) hello
  take_is_free
  table base rate ipcbox ipcbox raw flock perl none ipcbox-static
  [ -x "$static" ] || return
  rm "$dir/rows"
  measured_row ipcbox-static '' 'ipcbox semtake, static with musl'
  measured_row raw-static 0.8 'rawtake, static with musl'
  measured_row flock 1 flock
  measured_row perl 3 'perl with IPC::SysV: semop, exec'
  measured_row none '' 'the program alone'
  table base rate ipcbox-static
}

take_single() {
  new_part 'Single calls: a semaphore is taken, then given back.'
  paired ipcbox '' 'ipcbox semtake, semgive' "$ipcbox" semtake "$number" ::: "$ipcbox" semgive "$number"
  paired raw 0.8 'rawtake, rawtake -g' "$tools/rawtake" "$number" ::: "$tools/rawtake" -g "$number"
  if has /usr/bin/perl perl; then
    repeated perl 3 'perl with IPC::SysV, both in one' /usr/bin/perl "$bench/take.pl" "$number"
    paired perl-core '' 'perl without modules, a run each' /usr/bin/perl "$bench/takecore.pl" "$number" ::: \
      /usr/bin/perl "$bench/takecore.pl" "$number" give
    few perl
    few perl-core
  fi
  [ ! -x "$static" ] ||
    paired ipcbox-static '' 'ipcbox, static with musl' "$static" semtake "$number" ::: "$static" semgive "$number"
  [ ! -x "$dir/rawtake.musl" ] ||
    paired raw-static '' 'rawtake, static with musl' "$dir/rawtake.musl" "$number" ::: \
      "$dir/rawtake.musl" -g "$number"
  repeat_rounds $((120 / scale))
  take_is_free
  table base rate ipcbox ipcbox raw perl perl-core ipcbox-static
  [ -x "$static" ] || return
  rm "$dir/rows"
  measured_row ipcbox-static '' 'ipcbox, static with musl'
  measured_row raw-static 0.8 'rawtake, static with musl'
  measured_row perl 3 'perl with IPC::SysV, both in one'
  measured_row perl-core 3 'perl without modules, a run each'
  table base rate ipcbox-static
}

take_part() {
  : >"$dir/lock"
  key=$dir/lock:1
  "$ipcbox" semset create "$key" || die 'no semaphore'
  number=$(($("$ipcbox" semset stat "$key" | awk '$1 == "key" {print $2}')))
  static_program rawtake musl
  take_prog
  take_single
  "$ipcbox" semset rm "$key"
  key=
}
