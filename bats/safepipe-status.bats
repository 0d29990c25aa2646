# safepipe's exit status, compared with bash's in the same test, and the lines of --status-fd.

load helper/common
load helper/peers

setup() {
  common_setup
  # a program that ends as it is told to: an exit status, the name of a signal, or a real death of SIGPIPE
  cat >bin/ends <<'PROG'
#!/bin/sh
case $1 in
yes) exec yes ;;
[0-9]*) exit "$1" ;;
esac
ulimit -c 0
kill -s "$1" $$
PROG
  chmod +x bin/ends
}

teardown() {
  common_teardown
}

# Every row: how each program ends; then the status by default, and of --status=first and --status=last. What it is
# with --sigpipe=count, bash says.
table() {
  cat <<'ROWS'
0               0 0 0
1               1 1 1
255             255 255 255
TERM            143 143 143
PIPE            141 141 141
141             141 141 141
0 0             0 0 0
0 1             1 0 1
1 0             1 1 0
1 2             2 1 2
2 1             1 2 1
KILL 0          137 137 0
0 KILL          137 0 137
HUP 3           3 129 3
3 HUP           129 3 129
USR1 USR2       140 138 140
ALRM 0          142 142 0
QUIT 0          131 131 0
ABRT 0          134 134 0
SEGV 0          139 139 0
SYS 0           159 159 0
PIPE 0          0 0 0
0 PIPE          141 0 141
PIPE PIPE       141 0 141
PIPE 1          1 0 1
1 PIPE          141 1 141
141 0           0 0 0
0 141           141 0 141
143 0           143 143 0
yes 0           0 0 0
yes 7           7 0 7
yes TERM        143 0 143
0 0 0           0 0 0
1 2 3           3 1 3
1 2 0           2 1 0
1 0 0           1 1 0
0 1 0           1 0 0
4 0 5           5 4 5
PIPE 1 0        1 0 0
1 PIPE 0        1 1 0
0 PIPE 0        0 0 0
PIPE PIPE 0     0 0 0
PIPE PIPE PIPE  141 0 141
141 PIPE 0      0 0 0
PIPE 141 0      0 0 0
TERM PIPE 0     143 143 0
KILL TERM 0     143 137 0
yes yes 0       0 0 0
yes yes 9       9 0 9
1 0 2 0 3 0     3 1 0
PIPE 0 PIPE 6 0 6 0 0
ROWS
}

# Where the tests run in the background of a script, these two are ignored.
as_started=(env --default-signal=INT,QUIT)

# with_bash STAGE...: bash's status of that pipeline, and PIPESTATUS
with_bash() {
  local line="ends $1"
  shift
  [ $# -eq 0 ] || line+=$(printf ' | ends %s' "$@")
  "${as_started[@]}" bash -c "set -o pipefail; $line; echo \"\$? \${PIPESTATUS[*]}\"" 2>/dev/null
}

# with_safepipe OPTION STAGE...: its status, and those of the programs, in their order, as --status-fd tells
with_safepipe() {
  local words=("$1" ends "$2") result=0
  shift 2
  [ $# -eq 0 ] || mapfile -t -O 3 words < <(printf ':::\nends\n%s\n' "$@")
  timeout --foreground 60 "${as_started[@]}" safepipe --status-fd 9 "${words[@]}" 9>told 2>said || result=$?
  [ ! -s said ] || return
  echo "$result $(sort -t = -k 2n told | sed -E 's/.* exit=([0-9]+) signal=([0-9]+).*/\1 \2/' |
    while read -r code signal; do echo $((signal ? 128 + signal : code)); done | paste -sd ' ')"
}

# bats test_tags=long
@test "statuses are bash's with --sigpipe=count, and the table's without" {
  local row words compared=0
  while read -ra row; do
    words=("${row[@]:0:${#row[@]}-3}")
    row=("${row[@]: -3}")
    echo "${words[*]}"
    [ "$(with_safepipe --sigpipe=count "${words[@]}")" = "$(with_bash "${words[@]}")" ]
    run with_safepipe --sigpipe=ignore "${words[@]}"
    [ "${output%% *}" = "${row[0]}" ]
    run with_safepipe --status=any "${words[@]}"
    [ "${output%% *}" = "${row[0]}" ]
    run with_safepipe --status=first "${words[@]}"
    [ "${output%% *}" = "${row[1]}" ]
    run with_safepipe --status=last "${words[@]}"
    [ "${output%% *}" = "${row[2]}" ]
    compared=$((compared + 1))
  done < <(table)
  ((compared >= 30))
}

@test "--status and --sigpipe: the last one given counts" {
  run -1 safepipe --status=last --status=first ends 1 ::: ends 2
  run -2 safepipe --status=first --status=any ends 1 ::: ends 2
  run -0 safepipe --sigpipe=count --sigpipe=ignore ends yes ::: ends 0
  run -141 safepipe --sigpipe=ignore --sigpipe=count ends yes ::: ends 0
  run -141 safepipe --sigpipe=count --status=first ends yes ::: ends 0
  run -0 safepipe --sigpipe=ignore --status=first ends yes ::: ends 5
}

@test "a program that is killed causes no message, and safepipe exits normally" {
  run -0 --separate-stderr how-it-ends safepipe sh -c 'kill -KILL $$'
  [ "$output" = "exit 137 signal 0" ]
  [ -z "$stderr" ]
}

@test "a signal that only the kernel names is a status, too" {
  run -162 safepipe sh -c 'kill -34 $$'
  run -192 safepipe true ::: sh -c 'kill -64 $$'
}

# line STAGE [FIELD=PATTERN]...: the one line of `told` on that stage, all its fields, in their order
line() {
  local stage=$1 pid='[1-9][0-9]*' exec_errno=0 exit=0 signal=0 core=0 timed_out=0 field
  shift
  for field; do
    local "$field"
  done
  local want="^stage=$stage pid=$pid exec_errno=$exec_errno exit=$exit signal=$signal core=$core"
  want+=" timed_out=$timed_out seconds=[0-9]+\.[0-9]{3}\$"
  [ "$(grep -c "^stage=$stage " told)" -eq 1 ]
  grep -qE "$want" told || {
    echo "no line like $want in" && cat told && return 1
  }
}

@test "--status-fd: a line for every program" {
  run -137 safepipe --status-fd 9 sh -c 'echo $$ >0' ::: sh -c 'echo $$ >1; exit 3' \
    ::: sh -c 'echo $$ >2; kill -KILL $$' ::: sh -c 'echo $$ >3' 9>told
  line 0 pid="$(cat 0)"
  line 1 pid="$(cat 1)" exit=3
  line 2 pid="$(cat 2)" signal=9
  line 3 pid="$(cat 3)"
  [ "$(wc -l <told)" -eq 4 ]
  run -0 safepipe --status-fd 9 true 9>told
  line 0
  [ "$(wc -l <told)" -eq 1 ]
}

@test "--status-fd: an exec that fails" {
  printf '#!/nowhere/interpreter\n' >lost
  touch text
  chmod +x lost text
  run -127 --separate-stderr safepipe --status-fd 9 ./lost 9>told
  line 0 pid=0 exec_errno=2 exit=127
  printf '#!%s\n' "$PWD" >text
  run -126 --separate-stderr safepipe -k 50 --status-fd 9 sleep 1000 ::: ./text 9>told
  line 1 pid=0 exec_errno=13 exit=126
  line 0 signal=15
  [ "$(wc -l <told)" -eq 2 ]
}

@test "--status-fd: a lookup that fails" {
  run -127 --separate-stderr safepipe --status-fd 9 true ::: ./nothing 9>told
  line 1 pid=0 exec_errno=2 exit=127
  [ "$(wc -l <told)" -eq 1 ]
}

# bats test_tags=long
@test "--status-fd: programs that had to be terminated" {
  run -124 --separate-stderr timeout --foreground 60 safepipe -t 4 -k 50 --status-fd 9 true ::: sleep 1000 \
    ::: actor await TERM exit 5 9>told
  line 0
  line 1 signal=15 timed_out=1
  line 2 'exit=(5|0)' 'signal=(0|15)' timed_out=1
  [ "$(wc -l <told)" -eq 3 ]
}

@test "--status-fd: the core flag is the kernel's" {
  need_perl
  ulimit -c unlimited 2>/dev/null || skip "core files are not to be had"
  local core
  core=$(perl -e 'system qw(sh -c), q(kill -SEGV $$); print $? >> 7 & 1' 2>/dev/null)
  run -139 safepipe --status-fd 9 sh -c 'kill -SEGV $$' 9>told
  line 0 signal=11 core="$core"
  ulimit -c 0
  run -139 safepipe --status-fd 9 sh -c 'kill -SEGV $$' 9>told
  line 0 signal=11
}

@test "--status-fd: a line comes when its program ends, with the time it took" {
  mkfifo hold
  background pipe safepipe --status-fd 9 true ::: cat hold 9>told
  until_line told ^stage=0
  run -1 grep ^stage=1 told
  read -rt 0.3 <> <(:) || :
  echo >hold
  ends_with 0 "$pipe"
  line 0
  line 1
  grep ^stage=1 told | awk -F seconds= '{ exit !($2 >= 0.3 && $2 < 60) }'
}

@test "--status-fd: programs don't get that fd, unless it is 0, 1 or 2" {
  run -0 safepipe --status-fd 9 sh -c '[ ! -e /proc/$$/fd/9 ]' ::: sh -c '[ ! -e /proc/$$/fd/9 ]' 9>told
  line 0
  line 1
  # as stderr and stdout, which are theirs, too
  safepipe --status-fd 2 sh -c 'echo mine >&2' 2>told
  grep -qx mine told
  line 0
  safepipe --status-fd 1 true ::: echo mine >told
  grep -qx mine told
  line 0
  line 1
}

@test "--status-fd: a reader that has gone is reported, and harms nothing" {
  mkfifo reader
  exec 8<>reader
  exec 9>reader 8<&-
  run -3 timeout --foreground 60 safepipe --status-fd 9 true ::: ends 3
  [ "$output" = "safepipe: write status-fd: Broken pipe
safepipe: write status-fd: Broken pipe" ]
  exec 9>&-
}

@test "--status-fd: 500 lines, each whole" {
  local words=(true) n
  for ((n = 1; n < 500; n++)); do
    words+=(::: true)
  done
  timeout --foreground 100 safepipe --status-fd 9 "${words[@]}" 9>told
  [ "$(wc -l <told)" -eq 500 ]
  local rest='exec_errno=0 exit=0 signal=0 core=0 timed_out=0 seconds=[0-9]+\.[0-9]{3}'
  run -1 grep -vE "^stage=[0-9]+ pid=[1-9][0-9]* $rest\$" told
  [ "$(cut -d ' ' -f 1 told | sort -u | wc -l)" -eq 500 ]
}

@test "-v reports how each program exited, -q leaves only what is fatal" {
  run -143 safepipe -v ends 3 ::: ends TERM ::: ends 0
  run sed 's/pid [1-9][0-9]*/pid N/' <(sort <<<"$output")
  [ "$output" = "safepipe: end ends (stage 0) pid N exit 3
safepipe: end ends (stage 1) pid N signal 15
safepipe: end ends (stage 2) pid N exit 0" ]
  run -3 safepipe -q ends 3
  [ -z "$output" ]
  run -127 safepipe -q ./nothing
  [ "$output" = "safepipe: ./nothing: No such file or directory" ]
}

@test "a shell whose last program died of SIGPIPE has not failed, as that program has not" {
  run -0 safepipe bash -c 'yes; exit $?' ::: head -n 1
  [ "$output" = y ]
  run -0 safepipe --status=first bash -c 'yes; exit $?' ::: true
  run -141 safepipe --sigpipe=count bash -c 'yes; exit $?' ::: true
  run -141 safepipe yes ::: bash -c 'exit 141'
  run -129 safepipe bash -c 'exit 129' ::: true
}
