/*
 * deadline - terminates PROG and all its descendants when its time is up.
 *
 * perlipc's alarm around a slow operation. PROG stays in the caller's process group, so a terminal works as
 * without us; descendants are found because orphans become ours, whatever sessions they made.
 */
#include "cli/applet.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "process/job.h"
#include "base/num.h"
#include "process/sigs.h"

#define DEADLINE_OPTIONS(X)                                                                    \
    JOB_ONE_OPTIONS(X)                                                                         \
    X(SIGNAL, 's', "signal", "SIG", "send SIG at the deadline (TERM)")                         \
    X(GRACE, 'k', "kill-after", "TIME", "kill processes that are still alive TIME later (2)")  \
    X(PRESERVE, 0, "preserve-status", NULL, "exit with PROG's status even after the deadline") \
    X(DEATH, 0, "death-signal", "SIG", "send SIG to PROG if deadline is killed")

enum deadline_option { DEADLINE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {DEADLINE_OPTIONS(OPT_ROW)};

enum { GRACE_SECONDS = 2 };

static const struct cli cli = {
    .name = "deadline",
    .summary = "run a program with a deadline for it and all its descendants",
    .usage = "[OPTION]... DURATION PROG [ARG]...",
    .notes = "DURATION is a time such as 5, 0.25, 250ms, 3m or 1h. The exit status is 124 if it expires.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int run(struct job *j, int64_t duration, int sig, int64_t grace, bool preserve, int death)
{
    struct spawn spawn = {.signals = SIGS_INHERITED, .death_signal = death};
    job_begin(j, true);
    job_stay_awake();
    int64_t until = clock_in(duration);
    if (job_start(j, 0, &spawn) < 0)
        return job_start_failed(j, 0, "fork", errno);
    job_let_go(j, NULL, 0);
    while (j->running && clock_left(until))
        job_sleep(j, NULL, 0, clock_left(until));
    if (!j->running)
        return job_end_alike(j, 0);
    int left = job_end(j, sig, grace);
    msg_error_why(j->msg, "terminate", *j->progs->argv, "the deadline passed");
    return left ? left : preserve && j->progs->ended ? job_status(j, 0) : EXIT_DEADLINE;
}

static int deadline_main(struct msg *m, int argc, char **argv)
{
    struct job j;
    struct opts o;
    int row, sig = SIGTERM, death = 0;
    bool preserve = false;
    int64_t duration, grace = GRACE_SECONDS * CLOCK_SECOND;
    job_init(&j, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum deadline_option)row) {
            JOB_ONE_OPTIONS(OPT_CASE)
            job_option(&j, row, &o);
            break;
        case OPT_SIGNAL:
            sig = opts_signal(&o);
            break;
        case OPT_GRACE:
            grace = opts_duration(&o);
            break;
        case OPT_PRESERVE:
            preserve = true;
            break;
        case OPT_DEATH:
            death = opts_signal(&o);
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing DURATION");
    if (!num_duration(*argv, &duration))
        msg_usage(m, "DURATION '%s': expected a time such as 5, 0.25, 250ms, 3m or 1h", *argv);
    if (!argv[1])
        msg_usage(m, "missing PROG");
    job_single(&j, argv + 1);
    int failed = job_find(&j);
    return failed ? failed : run(&j, duration, sig, grace, preserve, death);
}

const struct applet applet_deadline = {.cli = &cli, .theme = THEME_SIGNALS, .main = deadline_main};
