#!/bin/sh
# units.sh BUILD: the units of contrib/systemd as systemd-analyze(1) sees them, with the applets where BUILD has them: right, and
# confined; and those of the recipes, which are shorter: right.
set -eu
export LC_ALL=C
dir=$(mktemp -d "$1/units.XXXXXX")
trap 'rm -rf "$dir"' EXIT
binary=$(readlink -f "$1/ipcbox")
mkdir "$dir/bin"
"$binary" --install -s "$dir/bin"
bin=$(readlink -f "$dir/bin")
cp examples/restart/web "$bin"
units='' confined=''
for unit in contrib/systemd/* examples/*/*.service examples/*/*.socket; do
  # a template is verified as an instance
  name=$(basename "$unit" | sed 's/@\./@7./')
  sed "s|/usr/local/bin/|$bin/|g" "$unit" >"$dir/$name"
  units="$units $dir/$name"
  case $unit in contrib/*.service) confined="$confined $dir/$name" ;; esac
done
# shellcheck disable=SC2086 # a list of words
SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no $units
# below 3, of 10
for unit in $confined; do
  systemd-analyze security --offline=yes --threshold=29 "$unit" >"$dir/said" 2>&1 || {
    cat "$dir/said" >&2
    exit 1
  }
done
