# tcpserver's ids: -u, -g and -U, and who it is that looks for the program.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# ids TEXT: of a program's /proc/self/status, as `uids: r e s f`, `gids: ...`, `groups: ...`
ids() {
  awk '/^(Uid|Gid|Groups):/ { $1 = $1; print tolower($0) }' <<<"$1"
}

@test "-u drops uid, gid and groups permanently, for the server and its programs" {
  need_root
  uid=$(id -u nobody) gid=$(id -g nobody)
  wrap grouped setpriv --groups 4,5,6
  start srv grouped -u nobody 127.0.0.1 0 cat /proc/self/status
  run -0 call "$srv_at"
  want="uid: $uid $uid $uid $uid
gid: $gid $gid $gid $gid
groups: $(id -G nobody)"
  [ "$(ids "$output")" = "$want" ]
  [ "$(ids "$(cat "/proc/$srv/status")")" = "$want" ]
}

@test "-u USER:GROUP and -g GROUP choose another group; numbers will do" {
  need_root
  uid=$(id -u nobody) gid=$(getent group daemon | cut -d: -f3)
  for options in '-u nobody:daemon' '-u nobody -g daemon' '-g daemon -u nobody' "-u $uid:$gid" "-u $uid -g $gid"; do
    start srv tcpserver $options 127.0.0.1 0 cat /proc/self/status
    run -0 call "$srv_at"
    [[ $(ids "$output") == "uid: $uid $uid $uid $uid"$'\n'"gid: $gid $gid $gid $gid"$'\n'* ]]
  done
}

@test "-u accepts the id of a user without a name, if the group is given" {
  need_root
  start srv tcpserver -u 54321:12345 127.0.0.1 0 cat /proc/self/status
  run -0 call "$srv_at"
  [ "$(ids "$output")" = $'uid: 54321 54321 54321 54321\ngid: 12345 12345 12345 12345\ngroups: 12345' ]
  run -100 tcpserver -u 54321 127.0.0.1 0 true
}

@test "-g alone drops group and supplementary groups, and leaves the user" {
  need_root
  wrap grouped setpriv --groups 4,5,6
  start srv grouped -g 12345 127.0.0.1 0 cat /proc/self/status
  run -0 call "$srv_at"
  [ "$(ids "$output")" = $'uid: 0 0 0 0\ngid: 12345 12345 12345 12345\ngroups: 12345' ]
}

@test "-U uses the ids in UID and GID" {
  need_root
  wrap given env UID=54321 GID=12345
  start srv given -U 127.0.0.1 0 cat /proc/self/status
  run -0 call "$srv_at"
  [ "$(ids "$output")" = $'uid: 54321 54321 54321 54321\ngid: 12345 12345 12345 12345\ngroups: 12345' ]
}

@test "a port below 1024 is bound before the ids are dropped" {
  need_root
  [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 7 ] || skip "all ports are everybody's here"
  start srv tcpserver -u nobody 127.82.67.2 7 cat /proc/self/status
  [ "$srv_at" = 7 ]
  run -0 tcpclient 127.82.67.2 7 </dev/null
  [[ $(ids "$output") == "uid: $(id -u nobody) "* ]]
}

@test "-u without permission is an error, before readiness is reported" {
  need_root
  wrap weak setpriv --bounding-set -setuid,-setgid
  run -111 --separate-stderr weak -1 -u nobody 127.0.0.1 0 true
  [ -z "$output" ]
  [ "$stderr" = "tcpserver: change user: Operation not permitted" ]
}

@test "the program is looked up as the user that will run it" {
  need_root
  mkdir -m 700 private
  script private/prog 'echo never'
  run -126 --separate-stderr tcpserver -u nobody 127.0.0.1 0 "$PWD/private/prog"
  [ "$stderr" = "tcpserver: $PWD/private/prog: Permission denied" ]
}

# become OPTIONS IDS: with these options a program's uid, gid and groups are these three.
become() {
  start srv given $1 127.0.0.1 0 cat /proc/self/status
  run -0 call "$srv_at"
  finish "$srv"
  set -- "$1" $2
  echo "$1"
  [ "$(ids "$output")" = "uid: $2 $2 $2 $2
gid: $3 $3 $3 $3
groups: ${*:4}" ]
}

@test "of several -u and -U only the last one counts" {
  need_root
  wrap given setpriv --groups 4,5,6 env UID=54321 GID=12345
  become '-u root -u 54321:12345' '54321 12345 12345'
  become '-u daemon -U' '54321 12345 12345'
  become '-u nobody:daemon -u 54321:12345' '54321 12345 12345'
  local nobody
  nobody="$(id -u nobody) $(id -g nobody) $(id -G nobody)"
  become '-u nobody:daemon -u nobody' "$nobody"
  become '-u 54321:12345 -u nobody' "$nobody"
  become '-U -u nobody' "$nobody"
}

@test "-g counts before -u and after it" {
  need_root
  wrap given setpriv --groups 4,5,6
  # nobody is in no group but its own
  [ "$(id -G nobody)" = "$(id -g nobody)" ] || skip "nobody is in several groups here"
  become '-g 12345 -u nobody' "$(id -u nobody) 12345 12345"
  become '-u nobody -g 12345' "$(id -u nobody) 12345 12345"
  become '-g 12345 -u root -u 54321' '54321 12345 12345'
  become '-u root -u 54321 -g 12345' '54321 12345 12345'
}

@test "with -h, too, a program that the user can't run is an error at startup" {
  need_root
  mkdir -m 700 private
  script private/prog 'echo never'
  run -126 --separate-stderr timeout --foreground 60 tcpserver -h -u nobody 127.0.0.1 0 "$PWD/private/prog"
  [ "$stderr" = "tcpserver: $PWD/private/prog: Permission denied" ]
}
