# pack.awk FILE.sh...: the scripts behind --completion as C strings, in little more than half of their size: a byte from 128
# on stands for the two of its row in completion_pairs, which may be such bytes again (byte pair encoding). What repeats
# most gets one first. Comments and indentation are left out; completion_NAME is FILE's base name.

{
  line = $0
  if (FNR == 1) {
    name[++files] = FILENAME
    gsub(/.*\/|\.sh$/, "", name[files])
    symbol[++n] = "end"
  } else {
    if (line ~ /^ *(#|$)/) next
    sub(/^ */, "", line)
  }
  line = line "\n"
  for (i = 1; i <= length(line); i++) symbol[++n] = substr(line, i, 1)
}

# The numbers of pairs, which do not reach from one script into the next.
function count_pairs(    i, k) {
  split("", count)
  for (i = 1; i < n; i++)
    if (symbol[i] != "end" && symbol[i + 1] != "end") {
      k = symbol[i] SUBSEP symbol[i + 1]
      # of "aaa" only one
      if (k == before && i == at + 1) continue
      before = k
      at = i
      count[k]++
    }
}

# The most frequent pair, of symbols that no other pair of this round changes; "" if no pair is worth a code.
function choose(    k, best, most, half) {
  best = ""
  most = 3
  for (k in count)
    if (count[k] > most || count[k] == most && best != "" && k < best) {
      split(k, half, SUBSEP)
      if ((half[1] in used) || (half[2] in used)) continue
      best = k
      most = count[k]
    }
  return best
}

function replace(    i, m, k) {
  m = 0
  for (i = 1; i <= n; i++) {
    k = symbol[i] SUBSEP symbol[i + 1]
    if (i < n && (k in code)) {
      symbol[++m] = code[k]
      i++
    } else symbol[++m] = symbol[i]
  }
  n = m
}

# A symbol within a C string or, with quotes around it, as a character.
function in_c(s) {
  if (s == "\n") return "\\n"
  if (s ~ /^[\\"'?]$/) return "\\" s
  return s
}

END {
  codes = 0
  while (codes < 128) {
    count_pairs()
    split("", used)
    split("", code)
    for (chosen = 0; chosen < 6 && codes < 128; chosen++) {
      k = choose()
      if (k == "") break
      split(k, half, SUBSEP)
      used[half[1]] = used[half[2]] = 1
      code[k] = sprintf("\\%o", 128 + codes)
      pairs[codes++] = "{(unsigned char)'" in_c(half[1]) "', (unsigned char)'" in_c(half[2]) "'}"
    }
    if (!chosen) break
    replace()
  }
  print "static const unsigned char completion_pairs[][2] = {"
  for (i = 0; i < codes; i++) print "    " pairs[i] ","
  print "};"
  f = 0
  for (i = 1; i <= n; i++) {
    if (symbol[i] == "end") {
      if (f) print "\";"
      printf "static const char completion_%s[] =\n    \"", name[++f]
      column = 0
    } else {
      # a digit after an octal escape would belong to it, but that has three digits
      text = in_c(symbol[i])
      printf "%s", text
      column += length(text)
      if (column > 100) {
        printf "\"\n    \""
        column = 0
      }
    }
  }
  print "\";"
}
