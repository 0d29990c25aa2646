# contrib/Containerfile as what it makes: a root directory with nothing but the static binary. Its words are run there as a
# container engine runs them, in namespaces of processes and mounts, with the /proc and /dev/null that the OCI runtime
# specification promises; without an engine.

load helper/common

setup() {
  common_setup
  recipe=$BATS_TEST_DIRNAME/../contrib/Containerfile
  unshare "${namespaces[@]}" true 2>/dev/null || skip "needs namespaces of its own"
  make_root
}

teardown() {
  common_teardown
}

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)

# The root, as the recipe has it; what it copies is the binary that is tested, if that is static.
make_root() {
  local from to static
  for static in "$IPCBOX" "${IPCBOX%/*}/static/ipcbox"; do
    [ ! -x "$static" ] || is_dynamic "$static" || break
    static=
  done
  [ -n "$static" ] || skip "needs a static binary: make static"
  while read -r from to; do
    [ "$from" = build/static/ipcbox ]
    mkdir -p "root${to%/*}"
    cp "$static" "root$to"
  done < <(sed -n 's/^COPY //p' "$recipe")
  [ "$(find root ! -type d | wc -l)" -eq 1 ]
  mkdir root/proc root/dev # as runtimes do
  : >root/dev/null
}

# It names an interpreter.
is_dynamic() {
  grep -qa '/lib[a-z0-9_]*/ld-' "$1"
}

# words KEY: those of the recipe's line
words() {
  sed -n "s/^$1 \\[\"\\(.*\\)\"\\]\$/\\1/p" "$recipe" | sed 's/", "/\n/g'
}

# container [ARG...]: what an engine runs: the entry point with ARGs, or with the words of CMD; in $words.
container() {
  local path entry cmd=("$@")
  path=$(sed -n 's/^ENV PATH=//p' "$recipe")
  mapfile -t entry < <(words ENTRYPOINT)
  [ $# -gt 0 ] || mapfile -t cmd < <(words CMD)
  words=(unshare "${namespaces[@]}" --mount-proc=root/proc sh -c 'mount --bind /dev/null root/dev/null
    exec env -i PATH="$0" "$(command -v chroot)" root "$@"' "$path" "${entry[@]}" "${cmd[@]}")
}

@test "an image without a command lists the applets" {
  container
  run -0 timeout --foreground 50 "${words[@]}"
  [ "$output" = "$("$IPCBOX" --list)" ]
}

@test "the status of a container is that of its program" {
  container ipcbox deadline 0.1 ipcbox timeserver 127.0.0.1 0
  run -124 timeout --foreground 50 "${words[@]}"
  container ipcbox signame nosuch
  run -100 timeout --foreground 50 "${words[@]}"
  container nosuch
  run -127 timeout --foreground 50 "${words[@]}"
}

@test "a server and a client, with nothing but the one file" {
  container ipcbox withserver ipcbox tcpserver -1 127.0.0.1 0 ipcbox pipecat - ::: ipcbox tcpclient 127.0.0.1 {PORT}
  run -0 timeout --foreground 50 "${words[@]}" <<<hello
  [ "$output" = hello ]
}

@test "SIGTERM for process 1 stops the program" {
  local child
  container ipcbox timeserver -1 127.0.0.1 0
  background outside "${words[@]}"
  until_line outside.out .
  child=$(cat "/proc/$outside/task/$outside/children")
  kill -TERM "${child% }"
  status=0
  wait "$outside" || status=$?
  [ "$status" -eq 0 ]
}
