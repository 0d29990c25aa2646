#!/bin/bash
# world.bash ETC BOX HELPERS EXAMPLE KIND: runs an example as printed, in new namespaces (network, mounts, IPC, pids), of which
# this is process 1: there, ETC is /etc; /usr/local/bin has the applets and stand-ins for programs that examples name; the
# directory is the home of a user, with the files that they name; servers answer where they ask. What the example prints is
# printed. 0: its status is 0, and every process that it left was told to exit, and did; 99: what went wrong is in the
# last line.
set -u
etc=$1 box=$2 helpers=$3 example=$4 kind=$5
text=$(cat "$example")
here=${0%/*}
fail() {
  echo "docs: $*"
  exit 99
}

mount --make-rprivate / 2>/dev/null
{ mount -t proc proc /proc && mount --bind "$etc" /etc; } || fail "cannot make the namespace"
"$helpers/lo-up" || fail "no network"
"$helpers/lo-address" 192.0.2.1/24 198.51.100.1/24 203.0.113.1/24 || fail "no network"
exec 8</usr/local/bin # programs that were there, such as bats, stay
mount -t tmpfs none /usr/local/bin || fail "no mount"
cp "$box" "$helpers/sntp" /usr/local/bin/
cp "$helpers/tell" /usr/local/bin/.tell
/usr/local/bin/ipcbox --install -s /usr/local/bin
cp "$example" /usr/local/bin/.example
mkdir -p /usr/local/bin/.bats/ipcbox
cp "$here/../../contrib/bats/ipcbox.bash" /usr/local/bin/.bats/ipcbox/load.bash
cp "$here/standins.bash" /usr/local/bin/.standins
# the recipes of docs/cookbook.md
case $text in *examples/*) cp -R "$here/../../examples" /usr/local/bin/.examples ;; esac
[ ! -d /proc/self/fd/8/ ] || for file in /proc/self/fd/8/*; do
  name=${file##*/}
  [ -e "/usr/local/bin/$name" ] || [ "$name" != bats ] || ln -s "$(readlink -f "$file")" "/usr/local/bin/$name"
done
exec 8<&-
for dir in /run /srv /var/log /home /tmp; do
  [ ! -d "$dir" ] || mount -t tmpfs -o mode=1777 none "$dir" || fail "no mount"
done
mkdir -p /run/lock /home/you
cd /home/you || fail "no directory"
case $text in *examples/*) cp -R /usr/local/bin/.examples examples ;; esac
export HOME=/home/you PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export BATS_LIB_PATH=/usr/local/bin/.bats
unset IPCBOX NOTIFY_SOCKET LISTEN_FDS LISTEN_PID BATS_ROOT TMPDIR # which may be hidden by /tmp here
# shellcheck source=bats/helper/standins.bash
. /usr/local/bin/.standins

# The pids of all others in this namespace but the stand-ins and ourselves; zombies don't count.
others() {
  local stat pid
  for stat in /proc/[0-9]*/stat; do
    read -r pid _ <"$stat" || continue
    case " 1 $BASHPID ${standins[*]-} " in *" $pid "*) continue ;; esac
    case $(sed 's/.*) //' "$stat" 2>/dev/null) in '' | Z* | X*) continue ;; esac
    echo "$pid"
  done 2>/dev/null
}

# left_soon: whether nobody is left within 5 seconds (it is looked again and again: the event is the exit).
left_soon() {
  local end=$((SECONDS + 5))
  while [ -n "$(others)" ]; do
    ((SECONDS < end)) || return 1
    sleep 0.02 || : # between two looks
  done 2>/dev/null
}

listeners() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { n++ } END { print n + 0 }'
  awk '$4 == "00010000" && $5 == "0001" { n++ } END { print n + 0 }' /proc/net/unix
  find . /run -type p 2>/dev/null | wc -l
}

# A server in the foreground, as the last command: it has to be reached, and ended.
serves() {
  local last
  last=$(printf '%s\n' "$text" | sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' | grep -v '^ *#' | tail -n 1)
  case $last in *' &' | *--explain* | *' -n 1 '* | *:::* | *' | '*) return 1 ;; esac
  case ${last#exec } in
  'tcpserver '* | 'unixserver '* | timeserver* | 'udpserver '* | 'mkfifo-sig '*) ;;
  'socat TCP-LISTEN'* | 'systemd-socket-activate '*) ;;
  *) return 1 ;;
  esac
}

run() {
  case $kind in
  crontab)
    printf '%s\n' "$text" | grep -v '^ *#' | sed -E 's/^([^ ]+ +){5}//' |
      while read -r line; do
        env -i HOME="$HOME" PATH=/usr/bin:/bin SHELL=/bin/sh /bin/sh -c "$line" || exit
      done
    ;;
  dockerfile)
    bash -c "$(printf '%s\n' "$text" | grep -E '^(ENTRYPOINT|CMD)' | tr '\n' ' ' |
      sed -E 's/(ENTRYPOINT|CMD) \[//g; s/\]//g; s/", *"/" "/g')"
    ;;
  unit)
    printf '%s\n' "$text" | sed -n 's/^Exec[A-Z][A-Za-z]*=\([^ ]*\).*/\1/p' | while read -r program; do
      command -v "$program" >/dev/null || { echo "$program: not found" && exit 1; }
    done
    ;;
  bats) bats --tap /usr/local/bin/.example ;;
  *) bash /usr/local/bin/.example start ;; # $1 of an init script
  esac
}

stand_in || fail "a stand-in did not start"
before=$(listeners)
status=0
if serves; then
  run </dev/null 2>&1 &
  server=$!
  while [ "$(listeners)" = "$before" ] && kill -0 $server 2>/dev/null; do sleep 0.02; done
  visit
  for pid in $(others); do
    case $(readlink "/proc/$pid/exe") in */bash) ;; *) kill -TERM "$pid" 2>/dev/null ;; esac
  done
  wait $server || status=$?
  case $text in socat* | systemd-*) [ "$status" -ne 143 ] || status=0 ;; esac # they have no other end
else
  run </dev/null 2>&1 || status=$?
fi
case $kind in
sh | console | bats)
  if printf '%s\n' "$text" | grep -qE 'daemonize|&( *$|;| done| wait)|& *#|unshare|mkfifo-sig'; then
    for pid in $(others); do kill -TERM "$pid" 2>/dev/null; done
  fi
  ;;
esac
[ -z "${named-}" ] || kill -KILL "$named" 2>/dev/null
left_soon || {
  for pid in $(others); do echo "left: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
  fail "a process is left"
}
[ "$status" -eq 0 ] || [ "$kind" = console ] || fail "exit status $status"
