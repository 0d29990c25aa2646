# semgive --token redis:NAME: the right token, and all others.

load helper/lease

holder=semtake

setup() {
  lease_setup
}

teardown() {
  launch_teardown
}

refusal="semgive: give redis:a: no lease has that token, or it has run out"

# refused TOKEN
refused() {
  run -1 semgive --token "$1" redis:a
  [ "$output" = "$refusal" ]
  run -1 semgive -q --token "$1" redis:a
  [ -z "$output" ]
}

@test "a wrong token, an expired one, one that was given back: 1, and nothing changes" {
  server
  run -0 semtake -c --create=2 --lease 100 redis:a
  local token=${output% *}
  refused nosuch
  refused "${token::31}"
  refused "${token}0"
  refused "$(printf '%032d' 0)"
  run -0 semtake -c --lease 1 redis:a
  local expires=${output% *}
  run -1 semgive --token "$token" redis:b
  [ "$(cli ZCARD 'ipcbox:{a}:held')" = 2 ]
  semtake -c -t 60 redis:a true
  refused "$expires"
  run -0 semgive -c --token "$token" redis:a
  refused "$token"
  [ -z "$(keys)" ]
}

@test "the next waiter has it at once" {
  server
  run -0 semtake --lease 1000 redis:a
  local token=${output% *}
  background one semtake --lease 1000 redis:a echo yes
  until_true waits 1
  run -0 semgive --token "$token" redis:a
  ends_with 0 "$one"
  [ "$(cat one.out)" = yes ]
}

@test "the answer is lost: it is asked for again, which changes nothing, and is 0" {
  server
  run -0 semtake -c --create=1 --lease 1000 redis:a
  local token=${output% *}
  drops EVAL 1
  run --separate-stderr -0 semgive --token "$token" redis:a
  dropped 1
  [ -z "$output" ]
  [ "$(cli GET "ipcbox:{a}:gave:$token")" != "$token" ]
  # another that has taken it meanwhile keeps it
  run -0 semtake -c --lease 1000 redis:a
  refused "$token"
  run -1 semtake -c --try redis:a true
}

@test "the token of a running program: it is ended at its next renewal" {
  server
  hold family one --lease 3 redis:a
  run -0 semset stat redis:a
  run -0 semgive --token "${lines[3]##* }" redis:a
  ends_with 111 "$one"
  [ "$(cat one.err)" = "semtake: keep redis:a: the server says that it was lost" ]
  no_family
}

@test "no server: 111" {
  export REDIS_URL=redis://127.0.0.1:1/x
  wrong_call semgive --token "$(printf '%032d' 0)" redis:a
  server
  redis_stop KILL
  run -111 semgive --token "$(printf '%032d' 0)" redis:a
  [[ ${lines[-1]} == "semgive: ask $REDIS_URL: the deadline passed: "* ]]
}

@test "usage errors say why" {
  local t=(--token "$(printf '%032d' 0)")
  wrong_call semgive redis:a
  [ "${stderr_lines[0]}" = "semgive: redis:NAME requires --token: the TOKEN that semtake printed" ]
  wrong_call semgive --token '' redis:a
  wrong_call semgive "${t[@]}" -n 1 redis:a
  [[ ${stderr_lines[0]} == *": redis:NAME is one semaphore, not a set"* ]]
  wrong_call semgive "${t[@]}" -c -N 2 redis:a
  wrong_call semgive "${t[@]}" -N 2 redis:a
  wrong_call semgive "${t[@]}" redis:a more
  wrong_call semgive "${t[@]}" 1234
  [ "${stderr_lines[0]}" = "semgive: --token requires redis:NAME" ]
  wrong_call semgive --redis redis://h 1234
  wrong_call semgive --redis redis://:pw@h "${t[@]}" redis:a
  run -111 semgive ./redis:a:1
}
