# unixserver's and udpserver --unix's access rules: by user and group of the client; which rule decides, what it sets, which
# lines are refused, when the file is read again.

load helper/tcpserver

setup() {
  server_setup
  me=$(id -u) group=$(id -g)
}

teardown() {
  server_teardown
}

# rules LINE...: the file of that name, put in place at once.
rules() {
  printf '%s\n' "$@" >rules.new
  mv rules.new rules
}

# decides USER[:GROUP] WORDS: what --explain says of that client begins with WORDS.
decides() {
  run --separate-stderr unixserver --explain "$1" -x rules
  [ -z "$stderr" ]
  [[ $output == "$1: $2"* ]] || { echo "wanted $2, not: $output"; return 1; }
  [[ $2 == deny* ]] && [ "$status" -eq 1 ] || [ "$status" -eq 0 ]
}

# ask [IDS]: what the server at $at says to a client, with these ids as client -u takes them.
ask() {
  client ${1:+-u "$1"} "$at" shutdown rest
}

# serve ARG...: starts it for clients of any user.
serve() {
  at=@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER
  start srv unixserver "$@" "$at" sh -c 'echo "by ${BY-nobody}"'
}

# ---- which rule decides ----

@test "--explain prints the rule that applies and what it sets, and its status is the answer" {
  rules '# a comment' 'uid=4711:allow,A="one",B="two words"' ':deny'
  run -0 unixserver --explain 4711:4711 -x rules
  [ "$output" = '4711:4711: allow, by line 2: uid=4711:allow,A="one",B="two words"
  A=one
  B=two words' ]
  run -1 unixserver -x rules --explain 4712:4711
  [ "$output" = '4712:4711: deny, by line 3: :deny' ]
  rules 'uid=4711:deny'
  run -0 unixserver --explain 4712:4711 -x rules
  [ "$output" = '4712:4711: allow, no rule applies' ]
}

@test "the rule of the user decides, else that of a group, else that of all; the first of equal ones" {
  rules :deny gid=20:allow uid=4711:deny uid=4711:allow gid=20:deny :allow gid=0021:allow uid=00020:allow
  decides 4711:20 'deny, by line 3:'
  decides 4712:20 'allow, by line 2:'
  decides 4712:22 'deny, by line 1:'
  decides 4712:21 'allow, by line 7:'
  decides 20:22 'allow, by line 8:'
}

@test "names are those of the user database; a user is in all groups of his" {
  need_root
  need_own_hosts
  printf '%s\n' first:x:4711:4001::/: other:x:4712:4001::/: >passwd
  printf '%s\n' main:x:4001: second:x:4002:first third:x:4003:other,first >group
  rules gid=third:deny gid=second:allow uid=other:allow ':deny'
  explain() {
    unshare --mount sh -c 'mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec "$@"' '' \
      unixserver --explain "$1" -x rules
  }
  run -1 explain first
  [[ $output == 'first: deny, by line 1:'* ]]
  run -1 explain 4711:main
  [[ $output == '4711:main: deny, by line 1:'* ]]
  run -0 explain other
  [[ $output == 'other: allow, by line 3:'* ]]
  run -0 explain 4713:second
  [[ $output == '4713:second: allow, by line 2:'* ]]
  run -1 explain 4713:4001
  [[ $output == '4713:4001: deny, by line 4:'* ]]
  rules gid=second:allow gid=third:deny
  run -0 explain first
  [[ $output == 'first: allow, by line 1:'* ]]
}

@test "--explain without rules, or with a user that has no group or is unknown, is a usage error" {
  : >rules
  wrong_call unixserver --explain 0:0
  wrong_call unixserver --explain no-such-user -x rules
  wrong_call unixserver --explain 0:no-such-group -x rules
  wrong_call unixserver --explain 3999999999 -x rules
  wrong_call unixserver --explain '' -x rules
  wrong_call unixserver --explain 127.0.0.1 -x rules
}

# ---- what a rule does ----

@test "deny closes the connection, allow sets the variables" {
  rules "uid=$me:allow,BY=\"rule\",UNIXREMOTEPID=\"0\",EMPTY=\"\"" ':deny'
  start srv unixserver -v -x rules sock env
  run -0 unixclient sock </dev/null
  for want in BY=rule UNIXREMOTEPID=0 EMPTY= "UNIXREMOTEEUID=$me"; do
    grep -qxF "$want" <<<"$output"
  done
  rules "gid=$group:deny"
  run -0 unixclient sock </dev/null
  [ -z "$output" ]
  until_line srv.err "^unixserver: deny uid $me pid [0-9]+ by line 1\$"
  kill -USR1 "$srv"
  until_line srv.err ' accepted 2 denied 1 refused 0$'
}

@test "clients of several users and groups, also groups beside the first" {
  need_root
  rules 'uid=4711:allow,BY="user"' 'gid=4002:deny' 'gid=4001:allow,BY="group"' ':deny'
  serve -x rules
  [ "$(ask 4711:4002)" = 'by user' ]
  [ "$(ask 4712:4001)" = 'by group' ]
  [ "$(ask 4712:7,8,4001)" = 'by group' ]
  [ -z "$(ask 4712:4001,4002)" ] # the rule of 4002 comes first
  [ -z "$(ask 4712:4002)" ]
  [ -z "$(ask 4712:7,8,9)" ]
  [ -z "$(ask)" ]
  [ ! -s srv.err ]
}

@test "a group of ours beside the first counts for an ordinary user, too" {
  local other
  other=$(id -G | tr ' ' '\n' | grep -vx "$group" | head -n 1) || :
  [ -n "$other" ] || skip "needs a user in two groups"
  rules "gid=$other:allow,BY=\"$other\"" ':deny'
  serve -x rules
  [ "$(ask)" = "by $other" ]
}

@test "a client whose groups cannot be had is denied if a rule names a group, and only then" {
  need strace strace
  rules "gid=4001:deny" ':allow'
  wrap_unix strace -D -qq -o trace -e trace=getsockopt -e inject=getsockopt:error=ENOPROTOOPT:when=2+2
  at=sock
  start srv traced -x rules sock echo served
  run -0 ask
  [ -z "$output" ]
  until_line srv.err '^unixserver: deny a client: credentials: Protocol not available$'
  rules ':allow'
  kill -HUP "$srv"
  run -0 ask
  [ "$output" = served ]
}

# wrap_unix COMMAND...: `traced` is a command that runs unixserver under COMMAND, which keeps its pid.
wrap_unix() {
  script bin/traced "exec ${*@Q} unixserver \"\$@\""
}

@test "-C, --drain, HUP and rules together" {
  rules "uid=$me:allow,BY=\"one\"" :deny
  script prog 'echo "by $BY"; read -r line; echo "$line"'
  start srv unixserver --drain 60 -C '1:busy\n' -x rules sock ./prog
  background held client sock line wait
  until_line held.out 'by one'
  run -0 unixclient sock </dev/null
  [ "$output" = busy ]
  rules "uid=$me:allow,BY=\"two\"" :deny
  kill -HUP "$srv"
  around srv
  run -0 unixclient sock </dev/null
  [ "$output" = busy ]
  rules :deny
  kill -HUP "$srv"
  around srv
  run -0 unixclient sock </dev/null
  [ -z "$output" ]
  # those in the queue when TERM comes are judged, too; the program that runs goes on to its end
  kill -STOP "$srv"
  background late client sock rest
  until_true asleep "$late" client
  kill -TERM "$srv"
  kill -CONT "$srv"
  ends_with 0 "$late"
  [ ! -s late.out ]
  [ -e /proc/"$held" ]
  kill "$held"
  ends_with 0 "$srv"
  [ ! -e sock ]
}

@test "without a program, and with --stdio, the rules apply" {
  rules :deny
  start srv unixserver -x rules sock
  run -0 unixclient sock </dev/null
  [ -z "$output" ]
  rules :allow
  run -0 unixclient sock </dev/null
  [[ $output == Hello* ]]
  rules :deny
  start relay unixserver --stdio -x rules other
  run -0 unixclient other </dev/null
  [ -z "$output" ]
  kill -0 "$relay"
}

# ---- what is refused ----

@test "a line that can't be parsed is reported with its number" {
  while IFS= read -r line; do
    printf ':allow\n\n%s\n' "$line" >rules
    echo "$line"
    run -100 --separate-stderr unixserver --explain 0:0 -x rules
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ ${stderr_lines[0]} == "unixserver: rules rules line 3: "?* ]]
  done <<'END'
nonsense
uid=0
uid=0:
uid=0:maybe
uid=:allow
gid=:allow
uid=no-such-user:allow
uid=000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000:allow
gid=no-such-group:deny
uid=-1:allow
uid=4294967295:allow
gid=4294967295:allow
uid=0x0:allow
uid=0 :allow
 uid=0:allow
UID=0:allow
uid:allow
uid=0,gid=0:allow
uid=0:gid=0:allow
pid=1:allow
=:allow
uid=0:allow,A
END
}

@test "a rule for another kind of client is refused, and the message says where it belongs" {
  local line
  for line in 10.1.2.3:deny 10.:allow '[::1]:allow' 10.0.0.0/8:deny =localhost:deny; do
    rules "$line"
    run -100 --separate-stderr unixserver -x rules sock true
    [[ $stderr == "unixserver: rules rules line 1: expected uid="*": addresses are for tcpserver and udpserver" ]]
    run -100 --separate-stderr udpserver --unix sock -x rules true
    [[ $stderr == "udpserver: rules rules line 1: expected uid="*": addresses are for tcpserver and udpserver" ]]
  done
  for line in uid=0:allow gid=root:deny uid=a@b:deny; do
    rules "$line"
    run -100 --separate-stderr tcpserver -x rules 127.0.0.1 0 true
    [ "$stderr" = "tcpserver: rules rules line 1: uid= and gid= rules are for unixserver and udpserver --unix" ]
    run -100 --separate-stderr udpserver -x rules 127.0.0.1 0 true
    [[ $stderr == *"for unixserver and udpserver --unix" ]]
  done
  [ ! -e sock ]
}

@test "a compiled .cdb is recognized; a file that can't be read is an error; -X needs -x, and allows a missing one" {
  printf ':allow\0\0\0' >rules
  run -100 --separate-stderr unixserver -x rules sock true
  [[ $stderr == "unixserver: rules rules: "*source* ]]
  run -111 --separate-stderr unixserver -x missing sock true
  [ "$stderr" = "unixserver: rules missing: No such file or directory" ]
  wrong_call unixserver -X sock true
  [ ! -e sock ]
  start srv unixserver -X -x missing sock echo served
  run -0 unixclient sock </dev/null
  [ "$output" = served ]
}

# ---- reading again ----

@test "the rules are read again when the file has changed, whole or not at all" {
  rules "uid=$me:allow,BY=\"one\""
  serve -x rules
  [ "$(ask)" = 'by one' ]
  rules "uid=$me:deny" 'uid=no-such-user:allow'
  for _ in 1 2 3; do
    [ "$(ask)" = 'by one' ]
  done
  [ "$(cat srv.err)" = "unixserver: keep the old rules: rules line 2: no such user" ]
  rules "uid=$me:deny"
  [ -z "$(ask)" ]
  rules "gid=$group:allow,BY=\"two\""
  [ "$(ask)" = 'by two' ]
  [ "$(wc -l <srv.err)" -eq 1 ]
}

@test "a name is looked up when the file is read, not when a client comes" {
  need_root
  need_own_hosts
  printf 'moves:x:4711:4711::/:\n' >passwd
  rules uid=moves:deny 'uid=4712:allow,BY="number"'
  script bin/own 'exec unshare --mount sh -c "mount --bind passwd /etc/passwd && exec unixserver \"\$@\"" "" "$@"'
  at=@ipcbox-test-$BASHPID-$BATS_TEST_NUMBER
  start srv own -x rules "$at" sh -c 'echo "by ${BY-nobody}"'
  [ -z "$(ask 4711:1)" ]
  printf 'moves:x:4712:4711::/:\n' >passwd
  [ -z "$(ask 4711:1)" ]
  [ "$(ask 4712:1)" = 'by number' ]
  kill -HUP "$srv"
  around srv
  [ "$(ask 4711:1)" = 'by nobody' ]
  [ -z "$(ask 4712:1)" ]
}

@test "rules that only root may read, read at startup, are kept after the ids are dropped" {
  need_root
  rules 'uid=4711:allow' ':deny'
  chmod 600 rules
  serve -u nobody -x rules
  [ "$(ask 4711:1)" = 'by nobody' ]
  [ -z "$(ask 4712:1)" ]
}

# ---- datagrams ----

# counted: the server, asked again, has taken all three.
counted() {
  kill -USR1 "$srv"
  grep -q ' received 3 run 2 refused 1 failed 0 answered 2$' srv.err
}

@test "udpserver --unix: rules by the sender's user and first group" {
  rules "uid=$me:allow,BY=\"user\"" :deny
  start srv udpserver --unix "$PWD/sock" -x rules sh -c 'echo "by $BY $UNIXREMOTEEUID"'
  run -0 udpclient -t 30 --unix "$PWD/sock" hello
  [ "$output" = "by user $me" ]
  rules "gid=$group:allow,BY=\"group\"" :deny
  run -0 udpclient -t 30 --unix "$PWD/sock" hello
  [ "$output" = "by group $me" ]
  rules "gid=$group:deny"
  udpclient --unix "$PWD/sock" -n 0 hello
  until_true counted
  run -1 udpserver --explain "$me:$group" --unix sock -x rules
  [ "$output" = "$me:$group: deny, by line 1: gid=$group:deny" ]
}

@test "udpserver --inherit: the rules are for Unix sockets; a sender that the kernel has not recorded is denied" {
  need systemd-socket-activate systemd
  rules "uid=$me:allow,BY=\"user\"" :allow
  background srv systemd-socket-activate --datagram --listen="$PWD/sock" -E PATH \
    udpserver --inherit -x rules sh -c 'echo "by $BY"'
  until_true test -S sock
  # sent before udpserver could ask for credentials
  udpclient -n 0 --unix "$PWD/sock" hello
  until_line srv.err '^udpserver: deny a client: credentials: No data available$'
  run -0 udpclient -t 30 --unix "$PWD/sock" hello
  [ "$output" = 'by user' ]
}
