# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# pipeline.sh - the start of a pipeline of static programs by safepipe and others, and how fast it then is.

# The contestants for a pipeline of these stages, each a path: STAGE...
pipelines() {
  words='' script='' graph='' edges='' n=0
  for stage in "$@"; do
    words="$words${words:+ ::: }$stage" script="$script${script:+ | }$stage"
    n=$((n + 1))
    graph="$graph${graph:+ }[ S$n $stage ]"
    [ "$n" -eq 1 ] || edges="$edges {S$((n - 1)):1>S$n:0}"
  done
  # shellcheck disable=SC2086 # words; no path of ours has blanks, or read would lose them
  {
    repeated ipcbox '' 'ipcbox safepipe' "$ipcbox" safepipe $words
    [ ! -x "$static" ] || repeated ipcbox-static '' 'ipcbox safepipe, static with musl' "$static" safepipe $words
    repeated sh 1 'sh -c' /bin/sh -c "$script"
    ! has /usr/bin/bash bash || repeated bash 1 'bash -c' /usr/bin/bash -c "$script"
    ! has /usr/bin/pipexec pipexec || repeated pipexec 1 pipexec /usr/bin/pipexec -- $graph $edges
    repeated spawnpipe 0.87 'spawnpipe: posix_spawn and wait' "$tools/spawnpipe" "$@"
    [ ! -x "$dir/spawnpipe.musl" ] ||
      repeated spawnpipe-static 0.87 'spawnpipe, static with musl' "$dir/spawnpipe.musl" "$@"
  }
}

pipeline_tables() {
  table base "$1" ipcbox sh bash pipexec spawnpipe
  [ ! -x "$static" ] || table base "$1" ipcbox-static sh bash pipexec spawnpipe-static
}

# The data through it, all of which is checked.
data_turn() { # NAME
  "$tools/bytes" make "$data" | run_with "$1" "$tools/timed" -o "$dir/timed" |
    "$tools/bytes" check "$data" >"$dir/verdict"
  if [ "$(cat "$dir/verdict")" != "ok $data" ]; then
    echo "  $1: $(cat "$dir/verdict")"
    status=1
  fi
  took 1
}

pipeline_part() {
  static_program spawnpipe musl
  set -- "$tools/copy" "$tools/copy" "$tools/copy" "$tools/copy"
  new_part 'The start of a pipeline of 1 static program.'
  pipelines "$tools/hello"
  repeat_rounds $((240 / scale)) hello
  pipeline_tables rate
  new_part 'The start of a pipeline of 5 static programs.'
  pipelines "$tools/hello" "$@"
  repeat_rounds $((160 / scale)) hello
  pipeline_tables rate
  data=$((size / 4))
  shift
  new_part "$((data / 1048576)) MiB through a pipeline of 3 programs that copy."
  pipelines "$@"
  # how a contestant was built, and which shell it is, has no part in this
  # shellcheck disable=SC2086 # names
  contestants=$(printf '%s\n' $contestants | grep -vx -e bash -e '.*-static' | tr '\n' ' ')
  rounds_of data_turn
  table base time ipcbox sh pipexec spawnpipe
}
