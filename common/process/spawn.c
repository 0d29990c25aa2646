/*
 * spawn.c - see spawn.h.
 */
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/exitcode.h"
#include "base/raw.h"

enum { FEW_WORDS = 32 };

/* Lies at the upper end of the child's stack. */
struct start {
    bool is_shared;         /* even with a copy of us */
    _Atomic int on_its_way; /* until exec or exit, when the kernel clears it (CLONE_CHILD_CLEARTID) */
    _Atomic int shortage, err;
    const char *_Atomic step; /* what the child is about, and what has failed */
    pid_t parent;
    struct spawn spawn;
    struct env_copy env;
    char **script; /* argv for /bin/sh, should the file be a script without #!: few, or malloc(3)ed */
    size_t script_room;
    char *few[FEW_WORDS];
    char *script_path; /* of a path that begins with - */
    int fds[SPAWN_FDS];
};

enum { STACK = 65536 /* a multiple of any page's size */, ALIGN = 64, NAP_MS = 50 };
enum { ABOVE_STACK = (sizeof(struct start) + ALIGN - 1) / ALIGN * ALIGN };

#ifdef SPAWN_FORK
enum { SHARES_MEMORY = false };
#else
enum { SHARES_MEMORY = RAW_CALLS };
#endif

/* ---- the child: it makes system calls and nothing else, as its memory may be ours ---- */

static int place_fds(const struct spawn *s)
{
    for (int i = 0; i < s->nfds; i++) {
        long done = 0;
        do
            if (s->fds[i] >= 0)
                done =
                    s->fds[i] == i ? raw_call(SYS_fcntl, i, F_SETFD, 0) : raw_call(SYS_dup3, s->fds[i], i, 0);
        while (done == -EINTR);
        if (done < 0)
            return (int)-done;
    }
    return 0;
}

static void write_pid(char *text)
{
    struct buf b = {.mem = text, .size = SPAWN_PID_SIZE};
    buf_num(&b, (unsigned long long)raw_call(SYS_getpid, 0, 0, 0));
    buf_str(&b);
}

/* setpgid(2), tcsetpgrp(3), setsid(2), TIOCSCTTY (ioctl_tty(2)). SIGTTOU is blocked. */
static int take_place(struct start *r)
{
    const struct spawn *s = &r->spawn;
    long done = 0;
    if (s->place == SPAWN_GROUP || s->place == SPAWN_FOREGROUND) {
        r->step = "setpgid";
        done = raw_call(SYS_setpgid, 0, 0, 0);
    } else if (s->place != SPAWN_HERE) {
        r->step = "setsid";
        done = raw_call(SYS_setsid, 0, 0, 0);
    }
    if (done >= 0 && s->place == SPAWN_FOREGROUND) {
        const pid_t group = (pid_t)raw_call(SYS_getpid, 0, 0, 0);
        done = raw_call(SYS_ioctl, s->terminal, TIOCSPGRP, (long)&group);
    }
    if (done >= 0 && s->place == SPAWN_TERMINAL)
        done = raw_call(SYS_ioctl, STDIN_FILENO, TIOCSCTTY, 0);
    return done < 0 ? (int)-done : 0;
}

/* After ids have changed, which clears it. Exits if our parent has died already; 0: it is in another pid
 * namespace. */
static int tie(struct start *r)
{
    if (!r->spawn.death_signal)
        return 0;
    r->step = "prctl";
    long done = raw_call(SYS_prctl, PR_SET_PDEATHSIG, r->spawn.death_signal, 0);
    long parent = raw_call(SYS_getppid, 0, 0, 0);
    if (done == 0 && parent && parent != r->parent)
        _exit(EXIT_SYSTEM);
    return (int)-done;
}

/* Whether a file that the kernel can't execute is text for a shell: not empty, no NUL in its first line. */
static bool is_script(const char *path)
{
    char head[256] = {0};
    long fd = raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    long n = fd < 0 ? 0 : raw_call(SYS_read, fd, (long)head, sizeof head);
    if (fd >= 0)
        raw_call(SYS_close, fd, 0, 0);
    for (long i = 0; i < n && head[i] != '\n'; i++)
        if (!head[i])
            return false;
    return n > 0;
}

/* execve(2), and what execvp(3) does where that says ENOEXEC. Returns only with the errno. */
static int execute(const struct spawn *s, char *const *script)
{
    int err = (int)-raw_call(SYS_execve, (long)s->path, (long)s->argv, (long)s->envp);
    if (err != ENOEXEC || !is_script(s->path))
        return err;
    raw_call(SYS_execve, (long)*script, (long)script, (long)s->envp);
    return err;
}

/* A shortage is waited for, as long as the parent is there. */
static int execute_patiently(struct start *r)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * CLOCK_MS};
    for (;;) {
        int err = execute(&r->spawn, r->script);
        if (!r->spawn.patient || (err != EAGAIN && err != ENOMEM && err != EMFILE && err != ENFILE))
            return err;
        long parent = raw_call(SYS_getppid, 0, 0, 0);
        if (parent && parent != r->parent) /* 0: it is in another pid namespace */
            _exit(EXIT_NOTFOUND);
        r->shortage = err;
        raw_call(SYS_kill, r->parent, SIGCHLD, 0);
        raw_call(SYS_nanosleep, (long)&nap, 0, 0);
    }
}

/* All that is done before exec. 0, or the errno of r->step. */
static int prepare(struct start *r)
{
    const struct spawn *s = &r->spawn;
    int err;
    for (int i = 0; i < SPAWN_PIDS; i++)
        if (s->pid_text[i])
            write_pid(s->pid_text[i]);
    r->step = "dup2";
    if ((err = place_fds(s)) || (err = take_place(r)))
        return err;
    r->step = "change user";
    if (s->user && user_become(s->user) < 0)
        return errno;
    if ((err = tie(r)))
        return err;
#ifdef SYS_close_range
    if (s->only_stdio)
        (void)raw_call(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, 0);
#endif
    return 0;
}

static int child(void *arg)
{
    struct start *r = arg;
    int err = prepare(r);
    if (!err) {
        /* last, as a signal must not interrupt all that half-way: what is pending may end the child now */
        sigs_reset(r->spawn.signals);
        r->step = "exec";
        err = execute_patiently(r);
    }
    r->err = err;
    _exit(EXIT_NOTFOUND);
}

/* ---- the parent ---- */

/* The kernel keeps a gap of a megabyte free below a mapping that grows down: the stack's guard (mmap(2)). */
struct start *spawn_record(void)
{
    char *base =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    return base == MAP_FAILED ? NULL : (struct start *)(base + STACK - ABOVE_STACK);
}

static char *stack_of(struct start *r)
{
    return (char *)r + ABOVE_STACK - STACK;
}

void spawn_free(struct start *r)
{
    if (!r)
        return;
    if (r->script != r->few)
        free(r->script);
    free(r->script_path);
    free(r->env.v);
    munmap(stack_of(r), STACK);
}

/* The words "/bin/sh", path, argv[1]...: what a shell is given to run a script. 0, or -1 with ENOMEM. */
static int prepare_script(struct start *r, const char *path, char *const *argv)
{
    size_t n = 0;
    while (argv[n])
        n++;
    if (n + 2 <= FEW_WORDS && !r->script)
        r->script = r->few;
    if (n + 2 > (r->script == r->few ? FEW_WORDS : r->script_room)) {
        char **script = realloc(r->script == r->few ? NULL : r->script, (n + 2) * sizeof *script);
        if (!script)
            return -1;
        r->script = script;
        r->script_room = n + 2;
    }
    if (*path == '-') {
        char *whole = realloc(r->script_path, strlen(path) + 3);
        if (!whole)
            return -1;
        memcpy(whole, "./", 2);
        memcpy(whole + 2, path, strlen(path) + 1);
        path = r->script_path = whole;
    }
    r->script[0] = (char *)"/bin/sh";
    r->script[1] = (char *)path;
    r->script[2] = NULL; /* of a program without any word */
    if (n > 1)
        memcpy(r->script + 2, argv + 1, n * sizeof *argv);
    return 0;
}

static int fill_record(struct start *r, const struct spawn *s, const struct env *env)
{
    r->spawn = *s;
    r->parent = getpid();
    r->shortage = r->err = 0;
    if (env && env_copy(env, &r->env, r->spawn.pid_text, SPAWN_PIDS, SPAWN_PID_SIZE) < 0)
        return -1;
    if (env)
        r->spawn.envp = r->env.v;
    memcpy(r->fds, s->fds ? s->fds : r->fds, (size_t)s->nfds * sizeof *r->fds);
    r->spawn.fds = r->fds;
    return prepare_script(r, s->path, s->argv);
}

/* What a copy of us leaves in the record is for us to see. 0, or -1 with errno. */
static int share(struct start *r)
{
    if (r->is_shared)
        return 0;
    struct start copy = *r;
    if (mmap(stack_of(r), STACK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        return -1;
    *r = copy;
    r->is_shared = true;
    return 0;
}

static pid_t copy_ourselves(struct start *r)
{
    pid_t pid = share(r) < 0 ? -1 : fork();
    if (pid == 0)
        child(r);
    return pid;
}

pid_t spawn_program(struct start *r, const struct spawn *s, const struct env *env)
{
    const int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
    if (fill_record(r, s, env) < 0)
        return -1;
    pid_t pid = -1;
    errno = ENOSYS;
    r->on_its_way = 1;
    sigs_hold(); /* no signal reaches the child before it is done */
    if (SHARES_MEMORY && !s->user)
        pid = clone(child, r, flags, r, NULL, NULL, &r->on_its_way);
    if (pid < 0 && (errno == ENOSYS || errno == EINVAL)) /* or qemu-user */
        pid = copy_ourselves(r);
    sigs_release();
    if (pid < 0)
        r->on_its_way = 0;
    return pid;
}

bool spawn_is_on_its_way(const struct start *r)
{
    return r->on_its_way;
}

bool spawn_has_failed(const struct start *r)
{
    return r->err != 0;
}

int spawn_shortage(const struct start *r)
{
    return r->on_its_way ? r->shortage : 0;
}

int spawn_reaped(struct start *r, const char **step)
{
    r->on_its_way = 0;
    *step = r->step;
    int err = r->err;
    r->err = 0;
    return err;
}

void spawn_become(const char *path, char *const *argv, char *const *envp)
{
    struct start r = {.spawn = {.path = path, .argv = argv, .envp = envp}};
    int err = prepare_script(&r, path, argv) < 0 ? ENOMEM : 0;
    sigs_reset(SIGS_INHERITED);
    if (!err)
        err = execute(&r.spawn, r.script);
    if (r.script != r.few)
        free(r.script);
    free(r.script_path);
    errno = err;
}
