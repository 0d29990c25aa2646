# How System V IPC objects are named, in all applets; where options stand; wrong calls.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# key_of WORD: of the set that this KEY makes, as ipcs has it. (In a namespace, where it is the only one.)
key_of='key_of() {
  semset create "$1" && ipcs -s | grep -o "^0x[0-9a-f]*" && semset rm "$1"
}
'
perl_ftok='use IPC::SysV "ftok"; printf "0x%08x\n", &ftok(@ARGV) & 0xffffffff'

@test "numbers, decimal and hexadecimal" {
  local word
  run -0 in_namespace "$key_of"'for word; do key_of "$word"; done' \
    1 1234 4294967295 2147483648 0x1 0x4d2 0x000004D2 0xffffffff 0xABCdef01
  [ "${lines[*]}" = "0x00000001 0x000004d2 0xffffffff 0x80000000 0x00000001 0x000004d2 0x000004d2 0xffffffff 0xabcdef01" ]
}

@test "PATH and PATH:ID are ftok(3)" {
  touch file 'a:b' 'a:b:'
  mkdir dir
  run -0 in_namespace "$key_of"'for word; do key_of "$word"; done' \
    ./ ./file "$PWD/file" ./file:1 ./file:7 ./file:255 ./file:x ./file:: ./dir/:A ./a:b:1 ./a:b::x ./a:b::2 ./file:$'\xe9'
  diff - <(for id in './ 1' './file 1' './file 1' './file 1' './file 7' './file 255' './file 120' './file 58' './dir/ 65' \
    './a:b 1' './a:b: 120' './a:b: 2' './file 233'; do
    # shellcheck disable=SC2086 # words
    ftok $id
  done) <<<"$output"
}

@test "PATH and PATH:ID are ftok(3), as perl has it" {
  need_perl IPC::SysV
  touch file 'a:b' 'a:b:'
  mkdir dir
  run -0 in_namespace "$key_of"'for word; do key_of "$word"; done' \
    ./ ./file "$PWD/file" ./file:1 ./file:7 ./file:255 ./file:x ./file:: ./dir/:A ./a:b:1 ./a:b::x ./a:b::2 ./file:$'\xe9'
  local ours=$output
  {
    perl -e "$perl_ftok" ./
    perl -e "$perl_ftok" ./file
    perl -e "$perl_ftok" ./file
    for id in 1 7 255 ord:x ord:: ; do perl -e "\$ARGV[1] =~ s/^ord:(.)/ord \$1/e; \$ARGV[1] += 0; $perl_ftok" ./file "$id"; done
    perl -e "$perl_ftok" ./dir/ A
    perl -e "\$ARGV[1] += 0; $perl_ftok" ./a:b 1
    perl -e "$perl_ftok" ./a:b: x
    perl -e "\$ARGV[1] += 0; $perl_ftok" ./a:b: 2
    perl -e "\$ARGV[1] += 0; $perl_ftok" ./file 233
  } >perls
  diff - perls <<<"$ours"
}

@test "the same file by another name is the same key, another ID is another" {
  touch file
  ln file other
  run -0 in_namespace 'semset create ./file:3; semtake "$1/other:3"; semset create ./file:4; semtake --try ./other:3 || echo "$?"
    semset rm ./other:3; semset rm ./other:4' "$PWD"
  [ "${lines[1]}" = 1 ]
}

@test "id:N is the object of that identifier, in all that find one" {
  run -0 in_namespace 'id=$(semset create -m 640 private 2); semset stat "$id"; semtake "$id"; semgive "$id"
    semset set "$id" 1 5; semtake -c -n 1 "$id"; semtake -n 0 "$id" true; semset rm "$id"; semset stat "$id" || echo "$?"'
  [[ ${lines[0]} == "id "* && ${lines[1]} == "key 0x00000000" && ${lines[2]} == "mode 0640" ]]
  [ "${lines[-1]}" = 111 ]
}

@test "create private: each is another, its name is on stdout" {
  run -0 --separate-stderr in_namespace 'semset create private; semset create --value 3 private 4; ipcs -s | grep -c ^0x00000000
    for id in $(ipcs -s | awk "/^0x/ { print \$2 }"); do semset stat "id:$id" | grep -c "^num"; semset rm "id:$id"; done'
  [[ ${lines[0]} == id:[0-9]* && ${lines[1]} == id:[0-9]* && ${lines[0]} != "${lines[1]}" ]]
  [ "${lines[*]:2}" = "2 1 4" ]
  [ -z "$stderr" ]
}

@test "a file that is not there: 111, whoever asks" {
  local call
  for call in "semset create" "semset stat" "semset rm" semtake semgive "semtake --create"; do
    # shellcheck disable=SC2086
    run -111 $call ./missing:3
    [ "$output" = "${call%% *}: ftok ./missing: No such file or directory" ]
  done
  run -111 semset stat "./$(printf '%5000s' '')"
  [[ $output == "semset: ftok ./ "*": File name too long" ]]
}

@test "what is no KEY is a usage error, whoever asks" {
  local call word
  for call in "semset create" "semset stat" "semset rm" semtake "semtake --create" semgive; do
    for word in '' 0 00x1 -0 4294967296 18446744073709551617 0x 0x0 0x00000000 0x123456789 0xg 0x12g 5x ' 5' '5 ' +5 1.5 word \
      file:3 id: id:-1 id:x id:2147483648 id:5x ID:5 Private ./: ./:0 ./:00 ./:256 ./:ab ./:-1 ./:1x; do
      # shellcheck disable=SC2086
      wrong_call $call -- "$word"
      [[ ${stderr_lines[0]} == *"KEY '$word'"* ]]
    done
    # shellcheck disable=SC2086
    wrong_call $call
    [[ ${stderr_lines[0]} == *"missing KEY"* ]]
  done
}

@test "private is for what only makes an object, id:N for what finds one" {
  local call
  for call in "semset stat" "semset rm" semtake "semtake --create" semgive; do
    # shellcheck disable=SC2086
    wrong_call $call private
    [[ ${stderr_lines[0]} == *"KEY private is "* ]]
  done
  wrong_call semset set private 0 0
  for call in "semset create" "semtake --create"; do
    # shellcheck disable=SC2086
    wrong_call $call id:0
    [[ ${stderr_lines[0]} == *"KEY 'id:0'"* ]]
  done
}

# ---- commands and options ----

@test "options stand before the command or behind it, up to the first operand" {
  local words
  for words in "-m 640 create" "create -m 640" "--mode=640 create" "create --mode 640" "-m 600 create -m 640" \
    "create -m 600 -m 640" "-m640 -- create" "create -m640 --" "-q create -m 640 --"; do
    # shellcheck disable=SC2086
    run -0 semset $words "$key" 2
    [ "$(ipcs -s | awk -v "key=$key" '$1 == key { print $4, $5 }')" = "640 2" ]
    semset rm -- "$key"
  done
  semset create --value 2 "$key"
  run -0 semset --json stat "$key"
  [ "$output" = "$(semset stat --json "$key")" ]
  run -0 semset -- stat "$key"
  run -0 semset set -- "$key" 0 1
}

@test "an option behind an operand is an operand, and so a usage error" {
  wrong_call semset create "$key" 2 -m 640
  [[ ${stderr_lines[0]} == *"'-m'"* ]]
  wrong_call semset create "$key" --value=3
  wrong_call semset create "$key" --value 3
  wrong_call semset stat "$key" --json
  wrong_call semgive "$key" -n 1
  # after -- there are no options, before the command either
  wrong_call semset -- create -m 640 "$key"
  wrong_call semset -- -m 640 create "$key"
  run -111 semset stat "$key"
}

@test "--help and --version, before and behind the command" {
  local help
  help=$(semset --help)
  run -0 semset create --help
  [ "$output" = "$help" ]
  run -0 semset stat --json --version
  [ "$output" = "$(semset --version)" ]
}

@test "semset: usage errors" {
  local words
  for words in '' creat make createx CREATE "create -x 5" "create --json" "stat -m 600" "stat --value 1" "set" "set 5" "set 5 0" \
    "set 5 0 1 2" "set 5 -1 1" "set 5 x 1" "set 5 32000 1" "set 5 0 -1" "set 5 0 32768" "set 5 0 1x" "set --json 5 0 1" \
    "set -m 600 5 0 1" "rm" "rm 5 6" "rm --json 5" "rm --value 1 5" "stat 5 6" "stat" "create" "create 5 0" "create 5 -1" \
    "create 5 32001" "create 5 2x" "create 5 2 3" "create -m 8 5" "create -m 1000 5" "create -m 07777 5" "create -m -1 5" \
    "create -m rw 5" "create --value -1 5" "create --value 32768 5" "create --value x 5" "--no-such create 5" "5 create"; do
    # shellcheck disable=SC2086
    wrong_call semset $words
  done
  wrong_call semset ''
  wrong_call semset create -m '' 5
  wrong_call semset create 5 ''
}

@test "semtake: usage errors" {
  local words
  for words in "-n -1" "-n 32000" "-n x" "-n 1x" "-t -1" "-t x" "-t 1y" "-m 600" "-m 8 --create" "-m 1000 --create" "--create=-1" \
    "--create=32768" "--create=x" "--create=" "--create=2" "--try=1" "-c=1" "--for 0" "--no-such" "-z"; do
    # shellcheck disable=SC2086
    wrong_call semtake $words "$key"
  done
  run -111 semset stat "$key"
}
