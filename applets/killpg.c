/*
 * killpg - signals every member of a process group except itself; with -k it makes sure that none is left.
 */
#include "cli/applet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/procs.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "base/signum.h"
#include "process/spawn.h"
#include "process/worker.h"

#define KILLPG_OPTIONS(X)                              \
    MSG_OPTIONS(X)                                     \
    X(SIGNAL, 's', "signal", "SIG", "send SIG (TERM)") \
    X(KILL, 'k', "kill-after", "TIME", "wait until no member is left; after TIME, kill the remaining members")

enum killpg_option { KILLPG_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {KILLPG_OPTIONS(OPT_ROW)};

struct killpg {
    struct msg *msg;
    pid_t group;
    int sig;
    bool kill;
    int64_t kill_after;
};

/* A look at the group: its living members but us. */
struct members {
    struct procs all;
    size_t living;
};

static void look(const struct killpg *k, struct members *m)
{
    if (procs_list(&m->all) < 0)
        procs_die(k->msg);
    m->living = 0;
    for (size_t i = 0; i < m->all.n; i++) {
        struct process *p = &m->all.list[i];
        p->ours = p->group == k->group && p->pid != getpid() && procs_is_alive(p);
        m->living += p->ours;
    }
}

/* One by one, as we are a member ourselves. -1 with errno when none took it and one refused. */
static int signal_each(const struct killpg *k, int sig)
{
    struct members m;
    int done = -1, err = ESRCH;
    look(k, &m);
    for (size_t i = 0; i < m.all.n; i++) {
        if (!m.all.list[i].ours)
            continue;
        if (procs_signal(&m.all.list[i], sig) == 0)
            done = 0;
        else if (errno != ESRCH)
            err = errno;
    }
    procs_free(&m.all);
    errno = err;
    return done;
}

static int wait_for_ever(void *unused)
{
    (void)unused;
    while (pause() < 0)
        ;
    return EXIT_DONE;
}

/*
 * Leaves the group, for one that a child of ours has made: then kill(2) reaches all members at once, and not
 * us. A session's leader has to stay.
 */
static void leave_group(const struct killpg *k)
{
    if (getpgrp() != k->group || getsid(0) == getpid())
        return;
    pid_t child = worker_start(wait_for_ever, NULL, true);
    if (child < 0)
        return;
    if (setpgid(child, child) == 0)
        setpgid(0, child);
    kill(child, SIGKILL); /* the group has us now */
    reap_wait(child);
}

/* All at once where that can be, so that no new-born member is missed. */
static int signal_group(const struct killpg *k, int sig)
{
    return getpgrp() == k->group ? signal_each(k, sig) : kill(-k->group, sig);
}

/*
 * Sleeps until one of the living has ended, or ns have passed: on their pidfds, as far as we may open that
 * many; without pidfds, 50 ms.
 */
static void wait_for_an_end(const struct members *m, int64_t ns)
{
    struct pollfd *polls = calloc(m->living + 1, sizeof *polls);
    nfds_t n = 0;
    for (size_t i = 0; polls && i < m->all.n && n < m->living; i++) {
        if (!m->all.list[i].ours)
            continue;
        int fd = procs_pidfd(&m->all.list[i]);
        if (fd >= 0)
            polls[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
        else if (errno == ESRCH)
            ns = 0;
    }
    sigs_sleep_or_pause(polls, n, n ? ns : clock_first(ns, 50 * CLOCK_MS));
    while (n)
        close(polls[--n].fd);
    free(polls);
}

/* Until no living member is left or the deadline passes. How many are left. */
static size_t wait_for_all(const struct killpg *k, int64_t deadline)
{
    struct members m;
    for (;;) {
        look(k, &m);
        if (m.living && clock_left(deadline))
            wait_for_an_end(&m, clock_left(deadline));
        procs_free(&m.all);
        if (!m.living || !clock_left(deadline))
            return m.living;
    }
}

static int fail(const struct killpg *k)
{
    char mem[32];
    struct buf b = BUF(mem);
    int err = errno;
    buf_num(&b, (unsigned long long)k->group);
    if (err != ESRCH)
        return msg_fatal(k->msg, EXIT_SYSTEM, "signal group", buf_str(&b), err);
    msg_error_why(k->msg, "signal group", buf_str(&b), "it has no other member");
    return EXIT_NO;
}

static void say_signalled(const struct killpg *k)
{
    struct event e;
    char name[SIGNUM_SIZE];
    event_begin(&e, k->msg, "signalled");
    event_text(&e, "group %ld was sent %s", (long)k->group, signum_name(k->sig, name));
    event_send(&e);
}

/* Members that SIGKILL does not end: we may not signal them, or they wait for a device. */
static int say_left(const struct killpg *k)
{
    char mem[160];
    struct buf pids = BUF(mem);
    struct members m;
    look(k, &m);
    for (size_t i = 0; i < m.all.n; i++)
        if (m.all.list[i].ours)
            buf_fmt(&pids, "%s%ld", pids.len ? " " : "", (long)m.all.list[i].pid);
    procs_free(&m.all);
    return msg_fatal_why(k->msg, EXIT_SYSTEM, "kill", buf_str(&pids), "still there after SIGKILL");
}

/*
 * A process that forks and exits all the time can escape a look, but not kill(2). So it is asked for as long
 * as there is a group, and one of zombies only is looked at more than once. A group that stays is given up
 * after a while.
 */
static int kill_the_rest(const struct killpg *k)
{
    enum { LOOKS = 3, PATIENCE_SECONDS = 2 };
    int64_t until = clock_in(PATIENCE_SECONDS * CLOCK_SECOND);
    for (int empty = 0; empty < LOOKS;) {
        if (signal_group(k, SIGKILL) < 0)
            return errno == EPERM ? fail(k) : EXIT_DONE;
        empty = wait_for_all(k, clock_first(until, clock_in(CLOCK_SECOND))) ? 0 : empty + 1;
        if (!empty && !clock_left(until))
            return say_left(k);
    }
    return EXIT_DONE;
}

static int run(const struct killpg *k)
{
    leave_group(k);
    if (signal_group(k, k->sig) < 0)
        return fail(k);
    if (k->msg->level >= MSG_VERBOSE)
        say_signalled(k);
    if (!k->kill)
        return EXIT_DONE;
    if (k->sig != SIGCONT) /* one that is stopped would not hear it */
        signal_group(k, SIGCONT);
    wait_for_all(k, clock_in(k->kill_after));
    return kill_the_rest(k);
}

static const struct cli cli = {
    .name = "killpg",
    .summary = "send a signal to a whole process group",
    .usage = "[OPTION]... PGID",
    .notes = "killpg never signals itself, even if it is a member.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int killpg_main(struct msg *m, int argc, char **argv)
{
    struct killpg k = {.msg = m, .sig = SIGTERM};
    struct opts o;
    uint64_t group;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum killpg_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_SIGNAL:
            k.sig = opts_signal(&o);
            break;
        case OPT_KILL:
            k.kill = true;
            k.kill_after = opts_duration(&o);
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing PGID");
    if (argv[1])
        msg_usage(m, "unexpected operand '%s'", argv[1]);
    if (!num_u64(*argv, 2, INT32_MAX, &group))
        msg_usage(m, "PGID '%s': expected a number from 2 to 2147483647", *argv);
    k.group = (pid_t)group;
    return run(&k);
}

const struct applet applet_killpg = {.cli = &cli, .theme = THEME_SIGNALS, .main = killpg_main};
