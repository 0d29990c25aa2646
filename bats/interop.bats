# Together with perl programs in the manner of perlipc (core modules only): their clients with our servers, our
# clients with their servers.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# What a server of ours runs: the same answers as line-server's.
answer='while read -r line; do echo "you said: $line"; done'

conversation="you said: one
you said: two words
you said: "

# ---- perl clients, our servers ----

@test "a perl TCP client talks with tcpserver" {
  start server tcpserver 127.0.0.1 0 sh -c "$answer"
  run -0 --separate-stderr --keep-empty-lines "$PERL/tcp-client" 127.0.0.1 "$server_at" one "two words" ""
  [ "$output" = "$conversation
" ]
}

@test "a perl Unix client talks with unixserver" {
  start server unixserver sock sh -c "$answer"
  run -0 --separate-stderr --keep-empty-lines "$PERL/unix-client" sock one "two words" ""
  [ "$output" = "$conversation
" ]
}

@test "a perl program runs under both servers: its client on STDIN and STDOUT" {
  # shellcheck disable=SC2016
  local handler=(perl -e '$| = 1; while (<STDIN>) { print "$ENV{PROTO} $$: $_" }')
  start tcp tcpserver 127.0.0.1 0 "${handler[@]}"
  start unix unixserver sock "${handler[@]}"
  run -0 "$PERL/tcp-client" 127.0.0.1 "$tcp_at" hello
  [[ $output =~ ^"TCP "[0-9]+": hello"$ ]]
  run -0 "$PERL/unix-client" sock hello
  [[ $output =~ ^"UNIX "[0-9]+": hello"$ ]]
}

@test "a perl client gets the greeting, with a date that perl understands" {
  start server tcpserver 127.0.0.1 0
  # shellcheck disable=SC2016
  run -0 perl -MIO::Socket::INET -MTime::Piece -e '
    my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die $@;
    local $/ = "\r\n";
    chomp(my $line = <$s>);
    $line =~ /^Hello there, (\S+), it.s now (.+)$/ or die "odd: $line";
    my $off = time - Time::Piece->strptime($2, "%a %b %e %H:%M:%S %Y")->epoch;
    print $off >= 0 && $off < 100 ? "now" : "$off s off", "\n"; print <$s>' "$server_at"
  [ "$output" = now ]
}

@test "50 perl clients at once, every answer compared" {
  start tcp tcpserver -c 50 127.0.0.1 0 sh -c "$answer"
  start unix unixserver -c 50 sock sh -c "$answer"
  run -0 "$PERL/many" 50 "you said: " "$tcp_at"
  [ "$output" = 50 ]
  run -0 "$PERL/many" 50 "you said: " sock
  [ "$output" = 50 ]
  until_true no_children "$tcp"
  until_true no_children "$unix"
}

@test "50 perl clients at once where 3 programs may run: the others wait, none is lost" {
  run -0 --separate-stderr with_server tcpserver -1 -c 3 127.0.0.1 0 cat ::: "$PERL/many" 50 "" '{PORT}'
  [ "$output" = 50 ]
}

# ---- our clients, perl servers ----

@test "tcpclient and unixclient talk with iterative and forking perl servers" {
  local how
  for how in '' -f; do
    # shellcheck disable=SC2086
    start tcp "$PERL/line-server" $how 0
    # shellcheck disable=SC2086
    start unix "$PERL/line-server" $how "sock$how"
    printf 'one\ntwo words\n\n' | tcpclient 127.0.0.1 "$tcp_at" >tcp.answer
    printf 'one\ntwo words\n\n' | unixclient "sock$how" >unix.answer
    echo "$conversation" | cmp - tcp.answer
    echo "$conversation" | cmp - unix.answer
  done
}

@test "a perl program runs under tcpclient: its server on fds 6 and 7" {
  # shellcheck disable=SC2016
  run -0 with_server "$PERL/line-server" 0 ::: tcpclient 127.0.0.1 '{PORT}' perl -MIO::Handle -e '
    open my $from, "<&=", 6 or die; open my $to, ">&=", 7 or die; $to->autoflush(1);
    for my $word (qw(a b c)) { print $to "$word\n"; print scalar <$from> }'
  [ "$output" = "you said: a
you said: b
you said: c" ]
}

# fifty COMMAND...: runs it 50 times at once, each with a line of its own; all answers must be right.
fifty() {
  local n clients=()
  for n in {1..50}; do
    echo "line of $n" | "$@" >"answer.$n" 2>"error.$n" 3>&- &
    clients+=("$!")
    started+=("$!")
  done
  for n in {1..50}; do
    ends_with 0 "${clients[n - 1]}"
    [ "$(cat "answer.$n")" = "you said: line of $n" ]
    [ ! -s "error.$n" ]
  done
}

# bats test_tags=long
@test "50 clients of ours at once with a forking and with an iterative perl server, every answer compared" {
  start forking "$PERL/line-server" -f 0
  fifty tcpclient 127.0.0.1 "$forking_at"
  start iterative "$PERL/line-server" 0
  fifty tcpclient 127.0.0.1 "$iterative_at"
  start unix "$PERL/line-server" -f sock
  fifty unixclient sock
}

@test "20 MiB through a perl server that echoes as it reads" {
  peer server 127.0.0.1 accept sh cat
  random_bytes 20971520 >data
  tcpclient 127.0.0.1 "$server_at" <data >out
  cmp data out
}
