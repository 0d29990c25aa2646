"""What can happen at a call, what is left out, and whether a run was right. For ../torture.py."""
import collections
import errno
import fnmatch
import os
import re
import signal

HANGS = b"(the client hangs)"
SIGNALS = ["TERM", "INT", "HUP", "TSTP", "CHLD", "ALRM"]

# What a call can fail with, as its manual page has it. Not close(2), as a call that is made to fail is not carried out, while
# Linux always closes; nor what only a program that is wrong can get, such as EBADF and wait(2)'s ECHILD; nor dup2(2)'s EBUSY,
# which is a race of threads, and which musl tries again.
ERRNOS = {
    "open": "EMFILE ENFILE ENOMEM EACCES ENOENT ENOSPC", "openat": "EMFILE ENFILE ENOMEM EACCES ENOENT ENOSPC",
    "read": "EIO EAGAIN", "write": "EIO ENOSPC EPIPE", "writev": "EIO ENOSPC EPIPE", "pwrite64": "EIO ENOSPC",
    "dup": "EMFILE", "dup2": "EMFILE", "dup3": "EMFILE", "pipe": "EMFILE ENFILE",
    "pipe2": "EMFILE ENFILE", "fcntl": "EINVAL EMFILE", "fcntl64": "EINVAL EMFILE", "ioctl": "ENOTTY EIO",
    "fork": "EAGAIN ENOMEM", "vfork": "EAGAIN ENOMEM", "clone": "EAGAIN ENOMEM EINVAL", "clone3": "ENOSYS",
    "execve": "ENOENT EACCES ENOMEM E2BIG ETXTBSY", "kill": "EPERM ESRCH",
    "prctl": "EINVAL EPERM", "setsid": "EPERM", "setpgid": "EPERM EACCES", "socket": "EMFILE ENFILE ENOBUFS EAFNOSUPPORT",
    "socketpair": "EMFILE ENFILE", "bind": "EADDRINUSE EACCES", "listen": "EADDRINUSE",
    "accept4": "EMFILE ENFILE ENOBUFS ECONNABORTED", "accept": "EMFILE ENFILE ENOBUFS ECONNABORTED",
    "connect": "ECONNREFUSED ETIMEDOUT ENETUNREACH EAGAIN", "getsockname": "ENOBUFS", "getpeername": "ENOTCONN ENOBUFS",
    "setsockopt": "ENOPROTOOPT ENOMEM", "getsockopt": "ENOPROTOOPT", "sendto": "ENOBUFS EPIPE ECONNRESET",
    "recvfrom": "ECONNRESET ENOMEM", "sendmsg": "ENOBUFS EPIPE", "recvmsg": "ECONNRESET ENOMEM", "shutdown": "ENOTCONN",
    "poll": "ENOMEM EINVAL", "ppoll": "ENOMEM EINVAL", "epoll_create1": "EMFILE ENOMEM", "epoll_ctl": "ENOMEM ENOSPC",
    "signalfd4": "EMFILE ENODEV", "signalfd": "EMFILE", "timerfd_create": "EMFILE",
    "eventfd2": "EMFILE", "inotify_init1": "EMFILE", "inotify_add_watch": "ENOSPC ENOENT", "pidfd_open": "EMFILE ENOSYS",
    "pidfd_send_signal": "EPERM ENOSYS", "memfd_create": "EMFILE ENOMEM", "mmap": "ENOMEM", "brk": "ENOMEM", "mprotect": "ENOMEM",
    "mkdir": "EACCES ENOSPC", "mknod": "EACCES ENOSPC", "mknodat": "EACCES ENOSPC", "mkfifo": "EACCES", "unlink": "EACCES EBUSY",
    "unlinkat": "EACCES EBUSY", "rename": "EACCES ENOSPC", "renameat": "EACCES ENOSPC", "link": "EACCES", "chmod": "EPERM",
    "fchmod": "EPERM", "stat": "EACCES ENOENT", "lstat": "EACCES ENOENT", "fstat": "EIO", "newfstatat": "EACCES ENOENT",
    "readlink": "ENOENT EACCES", "readlinkat": "ENOENT EACCES", "getdents64": "EIO", "chdir": "EACCES ENOENT",
    "flock": "ENOLCK", "ftruncate": "EIO", "fsync": "EIO", "splice": "EINVAL ENOMEM", "tee": "ENOMEM", "sendfile": "EINVAL EIO",
    "copy_file_range": "EXDEV EINVAL", "setitimer": "EINVAL", "timer_create": "EAGAIN ENOMEM", "timer_settime": "EINVAL",
    "getrandom": "EAGAIN ENOSYS", "msgget": "ENOSPC ENOMEM EACCES", "msgsnd": "EIDRM ENOMEM EACCES", "msgrcv": "EIDRM EACCES",
    "msgctl": "EPERM EIDRM", "semget": "ENOSPC EACCES", "semop": "EIDRM EACCES ENOSPC", "semtimedop": "EIDRM ENOSPC",
    "semctl": "EPERM EIDRM", "shmget": "ENOSPC ENOMEM", "shmat": "ENOMEM EACCES", "shmdt": "EINVAL", "shmctl": "EPERM EIDRM",
    "close_range": "ENOSYS", "unshare": "EPERM", "prlimit64": "EPERM", "getrlimit": "EINVAL", "setrlimit": "EPERM",
    "tgkill": "EAGAIN", "uname": "EFAULT", "getcwd": "ENOENT", "access": "EACCES",
    "faccessat": "EACCES", "utimensat": "EACCES", "sched_setaffinity": "EINVAL", "pread64": "EIO",
    "pwritev2": "EIO ENOSPC EPIPE EOPNOTSUPP", "setgroups": "EPERM", "setresgid": "EPERM", "setresuid": "EPERM EAGAIN",
    "capset": "EPERM", "fchdir": "EACCES", "mkdirat": "EACCES ENOSPC", "linkat": "EACCES ENOSPC", "fchown": "EPERM",
    "fchownat": "EPERM", "renameat2": "EINVAL ENOSPC", "recvmmsg": "ECONNRESET ENOMEM", "landlock_create_ruleset": "ENOSYS EOPNOTSUPP",
    "landlock_add_rule": "ENOMEM", "landlock_restrict_self": "EPERM",
}
# not open(2), which waits only for a FIFO's other end, nor fcntl(2), which waits only for a lock, nor dup2(2), which never does
INTERRUPTED = set("""read write writev connect accept accept4 sendto recvfrom sendmsg recvmsg poll ppoll epoll_wait
    epoll_pwait flock wait4 waitid msgsnd msgrcv semop semtimedop rt_sigtimedwait splice sendfile tee getrandom
    nanosleep clock_nanosleep pause rt_sigsuspend""".split())


SHORT = "read write pread64 readv writev sendto recvfrom tee splice sendfile".split()


def read_excluded():
    """check/torture/excluded: CALL ERRNO USE ARGUMENTS reason; patterns, as a shell has them."""
    rows = []
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "excluded")) as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                rows.append(line.split(None, 4))
    return rows


Fault = collections.namedtuple("Fault", "kind call errno n")


def calls_of(trace):
    """The calls that are ours: {name: {n: [arguments of the nth of each process]}}. What the loader and libc do first is not."""
    calls = collections.defaultdict(lambda: collections.defaultdict(list))
    counts = collections.defaultdict(collections.Counter)
    first, main = {}, None
    with open(trace, errors="replace") as f:
        for line in f:
            match = re.match(r"(\d+)\s+([a-z_0-9]+)\((.*)", line)
            if not match:
                continue
            pid, call, arguments = match.groups()
            main = main or pid
            if pid == main and not first and "fcntl(0" in line and "F_GETFD" in line:
                first = dict(counts[pid])
            counts[pid][call] += 1
            calls[call][counts[pid][call]].append((pid, arguments))
    result = {}
    for call, numbers in calls.items():
        ours = {n: [a for pid, a in each if pid != main or n > first.get(call, 0)] for n, each in numbers.items()}
        result[call] = {n: each for n, each in ours.items() if each}
    return result


def row_of(excluded, f, numbers):
    """The row that excludes a fault: by what the call is about, or for `errors` also one that follows."""
    for row in excluded:
        if fnmatch.fnmatchcase(f.errno, row[1].rstrip("+")) and (f.kind == "errors" or not row[1].endswith("+")):
            for n, each in numbers.items():
                if (n == f.n or n > f.n and f.kind == "errors") and any(fnmatch.fnmatchcase(a, row[3]) for a in each):
                    return row
    return None


def faults_at(call, n, use):
    """All that can happen at one call."""
    for errno in ERRNOS.get(call, "").split():
        yield Fault("error", call, errno, n)
        if (call, errno) != ("read", "EAGAIN"):  # something comes, or an end
            yield Fault("errors", call, errno, n)
    if call in INTERRUPTED:
        yield Fault("eintr", call, "EINTR", n)
    if call in SHORT:
        yield Fault("short", call, "short", n)
    if call not in ("execve", "exit_group"):
        yield from (Fault(s, call, "-", n) for s in SIGNALS)
        if use.get("again"):
            yield Fault("kill", call, "-", n)


def site_of(call, each):
    """What tells a call in the source from the others of its name, as far as its arguments do: those without what varies."""
    return call + re.sub(r"\S*/torture\.\w+(/tmp\w+)?|0x[0-9a-f]+|\d+", "#", each[0].rsplit(" = ", 1)[0])


def faults_of(calls, allocations, use, arguments, excluded, name):
    """All that can be tried of a use, {its site: those there}, and how much of it is excluded."""
    faults, left_out = collections.defaultdict(list), collections.Counter()
    for call, numbers in sorted(calls.items()):
        rows = [row for row in excluded if fnmatch.fnmatchcase(call, row[0]) and fnmatch.fnmatchcase(name, row[2])]
        for f in (f for n in numbers for f in faults_at(call, n, use)):
            if arguments.faults and f.kind not in arguments.faults:
                continue
            row = row_of(rows, f, numbers)
            if row:
                left_out[row[4].strip()] += 1
            else:
                faults[site_of(call, calls[call][f.n])].append(f)
    if not arguments.faults or "alloc" in arguments.faults:
        for n in range(1, allocations + 1):
            faults[f"malloc {n} of {name}"].append(Fault("alloc", "malloc", "ENOMEM", n))
    return faults, left_out


def injection(f):
    """The words of inject.c."""
    if f.kind in ("error", "errors", "eintr"):
        return f"{'errors' if f.kind == 'errors' else 'error'}:{getattr(errno, f.errno)}"
    if f.kind == "short":
        return "short"
    return f"signal:{int(getattr(signal, 'SIG' + ('KILL' if f.kind == 'kill' else f.kind)))}"


def strace_words(f):
    """The same for strace(1), which does not know short."""
    if f.kind in ("error", "errors", "eintr"):
        return [f"-einject={f.call}:error={f.errno}:when={f.n}{'+' if f.kind == 'errors' else ''}"]
    if f.kind in ("short", "alloc"):
        return []
    return [f"-einject={f.call}:signal={'KILL' if f.kind == 'kill' else f.kind}:when={f.n}"]


def is_end_by(f, base, result, err, use):
    """Whether a signal may have made that of it, in the applet or in what it was about to start."""
    number = getattr(signal, "SIG" + f.kind)
    status, output, checked = result
    if status in (-number, 128 + number) or (status != base[0] and status and err):
        return True
    if use.get("serves"):  # no answer, but no other one
        return set(output.replace(HANGS, b"").splitlines()) <= set(base[1].splitlines())
    return "ended" in use and any(fnmatch.fnmatchcase(checked.decode(), pattern) for pattern in use["ended"].split("|"))


def verdict(f, base, run, use):
    """What a run was: right, or why it was wrong."""
    (result, err, how, left), (expected, _, _, base_left) = run, base
    same_status = result[0] == expected[0]
    if how in ("hang", "crash"):
        return how
    if how == "killed":
        return "same"
    extra = collections.Counter(left) - collections.Counter(base_left)
    if f.kind in ("error", "errors"):
        told = "unheard" in use or (err and not same_status)
        extra -= collections.Counter("file " + name for name in (use.get("remains", "") if told else "").split())
    if f.kind in SIGNALS and "orphans" in use and is_end_by(f, expected, result, err, use):
        extra = {name: n for name, n in extra.items() if not name.startswith("process ")}
    if extra and (same_status or b"still there after SIGKILL" not in err):
        return "left over: " + ", ".join(sorted(extra))
    if result == expected and not extra:
        return "same"
    if f.kind in ("TERM", "INT", "HUP", "ALRM", "TSTP"):
        return "ended by it" if is_end_by(f, expected, result, err, use) else "another result"
    if f.kind in ("eintr", "short", "CHLD", "kill"):
        return "another result"
    if same_status:
        shown = result[1] != expected[1] or "errors" in use
        return "reported" if err and shown and how == "ended" else "silently wrong"
    if f.call in ("write", "writev", "pwritev2") and not err:
        return "reported"  # the message was what failed
    return "reported" if err else "mute"


RIGHT = ("same", "reported", "ended by it")
