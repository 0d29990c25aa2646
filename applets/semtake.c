/*
 * semtake - takes a semaphore, and holds it for a program, for a process, or until someone gives it back.
 */
#include "cli/applet.h"

#include "ipc/semaphore.h"
#include "process/holder.h"

#define SEMTAKE_OPTIONS(X)                                                                     \
    SEM_OPTIONS(X)                                                                             \
    CONFLICT_OPTIONS(X)                                                                        \
    X(COUNT, 'c', "count", NULL, "wait for a value above 0 and subtract 1")                    \
    X(ZERO, 0, "zero", NULL, "wait for the value 0, and take nothing")                         \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: same as --try")   \
    X(TRY, 0, "try", NULL, "do not wait; exit 1 if the semaphore is taken")                    \
    X(CREATE, 0, "create", "[VALUE]", "create the set if it does not exist (0; 1 with -c)")    \
    X(MODE, 'm', "mode", "MODE", "create the set with this mode (0600)")                       \
    X(FOR, 0, "for", "PID", "return once the semaphore is taken; give it back when PID exits") \
    LEASE_OPTIONS(X)

enum semtake_option { SEMTAKE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMTAKE_OPTIONS(OPT_ROW)};

struct semtake {
    struct semaphore semaphore;
    int conflict; /* exit status when it is taken */
};

static int run(struct semtake *t)
{
    struct semaphore *s = &t->semaphore;
    int status = job_find(&s->job);
    if (status != EXIT_DONE)
        return status;
    if (s->pid)
        holder_watch(&s->watch, s->msg, s->pid);
    status = semaphore_take(s);
    if (status != EXIT_DONE)
        return status == EXIT_NO ? t->conflict : status;
    return semaphore_hold(s);
}

/* The set that --create, -c and -n ask for. */
static void decide_value(struct semaphore *s)
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

static void take_option(struct semtake *t, int row, const struct opts *o)
{
    struct semaphore *s = &t->semaphore;
    switch ((enum semtake_option)row) {
        SEM_OPTIONS(OPT_CASE)
        sem_option(s->msg, &s->nums, row, o);
        break;
        LEASE_OPTIONS(OPT_CASE)
        lease_option(&s->wish, row - OPT_REDIS, o);
        break;
    case OPT_CONFLICT:
        t->conflict = opts_status(o);
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
        s->making.value = s->has_value ? (unsigned)opts_num(o, 0, SEM_HIGHEST) : 0;
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
    .summary = "take a semaphore, for a program or a process",
    .usage = "[OPTION]... KEY [PROG [ARG]...]",
    .notes =
        "With PROG, the semaphore is given back when PROG exits; with --for, when PID exits; otherwise, by "
        "semgive. KEY can be redis:NAME, a semaphore on a Redis server, held as long as it is renewed; "
        "without "
        "PROG and --for, semtake prints TOKEN and FENCE, and --lease is required.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int semtake_main(struct msg *m, int argc, char **argv)
{
    struct semtake t = {.conflict = EXIT_NO};
    struct semaphore *s = &t.semaphore;
    struct opts o;
    int row;
    semaphore_init(s, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&t, row, &o);
    argv += o.first;
    if (*argv && argv[1])
        job_single(&s->job, argv + 1);
    semaphore_find(s, *argv, SEMAPHORE_TAKE);
    if (s->has_mode && !s->create)
        msg_usage(m, "--mode requires --create");
    if (s->pid && s->job.n)
        msg_usage(m, "--for and PROG cannot be combined");
    if (s->zero && (s->nums.count || s->pid))
        msg_usage(m, "--zero cannot be combined with --count or --for");
    decide_value(s);
    return run(&t);
}

const struct applet applet_semtake = {.cli = &cli, .theme = THEME_SYSV, .main = semtake_main};
