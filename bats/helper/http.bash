# Servers of HTTP for tests of webget: scripts that answer what the test says, and nginx.

# http CODE [IP]: a server for one client after the other, in $server, its port in $server_at. Their requests are in
# server.err; CODE, for sh, writes the response; the first word of the document is in $what.
http() {
  # shellcheck disable=SC2016 # for that shell
  peer server "${2:-127.0.0.1}" accept head sh 'what=${asked#GET /}; what=${what%% *}; '"$1" close again
}

# The part of a bash script that reads a request's head into the file asked.
reading_head() {
  printf %s 'while read -r line && [ "${line%$'"'\r'"'}" ]; do echo "${line%$'"'\r'"'}"; done >asked;'
}

# answers: a server that answers what is in the file answer; says puts it there (with escapes).
answers() {
  http 'cat answer'
}

says() {
  printf %b "$1" >answer
}

# get [WORD...]: the document / of that server, with what was printed in $output, and errors in $stderr
get() {
  run --separate-stderr timeout --foreground 60 webget "${@:1:$# - 1}" "http://127.0.0.1:$server_at${*: -1}"
}

# refused WHY: the answer is an error, said in one line; status 111.
refused() {
  get /
  [ "$status" -eq 111 ]
  [ "$stderr" = "webget: get http://127.0.0.1:$server_at/: $1" ]
}

# in_turn CODE...: a server whose n-th request is answered by the n-th CODE (as of http), further ones by the last.
in_turn() {
  local code n=0
  for code; do
    echo "$code" >turn."$n"
    n=$((n + 1))
  done
  echo 0 >turn
  http 'n=$(cat turn); [ ! -e turn.$((n + 1)) ] || echo $((n + 1)) >turn; . ./turn.$n'
}

# requests: how many there were
requests() {
  grep -c '^GET ' server.err
}

# with_nginx LINE...: nginx, with these lines in its server block, at http://127.0.0.1:$nginx_at/; its files are in www
with_nginx() {
  need nginx nginx
  nginx_at=$(free_port)
  mkdir -p www temp
  {
    echo 'daemon off; master_process off; pid nginx.pid; error_log stderr; events { worker_connections 64; }'
    echo 'http { access_log off; client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;'
    echo "uwsgi_temp_path temp; scgi_temp_path temp; server { listen 127.0.0.1:$nginx_at; root www;"
    printf '%s\n' "$@" '} }'
  } >nginx.conf
  background nginx nginx -p "$PWD" -e stderr -c nginx.conf
  tcpclient --retry -T 30 127.0.0.1 "$nginx_at" true
}
