# Completion in real shells: bash at a terminal, with bash-completion and without; zsh at a terminal (zsh/zpty); fish by
# its `complete -C`. One table for all: what is typed before TAB, what the line is then, and what fish offers.

load helper/common

setup() {
  common_setup
  mapfile -t applets < <("$IPCBOX" --list)
  export HOME=$PWD MYVARIABLE=x HOSTFILE=$PWD/hosts
  mkdir -p .ssh sub 'a dir'
  echo 'known-host.example,192.0.2.7 ssh-ed25519 AAAA' >.ssh/known_hosts
  echo '192.0.2.8 host-of-hosts.example' >hosts
  touch 'my file' 'my.file'
  script bin/myprogram 'echo'
}

teardown() {
  common_teardown
}

table() {
  cat <<'EOF'
ipcbox tcps|ipcbox tcpserver|tcpserver
ipcbox --compl|ipcbox --completion|--completion
ipcbox --completion fi|ipcbox --completion fish|fish
ipcbox --install -p su|ipcbox --install -p sub/|sub/
ipcbox help tcpc|ipcbox help tcpclient|tcpclient
ipcbox --help tcpc|ipcbox --help tcpclient|tcpclient
ipcbox lockrun --wh|ipcbox lockrun --who|--who
ipcbox lockrun my\ |ipcbox lockrun my\ file|my file
tcpserver --log-f|tcpserver --log-format|--log-format
tcpserver --log-format=j|tcpserver --log-format=json|--log-format=json
tcpserver --log-format j|tcpserver --log-format json|json
tcpserver -v -c 5 known-h|tcpserver -v -c 5 known-host.example|known-host.example
tcpclient --retry known-h|tcpclient --retry known-host.example|known-host.example
unixserver --explain root:daem|unixserver --explain root:daemon|root:daemon
udpserver --explain 127|udpserver --explain 127.0.0.1|127.0.0.1
unixserver -x my\ |unixserver -x my\ file|my file
daemonize -u root:daem|daemonize -u root:daemon|root:daemon
daemonize --user=root:daem|daemonize --user=root:daemon|--user=root:daemon
daemonize -g daem|daemonize -g daemon|daemon
daemonize -c su|daemonize -c sub/|sub/
daemonize --chdir=a|daemonize --chdir=a\ dir/|--chdir=a dir/
daemonize -E MYVARI|daemonize -E MYVARIABLE=|MYVARIABLE=
sigexec -i TERM,WINC|sigexec -i TERM,WINCH|TERM,WINCH
reap --rewrite TERM:WINC|reap --rewrite TERM:WINCH|TERM:WINCH
deadline -s WINC|deadline -s WINCH|WINCH
deadline --signal=WINC|deadline --signal=WINCH|--signal=WINCH
deadline -vs WINC|deadline -vs WINCH|WINCH
deadline 25m|deadline 25m|25m 25ms
sigtrap WINC|sigtrap WINCH=|WINCH=
sigtrap WINCH=ig|sigtrap WINCH=ignore|WINCH=ignore
sigtrap WINCH=ignore -- lockrun --wh|sigtrap WINCH=ignore -- lockrun --who|--who
semset cre|semset create|create
semset -q cre|semset -q create|create
semset create --mo|semset create --mode|--mode
semset stat priv|semset stat private|private
semset create 7 cre|semset create 7 cre|
shmdemo create 7 4M|shmdemo create 7 4M|4M
lockrun my\ |lockrun my\ file|my file
lockrun 'my f|lockrun 'my file'|my file
lockrun --who my\ |lockrun --who my\ file|my file
lockrun lock my\ |lockrun lock my\ |
mkfifo-sig -f my\ |mkfifo-sig -f my\ file|my file
mkfifo-sig --file=my\ |mkfifo-sig --file=my\ file|--file=my file
tcpserver 0 0 myprog|tcpserver 0 0 myprogram|myprogram
tcpserver --inherit myprog|tcpserver --inherit myprogram|myprogram
tcpserver 0 0 lockrun --wh|tcpserver 0 0 lockrun --who|--who
ipcbox tcpserver 0 0 lockrun --wh|ipcbox tcpserver 0 0 lockrun --who|--who
deadline 5 lockrun my\ |deadline 5 lockrun my\ file|my file
deadline 5 deadline 7 lockrun --wh|deadline 5 deadline 7 lockrun --who|--who
safepipe cat -n ::: deadline --pres|safepipe cat -n ::: deadline --preserve-status|--preserve-status
open2 --sep=+ cat + deadline --pres|open2 --sep=+ cat + deadline --preserve-status|--preserve-status
open2 --sep + cat + deadline --pres|open2 --sep + cat + deadline --preserve-status|--preserve-status
EOF
}

# Programs of others, whose completion the shell has: alpha is the only word of myprogram
others() {
  cat <<'EOF'
tcpserver 0 0 myprogram al|tcpserver 0 0 myprogram alpha|alpha
ipcbox deadline 5 myprogram al|ipcbox deadline 5 myprogram alpha|alpha
safepipe cat ::: myprogram al|safepipe cat ::: myprogram alpha|alpha
EOF
}

# differ TABLE-COMMAND: what does not come out as the table has it; stdin is what came out, a line each.
differ() {
  paste -d '|' <("$1" | cut -d '|' -f "1,$2") - | awk -F '|' -v OFS='|' '{ sub(/ +$/, "", $3); sub(/ +$/, "", $2) } $2 != $3'
}

# expect TEXT: the output is that, else it is shown.
expect() {
  [ "$output" = "$1" ] || {
    printf 'came: %s\n' "$output"
    return 1
  }
}

# in_bash COMMAND: TAB at the end of each line that the table has
in_bash() {
  local line steps=() wait='ready>'
  while IFS='|' read -r line _; do
    steps+=("$wait" "${line//\\/\\\\}\\cI\\cO")
    wait='>>'
  done < <("$1")
  "$IPCBOX" --completion bash >completion
  at-terminal "${steps[@]}" "$wait" '\cD' -- bash --rcfile rc -i >shown
  grep -ao '<<.*>>' shown | sed 's/^<<//; s/>>$//'
}

rc() {
  cat >rc <<'EOF'
. ./completion
PS1='ready>'
bind 'set bell-style none' 'set enable-bracketed-paste off' 2>/dev/null
dump() { printf '<<%s>>\n' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\C-o": dump'
complete -W alpha myprogram
EOF
}

@test "bash completes at a terminal, without bash-completion" {
  rc
  in_bash table >came
  [ "$(wc -l <came)" -eq "$(table | wc -l)" ]
  run -0 differ table 2 <came
  # files are what it offers to programs that it knows nothing of
  expect 'lockrun lock my\ |lockrun lock my\|lockrun lock my\ file'
}

@test "bash completes at a terminal, with bash-completion: programs have their own completion" {
  local library=/usr/share/bash-completion/bash_completion
  [ -e "$library" ] || skip "needs bash-completion (Debian: bash-completion)"
  rc
  sed -i "1i. $library" rc
  in_bash table >came
  [ "$(wc -l <came)" -eq "$(table | wc -l)" ]
  run -0 differ table 2 <came
  expect ''
  in_bash others >came
  run -0 differ others 2 <came
  expect ''
}

# in_zsh COMMAND: as in_bash
in_zsh() {
  mkdir -p functions
  "$IPCBOX" --completion zsh >functions/_ipcbox
  cat >driver <<'EOF'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT= RPROMPT= PS2=; stty -echo; unset zle_bracketed_paste; setopt no_beep no_auto_list no_auto_menu
fpath=($PWD/functions \$fpath); autoload -U compinit; compinit -D -u; _mine() { compadd alpha }; compdef _mine myprogram
tab() { zle complete-word; print -r -- \"<<\$BUFFER>>\"; BUFFER= }; zle -N tab; bindkey '^O' tab; print REA''DY"
zpty -r -m z out '*READY*'
while IFS= read -r line; do
  zpty -w -n z "$line"$'\x0f'
  zpty -r -m z out '*<<*>>*'
  print -r -- ${${out##*<<}%%>>*}
done
EOF
  "$1" | cut -d '|' -f 1 | zsh -f driver
}

@test "zsh completes at a terminal" {
  need zsh zsh
  in_zsh table >came
  run -0 differ table 2 <came
  # it offers files where it knows nothing of a program
  [ "$output" = 'lockrun lock my\ |lockrun lock my\|lockrun lock my\ file' ] || [ -z "$output" ]
  in_zsh others >came
  run -0 differ others 2 <came
  expect ''
}

# in_fish COMMAND: what fish offers for each line, with blanks between
in_fish() {
  "$IPCBOX" --completion fish >completion.fish
  cat >driver.fish <<'EOF'
source completion.fish
complete -c myprogram -f -a alpha
while read -l line
    echo "$(complete -C $line | string replace -r \t'.*' '' | string join ' ')"
end
EOF
  "$1" | cut -d '|' -f 1 | fish driver.fish
}

@test "fish completes" {
  need fish fish
  in_fish table >came
  run -0 differ table 3 <came
  expect ''
  in_fish others >came
  run -0 differ others 3 <came
  expect ''
}

# complete_line WORD...: what bash offers for the last word.
complete_line() {
  bash --norc -c '
    . ./completion
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    spec=$(complete -p "$1") && function=${spec#*-F } && function=${function%% *}
    "$function" "$1" "${@: -1}" "${@: -2:1}"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}

@test "bash completes every option of every applet, through ipcbox, too" {
  "$IPCBOX" --completion bash >completion
  local applet all name
  for applet in "${applets[@]}"; do
    run -0 complete_line "$applet" --
    all=$output
    run -0 complete_line ipcbox "$applet" --
    [ "$output" = "$all" ]
    "$applet" --help | sed -nE 's/^  (-.,|   ) (--[a-z0-9-]+).*/\2/p' | sort >options
    [ "$(sort <<<"$all")" = "$(cat options)" ]
  done
}

# commands_of APPLET: its sub-commands, as --help's usage has them; none for most.
commands_of() {
  "$1" --help | sed -nE "1,/^[^ U]/s/^(Usage:|      ) $1 ([a-z|]+)( .*)?\$/\2/p" | tr '|' '\n'
}

@test "bash completes the commands of those that have some, and nowhere else" {
  local applet commands with=0
  "$IPCBOX" --completion bash >completion
  for applet in "${applets[@]}"; do
    commands=$(commands_of "$applet")
    [ -n "$commands" ] || continue
    with=$((with + 1))
    run -0 complete_line "$applet" ''
    [ "$(grep -xFf - <(echo "$output") <<<"$commands")" = "$commands" ]
    run -0 complete_line "$applet" "${commands%%$'\n'*}" ''
    run ! grep -qx "${commands%%$'\n'*}" <<<"$output"
    run -0 complete_line "$applet" "${commands%%$'\n'*}" --he
    [ "$output" = --help ]
  done
  [ "$with" -ge 3 ]
}

@test "hosts come from the hosts file and known_hosts, ports from services" {
  "$IPCBOX" --completion bash >completion
  run -0 complete_line tcpclient host-of
  [ "$output" = host-of-hosts.example ]
  run -0 complete_line tcpclient 192.0.2.
  [ "$output" = 192.0.2.7 ]
  [ -e /etc/services ] || skip "needs /etc/services (Debian: netbase)"
  run -0 complete_line tcpclient host daytim
  [ "$output" = daytime ]
}

@test "durations and sizes get a unit, fds are those that are open, keys those that are there" {
  "$IPCBOX" --completion bash >completion
  run -0 complete_line deadline 3
  [ "$(echo $output)" = '3ms 3s 3m 3h 3d' ]
  run -0 complete_line shmdemo create 7 16
  [ "$(echo $output)" = '16k 16M 16G' ]
  run -0 complete_line tcpserver --ready-fd ''
  [ "$(grep -cx '[012]' <<<"$output")" -eq 3 ]
  local key
  key=$(msgdemo create private) # id:N
  run -0 complete_line msgdemo stat "$key"
  msgdemo rm "$key"
  [[ $'\n'$output$'\n' == *$'\n'"$key"$'\n'* ]]
}

@test "a name that expands to a command in hosts or files runs nothing" {
  "$IPCBOX" --completion bash >completion
  # shellcheck disable=SC2016 # not here
  echo '192.0.2.9 $(touch${IFS}ran) `touch${IFS}ran`' >hosts
  : >'$(touch ran)'
  run -0 complete_line tcpclient '$('
  run -0 complete_line lockrun '$('
  [ ! -e ran ]
}

@test "every placeholder of an option or a usage form has a kind" {
  "$IPCBOX" --completion bash >completion
  # an applet's name is before its lines
  awk '/^  [a-z0-9-]+\) printf/ { name = $1 } /unknown:/ { print name, $0; bad = 1 } END { exit bad }' completion
  grep -q '^c concurrency none ' completion
  grep -q '^: - - host port prog$' completion
}

@test "--prefix: the names have it" {
  "$IPCBOX" --completion bash --prefix ipc- >completion
  run -0 complete_line ipc-mkfifo-sig --cou
  [ "$output" = --count ]
  run -0 complete_line ipcbox mkfifo-sig --cou
  [ "$output" = --count ]
  run ! grep -qE '^complete -F .* mkfifo-sig' completion
  "$IPCBOX" --completion zsh --prefix ipc- | grep -q '^#compdef ipcbox ipc-alive '
  "$IPCBOX" --completion fish --prefix ipc- >completion.fish
  need fish fish
  run -0 fish -c 'source completion.fish; complete -C "ipc-mkfifo-sig --cou"'
  [[ $output == --count* ]]
}

@test "the scripts are as the shells want them" {
  local shell
  for shell in bash zsh fish; do
    "$IPCBOX" --completion "$shell" >completion
    command -v "$shell" >/dev/null || continue
    "$shell" -n completion
  done
}
