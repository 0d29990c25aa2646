# What the multi-call binary does, and what every applet must do. The applets and their options are taken from --list
# and --help, so that a new one is tested from its first day.

load helper/common
load helper/peers

setup() {
  common_setup
  mapfile -t applets < <("$IPCBOX" --list)
}

teardown() {
  common_teardown
}

# options_of APPLET: a line for each option: its long name, then what --help says of its argument: NUM, [=NUM], or -.
options_of() {
  "$1" --help | sed -nE 's/^  (-.,|   ) --([a-z0-9-]+)(\[=[^ ]+|=[^ ]+)?( .*)?$/\2 \3/p' | sed -E 's/ =/ /; s/ $/ -/'
}

# ---- the binary ----

@test "alone it lists the applets by theme, with a line on each" {
  run -0 --separate-stderr "$IPCBOX"
  [ -z "$stderr" ]
  [[ $output == *$'\nSockets\n'* ]]
  [[ $output == *"Usage: ipcbox APPLET"* ]]
  local applet
  for applet in "${applets[@]}"; do
    grep -qE "^  $applet +[a-z]" <<<"$output"
  done
  run -0 --separate-stderr "$IPCBOX" --help
  [ "$output" = "$("$IPCBOX")" ]
}

@test "--list has each applet once, in order, and nothing else" {
  [ "${#applets[@]}" -ge 5 ]
  run -0 --separate-stderr "$IPCBOX" --list
  [ -z "$stderr" ]
  [ "$output" = "$(sort -u <<<"$output")" ]
  local applet
  for applet in tcpserver tcpclient unixserver unixclient sockenv; do
    grep -qx "$applet" <<<"$output"
  done
}

@test "--version is one line, the same for all applets" {
  run -0 --separate-stderr "$IPCBOX" --version
  [ -z "$stderr" ]
  local form='^ipcbox [0-9]+\.[0-9]+(\.[0-9]+)?$'
  [[ $output =~ $form ]]
  local applet version=${output#ipcbox }
  for applet in "${applets[@]}"; do
    run -0 --separate-stderr "$applet" --version
    [ "$output" = "$applet (ipcbox) $version" ]
    [ -z "$stderr" ]
  done
}

@test "-q and -v, by their long names, too, are taken by every applet that has them" {
  local applet option help n=0
  for applet in "${applets[@]}"; do
    help=$("$applet" --help)
    for option in -q --quiet -v --verbose; do
      [[ $help == *" $option"[,\ ]* ]] || continue
      run -0 "$applet" "$option" --version
      n=$((n + 1))
    done
  done
  ((n >= ${#applets[@]} * 2))
}

@test "--list, --version and --completion stand alone: a word behind them is a usage error" {
  wrong_call ipcbox --list junk
  wrong_call ipcbox --version junk
  wrong_call ipcbox --completion bash junk
  wrong_call ipcbox --list --version
}

@test "--help APPLET, APPLET --help, and --help=APPLET are one, on stdout alone" {
  local applet help
  for applet in "${applets[@]}"; do
    run -0 --separate-stderr "$applet" --help
    [ -z "$stderr" ]
    help=$output
    [[ $help == "Usage: $applet "* ]]
    [[ $help == *"--help "*"--version "* ]]
    [[ $help == *"$applet(1)"* ]]
    run -0 --separate-stderr "$IPCBOX" "$applet" --help
    [ "$output" = "$help" ]
    run -0 --separate-stderr "$IPCBOX" --help "$applet"
    [ "$output" = "$help" ]
    run -0 --separate-stderr "$IPCBOX" "--help=$applet"
    [ "$output" = "$help" ]
  done
}

@test "--help fits a terminal of 80 columns" {
  run -0 "$IPCBOX" --help
  run ! grep -E '.{80}' <<<"$output"
  local applet
  for applet in "${applets[@]}"; do
    run -0 "$applet" --help
    run ! grep -E '.{81}' <<<"$output"
  done
}

@test "-h is --help, except where the letter means something else" {
  local applet free=0
  run -0 "$IPCBOX" -h
  [ "$output" = "$("$IPCBOX" --help)" ]
  for applet in "${applets[@]}"; do
    "$applet" --help >help
    if grep -q '^  -h, --help  ' help; then
      run -0 --separate-stderr "$applet" -h
      [ "$output" = "$(cat help)" ]
      free=$((free + 1))
    else
      grep -q '^  -h, --lookup  ' help
      grep -q '^      --help  ' help
    fi
  done
  [ "$free" -ge 25 ]
  run -0 lockrun -qh # in a bundle
  [ "$output" = "$(lockrun --help)" ]
}

@test "a mistyped option is answered with the nearest" {
  wrong_call lockrun --tiemout 5 lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option --tiemout; did you mean --timeout?" ]
  wrong_call lockrun --tiemout=5 lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option --tiemout; did you mean --timeout?" ]
  wrong_call lockrun -verbose lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option -e; did you mean --verbose?" ]
  wrong_call lockrun -T 5 lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option -T; did you mean -t (--timeout)?" ]
  wrong_call lockrun -Z lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option -Z" ]
  wrong_call lockrun '- ' lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option - " ]
  local long
  printf -v long '%0200d' 0
  wrong_call lockrun "--$long" lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option --$long" ]
}

@test "a mistyped command is answered with the nearest, or with all" {
  wrong_call shmdemo creat 1234 100
  [ "${stderr_lines[0]}" = "shmdemo: unknown command 'creat'; did you mean create?" ]
  wrong_call msgdemo statt 1234
  [ "${stderr_lines[0]}" = "msgdemo: unknown command 'statt'; did you mean stat?" ]
  wrong_call msgdemo receive 1234
  [ "${stderr_lines[0]}" = "msgdemo: unknown command 'receive'; expected create, stat or rm" ]
  wrong_call semset remove 1234
  [ "${stderr_lines[0]}" = "semset: unknown command 'remove'; expected create, stat, set or rm" ]
  wrong_call semset
  [ "${stderr_lines[0]}" = "semset: missing command: expected create, stat, set or rm" ]
}

@test "an unknown applet is 127, with the nearest name" {
  run -127 --separate-stderr "$IPCBOX" tcpservr
  [ "$stderr" = "ipcbox: unknown applet 'tcpservr'; did you mean tcpserver?" ]
  [ -z "$output" ]
  run -127 --separate-stderr "$IPCBOX" --help unixclint
  [ "$stderr" = "ipcbox: unknown applet 'unixclint'; did you mean unixclient?" ]
  run -127 --separate-stderr "$IPCBOX" zzzzzzzzzzzzzzzz
  [ "$stderr" = "ipcbox: unknown applet 'zzzzzzzzzzzzzzzz'; see 'ipcbox --list'" ]
  run -127 --separate-stderr "$IPCBOX" ''
  run -127 --separate-stderr "$IPCBOX" $'a\e[1m\nb'
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr != *$'\e'* ]]
}

@test "an unknown option is a usage error" {
  wrong_call ipcbox --lists
  wrong_call ipcbox --lis
  wrong_call ipcbox -x
  wrong_call ipcbox --completion
  wrong_call ipcbox --completion tcsh
  wrong_call ipcbox --install
  wrong_call ipcbox --install one two
  wrong_call ipcbox --install --completion bash one
  wrong_call ipcbox --install --prefix '' one
  wrong_call ipcbox --install --prefix ipc one
  wrong_call ipcbox --install --prefix a/b- one
  wrong_call ipcbox --completion bash -s
  wrong_call ipcbox -s
}

@test "it is called through hard and symbolic links, by any path, and as ipcbox APPLET" {
  mkdir links
  ln "$IPCBOX" links/sockenv 2>/dev/null || cp "$IPCBOX" links/sockenv
  ln -s "$IPCBOX" links/tcpclient
  run -0 links/sockenv -e echo hard
  [ "$output" = hard ]
  wrong_call_of tcpclient "$PWD/links/tcpclient"
  run -0 "$IPCBOX" sockenv -e echo by-name
  [ "$output" = by-name ]
  run -0 bash -c 'exec -a /no/such/dir/sockenv "$0" -e echo by-argv' "$IPCBOX"
  [ "$output" = by-argv ]
}

@test "WORD-APPLET is the applet, the one with the longest name" {
  ln -s "$IPCBOX" my-mkfifo-sig
  ln -s "$IPCBOX" a-b-reap
  ln -s "$IPCBOX" reap-me
  run -0 ./my-mkfifo-sig --version
  [[ $output == "mkfifo-sig (ipcbox) "* ]]
  run -0 ./a-b-reap --version
  [[ $output == "reap (ipcbox) "* ]]
  run -0 ./reap-me --version
  [[ $output == "ipcbox "* ]]
}

# wrong_call_of NAME COMMAND
wrong_call_of() {
  run -100 "$2"
  [[ $output == "$1: "* ]]
}

# ---- options ----

# bats test_tags=long
@test "every applet has options that can be read from its help" {
  local applet
  for applet in "${applets[@]}"; do
    run -0 options_of "$applet"
    grep -qx 'help -' <<<"$output"
    grep -qx 'version -' <<<"$output"
  done
  run -0 options_of tcpserver
  grep -qx 'concurrency N' <<<"$output"
  grep -qx 'proxy \[=TIME\]' <<<"$output"
}

@test "abbreviated long options are refused" {
  local applet options name kind short
  for applet in "${applets[@]}"; do
    options=$'\n'$(options_of "$applet")
    while read -r name kind; do
      short=${name%?}
      [[ $options != *$'\n'"$short "* ]] || continue
      wrong_call "$applet" "--$short"
      [[ ${stderr_lines[0]} == "$applet: unknown option --$short"?("; did you mean --"*\?) ]]
    done <<<"${options#?}"
    wrong_call "$applet" "--$short=1" # one for all, which are in one table
  done
}

# bats test_tags=long
@test "an unknown option, a missing argument, and one too many are named" {
  local applet name kind
  for applet in "${applets[@]}"; do
    wrong_call "$applet" --no-such-option
    [[ ${stderr_lines[0]} == "$applet: unknown option --no-such-option"?("; did you mean --"*\?) ]]
    wrong_call "$applet" -%
    [ "${stderr_lines[0]}" = "$applet: unknown option -%" ]
    while read -r name kind; do
      if [ "$kind" = - ]; then
        wrong_call "$applet" "--$name=x"
        [ "${stderr_lines[0]}" = "$applet: option --$name takes no argument" ]
      elif [[ $kind != \[* ]]; then
        wrong_call "$applet" "--$name"
        [ "${stderr_lines[0]}" = "$applet: option --$name needs an argument" ]
      fi
    done < <(options_of "$applet")
  done
}

# bats test_tags=long
@test "every number, time, size, mode, port and fd is checked: '', -1, 0x10, 5x, 99999999999999999999" {
  local applet name kind value
  local numeric='^(\[=)?(N|NUM|COUNT|LINES|PORT|TIME|SECS|DURATION|DELAY|SIZE|BYTES|MODE|FD|PID|PGID|MIN)([^A-Z]|$)' checked=0
  for applet in "${applets[@]}"; do
    options_of "$applet" >options
    while read -r name kind; do
      [[ $kind =~ $numeric ]] || continue
      for value in '' -1 0x10 5x 99999999999999999999; do
        wrong_call "$applet" "--$name=$value"
        [[ ${stderr_lines[0]} == *"--$name"*"'$value'"* ]]
        checked=$((checked + 1))
      done
    done <options
  done
  [ "$checked" -gt 100 ]
}

@test "every short option that wants a value checks it as its long form does" {
  local applet letter name
  for applet in "${applets[@]}"; do
    while read -r letter name; do
      wrong_call "$applet" "-${letter}0x10"
      [[ ${stderr_lines[0]} == *"-$letter (--$name) '0x10'"* ]]
    done < <("$applet" --help | sed -nE 's/^ +-(.), --([a-z0-9-]+)=(N|TIME|PORT|MODE|SECS)( .*|\[.*)?$/\1 \2/p')
  done
}

@test "every short option that wants a value, and gets none, is a usage error" {
  local applet letter checked=0
  for applet in "${applets[@]}"; do
    while read -r letter; do
      wrong_call "$applet" "-$letter"
      [ "${stderr_lines[0]}" = "$applet: option -$letter needs an argument" ]
      checked=$((checked + 1))
    done < <("$applet" --help | sed -nE 's/^ +-(.), --[a-z0-9-]+=.*/\1/p')
    wrong_call "$applet" -é
    [ "${stderr_lines[0]}" = "$applet: unknown option in -é" ]
  done
  wrong_call lockrun --verbose -Zv lock true
  [ "${stderr_lines[0]}" = "lockrun: unknown option -Z" ]
  wrong_call lockrun --verbose -vt
  [ "${stderr_lines[0]}" = "lockrun: option -t needs an argument" ]
  [ "$checked" -ge 100 ]
}

@test "-- ends the options" {
  start server tcpserver -- 127.0.0.1 0 echo here
  run -0 tcpclient -- 127.0.0.1 "$server_at" cat </dev/null
  run -0 tcpclient -q -- 127.0.0.1 "$server_at" </dev/null
  [ "$output" = here ]
  start local unixserver -- -sock echo there
  run -0 unixclient -- -sock </dev/null
  [ "$output" = there ]
  run -0 sockenv -e -- echo -- -e
  [ "$output" = "-- -e" ]
}

@test "a program's own options are not eaten" {
  local words=(sh -c 'echo "$*"' -- -q --help --version -c 5 -- -1)
  local given="-q --help --version -c 5 -- -1"
  run -0 sockenv -e "${words[@]}"
  [ "$output" = "$given" ]
  start server tcpserver 127.0.0.1 0 "${words[@]}"
  run -0 tcpclient 127.0.0.1 "$server_at" </dev/null
  [ "$output" = "$given" ]
  run -0 tcpclient 127.0.0.1 "$server_at" "${words[@]}"
  [ "$output" = "$given" ]
  start local unixserver sock "${words[@]}"
  run -0 unixclient sock </dev/null
  [ "$output" = "$given" ]
  run -0 unixclient sock "${words[@]}"
  [ "$output" = "$given" ]
}

@test "later options win, long or short, in one word or two" {
  start server tcpserver -lfirst --local-name second --local-name=third -l last 127.0.0.1 0 sh -c 'echo $TCPLOCALHOST'
  run -0 tcpclient 127.0.0.1 "$server_at" </dev/null
  [ "$output" = last ]
  start strict unixserver -p 644 --mode=600 sock true
  [ "$(stat -c %a sock)" = 600 ]
}

# ---- messages, and fds that are closed ----

@test "--help, --version and --list into a full disk are 111 with a message" {
  local applet option
  for applet in "${applets[@]}"; do
    for option in --help --version; do
      run -111 sh -c '"$0" "$1" >/dev/full' "$applet" "$option"
      [ "$output" = "$applet: write stdout: No space left on device" ]
    done
  done
  for option in --help --list --version --completion=bash --completion=zsh --completion=fish; do
    run -111 sh -c '"$0" "$1" >/dev/full' "$IPCBOX" "$option"
    [ "$output" = "ipcbox: write stdout: No space left on device" ]
  done
}

@test "a message is one write" {
  need strace strace
  local calls=("tcpclient" "tcpclient 127.0.0.1 1" "unixclient nowhere" "sockenv ./no-such-program" "ipcbox tcpservr"
    "unixserver no/such/dir cat" "tcpserver 127.0.0.1 0 ./no-such-program" "tcpserver --concurrency")
  local call
  for call in "${calls[@]}"; do
    # shellcheck disable=SC2086
    strace -f -qq -o trace -e trace=write,writev,pwritev2 $call </dev/null 2>/dev/null || :
    [ "$(grep -c 'write[v2]*(2,.* = [0-9]' trace)" -eq 1 ]
    [ "$(grep -cE '^[0-9]+ +p?write.* = [0-9]' trace)" -eq 1 ]
  done
}

@test "started with fds 0, 1 or 2 closed, nothing breaks" {
  local applet
  for applet in "${applets[@]}"; do
    run -0 sh -c '"$0" --help <&-' "$applet"
    [[ $output == "Usage: $applet "* ]]
    run -111 sh -c '"$0" --help >&-' "$applet"
    [ "$output" = "$applet: write stdout: Bad file descriptor" ]
    run -100 sh -c '"$0" --no-such-option <&- >&- 2>&-' "$applet"
    [ -z "$output" ]
  done
}

@test "with stderr closed a message does not go into the connection" {
  start server tcpserver 127.0.0.1 0 sh -c 'cat >received.part; mv received.part received'
  tcpclient -v 127.0.0.1 "$server_at" </dev/null >/dev/null 2>&-
  until_true test -e received
  [ ! -s received ]
}

@test "a server started with fds 0 to 2 closed serves" {
  sh -c 'exec unixserver --ready-fd 5 sock sh -c "echo \$UNIXCONNNUM; ls /proc/self/fd >list" <&- >&- 2>&- 5>ready' 3>&- &
  started+=("$!")
  until_true test -s ready
  run -0 unixclient sock </dev/null
  [ "$output" = 1 ]
}
