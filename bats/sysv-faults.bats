# A signal that a fault causes, sent by another in the midst of a round trip.
load helper/queue

setup() {
  sysv_setup
}

teardown() {
  sysv_teardown
}

@test "one that says that of a fault, too, leaves no segment and no queue" {
  need strace strace
  in_namespace "$(declare -f signals_at)"'
    signals_at shmget "$1" shmdemo; signals_at msgsnd "$1" msgdemo' "4 5 6 7 8 11 31"
}
