# semgive: gives a semaphore back, and never waits.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# value [NUM]
value() {
  semset stat "$key" | sed -n "s/^num ${1:-0} value \([0-9]*\) .*/\1/p"
}

@test "what is taken is free; what is not taken is 1, with a message, and no wait" {
  semset create "$key"
  run -1 timeout --foreground 60 semgive "$key"
  [ "$output" = "semgive: give $key: it is not taken" ]
  run -1 semgive -q "$key"
  [ -z "$output" ]
  semtake "$key"
  run -0 semgive "$key"
  [ -z "$output" ]
  [ "$(value)" -eq 0 ]
  run -1 semgive "$key"
}

@test "-n: that one, and no other" {
  semset create --value 1 "$key" 3
  run -0 semgive -n 1 "$key"
  [ "$(value 0)$(value 1)$(value 2)" = 101 ]
  run -1 semgive --num 1 "$key"
  run -0 semgive --num=2 "$key"
  [ "$(value 0)$(value 1)$(value 2)" = 100 ]
}

@test "-c adds one, always" {
  semset create "$key" 2
  semgive -c "$key"
  semgive --count "$key"
  semgive --count -n 1 "$key"
  [ "$(value 0) $(value 1)" = "2 1" ]
}

@test "what is given stays given: no UNDO takes it back" {
  semset create --value 5 "$key"
  semgive "$key"
  [ "$(value)" -eq 4 ]
  need strace strace
  run -0 strace -qq -e trace=semop,semtimedop -o trace semgive "$key"
  grep -qE 'sem(timed)?op\(.*(IPC_NOWAIT|SEM_UNDO)' trace
  run ! grep SEM_UNDO trace
}

@test "ERANGE: a value that is as high as can be stays there" {
  semset create --value 32767 "$key"
  run -111 semgive -c "$key"
  [[ $output == "semgive: give $key: "*"its value would be out of range (0 to 32767)" ]]
  [ "$(value)" -eq 32767 ]
  semgive "$key"
  [ "$(value)" -eq 32766 ]
}

@test "EFBIG: the set has no semaphore with that number" {
  semset create --value 1 "$key" 2
  for count in '' -c; do
    # shellcheck disable=SC2086
    run -111 semgive $count -n 2 "$key"
    [[ $output == "semgive: give $key: "*"the set has no semaphore with that number" ]]
  done
}

@test "a set that is not there, or gone" {
  local id
  run -111 semgive "$key"
  [ "$output" = "semgive: find $key: no such set; 'semset create' or 'semtake --create' creates one" ]
  semset create "$key"
  id=$(semset stat "$key" | sed -n 's/^id //p')
  semset rm "$key"
  run -111 semgive "id:$id"
  [[ $output == "semgive: give id:$id: Invalid argument: it no longer exists"* ]]
}

@test "another user needs the right to change it" {
  need_other_user
  semset create -m 644 --value 1 "$key"
  run -111 as_nobody semgive "$key"
  [[ $output == "semgive: "*" $key: Permission denied: its mode denies access to this user" ]]
  [ "$(value)" -eq 1 ]
  semset rm "$key"
  semset create -m 646 --value 1 "$key"
  run -0 as_nobody semgive "$key"
  [ "$(value)" -eq 0 ]
}

@test "to give what a program holds is that program's loss: it does not give back a second time" {
  semset create "$key"
  background holder semtake "$key" sh -c 'echo held; exec sleep infinity'
  until_line holder.out held
  run -0 semgive "$key"
  run -1 semgive "$key"
  finish "$holder"
  [ "$(value)" -eq 0 ]
  run -0 semtake --try "$key"
}

@test "one of many takers goes on for each that is given" {
  local n
  semset create --value 1 "$key"
  for n in 1 2 3; do
    background "taker$n" semtake "$key"
  done
  until_true waiting_for_zero 3
  for n in 2 1 0; do
    semgive "$key"
    until_true waiting_for_zero "$n"
    [ "$(value)" -eq 1 ]
  done
}

waiting_for_zero() {
  [[ $(semset stat "$key") == *" waiting_for_zero $1 "* ]]
}

@test "usage errors" {
  wrong_call semgive
  wrong_call semgive ''
  wrong_call semgive "$key" more
  wrong_call semgive -n 32000 "$key"
  wrong_call semgive -n -1 "$key"
  wrong_call semgive -n '' "$key"
  wrong_call semgive -t 1 "$key"
  wrong_call semgive private
  [[ ${stderr_lines[0]} == *id:N* ]]
  run -111 semset stat "$key"
}
