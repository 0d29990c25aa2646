# A systemd of the test's own: a user's manager, in namespaces and a control group of its own. It is not the system's, whose first
# steps are about the whole machine.

need_manager() {
  [ "$(id -u)" -eq 0 ] || skip "needs root, for a control group"
  need systemctl systemd
  manager=/lib/systemd/systemd
  [ -x "$manager" ] || manager=/usr/lib/systemd/systemd
  [ -x "$manager" ] || skip "needs systemd"
}

# control_groups: those of this process that can have others below them, a directory each.
control_groups() {
  local controllers path root
  while IFS=: read -r _ controllers path; do
    case $controllers in
    name=*) root=/sys/fs/cgroup/${controllers#name=} ;;
    '') root=/sys/fs/cgroup/unified && [ -d "$root" ] || root=/sys/fs/cgroup ;;
    *) root=/sys/fs/cgroup/$controllers ;;
    esac
    [ ! -w "$root$path/cgroup.procs" ] || echo "${root}${path%/}/ipcbox-$$-$BATS_TEST_NUMBER"
  done </proc/self/cgroup
}

# manager_up: the units are files in $units; `managed COMMAND...` runs it beside the manager.
manager_up() {
  units=$PWD/home/.config/systemd/user
  mapfile -t groups < <(control_groups)
  mkdir -p "$units"
  [ "${#groups[@]}" -gt 0 ] || skip "needs control groups"
  mkdir -p "${groups[@]}" 2>/dev/null || skip "needs a control group of its own"
  # its first sight is of /run/systemd/system, which says that systemd is in charge
  cat >manager.sh <<'SCRIPT'
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/user/0 && lo-up || exit
# a child, as a process 1 would be the system's
env -i PATH="$PATH" HOME="$PWD/home" XDG_RUNTIME_DIR=/run/user/0 "$1" --user --log-target=console
exit
SCRIPT
  cat >group.sh <<'SCRIPT'
manager=$1
shift
for group; do echo $$ >"$group/cgroup.procs" || :; done 2>/dev/null # a cpuset may be empty
exec unshare --mount --net --pid --fork --kill-child --mount-proc sh manager.sh "$manager"
SCRIPT
  background systemd sh group.sh "$manager" "${groups[@]}"
  until_true is_managing
  kill -0 "$systemd" || skip "systemd does not start here: $(tail -n 1 systemd.err)"
}

# is_managing: it answers, or has ended
is_managing() {
  kill -0 "$systemd" 2>/dev/null || return 0
  inner=$(pgrep -P "$systemd") && managed systemctl --user is-system-running 2>/dev/null | grep -q running
}

managed() {
  timeout --foreground 60 nsenter --target "$inner" --mount --net --pid env PATH="$PATH" XDG_RUNTIME_DIR=/run/user/0 "$@"
}

manager_down() {
  local group
  [ -z "${systemd:-}" ] || {
    kill -KILL "$systemd" 2>/dev/null || :
    until_true ended "$systemd"
  }
  for group in "${groups[@]}"; do
    [ ! -d "$group" ] || until_true remove_group "$group"
  done
}

# remove_group DIRECTORY: and those below it; its processes may still be ending
remove_group() {
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$1" ]
}
