# udpserver --stream: one program that gets all datagrams and gives all answers.

load helper/udp

setup() {
  udp_setup
  # sends each datagram back, in upper case; FRAMES has what it reads
  script bin/echoing 'exec perl -e '\''
    $| = 1; open my $log, ">>", "frames"; $log->autoflush(1);
    while (my $head = <STDIN>) {
      $head =~ /^(.*) (\d+)$/ or die;
      my ($who, $n) = ($1, $2);
      my $bytes = "";
      read STDIN, $bytes, $n - length $bytes, length $bytes while length $bytes < $n;
      print $log $head;
      print "$who $n\n", uc $bytes;
    }'\'''
}

teardown() {
  udp_teardown
}

@test "datagrams come framed by SENDER LENGTH, and answers go out so" {
  start srv udpserver --stream 127.0.0.1 0 echoing
  run -0 ask hello
  [ "$output" = HELLO ]
  run -0 ask $'two\nlines'
  [ "$output" = $'TWO\nLINES' ]
  grep -qE '^127\.0\.0\.1:[0-9]+ 5$' frames
  grep -qE '^127\.0\.0\.1:[0-9]+ 9$' frames
  counts 2 2 0 0 2
}

@test "IPv6, empty datagrams, the largest; 5,000 small ones: none lost, none wrong" {
  need_ipv6
  start srv udpserver --stream 0 0 echoing
  run -0 udpclient -t 30 ::1 "$srv_at" hello
  [ "$output" = HELLO ]
  grep -qE '^\[::1\]:[0-9]+ 5$' frames
  run -0 udpclient --raw -t 30 127.0.0.1 "$srv_at" ''
  [ "$output" = '' ]
  head -c 65507 /dev/zero | tr '\0' x >data
  run -0 udpclient --whole --raw -t 30 127.0.0.1 "$srv_at" <data
  [ "$output" = "$(tr x X <data)" ]
  run -0 bash -c 'seq 5000 | udpclient -n 5000 -t 120 127.0.0.1 "$1" | sort -n | cksum' '' "$srv_at"
  [ "$output" = "$(seq 5000 | cksum)" ]
  counts 5003 5003 0 0 5003
}

@test "--unix: the sender is its socket's name" {
  start srv udpserver --stream --unix ./sock echoing
  run -0 udpclient -t 30 --unix ./sock hello
  [ "$output" = HELLO ]
  grep -qE '^(@|/.*/sock\.)[0-9a-f]+ 5$' frames
}

@test "a program that does not read: nothing is lost from the count, nothing spins, TERM ends it" {
  start srv udpserver --stream 127.0.0.1 0 sh -c 'echo $$ >pid; exec sleep infinity'
  head -c 60000 /dev/zero >data
  local i
  for i in 1 2 3 4 5 6 7 8; do
    udpclient -n 0 --whole 127.0.0.1 "$srv_at" <data
  done
  until_true [ -s pid ]
  counts 3 3 0 0 0 # one in the pipe, two in our buffer; the others are in the kernel's queue
  local before
  before=$(awk '{print $14 + $15}' "/proc/$srv/stat")
  counts 3 3 0 0 0
  kill -USR1 "$srv"
  (($(awk '{print $14 + $15}' "/proc/$srv/stat") - before < 20))
  finish "$srv"
  [ "$status" -eq 0 ]
  kill "$(cat pid)"
}

@test "at TERM PROG reads the end of its input; --drain waits for its answers" {
  start srv udpserver --drain 60 --stream 127.0.0.1 0 perl -e '
    my @heads; while (<STDIN>) { /^(.*) (\d+)$/; my ($who, $n) = ($1, $2); read STDIN, my $b, $n; push @heads, $who; open my $f, ">>", "got"; print $f "$n\n" }
    print "$_ 4\nlate" for @heads'
  background client udpclient -t 60 127.0.0.1 "$srv_at" hello
  until_true [ -s got ]
  kill -TERM "$srv"
  ends_with 0 "$srv"
  ends_with 0 "$client"
  [ "$(cat client.out)" = late ]
}

@test "--max: the end of input after so many datagrams" {
  start srv udpserver --max 2 --stream 127.0.0.1 0 echoing
  run -0 bash -c 'seq 2 | udpclient -n 2 -t 30 127.0.0.1 "$1"' '' "$srv_at"
  ends_with 0 "$srv"
}

@test "PROG's end is ours; what is no answer is an error" {
  run -3 --separate-stderr udpserver --stream 127.0.0.1 0 sh -c 'exit 3'
  [ "$stderr" = "udpserver: sh: the program of --stream has exited" ]
  run -143 udpserver --stream 127.0.0.1 0 sh -c 'kill $$'
  run -111 --separate-stderr udpserver --stream 127.0.0.1 0 sh -c 'echo nonsense; exec cat'
  [ "$stderr" = "udpserver: read the answers of sh: expected SENDER LENGTH" ]
}

@test "an answer to somebody who has not asked, or one that is too long, is a message" {
  start srv udpserver --stream 127.0.0.1 0 perl -e '
    $| = 1; $_ = <STDIN>; my ($who) = /^(.*) \d+$/;
    print "192.0.2.1:99 2\nno", "$who 65508\n", "x" x 65508, "$who 3\nyes"; 1 while <STDIN>'
  run -0 ask hello
  [ "$output" = yes ]
  grep -q '^udpserver: answer 192.0.2.1:99: nobody of that address has sent anything of late$' srv.err
  grep -qE '^udpserver: answer 127.0.0.1:[0-9]+: it is longer than a datagram$' srv.err
  counts 1 1 0 0 1
}

@test "rules apply; --amplify does, to each answer" {
  echo '127.0.0.2:deny' >rules
  start srv udpserver -x rules --stream 127.0.0.1 0 echoing
  udpclient -n 0 -i 127.0.0.2 127.0.0.1 "$srv_at" no
  run -0 ask hello
  counts 2 1 1 0 1
}

@test "a program that closes its input but lives is terminated: 111; the status has a limit of 1" {
  start srv udpserver --stream 127.0.0.1 0 sh -c 'echo $$ >pid; exec sleep infinity <&-'
  until_true [ -s pid ]
  kill -USR1 "$srv"
  until_line srv.err '^udpserver: status: 1/1 received 0 '
  until_true eval '[ ! -e "/proc/$(cat pid)/fd/0" ]'
  udpclient -n 0 127.0.0.1 "$srv_at" one
  ends_with 111 "$srv"
  grep -q '^udpserver: write to sh: it has closed its input$' srv.err
  until_true gone "$(cat pid)"
}

@test "TERM to the server and PROG at once, as for a process group, is status 0" {
  script bin/grouped 'exec setsid "$2" "$1" "${@:3}"'
  local n
  for n in {1..20}; do
    start srv grouped udpserver --stream 127.0.0.1 0 sleep 6512s
    kill -TERM "-$srv"
    ends_with 0 "$srv"
  done
}
