# The examples of the documentation, taken out of it and run as printed, and the output that it shows compared with theirs.
# What an example is, helper/examples.awk says; the machine that it runs on is helper/world.sh, with helper/standins.sh;
# helper/docs.bash has the list of those that aren't run, and why.

load helper/common
load helper/peers
load helper/docs

setup() {
  common_setup
}

teardown() {
  common_teardown
  nobody_left_behind
}

@test "README.md" {
  examples README.md
}

@test "docs/perlipc.md" {
  examples docs/perlipc.md
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

@test "every page has its test here, and few examples are not run" {
  local page
  for page in "$BATS_TEST_DIRNAME"/../man/*.1; do
    grep -qx "  examples man/${page##*/}" "$BATS_TEST_FILENAME" || {
      echo "no test of the examples of ${page##*/}" >&2
      return 1
    }
  done
  [ "${#not_run[@]}" -le 10 ]
}
