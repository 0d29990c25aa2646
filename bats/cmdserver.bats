# cmdserver: perlipc's dialogue to the letter, commands of one's own and their ends, clients of all kinds.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

welcome='Welcome to cmdserver; type help for command list.'
commands='Commands: quit date who cookie motd'
a_date='[A-Z][a-z]{2} [A-Z][a-z]{2} [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] 20[0-9]{2}'

# asked TEXT [CMDSERVER-WORD...]: what cmdserver says to TEXT (with escapes), in $output; prompts are lines.
asked() {
  local text=$1
  shift
  printf %b "$text" >asked
  run -0 timeout --foreground 60 cmdserver -w '' -p $'>\n' "$@" <asked
}

# a client's transcript, with DATE where a date is
undated() {
  sed -E "s/^(.*)$a_date\$/\1DATE/"
}

blanks() {
  printf "%$1s" ''
}

# ---- the manual's dialogue ----

@test "the dialogue is the manual's, letter by letter" {
  printf 'help\n\nquit\n' >lines
  cmdserver <lines >out
  printf '%s\nCommand? %s\nCommand? Command? ' "$welcome" "$commands" >expected
  cmp out expected
}

# bats test_tags=long
@test "a client's transcript is the same as that of the manual's server" {
  local lines=('' help 'what is the DATE' '   ' 'tell me the Time' who "somebody's WHO" motd 'my MotD, please' '???' 'who knows the date'
    'datewho' 'I want to eXit now' date)
  start manual "$PERL/perlipc-cmdserver"
  start server tcpserver 127.0.0.1 0 cmdserver
  dialogue "$manual_at" "${lines[@]}" >dated
  undated <dated >expected
  dialogue "$server_at" "${lines[@]}" >dated
  undated <dated >out
  diff expected out
  [ "$(grep -c 'Command? DATE$' out)" -eq 4 ]
}

@test "the manual's interactive client talks to it, and tcpclient to the manual's server" {
  local client how
  start manual "$PERL/perlipc-cmdserver"
  start server tcpserver 127.0.0.1 0 cmdserver
  printf 'nothing\n\nexit\n' >lines
  for how in manual_at server_at; do
    for client in "$PERL/perlipc-client" tcpclient; do
      run -0 timeout --foreground 60 "$client" 127.0.0.1 "${!how}" <lines
      [ "$output" = "$welcome
Command? $commands
Command? Command? " ]
    done
  done
}

@test "of several commands in a line the first in the manual's order is run" {
  script bin/fortune 'echo a cookie'
  script bin/who 'echo somebody'
  asked 'date, then exit\ndate'
  [ "$output" = '>' ]
  asked 'who wants a date\nwho has motd and cookie\nmotd or cookie\nxtimex'
  [ "${#lines[@]}" -eq 9 ]
  [[ ${lines[1]} =~ ^$a_date$ ]]
  [ "${lines[*]:2:4}" = '> somebody > a cookie' ]
  [[ ${lines[7]} =~ ^$a_date$ ]]
}

@test "lines end with LF, CR LF or CR NUL, and the last line may lack its end" {
  asked 'help\r\n\r\nhelp\r\0help\0\nhelp'
  [ "$output" = ">
$commands
>
>
$commands
>
$commands
>
$commands
>" ]
}

@test "a date is as date(1) has it, a cookie is fortune's, who and motd are the system's" {
  asked 'date'
  local ours=${lines[1]}
  [ "$(date -d "$ours" '+%a %b %e %H:%M:%S %Y')" = "$ours" ]
  script bin/fortune 'echo a fortune; echo and an error >&2; exit 3'
  asked 'cookie'
  [ "$output" = '>
a fortune
and an error
>' ]
  asked 'who'
  [ "$output" = ">
$(who | sed 's/$/&/')${lines[2]:+
}>" ]
  [ -r /etc/motd ] || skip "no /etc/motd here"
  printf '>\n%s\n>\n' "$(cat /etc/motd)" >expected
  asked 'motd'
  printf '%s\n' "$output" | diff expected -
}

@test "-p and -w are prompt and welcome" {
  run -0 cmdserver -p '% ' -w 'Good morning' <<<$'help\nquit'
  [ "$output" = "Good morning
% $commands
% " ]
  run -0 cmdserver --prompt= --welcome= <<<help
  [ "$output" = "$commands" ]
}

# ---- one's own commands ----

@test "user-defined commands come after quit and before all others, match anywhere in a line, in any case, and are listed" {
  asked 'DATEs\nthe LOAD?\nwhoever\nquit load\n' load='echo a load' date='echo my date' whoever='echo w'
  [ "$output" = '>
my date
>
a load
>
w
>' ]
  asked 'help' load='echo a load' 'up.time=uptime'
  [ "${lines[1]}" = "$commands load up.time" ]
}

@test "the words of a command are split at blanks, and no shell sees them" {
  asked 'try' 'try=  printf  <%s> $HOME `id` "a b"  *  '
  [ "${lines[1]}" = '<$HOME><`id`><"a><b"><*>>' ]
}

@test "a command has no input, its errors go to the client, and its status is ignored" {
  script bin/fails 'echo out; echo err >&2; exit 7'
  script bin/killed 'kill -KILL $$'
  asked 'eat\nfails\nkilled\nhelp' eat=cat fails=fails 'killed=killed'
  [ "$output" = ">
>
out
err
>
>
$commands eat fails killed
>" ]
}

@test "a command that doesn't exist or can't run is reported to the client, and the dialogue continues" {
  touch plain
  asked 'nothing\nplain\nhelp' nothing=./nothing plain=./plain
  [ "$output" = ">
nothing: No such file or directory
>
plain: Permission denied
>
$commands nothing plain
>" ]
}

@test "a command has the connection's environment" {
  start server tcpserver 127.0.0.1 0 cmdserver 'me=printenv TCPREMOTEIP PROTO'
  run -0 timeout --foreground 60 dialogue "$server_at" me quit
  [ "${lines[1]}" = 'Command? 127.0.0.1' ]
  [ "${lines[2]}" = 'TCP' ]
}

# bats test_tags=long
@test "a command is terminated at its deadline, with all its descendants" {
  printf 'brood\nhelp\n' >asked
  with_time log sh -c 'exec timeout --foreground 60 cmdserver -w "" -p "" "$@" <asked' '' -t @T@ \
    brood="$HELPERS/descendants log orphan session+orphan deaf -- sleep 1000"
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 'brood: took too long' ]
  [ "${lines[1]}" = "$commands brood" ]
  all_gone log
}

@test "what a command leaves behind is terminated with it" {
  asked 'brood\nhelp' brood="$HELPERS/descendants log plain orphan session+orphan"
  [ "$output" = ">
>
$commands brood
>" ]
  [ "$(grep -c ' TERM$' log)" -eq 3 ]
  all_gone log
}

@test "output before the deadline reaches the client, and the dialogue continues" {
  script bin/slow 'printf 1; echo 1 >ran; exec sleep 1000'
  printf 'slow\nhelp' >asked
  with_time ran sh -c 'exec timeout --foreground 60 cmdserver -w "" -p ">
" "$@" <asked' '' -t @T@ slow=slow
  [ "$status" -eq 0 ]
  [ "$output" = ">
1slow: took too long
>
$commands slow
>" ]
}

# ---- lines of all kinds ----

@test "a line of 4 KiB is accepted, a longer one is refused" {
  asked "$(blanks 4092)date\n$(blanks 4093)date\nquit$(blanks 8192)\nhelp"
  [[ ${lines[1]} =~ ^$a_date$ ]]
  [ "${lines[*]:2}" = "> Line too long > Line too long > $commands >" ]
  asked "$(blanks 5000)"
  [ "$output" = '>
Line too long
>' ]
}

@test "an endless line is not stored" {
  mkfifo in
  background server bash -c 'exec cmdserver <in'
  exec 8>in
  head -c 30000000 /dev/zero >&8
  local peak
  peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/"$server"/status)
  echo "peak: $peak kB"
  ((peak < 20480))
  printf '\nhelp\nquit\n' >&8
  exec 8>&-
  ends_with 0 "$server"
  [ "$(tail -n +2 server.out)" = "Command? Line too long
Command? $commands
Command? " ]
}

@test "a line may contain bytes of all values" {
  local n of=({11..254} {0..9})
  {
    for n in {1..40}; do
      # all values but the newline's, beginning with another each time
      of=("${of[@]:6}" "${of[@]:0:6}")
      # shellcheck disable=SC2059 # they are escapes
      printf "$(printf '\\%03o' "${of[@]}" | sed 's/\\012//')\n"
    done
    echo quit
  } >bytes
  run -0 timeout --foreground 60 cmdserver -p '' -w '' <bytes
  [ "$(sort -u <<<"$output")" = "$commands" ]
}

@test "telnet negotiation is removed from the lines, wherever it is and however it arrives" {
  # IAC WILL x, DO x, IAC NOP, a subnegotiation with a newline and IAC IAC in it, and IAC IAC, which is text
  local dialogue='\0377\0373\0030he\0377\0375\0001l\0377\0361p\r\n\0377\0372\0030\0000quit\nxterm\0377\0377\0360\0377\0360help\r\0000\n\0377\0377help\n'
  printf %b "$dialogue" >asked
  run -0 timeout --foreground 60 cmdserver -p '' -w '' <asked
  [ "$output" = "$commands
$commands
$commands" ]
  start server tcpserver 127.0.0.1 0 cmdserver -p '' -w ''
  # byte by byte, each sent alone
  run -0 timeout --foreground 60 client "$server_at" drip asked shutdown rest
  [ "$output" = "$commands
$commands
$commands" ]
}

@test "a real telnet talks to it" {
  need busybox busybox
  busybox --list | grep -qx telnet || skip "this busybox has no telnet"
  start server tcpserver 127.0.0.1 0 cmdserver
  run -0 timeout --foreground 60 "$HELPERS/at-terminal" 'Command\? ' 'help\n' 'motd\r?\nCommand\? ' 'quit\n' -- \
    sh -c "busybox telnet 127.0.0.1 $server_at || :"
  [[ $output == *"$welcome"*"$commands"*"Command? "* ]]
}

# ---- clients ----

@test "100 clients at once have each their own dialogue under tcpserver" {
  start server tcpserver -c 100 127.0.0.1 0 cmdserver 'me=printenv TCPREMOTEIP'
  run -0 timeout --foreground 60 dialogue -n 100 "$server_at" help me '' quit
  [ "$output" = "100 $welcome
Command? $commands me
Command? 127.0.0.1
Command? Command? " ]
}

@test "100 clients at once have each their own dialogue under unixserver" {
  start server unixserver -c 100 ./socket cmdserver 'me=printenv PROTO'
  run -0 timeout --foreground 60 dialogue -n 100 ./socket help me '' quit
  [ "$output" = "100 $welcome
Command? $commands me
Command? UNIX
Command? Command? " ]
}

@test "a client that reads slowly gets everything" {
  seq 20000 >numbers
  start server tcpserver 127.0.0.1 0 cmdserver 'big=cat numbers'
  dialogue -s "$server_at" big help big quit >out
  { printf '%s\nCommand? ' "$welcome"; cat numbers; printf 'Command? %s big\nCommand? ' "$commands"; cat numbers; printf 'Command? '; } >expected
  cmp out expected
}

@test "lines that arrive all at once are answered one after the other" {
  { yes help | head -n 3000; echo quit; yes help | head -n 10; } >asked
  start server tcpserver 127.0.0.1 0 cmdserver -p '' -w ''
  run -0 timeout --foreground 60 tcpclient 127.0.0.1 "$server_at" <asked
  [ "${#lines[@]}" -eq 3000 ]
}

@test "--idle exits when no line has arrived; the time of a command doesn't count" {
  script bin/long 'read -rt 1 <> <(:); echo done'
  mkfifo in
  exec 8<>in
  printf 'long\n' >&8
  run -0 timeout --foreground 60 cmdserver --idle 0.5 long=long <in
  [ "${lines[1]}" = 'Command? done' ]
  [ "${lines[2]}" = 'Command? ' ]
}

@test "a client that disconnects ends the dialogue" {
  mkfifo in out
  background server bash -c 'exec cmdserver <in >out'
  exec 8<>in 7<out # its prompt may have ended it before it is asked for help
  IFS= read -r line <&7
  [ "$line" = "$welcome" ]
  exec 7<&-
  echo help >&8
  ends_with 141 "$server"
  exec 8>&-
  # the end of what it says, where there has been no quit
  run -0 cmdserver </dev/null
}

@test "a client that disconnects during a command leaves nothing behind at the command's deadline" {
  local limit
  is_up_or_over() {
    grep -q session log || grep -q '^tcpserver: end ' server.err
  }
  for limit in 1 4 16; do # on a busy machine the command may need longer to start
    : >log
    start server tcpserver -v 127.0.0.1 0 cmdserver -t "$limit" \
      brood="$HELPERS/descendants $PWD/log orphan session -- sleep 1000"
    exec 8<>/dev/tcp/127.0.0.1/"$server_at"
    echo brood >&8
    until_true is_up_or_over
    exec 8>&-
    until_line server.err '^tcpserver: end '
    ! grep -q session log || break
  done
  grep -q session log
  all_gone log
}

@test "SIGTERM terminates it, and a running command with all its descendants" {
  mkfifo in
  exec 8<>in
  background server bash -c 'exec cmdserver brood="$1 log orphan session -- sleep 1000" <in' '' "$HELPERS/descendants"
  until_line server.out "^$welcome"
  until_true asleep "$server" cmdserver
  finish "$server"
  [ "$status" -eq 143 ]
  echo brood >&8
  background server bash -c 'exec cmdserver brood="$1 log orphan session -- sleep 1000" <in' '' "$HELPERS/descendants"
  until_line log orphan
  until_line log session
  finish "$server"
  [ "$status" -eq 143 ]
  all_gone log
}

# ---- usage errors ----

@test "usage errors are refused" {
  local own
  for own in x '' = =date 'a b=date' 'name=' 'name=   '; do
    wrong_call cmdserver "$own"
    wrong_call cmdserver good=true "$own"
  done
  wrong_call cmdserver -t 5x
  wrong_call cmdserver -t ''
  wrong_call cmdserver --idle -1
  wrong_call cmdserver -p
  wrong_call cmdserver --welcom=x
}

@test "errors of stdin and stdout are reported" {
  run -111 bash -c 'cmdserver <&- >out'
  [ "$output" = 'cmdserver: read stdin: Bad file descriptor' ]
  run -111 bash -c 'cmdserver </dev/null >&-'
  [ "$output" = 'cmdserver: write stdout: Bad file descriptor' ]
  run -111 bash -c 'cmdserver </dev/null >/dev/full'
  [ "$output" = 'cmdserver: write stdout: No space left on device' ]
}

# ---- clients that would hold it ----

@test "--idle is about lines: single bytes don't count" {
  mkfifo in
  exec 8<>in
  background drip bash -c 'while printf x >&8; do read -rt 0.05 <> <(:); done'
  run -0 timeout --foreground 60 cmdserver --idle 0.5 <in
  [[ $output == "$welcome"* ]]
}

@test "a command that takes longer than --idle does not end the session" {
  mkfifo in
  exec 8<>in
  echo long >&8
  run -0 timeout --foreground 60 cmdserver --idle 0.5 -t 1 'long=sleep 1000' <in
  [ "$output" = "$welcome
Command? long: took too long
Command? " ]
}

@test "an incomplete line is not run when --idle expires" {
  mkfifo in
  exec 8<>in
  printf act >&8
  run -0 timeout --foreground 60 cmdserver --idle 0.3 'act=touch done' <in
  [ ! -e done ]
}

# deaf_client VAR [WORD...]: a cmdserver whose client asks much and never reads; it waits for room
deaf_client() {
  mkfifo out
  exec 7<>out
  yes help | head -n 10000 >much
  background "$1" bash -c 'exec cmdserver "$@" <much >out' '' "${@:2}"
  until_true asleep "${!1}" cmdserver
}

@test "SIGTERM terminates it while the client does not read" {
  deaf_client server
  finish "$server"
  [ "$status" -eq 143 ]
}

@test "--idle disconnects a client that does not read" {
  deaf_client server --idle 0.5
  ends_with 0 "$server"
}

@test "a reset, or the exit of a Unix client, during a command terminates the command" {
  local brood="$HELPERS/descendants $PWD/log orphan session -- sleep 1000"
  start server tcpserver -v 127.0.0.1 0 cmdserver -t 1h brood="$brood"
  mkfifo go
  client "$server_at" send 'brood\n' stdin reset <go 3>&- &
  exec 8>go
  until_line log session
  until_line log orphan
  echo >&8
  until_line server.err '^tcpserver: end '
  all_gone log
  rm log
  start server unixserver -v ./socket cmdserver -t 1h brood="$brood"
  background client client socket send 'brood\n' wait
  until_line log session
  until_line log orphan
  kill -KILL "$client"
  until_line server.err '^unixserver: end '
  all_gone log
}
