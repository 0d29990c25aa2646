# cmdserver and the ends of lines: CR NUL (RFC 1123, 3.3.1) from telnet clients, CR LF for them.

load helper/launch

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# asked TEXT [CMDSERVER-WORD...]: what cmdserver says to TEXT (with escapes) goes to the file `said`; prompts are >.
asked() {
  printf %b "$1" >asked
  timeout --foreground 60 cmdserver -w '' -p '>' "${@:2}" <asked >said
}

# Whether that, with escapes, is what was said.
is_said() {
  printf %b "$1" | cmp - said
}

@test "CR NUL ends a line, wherever a read ends between the two" {
  asked 'one\r\0two\r\0one\0\r\0quit\r\0never\n' one='echo 1' two='echo 2'
  is_said '>1\n>2\n>1\n>'
  mkfifo in
  cmdserver -w '' -p '>' one='echo 1' <in >said 3>&- &
  exec 7>in
  printf 'one\r' >&7
  until_true asleep $! cmdserver
  [ "$(cat said)" = '>' ]
  printf '\0' >&7
  until_true eval '[ "$(wc -l <said)" -eq 1 ]'
  exec 7>&-
  wait $!
  is_said '>1\n>'
}

@test "CR LF is one end of a line, a NUL elsewhere a blank, a CR elsewhere a part of the line" {
  asked 'one\r\n\r\n\r\0x\0y\none\rtwo\n' one='echo 1' two='echo 2'
  is_said '>1\n>>>Commands: quit date who cookie motd one two\n>1\n>'
}

@test "CR NUL ends a line that is too long" {
  { head -c 5000 /dev/zero | tr '\0' x; printf 'one\r\0one\r\0'; } >asked
  cmdserver -w '' -p '>' one='echo 1' <asked >said
  is_said '>Line too long\n>1\n>'
}

@test "--crlf: every line ends with CR LF, of our own and of commands, on stdout and stderr; a CR LF stays" {
  script both 'echo 1; echo 2 >&2'
  printf 'a\r\nb\n\n\r\n' >has
  asked 'help\nboth\nhas\nlast' --crlf -w hello both=./both has='cat has' last='printf end'
  is_said 'hello\r\n>Commands: quit date who cookie motd both has last\r\n>1\r\n2\r\n>a\r\nb\r\n\r\n\r\n>end>'
}

@test "--crlf: output of any size comes whole, and errors and the time limit are as without" {
  asked 'long\nquit\n' --crlf long='seq 200000'
  { printf '>'; seq 200000 | sed 's/$/\r/'; printf '>'; } | cmp - said
  asked 'nothing\nslow\n' --crlf -t 300ms nothing=./nothing slow='sleep 6081s'
  is_said '>nothing: No such file or directory\r\n>slow: took too long\r\n>'
}

@test "--crlf: a command that closes its output is waited for without work" {
  script quiet 'exec >&- 2>&-; echo $$ >pid; exec sleep 6082s'
  mkfifo in
  cmdserver --crlf quiet=./quiet <in >said 3>&- &
  server=$!
  started+=("$server")
  exec 7>in
  echo quiet >&7
  until_true [ -s pid ]
  idle "$server"
  finish "$server"
  [ "$status" -eq 143 ]
  until_true gone "$(cat pid)"
}

@test "--crlf: a client that does not read does not keep a command alive beyond its time" {
  script flood 'echo $$ >pid; exec yes'
  mkfifo in out
  exec 7<>out
  cmdserver --crlf -t 300ms flood=./flood <in >out 3>&- &
  server=$!
  started+=("$server")
  exec 8>in
  echo flood >&8
  until_true [ -s pid ]
  until_true gone "$(cat pid)"
  kill -0 "$server"
  finish "$server"
  [ "$status" -eq 143 ]
}

@test "--crlf: a dialogue with telnet" {
  need telnet telnet
  start server tcpserver 127.0.0.1 0 cmdserver --crlf -w hello -p ''
  run bash -c "{ echo help; until grep -q Commands said; do read -rt 0.01 <> <(:); done; } | telnet 127.0.0.1 $server_at >said 2>&1; cat said"
  [[ $output == *$'\nhello\nCommands: quit date who cookie motd'* ]]
}
