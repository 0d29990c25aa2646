/*
 * safepipe - a pipeline without a shell: PROG ::: PROG ::: PROG.
 *
 * perlipc's "safe pipe opens", safe: every program is looked up before any is started, a failed exec is
 * reported at once, and the exit status reflects every stage.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "process/sigs.h"
#include "process/user.h"

#define SAFEPIPE_OPTIONS(X)                                                                                  \
    JOB_OPTIONS(X)                                                                                           \
    X(INPUT, 'i', "input", "FILE", "connect the first program's stdin to FILE")                              \
    X(OUTPUT, 'o', "output", "FILE", "truncate FILE and write the last program's stdout to it")              \
    X(APPEND, 'a', "append", "FILE", "append the last program's stdout to FILE")                             \
    USER_OPTIONS(X, "change to USER before anything is opened", "change to GROUP before anything is opened") \
    X(TIMEOUT, 't', "timeout", "TIME", "terminate all programs and their descendants after TIME; exit 124")  \
    X(GRACE, 'k', "kill-after", "TIME", "send SIGKILL to the remaining processes TIME after SIGTERM (2)")    \
    X(RETRY, 0, "retry", "[TIME]", "retry for TIME while the system is out of processes (60)")               \
    X(PIPE_SIZE, 0, "pipe-size", "SIZE", "set the capacity of every pipe to SIZE bytes")                     \
    X(STATUS, 0, "status", "any|first|last",                                                                 \
        "choose the program whose failure counts; any: the rightmost that failed (any)")                     \
    X(SIGPIPE_RULE, 0, "sigpipe", "ignore|count",                                                            \
        "ignore termination by SIGPIPE, or count it as a failure (ignore)")

enum safepipe_option { SAFEPIPE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SAFEPIPE_OPTIONS(OPT_ROW)};

enum { GRACE_SECONDS = 2, RETRY_SECONDS = 60, BACKOFF_MS = 10, BACKOFF_MAX_MS = 1000, STDIO = 3 };

enum status_rule { STATUS_ANY, STATUS_FIRST, STATUS_LAST }; /* in the order of the option's words */

struct safepipe {
    struct msg *msg;
    struct job job;
    struct user user;
    const char *input, *output;
    bool append, has_timeout, retry, count_sigpipe;
    enum status_rule which;
    int64_t timeout, grace, retry_time, deadline;
    int pipe_size; /* bytes; 0: the kernel's choice */
};

/* ---- files ---- */

/* Opens FILE in place of fd 0 or 1. 0, or the exit status of a failure. */
static int open_onto(struct safepipe *s, const char *path, int flags, int target)
{
    int fd = job_open(path, flags, s->deadline), err = errno;
    job_look(&s->job);
    if (fd < 0 && s->job.came)
        return EXIT_SIGNAL + s->job.came;
    errno = err;
    if (fd < 0 && errno == EINTR && !clock_left(s->deadline))
        return msg_fatal_why(s->msg, EXIT_DEADLINE, "open", path, "the deadline passed");
    if (fd < 0)
        return msg_fatal_file(s->msg, "open", path, errno);
    int done = dup2(fd, target);
    fd_close(&fd);
    return done < 0 ? msg_fatal(s->msg, EXIT_SYSTEM, "dup", path, errno) : 0;
}

/* Empties a file that is there, unless the input would be lost, or without an end. */
static int prepare_output(const struct safepipe *s)
{
    struct stat in, out;
    if (fstat(STDOUT_FILENO, &out) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "stat", s->output, errno);
    if (!S_ISREG(out.st_mode))
        return 0;
    if (fstat(STDIN_FILENO, &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return msg_fatal_why(s->msg, EXIT_USAGE, "open", s->output, "it is the input as well");
    if (!s->append && ftruncate(STDOUT_FILENO, 0) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "empty", s->output, errno);
    return 0;
}

static int open_files(struct safepipe *s)
{
    int failed = s->input ? open_onto(s, s->input, O_RDONLY, STDIN_FILENO) : 0;
    if (failed || !s->output)
        return failed;
    failed = open_onto(s, s->output, O_WRONLY | O_CREAT | (s->append ? O_APPEND : 0), STDOUT_FILENO);
    return failed ? failed : prepare_output(s);
}

/* ---- starting ---- */

static int say_late(const struct safepipe *s)
{
    return msg_fatal_why(s->msg, EXIT_DEADLINE, "wait for the pipeline", NULL, "the deadline passed");
}

/* Starts stage i; with --retry, waits and tries again while there is no process to be had. */
static int start_patiently(struct safepipe *s, size_t i, struct spawn *spawn)
{
    int64_t until = s->retry ? clock_in(s->retry_time) : 0, pause = BACKOFF_MS * CLOCK_MS;
    for (;;) {
        if (job_start(&s->job, i, spawn) == 0)
            return 0;
        if (!s->retry || errno != EAGAIN || !clock_left(until) || !clock_left(s->deadline))
            return -1;
        if (s->job.came)
            return -1;
        job_sleep(
            &s->job, NULL, 0, clock_first(pause, clock_first(clock_left(until), clock_left(s->deadline))));
        pause = clock_first(pause * 2, BACKOFF_MAX_MS * CLOCK_MS);
    }
}

/* A pipe, its fds out of the programs' way. */
static int make_pipe(const struct safepipe *s, int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    if (s->pipe_size && fcntl(fds[1], F_SETPIPE_SZ, s->pipe_size) < 0)
        return -1;
    return fd_raise(&fds[0], STDIO) < 0 ? -1 : fd_raise(&fds[1], STDIO);
}

/* One stage, from the pipe *in to a new one, which *in is then. 0, or the exit status of a failure. */
static int start_stage(struct safepipe *s, size_t i, int *in)
{
    int next[2] = {-1, -1};
    if (i + 1 < s->job.n && make_pipe(s, next) < 0)
        return job_start_failed(&s->job, i, "pipe", errno);
    const int fds[STDIO] = {*in, next[1], -1};
    struct spawn spawn = {.fds = fds, .nfds = STDIO, .signals = SIGS_PIPELINE};
    int done = start_patiently(s, i, &spawn), err = errno;
    fd_close(in);
    fd_close(&next[1]);
    *in = next[0];
    if (done < 0 && s->job.came)
        return EXIT_SIGNAL + s->job.came;
    if (done < 0 && !clock_left(s->deadline))
        return say_late(s);
    return done < 0 ? job_start_failed(&s->job, i, "fork", err) : 0;
}

/* Starts all. When one can't be started, those that run are ended. 0, or the exit status of a failure. */
static int start_all(struct safepipe *s)
{
    int in = -1, failed = 0;
    for (size_t i = 0; i < s->job.n && !failed; i++)
        failed = start_stage(s, i, &in);
    fd_close(&in);
    if (failed)
        job_end(&s->job, SIGTERM, s->grace);
    return failed;
}

/* ---- the end ---- */

/* A shell exits with 128+N when its own last program was killed by signal N. */
static int stage_status(const struct safepipe *s, size_t i)
{
    if (i + 1 < s->job.n && !s->count_sigpipe && job_status(&s->job, i) == EXIT_SIGNAL + SIGPIPE)
        return 0;
    return job_status(&s->job, i);
}

static int pipeline_status(const struct safepipe *s)
{
    size_t i = s->job.n - 1;
    if (s->which == STATUS_FIRST)
        return stage_status(s, 0);
    if (s->which == STATUS_LAST)
        return stage_status(s, i);
    while (i > 0 && !stage_status(s, i))
        i--;
    return stage_status(s, i);
}

/* The first that could not be started is the one to blame. */
static int failed_status(const struct safepipe *s)
{
    size_t i = 0;
    while (i + 1 < s->job.n && !s->job.progs[i].exec_errno)
        i++;
    return job_status(&s->job, i);
}

static int run(struct safepipe *s)
{
    int failed = open_files(s);
    if (!failed)
        failed = start_all(s);
    if (failed)
        return failed;
    job_let_go(&s->job, NULL, 0);
    while (s->job.running && !s->job.start_failed && clock_left(s->deadline))
        job_sleep(&s->job, NULL, 0, clock_left(s->deadline));
    bool late = s->job.running && !s->job.start_failed;
    int left = s->job.running ? job_end(&s->job, SIGTERM, s->grace) : 0;
    if (left)
        return left;
    return late ? say_late(s) : s->job.start_failed ? failed_status(s) : pipeline_status(s);
}

/* ---- the command line ---- */

static void take_option(struct safepipe *s, int row, const struct opts *o)
{
    switch ((enum safepipe_option)row) {
        JOB_OPTIONS(OPT_CASE)
        job_option(&s->job, row, o);
        break;
    case OPT_INPUT:
        s->input = o->arg;
        break;
    case OPT_OUTPUT:
    case OPT_APPEND:
        s->output = o->arg;
        s->append = row == OPT_APPEND;
        break;
    case OPT_USER:
    case OPT_GROUP:
        user_option(&s->user, row - OPT_USER, o);
        break;
    case OPT_TIMEOUT:
        s->has_timeout = true;
        s->timeout = opts_duration(o);
        break;
    case OPT_GRACE:
        s->grace = opts_duration(o);
        break;
    case OPT_RETRY:
        s->retry = true;
        s->retry_time = o->arg ? opts_duration(o) : RETRY_SECONDS * CLOCK_SECOND;
        break;
    case OPT_PIPE_SIZE:
        s->pipe_size = (int)opts_size(o, 1, 1U << 30);
        break;
    case OPT_STATUS:
        s->which = (enum status_rule)opts_choice(o);
        break;
    case OPT_SIGPIPE_RULE:
        s->count_sigpipe = opts_choice(o) == 1;
        break;
    }
}

static const struct cli cli = {
    .name = "safepipe",
    .summary = "run a pipeline of programs without a shell",
    .usage = "[OPTION]... PROG [ARG]... [::: PROG [ARG]...]...",
    .notes =
        "The exit status is that of the rightmost program that failed. A program before the last that is\n"
        "killed by SIGPIPE has not failed.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int safepipe_main(struct msg *m, int argc, char **argv)
{
    struct safepipe s = {.msg = m, .grace = GRACE_SECONDS * CLOCK_SECOND, .deadline = CLOCK_NEVER};
    struct opts o;
    int row;
    job_init(&s.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    job_split(&s.job, argv + o.first, JOB_STAGES_MAX);
    if (user_become(&s.user) < 0)
        msg_die_sys(m, "change user", NULL);
    int failed = job_find(&s.job);
    if (failed)
        return failed;
    if (s.has_timeout)
        s.deadline = clock_in(s.timeout);
    job_begin(&s.job, s.has_timeout);
    if (s.has_timeout)
        job_stay_awake();
    return run(&s);
}

const struct applet applet_safepipe = {.cli = &cli, .theme = THEME_PIPES, .main = safepipe_main};
