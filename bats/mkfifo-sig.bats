# mkfifo-sig: the FIFO (made, found, lost, replaced, removed), PROG and FILE, options.

load helper/mkfifo

setup() {
  mkfifo_setup
}

teardown() {
  server_teardown
}

# ---- the FIFO ----

# bats test_tags=long
@test "a thousand readers, one after the other, get an answer each, all different" {
  start server mkfifo-sig sig sh counter
  [ "$server_at" = sig ]
  # shellcheck disable=SC2016
  timeout --foreground 100 sh -c 'n=0; while [ $n -lt 1000 ]; do n=$((n + 1)); cat sig; done' >got
  seq -f 'answer %g' 1000 | cmp - got
  finish "$server"
  [ "$status" -eq 0 ]
  [ ! -s server.err ]
}

@test "it is made with 0666 less the umask, or just with -m's mode" {
  umask 027
  start server mkfifo-sig sig ./counter
  [ "$(stat -c '%F %a' sig)" = "fifo 640" ]
  start other mkfifo-sig -m 0622 other ./counter
  [ "$(stat -c '%F %a' other)" = "fifo 622" ]
  # PROG's umask is ours
  start umask mkfifo-sig -m 0666 um sh -c umask
  [ "$(ask um)" = 0027 ]
}

@test "-f FILE: the file as it is then, whatever its bytes" {
  random_bytes 300000 >file
  start server mkfifo-sig -f file sig
  ask | cmp - file
  random_bytes 1000 >file
  ask | cmp - file
  printf 'a\0b\n\0' >new
  mv new file
  ask | cmp - file
  : >file
  answers ""
  # gone: said, and the next reader gets what is there then
  rm file
  answers ""
  until_line server.err '^mkfifo-sig: open file: No such file or directory$'
  echo again >file
  answers again
}

@test "-n COUNT: ends after as many answers, and a FIFO that it made goes" {
  start server mkfifo-sig -n 3 sig ./counter
  answers "answer 1"
  answers "answer 2"
  [ -p sig ]
  answers "answer 3"
  ends_with 0 "$server"
  [ ! -e sig ]
}

@test "a FIFO that it found is served in place, its mode unchanged, and left" {
  mkfifo -m 640 sig
  local id
  id=$(stat -c '%F %i %a' sig)
  start server mkfifo-sig -m 0640 -n 1 sig ./counter
  answers "answer 1"
  ends_with 0 "$server"
  [ "$(stat -c '%F %i %a' sig)" = "$id" ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig -m 0600 sig ./counter
  [ "$stderr" = "mkfifo-sig: serve sig: its mode is not that of -m" ]
  start server mkfifo-sig sig ./counter
  answers "answer 2"
  finish "$server"
  [ "$status" -eq 0 ]
  [ -p sig ]
}

@test "removed or renamed away while it waits: there is a new one, which is served" {
  start server mkfifo-sig sig ./counter
  rm sig
  until_true test -p sig
  answers "answer 1"
  mv sig away
  until_true test -p sig
  answers "answer 2"
  [ -p away ]
  finish "$server"
  [ ! -e sig ]
  # no longer ours to remove
  [ -p away ]
}

@test "removed while PROG runs: the reader gets its answer, the next one a new FIFO" {
  mkfifo go
  start server mkfifo-sig sig sh -c './counter; read -r line <go; echo "$line"'
  background one cat sig
  until_true test -s count
  rm sig
  until_true test -p sig
  background two cat sig
  exec 8<>go # held open: the second PROG finds no end of file, but a line
  echo first >&8
  ends_with 0 "$one"
  echo second >&8
  ends_with 0 "$two"
  [ "$(cat one.out)" = $'answer 1\nfirst' ]
  [ "$(cat two.out)" = $'answer 2\nsecond' ]
  finish "$server"
  [ ! -e sig ]
}

@test "renamed away while PROG runs: the reader gets its answer" {
  mkfifo go
  start server mkfifo-sig sig sh -c './counter; read -r line <go; echo "$line"'
  background one cat sig
  until_true test -s count
  mv sig away
  until_true test -p sig
  echo first >go
  ends_with 0 "$one"
  [ "$(cat one.out)" = $'answer 1\nfirst' ]
}

@test "replaced by another FIFO: that is served in place, and left at the end" {
  start server mkfifo-sig sig ./counter
  mkfifo -m 606 new
  mv new sig
  answers "answer 1"
  answers "answer 2"
  finish "$server"
  [ "$status" -eq 0 ]
  [ "$(stat -c '%F %a' sig)" = "fifo 606" ]
}

# refused FIFO: the server in $server, or a new one, finds that this is not a FIFO.
refused() {
  ends_with 111 "$server"
  [ "$(cat server.err)" = "mkfifo-sig: serve $1: it is not a FIFO; it is left alone" ]
}

@test "what is not a FIFO at start is refused, neither followed nor deleted" {
  local what
  mkfifo real
  for what in file link dangling socket; do
    case $what in
    file) echo precious >file ;;
    link) ln -s real link ;;
    dangling) ln -s nowhere dangling ;;
    socket) start listener peer socket wait ;;
    esac
    run -111 --separate-stderr timeout --foreground 60 mkfifo-sig "$what" ./counter
    [ "$stderr" = "mkfifo-sig: serve $what: it is not a FIFO; it is left alone" ]
  done
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig bin ./counter
  [ "$stderr" = "mkfifo-sig: serve bin: it is not a FIFO; it is left alone" ]
  [ "$(cat file)" = precious ]
  [ "$(readlink link)" = real ]
  [ "$(readlink dangling)" = nowhere ]
  [ ! -e nowhere ]
  [ -S socket ]
  [ -d bin ]
  [ ! -s count ]
}

@test "replaced by a file, a link, a directory while it waits: refused and left" {
  mkfifo elsewhere
  start server mkfifo-sig sig ./counter
  echo precious >file
  mv file sig
  refused sig
  [ "$(cat sig)" = precious ]
  rm sig
  start server mkfifo-sig sig ./counter
  ln -s elsewhere link
  mv -T link sig
  refused sig
  [ "$(readlink sig)" = elsewhere ]
  rm sig
  start server mkfifo-sig sig ./counter
  kill -STOP "$server" # lest it make a new FIFO between the two
  rm sig
  mkdir sig
  kill -CONT "$server"
  refused sig
  [ -d sig ]
}

@test "replaced by a file while PROG runs: the reader gets its answer, then it is refused" {
  mkfifo go
  start server mkfifo-sig sig sh -c './counter; read -r line <go; echo "$line"'
  background one cat sig
  until_true test -s count
  echo precious >file
  mv file sig
  echo first >go
  ends_with 0 "$one"
  [ "$(cat one.out)" = $'answer 1\nfirst' ]
  refused sig
  [ "$(cat sig)" = precious ]
}

@test "the directory gone is the end; one that never was, too" {
  mkdir dir
  start server mkfifo-sig dir/sig ./counter
  kill -STOP "$server" # lest it make a new FIFO between the two
  rm -r dir
  kill -CONT "$server"
  ends_with 111 "$server"
  [ "$(cat server.err)" = "mkfifo-sig: serve dir/sig: No such file or directory" ]
  mkdir dir
  start server mkfifo-sig dir/sig ./counter
  mv dir away
  ends_with 111 "$server"
  [ "$(cat server.err)" = "mkfifo-sig: serve dir/sig: No such file or directory" ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig dir/sig ./counter
  [ "$stderr" = "mkfifo-sig: dir: No such file or directory" ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig counter/sig ./counter
  [ "$stderr" = "mkfifo-sig: counter: Not a directory" ]
}

@test "a second server is refused, by every path of the FIFO, and the first goes on" {
  start server mkfifo-sig sig ./counter
  local name
  ln -s . here
  for name in sig ./sig "$PWD/sig" here/sig; do
    run -111 --separate-stderr timeout --foreground 60 mkfifo-sig "$name" echo other
    [ "$stderr" = "mkfifo-sig: serve $name: another mkfifo-sig serves it" ]
  done
  answers "answer 1"
  finish "$server"
  [ ! -e sig ]
}

@test "after SIGKILL the next one serves the FIFO in place" {
  start server mkfifo-sig sig ./counter
  answers "answer 1"
  kill -KILL "$server"
  ends_with 137 "$server"
  [ -p sig ]
  background early cat sig
  start server mkfifo-sig sig ./counter
  ends_with 0 "$early"
  [ "$(cat early.out)" = "answer 2" ]
  answers "answer 3"
  finish "$server"
  [ "$status" -eq 0 ]
}

@test "a name that is not a file's is refused, a long one, too" {
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig dir/ ./counter
  [ "$stderr" = "mkfifo-sig: serve dir/: Is a directory" ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig "" ./counter
  [ "$stderr" = "mkfifo-sig: serve : No such file or directory" ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig "$(printf %300s x)" ./counter
  [[ $stderr == *"x: File name too long" ]]
  run -111 timeout --foreground 60 mkfifo-sig "$(printf %05000d 1)" ./counter
}

@test "names with blanks, a newline, a leading dash" {
  local name
  for name in ' a b ' $'new\nline' -dash 'back\slash*'; do
    # the path's line on stdout is the name as it is
    start server mkfifo-sig --ready-fd 2 -- "$name" echo "$name"
    until_true test -p "./$name"
    [ "$(ask "./$name")" = "$name" ]
    finish "$server"
    [ ! -e "./$name" ]
  done
}

# ---- who may ----

@test "as another user: his own FIFO, and none where he may not" {
  need_root
  need setpriv util-linux
  chmod 755 .
  mkdir -m 755 closed
  mkdir open
  chown nobody open
  script bin/as 'exec setpriv --reuid=nobody --regid=nogroup --clear-groups mkfifo-sig "$@"'
  runuser -u nobody -- test -x "$IPCBOX" || skip "nobody may not run $IPCBOX"
  run -111 --separate-stderr timeout --foreground 60 as closed/sig id -un
  [ "$stderr" = "mkfifo-sig: serve closed/sig: Permission denied" ]
  start server as -m 0644 open/sig id -un
  [ "$(stat -c '%U %a' open/sig)" = "nobody 644" ]
  [ "$(ask open/sig)" = nobody ]
  finish "$server"
  [ "$status" -eq 0 ]
  [ ! -e open/sig ]
  # root's FIFO, which nobody may read but not write
  mkfifo -m 644 closed/sig
  run -111 --separate-stderr timeout --foreground 60 as closed/sig id -un
  [ "$stderr" = "mkfifo-sig: serve closed/sig: Permission denied" ]
}

# ---- usage errors ----

@test "usage errors" {
  wrong_call mkfifo-sig
  wrong_call mkfifo-sig sig
  wrong_call mkfifo-sig -f file
  wrong_call mkfifo-sig -f file sig cat
  local words
  for words in '-n 0' '-n -1' '-n x' '-n' '-m 888' '-m' '-t x' '-t -1' '-d x' '-d -1' '--linger x' '--linger' \
    '--ready-fd x' '--ready-fd 77' '--log-format=xml' '--nonsense' '--coun 3' '-x'; do
    # shellcheck disable=SC2086 # words
    wrong_call mkfifo-sig $words
    # shellcheck disable=SC2086 # words
    [ "${words##* }" = "$words" ] || wrong_call mkfifo-sig $words sig cat
  done
  [ ! -e sig ]
}

@test "PROG missing is found at start, and no FIFO is made" {
  run -127 --separate-stderr timeout --foreground 60 mkfifo-sig sig no-such-program
  [ "$stderr" = "mkfifo-sig: no-such-program: command not found" ]
  [ ! -e sig ]
  : >plain
  run -126 --separate-stderr timeout --foreground 60 mkfifo-sig sig ./plain
  [ "$stderr" = "mkfifo-sig: ./plain: Permission denied" ]
  [ ! -e sig ]
  run -111 --separate-stderr timeout --foreground 60 mkfifo-sig -f missing sig
  [ "$stderr" = "mkfifo-sig: read missing: No such file or directory" ]
  [ ! -e sig ]
}
