/*
 * semtake - takes a semaphore, and holds it for a program, for a process, or until someone gives it back.
 *
 * perlipc's take: one semop(2) that waits for zero and adds one. With PROG it is taken under SEM_UNDO, then
 * we become PROG by exec, so that the kernel gives it back when PROG terminates, for whatever reason, and not
 * before.
 */
#include "cli/applet.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/find.h"
#include "process/holder.h"
#include "process/spawn.h"
#include "sysv/sem.h"

#define SEMTAKE_OPTIONS(X)                                                                   \
    SEM_OPTIONS(X)                                                                           \
    CONFLICT_OPTIONS(X)                                                                      \
    X(COUNT, 'c', "count", NULL, "wait for a value above 0 and subtract 1")                  \
    X(ZERO, 0, "zero", NULL, "wait for the value 0, and take nothing")                       \
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
    struct sem_nums nums;
    bool zero, create, has_value, has_mode, try_once;
    int conflict; /* exit status when it is taken */
    int64_t timeout;
    struct sem_making making;
    pid_t pid;          /* --for */
    struct watch watch; /* that very process */
};

static int busy(const struct semtake *s, int id)
{
    if (id >= 0 && s->nums.count && sem_is_untouched(id))
        return msg_fatal_why(s->msg, EXIT_SYSTEM, "take", s->key.word,
            "it has no initial value: use 'semset set', 'semset create --value' or --create=VALUE");
    msg_error_why(s->msg, "take", s->key.word,
        !s->try_once ? "the deadline passed"
        : s->zero    ? "it is not 0"
                     : "it is taken");
    return s->try_once ? EXIT_NO : EXIT_DEADLINE;
}

static int take(const struct semtake *s, bool undo)
{
    short flags = (short)((undo ? SEM_UNDO : 0) | (s->try_once ? IPC_NOWAIT : 0));
    const short binary[] = {0, 1}, counting = (short)-s->nums.amount;
    int64_t deadline = s->try_once ? 0 : clock_in(s->timeout);
    int id = s->create ? sem_make(&s->key, &s->making, deadline) : sem_find(&s->key, deadline);
    if (id < 0 && errno == EAGAIN)
        return busy(s, id);
    if (id < 0)
        return sysv_failed(s->msg, SYSV_SEM, s->create ? "create" : "find", &s->key, errno);
    if (sem_change_each(id, &s->nums, s->nums.count ? &counting : binary, s->nums.count || s->zero ? 1 : 2,
            flags, deadline) == 0)
        return EXIT_DONE;
    return errno == EAGAIN ? busy(s, id) : sysv_failed(s->msg, SYSV_SEM, "take", &s->key, errno);
}

static int run(struct semtake *s, char **argv)
{
    const char *path = *argv ? find_program(*argv) : NULL;
    if (*argv && !path)
        return find_failed(s->msg, *argv, errno);
    if (s->pid)
        holder_watch(&s->watch, s->msg, s->pid);
    int status = take(s, *argv || s->pid);
    if (status != EXIT_DONE)
        return status == EXIT_NO ? s->conflict : status;
    if (s->pid)
        return holder_start(&s->watch, s->msg, -1);
    if (!*argv)
        return EXIT_DONE;
    spawn_become(path, argv, environ);
    return msg_fatal(s->msg, find_exit_status(errno), "exec", *argv, errno);
}

/* The set that --create, -c and -n ask for. */
static void decide_value(struct semtake *s)
{
    if (!s->has_value)
        s->making.value = s->nums.count ? (unsigned)s->nums.amount : 0;
    else if (!s->nums.count && s->making.value > 1)
        msg_usage(
            s->msg, "--create=%u requires --count; without it 0 is free and 1 is taken", s->making.value);
    for (size_t i = 0; i < s->nums.n; i++)
        if (s->making.n <= s->nums.list[i])
            s->making.n = s->nums.list[i] + 1u;
}

static void take_option(struct semtake *s, int row, const struct opts *o)
{
    uint64_t value;
    switch ((enum semtake_option)row) {
        SEM_OPTIONS(OPT_CASE)
        sem_option(s->msg, &s->nums, row, o);
        break;
    case OPT_CONFLICT:
        s->conflict = opts_status(o);
        break;
    case OPT_COUNT:
        s->nums.count = true;
        break;
    case OPT_ZERO:
        s->zero = true;
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
    struct semtake s = {.msg = m,
        .nums = {.n = 1, .amount = 1},
        .conflict = EXIT_NO,
        .timeout = CLOCK_NEVER,
        .making = {.mode = 0600},
        .watch.fd = -1};
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
    if (s.zero && (s.nums.count || s.pid))
        msg_usage(m, "--zero cannot be combined with --count or --for");
    sem_check(m, &s.nums);
    decide_value(&s);
    return run(&s, argv + 1);
}

const struct applet applet_semtake = {.cli = &cli, .theme = THEME_SYSV, .main = semtake_main};
