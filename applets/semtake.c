/*
 * semtake - takes a semaphore, and holds it for a program, for a process, or until someone gives it back.
 *
 * perlipc's take: one semop(2) that waits for zero and adds one. With PROG it is taken under SEM_UNDO, then
 * we become PROG by exec, so that the kernel gives it back when PROG terminates, for whatever reason, and not
 * before.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/find.h"
#include "sysv/sem.h"
#include "process/spawn.h"
#include "process/watch.h"
#include "process/worker.h"

#define SEMTAKE_OPTIONS(X)                                                                   \
    MSG_OPTIONS(X)                                                                           \
    X(NUM, 'n', "num", "NUM", "take semaphore NUM of the set (0)")                           \
    X(COUNT, 'c', "count", NULL, "wait for a value above 0 and subtract 1")                  \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: same as --try") \
    X(TRY, 0, "try", NULL, "do not wait; exit 1 if the semaphore is taken")                  \
    X(CREATE, 0, "create", "[VALUE]", "create the set if it does not exist (0; 1 with -c)")  \
    X(MODE, 'm', "mode", "MODE", "create the set with this mode (0600)")                     \
    X(FOR, 0, "for", "PID", "return once the semaphore is taken; give it back when PID exits")

enum semtake_option { SEMTAKE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMTAKE_OPTIONS(OPT_ROW)};

struct semtake {
    struct msg *msg;
    struct sysv_key key;
    unsigned short num;
    bool count, create, has_value, has_mode, try_once;
    int64_t timeout;
    struct sem_making making;
    pid_t pid;          /* --for */
    struct watch watch; /* that very process */
};

/* Exits if there is no such process. */
static void watch_pid(struct semtake *s)
{
    char mem[32];
    struct buf pid = BUF(mem);
    buf_num(&pid, (unsigned long long)s->pid);
    if (watch_begin(&s->watch, s->pid) < 0)
        msg_die_sys(s->msg, "watch", buf_str(&pid));
}

/* The keeper: it holds the semaphore, and nothing else of ours, until PID exits. */
static int keep(void *arg)
{
    enum { PIDFD = STDERR_FILENO + 1 };
    struct watch w = ((const struct semtake *)arg)->watch;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fd_to_null(fd) < 0)
            close(fd);
    if (w.fd >= 0 && dup2(w.fd, PIDFD) >= 0)
        w.fd = PIDFD;
    fd_close_from(w.fd >= 0 ? w.fd + 1 : PIDFD);
    if (chdir("/") < 0) /* then a file system can't be unmounted for a while */
        errno = 0;
    while (!watch_is_over(&w)) {
        struct pollfd end = watch_poll(&w);
        int64_t ns = watch_pause(&w);
        poll(&end, 1, ns == CLOCK_NEVER ? -1 : (int)(ns / CLOCK_MS));
    }
    return EXIT_DONE;
}

static int busy(const struct semtake *s, int id)
{
    if (id >= 0 && s->count && sem_is_untouched(id))
        return msg_fatal_why(s->msg, EXIT_SYSTEM, "take", s->key.word,
            "it has no initial value: use 'semset set', 'semset create --value' or --create=VALUE");
    msg_error_why(s->msg, "take", s->key.word, s->try_once ? "it is taken" : "the deadline passed");
    return s->try_once ? EXIT_NO : EXIT_DEADLINE;
}

static int take(const struct semtake *s, bool undo)
{
    short flags = (short)((undo ? SEM_UNDO : 0) | (s->try_once ? IPC_NOWAIT : 0));
    struct sembuf binary[] = {{.sem_num = s->num, .sem_op = 0, .sem_flg = flags},
        {.sem_num = s->num, .sem_op = 1, .sem_flg = flags}};
    struct sembuf counting = {.sem_num = s->num, .sem_op = -1, .sem_flg = flags};
    int64_t deadline = s->try_once ? 0 : clock_in(s->timeout);
    int id = s->create ? sem_make(&s->key, &s->making, deadline) : sem_find(&s->key, deadline);
    if (id < 0 && errno == EAGAIN)
        return busy(s, id);
    if (id < 0)
        return sysv_failed(s->msg, SYSV_SEM, s->create ? "create" : "find", &s->key, errno);
    if (sem_change(id, s->count ? &counting : binary, s->count ? 1 : 2, deadline) == 0)
        return EXIT_DONE;
    return errno == EAGAIN ? busy(s, id) : sysv_failed(s->msg, SYSV_SEM, "take", &s->key, errno);
}

static int run(struct semtake *s, char **argv)
{
    const char *path = *argv ? find_program(*argv) : NULL;
    if (*argv && !path)
        return find_failed(s->msg, *argv, errno);
    if (s->pid)
        watch_pid(s);
    int status = take(s, *argv || s->pid);
    if (status != EXIT_DONE)
        return status;
    if (s->pid && worker_keep(keep, s) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "fork", NULL, errno);
    if (!*argv)
        return EXIT_DONE;
    spawn_become(path, argv, environ);
    return msg_fatal(s->msg, find_exit_status(errno), "exec", *argv, errno);
}

/* The set that --create, -c and -n ask for. */
static void decide_value(struct semtake *s)
{
    if (!s->has_value)
        s->making.value = s->count;
    else if (!s->count && s->making.value > 1)
        msg_usage(
            s->msg, "--create=%u requires --count; without it 0 is free and 1 is taken", s->making.value);
    s->making.n = s->num + 1u;
}

static void take_option(struct semtake *s, int row, const struct opts *o)
{
    uint64_t value;
    switch ((enum semtake_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(s->msg, row);
        break;
    case OPT_NUM:
        s->num = (unsigned short)opts_num(o, 0, SEM_SET_SIZE - 1);
        break;
    case OPT_COUNT:
        s->count = true;
        break;
    case OPT_TIMEOUT:
        s->timeout = opts_duration(o);
        s->try_once = !s->timeout;
        break;
    case OPT_TRY:
        s->try_once = true;
        break;
    case OPT_CREATE:
        s->create = true;
        s->has_value = o->arg != NULL;
        value = s->has_value ? opts_num(o, 0, SEM_HIGHEST) : 0;
        s->making.value = (unsigned)value;
        break;
    case OPT_MODE:
        s->has_mode = true;
        s->making.mode = sysv_mode(o);
        break;
    case OPT_FOR:
        s->pid = (pid_t)opts_num(o, 1, INT32_MAX);
        break;
    }
}

static const struct cli cli = {
    .name = "semtake",
    .summary = "take a System V semaphore, for a program or a process",
    .usage = "[OPTION]... KEY [PROG [ARG]...]",
    .notes =
        "With PROG, the semaphore is given back when PROG exits; with --for, when PID exits; otherwise, by "
        "semgive.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int semtake_main(struct msg *m, int argc, char **argv)
{
    struct semtake s = {.msg = m, .timeout = CLOCK_NEVER, .making = {.mode = 0600}, .watch.fd = -1};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    argv += o.first;
    sysv_key(&s.key, m, *argv, s.create ? SYSV_EITHER : SYSV_FINDS);
    if (s.has_mode && !s.create)
        msg_usage(m, "--mode requires --create");
    if (s.pid && argv[1])
        msg_usage(m, "--for and PROG cannot be combined");
    decide_value(&s);
    return run(&s, argv + 1);
}

const struct applet applet_semtake = {.cli = &cli, .theme = THEME_SYSV, .main = semtake_main};
