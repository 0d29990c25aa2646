# signame: names of signals to numbers and back, as kill -l of the shell has them.

load helper/common

setup() {
  common_setup
}

teardown() {
  common_teardown
}

@test "every number is named as bash names it, and every name leads back" {
  local number
  for number in {1..31}; do
    run -0 signame "$number"
    [ "$output" = "$(kill -l "$number")" ]
    run -0 signame "$output"
    [ "$output" = "$number" ]
  done
}

@test "real-time signals are counted from RTMIN, which is 34, and RTMAX is 64" {
  local number
  run -0 signame 34 64 RTMIN RTMAX RTMIN+0 RTMAX-0
  [ "${lines[*]}" = "RTMIN RTMAX 34 64 34 64" ]
  for number in {35..63}; do
    run -0 signame "$number" "RTMIN+$((number - 34))" "RTMAX-$((64 - number))"
    [ "${lines[*]}" = "RTMIN+$((number - 34)) $number $number" ]
  done
}

@test "what bash calls a real-time signal is understood" {
  local number
  for number in {34..64}; do
    run -0 signame "$(kill -l "$number")"
    [ "$output" = "$number" ]
  done
}

@test "names are taken in any case, with and without SIG" {
  run -0 signame TERM SIGTERM term sigterm SigTerm tErM
  [ "${lines[*]}" = "15 15 15 15 15 15" ]
  run -0 signame rtmin+3 SIGRTMIN+3 sigrtmax-27 SIGrtmin sigRTMAX
  [ "${lines[*]}" = "37 37 37 34 64" ]
}

@test "second names lead to the same number, which keeps its first name" {
  run -0 signame IOT CLD POLL SIGIOT SIGCLD SIGPOLL
  [ "${lines[*]}" = "$(kill -l ABRT) 17 29 6 17 29" ]
  run -0 signame 6 17 29
  [ "${lines[*]}" = "ABRT CHLD IO" ]
}

@test "a status of the shell, 128+N, is signal N" {
  local number
  for number in {1..31} {34..64}; do
    run -0 signame "$((128 + number))" "$((256 + number))" "$number"
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[0]}" = "${lines[2]}" ]
    [ "${lines[1]}" = "${lines[2]}" ]
  done
  run sh -c 'kill -KILL $$'
  run -0 signame "$status"
  [ "$output" = KILL ]
}

@test "a status of ksh(1), 256+N, is signal N" {
  local signal
  need ksh93 ksh93u+m
  for signal in TERM KILL USR1; do
    # shellcheck disable=SC2016
    run -0 ksh93 -c 'sh -c "kill -$1 \$\$"; echo $?' '' "$signal"
    ((${lines[-1]} > 256))
    run -0 signame "${lines[-1]}"
    [ "$output" = "$signal" ]
  done
}

@test "without a word: all signals, a line each, in order, number and name" {
  run -0 --separate-stderr signame
  [ "${#lines[@]}" -eq 62 ]
  [ -z "$stderr" ]
  local listed=$output number name
  [ "$(cut -d ' ' -f 1 <<<"$listed" | paste -sd ' ')" = "$(echo {1..31} {34..64})" ]
  while read -r number name; do
    run -0 signame "$number" "$name"
    [ "${lines[*]}" = "$name $number" ]
  done <<<"$listed"
}

@test "several words are answered in their order" {
  run -0 signame 9 HUP 143 RTMIN+1 2 015
  [ "${lines[*]}" = "KILL 1 TERM 35 INT TERM" ]
  run -0 signame -- KILL
  [ "$output" = 9 ]
}

@test "a word that is not a signal is a usage error, and nothing is printed before it" {
  local word
  for word in 0 65 99 127 128 193 255 256 1000000 99999999999999999999 -1 0x10 5x 5.0 +5 ' 5' '5 ' '' ' ' \
    SIG sig SIGSIGTERM TER TERMS TERM+1 RTMIN-1 RTMAX+1 RTMIN+31 RTMAX-31 RTMIN+ RTMAX- RTMIN+x RTMIN1 RTMIN+-1 \
    RTMI RT SIG15 KILL,TERM EXIT DEBUG; do
    wrong_call signame -- "$word"
    wrong_call signame -- TERM "$word"
  done
  wrong_call signame -1
  wrong_call signame -9
  wrong_call signame --no-such-option
}

@test "the wrong word is shown, escaped" {
  wrong_call signame $'a\tb'
  [ "${stderr_lines[0]}" = "signame: 'a\\tb': not a signal; run signame to list them" ]
}

@test "thousands of words are answered, or refused as a whole" {
  local words
  mapfile -t words < <(yes $'KILL\n9' | head -n 20000)
  run -0 signame "${words[@]}"
  [ "$output" = "$(yes $'9\nKILL' | head -n 20000)" ]
  wrong_call signame "${words[@]}" NONE
  [ "${stderr_lines[0]}" = "signame: 'NONE': not a signal; run signame to list them" ]
}
