#!/bin/sh
# applet.sh NAME [SUMMARY [THEME]]: a new applet, from contrib/applet/: its source, its page, its tests, and the lines about it
# in README.md, man/ipcbox.1, bats/docs.bats, bats/hostile-start.bats and check/torture/uses. SUMMARY completes "NAME: "; THEME
# is signals, pipes, daemons, sockets, time or sysv. CONTRIBUTING.md goes on from there.
set -eu
export LC_ALL=C
name=${1:-} summary=${2:-run a program} theme=${3:-signals}

stop() {
  echo "make applet: $*" >&2
  exit 1
}
case $name in
'') stop "usage: make applet NAME=... [SUMMARY='run a program'] [THEME=signals]" ;;
[!a-z]* | *[!a-z0-9-]* | *-) stop "NAME '$name': expected lower-case letters, digits and -, with a letter first" ;;
esac
for file in "applets/$name.c" "man/$name.1" "bats/$name.bats"; do
  [ ! -e "$file" ] || stop "$file is there already"
done
case $summary in
*[!A-Za-z0-9,\ -]* | *.) stop "SUMMARY '$summary': expected letters, digits, blanks, commas and hyphens, without a full stop" ;;
esac
case $theme in
signals) heading='### Signals and processes' ;;
pipes) heading='### Pipes, FIFOs, coprocesses' ;;
daemons) heading='### Daemons' ;;
sockets) heading='### Sockets' ;;
time) heading='### Time' ;;
sysv) heading='### System V IPC' ;;
*) stop "THEME '$theme': expected signals, pipes, daemons, sockets, time or sysv" ;;
esac
grep -qx -- "$heading" README.md || stop "README.md has no '$heading'"

upper() {
  printf '%s' "$1" | tr '[:lower:]' '[:upper:]'
}
# fill TEMPLATE FILE
fill() {
  ident=$(printf '%s' "$name" | tr - _)
  sed "s/@NAME@/$name/g; s/@TITLE@/$(upper "$name")/g; s/@SUMMARY@/$summary/g; s/@ident@/$ident/g; s/@IDENT@/$(upper "$ident")/g
    s/@THEME@/$(upper "$theme")/g; s/@DATE@/$(date '+%B %e, %Y' | tr -s ' ')/g" "contrib/applet/$1" >"$2"
}
# insert FILE FROM PATTERN LINES: LINES before the first line below the line FROM that matches PATTERN and sorts behind it, or
# behind the last that matches
insert() {
  awk -v from="$2" -v pattern="$3" -v lines="$4" '
    function put() { if (!done) print lines; done = 1 }
    function key(line) { gsub(/`/, " ", line); return line } # open2 is before open2-x
    below && $0 ~ pattern { seen = 1; if (key($0) > key(lines)) put() }
    below && seen && $0 !~ pattern && !done { put() }
    { print }
    $0 == from { below = 1 }
    END { put() }' "$1" >"$1.new"
  cat "$1.new" >"$1"
  rm "$1.new"
}

fill applet.c "applets/$name.c"
fill applet.1 "man/$name.1"
fill applet.bats "bats/$name.bats"
insert README.md "$heading" '^[|] `' "| \`$name\` | $summary |"
awk 'match($0, /binary with [0-9]+ applets/) { split(substr($0, RSTART), word, " "); sub(/with [0-9]+ applets/, "with " word[3] + 1 " applets") }
  { print }' README.md >README.md.new
cat README.md.new >README.md
rm README.md.new
insert man/ipcbox.1 '.Sh SEE ALSO' '^[.]Xr [a-z0-9-]* 1 ,' ".Xr $name 1 ,"
cat >>bats/docs.bats <<EOF

@test "$name(1)" {
  examples man/$name.1
}
EOF
insert bats/hostile-start.bats '  cat <<U' '^[-a-z]' "$name cat in"
printf '[%s]\nrun = %s sh -c '\''echo out; exit 3'\''\n' "$name" "$name" >>check/torture/uses
! command -v clang-format >/dev/null || clang-format -i "applets/$name.c"
echo "applets/$name.c, man/$name.1, bats/$name.bats; a line each in README.md, man/ipcbox.1 and the tables of tests"
echo "next: make && make test TESTS=bats/$name.bats && make check; then what CONTRIBUTING.md lists"
