# lockrun redis:NAME on several hosts, whose cables are cut: nothing comes back, not even a reset.

load helper/launch
load helper/redis
load helper/hosts

setup() {
  redis_setup
  need_redis
  need_hosts
}

teardown() {
  launch_teardown
}

@test "hosts: each has a name, an address and the server; one that is cut off hears nothing, and no refusal" {
  hosts_up 2
  hub_redis_up
  run -0 on 2 sh -c 'cat /proc/sys/kernel/hostname; redis-call PING'
  [ "$output" = "host2
text PONG" ]
  cut_off 2
  run on 2 waitfor -t 4 tcp "$hub_address" 6379
  [ "$status" -eq 124 ]
  on 1 waitfor -t 60 tcp "$hub_address" 6379
  background_on 2 held redis-call PING
  mend 2
  ends_with 0 "$held"
  on 2 waitfor -t 60 tcp "$hub_address" 6379
}
