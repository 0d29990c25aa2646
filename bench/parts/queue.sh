# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# queue.sh - lines through a message queue: many at once, one at a time, and one a run of a program.

# N lines from one to the other, each of which stream checks.
stream_turn() { # NAME N [-1]
  name=$1 n=$2 way=${3-}
  run_with "$1" "$tools/stream" ${way:+"$way"} -o "$dir/timed" "$n" || {
    echo "  $name: a stream has failed"
    status=1
    "$ipcbox" msgrecv -q -f -t 0 "$number" >"$dir/out" # what is left in it
  }
  took "$n"
}

queue_contestants() { # GOAL against rawqueue, GOAL against perl
  repeated ipcbox '' 'ipcbox msgsend, msgrecv -f' "$ipcbox" msgsend "$number" ::: "$ipcbox" msgrecv -f "$number"
  repeated raw "$1" 'rawqueue: a write each' "$tools/rawqueue" send "$number" ::: "$tools/rawqueue" follow "$number"
  repeated raw-batch '' 'rawqueue: a write for all there' "$tools/rawqueue" send "$number" ::: \
    "$tools/rawqueue" batch "$number"
  ! has /usr/bin/perl perl ||
    repeated perl "$2" 'perl, as in perlipc' /usr/bin/perl "$bench/queue.pl" send "$number" ::: \
      /usr/bin/perl "$bench/queue.pl" follow "$number"
  [ ! -x "$static" ] ||
    repeated ipcbox-static '' 'ipcbox, static with musl' "$static" msgsend "$number" ::: "$static" msgrecv -f "$number"
}

queue_streams() {
  new_part "$1 lines through a message queue, from a file to a pipe."
  queue_contestants 0.8 1
  repeated send '' 'ipcbox msgsend, rawqueue' "$ipcbox" msgsend "$number" ::: "$tools/rawqueue" follow "$number"
  repeated receive '' 'rawqueue, ipcbox msgrecv -f' "$tools/rawqueue" send "$number" ::: \
    "$ipcbox" msgrecv -f "$number"
  rounds_of stream_turn "$1"
  table base rate ipcbox ipcbox raw raw-batch perl ipcbox-static
  rm "$dir/rows"
  measured_row raw '' 'rawqueue: a write each'
  measured_row send 0.8 'ipcbox msgsend, rawqueue'
  measured_row receive 0.8 'rawqueue, ipcbox msgrecv -f'
  measured_row ipcbox-static 0.8 'ipcbox, static with musl'
  table row rate raw
}

queue_one_by_one() {
  new_part 'Lines through a message queue, the next when the one before has come out.'
  queue_contestants '' ''
  rounds_of stream_turn "$1" -1
  table base rate
}

queue_single() {
  new_part 'Single calls: a message is sent, then received.'
  paired ipcbox '' 'ipcbox msgsend, msgrecv' "$ipcbox" msgsend "$number" hello ::: "$ipcbox" msgrecv "$number"
  paired raw '' 'rawqueue' "$tools/rawqueue" send "$number" hello ::: "$tools/rawqueue" receive "$number"
  if has /usr/bin/perl perl; then
    paired perl 3 'perl, as in perlipc' /usr/bin/perl "$bench/queue.pl" send "$number" hello ::: \
      /usr/bin/perl "$bench/queue.pl" receive "$number"
    few perl
  fi
  [ ! -x "$static" ] || paired ipcbox-static '' 'ipcbox, static with musl' "$static" msgsend "$number" hello ::: \
    "$static" msgrecv "$number"
  [ ! -x "$dir/rawqueue.musl" ] || paired raw-static '' 'rawqueue, static with musl' \
    "$dir/rawqueue.musl" send "$number" hello ::: "$dir/rawqueue.musl" receive "$number"
  repeat_rounds $((120 / scale)) hello
  table base rate ipcbox ipcbox raw perl ipcbox-static
  [ -x "$static" ] || return
  rm "$dir/rows"
  measured_row ipcbox-static '' 'ipcbox, static with musl'
  measured_row raw-static '' 'rawqueue, static with musl'
  measured_row perl 3 'perl, as in perlipc'
  table base rate ipcbox-static
}

queue_part() {
  : >"$dir/queue"
  queue=$dir/queue:1
  "$ipcbox" msgdemo create "$queue" || die 'no queue'
  number=$(($("$ipcbox" msgdemo stat "$queue" | awk '$1 == "key" {print $2}')))
  static_program rawqueue musl
  queue_streams $((100000 / scale))
  queue_one_by_one $((5000 / scale))
  queue_single
  "$ipcbox" msgdemo rm "$queue"
  queue=
}
