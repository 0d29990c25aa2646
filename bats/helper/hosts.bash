# "Hosts" of the test's own: network namespaces with a name, each with a cable to a hub, where the Redis server is. As root,
# or in a user namespace. Files and pids are those of the machine, so what runs on one can be killed, and seen, from outside.
#
#     need_hosts; hosts_up 8; hub_redis_up --appendonly yes   # REDIS_URL is for those on the hosts, `cli` for the test
#     on 3 lockrun redis:a true                                # /proc/sys/kernel/hostname is host3
#     background_on 3 VAR lockrun redis:a true                 # as background; the pid is lockrun's
#     cut_off 3; mend 3

hub_address=10.77.0.254

need_hosts() {
  local user=()
  need ip iproute2
  need nsenter util-linux
  [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
  own_network=(unshare --net --uts "${user[@]}")
  "${own_network[@]}" sh -c 'ip link add hub type bridge && ip link add port1 type veth peer name eth0 && ip link set port1 master hub &&
    hostname hub' 2>/dev/null ||
    skip "needs network namespaces of its own with a bridge and veth (user namespaces, or root)"
}

# enter PID: in $entered, the words that run a command in the namespaces of that process
enter() {
  local user=()
  [ "$(id -u)" -eq 0 ] || user=(--user --preserve-credentials)
  entered=(nsenter --target "$1" --net --uts "${user[@]}")
}

# holder VAR NAME COMMAND...: a process in namespaces that COMMAND makes, which is called NAME, in $VAR
holder() {
  # shellcheck disable=SC2016 # for that shell
  background "$1" "${@:3}" sh -c 'hostname "$0" && echo ready && exec sleep infinity' "$2"
  until_line "$1.out" '^ready$'
}

# hosts_up COUNT: they are 1 to COUNT, host1 at 10.77.0.1...
hosts_up() {
  local n var
  holder hub hub "${own_network[@]}"
  enter "$hub"
  on_hub=("${entered[@]}")
  # what is in the way is asked by no ARP, which a cut would answer with EHOSTUNREACH
  "${on_hub[@]}" sh -euc 'ip link set lo up
    ip link add hub address 02:00:00:00:00:fe type bridge
    ip address add "$0/24" dev hub
    ip link set hub up' "$hub_address"
  for ((n = 1; n <= $1; n++)); do
    var=host$n
    holder "$var" "$var" "${on_hub[@]}" unshare --net --uts
    "${on_hub[@]}" sh -euc 'ip link add "$0" type veth peer name eth0 address "02:00:00:00:00:$3" netns "$1"
      ip link set "$0" master hub up
      ip neighbor add "10.77.0.$2" lladdr "02:00:00:00:00:$3" dev hub nud permanent' \
      "$var" "${!var}" "$n" "$(printf %02x "$n")"
    on "$n" sh -euc 'ip link set lo up
      ip link set eth0 up
      ip address add "10.77.0.$1/24" dev eth0
      ip neighbor add "$0" lladdr 02:00:00:00:00:fe dev eth0 nud permanent' "$hub_address" "$n"
  done
}

# on HOST COMMAND...
on() {
  local var=host$1 entered
  enter "${!var}"
  "${entered[@]}" "${@:2}"
}

# background_on HOST VAR COMMAND...
background_on() {
  local _host=host$1 entered
  enter "${!_host}"
  background "$2" "${entered[@]}" "${@:3}"
}

# cut_off HOST: what it sends is lost, as is what is sent to it, and nobody is told: its cable is out of the hub. (The state of
# a bridge's port would be undone by the kernel, a second later.)
cut_off() {
  "${on_hub[@]}" ip link set "host$1" down
}

mend() {
  "${on_hub[@]}" ip link set "host$1" up
}

# hub_redis_up [OPTION...]: redis_up for the hosts; a second call starts it again.
hub_redis_up() {
  redis_port=6379
  redis_in=("${on_hub[@]}")
  redis_up --bind "$hub_address" 127.0.0.1 --protected-mode no "$@"
  export REDIS_URL=redis://$hub_address:$redis_port
}
