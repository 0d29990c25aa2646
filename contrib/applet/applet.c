/*
 * @NAME@ - @SUMMARY@.
 *
 * Here: why it is needed, and what is wrong with the way people do it without. What is below runs PROG, passes
 * signals on to it, and ends as it did; applets/deadline.c is the next step, with a time and descendants.
 */
#include "cli/applet.h"

#include <errno.h>

#include "base/clock.h"
#include "process/job.h"
#include "process/sigs.h"

#define @IDENT@_OPTIONS(X) \
    JOB_ONE_OPTIONS(X)     \
    X(REPORT, 'r', "report", NULL, "when PROG has ended, say how long it ran")

enum @ident@_option { @IDENT@_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {@IDENT@_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "@NAME@",
    .summary = "@SUMMARY@",
    .usage = "[OPTION]... PROG [ARG]...",
    .notes = "The exit status is PROG's.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static void report(const struct job *j, int64_t ns)
{
    char mem[64];
    struct buf b = BUF(mem);
    buf_fmt(&b, "ran for %lld ms", (long long)(ns / CLOCK_MS));
    msg_error_why(j->msg, "end", *j->progs->argv, buf_str(&b));
}

static int run(struct job *j, bool reports)
{
    struct spawn spawn = {.signals = SIGS_INHERITED};
    int64_t began = clock_now();
    job_begin(j, false);
    if (job_start(j, 0, &spawn) < 0)
        return job_start_failed(j, 0, "fork", errno);
    job_let_go(j, NULL, 0);
    while (j->running)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    if (reports)
        report(j, clock_now() - began);
    return job_end_alike(j, 0);
}

static int @ident@_main(struct msg *m, int argc, char **argv)
{
    struct job j;
    struct opts o;
    int row;
    bool reports = false;
    job_init(&j, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum @ident@_option)row) {
            JOB_ONE_OPTIONS(OPT_CASE)
            job_option(&j, row, &o);
            break;
        case OPT_REPORT:
            reports = true;
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing PROG");
    job_single(&j, argv);
    int failed = job_find(&j);
    return failed ? failed : run(&j, reports);
}

const struct applet applet_@ident@ = {.cli = &cli, .theme = THEME_@THEME@, .main = @ident@_main};
