# A TIME is the same everywhere: .5, 365d and 2w, too.

load helper/sysv

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

@test "365d and 2w are waited for, .5 passes" {
  local began time one two three
  msgsend --create "$key" text
  semset create "$key"
  for time in 365d 2w 0.5d .5w 1000h 15000w; do
    run -0 deadline "$time" true
    run -0 deadline -k "$time" "$time" true
    run -0 lockrun -t "$time" lock true
    run -0 semtake -t "$time" "$key" true
    run -0 msgrecv -t "$time" "$key"
    run -0 msgsend -t "$time" "$key" text
    run -0 safepipe -t "$time" true
    run -0 reap --grace "$time" true
    run -0 waitfor -t "$time" exit 5000000
  done
  background one sleep infinity
  began=${EPOCHREALTIME/./}
  run -124 timeout --foreground 60 alive -w -t .5 "$one"
  ((${EPOCHREALTIME/./} - began >= 500000))
  background two alive -w -t 365d "$one"
  background three semtake -t 2w --zero "$key"
  until_true asleep "$two" alive
  kill "$one"
  ends_with 0 "$two"
  ends_with 0 "$three"
  msgdemo rm "$key"
}

@test "what is no TIME is a usage error" {
  local time
  for time in . 5. .d 1y 365D '2 w' 1w2d 16000w -1d +1d 1e3 ''; do
    wrong_call lockrun -t "$time" lock true
    wrong_call alive -w -t "$time" 1
    wrong_call deadline "$time" true
  done
}
