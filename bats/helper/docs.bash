# What docs.bats is made of: the examples of a page of the documentation, each run as printed in namespaces of its own.

# not_run: examples that no test can run, by a pattern that their text has, each with the reason. At most ten.
not_run=(
  'make (demo|test|check|install|help|bench|static|deb|one)|make$ :: this very build and its tests'
  '/dev/ttyS0 :: there is no such device here'
  '^unshare --user :: a namespace of its own, with a shell that waits for its user'
  '^semtake 1234$ :: it takes two terminals'
  ' stream tcp (no)?wait :: a line for inetd.conf'
  'tar c -C / usr :: all of /usr takes minutes'
  'shutdown now :: it would need a machine of its own'
)

# what is run where it is installed: program, Debian's package
wanted=(bc:bc jq:jq python3:python3 perl:perl strace:strace curl:curl ps:procps pgrep:procps socat:socat
  systemd-socket-activate:systemd free:procps uptime:procps who:coreutils logger:bsdutils bats:bats gzip:gzip nc:netcat-openbsd
  openssl:openssl stunnel:stunnel4 haproxy:haproxy redis-server:redis-server git:git rsync:rsync sqlite3:sqlite3)

need_world() {
  local flags=(--net --mount --ipc --uts --pid --fork --kill-child)
  [ "$(id -u)" -eq 0 ] || flags+=(--map-root-user)
  unshare "${flags[@]}" sh -c 'mount -t proc proc /proc && mount -t tmpfs none /srv && mount --bind /etc /etc' 2>/dev/null ||
    skip "needs network, mount, IPC and pid namespaces"
  world=(unshare "${flags[@]}")
  make_etc
}

# A copy of /etc in which the hosts and users of the examples are; one for all tests of the file.
make_etc() {
  local name
  etc=$BATS_FILE_TMPDIR/etc
  [ ! -d "$etc" ] || return 0
  cp -a /etc "$etc" 2>/dev/null || :
  rm -f "$etc/hosts" "$etc/nsswitch.conf" "$etc/resolv.conf"
  {
    echo 127.0.0.1 localhost
    echo ::1 localhost
    echo 127.0.0.1 example.com www.example.com there.example here.example db.example mail.example queue.example
    echo 127.0.0.1 ntp.example pool.ntp.org time.example host dst
  } >"$etc/hosts"
  printf 'passwd: files\ngroup: files\nhosts: files\nservices: files\n' >"$etc/nsswitch.conf"
  for name in talk www postgres operators; do
    grep -q "^$name:" "$etc/passwd" || echo "$name:x:4242:4242::/:/bin/sh" >>"$etc/passwd"
    grep -q "^$name:" "$etc/group" || echo "$name:x:4242:" >>"$etc/group"
  done
  printf '127.:allow\n192.168.0.0/16:allow,NETWORK="home"\n[2001:db8::]/32:allow\n:deny\n' >"$etc/finger.rules"
}

# why_not EXAMPLE: prints why it is not run; 1 if it is. A recipe that it runs may need a program, too.
why_not() {
  local row name pattern text file recipes
  mapfile -t recipes < <(cd "$BATS_TEST_DIRNAME/.." && grep -oE 'examples/[a-z]+/[a-z]+' "$BATS_TEST_TMPDIR/$1" |
    xargs -r realpath)
  for row in "${not_run[@]}"; do
    grep -qE -- "${row% :: *}" "$1" && echo "${row#* :: }" && return
  done
  text=
  for file in "$1" "${recipes[@]}"; do text+=$(<"$file")$'\n'; done
  for row in "${wanted[@]}"; do
    name=${row%:*}
    pattern="(^|[ |('\"]|"$'\n'")$name([ '\"]|"$'\n'")"
    [[ $text =~ $pattern ]] && ! command -v "$name" >/dev/null && echo "needs $name (Debian: ${row#*:})" && return
  done
  if grep -qE '(^| )redis:[a-z]' "$1" && ! command -v redis-server >/dev/null; then
    echo "needs redis-server (Debian: redis-server)"
    return
  fi
  if grep -q 'import pytest' "$1" && ! python3 -c 'import pytest' 2>/dev/null; then
    echo "needs pytest (Debian: python3-pytest)"
    return
  fi
  if grep -qE 'www\.example\.com[: ]443' "$1" && ! command -v stunnel >/dev/null; then
    echo "needs stunnel (Debian: stunnel4)" # of which the server there is made
    return
  fi
  name=$(grep -oE -- '-M[A-Z][A-Za-z:]*' "$1" | head -n 1) || :
  [ -z "$name" ] || perl "$name" -e 1 2>/dev/null || { echo "needs perl's ${name#-M} (Debian: perl)" && return; }
  # rsync, which finds itself root in a user namespace, becomes nobody
  if [ "$(id -u)" -ne 0 ] && grep -qE -- "( -u | -o :| -u\$|chown|\\[::1?\\]|examples/rsync)" "$1"; then
    echo "needs root"
    return
  fi
  return 1
}

# What differs from run to run, masked: dates, pids, ids, ports that the kernel picks, durations, and of an offset in
# seconds the last figure (a second may end between an answer and its arrival).
masked() {
  sed -E \
    -e 's/^.*: line [0-9]+: +[0-9]+ (Killed|Terminated).*/\1/' \
    -e 's/[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}/DATE/g' \
    -e 's/[A-Z][a-z]+, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT/DATE/g' \
    -e 's/[A-Z][a-z]+day, [A-Z][a-z]+ [0-9]{1,2}, [0-9]{4} [0-9:]{8}-UTC/DATE/g' \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?/DATE/g' \
    -e 's/^([0-9a-z.:]+) +([0-9-]*)[0-9] DATE/\1 \2x DATE/; s/ 5x DATE/ 6x DATE/; s/ -5x DATE/ -6x DATE/' \
    -e 's/ 359x DATE/ 360x DATE/; s/ -359x DATE/ -360x DATE/; s/ -x DATE/ x DATE/' \
    -e 's/^[0-9:]{8}(\.[0-9]+)? /TIME /' \
    -e 's/^20[0-9]{2}$/YEAR/' \
    -e 's/^Server: .*/Server: x/' \
    -e 's/([Pp]id[ =]|PID |pid: |"pid":)[0-9]+/\1N/g' \
    -e 's/(process )[0-9]+:/\1N:/' \
    -e 's/(wait_?pid|last_pid|lspid|lrpid) [0-9]+/\1 N/g' \
    -e 's/ (fence|milliseconds_left|host|token) [^ ]+/ \1 X/g' \
    -e 's/(seconds=|"seconds":)[0-9.]+/\1N/g' \
    -e 's/^(shm key|deleting shm|id) [0-9]+/\1 N/; s/^id:[0-9]+/id:N/; s/(key )0x[0-9a-f]+/\1N/' \
    -e 's/^((creator_)?[ug]id) [0-9]+/\1 N/' \
    -e 's/(port |:)[3-6][0-9]{4}/\1N/g' \
    -e 's/[[:space:]]+$//' "$1" |
    if grep -qE "stage=| done\$|--tag|(udp|tcp)time" "$1" "$2"; then sort; else cat; fi
}

# run_example BASE KIND: runs it, compares what it printed with what is shown.
run_example() {
  local base=$1 kind=$2 status=0
  timeout --foreground -k 5 60 "${world[@]}" bash "$BATS_TEST_DIRNAME/helper/world.bash" "$etc" "$IPCBOX" "$HELPERS" \
    "$base.$kind" "$kind" >"$base.printed" </dev/null 3>&- || status=$?
  if [ "$status" -eq 0 ] && [ -e "$base.expected" ]; then
    masked "$base.expected" "$base.$kind" >"$base.want"
    masked "$base.printed" "$base.$kind" >"$base.got"
    diff -u "$base.want" "$base.got" >"$base.diff" || status='diff'
  fi
  if [ "$status" = 0 ] && grep -qE "^Try '[a-z0-9 -]+ --help'\.|command not found|: not found|No such file" "$base.printed" &&
    ! grep -qE "^Try '|not found|No such file" "$base.expected" 2>/dev/null; then
    status="a failed command"
  fi
  [ "$status" != 0 ] || return 0
  {
    echo "$(cat "$base.where"): ($kind) status $status"
    sed 's/^/  > /' "$base.$kind"
    if [ "$status" = 'diff' ]; then cat "$base.diff"; else cat "$base.printed"; fi
  } >&2
  return 1
}

# examples FILE [FROM TO]: all that the file has (or those in these lines), and not none. Those that can't be run here are
# named with their reasons; when that is all of them, so is the test.
examples() {
  local - file base kind why failed=0 ran=0 left='' line
  set +T # bats' trap for each command is a tenth of the time
  need_world
  mkdir examples
  (cd "$BATS_TEST_DIRNAME/.." && awk -v out="$BATS_TEST_TMPDIR/examples" -f bats/helper/examples.awk "$1")
  for file in examples/*.where; do
    base=${file%.where}
    line=$(sed 's/.*://' "$file")
    ((line >= ${2:-0} && line < ${3:-99999})) || continue
    for kind in console sh bats crontab dockerfile unit; do
      [ ! -e "$base.$kind" ] || break
    done
    if why=$(why_not "$base.$kind"); then
      left="$left$(cat "$file"): not run: $why"$'\n'
    elif run_example "$base" "$kind"; then
      ran=$((ran + 1))
    else
      failed=$((failed + 1))
    fi
  done
  [ -z "$left" ] || printf '%s' "$left"
  [ "$failed" -eq 0 ]
  [ "$ran" -gt 0 ] || skip "$(printf '%s' "$left" | head -n 1)"
}
