#!/bin/sh
# uses.sh QEMU BINARY: plain uses of the applets, run by the emulator, each of which must have its status and its output.
# Prints how many there were, or those that went wrong, and fails then.
# shellcheck disable=SC2016 # for the shells that are started
set -eu
export LC_ALL=C
qemu=$1 binary=$(readlink -f "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
total=0 wrong=0

# what programs that we start need to start another of us: the kernel knows nothing of the emulator
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$qemu" "$binary" >"$dir/box"
chmod +x "$dir/box"
cd "$dir"
exec 9>taken
flock 9

# use STATUS OUTPUT WORD...
use() {
  want=$1 text=$2
  shift 2
  status=0
  output=$(timeout 60 ./box "$@" 2>err 9>&-) || status=$?
  total=$((total + 1))
  if [ "$status" -ne "$want" ] || [ "$output" != "$text" ]; then
    wrong=$((wrong + 1))
    echo "wrong: $*: status $status, not $want; output '$output', not '$text'"
    cat err
  fi
}

use 0 15 signame TERM
use 124 '' deadline 0.3 sleep 5
use 3 '' deadline 60 sh -c 'exit 3'
use 0 '' lockrun lock true
use 124 '' lockrun -t 0.2 taken true
use 0 'of an orphan' reap sh -c '(sleep 0.2 & exec true); echo of an orphan'
use 0 '' sigexec -i PIPE true
use 1 HELLO safepipe echo hello ::: tr a-z A-Z ::: sh -c 'cat; exit 1'
use 0 'it says HELLO' open2 tr a-z A-Z ::: sh -c 'echo hello >&7; exec 7>&-; read -r answer <&6; echo "it says $answer"'
use 124 '' waitfor -t 0.3 file nonexistent
use 0 '' sockenv -e true
use 0 HELLO withserver ./box tcpserver -1 127.0.0.1 0 tr a-z A-Z ::: sh -c 'echo hello | ./box tcpclient 127.0.0.1 $PORT'
use 0 HELLO withserver ./box unixserver -1 ./socket tr a-z A-Z ::: sh -c 'echo hello | ./box unixclient "$SOCKET"'
use 0 HELLO withserver ./box udpserver -1 127.0.0.1 0 tr a-z A-Z ::: sh -c './box udpclient 127.0.0.1 $PORT hello'
use 0 127.0.0.1 withserver ./box timeserver -1 127.0.0.1 0 ::: sh -c './box udptime -p $PORT 127.0.0.1 | cut -d " " -f 1'
use 0 '' daemonize -p pidfile --log log sleep 60
use 0 '' daemonize -p pidfile --stop

if [ $wrong -eq 0 ]; then echo "$total plain uses under ${qemu##*/}"; else exit 1; fi
