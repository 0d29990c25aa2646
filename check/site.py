#!/usr/bin/env python3
"""site.py SITE [BROWSER [SHOTS]] - whether a site that `make docs` has made holds.

Every link and anchor between its pages resolves, ids are unique, and nothing comes from elsewhere. With BROWSER, a headless
Chromium, every page is also opened in it, as a file: no message on its console and no request that leaves the site; at a
width of 360 pixels no page is wider than that; search finds what it is asked for; and without scripts the list that it searches
is there. With SHOTS, a directory, the first screen is put there, in both themes, wide and narrow.
"""
import base64
import glob
import html.parser
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse

SITE = os.path.abspath(sys.argv[1])
bad = []


def complain(page, what):
    bad.append("%s: %s" % (os.path.relpath(page, SITE), what))


class Page(html.parser.HTMLParser):
    """The ids of a page, and its links: pairs of a tag and an address."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.links = path, set(), []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                if value in self.ids:
                    complain(self.path, "two of id %s" % value)
                self.ids.add(value)
            if name in ("href", "src", "action") and value is not None:
                self.links.append((tag, value))


def check_links():
    pages = {path: Page(path) for path in glob.glob(SITE + "/*.html")}
    count = 0
    for page in pages.values():
        for tag, link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme or address.netloc:
                if tag != "a" and address.scheme != "data":
                    complain(page.path, "%s from elsewhere: %s" % (tag, link))
                continue
            count += 1
            path = os.path.normpath(os.path.join(SITE, urllib.parse.unquote(address.path))) if address.path else page.path
            if not os.path.isfile(path) or not path.startswith(SITE + "/"):
                complain(page.path, "dead link: " + link)
            elif address.fragment and path in pages and urllib.parse.unquote(address.fragment) not in pages[path].ids:
                complain(page.path, "dead anchor: " + link)
    print("site: %d pages, %d links" % (len(pages), count))
    return sorted(pages)


class Browser:
    """A headless Chromium, by its DevTools protocol through a pair of pipes: its fd 3 is for requests, fd 4 for answers."""

    def __init__(self, program, profile):
        theirs_in, self.to = os.pipe()
        self.answers, theirs_out = os.pipe()
        command = 'exec "$@" 3<&%d 4>&%d' % (theirs_in, theirs_out)
        # without a sandbox, which root and containers have none of: the pages are our own
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
                 "--user-data-dir=" + profile]
        self.process = subprocess.Popen(["bash", "-c", command, "bash", program] + flags, pass_fds=(theirs_in, theirs_out),
                                        stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.answers = os.fdopen(self.answers, "rb")
        self.last, self.session, self.events = 0, None, []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(domain + ".enable")

    def message(self):
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                sys.exit("site: the browser has ended")
            text += byte
        return json.loads(text)

    def __call__(self, method, **params):
        self.last += 1
        request = {"id": self.last, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while (answer := self.message()).get("id") != self.last:
            self.events.append(answer)
        if "error" in answer:
            sys.exit("site: %s: %s" % (method, answer["error"]["message"]))
        return answer["result"]

    def open(self, path, query=""):
        """Returns what has happened until the page was there."""
        self.events = []
        self("Page.navigate", url="file://" + urllib.parse.quote(path) + query)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())
        self.value("1")
        return self.events

    def value(self, expression):
        return self("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def end(self):
        self("Browser.close")
        self.process.wait()

    def size(self, width, height):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


WIDEST = """[...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest("pre, .wide"))
  .map((e) => e.tagName + "." + e.className + " " + e.textContent.slice(0, 60)).slice(0, 3).join("; ")"""


def check_in(browser, pages):
    browser.size(360, 760)
    for page in pages:
        for event in browser.open(page):
            method, params = event["method"], event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                complain(page, "on the console: %s" % json.dumps(params))
            address = params.get("request", {}).get("url", "") if method == "Network.requestWillBeSent" else ""
            if address and not address.startswith(("file://" + urllib.parse.quote(SITE) + "/", "data:")):
                complain(page, "asks for " + address)
        if (width := browser.value("document.documentElement.scrollWidth")) > 360:
            complain(page, "is %d pixels wide where there are 360: %s" % (width, browser.value(WIDEST)))
    search = SITE + "/search.html"
    whole = browser.value("document.querySelectorAll('#entries li').length") if browser.open(search) else 0
    browser.open(search, "?q=tcpserver+banner")
    first = browser.value("document.querySelector('#entries a').getAttribute('href')")
    if first != "tcpserver.1.html#B":
        complain(search, "the first that is found of tcpserver --banner is " + str(first))
    browser("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(search)
    if not whole or browser.value("document.querySelectorAll('#entries li').length") != whole:
        complain(search, "has not the whole list without a script")
    browser("Emulation.setScriptExecutionDisabled", value=False)
    print("site: %d pages in the browser" % len(pages))


def take_shots(browser, to):
    for theme in ("light", "dark"):
        browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        for shape, width, height in (("wide", 1280, 800), ("narrow", 360, 760)):
            browser.size(width, height)
            browser.open(SITE + "/index.html")
            image = browser("Page.captureScreenshot")["data"]
            with open(os.path.join(to, "%s-%s.png" % (theme, shape)), "wb") as file:
                file.write(base64.b64decode(image))


pages = check_links()
if len(sys.argv) > 2:
    signal.alarm(300)  # a browser that hangs; it ends when its pipe is closed
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(sys.argv[2], profile)
        check_in(browser, pages)
        if len(sys.argv) > 3:
            take_shots(browser, sys.argv[3])
        browser.end()
for line in bad:
    print("site: " + line, file=sys.stderr)
sys.exit(bool(bad))
