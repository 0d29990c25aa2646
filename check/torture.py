#!/usr/bin/env python3
"""torture.py [OPTION]... - what becomes of every main use of every applet when a system call fails.

Each use of check/torture/uses is run by strace(1), undisturbed at first: that shows which system calls ipcbox makes, in all of its
processes, up to the exec of another program. Then again and again, each time with one fault:

  error   one call fails with an errno that it can have           eintr   one call is interrupted
  errors  that call and all later ones of its name fail           SIGNAL  that signal comes at one call
  short   one call moves one byte                                 alloc   one allocation fails (of a dynamic build)
  kill    SIGKILL at one call; then the same must succeed, where the use has `again`

Right are: the same result (status, output, files, processes, System V objects), or a message and another status. A hang, a
crash, silence, a lie or something left over is wrong. Each run has an empty directory, and network, process and IPC namespaces of
its own.

  --build DIR    where ipcbox is (build/static)        --only USE,...   these uses alone
  --faults F,... these alone                           --slice SECONDS  runs chosen by --seed, for that time
  --seed TEXT    (the commit)                          --jobs N         at a time (2)
  --results FILE what has been tried is in there, and is not tried again (resumes; DIR/torture.log)
  --retry        those alone that FILE has as wrong, whatever is excluded by now
  --proven       without the uses that are `fresh`
  --plant        uses that have a fault, check/torture/planted: succeeds if each is found
  --repeat 'USE FAULT CALL ERRNO N'   this one, and show all that it does

Prints a table and a line for each wrong run, with the command that repeats it; exits 1 when there was one.
"""
import argparse
import collections
import configparser
import hashlib
import os
import random
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
import zlib

USAGE = 100
HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "torture"))
from faults import RIGHT, SIGNALS, Fault, calls_of, faults_of, read_excluded, verdict  # noqa: E402
from runner import Runner, end_all  # noqa: E402


def hash_of(build, use):
    """A trace is of a binary and a use."""
    with open(os.path.join(build, "ipcbox"), "rb") as f:
        return hashlib.sha1(f.read() + repr(sorted(use.items())).encode()).hexdigest()


def print_faults(trace, name, use, arguments, excluded):
    counted = trace + ".allocations"
    allocations = os.path.getsize(counted) if os.path.exists(counted) else 0
    faults, left_out = faults_of(calls_of(trace), allocations, use, arguments, excluded, name)
    for reason, n in left_out.items():
        print(f"excluded {n} {reason}")
    for site, there in faults.items():
        for f in there:
            print(f"{zlib.crc32(site.encode()):08x}", *f)
    print("end", flush=True)


def worker(arguments, uses):
    """Reads names and faults, a line each; writes what they were."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    for name in SIGNALS:  # as a shell in the background, or nohup, has them ignored
        signal.signal(getattr(signal, "SIG" + name), signal.SIG_DFL)
    runner = Runner(arguments.build, uses)
    excluded = read_excluded()
    bases = {}
    for line in sys.stdin:
        name, *rest = line.rstrip("\n").split(" ")
        if not rest:
            trace = os.path.join(runner.bin, ".traces", f"{name}.{hash_of(arguments.build, uses[name])}")
            if os.path.exists(trace) and os.path.exists(trace + ".allocations") >= arguments.dynamic:
                print_faults(trace, name, uses[name], arguments, excluded)
                continue
            try:
                base = [runner.run_steadily(name) for _ in range(2)]
                traced = runner.run_steadily(name, None, trace + ".new")
            except subprocess.TimeoutExpired as e:
                print(f"unstable {e}".replace("\n", " "), flush=True)
                continue
            if base[0][0][0] == USAGE:
                print(f"unstable a usage error, {base[0][1]}", flush=True)
                continue
            if any(b[0] != base[0][0] for b in base) or traced[0] != base[0][0] or sorted(traced[3]) != sorted(base[0][3]):
                print(f"unstable {[b[0] for b in base] + [traced[0], traced[3], base[0][3]]}", flush=True)
                continue
            if arguments.dynamic:
                runner.count_allocations(name, trace + ".allocations")
            os.rename(trace + ".new", trace)
            print_faults(trace, name, uses[name], arguments, excluded)
            continue
        if name not in bases:
            bases[name] = runner.run_steadily(name)
        f = Fault(rest[0], rest[1], rest[2], int(rest[3]))
        try:
            result, err, how, left = runner.run_steadily(name, f)
            what = verdict(f, bases[name], (result, err, how, left), uses[name])
        except subprocess.TimeoutExpired as e:
            what, result, err, how, left = f"hang of {e.cmd[-1]}", (), b"", "hang", []
            end_all()
        if arguments.repeat:
            print(f"without: {bases[name]}\nwith: {result} {how} {left}\nstderr: {err.decode(errors='replace')}", file=sys.stderr)
            trace = os.path.join(arguments.build, "torture.trace")
            runner.run(name, f, trace)
            print(f"the same with strace: {trace}", file=sys.stderr)
        if what not in RIGHT:
            what += f"\t{result} instead of {bases[name][0]}, {err[-300:]}"
        print(what, flush=True)
    shutil.rmtree(runner.root, ignore_errors=True)


class Team:
    """Workers, each in namespaces of its own."""

    def __init__(self, arguments):
        isolate = ["unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.geteuid():
            isolate[1:1] = ["--map-root-user"]
        command = isolate + [sys.executable, os.path.abspath(__file__), "--worker"] + sys.argv[1:]
        self.all = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
                    for _ in range(arguments.jobs)]

    def ask(self, one, line):
        self.all[one].stdin.write(line + "\n")
        self.all[one].stdin.flush()

    def answer(self, one):
        line = self.all[one].stdout.readline()
        if not line:
            raise SystemExit("torture: a worker has ended")
        return line.rstrip("\n")

    def end(self):
        for process in self.all:
            process.stdin.close()
            process.wait()


def enumerate_faults(team, names):
    """{every fault of every use: where}; what is excluded; uses whose result differs by itself."""
    todo, excluded, unstable = {}, collections.Counter(), []

    def take(name, line):
        if line.startswith("unstable "):
            unstable.append(f"{name}: {line}")
        elif line.startswith("excluded "):
            _, n, reason = line.split(" ", 2)
            excluded[reason] += int(n)
        elif line != "end":
            site, case = line.split(" ", 1)
            todo.setdefault(name, {})[f"{name} {case}"] = site
            return False
        return line == "end" or line.startswith("unstable ")

    share(team, names, None, take)
    return {case: site for name in names for case, site in todo.get(name, {}).items()}, excluded, unstable


def in_turn(sites, seed):
    """At random, but the second of a kind at a site, whatever the use, comes only when all have had one: for a slice."""
    cases, had = sorted(sites), collections.Counter()
    random.Random(seed).shuffle(cases)

    def turn(case):
        _, kind, _, error, _ = case.split(" ")
        of_kind = sites[case], "signal" if kind in SIGNALS else kind if error == "-" else error
        had[of_kind] += 1
        return had[of_kind]

    return sorted(cases, key=turn)


def share(team, work, until, take):
    """Each worker has a line of work at a time; take(it, an answer) is whether that was the last."""
    waiting, busy = iter(work), {}
    selector = selectors.DefaultSelector()

    def next_for(one):
        line = next(waiting, None) if not until or time.monotonic() < until else None
        busy.pop(one, None)
        if line:
            busy[one] = line
            team.ask(one, line)

    for one, process in enumerate(team.all):
        selector.register(process.stdout, selectors.EVENT_READ, one)
        next_for(one)
    while busy:
        for key, _ in selector.select():
            while not take(busy[key.data], team.answer(key.data)):
                pass
            next_for(key.data)


def print_wrong(case, what):
    if what in RIGHT:
        return False
    kind, seen = what.split("\t", 1)
    print(f"{kind}: check/torture.py --repeat '{case}'\n    {seen}", flush=True)
    return True


def table(results, names):
    print(f"{'use':<20}{'runs':>7}{'same':>7}{'reported':>10}{'ended':>7}{'wrong':>7}")
    for name in names:
        row = collections.Counter()
        for case, what in results.items():
            if case.split(" ")[0] == name:
                row[what if what in RIGHT else "wrong"] += 1
        if row:
            print(f"{name:<20}{sum(row.values()):>7}{row['same']:>7}{row['reported']:>10}{row['ended by it']:>7}{row['wrong']:>7}")


def report_planted(uses, results):
    """0 if the fault of each use was found."""
    missed = [name for name in uses.sections() if not any(
        case.startswith(name + " ") and what.startswith(uses[name]["found"] + "\t") for case, what in results.items())]
    print("not found: " + ", ".join(missed) if missed else "all planted faults are found")
    return 1 if missed else 0


def prepare(build):
    """The applets' names, and what makes calls and allocations fail, in a directory of BUILD; once."""
    links = os.path.join(build, "torture-bin")
    sources = [os.path.join(HERE, "torture", name) for name in ("inject.c", "alloc.c", "plant.c")]
    done = os.path.join(links, ".done")
    if os.path.exists(done) and os.path.getmtime(done) > max(map(os.path.getmtime, sources + [os.path.join(build, "ipcbox")])):
        return
    ours = os.path.join(links, ".copy", "ipcbox")  # so that a build does not disturb a run
    for directory in ".copy", ".traces":
        os.makedirs(os.path.join(links, directory), exist_ok=True)
    shutil.copy2(os.path.join(build, "ipcbox"), ours + ".new")
    os.rename(ours + ".new", ours)
    subprocess.run([ours, "--install", "-s", "-f", links], check=True, stdout=subprocess.DEVNULL)
    compiler = os.environ.get("CC", "cc").split()
    macros = subprocess.run(compiler + ["-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    with open(os.path.join(links, "calls.h"), "w") as f:
        f.writelines(f"CALL({name})\n" for name in re.findall(r"#define SYS_(\w+) ", macros))
    for source, name, more in zip(sources, (".inject", ".alloc", "plant"), (["-I", links], ["-shared", "-fPIC"], ["-static"])):
        subprocess.run(compiler + ["-O1", "-D_GNU_SOURCE", "-o", os.path.join(links, name)] + more + [source], check=True)
    with open(done, "w"):
        pass


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--build", default="build/static")
    parser.add_argument("--only", type=lambda s: s.split(","))
    parser.add_argument("--faults", type=lambda s: s.split(","))
    parser.add_argument("--slice", type=float)
    parser.add_argument("--seed", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results")
    parser.add_argument("--repeat")
    parser.add_argument("--retry", action="store_true")
    parser.add_argument("--proven", action="store_true")
    parser.add_argument("--plant", action="store_true")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--help", action="store_true")
    arguments = parser.parse_args()
    if arguments.help:
        print(__doc__)
        return 0
    arguments.build = os.path.abspath(arguments.build)
    with open(os.path.join(arguments.build, "ipcbox"), "rb") as f:
        arguments.dynamic = b"/ld-linux" in f.read()
    uses = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    uses.read(os.path.join(HERE, "torture", "planted" if arguments.plant else "uses"))
    if arguments.plant:
        arguments.faults = ["error", "errors"]
    names = [n for n in uses.sections()
             if (not arguments.only or n in arguments.only) and not (arguments.proven and "fresh" in uses[n])]
    if arguments.worker:
        return worker(arguments, uses)
    prepare(arguments.build)
    team = Team(arguments)
    if arguments.repeat:
        team.ask(0, arguments.repeat)
        print(team.answer(0))
        return 0
    sites, excluded, unstable = ({}, {}, []) if arguments.retry else enumerate_faults(team, names)
    log = arguments.results or os.path.join(arguments.build, "planted.log" if arguments.plant else "torture.log")
    results = {}
    fresh = arguments.slice or arguments.plant
    if not fresh and os.path.exists(log):
        with open(log) as f:
            results = dict(line.rstrip("\n").split("\t", 1) for line in f if "\t" in line)
        sites.update({case: "" for case, what in results.items() if arguments.retry and what not in RIGHT and case.split()[0] in names})
        results = {case: what for case, what in results.items() if what in RIGHT}  # what was wrong is tried again
    todo = [case for case in in_turn(sites, arguments.seed) if case not in results]
    out = open(log, "w" if fresh else "a", buffering=1)

    def note(case, what):
        results[case] = what
        out.write(f"{case}\t{what}\n")
        print_wrong(case, what)
        return True

    share(team, todo, arguments.slice and time.monotonic() + arguments.slice, note)
    team.end()
    table(results, names)
    if arguments.plant:
        return report_planted(uses, results)
    for reason, n in sorted(excluded.items()):
        print(f"excluded: {n:>6}  {reason}")
    for line in unstable:
        print(f"unstable: {line}")
    wrong = sum(print_wrong(case, what) for case, what in results.items())  # once more, at the end of a long output
    print(f"{len(results)} runs of {len(sites)}; {wrong} wrong")
    return 1 if wrong or unstable else 0


if __name__ == "__main__":
    sys.exit(main())
