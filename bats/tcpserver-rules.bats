# tcpserver's access rules: which rule decides, what it sets, which lines are refused, when the file is read again.

load helper/tcpserver

setup() {
  server_setup
}

teardown() {
  server_teardown
}

# rules LINE...: the file of that name, put in place at once.
rules() {
  printf '%s\n' "$@" >rules.new
  mv rules.new rules
}

# decides IP WORDS: what --explain says of IP begins with WORDS.
decides() {
  run --separate-stderr tcpserver --explain "$1" -x rules
  [ -z "$stderr" ]
  [[ $output == "$1: $2"* ]] || { echo "wanted $2, not: $output"; return 1; }
  [[ $2 == deny* ]] && [ "$status" -eq 1 ] || [ "$status" -eq 0 ]
}

# ---- which rule decides ----

@test "--explain prints the rule that applies and what it sets, and its status is the answer" {
  rules '# a comment' '10.1.2.3:allow,A="one",B="two words"' ':deny'
  run -0 tcpserver --explain 10.1.2.3 -x rules
  [ "$output" = '10.1.2.3: allow, by line 2: 10.1.2.3:allow,A="one",B="two words"
  A=one
  B=two words' ]
  run -1 tcpserver -x rules --explain 10.1.2.4
  [ "$output" = '10.1.2.4: deny, by line 3: :deny' ]
  rules '10.1.2.3:deny'
  run -0 tcpserver --explain ::1 -x rules
  [ "$output" = '::1: allow, no rule applies' ]
}

@test "the most specific address wins, wherever its line stands" {
  rules :deny 10.:allow 10.1.:deny 10.1.2.:allow 10.1.2.3:deny
  decides 10.1.2.3 'deny, by line 5:'
  decides 10.1.2.4 'allow, by line 4:'
  decides 10.1.3.1 'deny, by line 3:'
  decides 10.2.2.3 'allow, by line 2:'
  decides 11.1.2.3 'deny, by line 1:'
  rules 10.1.2.3:deny 10.1.2.:allow 10.1.:deny 10.:allow :deny
  decides 10.1.2.3 'deny, by line 1:'
  decides 10.1.2.4 'allow, by line 2:'
  decides 10.1.3.1 'deny, by line 3:'
  decides 10.2.2.3 'allow, by line 4:'
  decides 11.1.2.3 'deny, by line 5:'
}

@test "a rule for a link-local address is for all interfaces, or for the one that it names" {
  rules '[fe80::]/10:deny' '[fe80::1]:allow' '[fe80::2%lo]:allow' '[fe80::%lo/64]:allow' '[fe80::3]:deny' '[fe80::3%other]:allow'
  decides fe80::9%1000000 'deny, by line 1:'
  decides fe80::1%lo 'allow, by line 2:'
  decides fe80::1%1000000 'allow, by line 2:'
  decides fe80::2%lo 'allow, by line 3:'
  decides fe80::2%1000000 'deny, by line 1:'
  decides fe80::9%lo 'allow, by line 4:'
  decides fe80::3%lo 'deny, by line 5:'
  decides fe80::9 'deny, by line 1:'
  # the interface makes a rule more specific, not longer
  rules '[fe80::1]:deny' '[fe80::1%lo]:allow' '[fe80::1%lo]:deny' '[fe80::%lo]/10:allow' '[fe80::2]:deny'
  decides fe80::1%lo 'allow, by line 2:'
  decides fe80::1%1000000 'deny, by line 1:'
  decides fe80::2%lo 'deny, by line 5:'
}

@test "the first of equal addresses wins" {
  rules 10.1.2.3:deny 10.1.2.3:allow 10.:allow 10.:deny 20.0.0.0/8:deny 20.:allow :allow :deny
  decides 10.1.2.3 'deny, by line 1:'
  decides 10.1.2.4 'allow, by line 3:'
  decides 20.1.2.4 'deny, by line 5:'
  decides 30.1.2.4 'allow, by line 7:'
}

@test "a prefix ends with a dot and consists of whole numbers" {
  rules 10.1.:deny 2.:deny
  decides 10.1.0.0 'deny, by line 1:'
  decides 10.1.255.255 'deny, by line 1:'
  decides 10.10.0.1 'allow, no rule'
  decides 101.1.0.1 'allow, no rule'
  decides 2.0.0.1 'deny, by line 2:'
  decides 20.0.0.1 'allow, no rule'
}

@test "a range stands for each of its members" {
  rules 1.2.3.4-6:deny 5.10-19.:deny 7-8.:deny 1.2.3.5:allow 1.2.3.:allow
  decides 1.2.3.3 'allow, by line 5:'
  decides 1.2.3.4 'deny, by line 1:'
  decides 1.2.3.5 'deny, by line 1:'
  decides 1.2.3.6 'deny, by line 1:'
  decides 1.2.3.7 'allow, by line 5:'
  decides 5.9.1.1 'allow, no rule'
  decides 5.10.1.1 'deny, by line 2:'
  decides 5.19.1.1 'deny, by line 2:'
  decides 5.20.1.1 'allow, no rule'
  decides 8.1.1.1 'deny, by line 3:'
  rules 0-255.:deny
  decides 0.0.0.0 'deny, by line 1:'
  decides 255.1.1.1 'deny, by line 1:'
  decides ::1 'allow, no rule'
}

@test "a block is as specific as its length" {
  rules 10.0.0.0/8:deny 10.0.0.0/9:allow 10.64.0.0/10:deny 10.64.0.1/32:allow 0.0.0.0/0:deny 10.65.:allow
  decides 10.128.0.1 'deny, by line 1:'
  decides 10.1.0.1 'allow, by line 2:'
  decides 10.64.0.2 'deny, by line 3:'
  decides 10.64.0.1 'allow, by line 4:'
  decides 11.64.0.1 'deny, by line 5:'
  decides 10.65.0.1 'allow, by line 6:'
  decides ::1 'allow, no rule'
}

@test "IPv6 stands in brackets: an address, a block, a prefix of whole groups" {
  rules '[2001:db8::1]:deny' '[2001:DB8::/32]:allow' '[2001:db8:1::]/48:deny' '[2001:db8:2:]:deny' '[::1]:deny' \
    '[::/0]:allow' ':deny'
  decides 2001:db8::1 'deny, by line 1:'
  decides 2001:0db8:0:0:0:0:0:1 'deny, by line 1:'
  decides 2001:db8::2 'allow, by line 2:'
  decides 2001:db8:1:ffff::1 'deny, by line 3:'
  decides 2001:db8:2:1::1 'deny, by line 4:'
  decides 2001:db8:20::1 'allow, by line 2:'
  decides ::1 'deny, by line 5:'
  decides ::2 'allow, by line 6:'
}

@test "a mapped address is the IPv4 address that it is" {
  rules 10.1.2.3:deny
  decides ::ffff:10.1.2.3 'deny, by line 1:'
}

@test "an empty address matches all addresses" {
  rules :deny,WHY='"all"'
  decides 1.2.3.4 'deny, by line 1:'
  decides 2001:db8::1 'deny, by line 1:'
}

@test "comments, empty lines and trailing blanks are ignored, but their lines are counted" {
  rules '# comment' '' '   ' '#10.1.2.3:deny' $'10.1.2.3:allow \t\r' ':deny'
  decides 10.1.2.3 'allow, by line 5:'
  decides 10.1.2.4 'deny, by line 6:'
}

@test "the last line needs no newline, and an empty file allows all clients" {
  printf ':deny' >rules
  decides 10.1.2.3 'deny, by line 1:'
  : >rules
  decides 10.1.2.3 'allow, no rule'
}

@test "100,000 rules are read and applied" {
  awk 'BEGIN {
    for (n = 0; n < 100000; n++)
      printf "10.%d.%d.%d:%s,N=\"%d\"\n", int(n / 65536), int(n / 256) % 256, n % 256, n % 2 ? "deny" : "allow", n
  }' >rules
  decides 10.0.0.0 'allow, by line 1: 10.0.0.0:allow,N="0"'
  decides 10.0.1.1 'deny, by line 258:'
  decides 10.1.134.159 'deny, by line 100000:'
  decides 10.1.134.160 'allow, no rule'
}

@test "the rules have the same results as with tcprules" {
  need tcprules ucspi-tcp
  need tcprulescheck ucspi-tcp
  rules 10.:allow 10.1.:deny 10.1.2.3:allow,A=x1x 10.1.2.4-9:deny 10.2-4.:allow,B='"two words"' 10.1.2.3:deny 10.:deny \
    127.0.0.1:allow :deny
  tcprules rules.cdb rules.tmp <rules
  for ip in 10.0.0.1 10.1.0.1 10.1.2.3 10.1.2.4 10.1.2.9 10.1.2.10 10.2.0.1 10.4.255.1 10.5.0.1 127.0.0.1 1.2.3.4; do
    theirs=$(TCPREMOTEIP=$ip tcprulescheck rules.cdb "$ip" | sed -n 's/^set environment variable \(.*\)/  \1/p; s/^\(allow\|deny\) connection/\1/p')
    ours=$(tcpserver --explain "$ip" -x rules | sed "1s/^[^:]*: \([a-z]*\),.*/\1/") || :
    [ "$(sort <<<"$theirs")" = "$(sort <<<"$ours")" ] || { echo "$ip: $ours, not $theirs"; return 1; }
  done
}

# ---- what a rule does ----

@test "deny closes the connection, allow sets the variables" {
  rules '127.0.0.2:deny' '127.0.0.1:allow,A="one",TWO=/two "2"/,C=xx,TCPREMOTEHOST="known",EMPTY=""' ':allow'
  start srv tcpserver -v -x rules 127.0.0.1 0 env
  run -0 call "$srv_at"
  for want in A=one 'TWO=two "2"' C= TCPREMOTEHOST=known EMPTY=; do
    grep -qxF "$want" <<<"$output"
  done
  run -0 call "$srv_at" -i 127.0.0.2
  [ -z "$output" ]
  grep -E '^tcpserver: deny 127\.0\.0\.2:[0-9]+ by line 1$' srv.err
  run -0 call "$srv_at" -i 127.0.0.3
  run ! grep -E '^(A|TWO|C|EMPTY|TCPREMOTEHOST)=' <<<"$output"
}

@test "a variable of a rule overrides the one of the server" {
  rules ':allow,KEPT="rule",TCPREMOTEIP="0.0.0.0"'
  wrap given env KEPT=server
  start srv given -x rules 127.0.0.1 0 env
  run -0 call "$srv_at"
  [ "$(grep -E '^(KEPT|TCPREMOTEIP)=' <<<"$output" | sort)" = $'KEPT=rule\nTCPREMOTEIP=0.0.0.0' ]
}

@test "the rules apply to IPv4 clients of a dual-stack socket" {
  rules '127.0.0.2:deny' '[::1]:deny' '127.0.0.1:allow,BY="v4"'
  start srv tcpserver -x rules 0 0 sh -c 'echo "by $BY"'
  run -0 call "$srv_at"
  [ "$output" = 'by v4' ]
  run -0 call "$srv_at" -i 127.0.0.2
  [ -z "$output" ]
  need_ipv6
  run -0 tcpclient ::1 "$srv_at" </dev/null
  [ -z "$output" ]
}

@test "without a program, the rules apply to the greeting" {
  rules 127.0.0.2:deny
  start srv tcpserver -x rules 127.0.0.1 0
  run -0 call "$srv_at" -i 127.0.0.2
  [ -z "$output" ]
  run -0 call "$srv_at"
  [[ $output == Hello* ]]
}

# ---- what is refused ----

@test "a line that can't be parsed is reported with its number" {
  while IFS= read -r line; do
    printf '1.2.3.4:allow\n\n%s\n' "$line" >rules
    echo "$line"
    run -100 --separate-stderr tcpserver --explain 1.2.3.4 -x rules
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ ${stderr_lines[0]} == "tcpserver: rules rules line 3: "?* ]]
  done <<'END'
nonsense
1.2.3.4
1.2.3.4:
1.2.3.4:maybe
1.2.3.4:allowed
1.2.3.4:ALLOW
1.2.3.4:deny allow
 1.2.3.4:allow
1.2.3.4 :allow
1.2.3.4:allow,
1.2.3.4:allow,A
1.2.3.4:allow,A=
1.2.3.4:allow,A="x
1.2.3.4:allow,A="x"y
1.2.3.4:allow,A="x",
1.2.3.4:allow,="x"
1.2.3:allow
1:allow
1.2.3.4.:allow
1.2.3.4.5:allow
256.:allow
1..2:allow
.1:allow
1.-2.:allow
1.2-.:allow
1.5-2.:allow
1.2.3-300.:allow
1-2.3-4.:allow
01.2.3.4:allow
0x1.:allow
1.2.3.4/33:allow
1.2.3.4/31x:allow
1.2.3.4/:allow
10.0.0.1/8:allow
10./8:allow
1.2.3.4-8/30:allow
2001:db8::1:allow
[2001:db8::1:allow
[2001:db8::1/32]:allow
[2001:db8::/129]:allow
[2001:db8::]/129:allow
[2001:db8::]x:allow
[2001:db8]:allow
[1.2.3.4]:allow
[]:allow
[xyz]:allow
[1:2:3:4:5:6:7:8:]:allow
[::1%lo]:allow
[2001:db8::1%lo]:allow
[fe80::1%]:allow
[fe80::1%lo/128:allow
[fe80::%lo]/9:allow
[fe80:%lo]:allow
[fe80::1%0123456789abcdef]:allow
=:allow
=localhost:allow
=.example.com:deny
root@1.2.3.4:allow
@:allow
host.example.com:allow
END
}

@test "rules may name 255 interfaces" {
  printf '[fe80::1%%if%d]:allow\n' {1..255} >rules
  run -0 tcpserver --explain 1.2.3.4 -x rules
  [ "$output" = "1.2.3.4: allow, no rule applies" ]
  echo '[fe80::1%if255]:deny' >>rules
  echo '[fe80::1%if256]:allow' >>rules
  run -100 tcpserver --explain 1.2.3.4 -x rules
  [ "$output" = "tcpserver: rules rules line 257: the rules name too many interfaces" ]
}

@test "a server doesn't start with such a line" {
  rules ':allow' '=localhost:deny'
  run -100 --separate-stderr tcpserver -1 -x rules 127.0.0.1 0 true
  [ -z "$output" ]
  [[ $stderr == "tcpserver: rules rules line 2: =host rules need a lookup"* ]]
}

@test "a compiled .cdb is recognized, and the message asks for its source" {
  if command -v tcprules; then
    echo ':allow' | tcprules rules rules.tmp
  else
    printf ':allow\0\0\0' >rules
  fi
  run -100 --separate-stderr tcpserver --explain 1.2.3.4 -x rules
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ ${stderr_lines[0]} == "tcpserver: rules rules: "*source* ]]
}

@test "rules that can't be read are an error; a directory is a usage error" {
  run -111 --separate-stderr tcpserver -x missing 127.0.0.1 0 true
  [ "$stderr" = "tcpserver: rules missing: No such file or directory" ]
  mkdir directory
  mkfifo fifo
  for what in directory fifo; do
    run -100 --separate-stderr tcpserver -x "$what" 127.0.0.1 0 true
    [ "$stderr" = "tcpserver: rules $what: is not a regular file" ]
  done
}

@test "-X: all clients are allowed while the file is missing; it is applied when it appears" {
  start srv tcpserver -X -x rules 127.0.0.1 0 printf served
  [ "$(call "$srv_at")" = served ]
  rules :deny
  [ -z "$(call "$srv_at")" ]
  rm rules
  [ "$(call "$srv_at")" = served ]
  [ ! -s srv.err ]
}

@test "-X doesn't allow an invalid line" {
  rules nonsense
  run -100 tcpserver -X -x rules 127.0.0.1 0 true
}

# ---- reading again ----

@test "the rules are read again when the file has changed" {
  rules :allow,V='"one"'
  start srv tcpserver -x rules 127.0.0.1 0 sh -c 'echo "$V"'
  [ "$(call "$srv_at")" = one ]
  rules :allow,V='"two"'
  [ "$(call "$srv_at")" = two ]
  rules :deny
  [ -z "$(call "$srv_at")" ]
  printf ':allow,V="three"\n' >rules
  [ "$(call "$srv_at")" = three ]
  [ ! -s srv.err ]
}

@test "an invalid new file is reported once, and the old rules are kept" {
  rules 127.0.0.2:deny
  start srv tcpserver -x rules 127.0.0.1 0 printf served
  rules 127.0.0.1:deny nonsense
  for ((turn = 0; turn < 3; turn++)); do
    [ "$(call "$srv_at")" = served ]
    [ -z "$(call "$srv_at" -i 127.0.0.2)" ]
  done
  [ "$(wc -l <srv.err)" -eq 1 ]
  grep '^tcpserver: keep the old rules: rules line 2: ' srv.err
  rules 127.0.0.1:deny
  [ -z "$(call "$srv_at")" ]
  [ "$(wc -l <srv.err)" -eq 1 ]
}

@test "a missing file is reported once, and the old rules are kept" {
  rules 127.0.0.2:deny
  start srv tcpserver -x rules 127.0.0.1 0 printf served
  rm rules
  for ((turn = 0; turn < 3; turn++)); do
    [ "$(call "$srv_at")" = served ]
    [ -z "$(call "$srv_at" -i 127.0.0.2)" ]
  done
  [ "$(cat srv.err)" = "tcpserver: keep the old rules: rules: No such file or directory" ]
}

@test "HUP reads the rules immediately, and reports errors again" {
  rules :allow
  start srv tcpserver -x rules 127.0.0.1 0 printf served
  rules nonsense
  kill -HUP "$srv"
  around srv
  kill -HUP "$srv"
  around srv
  [ "$(grep -c 'keep the old rules: rules line 1: ' srv.err)" -eq 2 ]
  [ "$(call "$srv_at")" = served ]
}

@test "rules that only root may read, read at startup, are kept after the ids are dropped" {
  need_root
  rules 127.0.0.2:deny
  chmod 600 rules
  start srv tcpserver -u nobody -x rules 127.0.0.1 0 printf served
  [ "$(call "$srv_at")" = served ]
  [ -z "$(call "$srv_at" -i 127.0.0.2)" ]
}

@test "a variable's value may be long" {
  long=$(printf '%0100000d' 0)
  rules ":allow,LONG=\"$long\""
  start srv tcpserver -x rules 127.0.0.1 0 sh -c 'echo "${#LONG}"'
  [ "$(call "$srv_at")" = 100000 ]
}
