# daemonize --syslog: PROG's lines as datagrams to /dev/log.

load helper/daemon

setup() {
  daemon_setup
  # a command behind these words has a /dev of its own, in which /dev/log can be made
  with_dev_log=(unshare --user --map-root-user --mount sh -c "mkdir -p dev && touch dev/null &&
    mount --bind /dev/null dev/null && mount --rbind dev /dev && exec \"\$@\"" '')
  "${with_dev_log[@]}" true 2>/dev/null || skip "needs a user namespace and mounts in it"
  mkfifo go
}

teardown() {
  daemon_teardown
}

# in_dev SCRIPT: runs it there; `next` in it waits for a line in the FIFO `go`, `logger` starts one that writes to the
# file of that name, and is $logger, `unlogged` ends it.
in_dev() {
  background service "${with_dev_log[@]}" sh -c '
    next() { until read -r line <go; do :; done; }
    logger() { tell -l /dev/log >"$1" & logger=$!; until [ -S /dev/log ]; do :; done; }
    unlogged() { kill $logger; wait $logger; rm /dev/log; }
    '"$1"
}

@test "lines become messages with PROG's name and pid; empty ones none; the monitor reports under its own name" {
  script talk "echo one; echo two >&2; echo; printf three; exit 3"
  in_dev 'logger lines; daemonize -P monitor --syslog ./talk; next'
  until_line lines 'exited with status'
  echo >go
  ends_with 0 "$service"
  local pid
  pid=$(sed -n 's/.*: \([0-9]*\) exited.*/\1/p' lines)
  [ "$(sed -E 's/>[A-Z][a-z]{2} [ 123][0-9] [0-9:]{8} />T /; s/daemonize\[[0-9]+\]/daemonize[M]/' lines)" = "<30>T talk[$pid]: one
<30>T talk[$pid]: two
<28>T daemonize[M]: $pid exited with status 3; no restart
<30>T talk[$pid]: three" ] || [ "$(grep -c "<30>.* talk\[$pid\]: " lines)" -eq 3 ]
}

@test "--syslog=FACILITY; a line that is too long for a message goes as several" {
  script talk 'printf "%03000d\n" 0; exec sleep 6110s'
  in_dev 'logger lines; daemonize -P monitor --syslog=local3 ./talk; next; daemonize --stop -P monitor'
  until_true lines 4 lines
  echo >go
  ends_with 0 "$service"
  run -0 awk '{print (length($0) <= 1024); sub(/.*: /, ""); n += length($0)} END {print n}' <(grep '<158>' lines)
  [ "$output" = $'1\n1\n1\n1\n3000' ]
}

@test "a logger that comes late or is started again gets all lines" {
  script talk "while read -r line; do echo \"\$line\"; done <>'$here/say'"
  mkfifo say
  in_dev 'daemonize -P monitor --syslog ./talk; next; logger first; next; unlogged; next; logger second; next'
  until_true [ -s monitor ]
  echo early >say
  echo >go
  until_line first ': early$'
  echo now >say
  until_line first ': now$'
  echo >go
  until_true [ ! -e dev/log ]
  echo between >say
  echo >go
  until_line second ': between$'
  echo after >say
  until_line second ': after$'
  echo >go
  ends_with 0 "$service"
}

@test "a logger that does not read: PROG and the monitor never wait, and what is lost is counted" {
  script talk "'$HELPERS/number-lines' 100000; echo >'$here/done'; read -r line <'$here/more'; echo last; exec sleep 6111s"
  mkfifo more
  in_dev 'logger lines; kill -STOP $logger; daemonize -P monitor --syslog ./talk; next; kill -CONT $logger; next; daemonize --stop -P monitor'
  until_true [ -e done ]
  idle "$(cat monitor)"
  echo >go
  until_line lines 'bytes of output were lost$'
  echo >more
  until_line lines ': last$'
  echo >go
  ends_with 0 "$service"
  local lost whole
  lost=$(sed -n 's/.*: daemonize: \([0-9]*\) bytes of output were lost$/\1/p' lines | awk '{n += $1} END {print n}')
  whole=$(seq -f 'line %.0f of 100000' 100000 | wc -c)
  # all that has not come is counted; a line that was cut may have got an end
  run -0 awk -v lost="$lost" -v whole="$whole" '/talk\[[0-9]+\]: / && !/bytes of output were lost$/ && !/: last$/ {
    sub(/^.*talk\[[0-9]+\]: /, ""); n += length($0) + 1} END {d = n + lost - whole; print (d >= 0 && d < 100)}' lines
  [ "$output" = 1 ]
}

@test "a line has the pid of who wrote it, also when it is sent after a restart" {
  script talk "[ ! -e '$here/late' ] || exit 0; for i in {1..600}; do echo \$\$; done
    [ ! -e '$here/once' ] || { echo >'$here/late'; exec sleep 6114s; }; echo >'$here/once'; exit 3"
  in_dev 'daemonize -P monitor --syslog -q --supervise --backoff 1ms:1ms ./talk; next; logger lines; next; daemonize --stop -P monitor'
  until_true [ -e late ]
  echo >go
  until_true lines 1200 lines
  echo >go
  ends_with 0 "$service"
  run -0 awk '/talk/ {match($0, /talk\[[0-9]+\]: /); if (substr($0, RSTART + 5, RLENGTH - 8) != substr($0, RSTART + RLENGTH)) n++}
    END {print n + 0}' lines
  [ "$output" = 0 ]
}

@test "where there is no logger at all, nothing waits, and the stop is not late" {
  script talk "'$HELPERS/number-lines' 100000; echo >'$here/done'; exec sleep 6112s"
  in_dev 'daemonize -P monitor --syslog ./talk; next; daemonize --stop -P monitor'
  until_true [ -e done ]
  idle "$(cat monitor)"
  echo >go
  ends_with 0 "$service"
}

@test "--err-log beside --syslog; --log and an unknown facility are refused" {
  script talk "echo one; echo two >&2; exec sleep 6113s"
  in_dev 'logger lines; daemonize -P monitor --syslog=user --err-log errors ./talk; next; daemonize --stop -P monitor'
  until_line errors '^two$'
  until_line lines ': one$'
  echo >go
  ends_with 0 "$service"
  run ! grep two lines
  refused 100 --syslog --log log true
  [ "${lines[0]}" = "daemonize: --log cannot be combined with --syslog" ]
  local word
  for word in '' kern nobody local8 'local0 '; do
    refused 100 --syslog="$word" true
    [ "${lines[0]}" = "daemonize: option --syslog '$word': expected a facility such as daemon or local0" ]
  done
}
