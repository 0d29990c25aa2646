# examples.awk -v out=DIR FILE: takes the examples out of FILE, a page in mdoc (its EXAMPLES section) or Markdown (its
# fenced blocks), in order, as DIR/NNN.KIND, with DIR/NNN.where (FILE:LINE) and, where output is shown, DIR/NNN.expected.
# A kind is how the example is run:
#   console     commands after `$ `, and what each prints           (any block with such a line, even of tests)
#   sh          commands; a block of kind text that follows is what they print
#   bats        tests (a block with @test or setup_file)
#   crontab     lines of a crontab          dockerfile   ENTRYPOINT and CMD          unit   a unit of systemd
# Blocks of other kinds (text, c, ini without ExecStart) are data for readers, and are not taken. A block after a line with
# nothing but the path of a file of the source (`examples/jobs/add`:) shows that file: DIR/NNN.file, and DIR/NNN.path.

function begin_block(kind) {
  open = 1
  text = ""
  given = kind
  line_of = FNR + 1
}

function kind_of(    k) {
  k = given
  if (text ~ /(^|\n) *\$ /) return "console"
  if (text ~ /(^|\n)@test / || text ~ /(^|\n)setup(_file)?\(\)/) return "bats"
  if (text ~ /(^|\n)\[(Service|Socket|Unit)\]\n/) return "unit"
  if (text ~ /(^|\n)(ENTRYPOINT|CMD) \[/) return "dockerfile"
  if (text ~ /(^|\n)(@daily|@hourly|@reboot|[0-9*\/,-]+ [0-9*\/,-]+ [0-9*\/,-]+ [0-9*\/,-]+ [0-9*\/,-]+) /) return "crontab"
  return k
}

function end_block(    kind, base) {
  open = 0
  if (shows != "") {
    base = sprintf("%s/%03d", out, ++count)
    print shows >(base ".path")
    printf "%s", text >(base ".file")
    shows = ""
    after_sh = 0
    return
  }
  kind = kind_of()
  if (kind == "text") {
    # the output of the block before
    if (after_sh) printf "%s", text >(last ".expected")
    after_sh = 0
    return
  }
  after_sh = 0
  if (kind !~ /^(console|sh|bats|crontab|dockerfile|unit)$/) return
  base = sprintf("%s/%03d", out, ++count)
  print FILENAME ":" line_of >(base ".where")
  if (kind == "console") split_session(base)
  else printf "%s", text >(base "." kind)
  after_sh = kind == "sh"
  last = base
}

# Commands to .console, all that they print to .expected. A command goes on in the next line after a backslash, inside
# of quotation marks, or until its compound command or here-document is complete; more(TEXT) tells.
function split_session(base,    n, lines, i, command, in_command, printed) {
  n = split(text, lines, "\n")
  printed = command = ""
  in_command = 0
  for (i = 1; i < n; i++) {
    if (in_command) command = command "\n" lines[i]
    else if (lines[i] ~ /^ *\$ /) {
      command = lines[i]
      sub(/^ *\$ /, "", command)
    } else {
      printed = printed lines[i] "\n"
      continue
    }
    in_command = more(command)
    if (!in_command) {
      make_shown_file(command, lines, i + 1, n, base)
      print command >(base ".console")
      command = ""
    }
  }
  printf "%s", printed >(base ".expected")
}

# `$ cat FILE` shows a file that the example needs: it is made of what is shown.
function make_shown_file(command, lines, from, n, base,    i, file) {
  if (command !~ /^cat [A-Za-z0-9._\/-]+$/) return
  file = substr(command, 5)
  if (file ~ /^\/etc\//) return
  printf "cat >%s <<'END OF FILE'\n", file >(base ".console")
  for (i = from; i < n && lines[i] !~ /^ *\$ /; i++) print lines[i] >(base ".console")
  print "END OF FILE" >(base ".console")
}

function more(command,    i, c, quote) {
  if (command ~ /\\$/ || command ~ /[|&]$/ && command !~ /[^&]&$/) return 1
  quote = ""
  for (i = 1; i <= length(command); i++) {
    c = substr(command, i, 1)
    if (c == "\\" && quote != "'") i++
    else if (quote != "") { if (c == quote) quote = "" }
    else if (c == "'" || c == "\"") quote = c
  }
  if (quote != "") return 1
  if (match(command, /<<'?[A-Za-z]+/)) {
    quote = substr(command, RSTART + 2, RLENGTH - 2)
    sub(/^'/, "", quote)
    return command !~ ("\n" quote "$")
  }
  if (command ~ /^(for|while|until|if) / && command !~ /[; \n](done|fi)([; \n&|]|$)/) return 1
  return 0
}

# what mdoc writes for a character
function plain(s) {
  gsub(/\\-/, "-", s)
  gsub(/\\\(aq/, "'", s)
  gsub(/\\\(dq/, "\"", s)
  gsub(/\\\(ti/, "~", s)
  gsub(/\\\(ha/, "^", s)
  gsub(/\\\(ga/, "`", s)
  gsub(/\\&/, "", s)
  gsub(/\\(e|\(rs)/, "\\", s)
  return s
}

FNR == 1 { page = FILENAME ~ /\.[1-8]$/ }

page && /^\.Sh/ { examples = $2 == "EXAMPLES" }
page && examples && /^\.Bd .*-literal/ { begin_block("sh"); next }
page && open && /^\.Ed/ { end_block(); next }
page && examples && /^\.Dl / {
  begin_block("sh")
  line_of--
  text = plain(substr($0, 5)) "\n"
  end_block()
  next
}
page && open { text = text plain($0) "\n" }

# in Markdown, a fence may be indented
!page && /^ *```/ {
  if (open) end_block()
  else {
    kind = $0
    sub(/^ *```/, "", kind)
    if (before ~ /^`(contrib|examples)\/[^`]*`:$/) shows = substr(before, 2, length(before) - 3)
    before = ""
    begin_block(kind)
  }
  next
}
!page && open { text = text $0 "\n"; next }
!page && NF { after_sh = 0; before = $0 }
