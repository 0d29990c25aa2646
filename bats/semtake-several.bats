# semtake, semgive and semset with several semaphores of a set, or several units of one, in one step.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

# values: of all, in order
values() {
  semset stat "$key" | sed -n 's/^num .* value \([0-9]*\) .*/\1/p' | tr '\n' ' '
}
values_are() {
  [ "$(values)" = "$* " ]
}
# waits: somebody is blocked in an operation on the set
waits() {
  semset stat "$key" | grep -qE 'waiting_for_more [1-9]|waiting_for_zero [1-9]'
}

@test "-n 0,2: all are taken and given in one step, or none" {
  semset create "$key" 3
  run -0 semtake -n 0,2 "$key"
  values_are 1 0 1
  run -1 semtake --try -n 1,2 "$key"
  values_are 1 0 1
  run -1 semgive -n 0,1 "$key"
  [ "$output" = "semgive: give $key: it is not taken" ]
  values_are 1 0 1
  run -0 semgive -n 2,0 "$key"
  values_are 0 0 0
  run -0 semtake -n 0,2 "$key" semset stat "$key"
  [[ $output == *"num 0 value 1 "*"num 1 value 0 "*"num 2 value 1 "* ]]
  values_are 0 0 0
}

@test "-N: as many as that at once; a set of another language's program sees it" {
  semset create --value 5 "$key" 2
  run -0 semtake -c -N 3 -n 0,1 "$key"
  values_are 2 2
  run -1 semtake --try -c --amount 3 -n 0,1 "$key"
  values_are 2 2
  run -0 semgive -c -N 4 "$key"
  values_are 6 2
  run -0 semtake -c -N 2 -n 0,1 "$key" true
  values_are 6 2
  run -111 semgive -c -N 32767 "$key"
  [[ $output == *"its value would be out of range (0 to 32767)" ]]
  values_are 6 2
  need_perl "IPC::SysV"
  run -0 perl -MIPC::SysV=ftok -e 'semop(semget(unpack("l", pack("L", hex shift)), 0, 0), pack("s!6", 0, -6, 0, 1, -2, 0)) && print "taken"' "$key"
  [ "$output" = taken ]
  values_are 0 0
}

@test "-N waits until all of it is there, and --create gives that many" {
  run -0 semtake --create -c -N 3 -n 0,2 "$key"
  values_are 0 3 0
  background waiter semtake -c -N 2 -n 0,2 "$key"
  until_true waits
  semgive -c -N 2 "$key"
  values_are 2 3 0
  semgive -c -N 2 -n 2 "$key"
  ends_with 0 "$waiter"
  values_are 0 3 0
}

@test "two that need the same two semaphores in any order never deadlock" {
  local n pids=()
  semset create "$key" 2
  for n in {1..20}; do
    semtake -n "$((n % 2)),$((1 - n % 2))" "$key" does to log + to log - 3>&- &
    pids+=("$!")
  done
  wait "${pids[@]}"
  run awk '/\+/ { if (++n > max) max = n; all++ } /-/ { n-- } END { print all, n, max }' log
  [ "$output" = "20 0 1" ]
  values_are 0 0
}

@test "--zero: waits for 0, and takes nothing" {
  semset create --value 2 "$key" 2
  run -1 semtake --try --zero -n 0,1 "$key"
  [ "$output" = "semtake: take $key: it is not 0" ]
  run -124 semtake -t 20ms --zero "$key" touch ran
  background waiter semtake --zero -n 0,1 "$key" echo zero
  until_true waits
  semset set "$key" 0=0 1=0
  ends_with 0 "$waiter"
  [ "$(cat waiter.out)" = zero ]
  values_are 0 0
  run -0 semtake --try --zero "$key"
  values_are 0 0
  [ ! -e ran ]
}

@test "semset set KEY NUM=VALUE...: all of them, or none where one is not there" {
  semset create "$key" 3
  run -0 semset set "$key" 0=3 2=5
  values_are 3 0 5
  run -111 semset set "$key" 0=1 3=1 1=1
  values_are 3 0 5
  run -0 semset set "$key" 1=32767
  values_are 3 32767 5
  run -0 semset set "$key" 1 7
  values_are 3 7 5
}

@test "-E: that status in place of 1, and PROG is not run, also with 0" {
  local n
  semset create "$key"
  semtake "$key"
  for n in 0 2 75 255; do
    run "-$n" semtake --try -E "$n" "$key" touch ran
    run "-$n" semtake -t 0 --conflict-status "$n" "$key" touch ran
    [ "$output" = "semtake: take $key: it is taken" ]
  done
  run -124 semtake -t 20ms -E 75 "$key" touch ran
  semgive "$key"
  run -1 semtake --try -E 75 "$key" sh -c 'exit 1'
  [ ! -e ran ]
}

@test "usage errors change nothing" {
  local applet
  semset create --value 9 "$key" 3
  for applet in semtake semgive; do
    wrong_call "$applet" -n '' "$key"
    wrong_call "$applet" -n 0, "$key"
    wrong_call "$applet" -n ,0 "$key"
    wrong_call "$applet" -n 0,1,0 "$key"
    wrong_call "$applet" -n 0,32000 "$key"
    wrong_call "$applet" -n "$(seq -s, 0 250)" "$key"
    wrong_call "$applet" -c -N 0 "$key"
    wrong_call "$applet" -c -N 32768 "$key"
    wrong_call "$applet" -N 2 "$key"
  done
  wrong_call semtake --zero -c "$key"
  wrong_call semtake --zero --for "$$" "$key"
  wrong_call semtake -E 256 "$key"
  wrong_call semset set "$key" 0=1 0=2
  wrong_call semset set "$key" 0=1 1
  wrong_call semset set "$key" 0=1 2 3
  wrong_call semset set "$key" 0=
  wrong_call semset set "$key" =1
  wrong_call semset set "$key" 0=32768
  wrong_call semset set "$key" 0 1 2
  values_are 9 9 9
}

@test "250 semaphores at once, where the kernel allows it" {
  semset create "$key" 250
  run -0 semtake -n "$(seq -s, 0 249)" "$key"
  [ "$(values | tr -d ' ')" = "$(printf '1%.0s' {1..250})" ]
  run -0 semgive -n "$(seq -s, 0 249)" "$key"
  [ "$(values | tr -d ' 0')" = "" ]
}
