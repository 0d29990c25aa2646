# `make docs`: the documents and the manual pages as a static site, and the check of its links.

load helper/common

setup() {
  common_setup
  [ -z "${IPCBOX_SANITIZED:-}" ] || skip "has nothing to do with sanitizers"
  top=$BATS_TEST_DIRNAME/..
}

teardown() {
  common_teardown
}

need_site_tools() {
  need lowdown lowdown
  need mandoc mandoc
  need python3 python3
}

# make_site: in ./site
make_site() {
  need_site_tools
  (cd "$top" && python3 contrib/site/site.py "$BATS_TEST_TMPDIR/site" >"$BATS_TEST_TMPDIR/out")
}

check_site() {
  python3 "$top/check/site.py" site "$@"
}

@test "make docs: every document and every manual page is there, and all links and anchors resolve" {
  make_site
  [ "$(cat out)" = "$BATS_TEST_TMPDIR/site/index.html" ]
  for file in "$top"/man/*.[1-8]; do
    [ -s "site/${file##*/}.html" ]
  done
  for file in "$top"/*.md "$top"/docs/*.md; do
    name=$(basename "$file" .md)
    [ -s "site/${name,,}.html" ]
  done
  check_site
}

@test "make docs: the same source gives the same bytes, and nothing of an older site is left" {
  make_site
  mv site first
  mkdir site
  touch site/old.html
  make_site
  diff -r first site
}

@test "make docs: the first page has README's command, its output, and every applet with a link to its page" {
  make_site
  sed -n '/<pre class="terminal">/,/<\/pre>/s/<[^>]*>//gp' site/index.html >shown
  [ "$(tail -n 1 shown)" = HELLO ]
  # what is printed there is one command: run, it prints just that
  sed '$d; s/^\$ //' shown >command
  run -0 sh command
  [ "$output" = HELLO ]
  while read -r applet; do
    grep -q "href=\"$applet.1.html\"" site/index.html
  done < <("$IPCBOX" --list)
}

@test "make docs: references become links: pages, sections of other pages, documents; pages of others stay text" {
  make_site
  grep -q '<a href="tcpclient.1.html">tcpclient(1)</a>' site/tcpserver.1.html
  grep -q 'href="ipcbox.7.html#PRIVILEGES"' site/tcpserver.1.html
  grep -q 'href="perlipc.html"' site/readme.html
  grep -q 'fcntl(2)' site/lockrun.1.html
  run -1 grep -E 'href="(fcntl|flock)\.' site/lockrun.1.html
  grep -q '<a href="tcpserver.1.html#B"><code>-B TEXT, --banner=TEXT</code></a>' site/search.html
  cmp site/files/docs/performance.svg "$top/docs/performance.svg"
}

@test "make docs: a new document is found, and its links lead to documents, copies of files, and to no directory" {
  need_site_tools
  mkdir -p copy/contrib copy/common/base copy/docs
  cp -R "$top/man" copy/
  cp -R "$top/contrib/site" copy/contrib/
  cp "$top/common/base/version.h" copy/common/base/
  cp "$top/README.md" copy/
  echo 'exit 0' >copy/docs/script.sh
  cat >copy/docs/new.md <<'END'
# A new one

It is about [installing](../README.md#install), by [a script](script.sh), from [a directory](../contrib), under [a lock](../man/lockrun.1); [where?](gone.md)
See lockrun(1), `semtake(1)` and daemonize(1).
END
  sed -i 's/\[[^]]*\](\(docs\/\)*[A-Za-z]*\.md)/a document/' copy/README.md
  (cd copy && python3 contrib/site/site.py ../site)
  grep -q '<a href="new.html">A new one</a>' site/index.html
  sed -n '/^<p>It is/,/<\/p>/p' site/new.html >found
  cat >expected <<'END'
<p>It is about <a href="readme.html#install">installing</a>, by <a href="files/docs/script.sh">a script</a>, from <a >a directory</a>, under <a href="lockrun.1.html">a lock</a>; <a href="gone.md">where?</a>
See <a href="lockrun.1.html">lockrun(1)</a>, <code>semtake(1)</code> and daemonize(1).</p>
END
  diff expected found
  cmp copy/docs/script.sh site/files/docs/script.sh
  run -1 --separate-stderr check_site
  [[ $stderr == *'site: new.html: dead link: gone.md'* ]]
}

@test "make docs: a program that is missing is named with its package, and an older site is left alone" {
  need python3 python3
  mkdir site only
  touch site/old.html
  printf '#!/bin/sh\n' >only/mandoc
  chmod +x only/mandoc
  python=$(python3 -c 'import sys; print(sys.executable)')
  cd "$top"
  run -1 --separate-stderr env PATH="$BATS_TEST_TMPDIR/only" "$python" contrib/site/site.py "$BATS_TEST_TMPDIR/site"
  [ "$stderr" = 'site: not installed: lowdown (Debian: apt-get install lowdown)' ]
  [ -e "$BATS_TEST_TMPDIR/site/old.html" ]
}

@test "the check of the site finds what is planted: dead links, dead anchors, doubled ids, what is from elsewhere" {
  need python3 python3
  mkdir site
  cat >site/index.html <<'END'
<p id="here"><a href="other.html">other</a> <a href="other.html#there">there</a> <a href="#here">here</a>
<a href="https://example.org/">somebody else's</a></p>
END
  echo '<p id="there">' >site/other.html
  run -0 check_site
  [ "$output" = 'site: 2 pages, 3 links' ]
  cat >>site/index.html <<'END'
<p id="here"><a href="gone.html">gone</a> <a href="other.html#gone">gone</a> <a href="#lost">lost</a>
<a href="../site.bats">outside</a> <img src="https://example.org/image.png">
END
  run -1 --separate-stderr check_site
  printf 'site: index.html: %s\n' 'two of id here' 'dead link: gone.html' 'dead anchor: other.html#gone' 'dead anchor: #lost' \
    'dead link: ../site.bats' 'img from elsewhere: https://example.org/image.png' >expected
  diff expected <(echo "$stderr")
}

# find_chromium: $chromium; skips where there is none
find_chromium() {
  for chromium in chromium-headless-shell chromium chromium-browser; do
    ! command -v "$chromium" >/dev/null || return 0
  done
  need chromium-headless-shell chromium-headless-shell
}

@test "the site in a browser: no word on the console, no page wider than a narrow screen, search, and all without a script" {
  find_chromium
  make_site
  mkdir shots
  check_site "$chromium" shots
  # the first screens differ by theme and shape
  [ "$(cat shots/*.png | wc -c)" -gt 10000 ]
  [ "$(sha256sum shots/*.png | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 4 ]
}

@test "the check in a browser finds what is planted: an error of a script, a page that is too wide, what is asked of others" {
  find_chromium
  make_site
  mv site whole
  mkdir site
  cp whole/{search.html,search.js,site.css,tcpserver.1.html} site/
  sed -i 's/href="\([a-z0-9-]*\.[17]\.html\|readme.html\|[a-z]*\.html\)[^"]*"/href="search.html"/' site/*.html
  sed -i 's|</main>|<div style="width: 400px">wide</div><script>nobody();</script></main>|' site/tcpserver.1.html
  sed -i 's|</main>|<script>new Image().src = "http://127.0.0.1:1/";</script></main>|' site/search.html
  run -1 --separate-stderr check_site "$chromium"
  [[ $stderr == *'tcpserver.1.html: on the console: '*'nobody is not defined'* ]]
  [[ $stderr == *'tcpserver.1.html: is '[4-9]??' pixels wide where there are 360: DIV. wide'* ]]
  [[ $stderr == *'search.html: asks for http://127.0.0.1:1/'* ]]
}
