#!/usr/bin/env python3
"""site.py OUT - what `make docs` does, from the top of the source: README, the manual pages and all documents as a static site.

It takes nothing from elsewhere and is read without a script. lowdown(1) renders Markdown, mandoc(1) the manual pages; here they
get the frame of page.html, and what they say of each other becomes links. No page has a date: the same source, the same site.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(__file__)
OUT = sys.argv[1]
MANUAL = {"%s(%s)" % tuple(os.path.basename(path).rsplit(".", 1)): path for path in sorted(glob.glob("man/*.[1-8]"))}
PEERS = ["daemonize(1)"]  # which, in documents, is the program of another package
DOCUMENTS = ["README.md"] + sorted(glob.glob("docs/*.md")) + sorted(set(glob.glob("*.md")) - {"README.md"})
LOWDOWN = "lowdown -thtml --out-no-smarty --html-no-owasp --parse-no-metadata --parse-no-super --parse-no-deflists"
MANDOC = "mandoc -T html -O fragment,man=%N.%S.html"
ENTRY = '<li{kind}><a href="{to}">{name}</a> <b>{where}</b> {about}</li>'
CARD = '<li><a href="{to}">{title}</a> <span class="file">{path}</span><p>{about}</p></li>'
entries, sections, cards = [], [], []  # of search.html; of the documents, in search.html; of the first page


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def output(command, path):
    return subprocess.run(command.split() + [path], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def text_of(markup):
    return " ".join(re.sub(r"<[^>]*>", "", markup).split())


def sentences(markup, least):
    """The first of them, as text of at least so many characters."""
    text = ""
    for more in re.split(r"(?<=[.;]) ", text_of(markup)):
        if text and len(text) >= least:
            break
        text = (text + " " + more).strip()
    return re.sub(r"[:;]$", ".", text)


def html_name(path):
    name = os.path.basename(path)
    return (name[:-3].lower() if name.endswith(".md") else name) + ".html"


def link_to(name, words=None):
    """HTML for tcpserver(1), or other words, as a link where the page is one of ours."""
    return '<a href="%s">%s</a>' % (html_name(MANUAL[name]), words or name) if name in MANUAL else words or name


def write(name, title, summary, body):
    path = os.path.join(OUT, name)
    if os.path.exists(path):
        sys.exit("site: two sources of " + name)
    found = re.findall(r'(?s)<h2[^>]* id="([^"]*)">(.*?)</h2>', body)
    links = "\n".join('<a href="#%s">%s</a>' % (anchor, text_of(heading)) for anchor, heading in found)
    version = re.search(r'IPCBOX_VERSION "(.*)"', read("common/base/version.h")).group(1)
    marks = {"TITLE": title, "SUMMARY": summary.replace('"', "&quot;"), "VERSION": version, "BODY": body,
             "SECTIONS": '<nav class="sections" aria-label="On this page">%s</nav>' % links if len(found) > 2 else ""}
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub("@([A-Z]+)@", lambda mark: marks[mark[1]], read(os.path.join(HERE, "page.html"))))


def link_files(body, source):
    """Links to other files: to the page of a document or manual page, or to a copy of the file; none to a directory."""
    def target(found):
        attribute, link, anchor = found.groups()
        path = os.path.normpath(os.path.join(os.path.dirname(source), link))
        if path in DOCUMENTS or path in MANUAL.values():
            return '%s="%s%s"' % (attribute, html_name(path), anchor)
        if os.path.isfile(path) and not path.startswith(".."):
            os.makedirs(os.path.join(OUT, "files", os.path.dirname(path)), exist_ok=True)
            shutil.copyfile(path, os.path.join(OUT, "files", path))
            return '%s="files/%s"' % (attribute, path)
        return "" if os.path.isdir(path) else found[0]
    return re.sub(r'(?<= )(href|src)="([^":#]+)(#?[^"]*)"', target, body)


def link_pages(body):
    """tcpserver(1) becomes a link, but in examples, headings and links, and so does an applet at the beginning of a row."""
    row = r"<tr>\s*<td><code>(?P<applet>[a-z0-9-]+)</code></td>(?=\s*<td>[^<]*</td>\s*</tr>)"
    kept = r"<pre.*?</pre>|<h[1-6].*?</h[1-6]>|<a .*?</a>|<code>[^<]*</code>|<[^>]*>"
    page = r"\b(?P<page>[a-z][a-z0-9-]*\([1-8]\))"

    def linked(found):
        if found["applet"]:
            return "<tr><td>%s</td>" % link_to(found["applet"] + "(1)", "<code>%s</code>" % found["applet"])
        return link_to(found["page"]) if found["page"] and found["page"] not in PEERS else found[0]
    return re.sub("(?s)" + "|".join((row, kept, page)), linked, body)


def document(path):
    name = html_name(path)
    body = link_pages(link_files(output(LOWDOWN, path), path))
    # where the screen is narrow, a table scrolls by itself
    body = body.replace("<table>", '<div class="wide" role="region" aria-label="Table" tabindex="0"><table>')
    body = body.replace("</table>", "</table></div>")
    heading, first = re.search(r"(?s)<h1.*?</h1>", body), re.search(r"(?s)<p>.*?</p>", body)
    if not (heading and first):
        sys.exit("site: %s has no title or no paragraph" % path)
    title = "README" if path == "README.md" else text_of(heading[0])
    about = sentences(first[0], 40)
    cards.append(CARD.format(to=name, title=title, path=path, about=about))
    for anchor, heading in re.findall(r'(?s)<h[23] id="([^"]*)">(.*?)</h[23]>', body):
        sections.append(ENTRY.format(kind="", to=name + "#" + anchor, name=text_of(heading), where=title, about=""))
    write(name, title, about, body)
    return body


def render_manual(path):
    body = re.sub(r'(?s)<table class="(head|foot)">.*?</table>', "", output(MANDOC, path))
    body = re.sub(r'(?s)<section class="Sh">\s*<h1[^>]*id="NAME".*?</section>', "", body)
    body = re.sub(r"(</?h)([12])\b", lambda found: found[1] + str(int(found[2]) + 1), body)  # the first heading is the name
    return re.sub(r'(?s)<a class="Xr"[^>]*>(.*?)</a>', lambda found: link_to(text_of(found[1])), body)


def manual(name, body, others):
    """OTHERS, all of them: "LAUNCHERS in ipcbox(7)" is a section of the one that has it."""
    page, applet = html_name(MANUAL[name]), name[:-3]
    about = re.search(r"(?m)^\.Nd (.*)", read(MANUAL[name]))[1].replace(r"\&", "").replace(r"\-", "-")

    def section(found):
        home = [other for other, text in others.items() if 'id="%s"' % found[1] in text]
        return 'class="Sx" href="%s#%s"' % ("" if name in home or len(home) != 1 else html_name(MANUAL[home[0]]), found[1])
    body = re.sub(r'class="Sx" href="#([^"]*)"', section, body)
    entries.append(ENTRY.format(kind=' class="page"', to=page, name=applet, where=name, about=about))
    # what its lists define: options, variables, signals
    terms = r'(?s)<dt id="([^"]*)">(.*?)</dt>\s*(?:<dd[^>]*>(.*?)(?:</dd>|<p|<dl|<div|<pre))?'
    for anchor, term, meaning in re.findall(terms, body):
        entries.append(ENTRY.format(kind="", to=page + "#" + anchor, name="<code>%s</code>" % text_of(term), where=applet,
                                    about=sentences(meaning, 1)))
    write(page, name, about, '<h1 id="NAME">%s</h1>\n<p class="lead">%s</p>\n%s' % (name, about, body))


def front(readme):
    """The first page, in README's words: what ipcbox is, the first command that has its output, the applets by theme."""
    what = re.search(r"(?s)<p>ipcbox is (.*?): (.*?\..*?\.)\s.*?</p>", readme)
    shown = re.search(r'(?s)<p>(?:Now )?([^<]*)</p>\s*<pre><code class="language-sh">([^<]*)</code></pre>\s*'
                      r'<pre><code class="language-text">(.*?)</code>', readme)
    applets = re.search(r'(?s)<h2 id="the-applets">.*?(<h3.*?)<h2', readme)
    if not (what and shown and applets):
        sys.exit("site: README.md has no first paragraph, command with its output, or applets any more: see front()")
    title, lead, caption = (text[0].upper() + text[1:] for text in (what[1], what[2], shown[1]))
    command = shown[2].strip().replace(" ::: ", " ::: \\\n    ")
    command = re.sub(r"[a-z]+", lambda word: link_to(word[0] + "(1)", word[0]), command)
    themes = ""
    for theme, table in re.findall(r"(?s)<h3[^>]*>(.*?)</h3>(.*?)</table>", applets[1]):
        rows = re.findall(r"(?s)<tr><td>(.*?)</td>\s*<td>(.*?)</td>", table)
        rows = "\n".join("<li>%s <span>%s</span></li>" % row for row in rows)
        themes += "<section>\n<h2>%s</h2>\n<ul>\n%s\n</ul>\n</section>\n" % (theme, rows)
    return read(os.path.join(HERE, "front.html")).format(title=title, lead=lead, caption=caption, command=command,
                                                         output=shown[3].strip(), themes=themes, documents="\n".join(cards))


def main():
    missing = [tool for tool in ("lowdown", "mandoc") if not shutil.which(tool)]
    if missing:
        sys.exit("site: not installed: %s (Debian: apt-get install %s)" % (", ".join(missing), " ".join(missing)))
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    readme = [document(path) for path in DOCUMENTS][0]
    manuals = {name: render_manual(path) for name, path in MANUAL.items()}
    for name, body in manuals.items():
        manual(name, body, manuals)
    write("index.html", "ipcbox", "ipcbox, the toolbox for what happens between Unix processes", front(readme))
    write("search.html", "Search", "Applets, options, variables, signals and sections",
          read(os.path.join(HERE, "search.html")).format(entries="\n".join(entries + sections)))
    for name in ("site.css", "search.js"):
        shutil.copyfile(os.path.join(HERE, name), os.path.join(OUT, name))
    print(os.path.join(OUT, "index.html"))


main()
