# sigexec: what is ignored, default and blocked in the program that it becomes, as /proc/self/status shows it.

load helper/common
load helper/peers

setup() {
  common_setup
}

teardown() {
  common_teardown
}

# clean COMMAND...: all dispositions at their defaults, nothing blocked, whatever the test was started with.
clean() {
  local word words=(unblock ALL)
  for word in {1..8} {10..18} {20..31} {34..64}; do
    words+=(default "$word" unblock "$word")
  done
  does "${words[@]:2}" exec "$@"
}

# state COMMAND...: runs `COMMAND PROG`, where PROG tells what is ignored and blocked, as two lines of numbers. (32 and
# 33 are libc's own. PROG is cat, as grep has ideas of its own about SEGV.)
state() {
  local shown
  shown=$(clean "$@" cat /proc/self/status) || return
  local name mask sig
  while read -r name mask; do
    [[ $name == Sig@(Ign|Blk): ]] || continue
    printf %s "$name"
    for ((sig = 1; sig <= 64; sig++)); do
      ((sig == 32 || sig == 33 || !((16#$mask >> (sig - 1)) & 1))) || printf ' %d' "$sig"
    done
    echo
  done <<<"$shown" | sort
}

# has IGNORED BLOCKED COMMAND...: that is what is ignored and blocked under COMMAND.
has() {
  run -0 state "${@:3}"
  [ "$output" = "SigBlk:${2:+ $2}"$'\n'"SigIgn:${1:+ $1}" ]
}

all() {
  echo {1..8} {10..18} {20..31} {34..64}
}

@test "nothing is changed without options" {
  has '' '' sigexec
  has '1 13' '' env --ignore-signal=HUP,PIPE sigexec
  has '' '2 15' env --block-signal=INT,TERM sigexec
}

@test "-i ignores, -b blocks" {
  has 15 '' sigexec -i TERM
  has '' 15 sigexec -b TERM
  has 10 12 sigexec -i USR1 -b USR2
  has 12 12 sigexec -i USR2 -b USR2
  has 15 10 sigexec --ignore=TERM --block=USR1
}

@test "-d gives a signal back that was ignored, -u lets one in that was blocked" {
  has '2' '' env --ignore-signal=HUP,INT sigexec -d HUP
  has '' '2' env --block-signal=HUP,INT sigexec -u HUP
  has '2' '15' env --ignore-signal=HUP,INT env --block-signal=HUP,TERM sigexec --default=HUP --unblock=HUP
}

@test "lists: names in any case, numbers, real-time signals, with commas between" {
  has '1 2 10 15' '' sigexec -i HUP,sigint,10,SIGTERM
  has '34 35 63 64' '36 62' sigexec -i RTMIN,RTMIN+1,63,RTMAX -b rtmin+2,SIGRTMAX-2
  has '1 2' '3 15' sigexec -i HUP -b QUIT -i INT -b TERM
  has '15' '' sigexec -i TERM,TERM
}

@test "ALL is every signal that can be changed" {
  has "$(all)" '' sigexec -i ALL
  has '' "$(all)" sigexec -b ALL
  has "$(all)" "$(all)" sigexec -i ALL -b ALL
  has '' '' sigexec -i ALL -b ALL sigexec -d ALL -u ALL
}

@test "later options win" {
  has '' '' sigexec -i TERM -d TERM
  has 15 '' sigexec -d TERM -i TERM
  has '' '' sigexec -b TERM -u TERM
  has '' 15 sigexec -u TERM -b TERM
  has "$(all | sed 's/ 15 / /')" '' sigexec -i ALL -d TERM
  has '' 15 sigexec -b ALL -u ALL -b TERM
  has '' '' sigexec -i TERM -d ALL
}

@test "a PIPE that was ignored is default again with -d, and its writer dies" {
  run -0 clean env --ignore-signal=PIPE does broken-pipe say lives
  [ "$output" = lives ]
  run -141 clean env --ignore-signal=PIPE sigexec -d PIPE does broken-pipe say lives
  [ -z "$output" ]
}

@test "the program lives through what it ignores, and gets what was blocked once it lets it in" {
  run -0 clean sigexec -i TERM does kill TERM self say lives
  [ "$output" = lives ]
  run -0 clean sigexec -b TERM does note TERM kill TERM self say first unblock TERM
  [ "$output" = $'first\nTERM' ]
}

@test "a signal that waits, blocked, is there for the program" {
  run -143 clean env --block-signal=TERM does kill TERM self exec sigexec -u TERM echo lives
  [ -z "$output" ]
  run -0 clean env --block-signal=TERM does kill TERM self exec sigexec -i TERM -u TERM echo lives
  [ "$output" = lives ]
}

@test "-l alone prints what was inherited, to stdout" {
  run -0 --separate-stderr clean sigexec -l
  [ -z "$output" ]
  run -0 --separate-stderr clean env --ignore-signal=HUP,PIPE,RTMIN+2 env --block-signal=PIPE,USR1,RTMAX sigexec -l
  [ "$output" = "HUP ignored
USR1 blocked
PIPE ignored blocked
RTMIN+2 ignored
RTMAX blocked" ]
  [ -z "$stderr" ]
}

@test "-l before a program prints to stderr, what was before the options" {
  local changes
  for changes in '-l -i TERM -d HUP' '-i TERM -d HUP -l' '--ignore=TERM --list --default=HUP'; do
    # shellcheck disable=SC2086
    run -0 --separate-stderr clean env --ignore-signal=HUP,INT sigexec $changes sigexec -l
    [ "$stderr" = $'HUP ignored\nINT ignored' ]
    [ "$output" = $'INT ignored\nTERM ignored' ]
  done
}

@test "-l that can't be written is 111" {
  run -111 clean env --ignore-signal=HUP sh -c 'sigexec -l >/dev/full'
  [ "$output" = "sigexec: write stdout: No space left on device" ]
}

@test "the program has sigexec's process id, words and environment" {
  # shellcheck disable=SC2016
  background prog env GIVEN=yes sigexec -i HUP sh -c 'echo "$$ $GIVEN $0 $*"' -i --list 'a  b' ''
  ends_with 0 "$prog"
  [ "$(cat prog.out)" = "$prog yes -i --list a  b " ]
}

@test "fds are the program's as they were" {
  exec 9</dev/null
  does fds >before
  sigexec -i HUP does fds >after
  cmp before after
}

@test "its status and its death are the program's" {
  run -7 sigexec -b TERM sh -c 'exit 7'
  run -137 sigexec -i ALL sh -c 'kill -KILL $$'
}

@test "a program that is not there is 127, one that can't be run 126" {
  run -127 sigexec -i HUP ./nothing
  [ "$output" = "sigexec: ./nothing: No such file or directory" ]
  run -127 sigexec no-such-program-anywhere
  [ "$output" = "sigexec: no-such-program-anywhere: command not found" ]
  echo plain >plain
  run -126 sigexec ./plain
  [ "$output" = "sigexec: ./plain: Permission denied" ]
  printf '\177ELF\0 broken' >broken
  chmod +x broken
  run -126 sigexec ./broken
  [ "$output" = "sigexec: exec ./broken: Exec format error" ]
  printf '#!/no/such/interpreter\n' >script
  chmod +x script
  run -127 sigexec ./script
  run -126 sigexec /
}

@test "KILL and STOP can be neither ignored nor blocked" {
  local sig
  for sig in KILL STOP 9 19 SIGKILL sigstop TERM,KILL STOP,TERM; do
    wrong_call sigexec -i "$sig" touch ran
    wrong_call sigexec -b "$sig" touch ran
  done
  wrong_call sigexec -i ALL -i KILL touch ran
  wrong_call sigexec -i KILL -l
  [ ! -e ran ]
}

@test "usage errors: nothing is run" {
  local list option
  wrong_call sigexec
  wrong_call sigexec -i TERM
  wrong_call sigexec --
  for list in '' ',' 'TERM,' ,TERM TERM,,INT 'TERM, INT' 'TERM INT' NOPE 0 65 -1 0x1 5x RTMIN+31 RTMAX+1 TERM,ALL \
    ALL,TERM 143; do
    for option in -i -d -b -u; do
      wrong_call sigexec "$option" "$list" touch ran
    done
  done
  wrong_call sigexec --ignor TERM touch ran
  wrong_call sigexec --no-such-option touch ran
  wrong_call sigexec -l=x touch ran
  [ ! -e ran ]
}
