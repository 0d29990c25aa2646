"""One run of one use. For ../torture.py."""
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from faults import HANGS, injection, strace_words

TIMEOUT = 60  # s; a use takes some hundredths of one
CLIENT_TIMEOUT = 10
STALL = 0.5  # s; a machine on which a short sleep takes that much longer stands still
STALLS = 5
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS, signal.SIGTRAP}


def sh(text, env, cwd, **more):
    return subprocess.run(["sh", "-c", text], env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=TIMEOUT, **more)


def alive():
    """The processes of this namespace but us, zombies aside: {pid: (name, parent)}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                rest = f.read().rsplit(")", 1)
            state, parent = rest[1].split()[:2]
            if int(pid) != os.getpid() and state not in "ZX":
                found[int(pid)] = rest[0].split("(", 1)[1], int(parent)
        except OSError:
            pass
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_all():
    while True:
        for pid in alive():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        if not alive():
            return
        time.sleep(0.002)


def objects():
    """System V objects of this IPC namespace."""
    found = []
    for kind in "msg", "sem", "shm":
        with open(f"/proc/sysvipc/{kind}") as f:
            found += [kind] * (len(f.readlines()) - 1)
    return found


class Runner:
    """One use at a time, in the namespaces that this process is the first of."""

    def __init__(self, build, uses):
        self.uses = uses
        self.count = None
        self.bin = os.path.join(build, "torture-bin")
        self.root = tempfile.mkdtemp(prefix="torture.")
        self.env = {"PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.root, "LC_ALL": "C"}
        self.env.update({k: v for k, v in os.environ.items() if k == "LLVM_PROFILE_FILE"})  # of check/coverage.sh

    def run_steadily(self, *which):
        """A run in which the machine did not stand still, which a use takes for a fault; unless it always does."""
        for _ in range(STALLS):
            result = self.run(*which)
            if not self.stalled or result[2] == "hang":
                break
        return result

    def run(self, name, inject=None, trace=None):
        """(result, stderr, how it ended, what is left)"""
        use = self.uses[name]
        work = tempfile.mkdtemp(dir=self.root)
        self.stalled = False
        try:
            return self.run_in(work, use, inject, trace)
        finally:
            end_all()
            if objects():
                subprocess.run(["ipcrm", "--all"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            shutil.rmtree(work, ignore_errors=True)

    def count_allocations(self, name, count):
        """Leaves a file of so many bytes."""
        self.count = count
        self.run(name)
        self.count = None

    def run_in(self, work, use, inject, trace):
        env = self.env
        if use.get("setup"):
            subprocess.run(["sh", "-c", use["setup"]], env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=False)  # no pipe: it leaves processes
        before, files = alive(), set(os.listdir(work))
        self.stops = inject and inject.kind == "TSTP"
        if "$" in use["run"].split("'")[0]:
            words = sh('eval "set -- $RUN"; printf "%s\\0" "$@"', {**env, "RUN": use["run"]}, work).stdout.decode().split("\0")[:-1]
        else:
            words = shlex.split(use["run"])
        words[0] = os.path.join(self.bin, words[0])
        end = self.start_and_wait(work, use, words, inject, trace)
        kill = inject and inject.kind == "kill"
        if kill and use.get("again"):
            self.quiet(before)
            sh(use["again"], env, work, stdin=subprocess.DEVNULL)
            again = self.start_and_wait(work, use, words)
            end = again[:2] + ("again",) + again[3:]
        elif kill:
            return ("killed",), b"", "killed", []
        code, out, how, err = end
        if use.get("stdout"):
            out = sh(use["stdout"], env, work, input=out).stdout
        checked = b""
        if use.get("check"):
            checked = sh(use["check"], {**env, "STATUS": str(code)}, work, stdin=subprocess.DEVNULL).stdout
        if use.get("errors") and os.path.exists(os.path.join(work, use["errors"])):
            with open(os.path.join(work, use["errors"]), "rb") as f:
                err += b"".join(line for line in f if line.startswith(use["run"].split()[0].encode() + b": "))
        left = self.left_over(work, before, files)
        return (code, out, checked), err, how, left

    def start_and_wait(self, work, use, words, f=None, trace=None):
        command, env = words, self.env
        alloc = {"LD_PRELOAD": os.path.join(self.bin, ".alloc")}
        if trace:
            command = ["strace", "-D", "-qq", "-y", "-f", "-b", "execve", "-o", trace] + (strace_words(f) if f else []) + words
        elif f and f.kind == "alloc":
            env = {**env, **alloc, "TORTURE_ALLOC": str(f.n)}
        elif self.count:
            env = {**env, **alloc, "TORTURE_ALLOC_COUNT": self.count}
        elif f:
            command = [os.path.join(self.bin, ".inject"), injection(f), f.call, str(f.n)] + words
        with open(os.path.join(work, ".err"), "wb") as err, open(os.path.join(work, ".out"), "wb+") as out:
            process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.PIPE, stdout=out, stderr=err)
            how = self.attend(work, use, process)
        with open(os.path.join(work, ".err"), "rb") as f:
            err = f.read()
        with open(os.path.join(work, ".out"), "rb") as f:
            out = f.read()
        for name in ".err", ".out":
            os.unlink(os.path.join(work, name))
        if use.get("serves"):
            out = self.answers
        return process.returncode, out, how, err

    def attend(self, work, use, process):
        """Its input, its client, its signals; until it has ended."""
        deadline = time.monotonic() + TIMEOUT
        self.answers = b""
        try:
            process.stdin.write(use.get("stdin", "").encode() + (b"\n" if use.get("stdin") else b""))
            process.stdin.close()
        except OSError:
            pass
        if use.get("serves"):
            while process.poll() is None and time.monotonic() < deadline and self.is_not_up(work):
                self.pause()
            if process.poll() is None and not self.is_not_up(work):
                with open(os.path.join(work, ".out")) as f:
                    env = {**self.env, "AT": f.readline().strip()}
                self.answers = self.client(use["client"], env, work, time.monotonic() + CLIENT_TIMEOUT)
                if process.poll() is None:
                    process.terminate()
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return "hang"
            self.pause()
        return "crash" if -process.returncode in CRASHES else "ended"

    def client(self, text, env, work, deadline):
        with open(os.path.join(work, ".answers"), "wb+") as out:
            process = subprocess.Popen(["sh", "-c", text], env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.DEVNULL)
            while process.poll() is None:
                if time.monotonic() > deadline:
                    out.write(HANGS)
                    process.kill()
                self.pause()
            out.seek(0)
            os.unlink(out.name)
            return out.read()

    @staticmethod
    def is_not_up(work):
        with open(os.path.join(work, ".out"), "rb") as f:
            return b"\n" not in f.read()

    def pause(self, seconds=0.002):
        """Whoever was stopped goes on, as a shell's `fg` has it; and notes it when the machine stands still."""
        until = time.monotonic() + seconds + STALL
        time.sleep(seconds)
        self.stalled |= time.monotonic() > until
        for one in alive() if self.stops else ():
            try:
                with open(f"/proc/{one}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] in "Tt":
                        os.kill(one, signal.SIGCONT)
            except (OSError, IndexError):
                pass

    def quiet(self, before):
        """Waits until those whom SIGKILL hit have taken theirs along."""
        until = time.monotonic() + 5
        while time.monotonic() < until and set(self.strangers(before)):
            reap()
            self.pause(0.005)

    @staticmethod
    def strangers(before):
        """Not those that were there before, nor their children."""
        return [f"process {name}" for pid, (name, parent) in alive().items()
                if pid not in before and parent not in before and name not in ("strace", "inject")]

    def left_over(self, work, before, had):
        self.quiet(before)
        files = [f"file {name}" for name in sorted(set(os.listdir(work)) - had)]
        return self.strangers(before) + files + objects()
