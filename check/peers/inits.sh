# inits.sh: the rows of check/peers.sh about inits and subreapers. $namespace makes its program process 1.
# shellcheck shell=sh disable=SC2086,SC2154

init_orphans() {
  cat >prog <<'END'
(stay orphan &)
until [ -s orphan ]; do sleep 0.01; done
pid=$(cat orphan)
kill -KILL "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ -e "/proc/$pid" ] || { echo yes >answer; exit; }
  sleep 0.05
done
echo no >answer
END
  $namespace "$1" -- sh prog
  cat answer
}

# adopts OPTION...: whether the tool, which is not process 1, becomes the parent of an orphan
adopts() {
  rm -f orphan
  "$@" -- sh -c '(stay orphan &); exec sleep 1000' &
  await [ -s orphan ]
  within 50 has_parent "$(cat orphan)" $!
}
has_parent() {
  [ "$(parent "$1")" = "$2" ]
}
init_subreaper() {
  adopts "$1" && { echo yes; return; }
  [ "$1" = tini ] && adopts tini -s && { echo yes=-s; return; }
  lacks "$1" 'subreaper'
}

init_forwards() {
  cat >prog <<'END'
for signal in HUP INT QUIT USR1 USR2 TERM ALRM WINCH; do
  trap "echo $signal >>got" "$signal"
done
: >ready
while :; do sleep 0.05; done
END
  env --default-signal=INT,QUIT "$1" -- sh prog &
  tool=$!
  await [ -e ready ]
  for signal in HUP INT QUIT USR1 USR2 TERM ALRM WINCH; do
    kill -s "$signal" "$tool"
    within 100 grep -qx "$signal" got || { echo "lacks $signal" >&2; echo partly:forwards; return; }
  done
  echo yes
}

# rewrites TOOL OPTION...: TERM reaches PROG as INT
rewrites() {
  cat >prog <<'END'
trap 'echo INT >>got' INT
trap 'echo TERM >>got' TERM
: >ready
while :; do sleep 0.05; done
END
  env --default-signal=INT "$@" -- sh prog &
  await [ -e ready ]
  kill -TERM $!
  await [ -s got ]
  [ "$(cat got)" = INT ]
}
init_rewrites() {
  case $1 in
  dumb-init) rewrites dumb-init --rewrite 15:2 && echo yes=--rewrite || echo no ;;
  reap) rewrites reap --rewrite TERM:INT && echo yes=--rewrite || echo no ;;
  *) lacks "$1" rewrite ;;
  esac
}

# A shell with job control runs the tool at a terminal; ^Z is typed: PROG and the shell's job must stop, and go on with fg.
init_stops() {
  printf '%s -- stay prog\n: >back\nuntil [ -e go ]; do sleep 0.02; done\nfg\n' "$1" >job
  {
    await [ -s prog ]
    printf '\032'
    within 250 [ -e over ]
  } | script -qec 'sh -m ./job' /dev/null >/dev/null &
  await [ -s prog ]
  prog=$(cat prog)
  if ! within 100 stopped "$prog"; then
    echo no
  elif ! within 100 [ -e back ]; then
    echo partly:stop
  else
    : >go
    says within 100 resumed "$prog"
  fi
  : >over
}

init_leftovers() {
  cat >left <<'END'
trap 'sleep 0.5; echo clean >cleaned; exit' TERM
: >ready
while :; do sleep 0.05; done
END
  $namespace "$1" -- sh -c 'sh left & until [ -e ready ]; do sleep 0.01; done'
  [ -e ready ] && says [ -e cleaned ]
}

init_exec() {
  touch plain
  "$1" -- ./missing
  missing=$?
  "$1" -- ./plain
  [ "$missing $?" = '127 126' ] && echo yes || echo no
}

init_environment() {
  case $1 in
  tini) TINI_SUBREAPER='' adopts tini && echo yes || echo no ;;
  dumb-init) [ -n "$(DUMB_INIT_DEBUG=1 dumb-init true 2>&1)" ] && echo yes || echo no ;;
  *) lacks "$1" 'environment|[A-Z]+_[A-Z]+' ;;
  esac
}
