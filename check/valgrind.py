#!/usr/bin/env python3
"""valgrind.py BUILD [USE]... - the main uses of the applets (check/torture/uses) under valgrind(1), in all of their processes.

BUILD is one that starts programs by fork(2) (make SPAWN=fork). Each use runs twice, plainly and under valgrind: the status must be
the same, and valgrind must have nothing to say. Prints what it said, and exits 1 then. Leaks are not looked for: a process gives
its memory back by ending, and what a server would lose by the connection shows in bats/load.bats.
"""
import configparser
import os
import shlex
import subprocess
import sys

import torture

# an ioctl(2) that it does not know, TIOCGPTPEER
UNKNOWN = ("Warning: noted but unhandled ioctl", "This could cause spurious value errors", "See README_MISSING_SYSCALL_OR_IOCTL")
TIMEOUT = 120  # s, under valgrind on a busy machine
ISOLATED = "IPCBOX_VALGRIND_ISOLATED"


def make_commands(build, directory, logs):
    """The applets' names as scripts: what a use starts runs under valgrind, too."""
    ipcbox = os.path.join(build, "ipcbox")
    names = subprocess.run([ipcbox, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    os.makedirs(directory, exist_ok=True)
    for name in names + ["ipcbox"]:
        applet = "" if name == "ipcbox" else name
        path = os.path.join(directory, name)
        with open(path, "w") as f:
            f.write(f"#!/bin/sh\nexec valgrind -q --vgdb=no --leak-check=no --log-file={shlex.quote(logs)}/%p.%n "
                    f"{shlex.quote(ipcbox)} {applet} \"$@\"\n")
        os.chmod(path, 0o755)


def try_use(plain, watched, name, logs):
    """What is wrong with it, as text."""
    expected = plain.run(name)
    result, err, how, _ = watched.run(name)
    wrong = ""
    for log in sorted(os.listdir(logs)):
        path = os.path.join(logs, log)
        with open(path, errors="replace") as f:
            wrong += "".join(line for line in f if line.startswith("==") and not any(text in line for text in UNKNOWN))  # not --
        os.unlink(path)
    if how != "ended" or result[0] != expected[0][0]:
        wrong += f"{how}, status {result[0]}, not {expected[0][0]}: {err.decode(errors='replace')}\n"
    return wrong


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 100
    if ISOLATED not in os.environ:
        isolate = ["unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.geteuid():
            isolate[1:1] = ["--map-root-user"]
        return subprocess.run(isolate + [sys.executable] + sys.argv, env={**os.environ, ISOLATED: "1"}, check=False).returncode
    build, *only = sys.argv[1:]
    build = os.path.abspath(build)
    logs = os.path.join(build, "valgrind.log")
    os.makedirs(logs, exist_ok=True)
    for log in os.listdir(logs):
        os.unlink(os.path.join(logs, log))
    links = os.path.join(build, "torture-bin")
    subprocess.run([os.path.join(build, "ipcbox"), "--install", "-s", "-f", "-p", links], check=True, stdout=subprocess.DEVNULL)
    make_commands(build, os.path.join(build, "valgrind-bin"), logs)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    uses = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    uses.read(os.path.join(torture.HERE, "torture", "uses"))
    torture.TIMEOUT = TIMEOUT
    plain, watched = torture.Runner(build, uses), torture.Runner(build, uses)
    watched.bin = os.path.join(build, "valgrind-bin")
    watched.env["PATH"] = watched.env["PATH"].replace(plain.bin, watched.bin)
    bad = 0
    names = only or [name for name in uses.sections() if "--confine" not in uses[name]["run"]]  # it has no Landlock
    for name in names:
        wrong = try_use(plain, watched, name, logs)
        if wrong:
            print(f"valgrind: {name}: {uses[name]['run']}\n{wrong}", flush=True)
            bad += 1
    print(f"valgrind: {len(names)} uses, {bad} wrong")
    for runner in plain, watched:
        os.rmdir(runner.root)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
