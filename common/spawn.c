/*
 * spawn.c - see spawn.h.
 */
#include "spawn.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) (void)0
#endif

#include "buf.h"
#include "exitcode.h"
#include "fd.h"

/* What parent and child share while the parent waits in clone(2). */
struct shared {
    const struct spawn *spawn;
    pid_t parent;
    const char *volatile failed;
    volatile int err;
};

enum { NAP_NS = 50000000 }; /* between two tries to exec */

static int dup_onto(int from, int to)
{
    int done;
    do
        done = from == to ? fd_set_cloexec(to, false) : dup2(from, to);
    while (done < 0 && errno == EINTR);
    return done;
}

static int place_fds(const struct spawn *s)
{
    for (int i = 0; i < s->nfds; i++) {
        if (s->fds[i] >= 0 && dup_onto(s->fds[i], i) < 0)
            return -1;
    }
    return 0;
}

static void write_pid(char *text)
{
    struct buf b = {.mem = text, .size = SPAWN_PID_SIZE};
    buf_num(&b, (unsigned long long)getpid());
    buf_str(&b);
}

/* setpgid(2), tcsetpgrp(3), setsid(2), TIOCSCTTY (ioctl_tty(2)) */
static int take_place(enum spawn_place place)
{
    switch (place) {
    case SPAWN_HERE:
        return 0;
    case SPAWN_GROUP:
        return setpgid(0, 0);
    case SPAWN_FOREGROUND:
        sigs_give_blocked(SIGTTOU, true); /* what a background process gets for the next call */
        return setpgid(0, 0) < 0 ? -1 : tcsetpgrp(STDIN_FILENO, getpid());
    case SPAWN_SESSION:
        return setsid() < 0 ? -1 : 0;
    case SPAWN_TERMINAL:
        return setsid() < 0 ? -1 : ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    }
    return 0;
}

/* After ids have changed, which clears it. False: our parent has died already. */
static bool tie(int death_signal, pid_t parent)
{
    return !death_signal || (prctl(PR_SET_PDEATHSIG, death_signal) == 0 && getppid() == parent);
}

/* All that is done before exec. 0, or -1 with errno and shared->failed. */
static int prepare(struct shared *shared)
{
    const struct spawn *s = shared->spawn;
    if (s->pid_text)
        write_pid(s->pid_text);
    shared->failed = "dup2";
    if (place_fds(s) < 0)
        return -1;
    shared->failed = "setsid";
    if (take_place(s->place) < 0)
        return -1;
    shared->failed = "change user";
    if (s->user && user_become(s->user) < 0)
        return -1;
    if (!tie(s->death_signal, shared->parent))
        _exit(EXIT_SYSTEM);
    return 0;
}

/* Runs on a stack of its own in our memory: it must not change anything but what it was given for that. */
__attribute__((no_sanitize("address"))) static int child(void *arg)
{
    struct shared *shared = arg;
    const struct spawn *s = shared->spawn;
    if (prepare(shared) == 0) {
        /* last, as a signal must not interrupt all that half-way: what is pending may end the child now */
        sigs_reset(s->signals);
        shared->failed = "exec";
        execve(s->path, s->argv, s->envp);
    }
    shared->err = errno;
    _exit(EXIT_NOTFOUND);
}

pid_t spawn_program(const struct spawn *s, const char **failed)
{
    enum { STACK = 32768 };
    _Alignas(16) char stack[STACK];
    struct shared shared = {.spawn = s, .parent = s->death_signal ? getpid() : 0};
    pid_t pid = clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &shared);
    if (pid < 0) {
        *failed = "fork";
        return -1;
    }
    if (!shared.err)
        return pid;
    *failed = shared.failed;
    errno = shared.err;
    return -1;
}

/* ---- starts that are not waited for ---- */

/*
 * A system call without errno, which the child of a lane shares with a parent that goes on: its result, or
 * the error, negative. Where it is not known how the machine does it, there are no lanes.
 */
#if defined __x86_64__ && !defined __ILP32__

enum { HAS_LANES = true };

static long call_apart(long number, long a, long b, long c)
{
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return number;
}

#elif defined __aarch64__

enum { HAS_LANES = true };

static long call_apart(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

#else

enum { HAS_LANES = false };

static long call_apart(long number, long a, long b, long c)
{
    (void)number, (void)a, (void)b, (void)c;
    return -ENOSYS;
}

#endif

/* All above fd 2, so that nothing of the parent's lives on in a child that has yet to exec. */
static void close_apart(void)
{
#ifdef SYS_close_range
    call_apart(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
#endif
}

/* Its errno, if it is not a shortage: one is waited for, as long as the parent is there. */
static int exec_in_time(struct spawn_lane *lane)
{
    struct timespec nap = {.tv_nsec = NAP_NS};
    for (;;) {
        const struct spawn *s = &lane->spawn;
        int err = (int)-call_apart(SYS_execve, (long)s->path, (long)s->argv, (long)s->envp);
        if (err != EAGAIN && err != ENOMEM && err != EMFILE && err != ENFILE)
            return err;
        if (call_apart(SYS_getppid, 0, 0, 0) != lane->parent)
            _exit(EXIT_NOTFOUND);
        lane->shortage = err;
        call_apart(SYS_kill, lane->parent, SIGCHLD, 0);
        call_apart(SYS_nanosleep, (long)&nap, 0, 0);
    }
}

__attribute__((no_sanitize("address"))) static int child_in_lane(void *arg)
{
    struct spawn_lane *lane = arg;
    int err = errno;
    call_apart(SYS_set_tid_address, (long)&lane->busy, 0, 0);
    lane->failed = "dup2";
    if (lane->spawn.pid_text)
        write_pid(lane->spawn.pid_text);
    if (place_fds(&lane->spawn) == 0) {
        close_apart();
        sigs_reset(lane->spawn.signals);
        lane->failed = "exec";
        lane->err = exec_in_time(lane);
    } else {
        lane->err = errno;
        errno = err;
    }
    _exit(EXIT_NOTFOUND);
}

pid_t spawn_in_lane(
    struct spawn_lane *lane, const struct spawn *s, const struct env *env, const char **failed)
{
    *failed = "fork";
    errno = ENOSYS;
    if (!HAS_LANES || s->place != SPAWN_HERE || s->user || s->death_signal || s->nfds > SPAWN_LANE_FDS)
        return -1;
    *failed = "malloc";
    lane->spawn = *s;
    if (env_copy(env, &lane->env, &lane->spawn.pid_text, SPAWN_PID_SIZE) < 0)
        return -1;
    memcpy(lane->fds, s->fds, (size_t)s->nfds * sizeof *s->fds);
    lane->spawn.fds = lane->fds;
    lane->spawn.envp = lane->env.v;
    lane->parent = getpid();
    ASAN_UNPOISON_MEMORY_REGION(lane->stack, sizeof lane->stack); /* exec has never left its last functions */
    lane->shortage = 0;
    lane->busy = 1;
    *failed = "fork";
    lane->pid = clone(child_in_lane, lane->stack + sizeof lane->stack, CLONE_VM | SIGCHLD, lane);
    if (lane->pid < 0)
        lane->busy = 0;
    return lane->pid;
}

bool spawn_lane_is_free(const struct spawn_lane *lane)
{
    return !lane->busy && !lane->err;
}

/* Whether it can be run, as far as that can be seen before: 0, or -1 with errno. */
static int check_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -1;
    if (S_ISREG(st.st_mode))
        return access(path, X_OK);
    errno = EACCES;
    return -1;
}

/* The first file of that name that can be run in the directories of $PATH. 0, or -1 with errno. */
static int search(const char *name, struct buf *path)
{
    const char *dir = getenv("PATH");
    int err = ENOENT;
    for (dir = dir ? dir : "/usr/local/bin:/bin:/usr/bin"; dir; dir = *dir ? dir + 1 : NULL) {
        size_t len = strcspn(dir, ":");
        path->len = 0;
        path->cut = false;
        buf_bytes(path, len ? dir : ".", len ? len : 1);
        buf_char(path, '/');
        buf_text(path, name);
        if (!path->cut && check_file(buf_str(path)) == 0)
            return 0;
        if (errno == EACCES)
            err = EACCES;
        dir += len;
    }
    errno = err;
    return -1;
}

const char *spawn_find(const char *name)
{
    if (strchr(name, '/'))
        return check_file(name) == 0 ? name : NULL;
    struct buf path = {.mem = malloc(PATH_MAX), .size = PATH_MAX};
    if (!path.mem)
        return NULL;
    errno = ENOENT;
    if (*name && search(name, &path) == 0)
        return path.mem;
    int err = errno;
    free(path.mem);
    errno = err;
    return NULL;
}

void spawn_forget(const char *path, const char *name)
{
    if (path != name)
        free((void *)path);
}

int spawn_exit_status(int err)
{
    return err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG ? EXIT_NOTFOUND : EXIT_CANTRUN;
}

int spawn_not_found(const struct msg *m, const char *name, int err)
{
    bool in_path = err == ENOENT && !strchr(name, '/');
    return msg_fatal_why(
        m, spawn_exit_status(err), NULL, name, in_path ? "command not found" : strerror(err));
}

void spawn_become(const char *path, char *const *argv, char *const *envp)
{
    sigs_reset(SIGS_INHERITED);
    execve(path, argv, envp);
}

pid_t spawn_function(int (*work)(void *), void *arg, bool tied)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigs_reset(SIGS_INHERITED);
    if (tied)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (tied && getppid() != parent)
        _exit(EXIT_SYSTEM);
    _exit(work(arg));
}

struct keeper {
    int (*work)(void *);
    void *arg;
};

static int keeper(void *arg)
{
    const struct keeper *k = arg;
    setsid();
    _exit(k->work(k->arg));
}

pid_t spawn_keeper(int (*work)(void *), void *arg)
{
    enum { STACK = 65536 };
    _Alignas(16) char stack[STACK]; /* the child has a copy of it */
    struct keeper k = {.work = work, .arg = arg};
    sigs_hold(); /* it is deaf from the beginning: our own end may be a SIGHUP for it */
    pid_t pid = clone(keeper, stack + STACK, CLONE_SYSVSEM | SIGCHLD, &k);
    sigs_release();
    return pid;
}

pid_t spawn_background(int (*work)(void *), void *arg)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    _exit(work(arg));
}
