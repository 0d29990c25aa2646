# Units of contrib/systemd under a systemd that runs: what docs/systemd.md and docs/scaling.md say of readiness, failures, stopping,
# restarting and socket activation.

load helper/common
load helper/daemon
load helper/systemd

setup() {
  common_setup
  groups=()
  need_manager
}

teardown() {
  manager_down
  common_teardown
}

# unit NAME: that of contrib/systemd, for this build, without what a user's manager in a namespace can't give. Its directories
# are elsewhere.
unit() {
  sed -E -e 's#/run/ipcbox#%t/ipcbox#g; s#/var/log/#%L/#' \
    -e "s#/usr/local/bin/#$(dirname "$(command -v tcpserver)")/#; s/ -u nobody//" \
    -e '/^(DynamicUser|CapabilityBoundingSet|Private|Protect|ProcSubset|Restrict[A-Z]|SystemCall|MemoryDeny|RemoveIPC)/d' \
    "$BATS_TEST_DIRNAME/../contrib/systemd/$1" >"$units/$1"
}

user() {
  managed systemctl --user --no-ask-password "$@"
}

@test "two instances of the template: started when they listen; a stop waits for the programs, and ends" {
  manager_up
  unit tcpserver@.service
  user daemon-reload
  user start tcpserver@7007 tcpserver@7008
  [ "$(echo one | managed tcpclient 127.0.0.1 7007)" = one ]
  [ "$(echo two | managed tcpclient 127.0.0.1 7008)" = two ]
  mkfifo in
  background client timeout 240 nsenter --target "$inner" --net env PATH="$PATH" sh -c 'tcpclient 127.0.0.1 7007 <in'
  exec 4>in
  echo first >&4
  until_line client.out first
  background stop timeout 240 nsenter --target "$inner" --mount --pid env PATH="$PATH" XDG_RUNTIME_DIR=/run/user/0 \
    systemctl --user stop tcpserver@7007 4>&-
  until_true eval '[ "$(user is-active tcpserver@7007 || :)" = deactivating ]'
  run managed tcpclient 127.0.0.1 7007
  [ "$status" -eq 111 ]
  echo second >&4
  until_line client.out second
  exec 4>&-
  ends_with 0 "$client"
  ends_with 0 "$stop"
  [ "$(user show -p Result --value tcpserver@7007)" = success ]
  [ "$(user is-active tcpserver@7008)" = active ]
}

@test "socket activation: the first connection starts it; restarts under load lose no connection" {
  manager_up
  unit ipcbox-echo.socket
  unit ipcbox-echo.service
  user daemon-reload
  user start ipcbox-echo.socket
  [ "$(user is-active ipcbox-echo.service || :)" = inactive ]
  [ "$(echo one | managed tcpclient 127.0.0.1 7)" = one ]
  [ "$(user is-active ipcbox-echo.service)" = active ]
  background load timeout 240 nsenter --target "$inner" --net env PATH="$PATH" bash -c '
    for n in {1..400}; do
      [ "$(echo $n | tcpclient -q 127.0.0.1 7)" = $n ] || echo "lost $n"
      echo $n
    done'
  local n first second
  for n in 50 150 250; do
    until_line load.out "^$n$"
    first=$(user show -p MainPID --value ipcbox-echo.service)
    user restart ipcbox-echo.service
    second=$(user show -p MainPID --value ipcbox-echo.service)
    [ "$first" != "$second" ]
  done
  ends_with 0 "$load"
  run ! grep lost load.out
  [ "$(tail -n 1 load.out)" = 400 ]
}

# child_of PID: the one that it has, not a copy of itself on its way to it
child_of() {
  local child=
  read -r child <"/proc/$1/task/$1/children" || [ -n "$child" ] || return
  [ "$(readlink "/proc/$child/exe")" != "$IPCBOX" ] && echo "${child% }"
} 2>/dev/null

# main_pid UNIT: as this namespace has it
main_pid() {
  local pid theirs
  theirs=$(user show -p MainPID --value "$1")
  for pid in $(pgrep -x daemonize); do
    [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$inner/ns/pid")" ] || continue
    ! grep -q "^NSpid:.*[[:space:]]$theirs\$" "/proc/$pid/status" || echo "$pid"
  done 2>/dev/null | grep .
}

@test "Type=notify: started when the program is ready; one that is killed is started again, and the unit stays" {
  manager_up
  unit ipcbox-notify@.service
  user daemon-reload
  user start ipcbox-notify@a
  [ "$(user is-active ipcbox-notify@a)" = active ]
  local monitor first
  monitor=$(main_pid ipcbox-notify@a)
  until_true child_of "$monitor" >/dev/null
  first=$(child_of "$monitor")
  kill -KILL "$first"
  until_true eval 'new=$(child_of "$monitor") && [ "$new" != "$first" ]'
  [ "$(main_pid ipcbox-notify@a)" = "$monitor" ]
  user reload ipcbox-notify@a
  until_true ended "$new"
  until_true child_of "$monitor" >/dev/null
  user stop ipcbox-notify@a
  [ "$(user show -p Result --value ipcbox-notify@a)" = success ]
}

@test "Type=forking: the monitor is the main process, by its pidfile; when it is killed, so is the program, and the unit fails" {
  manager_up
  unit ipcbox-forking@.service
  user daemon-reload
  user start ipcbox-forking@a
  local monitor program
  monitor=$(main_pid ipcbox-forking@a)
  program=$(child_of "$monitor")
  managed daemonize --status -P /run/user/0/ipcbox/a/monitor.pid
  user stop ipcbox-forking@a
  [ "$(user show -p Result --value ipcbox-forking@a)" = success ]
  ended "$program"
  user start ipcbox-forking@a
  monitor=$(main_pid ipcbox-forking@a)
  program=$(child_of "$monitor")
  kill -KILL "$monitor"
  until_true ended "$program"
  until_true eval '[ "$(user is-active ipcbox-forking@a || :)" = failed ]'
  [ "$(user show -p Result --value ipcbox-forking@a)" = signal ]
  user start ipcbox-forking@a
  user stop ipcbox-forking@a
}
