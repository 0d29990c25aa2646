# webget: what a URL may say, what the request says of it, and where a redirect leads.

load helper/launch
load helper/http

setup() {
  launch_setup
}

teardown() {
  launch_teardown
}

ok='printf "HTTP/1.0 200 OK\r\n\r\n%s\n" "$what"'

# ---- URLs ----

@test "an empty port is the default one" {
  http "$ok"
  for url in http://127.0.0.1: http://127.0.0.1:/ 'http://127.0.0.1:?q' 'http://127.0.0.1:#x'; do
    run -0 timeout --foreground 60 webget -p "$server_at" "$url"
  done
  [ "$(grep -c "^Host: 127.0.0.1:$server_at"$'\r$' server.err)" -eq 4 ]
  wrong_call webget http://:/
}

@test "HOST may have brackets, and a zone begins with % or %25" {
  need_ipv6
  http "$ok" ::1
  run -0 timeout --foreground 60 webget -b -p "$server_at" '[::1]' /x
  [ "$output" = x ]
  grep -q "^Host: \[::1\]:$server_at"$'\r$' server.err
  for url in 'http://[fe80::1%25no-such-if]/' 'http://[fe80::1%no-such-if]/'; do
    run --separate-stderr timeout --foreground 60 webget "$url"
    [ "$status" -eq 111 ]
    [[ $stderr == "webget: connect to fe80::1%no-such-if port 80"* ]]
  done
}

@test "zones of real interfaces, which are no part of Host, are kept by redirects" {
  need_root
  need ip iproute2
  need_ipv6
  unshare --net ip link add v0 type veth peer name v1 2>/dev/null || skip "needs a network of its own, with veth(4)"
  ask() {
    lo-up
    ip link add v0 type veth peer name v1
    for i in 0 1; do
      ip link set v$i addrgenmode none
      ip link set v$i up
    done
    ip address add fe80::1/64 dev v0 nodad
    # a link-local address of our own end is reached by its own interface
    mkfifo ready
    tcpserver -1 0 0 sh -c 'read -r get what rest; while read -r line && [ "${#line}" -gt 1 ]; do case $line in Host:*) host=$line ;; esac; done
      case $what in
      /from) printf "HTTP/1.0 302 x\r\nLocation: to\r\n\r\n" ;;
      *) printf "HTTP/1.0 200 OK\r\n\r\n%s %s\n" "$what" "$host" ;;
      esac' >ready &
    read -r port <ready
    for url in "http://[fe80::1%25v0]:$port/a" "http://[fe80::1%v0]:$port/from"; do
      timeout --foreground 60 webget -L -b "$url" | tr -d '\r' | sed "s/$port/PORT/"
    done
    kill %1
  }
  export -f ask
  run -0 unshare --net bash -euc ask
  [ "$output" = '/a Host: [fe80::1]:PORT
/to Host: [fe80::1]:PORT' ]
}

@test "user:password@ is sent as curl sends it, for each document its own" {
  need curl curl
  http "$ok"
  local user at=127.0.0.1:$server_at
  for user in u:p u 'u:' ':p' 'a:b:c' 'us%65r:p%40ss%2Fw%25' 'u:%C3%A9' 'u:pp' 'u:ppp' 'u:pppp' 'u:50%' "u:p'()*~!"; do
    : >server.err
    run -0 timeout --foreground 60 webget "http://$user@$at/"
    run -0 curl -s --http1.0 "http://$user@$at/"
    [ "$(grep -ac '^Authorization: Basic ' server.err)" -eq 2 ]
    [ "$(grep -a '^Authorization: ' server.err | sort -u | wc -l)" -eq 1 ]
  done
  : >server.err
  run -0 timeout --foreground 60 webget "http://a:b@$at/" "http://$at/"
  [ "$(grep -ac '^Authorization: ' server.err)" -eq 1 ]
  grep -aqx $'Host: '"$at"$'\r' server.err
}

@test "a password is in no message" {
  http 'printf "HTTP/1.0 404 No\r\nLocation: http://u:secret@x/\r\n\r\n"'
  local url at=127.0.0.1:$server_at port
  port=$(free_port)
  for url in "http://u:secret@$at/" "http://u:secret@127.0.0.1:$port/" http://u:secret@no.such.host.invalid/ \
    http://u:secret@x:0/ 'http://u:secret@x/a b' 'http://u:sec/ret@x/' 'http://u:secret@[::1/' https://u:secret@x/ \
    ftp://u:secret@x/ http://u:secret@ 'http://u:secret%01@x/' "http://u:secret$(printf 'x%.0s' {1..600})@x/"; do
    run timeout --foreground 60 webget -f -t 20 "$url"
    [[ $status == 1 || $status == 100 || $status == 111 || $status == 124 ]]
    [[ $output == "webget: "* && $output != *sec* && $output != *ret* ]]
    run timeout --foreground 60 webget 127.0.0.1 /x "$url"
    [ "$status" -eq 100 ]
    [[ $output != *sec* && $output != *ret* ]]
  done
  run -100 webget u:secret@x
  [[ $output != *secret* ]]
  run -100 webget u:secret@x /
  [[ $output != *secret* ]]
  finish "$server"
  http 'printf "HTTP/1.0 302 x\r\nLocation: https://u:secret@x/\r\n\r\n"'
  get -L /
  [[ $status == 111 && $stderr != *secret* ]]
}

@test "the user's own headers replace ours, whatever their case" {
  http "$ok"
  get -H 'user-agent: mine/1' -H 'CONNECTION: Close' -H 'host: here' -H 'Authorization: Bearer x' /
  [ "$status" -eq 0 ]
  run -0 timeout --foreground 60 webget -H 'Authorization: Bearer x' "http://u:p@127.0.0.1:$server_at/"
  for header in 'user-agent: mine/1' 'CONNECTION: Close' 'host: here'; do
    [ "$(head -n 5 server.err | grep -ci "^${header%%:*}:")" -eq 1 ]
    grep -qx "$header"$'\r' server.err
  done
  [ "$(grep -c '^Authorization: Bearer x' server.err)" -eq 2 ]
  [ "$(grep -ci '^Authorization:' server.err)" -eq 2 ]
}

@test "zeros before the numbers of the version are ignored" {
  answers
  for version in 01.00 1.01 0001.0 1.10; do
    says "HTTP/$version 200 OK\\r\\n\\r\\nbody"
    get -b /
    [ "$status" -eq 0 ]
    [ "$output" = body ]
  done
}

@test "https is an error that names the ways" {
  wrong_call webget https://example.com/
  [[ ${stderr_lines[0]} == *"https needs another program for TLS"*openssl*socat*stunnel*"ipcbox(7)"*docs/tls.md ]]
}

# ---- redirects ----

@test "a redirect is printed without -L, and a failure with -f" {
  answers
  for status_line in 301 302 303 307 308; do
    says "HTTP/1.1 $status_line Moved\\r\\nLocation: /there\\r\\n\\r\\nmoved"
    get -b /
    [ "$status" -eq 0 ]
    [ "$output" = moved ]
    get -f /
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: $status_line Moved" ]
    get -f -L0 /
    [ "$status" -eq 1 ]
  done
  for status_line in 300 304 305; do
    says "HTTP/1.1 $status_line x\\r\\nLocation: /there\\r\\n\\r\\n"
    get -bfL /
    [ "$status" -eq 0 ]
  done
  says 'HTTP/1.1 301 Moved\r\n\r\nno Location'
  get -bL /
  [ "$output" = 'no Location' ]
  get -bLf /
  [ "$status" -eq 100 ]
  get -bfL /
  [ "$status" -eq 1 ]
}

@test "-L follows a Location of any form to where curl does" {
  need curl curl
  http 'case $asked in
    *" /end"*|*from=*) printf "HTTP/1.0 200 OK\r\n\r\n%s\n" "$what" ;;
    *) printf "HTTP/1.0 302 x\r\nLocation: %s\r\n\r\n" "$(cat location)" ;;
    esac'
  local location at=127.0.0.1:$server_at
  for location in "http://$at/end" "HTTP://$at/end?x=1" "//$at/end" "/end/a/../b/./c?from=/../x" 'x?from=1' './x?from=1' '../x?from=1' \
    '../../../x/?from=1' '?from=2' '..?from=3' '.?from=3' "http://$at?from=4" '/end#fragment' 'x?from=http://y/'; do
    echo "$location" >location
    run -0 timeout --foreground 60 webget -b -L "http://$at/a/b/c?d=/e"
    [ "$output" = "$(curl -sL "http://$at/a/b/c?d=/e")" ]
    [[ $output == *end* || $output == *from=* ]]
    run -0 timeout --foreground 60 webget -b -L -p "$server_at" 127.0.0.1 '/a/b/c?d=/e'
    [[ $output == *end* || $output == *from=* ]]
  done
}

@test "-L: a Location that is a fragment alone is the same document, with its query" {
  http 'n=$(cat n); echo $((n + 1)) >n; [ "$n" = 0 ] && printf "HTTP/1.0 302 x\r\nLocation: #top\r\n\r\n" || printf "HTTP/1.0 200 OK\r\n\r\n%s" "$what"'
  for path in a/b/c?d=/e a/../b/ '?x'; do
    echo 0 >n
    get -b -L "/$path"
    [ "$status" -eq 0 ]
    [ "$output" = "$path" ]
  done
}

@test "-L: a Location at the end of the longest head" {
  http 'printf "HTTP/1.0 302 x\r\nX: "; head -c 65465 /dev/zero | tr "\0" x; printf "\r\nLocation: from%032d\r\n\r\n" 0' # 65536 bytes
  get -bL1 /
  [ "$status" -eq 111 ]
  [[ $stderr == *"/from"*": too many redirects" ]]
}

@test "what is wrong with a URL is said of all of it but its credentials" {
  run -100 webget 'http://h/a@b c'
  [[ $output == "webget: 'http://h/a@b c': "* ]]
  run -100 webget 'http://u:p@h:1/a@b c'
  [[ $output == "webget: 'h:1/a@b c': "* ]]
  run -100 webget h '/a@b c'
  [[ $output == "webget: document '/a@b c': "* ]]
}

@test "-LN follows at most N redirects" {
  http 'n=${what##*/}; [ "${n:-0}" -gt 0 ] || { printf "HTTP/1.0 200 OK\r\n\r\nthere\n"; exit; }
    printf "HTTP/1.0 302 x\r\nLocation: /%s\r\n\r\n" $((n - 1))'
  for words in '-L 10' '-L3 3' '--location=1 1' '--location 0'; do
    get -b "${words% *}" "/${words#* }"
    [ "$status" -eq 0 ]
    [ "$output" = there ]
  done
  for words in '-L 11' '-L3 4' '--location=1 2'; do
    get -b "${words% *}" "/${words#* }"
    [ "$status" -eq 111 ]
    [[ $stderr == "webget: get http://127.0.0.1:$server_at/"*": too many redirects" ]]
  done
  for word in -Lx -L-1 -L1001 --location=x; do
    wrong_call webget "$word" host /
  done
}

@test "a redirect to another scheme, or to no URL, is an error" {
  answers
  for location in https://x/ ftp://x/ file:///etc/passwd javascript:x http:/x http:// http://x:0/ '/a b' 'http://x/\0001'; do
    says "HTTP/1.1 302 x\\r\\nLocation: $location\\r\\n\\r\\n"
    get -L /
    [ "$status" -eq 111 ]
    [ -z "$output" ]
    [[ $stderr == "webget: get http://127.0.0.1:$server_at/: redirect to "*": "* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
  [ "$(requests)" -eq 9 ]
}

@test "Authorization, Cookie, Host and credentials are for the first host and port alone" {
  peer other 127.0.0.1 accept head sh "$ok" close again
  http 'case $what in
    same) printf "HTTP/1.0 302 x\r\nLocation: /end\r\n\r\n" ;;
    back) printf "HTTP/1.0 302 x\r\nLocation: http://127.0.0.1:'"$other_at"'/\r\n\r\n" ;;
    name) printf "HTTP/1.0 302 x\r\nLocation: http://localhost:%s/end\r\n\r\n" "$(cat port)" ;;
    *) printf "HTTP/1.0 200 OK\r\n\r\n" ;;
    esac'
  echo "$server_at" >port
  local private='^(Authorization|Cookie|Host: mine)'
  local words=(-L -H 'Cookie: c' -H 'Host: mine' -H 'X-Other: x')
  run -0 timeout --foreground 60 webget "${words[@]}" "http://u:p@127.0.0.1:$server_at/same"
  [ "$(grep -cE "$private" server.err)" -eq 6 ]
  run -0 timeout --foreground 60 webget "${words[@]}" "http://u:p@127.0.0.1:$server_at/back"
  run -0 timeout --foreground 60 webget "${words[@]}" -H 'authorization: x' "http://127.0.0.1:$server_at/back"
  [ "$(grep -ciE "$private" other.err)" -eq 0 ]
  [ "$(grep -c "^Host: 127.0.0.1:$other_at" other.err)" -eq 2 ]
  [ "$(grep -c '^X-Other: x' other.err)" -eq 2 ]
  [ "$(grep -cE '^(User-Agent|Connection): ' other.err)" -eq 4 ]
  run -0 timeout --foreground 60 webget "${words[@]}" "http://u:p@127.0.0.1:$server_at/name"
  [ "$(grep -cE "$private" server.err)" -eq 14 ]
  [ "$(grep -c "^Host: localhost:$server_at" server.err)" -eq 1 ]
}

@test "--confine: a redirect is followed on the same host and port only" {
  run tcpclient --confine 127.0.0.1 1
  [[ $output != *"--confine needs"* ]] || skip "$output"
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "sanitizers need what --confine forbids"
  http 'case $what in
    same) printf "HTTP/1.0 302 x\r\nLocation: /end\r\n\r\n" ;;
    other) printf "HTTP/1.0 302 x\r\nLocation: http://127.0.0.1:1/\r\n\r\n" ;;
    *) printf "HTTP/1.0 200 OK\r\n\r\n%s" "$what" ;;
    esac'
  get --confine -bL /same
  [ "$status" -eq 0 ]
  [ "$output" = end ]
  get --confine -bL /other
  [ "$status" -eq 111 ]
  [[ $stderr == *": redirect to http://127.0.0.1:1/: --confine allows no other host or port" ]]
}
