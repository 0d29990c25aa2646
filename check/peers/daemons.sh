# daemons.sh: the rows of check/peers.sh about daemons and their supervision.
# shellcheck shell=sh

# The tools manage ./prog, which is PROG for all of them:
# up TOOL [OPTION...]: starts it, with what the tool needs beside it; its status is that of the command that starts PROG
up() {
  tool=$1
  shift
  chmod +x prog
  case $tool in
  start-stop-daemon) start-stop-daemon --start --background --make-pidfile --pidfile "$PWD/pidfile" \
    --chdir "$PWD" --startas "$PWD/prog" "$@" ;;
  supervisord)
    supervisord_up "$@"
    supervisorctl -c conf start prog
    ;;
  runit)
    runsv_up
    sv -w 7 start ./prog.sv
    ;;
  daemonize) daemonize -c "$PWD" -p pidfile -P monitor "$@" -- "$PWD/prog" ;;
  esac
}

# down TOOL [OPTION...]: stops it, and waits for that
down() {
  tool=$1
  shift
  case $tool in
  start-stop-daemon) start-stop-daemon --stop --pidfile "$PWD/pidfile" "$@" ;;
  supervisord) supervisorctl -c conf stop prog ;;
  runit) sv -w 7 "${1:-stop}" ./prog.sv ;;
  daemonize) daemonize --stop -P monitor ;;
  esac
}

# supervisord_up LINE...: with these lines for the program
supervisord_up() {
  {
    printf '%s\n' '[unix_http_server]' 'file=%(here)s/s' '[supervisord]' 'logfile=%(here)s/log.d' 'pidfile=%(here)s/pid.d' \
      '[rpcinterface:supervisor]' \
      'supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface' \
      '[supervisorctl]' 'serverurl=unix://%(here)s/s' \
      '[program:prog]' 'command=%(here)s/prog' 'directory=%(here)s' 'autostart=false' "$@"
  } >conf
  supervisord -n -c conf >/dev/null &
  await [ -S s ]
}

runsv_up() {
  mkdir -p prog.sv
  printf '#!/bin/sh\ncd %s && exec ./prog\n' "$PWD" >prog.sv/run
  [ -z "${run_is_prog:-}" ] || cp prog prog.sv/run
  chmod +x prog.sv/run
  touch prog.sv/down
  runsv prog.sv &
  await [ -p prog.sv/supervise/ok ]
}

staying() {
  printf '#!/bin/sh\nexec stay prog.pid\n' >prog
}

daemon_exec() {
  # a PROG that can be executed is started, so that it is not for another reason that the next is not
  mkdir good
  (cd good && staying && up "$1") || return
  printf '#!/no/such/interpreter\n' >prog
  run_is_prog=yes
  if up "$1"; then
    echo no
  elif [ "$1" = runit ]; then
    echo partly:late
  else
    echo yes
  fi
}

daemon_ready() {
  cat >prog <<'END'
#!/bin/sh
: >up
until [ -e go ]; do sleep 0.02; done
: >is-ready
[ -z "${READY_FD:-}" ] || eval "echo >&$READY_FD"
[ -z "${NOTIFY_SOCKET:-}" ] || python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))'
exec stay prog.pid
END
  case $1 in
  start-stop-daemon) starts_late up start-stop-daemon --notify-await && echo yes=--notify-await || echo no ;;
  supervisord) starts_late up supervisord && echo yes || echo no ;;
  runit)
    chmod +x prog
    runsv_up
    printf '#!/bin/sh\n[ -e ../is-ready ]\n' >prog.sv/check
    chmod +x prog.sv/check
    starts_late sv -w 7 start ./prog.sv && echo yes=./check || echo no
    ;;
  daemonize) starts_late up daemonize --ready notify && echo yes=--ready || echo no ;;
  esac
}
# starts_late COMMAND...: it succeeds, and not before PROG is ready; three seconds are more than supervisord's startsecs
starts_late() {
  { "$@"; echo $? >started; } &
  await [ -e up ]
  within 150 [ -e started ] && return 1
  : >go
  await [ -s started ]
  [ "$(cat started)" -eq 0 ]
}

daemon_schedule() {
  cat >prog <<'END'
#!/bin/sh
trap 'echo INT >>got' INT
trap 'echo TERM >>got' TERM
echo $$ >prog.new
mv prog.new prog.pid
while :; do sleep 0.05; done
END
  case $1 in
  start-stop-daemon)
    up start-stop-daemon
    await [ -s prog.pid ]
    down start-stop-daemon --retry INT/1/TERM/1/KILL/5
    ;;
  supervisord)
    up supervisord stopsignal=INT stopwaitsecs=1
    await [ -s prog.pid ]
    down supervisord
    ;;
  runit)
    up runit
    await [ -s prog.pid ]
    sv -w 1 force-stop ./prog.sv
    ;;
  daemonize)
    up daemonize --stop-signal INT:1,TERM:1,KILL
    await [ -s prog.pid ]
    down daemonize
    ;;
  esac
  await ended "$(cat prog.pid)"
  case $1-$(sort -u got | tr '\n' ' ') in
  start-stop-daemon-'INT TERM ') echo yes=--retry ;;
  daemonize-'INT TERM ') echo yes=--stop-signal ;;
  *-'INT ' | *-'TERM ') echo partly:two ;;
  *) cat got >&2 ;;
  esac
}

# A pid that was PROG's is another process's by now.
daemon_stranger() {
  staying
  stay stranger &
  await [ -s stranger ]
  stranger=$(cat stranger)
  case $1 in
  start-stop-daemon)
    echo "$stranger" >pidfile
    down start-stop-daemon
    within 50 ended "$stranger" || { echo yes; return; }
    stay again &
    await [ -s again ]
    cat again >pidfile
    down start-stop-daemon --exec "$PWD/prog"
    within 50 ended "$(cat again)" && echo no || echo partly:match
    ;;
  supervisord | runit)
    up "$1"
    await [ -s prog.pid ]
    [ "$1" = supervisord ] || echo "$stranger" >prog.sv/supervise/pid
    kill -KILL "$(cat prog.pid)"
    down "$1"
    within 50 ended "$stranger" && echo no || echo yes
    ;;
  daemonize)
    echo "$stranger" >pidfile
    daemonize --stop -p pidfile
    within 50 ended "$stranger" && echo no || echo yes
    ;;
  esac
}

daemon_self() {
  # PROG goes to the background by itself
  printf '#!/bin/sh\necho $$ >self.new; mv self.new self\nsetsid stay prog.pid </dev/null >/dev/null 2>&1 &\nuntil [ -s prog.pid ]; do sleep 0.01; done\n' >prog
  case $1 in
  start-stop-daemon)
    chmod +x prog
    start-stop-daemon --start --pidfile "$PWD/prog.pid" --chdir "$PWD" --startas "$PWD/prog"
    pid=$(cat prog.pid)
    start-stop-daemon --stop --pidfile "$PWD/prog.pid"
    ;;
  daemonize)
    up daemonize
    await [ -s prog.pid ]
    await ended "$(cat self)"
    pid=$(cat prog.pid)
    down daemonize
    daemonize --stop -p prog.pid
    ;;
  *)
    up "$1"
    await [ -s prog.pid ]
    await ended "$(cat self)"
    pid=$(cat prog.pid)
    down "$1"
    ;;
  esac
  says within 100 ended "$pid"
}

up_supervised() {
  tool=$1
  shift
  case $tool in
  supervisord) up supervisord autorestart=true "$@" ;;
  daemonize) up daemonize --supervise "$@" ;;
  *) up "$tool" ;;
  esac
}

# The pauses between the first starts of a PROG that exits at once, in ms: the last is twice the first, or more.
daemon_backoff() {
  [ "$1" != start-stop-daemon ] || { echo -; return; }
  printf '#!/bin/sh\ndate +%%s%%3N >>starts\nexit 1\n' >prog
  case $1 in
  supervisord) up_supervised supervisord startretries=9 startsecs=5 ;;
  *) up_supervised "$1" ;;
  esac &
  within 1000 has_started 5
  awk 'NR > 1 { pause = $1 - last } NR == 2 { first = pause } { last = $1 }
    END { if (NR >= 5) print (pause >= 2 * first ? "yes" : "no:constant") }' starts
}
has_started() {
  [ -e starts ] && [ "$(wc -l <starts)" -ge "$1" ]
}

daemon_gives_up() {
  [ "$1" != start-stop-daemon ] || { echo -; return; }
  printf '#!/bin/sh\necho >>starts\nexit 1\n' >prog
  case $1 in
  supervisord)
    up_supervised supervisord startretries=2
    within 500 supervisor_has FATAL && echo yes=startretries || echo no
    ;;
  daemonize)
    up_supervised daemonize --backoff 100ms:100ms --max-restarts 2/1h
    await [ ! -e monitor ]
    daemonize --status -P monitor
    [ $? -eq 3 ] && [ "$(wc -l <starts)" -eq 3 ] && echo yes=--max-restarts || echo no
    ;;
  runit)
    up runit &
    within 500 has_started 4 && lacks runit 'retr|restart|give'
    ;;
  esac
}
supervisor_has() {
  supervisorctl -c conf status prog | grep -q "$1"
}

# logged TOOL [OPTION...]: PROG's output goes into logs/current; svlogd's options for that are in logs/config
logged() {
  tool=$1
  shift
  mkdir -p logs
  case $tool in
  start-stop-daemon) up start-stop-daemon --output "$PWD/logs/current" ;;
  supervisord) up supervisord 'stdout_logfile=%(here)s/logs/current' "$@" ;;
  daemonize) up daemonize --log logs/current "$@" ;;
  runit)
    mkdir -p prog.sv/log
    printf '#!/bin/sh\nexec svlogd -tt %s/logs\n' "$PWD" >prog.sv/log/run
    chmod +x prog.sv/log/run
    up runit
    ;;
  esac
  await [ -s prog.pid ]
}

daemon_rotates() {
  # 100 KB, in lines
  printf '#!/bin/sh\nseq 1 18000\nexec stay prog.pid\n' >prog
  case $1 in
  supervisord) logged supervisord stdout_logfile_maxbytes=20KB stdout_logfile_backups=3 ;;
  daemonize) logged daemonize --log-size 20k --log-keep 3 ;;
  runit)
    mkdir logs
    printf 's20000\nn3\n' >logs/config
    logged runit
    ;;
  *) logged "$1" ;;
  esac
  says within 100 rotated
}
rotated() {
  [ "$(find logs -name 'current.*' -o -name '@*' | wc -l)" -ge 2 ]
}

daemon_times() {
  printf '#!/bin/sh\necho hello\nexec stay prog.pid\n' >prog
  case $1 in
  daemonize) logged daemonize --log-time ;;
  *) logged "$1" ;;
  esac
  await grep -q hello logs/current
  grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}.*hello' logs/current || { echo no; return; }
  case $1 in
  daemonize) echo yes=--log-time ;;
  runit) echo 'yes=svlogd -tt' ;;
  *) echo yes ;;
  esac
}

daemon_many() {
  case $1 in
  supervisord)
    staying
    up supervisord '[program:other]' 'command=stay %(here)s/other.pid'
    await [ -s prog.pid ]
    await [ -s other.pid ]
    supervisorctl -c conf stop all
    says ended_both
    ;;
  runit)
    for name in prog other; do
      mkdir -p "all/$name"
      printf '#!/bin/sh\nexec stay %s/%s.pid\n' "$PWD" "$name" >"all/$name/run"
      chmod +x "all/$name/run"
    done
    runsvdir all &
    await [ -s prog.pid ]
    await [ -s other.pid ]
    sv stop "$PWD/all/prog" "$PWD/all/other"
    says ended_both
    ;;
  *) lacks "$1" 'programs|services|daemons' ;;
  esac
}
ended_both() {
  within 500 ended "$(cat prog.pid)" && within 500 ended "$(cat other.pid)"
}

daemon_limits() {
  printf '#!/bin/sh\n{ nice; ulimit -n; } >limits\nexec stay prog.pid\n' >prog
  case $1 in
  start-stop-daemon) up start-stop-daemon --nicelevel 5 ;;
  runit)
    printf '#!/bin/sh\nexec chpst -n 5 -o 64 ./real\n' >run.new
    mv prog real
    chmod +x real
    mv run.new prog
    up runit
    ;;
  *)
    lacks "$1" 'nice|rlimit|resource'
    return
    ;;
  esac
  await [ -s prog.pid ]
  nicer=$(($(head -n 1 limits) - $(nice)))
  case $nicer-$(tail -n 1 limits) in
  5-64) echo yes=chpst ;;
  5-*) echo partly:nice ;;
  *) cat limits >&2 ;;
  esac
}
