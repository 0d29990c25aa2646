# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# against.sh - this build against an earlier one, $against: the rates of what is done most. A ratio below 0.97 is a loss.

# Both as contestants, of a command that is run to its end: LABEL APPLET ARG...
both() {
  label=$1
  shift
  new_part "$label"
  repeated ipcbox '' 'this build' "$ipcbox" "$@"
  repeated against 0.97 'the other build' "$against" "$@"
}

around_hello() { # LABEL APPLET ARG...
  both "$@"
  repeat_rounds $((400 / scale)) hello
  table base rate
}

serving() { # LABEL ADDRESS-OF-OURS ADDRESS-OF-THE-OTHER SERVER ARG...
  new_part "$1"
  ours=$2 others=$3
  shift 3
  # shellcheck disable=SC2086 # words
  {
    tells_port ipcbox '' 'this build' "$ipcbox" "$@" $ours "$tools/hello"
    tells_port against 0.97 'the other build' "$against" "$@" $others "$tools/hello"
  }
  serve_rounds
  table base rate
}

through() { # LABEL BYTES APPLET ARG...: data through it, all of which is checked
  label=$1 data=$2
  shift 2
  both "$label" "$@"
  rounds_of data_turn
  table base time
}

against_semaphore() {
  key=$dir/lock:1
  "$ipcbox" semset create "$key" || die 'no semaphore'
  around_hello 'semtake around a static program.' semtake "$key" "$tools/hello"
  "$ipcbox" semset rm "$key"
  key=
}

against_queue() {
  queue=$dir/lock:2
  "$ipcbox" msgdemo create "$queue" || die 'no queue'
  number=$(($("$ipcbox" msgdemo stat "$queue" | awk '$1 == "key" {print $2}')))
  new_part 'Lines through a message queue: msgsend, msgrecv -f.'
  repeated ipcbox '' 'this build' "$ipcbox" msgsend "$number" ::: "$ipcbox" msgrecv -f "$number"
  repeated against 0.97 'the other build' "$against" msgsend "$number" ::: "$against" msgrecv -f "$number"
  rounds_of stream_turn $((100000 / scale))
  table base rate
  "$ipcbox" msgdemo rm "$queue"
  queue=
}

against_part() {
  [ -x "$against" ] || die "AGAINST=$against: not a program"
  : >"$dir/lock"
  serving 'A program per TCP connection; 30 at a time.' '127.0.0.1 0' '127.0.0.1 0' tcpserver -1 -c 40
  serving 'A program per connection to a Unix socket; 30 at a time.' ./ours.sock ./others.sock unixserver -1 -c 40
  both "The start of an applet: 'signame 1'." signame 1
  repeat_rounds $((800 / scale)) HUP
  table base rate
  around_hello 'lockrun around a static program.' lockrun "$dir/lock" "$tools/hello"
  around_hello 'deadline around a static program.' deadline 60 "$tools/hello"
  around_hello 'reap around a static program.' reap "$tools/hello"
  around_hello 'safepipe with one static program.' safepipe "$tools/hello"
  against_semaphore
  against_queue
  through "$((size / 1048576)) MiB through safepipe, two stages." "$size" safepipe "$tools/copy" ::: "$tools/copy"
  through "$((size / 1048576)) MiB through open2." "$size" open2 "$tools/copy"
  through "$((size / 1048576)) MiB through pipecat." "$size" pipecat -
}
