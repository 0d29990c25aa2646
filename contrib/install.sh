#!/bin/sh
# install.sh install|uninstall BUILD APPLET...: what `make install` and `make uninstall` do, from the top of the source.
#
# PREFIX, DESTDIR   where to
# LINKS             free: a link, a page and completion for every applet whose name nobody else has taken; those that
#                   are taken are named and left alone. all: they are named and replaced. none: ipcbox alone
# NAME_PREFIX       is put before the applets' names, such as ipc-
#
# Ours is what is a link to ipcbox, or a page that names it. Nothing else is ever removed. What is installed is for all
# users, whatever the umask.
set -eu
export LC_ALL=C
umask 022
action=$1 build=$2
shift 2
prefix=${NAME_PREFIX:-} links=${LINKS:-free}
# shellcheck disable=SC2153 # the Makefile's
root=${DESTDIR:-}$PREFIX
bin=$root/bin man=$root/share/man private=$root/share/ipcbox doc=$root/share/doc/ipcbox bats=$root/lib/bats/ipcbox
bash=$root/share/bash-completion/completions zsh=$root/share/zsh/site-functions fish=$root/share/fish/vendor_completions.d

die() {
  echo "install: $*" >&2
  exit 1
}
there() {
  [ -e "$1" ] || [ -L "$1" ]
}
is_ours() {
  if [ -L "$1" ]; then
    case $(readlink "$1") in
    ipcbox | */ipcbox | ipcbox.fish | */ipcbox.fish) return 0 ;;
    esac
    return 1
  fi
  # shellcheck disable=SC3013 # dash, bash and busybox have -ef
  case $1 in
  *.[17]) [ -f "$1" ] && grep -q ipcbox "$1" ;;
  *) [ "$1" -ef "$bin/ipcbox" ] ;;
  esac
}
# Whether FILE may be made
may_make() {
  if ! there "$1" || is_ours "$1"; then return 0; fi
  if [ "$links" = all ]; then
    [ ! -d "$1" ] || die "$1 is a directory"
    echo "install: replaced $1, which is not part of ipcbox"
    return 0
  fi
  echo "install: left alone $1, which is not part of ipcbox"
  return 1
}
# link TARGET FILE
link() {
  may_make "$2" || return 0
  rm -f "$2"
  ln -s "$1" "$2"
}
# page SOURCE FILE
page() {
  may_make "$2" || return 0
  rm -f "$2" # a link would be followed
  install -m 644 "$1" "$2"
}
# examples APPLET...: the recipes and the units, with the paths that this installation has
examples() {
  script=
  for applet; do
    path="$PREFIX/bin/ipcbox $applet"
    ! is_ours "$bin/$prefix$applet" || path=$PREFIX/bin/$prefix$applet
    script="$script
s|/usr/local/bin/$applet\\([^a-z0-9-]\\)|$path\\1|g
s|/usr/local/bin/$applet\$|$path|"
  done
  for example in contrib/systemd/* examples/*/*; do
    to=$doc/examples/${example#*/}
    mode=644
    [ ! -x "$example" ] || mode=755
    install -d "${to%/*}"
    sed "$script" "$example" >"$to"
    chmod "$mode" "$to"
  done
}

install_all() {
  case $links in
  free | all | none) ;;
  *) die "LINKS is '$links': expected free, all or none" ;;
  esac
  case $prefix in
  '') ;;
  -* | *[!a-zA-Z0-9._-]* | *[!-]) die "NAME_PREFIX is '$prefix': expected letters and digits, ending with '-'" ;;
  esac
  install -d "$bin" "$man/man1" "$man/man7" "$private/man" "$doc" "$bash" "$zsh" "$fish" "$bats"
  rm -f "$bin/ipcbox" # running programs keep the old file
  install -m 755 "$build/ipcbox" "$bin/ipcbox"
  install -m 644 man/ipcbox.1 man/ipcbox-*.1 "$man/man1"
  install -m 644 man/ipcbox.7 "$man/man7"
  install -m 644 man/*.[17] "$private/man" # for `ipcbox help`, whose page may be somebody else's by that name
  "$build/ipcbox" --completion bash ${prefix:+--prefix "$prefix"} >"$bash/ipcbox"
  "$build/ipcbox" --completion zsh ${prefix:+--prefix "$prefix"} >"$zsh/_ipcbox"
  "$build/ipcbox" --completion fish ${prefix:+--prefix "$prefix"} >"$fish/ipcbox.fish"
  if [ "$links" != none ]; then
    for applet; do
      link ipcbox "$bin/$prefix$applet"
      page "man/$applet.1" "$man/man1/$prefix$applet.1"
      link ipcbox "$bash/$prefix$applet"
      link ipcbox.fish "$fish/$prefix$applet.fish"
    done
  fi
  examples "$@"
  install -m 644 contrib/bats/ipcbox.bash "$bats/load.bash" # where bats_load_library finds `ipcbox`
  install -m 644 README.md CHANGELOG.md LICENSE docs/*.md "$doc"
  # without an argument the demo shows what is installed
  # shellcheck disable=SC2016 # the demo's $1
  sed 's|"\$1"|"${1:-'"$PREFIX/bin/ipcbox"'}"|' contrib/demo.sh >"$doc/demo.sh"
  chmod 755 "$doc/demo.sh"
}

remove_ours() {
  if there "$1" && is_ours "$1"; then rm -f "$1"; fi
}
uninstall_all() {
  for applet; do
    # also those of an installation under another prefix: their links say so
    for link in "$bin/$applet" "$bin/"*"-$applet" "$bin/$prefix$applet"; do
      if ! there "$link" || ! is_ours "$link"; then continue; fi
      name=${link##*/}
      rm -f "$link"
      remove_ours "$man/man1/$name.1"
      remove_ours "$bash/$name"
      remove_ours "$fish/$name.fish"
    done
    # where the command is somebody else's, the page may be ours
    for name in "$applet" "$prefix$applet"; do
      remove_ours "$man/man1/$name.1"
      remove_ours "$bash/$name"
      remove_ours "$fish/$name.fish"
    done
  done
  for page in man/ipcbox-*.1; do
    rm -f "$man/man1/${page##*/}"
  done
  rm -f "$bin/ipcbox" "$man/man1/ipcbox.1" "$man/man7/ipcbox.7" "$bash/ipcbox" "$zsh/_ipcbox" "$fish/ipcbox.fish"
  rm -rf "$private" "$doc" "$bats"
}

case $action in
install) install_all "$@" ;;
uninstall) uninstall_all "$@" ;;
*) die "unknown action '$action'" ;;
esac
