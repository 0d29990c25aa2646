# The examples of the documentation, taken out of it and run as printed, and the output that it shows compared with theirs.
# What an example is, helper/examples.awk says; the machine that it runs on is helper/world.bash, with helper/standins.bash;
# helper/docs.bash has the list of those that aren't run, and why.

load helper/common
load helper/peers
load helper/docs

setup() {
  common_setup
}

teardown() {
  common_teardown
}

@test "README.md" {
  examples README.md
}

@test "README.md: the rows about servers, and their notes, are those of docs/peers.md" {
  local page=$BATS_TEST_DIRNAME/../docs/peers.md letter
  sed -n '/^## Beside socat/,/^## The applets/p' "$BATS_TEST_DIRNAME/../README.md" >section
  grep -E '^(\||\[[a-z]\] )' section >rows
  [ "$(grep -c '^|' rows)" -ge 10 ]
  run ! grep -vxFf "$page" rows
  # every note that a cell has is there
  for letter in $(grep '^|' rows | grep -oE '\[[a-z]\]' | tr -d '[]' | sort -u); do
    grep -q "^\[$letter\] " rows
  done
}

@test "docs/perlipc.md" {
  examples docs/perlipc.md
}

@test "docs/scaling.md" {
  examples docs/scaling.md
}

@test "docs/testing.md" {
  PATH=/usr/local/bin:/usr/bin:/bin need bats bats # a copy of ours is not where its examples find it
  examples docs/testing.md
}

@test "docs/tls.md" {
  examples docs/tls.md
}

@test "alive(1)" {
  examples man/alive.1
}

@test "cmdserver(1)" {
  examples man/cmdserver.1
}

@test "daemonize(1)" {
  examples man/daemonize.1
}

@test "deadline(1)" {
  examples man/deadline.1
}

@test "ipcbox-status(1)" {
  examples man/ipcbox-status.1
}

@test "killpg(1)" {
  examples man/killpg.1
}

@test "lockrun(1)" {
  examples man/lockrun.1
}

@test "mkfifo-sig(1)" {
  examples man/mkfifo-sig.1
}

@test "msgdemo(1)" {
  examples man/msgdemo.1
}

@test "msgrecv(1)" {
  examples man/msgrecv.1
}

@test "msgsend(1)" {
  examples man/msgsend.1
}

@test "open2(1)" {
  examples man/open2.1
}

@test "open3(1)" {
  examples man/open3.1
}

@test "pipecat(1)" {
  examples man/pipecat.1
}

@test "pipedemo(1)" {
  examples man/pipedemo.1
}

@test "reap(1)" {
  examples man/reap.1
}

@test "safepipe(1)" {
  examples man/safepipe.1
}

@test "semgive(1)" {
  examples man/semgive.1
}

@test "semset(1)" {
  examples man/semset.1
}

@test "semtake(1)" {
  examples man/semtake.1
}

@test "shmdemo(1)" {
  examples man/shmdemo.1
}

@test "sigexec(1)" {
  examples man/sigexec.1
}

@test "signame(1)" {
  examples man/signame.1
}

@test "sigtrap(1)" {
  examples man/sigtrap.1
}

@test "sockenv(1)" {
  examples man/sockenv.1
}

@test "tcpclient(1)" {
  examples man/tcpclient.1
}

@test "tcpserver(1)" {
  examples man/tcpserver.1
}

@test "tcptime(1)" {
  examples man/tcptime.1
}

@test "timeserver(1)" {
  examples man/timeserver.1
}

@test "udpclient(1)" {
  examples man/udpclient.1
}

@test "udpserver(1)" {
  examples man/udpserver.1
}

@test "udptime(1)" {
  examples man/udptime.1
}

@test "unixclient(1)" {
  examples man/unixclient.1
}

@test "unixserver(1)" {
  examples man/unixserver.1
}

@test "waitfor(1)" {
  examples man/waitfor.1
}

@test "webget(1)" {
  examples man/webget.1
}

@test "withserver(1)" {
  examples man/withserver.1
}

@test "ipcbox(1)" {
  examples man/ipcbox.1
}

# demo [ARG...]: in a directory of its own for temporary files, of which nothing is left.
demo() {
  mkdir tmp
  TMPDIR=$PWD/tmp run -0 sh "$BATS_TEST_DIRNAME/../contrib/demo.sh" "$@"
  [ -z "$(ls -A tmp)" ]
}

@test "the demo shows something of each theme, without escape codes, and leaves nothing" {
  local theme
  demo "$IPCBOX"
  for theme in 'Signals and processes' 'Pipes and FIFOs' 'A coprocess' 'A daemon' Sockets Time 'System V IPC'; do
    [[ $output == *"$theme: "* ]]
  done
  [[ $output == *'20 of 20 answers are right'* ]]
  [[ $output != *$'\e'* ]]
}

@test "the demo leaves no System V object and no process" {
  need_world
  # shellcheck disable=SC2016,SC2154 # for that shell
  "${world[@]}" sh -c 'mount -t proc proc /proc; lo-up; sh "$0" "$1" >/dev/null || exit
    cat /proc/sysvipc/* | grep -v key; set -- /proc/[0-9]*; echo $#' \
    "$BATS_TEST_DIRNAME/../contrib/demo.sh" "$IPCBOX" >left
  # that shell is the only one
  [ "$(cat left)" = 1 ]
}

@test "the demo takes ipcbox from PATH, wherever it is installed" {
  mkdir -p share/doc/ipcbox
  cp "$BATS_TEST_DIRNAME/../contrib/demo.sh" share/doc/ipcbox/demo.sh
  :
  run -0 sh share/doc/ipcbox/demo.sh
  [[ $output == *'20 of 20 answers are right'* ]]
  PATH=$PWD/share run -100 /bin/sh share/doc/ipcbox/demo.sh
  [[ $output == *'no ipcbox in PATH'* ]]
}

@test "the demo is in color on a terminal, unless NO_COLOR is set" {
  TERM=xterm run -0 at-terminal -- sh "$BATS_TEST_DIRNAME/../contrib/demo.sh" "$IPCBOX"
  [[ $output == *$'\e[1m'* ]]
  TERM=xterm NO_COLOR=1 run -0 at-terminal -- sh "$BATS_TEST_DIRNAME/../contrib/demo.sh" "$IPCBOX"
  [[ $output == *'20 of 20 answers are right'* ]]
  [[ $output != *$'\e'* ]]
}

@test "every page has its test here, and few examples are not run" {
  local page
  for page in "$BATS_TEST_DIRNAME"/../man/*.1; do
    grep -qx "  examples man/${page##*/}" "$BATS_TEST_FILENAME" || {
      echo "no test of the examples of ${page##*/}" >&2
      return 1
    }
  done
  # shellcheck disable=SC2154 # helper/docs.bash
  [ "${#not_run[@]}" -le 10 ]
}
