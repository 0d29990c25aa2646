#!/bin/sh
# manpages.sh BUILD: the manual pages say what BUILD/ipcbox says of itself. For every applet: the page is there, its
# summary, its SYNOPSIS and its OPTIONS are those of --help, both ways; README.md has the tables of applets that ipcbox
# lists. mandoc(1), where it is installed, reads all pages without a warning.
set -eu
export LC_ALL=C
box=$1/ipcbox
bad=0

complain() {
  echo "manpages: $*" >&2
  bad=1
}

# same PAGE WHAT EXPECTED FOUND: two lists of lines, in any order; names what only one of them has
same() {
  only=$(printf '%s\n' "$3" /// "$4" | awk '
    $0 == "///" { second = 1; next }
    $0 == "" { next }
    { seen[$0] = seen[$0] (second ? "2" : "1") }
    END {
      for (line in seen)
        if (seen[line] == "1") print "  not in the page: " line
        else if (seen[line] == "2") print "  not in --help:   " line
        else if (seen[line] != "12") print "  more than once:  " line
    }' | sort)
  [ -z "$only" ] || complain "$1: $2 differ from --help:
$only"
}

# Renders the macro lines that SYNOPSIS and the heads of OPTIONS are made of. Prints "form TEXT" for each form of the
# synopsis, "option TEXT" for each option, "summary TEXT" for .Nd, "title TEXT" for .Dt, "wrong TEXT" for what it
# can't read.
render() {
  awk '
    # a word, with a blank before it unless one of the two asks for none
    function put(word) {
      text = text (text == "" || tight ? "" : " ") word
      tight = 0
    }
    # .Fl puts a - before each of its words, and is one by itself: "Fl Fl x" is --x
    function end_flag() {
      if (macro == "Fl" && !words) put("-")
    }
    function begin(name) {
      macro = name
      words = 0
    }
    function word_of(w) {
      gsub(/\\&/, "", w)
      gsub(/\\-/, "-", w)
      gsub(/\\e/, "\\", w)
      return w
    }
    # one line of macros, from its i-th word on
    function line_from(i, w, ops) {
      ops = 0
      begin("")
      for (; i <= NF; i++) {
        w = $i
        if (w == "Fl" && macro == "Fl" && !words) { put("-"); tight = 1 }
        else if (w == "Fl" || w == "Ar" || w == "Cm" || w == "No") { end_flag(); begin(w) }
        else if (w == "Nm") { end_flag(); put(name); begin(w) }
        else if (w == "Ns") { end_flag(); tight = 1; begin("") }
        else if (w == "Op" || w == "Oo") { end_flag(); put("["); tight = 1; begin(""); if (w == "Op") ops++ }
        else if (w == "Oc") { end_flag(); tight = 1; put("]"); begin("") }
        else if (w ~ /^[A-Z][a-z]$/) { print "wrong line " FNR ": macro " w " is not expected here"; return }
        else if (w ~ /^[.,;:)?!]$/ || w == "]") { end_flag(); tight = 1; put(w); words = 1 }
        else if (w == "|") { end_flag(); put(w); begin("") }
        else { put((macro == "Fl" ? "-" : "") word_of(w)); words++ }
      }
      end_flag()
      while (ops--) { tight = 1; put("]") }
    }
    function end_form() {
      if (text != "") print "form " text
      text = ""
    }
    /^\.\\"/ { next }
    /^\.Dt / { print "title " $2 " " $3 }
    /^\.Sh / {
      if (section == "SYNOPSIS") end_form()
      section = substr($0, 5)
      next
    }
    section == "NAME" && $1 == ".Nm" { name = $2 }
    section == "NAME" && $1 == ".Nd" { print "summary " word_of(substr($0, 5)) }
    section == "SYNOPSIS" && /^\.(Pp|Bk|Ek)/ { next }
    section == "SYNOPSIS" && $1 == ".Nm" {
      end_form()
      other = $2 ~ /^[a-z]/ # ipcbox, in a page about one of its commands
      text = other ? $2 : name
      if (NF > 1 + other) line_from(2 + other)
      next
    }
    section == "SYNOPSIS" {
      sub(/^\./, "", $1)
      line_from(1)
    }
    section == "OPTIONS" && $1 == ".It" {
      text = ""
      tight = 0
      line_from(2)
      print "option " text
      text = ""
    }' "$1"
}

# part KIND: the lines of that kind from the rendered page
part() {
  printf '%s\n' "$page" | sed -n "s/^$1 //p"
}

# usage_of COMMAND: the forms of the Usage: lines
usage_of() {
  printf '%s\n' "$help" | sed -n "/^Usage: $1 /,/^ *$/{
    s/^Usage: \($1 .*\)/\1/p
    s/^       \($1 .*\)/\1/p
    s/^       *\([^ ].*\)/+ \1/p
  }" | awk '/^\+ / { form = form substr($0, 2); next } form { print form } { form = $0 } END { if (form) print form }'
}

# The options as the page writes them: "-c N, --concurrency=N"; --help and --version are in ipcbox(7).
options_of_help() {
  printf '%s\n' "$help" | awk '
    match($0, /^  (-.,|   ) --[^ ]+/) {
      letter = substr($0, 3, 1) == "-" ? substr($0, 3, 2) : ""
      long = substr($0, 7)
      sub(/ .*/, "", long)
      argument = long
      if (!sub(/^[a-z0-9-]*=/, "", argument)) argument = "" # none, or [=ARG], which a letter does not take
      if (long == "--help" || long == "--version") next
      print (letter == "" ? "" : letter (argument == "" ? "" : " " argument) ", ") long
    }'
}

# check_head PAGE SUMMARY [COMMAND]: the command is named as the page, if not said otherwise
check_head() {
  expected=$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]')
  [ "$(part title)" = "$expected 1" ] || complain "man/$1.1: .Dt is '$(part title)', expected '$expected 1'"
  wrong=$(part wrong)
  [ -z "$wrong" ] || complain "man/$1.1: $wrong"
  [ "$(part summary)" = "$2" ] || complain "man/$1.1: .Nd differs from --help:
  in the page: $(part summary)
  in --help:   $2"
  same "man/$1.1" 'forms of SYNOPSIS' "$(usage_of "${3:-$1}")" "$(part form)"
}

# check_applet APPLET PAGE COMMAND
check_applet() {
  [ -e "man/$2.1" ] || {
    complain "man/$2.1 is missing"
    return
  }
  help=$("$box" "$1" --help)
  page=$(render "man/$2.1")
  # the summary stands behind the Usage: lines, with a full stop
  check_head "$2" "$(printf '%s\n' "$help" | awk '!/^(Usage:|      )/ { sub(/\.$/, ""); print; exit }')" "$3"
  same "man/$2.1" 'OPTIONS' "$(options_of_help)" "$(part option)"
}

applets=$("$box" --list)
[ -n "$applets" ] || complain "$box --list prints nothing"
if [ -e README.md ]; then
  grep -q "binary with $(printf '%s\n' "$applets" | grep -c .) applets" README.md || complain "README.md has another number of applets"
fi
for applet in $applets; do
  check_applet "$applet" "$applet" "$applet"
done
# those without a link, which --list does not have
for page in man/ipcbox-*.1; do
  applet=$(basename "${page#man/ipcbox-}" .1)
  check_applet "$applet" "ipcbox-$applet" "ipcbox $applet"
done

if [ -e man/ipcbox.1 ]; then
  help=$("$box" --help)
  page=$(render man/ipcbox.1)
  check_head ipcbox "$(printf '%s\n' "$help" | sed -n '1s/^ipcbox [^ ]*: //p')"
  # the overview has no list of options, but completion has
  listed=$("$box" --completion bash | awk '/^  ipcbox\) / { on = 1; next } /^:/ && on { exit } on { print "--" $2 }')
  same "man/ipcbox.1" 'OPTIONS' "$listed" "$(part option | sed 's/^-., //; s/ .*//')"
else
  complain "man/ipcbox.1 is missing"
fi
[ -e man/ipcbox.7 ] || complain "man/ipcbox.7 is missing"

for file in man/*.1; do
  name=$(basename "$file" .1)
  [ ! -e "applets/${name#ipcbox-}.c" ] || continue
  case " ipcbox $(echo "$applets" | tr '\n' ' ')" in
  *" $name "*) ;;
  *) complain "$file is of no applet" ;;
  esac
done

# README's tables are what ipcbox lists: its themes, and a row such as | `tcpserver` | its summary | for each applet
"$box" | awk '
  /^[A-Z]/ { theme = $0 }
  /^  [a-z]/ && theme {
    if (theme != shown) print "### " theme
    shown = theme
    name = $1
    sub(/^  [^ ]+ +/, "")
    print "| `" name "` | " $0 " |"
  }' >"$1/themes"
sed -n '/^## The applets/,/^## Install/{/^###/p; /^| `/p}' README.md >"$1/themes.readme"
diff "$1/themes.readme" "$1/themes" >&2 || complain "the applets of README.md (<) are not those of ipcbox (>)"

if command -v mandoc >/dev/null; then
  lint=$(mandoc -T lint -W warning man/*.[1-8] 2>&1) || complain "mandoc -T lint -W warning:
$lint"
else
  echo "manpages: mandoc is not installed, its warnings are left out" >&2
fi
exit $bad
