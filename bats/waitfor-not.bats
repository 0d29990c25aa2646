# waitfor: what it could not look at is neither there nor gone, and the reasons that it gives.

load helper/waitfor

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

# unknown REASON WORDS...: neither -t 0 nor a wait takes --not WORDS... to be true. With `as`, a command, in front.
unknown() {
  run -1 timeout --foreground 60 "${as[@]}" waitfor -t 0 --not "${@:2}"
  [[ $output == "waitfor: not $2 "*": $1" ]]
  run -124 timeout --foreground 60 "${as[@]}" waitfor -t 0.2 --not "${@:2}"
  [[ $output == "waitfor: not $2 "*": the deadline passed: $1" ]]
}

@test "--not: no descriptor for a look" {
  need strace strace
  start server tcpserver 127.0.0.1 0 cat
  start unix unixserver sock cat
  local as=(strace -f -qq -o trace -e inject=socket:error=EMFILE)
  unknown "Too many open files" tcp 127.0.0.1 "$server_at"
  unknown "Too many open files" unix sock
  unknown "Too many open files" http "http://127.0.0.1:$server_at/"
  unknown "Too many open files" http --unix sock http://name/
  as=(strace -f -qq -o trace -e inject=pipe2:error=EMFILE)
  unknown "Too many open files" tcp localhost "$server_at"
}

@test "--not: few descriptors, for a name, too" {
  local n host
  getent ahostsv4 localhost >/dev/null || skip "needs localhost in /etc/hosts"
  start server tcpserver 127.0.0.1 0 cat
  for n in 4 5 6 7 8 9; do
    for host in 127.0.0.1 localhost; do
      # it holds, or could not be seen, or not even the program could be loaded
      status=0
      timeout --foreground 60 bash -c 'ulimit -n $1; exec waitfor -t 0 --not tcp $2 $3' '' "$n" "$host" "$server_at" 3>&- ||
        status=$?
      [ "$status" -ne 0 ]
    done
  done
}

@test "--not: no permission to look" {
  need_root
  local nobody=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups)
  "${nobody[@]}" true || skip "needs setpriv"
  start server unixserver -p 600 sock cat
  mkdir -m 700 private
  : >private/file
  chmod 755 .
  local as=("${nobody[@]}" bash -c 'exec -a waitfor /proc/self/fd/9 "${@:2}"' '')
  unknown "Permission denied" unix sock 9<"$IPCBOX"
  unknown "Permission denied" http --unix sock http://name/ 9<"$IPCBOX"
  unknown "Permission denied" file private/file 9<"$IPCBOX"
}

@test "--not: a loop of links tells nothing of a file; a missing directory, and what is none, do" {
  ln -s loop loop
  : >plain
  local as=()
  unknown "Too many levels of symbolic links" file loop
  unknown "Too many levels of symbolic links" unix loop
  waits -t 0 --not file none/file ::: --not file plain/file ::: --not unix none/sock ::: --not unix plain/sock ::: --not unix plain
}

@test "--not: a name server that fails tells nothing, and a name that does not exist is nowhere" {
  need_dns
  # shellcheck disable=SC2016
  run -0 with_dns timeout --foreground 60 bash -c '
    waitfor -t 0 --not tcp broken.test 1
    waitfor -t 0.2 --not tcp broken.test 1
    waitfor -t 0.2 --not tcp half.test 1
    waitfor -t 0 --not tcp nowhere.test 1 ::: --not tcp honest.test 1 && echo gone'
  [ "${lines[0]}" = "waitfor: not tcp broken.test port 1: Temporary failure in name resolution" ]
  [[ ${lines[1]} == "waitfor: not tcp broken.test port 1: the deadline passed: "* ]]
  [[ ${lines[2]} == "waitfor: not tcp half.test port 1: the deadline passed: "* ]]
  [ "${lines[3]}" = gone ]
}

@test "--not: a network that this machine is not in leaves it to the other addresses" {
  need_dns
  printf '127.0.0.1 both\n2001:db8::1 both\n' >hosts
  run -1 with_dns timeout --foreground 60 sh -c 'waitfor -t 0 --not tcp both 1 && waitfor -t 0 --not tcp 2001:db8::1 1'
  [ "$output" = "waitfor: not tcp 2001:db8::1 port 1: Network is unreachable" ]
}

@test "-t 0: a port that does not respond, of a name: the attempt has its time" {
  need_dns
  printf '127.0.0.1 web\n' >hosts
  # shellcheck disable=SC2016
  run -0 with_dns timeout --foreground 60 bash -c '
    mkfifo at full
    exec 5<>at 6<>full
    peer -1 -b 0 127.0.0.1 full wait >&5 2>&6 5>&- 6>&- & server=$!
    read -r port <&5
    read -r _ <&6
    status=0
    waitfor -t 0 --not tcp web "$port" || status=$?
    waitfor -t 0 tcp web "$port" || status+=$?
    kill $server
    echo $status' 3>&-
  [[ $output == "waitfor: tcp web port "*": Connection timed out
01" ]]
}

@test "--not: at the deadline, an open port still holds" {
  start server tcpserver 127.0.0.1 0 cat
  run -124 waits -t 0.3 --not tcp 127.0.0.1 "$server_at"
  [ "$output" = "waitfor: not tcp 127.0.0.1 port $server_at: the deadline passed: it still holds" ]
  start web tcpserver 127.0.0.1 0 printf 'HTTP/1.0 200 OK\r\n\r\n'
  run -124 waits -t 1 --not http "http://127.0.0.1:$web_at/"
  [ "$output" = "waitfor: not http http://127.0.0.1:$web_at/: the deadline passed: it still holds" ]
}

@test "http: credentials are sent, and never shown" {
  start server unixserver sock sh -c 'while read -r line && [ ${#line} -gt 1 ]; do echo "$line" | tr -d "\r" >&2; done
    printf "HTTP/1.0 204 No Content\r\n\r\n"'
  waits -t 50 http --unix sock http://user:s%65cret@name/
  grep -qx 'Authorization: Basic dXNlcjpzZWNyZXQ=' server.err
  run -1 waits -t 0 http http://user:secret@127.0.0.1:1/x
  [ "$output" = "waitfor: http 127.0.0.1:1/x: Connection refused" ]
  run waits http 'http://user:secret@127.0.0.1:x/'
  [[ $status == 100 && $output != *secret* ]]
}

@test "http: an address with a zone" {
  need ip iproute2
  need_root
  unshare --net sh -c 'lo-up && ip address add fe80::1/64 dev lo nodad' 2>/dev/null ||
    skip "needs a network namespace of its own, with IPv6"
  run -1 unshare --net sh -c 'lo-up && ip address add fe80::1/64 dev lo nodad &&
    exec timeout --foreground 60 waitfor -t 0 http "http://[fe80::1%25lo]:1/"'
  [ "$output" = "waitfor: http http://[fe80::1%25lo]:1/: Connection refused" ]
}

@test "--exec that stands before a condition is named as the error" {
  local words
  for words in '--exec true file /' '-t 1 --exec true' 'file --exec true /'; do
    # shellcheck disable=SC2086 # words
    run -100 waits $words
    [ "${lines[0]}" = "waitfor: --exec: expected after all conditions" ]
  done
}
