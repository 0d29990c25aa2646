# `ipcbox --install`; `make install` and `make uninstall`, into a DESTDIR, where others have some of our names; `ipcbox help`, which finds
# the page that came with the binary.

load helper/common

setup() {
  common_setup
  top=$BATS_TEST_DIRNAME/..
  at=$PWD/dest/opt/x
  mapfile -t applets < <("$IPCBOX" --list)
}

teardown() {
  common_teardown
}

# install_sh ACTION [NAME=VALUE]...: as the Makefile calls it, with the binary that is tested
install_sh() {
  local action=$1
  shift
  (cd "$top" && env PREFIX=/opt/x DESTDIR="${at%/opt/x}" "$@" sh contrib/install.sh "$action" "${IPCBOX%/*}" "${applets[@]}")
}

# ucspi-tcp's, in a word
foreign() {
  mkdir -p "$at/bin" "$at/share/man/man1"
  script "$at/bin/tcpserver" 'echo theirs'
  echo '.Nd accept incoming TCP connections' >"$at/share/man/man1/tcpserver.1"
}

foreign_is_there() {
  [ "$("$at/bin/tcpserver")" = theirs ]
  [ "$(cat "$at/share/man/man1/tcpserver.1")" = '.Nd accept incoming TCP connections' ]
}

# ---- ipcbox --install ----

@test "--install makes hard links, --install -s symbolic ones" {
  mkdir hard symbolic
  cp "$IPCBOX" box
  ./box --install hard
  ./box --install -s symbolic
  local applet
  for applet in "${applets[@]}"; do
    [ "hard/$applet" -ef box ]
    [ ! -L "hard/$applet" ]
    [ "$(readlink "symbolic/$applet")" = "$PWD/box" ]
  done
  [ hard/ipcbox -ef box ]
  [ "$(find hard | wc -l)" -eq $((${#applets[@]} + 2)) ]
  run -0 hard/sockenv -e echo works
  [ "$output" = works ]
}

@test "--install refuses a name that exists, and changes nothing" {
  local kind
  for kind in 'touch taken/tcpserver' 'mkdir taken/tcpserver' 'ln -s nowhere taken/tcpserver'; do
    mkdir taken
    $kind
    for option in '' -s; do
      # shellcheck disable=SC2086
      run -111 "$IPCBOX" --install $option taken
      [ "$output" = "ipcbox: install tcpserver: File exists" ]
      [ "$(ls -A taken)" = tcpserver ]
    done
    rm -r taken
  done
}

@test "--install -f replaces what is there, but no directory" {
  mkdir taken
  cp "$IPCBOX" box
  echo old >taken/tcpserver
  ln -s nowhere taken/sockenv
  ./box --install -f taken
  [ taken/tcpserver -ef box ]
  ./box --install -f -s taken
  ./box --install -s -f taken
  [ "$(readlink taken/sockenv)" = "$PWD/box" ]
  ./box --install -f taken
  ./box --install -f taken
  [ "$(find taken | wc -l)" -eq $((${#applets[@]} + 2)) ]
  rm taken/unixclient
  mkdir taken/unixclient
  run -111 ./box --install -f taken
  [ "$output" = "ipcbox: install unixclient: Is a directory" ]
  [ -d taken/unixclient ]
  [ -z "$(find taken -name '.*')" ]
}

@test "--install into what can't be written is 111 and leaves nothing" {
  run -111 "$IPCBOX" --install nowhere
  [ "$output" = "ipcbox: open nowhere: No such file or directory" ]
  : >file
  run -111 "$IPCBOX" --install -s file
  [ "$output" = "ipcbox: open file: Not a directory" ]
  mkdir -m 555 locked
  [ ! -w locked ] || locked=/proc # root may write everywhere but there
  run -111 "$IPCBOX" --install -s "${locked:-locked}"
  [[ $output == "ipcbox: install ${applets[0]}: "* ]]
  [ -z "$(ls -A locked)" ]
}

@test "--install that fails half-way takes back what it has made" {
  need strace strace
  mkdir dir
  run -111 strace -qq -o trace -e inject=symlinkat:error=ENOSPC:when=3 "$IPCBOX" --install -s dir
  [ "$output" = "ipcbox: install ${applets[2]}: No space left on device" ]
  [ -z "$(ls -A dir)" ]
}

@test "--install on another file system makes no hard links, and leaves nothing" {
  [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d "$IPCBOX")" ] || skip "needs another file system"
  local dir
  dir=$(mktemp -d /dev/shm/ipcbox.XXXXXX)
  run "$IPCBOX" --install "$dir"
  local left
  left=$(ls -A "$dir")
  rm -r "$dir"
  [ "$status" -eq 111 ]
  [[ $output == "ipcbox: install ${applets[0]}: "*ross-device\ link ]] # as libc has it
  [ -z "$left" ]
}

@test "--install makes the link ipcbox, too, but not where the binary is that" {
  mkdir here
  cp "$IPCBOX" here/ipcbox
  here/ipcbox --install here
  [ here/reap -ef here/ipcbox ]
  here/ipcbox --install -f -s here
  [ ! -L here/ipcbox ]
  [ "$(readlink here/reap)" = "$PWD/here/ipcbox" ]
  run -0 here/reap --version
  mkdir there
  : >there/ipcbox
  run -111 here/ipcbox --install there
  [ "$output" = "ipcbox: install ipcbox: File exists" ]
  [ "$(ls -A there)" = ipcbox ]
}

@test "--install --prefix puts a word before the applets' names" {
  "$IPCBOX" --install -s -p --prefix ipc- new
  [ "$(find new -type l | wc -l)" -eq $((${#applets[@]} + 1)) ]
  [ -L new/ipcbox ]
  run -0 new/ipc-mkfifo-sig --version
  [[ $output == "mkfifo-sig (ipcbox) "* ]]
  run -100 new/ipc-tcpclient
  [[ $output == "tcpclient: "* ]]
}

@test "--install --prefix: what is no prefix is a usage error, and makes nothing" {
  local word
  for word in '' a -a- .a- a/b- "$(printf '%065d-' 0)"; do
    wrong_call ipcbox --install -s -p --prefix "$word" new
    [ "${stderr_lines[0]}" = "ipcbox: option --prefix '$word': expected letters, digits, '.', '_' or '-', ending with '-'" ]
  done
  [ ! -e new ]
}

@test "--install -p with a path that no call takes is 111" {
  local long
  printf -v long '%05000d' 0
  run -111 "$IPCBOX" --install -s -p "$long"
  [[ $output == "ipcbox: mkdir 0"*"0...: File name too long" ]]
}

@test "--install -p makes the directory and its parents, and takes them back when it fails" {
  "$IPCBOX" --install -s -p a/b/c/
  [ -L a/b/c/ipcbox ]
  run -111 "$IPCBOX" --install -s -p a/b/c
  [ -L a/b/c/ipcbox ]
  : >file
  run -111 "$IPCBOX" --install -s -p file/x
  [ "$output" = "ipcbox: mkdir file/x: Not a directory" ]
  need strace strace
  run -111 strace -qq -o trace -e inject=symlinkat:error=ENOSPC:when=3 "$IPCBOX" --install -s -p a/x/y/z
  [ "$output" = "ipcbox: install ${applets[2]}: No space left on device" ]
  [ "$(ls a)" = b ]
}

# ---- make install ----

@test "make passes what it is told on to install.sh" {
  need make make
  mkdir -p src/contrib
  ln -s "$top/Makefile" "$top/applets" "$top/common" src/
  echo 'echo "<$PREFIX> <$DESTDIR> <$LINKS> <$NAME_PREFIX> <$*>"' >src/contrib/install.sh
  run -0 make -s -C src -o all install PREFIX=/p DESTDIR="/d e" LINKS=all NAME_PREFIX=ipc-
  [[ $output == *"</p> </d e> <all> <ipc-> <install "*" tcpserver "* ]]
  run -0 make -s -C src uninstall
  [[ $output == *"</usr/local> <> <free> <> <uninstall "*" tcpserver "* ]]
}

@test "an installation works, and uninstall takes all of it away" {
  run -0 install_sh install
  [ -z "$output" ]
  local applet
  for applet in "${applets[@]}"; do
    run -0 "$at/bin/$applet" --version
    [[ $output == "$applet (ipcbox) "* ]]
    [ -s "$at/share/man/man1/$applet.1" ]
    [ -s "$at/share/bash-completion/completions/$applet" ]
    [ -s "$at/share/fish/vendor_completions.d/$applet.fish" ]
  done
  [ -s "$at/share/man/man7/ipcbox.7" ]
  grep -q '^#compdef ipcbox .* tcpserver ' "$at/share/zsh/site-functions/_ipcbox"
  run -0 install_sh install # once more, over itself
  [ -z "$output" ]
  install_sh uninstall
  [ -z "$(find "$at" ! -type d)" ]
}

@test "the units are examples, and name the programs that were installed" {
  local units=$at/share/doc/ipcbox/examples/systemd
  install_sh install
  run ! grep -r /usr/local "$units"
  grep -q '^ExecStart=/opt/x/bin/tcpserver ' "$units/tcpserver@.service"
  install_sh install NAME_PREFIX=ipc-
  grep -q '^ExecStart=/opt/x/bin/ipc-tcpserver ' "$units/tcpserver@.service"
  install_sh uninstall
  foreign
  install_sh install
  grep -q '^ExecStart=/opt/x/bin/ipcbox tcpserver ' "$units/tcpserver@.service"
}

@test "bats finds the library where it was installed" {
  install_sh install
  printf 'bats_load_library ipcbox\n@test one { declare -F start_server; }\n' >one.bats
  BATS_LIB_PATH=$at/lib/bats run -0 bats --tap one.bats 3>&-
  install_sh uninstall
  [ ! -e "$at/lib/bats/ipcbox" ]
}

@test "the recipes of the cookbook are examples, for all users, and name the programs that were installed" {
  local examples=$at/share/doc/ipcbox/examples
  (umask 077 && install_sh install NAME_PREFIX=ipc-)
  diff <(cd "$top/examples" && find . -type f -printf '%p\n' | sort) \
    <(cd "$examples" && find . -type f -not -path './systemd/*' -printf '%p\n' | sort)
  [ "$(find "$examples" -name backup -printf %m)$(find "$examples" -name crontab -printf %m)" = 755644 ]
  grep -q ' /opt/x/bin/ipc-deadline .* /opt/x/bin/ipc-lockrun ' "$examples/cron/crontab"
  install_sh uninstall
  [ -z "$(find "$at" ! -type d)" ]
}

@test "the demo runs from where it was installed" {
  install_sh install
  [ -x "$at/share/doc/ipcbox/demo.sh" ]
  grep -qF '${1:-/opt/x/bin/ipcbox}' "$at/share/doc/ipcbox/demo.sh"
  run -0 "$at/share/doc/ipcbox/demo.sh" "$at/bin/ipcbox" </dev/null
}

@test "LINKS=free leaves what is not ours alone, names it, and so does uninstall" {
  foreign
  run -0 install_sh install
  [ "${lines[0]}" = "install: left alone $at/bin/tcpserver, which is not part of ipcbox" ]
  [ "${lines[1]}" = "install: left alone $at/share/man/man1/tcpserver.1, which is not part of ipcbox" ]
  [ "${#lines[@]}" -eq 2 ]
  foreign_is_there
  [ "$(readlink "$at/bin/tcpclient")" = ipcbox ]
  install_sh uninstall
  foreign_is_there
  [ "$(find "$at" ! -type d | wc -l)" -eq 2 ]
}

@test "a link that leads elsewhere, and a directory, are not ours" {
  mkdir -p "$at/bin/reap"
  ln -s /usr/bin/env "$at/bin/deadline"
  ln -s nowhere "$at/bin/killpg"
  run -0 install_sh install
  [ "${#lines[@]}" -eq 3 ]
  install_sh uninstall
  [ "$(readlink "$at/bin/deadline")" = /usr/bin/env ]
  [ -L "$at/bin/killpg" ]
  [ -d "$at/bin/reap" ]
  run -1 install_sh install LINKS=all
  [[ $output == *"install: $at/bin/reap is a directory" ]]
}

@test "LINKS=all replaces what is not ours, and names it" {
  foreign
  run -0 install_sh install LINKS=all
  [ "${lines[0]}" = "install: replaced $at/bin/tcpserver, which is not part of ipcbox" ]
  [ "${lines[1]}" = "install: replaced $at/share/man/man1/tcpserver.1, which is not part of ipcbox" ]
  [ "${#lines[@]}" -eq 2 ]
  [ "$(readlink "$at/bin/tcpserver")" = ipcbox ]
  grep -q ipcbox "$at/share/man/man1/tcpserver.1"
}

@test "LINKS=none installs ipcbox alone" {
  run -0 install_sh install LINKS=none
  [ "$(ls "$at/bin")" = ipcbox ]
  [ "$(LC_ALL=C ls "$at/share/man/man1")" = $'ipcbox-status.1\nipcbox.1' ]
  run -1 install_sh install LINKS=some
  [ "$output" = "install: LINKS is 'some': expected free, all or none" ]
}

@test "NAME_PREFIX: links, pages and completion have it, and uninstall finds them without" {
  foreign
  run -0 install_sh install NAME_PREFIX=ipc-
  [ -z "$output" ]
  foreign_is_there
  run -0 "$at/bin/ipc-mkfifo-sig" --version
  [[ $output == "mkfifo-sig (ipcbox) "* ]]
  [ ! -e "$at/bin/mkfifo-sig" ]
  [ -s "$at/share/man/man1/ipc-tcpserver.1" ]
  grep -q '^complete -F _ipcbox ipcbox .* ipc-tcpserver' "$at/share/bash-completion/completions/ipc-tcpserver"
  [ -s "$at/share/fish/vendor_completions.d/ipc-tcpserver.fish" ]
  install_sh uninstall
  foreign_is_there
  [ "$(find "$at" ! -type d | wc -l)" -eq 2 ]
  run -1 install_sh install NAME_PREFIX=ipc
  [[ $output == "install: NAME_PREFIX is 'ipc'"* ]]
}

# ---- ipcbox help ----

# man -l FILE in the way of the real one: what it was given
with_man() {
  script bin/man 'printf "%s\n" "$@" >man.args'
}

@test "ipcbox help APPLET shows the page that was installed with it, though another's has its name" {
  foreign
  install_sh install
  with_man
  run -0 "$at/bin/ipcbox" help tcpserver
  [ -z "$output" ]
  [ "$(head -n 1 man.args)" = -l ]
  [ "$(sed -n 2p man.args)" -ef "$at/share/ipcbox/man/tcpserver.1" ]
  grep -q 'run a program for each TCP connection' "$(sed -n 2p man.args)"
  run -0 "$at/bin/ipcbox" help
  [[ $(sed -n 2p man.args) == */ipcbox.1 ]]
  run -0 "$at/bin/ipcbox" help ipcbox
  [[ $(sed -n 2p man.args) == */ipcbox.1 ]]
}

@test "ipcbox help shows the page beside the binary in the source tree" {
  mkdir -p tree/build tree/man
  cp "$IPCBOX" tree/build
  : >tree/man/reap.1
  : >tree/man/ipcbox-status.1
  with_man
  run -0 tree/build/ipcbox help reap
  [ "$(sed -n 2p man.args)" -ef tree/man/reap.1 ]
  run -0 tree/build/ipcbox help status
  [ "$(sed -n 2p man.args)" -ef tree/man/ipcbox-status.1 ]
}

@test "ipcbox help prints --help where there is no man, or no page" {
  mkdir empty
  cp "$IPCBOX" empty/ipcbox
  run -0 --separate-stderr env PATH=/nowhere "$IPCBOX" help reap
  [ "$output" = "$("$IPCBOX" reap --help)" ]
  [ -z "$stderr" ]
  run -0 --separate-stderr env PATH=/nowhere "$IPCBOX" help
  [ "$output" = "$("$IPCBOX" --help)" ]
  with_man
  run -0 --separate-stderr empty/ipcbox help reap
  [ "$output" = "$("$IPCBOX" reap --help)" ]
  [ ! -e man.args ]
}

@test "ipcbox help of what there is not names the nearest" {
  run -127 "$IPCBOX" help tcpservr
  [ "$output" = "ipcbox: unknown applet 'tcpservr'; did you mean tcpserver?" ]
  run -127 "$IPCBOX" hlep
  [ "$output" = "ipcbox: unknown applet 'hlep'; did you mean help?" ]
  wrong_call ipcbox help reap deadline
  [ "${stderr_lines[0]}" = "ipcbox: unexpected operand 'deadline'" ]
}
