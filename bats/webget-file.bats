# webget -o: a file that is there whole, or as it was.

load helper/launch
load helper/http

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

good='printf "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nnew\n"'
half='printf "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"'

# save FILE [WORD...]: the server's document into that file
save() {
  run --separate-stderr timeout --foreground 60 webget -o "$1" "${@:2}" "http://127.0.0.1:$server_at/x"
}

# only NAME...: nothing else is in the directory d
only() {
  [ "$(find d -mindepth 1 -printf '%P\n' | sort)" = "$(printf '%s\n' "$@")" ]
}

@test "the body is written, and nothing printed; a new file has the umask's mode" {
  http "$good"
  mkdir d
  umask 027
  save d/f
  [ "$status" -eq 0 ]
  [ -z "$output$stderr" ]
  [ "$(cat d/f)" = new ]
  [ "$(stat -c %a d/f)" = 640 ]
  only f
  save d/f -b --progress
  [ "$status" -eq 0 ]
  [[ $stderr == "webget: sent 0 received 4 bytes in "* ]]
  only f
}

@test "whatever fails, the file stays as it was, and no other appears" {
  http 'case $(cat mode) in
    half) '"$half"' ;; reset) '"$half"'; exit 99 ;; no) printf "HTTP/1.0 404 No\r\n\r\nnothing" ;;
    bad) echo what ;; hang) '"$half"'; cat >/dev/null ;;
    chunk) printf "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf" ;; esac'
  mkdir d
  for mode in half reset no bad hang chunk; do
    echo "$mode" >mode
    save d/f -f -t 0.5
    [[ $status == 111 || $status == 1 || $status == 124 ]]
    only
    echo old >d/f
    save d/f -f -t 0.5
    [ "$status" -ne 0 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "$(cat d/f)" = old ]
    only f
    rm d/f
  done
}

@test "a shorter document replaces a longer one, with its mode; a hard link keeps the old one" {
  http "$good"
  mkdir d
  random_bytes 5000 >d/f
  ln d/f d/g
  for mode in 600 664 755 400; do
    chmod "$mode" d/f
    [ "$mode" != 400 ] || [ "$(id -u)" -eq 0 ] || continue
    save d/f
    [ "$status" -eq 0 ]
    [ "$(cat d/f)" = new ]
    [ "$(stat -c %a d/f)" = "$mode" ]
  done
  [ "$(stat -c %s d/g)" = 5000 ]
  only f g
}

@test "owner and group of the file are kept by root" {
  need_root
  http "$good"
  mkdir d
  echo old >d/f
  chown 1234:2345 d/f
  chmod 4751 d/f
  save d/f
  [ "$status" -eq 0 ]
  [ "$(stat -c '%u %g %a' d/f)" = '1234 2345 751' ]
}

@test "a program that runs is replaced" {
  http "$good"
  mkdir d
  cp "$(command -v sleep)" d/f
  background sleeper d/f infinity
  until_true asleep "$sleeper" f
  save d/f
  [ "$status" -eq 0 ]
  [ "$(cat d/f)" = new ]
}

@test "a symbolic link is followed, into its directory" {
  http "$good"
  mkdir -p d e/deep
  echo old >e/f
  ln -s ../e/f d/abs
  ln -s "$PWD/e/f" d/full
  ln -s ../e/deep/new d/dangling
  ln -s full d/twice
  for link in abs full twice; do
    echo old >e/f
    save "d/$link"
    [ "$status" -eq 0 ]
    [ "$(cat e/f)" = new ]
    [ -L "d/$link" ]
  done
  save d/dangling
  [ "$status" -eq 0 ]
  [ "$(cat e/deep/new)" = new ]
  [ "$(find e -type f | sort | tr '\n' ' ')" = 'e/deep/new e/f ' ]
  only abs dangling full twice
  (cd d && save twice && [ "$status" -eq 0 ])
  ln -s loop d/loop
  save d/loop
  [ "$status" -eq 111 ]
  ln -s nowhere/f d/lost
  save d/lost
  [ "$status" -eq 111 ]
}

@test "another user's link or file in a directory that all may write to is not used" {
  need_root
  http "$good"
  mkdir -m 1777 d
  mkdir e
  echo old >e/f
  ln -s ../e/f d/link
  chown -h 1234 d/link
  echo old >d/f
  chown 1234 d/f
  for name in link f; do
    save "d/$name"
    [ "$status" -eq 111 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
  [ "$(cat d/f e/f)" = $'old\nold' ]
  only f link
}

@test "a device, a FIFO and /dev/stdout are written to directly" {
  http "$good"
  save /dev/null
  [ "$status" -eq 0 ]
  [ -c /dev/null ]
  save /dev/full
  [ "$status" -eq 111 ]
  [ "$stderr" = 'webget: write /dev/full: No space left on device' ]
  mkfifo fifo
  background reader cat fifo
  save fifo
  [ "$status" -eq 0 ]
  ends_with 0 "$reader"
  [ "$(cat reader.out)" = new ]
  [ -p fifo ]
  save /dev/stdout
  [ "$output" = new ]
  timeout --foreground 60 webget -o /dev/stdout "http://127.0.0.1:$server_at/x" >out
  [ "$(cat out)" = new ]
}

@test "a FIFO without a reader is waited for, as long as -t says, and may come late" {
  http "$good"
  mkfifo fifo
  save fifo -t 0.3
  [ "$status" -eq 124 ]
  [ "$stderr" = 'webget: open fifo: the deadline passed' ]
  background client webget -o fifo "http://127.0.0.1:$server_at/x"
  until_true asleep "$client" webget
  [ "$(timeout --foreground 60 cat fifo)" = new ]
  ends_with 0 "$client"
}

@test "another user's FIFO in a directory that all may write to is refused at once" {
  need_root
  http "$good"
  mkdir -m 1777 d
  mkfifo d/fifo
  chown 1234 d/fifo
  save d/fifo
  [ "$status" -eq 111 ]
  [[ $stderr == *"another user"* ]]
}

@test "/dev/stdout and its like are the descriptor itself, with its offset and flags" {
  need python3 python3
  http "$good"
  local name url=http://127.0.0.1:$server_at/x
  ln -s /dev/stdout link
  for name in /dev/stdout /dev/fd/1 /proc/self/fd/1 link; do
    { echo longer than the body; timeout --foreground 60 webget -o "$name" "$url"; echo end; } >out
    [ "$(cat out)" = $'longer than the body\nnew\nend' ]
    timeout --foreground 60 webget -o "$name" "$url" >>out
    [ "$(cat out)" = $'longer than the body\nnew\nend\nnew' ]
  done
  { echo longer than the body >&2; timeout --foreground 60 webget -o /dev/stderr "$url"; } 2>out
  [ "$(cat out)" = $'longer than the body\nnew' ]
  { echo longer than the body >&7; timeout --foreground 60 webget -o /dev/fd/7 "$url"; } 7>out
  [ "$(cat out)" = $'longer than the body\nnew' ]
  run -0 timeout --foreground 60 python3 -c 'import socket, subprocess, sys
a, b = socket.socketpair()
status = subprocess.call(["webget", "-o", "/dev/stdout", sys.argv[1]], stdout=b)
b.close()
print(status, a.recv(9))' "$url"
  [ "$output" = "0 b'new\\n'" ]
  : >server.err
  run -111 webget -o /dev/fd/77 "$url"
  [ "$output" = 'webget: open /dev/fd/77: Bad file descriptor' ]
  run -111 webget -o /dev/fd/7 "$url" 7</dev/null
  run -111 bash -c 'exec webget -o /dev/stdout "$0" >&-' "$url"
  run ! grep -q GET server.err
}

@test "what can't be written is an error before any request" {
  http "$good"
  mkdir d
  save d
  [ "$status" -eq 111 ]
  [ "$stderr" = 'webget: open d: Is a directory' ]
  save nothing/f
  [ "$status" -eq 111 ]
  [ "$stderr" = 'webget: nothing: No such file or directory' ]
  if [ "$(id -u)" -ne 0 ]; then
    echo old >d/f
    chmod 444 d/f
    save d/f
    [ "$status" -eq 111 ]
    chmod 555 d
    save d/g
    [ "$status" -eq 111 ]
    chmod 755 d
  fi
  run ! grep -q GET server.err
}

@test "a document that has not been modified leaves the file alone: 1" {
  http 'printf "HTTP/1.0 304 Not Modified\r\n\r\n"'
  echo old >f
  save f -H 'If-None-Match: "x"'
  [ "$status" -eq 1 ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/x: 304 Not Modified" ]
  [ "$(cat f)" = old ]
}

@test "without -f, the document of an error replaces the file, as curl has it" {
  need curl curl
  http 'printf "HTTP/1.0 404 No\r\n\r\nnothing"'
  echo old >f
  save f
  [ "$status" -eq 0 ]
  run -0 curl -s -o g "http://127.0.0.1:$server_at/x"
  cmp f g
}

@test "one document only, and one file with a name" {
  local name
  for name in '' new/ / ./; do
    wrong_call webget -o "$name" host /a
    [ "${stderr_lines[0]}" = "webget: option -o (--output) '$name': expected the name of a file" ]
  done
  wrong_call webget -o f -o g host /a
  wrong_call webget -o f host /a /b
  wrong_call webget -o f http://host/a http://host/b
  [ ! -e f ]
}

@test "a full disk: the file stays as it was" {
  need_root
  unshare --mount mount -t tmpfs none /mnt 2>/dev/null || skip "needs a mount namespace of its own"
  http 'printf "HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n"; head -c 1000000 /dev/zero'
  run -111 unshare --mount sh -c 'mount -t tmpfs -o size=64k none /mnt; echo old >/mnt/f
    timeout --foreground 60 webget -o /mnt/f "$0"; status=$?; ls -A /mnt; cat /mnt/f; exit $status' "http://127.0.0.1:$server_at/"
  [ "$output" = 'webget: write /mnt/f: No space left on device
f
old' ]
}

@test "the file is on disk before it has its name, and its directory afterwards" {
  need strace strace
  http "$good"
  mkdir d
  for old in '' old; do
    [ -z "$old" ] || echo old >d/f
    run -0 timeout --foreground 60 strace -f -qq -o log -e trace=fsync,linkat,renameat,renameat2,rename webget -o d/f "http://127.0.0.1:$server_at/"
    grep -oE '(fsync|linkat|rename[a-z0-9]*)\(' log | tr -d '(\n' >order
    [[ $(cat order) == fsynclinkatfsync || $(cat order) == fsynclinkatrename*fsync ]]
  done
  [[ $(cat order) == *rename* ]]
}

@test "killed at any moment, by any signal, nothing is left behind" {
  http "$half"'; cat >/dev/null'
  mkdir d
  for signal in KILL TERM INT HUP; do
    echo old >d/f
    background client webget -o d/f "http://127.0.0.1:$server_at/"
    until_true grep -q GET server.err
    kill -"$signal" "$client"
    status=0
    wait "$client" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$signal"))) ]
    [ "$(cat d/f)" = old ]
    only f
    : >server.err
  done
}

@test "where the file system can't have a file without a name: a temporary one, which goes with us" {
  need strace strace
  mkdir d
  local nth client signal
  without=(strace -f -qq -o log -e trace=openat)
  http "$good"
  echo old >d/f
  "${without[@]}" webget -o d/f "http://127.0.0.1:$server_at/"
  nth=$(grep -n O_TMPFILE log | cut -d: -f1)
  without+=(-e "inject=openat:error=EOPNOTSUPP:when=$nth")
  run -0 timeout --foreground 60 "${without[@]}" webget -o d/f "http://127.0.0.1:$server_at/"
  grep -qE 'O_TMPFILE.*INJECTED' log
  grep -qE '"\.f\.[0-9]+", .*O_EXCL' log
  [ "$(cat d/f)" = new ]
  only f
  finish "$server"
  http "$half"'; cat >/dev/null'
  for signal in TERM INT HUP; do
    echo old >d/f
    background client "${without[@]}" webget -o d/f "http://127.0.0.1:$server_at/"
    until_true grep -q GET server.err
    [ "$(find d -name '.f.*' | wc -l)" -eq 1 ]
    kill -"$signal" "$(tr ' ' '\n' <"/proc/$client/task/$client/children" | head -n 1)"
    wait "$client" || :
    [ "$(cat d/f)" = old ]
    only f
    : >server.err
  done
}

@test "many at once: the file is always that of one of them" {
  http 'printf "HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n"; head -c 100000 /dev/zero | tr "\0" "${what:-x}"'
  mkdir d
  run -0 at-once 10 timeout --foreground 60 webget -o d/f "http://127.0.0.1:$server_at/y"
  [ "$output" = '0 10' ]
  [ "$(tr -d y <d/f | wc -c) $(wc -c <d/f)" = '0 100000' ]
  only f
}

@test "--confine writes a file, too" {
  run tcpclient --confine 127.0.0.1 1
  [[ $output != *"--confine needs"* ]] || skip "$output"
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
  http "$good"
  mkdir d
  for _ in new again; do
    save d/f --confine
    [ "$status" -eq 0 ]
    [ "$(cat d/f)" = new ]
    only f
  done
  finish "$server"
  http "$half"
  save d/f --confine
  [ "$status" -eq 111 ]
  [ "$(cat d/f)" = new ]
}
