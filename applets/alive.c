/*
 * alive - tests whether processes are alive, and waits for processes to exit, also those of others.
 *
 * perlipc's `kill 0`, corrected: a zombie is not alive, and a process that we may not signal is.
 */
#include "cli/applet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/watch.h"
#include "process/sigs.h"

#define ALIVE_OPTIONS(X)                                                            \
    MSG_OPTIONS(X)                                                                  \
    X(WAIT, 'w', "wait", NULL, "wait until all processes have exited")              \
    X(ANY, 0, "any", NULL, "with -w: wait until one has exited, and print its PID") \
    X(TIMEOUT, 't', "timeout", "TIME", "with -w: wait at most TIME, then exit 124")

enum alive_option { ALIVE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {ALIVE_OPTIONS(OPT_ROW)};

struct alive {
    struct msg *msg;
    bool wait, any;
    int64_t timeout;
    pid_t *pids;
    struct watch *watches;
    struct pollfd *fds; /* room for those of the watches */
    bool *gone;
    size_t n, left;
};

static void note_gone(struct alive *a, size_t i)
{
    watch_end(&a->watches[i]);
    a->gone[i] = true;
    a->left--;
}

/* A first look at process i. */
static void look_at(struct alive *a, size_t i)
{
    if (watch_begin(&a->watches[i], a->pids[i]) < 0)
        note_gone(a, i);
}

/* The pidfds that are open; poll(2) refuses more entries than there may be fds. */
static nfds_t fill_polls(struct alive *a)
{
    nfds_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (!a->gone[i] && a->watches[i].fd >= 0)
            a->fds[n++] = watch_poll(&a->watches[i]);
    return n;
}

/* After that: looks at those that the poll has named, and at those that it can't. */
static void look_again(struct alive *a)
{
    nfds_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (a->gone[i])
            continue;
        bool asked = a->watches[i].fd < 0 || a->fds[n++].revents;
        if (asked && watch_is_over(&a->watches[i]))
            note_gone(a, i);
    }
}

/* How long to sleep at most before the next look. */
static int64_t pause_of(const struct alive *a)
{
    int64_t ns = CLOCK_NEVER;
    for (size_t i = 0; i < a->n; i++)
        if (!a->gone[i])
            ns = clock_first(ns, watch_pause(&a->watches[i]));
    return ns;
}

static void say(const struct alive *a, pid_t pid, const char *why)
{
    char mem[32];
    struct buf b = BUF(mem);
    buf_num(&b, (unsigned long long)pid);
    msg_error_why(a->msg, "process", buf_str(&b), why);
}

/* 0 when all live. A process of another user is reported, and lives all the same. */
static int answer(const struct alive *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->gone[i])
            say(a, a->pids[i], "gone");
        else if (kill(a->pids[i], 0) < 0 && errno == EPERM)
            say(a, a->pids[i], "alive, but we may not signal it");
        else if (a->msg->level >= MSG_VERBOSE)
            say(a, a->pids[i], "alive");
    }
    return a->left == a->n ? EXIT_DONE : EXIT_NO;
}

static int print_gone(const struct alive *a)
{
    char mem[8192];
    struct buf out = BUF(mem);
    int status = EXIT_DONE;
    for (size_t i = 0; i < a->n && status == EXIT_DONE; i++) {
        if (a->gone[i])
            buf_fmt(&out, "%ld\n", (long)a->pids[i]);
        status = opts_print_part(a->msg, &out);
    }
    return status == EXIT_DONE ? opts_print(a->msg, &out) : status;
}

static int say_late(const struct alive *a)
{
    msg_error_why(a->msg, "wait", NULL, "the deadline passed");
    return EXIT_DEADLINE;
}

static int wait_for_them(struct alive *a)
{
    int64_t deadline = clock_in(a->timeout);
    while (a->any ? a->left == a->n : a->left > 0) {
        int64_t ns = clock_left(deadline);
        if (!ns)
            return say_late(a);
        sigs_sleep_or_die(a->msg, a->fds, fill_polls(a), clock_first(ns, pause_of(a)));
        look_again(a);
    }
    return a->any ? print_gone(a) : EXIT_DONE;
}

/* A pidfd each: as many as we may have. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void take_pids(struct alive *a, char **words)
{
    uint64_t pid;
    while (words[a->n])
        a->n++;
    if (!a->n)
        msg_usage(a->msg, "missing PID");
    a->pids = calloc(a->n, sizeof *a->pids);
    a->watches = calloc(a->n, sizeof *a->watches);
    a->fds = calloc(a->n, sizeof *a->fds);
    a->gone = calloc(a->n, sizeof *a->gone);
    if (!a->pids || !a->watches || !a->fds || !a->gone)
        msg_die_sys(a->msg, "malloc", NULL);
    for (size_t i = 0; i < a->n; i++) {
        if (!num_u64(words[i], 1, INT32_MAX, &pid))
            msg_usage(a->msg, "PID '%s': expected a number from 1 to 2147483647", words[i]);
        a->pids[i] = (pid_t)pid;
    }
    a->left = a->n;
}

static const struct cli cli = {
    .name = "alive",
    .summary = "test whether processes are alive, or wait until they exit",
    .usage = "[OPTION]... PID...",
    .notes = "The exit status is 0 if all processes are alive (with -w: have exited), 1 if any is not.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int alive_main(struct msg *m, int argc, char **argv)
{
    struct alive a = {.msg = m, .timeout = CLOCK_NEVER};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum alive_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_WAIT:
            a.wait = true;
            break;
        case OPT_ANY:
            a.any = true;
            break;
        case OPT_TIMEOUT:
            a.timeout = opts_duration(&o);
            break;
        }
    }
    if (!a.wait && (a.any || a.timeout != CLOCK_NEVER))
        msg_usage(m, "--any and --timeout need --wait");
    take_pids(&a, argv + o.first);
    if (a.wait)
        sigs_end_at_term();
    raise_fd_limit();
    for (size_t i = 0; i < a.n; i++)
        look_at(&a, i);
    int status = a.wait ? wait_for_them(&a) : answer(&a);
    free(a.pids);
    free(a.watches);
    free(a.fds);
    free(a.gone);
    return status;
}

const struct applet applet_alive = {.cli = &cli, .theme = THEME_SIGNALS, .main = alive_main};
