# What the fence is for: a program that was stopped, with all who could have ended it, past its lease, and goes on then.

load helper/lease

setup() {
  lease_setup
  # a store that keeps the highest number that it has seen, and refuses what comes with a lower one
  script put 'exec 9>>store.lock; flock 9
    last=$(cat last 2>/dev/null || echo 0)
    if (($1 < last)); then echo refused; exit 1; fi
    echo "$1" >last; echo "$2" >>store'
  mkfifo go
}

teardown() {
  launch_teardown
}

@test "lockrun: the late writer of two is refused by its fence" {
  need flock util-linux
  server
  # shellcheck disable=SC2016 # for its own shell
  late='echo $$ >running; read -r line <go; ./put "$IPCBOX_FENCE" late >put.out; exec sleep 1000'
  hold late one --lease 1 redis:a
  kill -STOP "$one" "$keeper"
  run -0 lockrun -t 60 --lease 3 redis:a sh -c './put "$IPCBOX_FENCE" new'
  [ "$output" = '' ]
  echo >go
  until_true test -s put.out
  [ "$(cat put.out)" = refused ]
  [ "$(cat store)" = new ]
  kill -CONT "$keeper" "$one"
  ends_with 111 "$one"
}

@test "msgrecv: the late worker of two is refused by MSGTRIES, which is the fence of a message" {
  need flock util-linux
  server
  # shellcheck disable=SC2016 # for its own shell
  late='echo $$ >running; read -r line <go; ./put "$MSGTRIES" "late $MSGTOKEN" >put.out; exec sleep 1000'
  msgsend redis:jobs job
  background one msgrecv --lease 1 redis:jobs sh -c "$late"
  until_true test -s running
  keeper=$(cat /proc/"$one"/task/"$one"/children)
  kill -STOP "$one" $keeper
  run -0 msgrecv -t 60 --lease 3 redis:jobs sh -c './put "$MSGTRIES" "new $MSGTOKEN"'
  echo >go
  until_true test -s put.out
  [ "$(cat put.out)" = refused ]
  [[ $(cat store) == "new "* ]]
  kill -CONT $keeper "$one"
  ends_with 111 "$one"
}
