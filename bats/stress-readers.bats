# Nothing waits for a reader of what we say: ends, deadlines, signals and service, for every sink that is full and unread.

load helper/stress

setup() {
  stress_setup
  kinds=(pipe socket stopped terminal)
  touch plain
  echo question >line
}

teardown() {
  stress_teardown
}

# each_ends: for each row of stdin, STATUS|FDS|COMMAND, and each kind, all at once: with unread sinks at FDS COMMAND ends,
# within a minute, with STATUS. (How long it takes is the bound of a row, whatever the machine does meanwhile.)
each_ends() {
  local row kind runs=() run
  while read -r row; do
    for kind in "${kinds[@]}"; do
      launch_row "$kind" "$row"
    done
  done
  judge
}

# each_stops: the same for what TERM ends, within a minute: once it has made the file %, or, if there is no % in the row, is
# asleep.
each_stops() {
  local row kind runs=() run ready
  while read -r row; do
    for kind in "${kinds[@]}"; do
      launch_row "$kind" "${row//%/ready.$kind.${#runs[@]}}"
    done
  done
  for run in "${runs[@]}"; do
    ready=$(grep -o 'ready\.[a-z]*\.[0-9]*' <<<"$run") || :
    if [ -n "$ready" ]; then until_true made "$ready" "${run%% *}"; else until_true waits "${run%% *}"; fi
    kill -TERM "${run%% *}" || :
  done
  judge
}

# launch_row KIND ROW: with unread sinks of that kind (run_row).
launch_row() {
  local want fds command kind=$1
  IFS='|' read -r want fds command <<<"$2"
  run_row "$want" "stalled $kind $fds $command"
}

# made FILE PID: it is there, or whoever was to make it has ended.
made() {
  [ -e "$1" ] || ! kill -0 "$2" 2>/dev/null
}

# waits TIMEOUT: its child has become what it is to be, and sleeps, or has ended.
waits() {
  local pid stat
  kill -0 "$1" 2>/dev/null || return 0 # it has ended
  read -r pid 2>/dev/null <"/proc/$1/task/$1/children" || [ -n "$pid" ] || return # there is no newline
  read -r stat 2>/dev/null <"/proc/$pid/stat" || return
  [[ $stat != *"(stalled)"* && $stat == *") S "* ]]
}

# ---- ends ----

@test "stderr: deadlines, refusals and PROG's end are in time" {
  background holder lockrun taken does to holds % sleep
  until_true test -s holds
  msgdemo create "$key" && msgsend "$key" one && msgsend "$key" two && msgsend "$key" three && msgsend "$key" four
  new_key empty && msgdemo create "$empty"
  new_key set && semset create "$set" && semtake "$set"
  each_ends <<END
124|2|deadline -v 0.2 sleep infinity
124|2|deadline -v -k 0.1 0.2 does ignore TERM sleep
3|2|deadline -v 1h sh -c 'exit 3'
1|2|lockrun -n taken true
124|2|lockrun -v -t 0.2 taken true
3|2|lockrun -v free.\$kind sh -c 'exit 3'
124|2|open2 -v -l -t 0.2 sleep infinity <line
124|2|open3 -v -l -t 0.2 sleep infinity <line
3|2|open2 -v true ::: sh -c 'exit 3'
124|2|safepipe -v -t 0.2 sleep infinity ::: sleep infinity
3|2|safepipe -v true ::: sh -c 'exit 3'
124|2|withserver -v -t 0.2 sh -c 'echo 1; exec sleep infinity' ::: sleep infinity
124|2|withserver -v -r 0.2 sleep infinity ::: true
3|2|withserver -v sh -c 'echo 1; exec sleep infinity' ::: sh -c 'exit 3'
3|2|reap -v --grace 0.1 sh -c 'sleep infinity & exit 3'
3|2|sigtrap -v USR1=ignore sh -c 'exit 3'
0|2|cmdserver -v -t 0.2 slow='sleep infinity' < <(echo slow; echo quit)
1|2|msgrecv -v $key false
124|2|msgrecv -v -t 0.2 $empty
124|2|semtake -v -t 0.2 $set
1|2|semtake -v --try $set
124|2|alive -v -w -t 0.2 \$BASHPID
124|2|waitfor -v -t 0.2 file nowhere
1|2|tcptime -v -p 1 -t 0.2 127.0.0.1
1|2|udptime -v -p 1 -t 0.2 -r 1 127.0.0.1
END
}

@test "stderr: an error is an end, at once" {
  local launcher
  for launcher in 'deadline 1h' "lockrun free.\$kind" reap 'sigtrap USR1=ignore' safepipe open2 open3 'withserver true :::' sockenv \
    sigexec daemonize 'daemonize --foreground' 'tcpserver 127.0.0.1 0' "unixserver sock.\$kind" "mkfifo-sig fifo.\$kind"; do
    echo "127|2|$launcher ./nothing"
    [[ $launcher == withserver* ]] || echo "126|2|$launcher ./plain"
  done | each_ends
  each_ends <<END
111|2|tcpclient 127.0.0.1 1
111|2|unixclient nowhere
111|2|webget -p 1 127.0.0.1 /
111|2|pipecat nowhere
1|2|killpg 2147483647
111|2|msgsend $key text
111|2|semgive $key
END
}

@test "stderr: a usage error is 100 with every applet" {
  local applet
  kinds=(pipe terminal)
  for applet in $("$IPCBOX" --list | awk '{ print $1 }'); do
    echo "100|2|$applet --no-such-option"
  done | each_ends
}

@test "--status-fd: whoever has it unread has PROG's end in time, also with an unread stderr" {
  msgdemo create "$key" && msgsend "$key" one
  local fds
  for fds in 5 2,5; do
    each_ends <<END
124|$fds|deadline -v --status-fd 5 0.2 sleep infinity
3|$fds|deadline --status-fd 5 1h sh -c 'exit 3'
3|$fds|lockrun --status-fd 5 free.\$kind sh -c 'exit 3'
3|$fds|reap --status-fd 5 sh -c 'exit 3'
3|$fds|sigtrap --status-fd 5 USR1=ignore sh -c 'exit 3'
3|$fds|safepipe --status-fd 5 true ::: true ::: sh -c 'exit 3'
124|$fds|safepipe -t 0.2 --status-fd 5 sleep infinity ::: sleep infinity
3|$fds|open2 --status-fd 5 true ::: sh -c 'exit 3'
3|$fds|open3 --status-fd 5 true ::: sh -c 'exit 3'
3|$fds|withserver --status-fd 5 sh -c 'echo 1; exec sleep infinity' ::: sh -c 'exit 3'
1|$fds|msgrecv --status-fd 5 $key false
3|$fds|daemonize --foreground --status-fd 5 sh -c 'exit 3'
END
  done
}

# ---- signals ----

@test "TERM ends what has something to say: launchers as PROG ends, the others by themselves" {
  background holder lockrun taken does to holds % sleep
  until_true test -s holds
  new_key empty && msgdemo create "$empty"
  new_key set && semset create "$set" && semtake "$set"
  peer busy 127.0.0.1 full wait
  mkfifo asked
  local fd
  exec {fd}<>asked
  connected+=("$fd")
  each_stops <<END
143|2|deadline -v 1h does to % up sleep
143|2|lockrun -v free.\$kind does to % up sleep
143|2|lockrun -v taken true
143|2|reap -v does to % up sleep
143|2|sigtrap -v USR1=ignore does to % up sleep
143|2|safepipe -v sleep infinity ::: does to % up sleep
143|2|open2 -v sleep infinity ::: does to % up sleep
143|2|open3 -v sleep infinity ::: does to % up sleep
143|2|withserver -v sh -c 'echo 1; exec sleep infinity' ::: does to % up sleep
143|2|withserver -v does to % up sleep ::: true
143|2|alive -v -w \$BASHPID
143|2|waitfor -v file nowhere
143|2|msgrecv -v $empty
143|2|semtake -v $set
143|2|tcpclient -v 127.0.0.1 $busy_at
143|2,5|deadline -v --status-fd 5 1h does to % up sleep
143|2,5|safepipe -v --status-fd 5 sleep infinity ::: does to % up sleep
143|2,5|sigtrap -v --status-fd 5 USR1=ignore does to % up sleep
143|2|cmdserver -v slow='does to % up sleep' < <(echo slow; exec sleep 60s)
END
}

# ---- servers ----

# Whether a server of that kind serves at $at, with the words "served".
serves() {
  case $1 in
    tcpserver) [ "$(timeout --foreground 60 tcpclient 127.0.0.1 "$at" </dev/null 2>&1)" = served ] ;;
    unixserver) [ "$(timeout --foreground 60 unixclient "$at" </dev/null 2>&1)" = served ] ;;
    timeserver) tcptime -q -p "$at" 127.0.0.1 >/dev/null ;;
    mkfifo-sig) [ -p "$at" ] && [ "$(timeout --foreground 60 cat "$at")" = served ] ;;
  esac
}

# goes_on FDS SERVER: under each kind (of $kinds) of unread sink at FDS, or with an unread NOTIFY_SOCKET as FDS, it serves
# again and again, and ends at TERM with 0. Its options are in $options.
goes_on() {
  local kind name at where prog round
  for kind in "${kinds[@]}"; do
    prog=(echo served)
    name=$1
    case $2 in
      unixserver) at=sock where=(sock) ;;
      mkfifo-sig) at=sig where=(sig) ;;
      timeserver) at=$(free_port) prog=() && where=(127.0.0.1 "$at") ;;
      *) at=$(free_port) where=(127.0.0.1 "$at") ;;
    esac
    [ "$kind" != notify ] || name=@ipcbox-$at-$BASHPID
    # shellcheck disable=SC2086 # words
    background srv stalled "$kind" "$name" "$2" $options "${where[@]}" "${prog[@]}"
    until_true serves "$2"
    for round in 1 2 3; do
      [[ $2 != tcpserver && $2 != unixserver ]] || kill -USR1 "$srv"
      serves "$2" || break
    done
    [ "$round" -eq 3 ] && kill -TERM "$srv" && ends_with 0 "$srv" || {
      echo "$2 $options: an unread $kind at $name: round $round, status $status" >&2
      return 1
    }
  done
}

@test "servers serve on, and end at TERM: an unread log" {
  local server
  for server in tcpserver unixserver; do
    options=-v goes_on 2 "$server"
  done
  kinds=(pipe terminal)
  options=--log-format=json
  goes_on 2 timeserver
  goes_on 2 mkfifo-sig
}

@test "servers serve on, and end at TERM: unread readiness, on stdout, an fd and NOTIFY_SOCKET, and all of it" {
  local server options
  for server in tcpserver unixserver timeserver mkfifo-sig; do
    kinds=(pipe stopped)
    options=-1 goes_on 1 "$server"
    kinds=(socket terminal)
    options='--ready-fd 5' goes_on 5 "$server"
    kinds=(notify)
    options='' goes_on - "$server"
    kinds=(pipe)
    options='-v -1 --ready-fd 5' goes_on 1,2,5 "$server"
  done
}

@test "--drain and --max end although nobody reads the log" {
  local at kind
  for kind in "${kinds[@]}"; do
    at=$(free_port)
    background srv stalled "$kind" 2 tcpserver -v --drain 0.2 127.0.0.1 "$at" sh -c 'echo up; exec sleep infinity'
    until_true connects
    connect c "$at"
    hear "$c"
    kill -TERM "$srv"
    ends_with 124 "$srv"
    hang_up "$c"
    at=$(free_port)
    background srv stalled "$kind" 1,2 tcpserver -v -1 --max 1 127.0.0.1 "$at" echo served
    until_true serves tcpserver
    ends_with 0 "$srv"
  done
}

connects() {
  if refuses "$at"; then false; fi
}

# ---- daemonize ----

@test "daemonize: the monitor restarts PROG, and stops, whoever reads its messages" {
  local kind how
  for kind in "${kinds[@]}"; do
    for how in '2 --supervise --backoff 1ms:10ms' '2,5 --status-fd 5 --supervise --backoff 1ms:10ms'; do
      rm -f runs
      # shellcheck disable=SC2086 # words
      background d stalled -a "$kind" ${how%% *} daemonize -v --foreground -P "$here/monitor" ${how#* } sh -c "echo run >>$here/runs; exit 3"
      until_true lines 5 runs
      refused 0 --stop -P monitor
      wait "$d" || :
    done
  done
}

@test "daemonize: a log that is a FIFO that nobody reads stops neither PROG's signals nor --stop, --restart, --status" {
  timeout --foreground 60 stalled -a fifo log daemonize -P "$here/monitor" -p "$here/prog" --log "$here/log" -k 0.1 \
    sh -c 'while echo some words of PROG; do :; done' >said 2>&1
  local pid
  pid=$(cat prog)
  refused 0 --status -P monitor
  refused 0 --restart -P monitor
  until_true other prog "$pid"
  refused 0 --stop -P monitor
  [ ! -e prog ]
}

@test "daemonize: an unread NOTIFY_SOCKET, and an unread stderr of the caller" {
  local kind
  timeout --foreground 60 stalled -a notify "@ipcbox-d-$BASHPID" daemonize -P "$here/monitor" --settle 0.1 sleep infinity
  refused 0 --stop -P monitor
  for kind in "${kinds[@]}"; do
    timeout --foreground 60 stalled -a "$kind" 2 daemonize -v -P "$here/monitor" sleep infinity
    refused 0 --stop -P monitor
  done
  each_ends <<END
3|2|daemonize -v --status -P monitor
0|2|daemonize -v --stop -P monitor
127|2|daemonize -P monitor.\$kind ./nothing
END
}

# ---- output ----

@test "a program's own output waits for its reader, but neither do deadlines nor signals" {
  start server tcpserver 127.0.0.1 0 yes
  seq 100000 >many
  each_ends <<END
124|1|deadline 0.2 yes
124|1|safepipe -t 0.2 yes ::: cat
124|1|withserver -t 0.2 sh -c 'echo 1; exec sleep infinity' ::: yes
END
  each_stops <<END
143|1|deadline 1h yes
143|1|reap yes
143|1|safepipe yes ::: cat
143|1|open2 -k 0.2 yes
143|1|open2 -k 0.2 cat </dev/zero
143|1|open3 -k 0.2 --tag yes
143|1|pipecat /dev/zero
143|1|pipecat 'yes |'
143|1|tcpclient 127.0.0.1 $server_at
143|1|open2 -k 0.2 -l cat <many
END
}

@test "the reader that comes at last gets all of it" {
  start server tcpserver 127.0.0.1 0 cat
  seq 200000 >all
  mkfifo out
  local row fd bad=0
  while read -r row; do
    exec {fd}<>out
    eval "exec timeout --foreground -s KILL 60 $row" >out 3>&- {fd}>&- &
    until_true waits "$!"
    timeout --foreground 60 cat <out >got 3>&- {fd}>&- &
    exec {fd}>&-
    ends_with 0 "$!" # the reader's
    cmp all got || {
      echo "$row: not all of it" >&2
      bad=1
    }
  done <<END
open2 cat <all
open2 --pty cat <all
pipecat all
pipecat 'cat all |'
safepipe cat all ::: cat
tcpclient 127.0.0.1 $server_at <all
END
  [ "$bad" -eq 0 ]
}
