/*
 * mkfifo-sig - a file that is a program: each reader of a FIFO gets fresh output of PROG, or FILE as it is.
 *
 * perlipc's signature server, without its races: it learns from the kernel when readers come, have read and
 * go (pipe/fifo.c), so it neither sleeps between two nor gives one of them two answers.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pipe/fifo.h"
#include "process/job.h"
#include "process/notify.h"
#include "io/relay.h"
#include "process/sigs.h"
#include "process/status_page.h"

#define MKFIFO_SIG_OPTIONS(X)                                                                           \
    MSG_OPTIONS(X)                                                                                      \
    X(MODE, 'm', "mode", "MODE",                                                                        \
        "create the FIFO with MODE, regardless of the umask (0666 minus the umask)")                    \
    X(COUNT, 'n', "count", "COUNT", "exit after COUNT answers")                                         \
    X(DELAY, 'd', "delay", "TIME", "wait TIME after each answer")                                       \
    X(TIMEOUT, 't', "timeout", "TIME", "terminate PROG and its descendants after TIME")                 \
    X(FILE, 'f', "file", "FILE", "answer with the current contents of FILE, instead of running PROG")   \
    X(LINGER, 0, "linger", "TIME", "wait at most TIME for a reader to close FIFO after its answer (2)") \
    READY_OPTIONS(X, "path")                                                                            \
    LOG_OPTIONS(X)

enum mkfifo_sig_option { MKFIFO_SIG_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MKFIFO_SIG_OPTIONS(OPT_ROW)};

enum { LINGER_SECONDS = 2, GRACE_SECONDS = 2, PAUSE_MS = 250, LEAVING_MS = 100, STDIO = 3 };

struct mkfifo_sig {
    struct msg *msg;
    struct job job; /* PROG */
    struct fifo fifo;
    struct notify notify;
    const char *path, *file;
    mode_t mode;
    bool has_mode, has_timeout;
    int64_t delay, timeout, linger;
    uint64_t count, served; /* count 0: no end */
    int page;               /* status_page.h */
    int64_t deadline;       /* of the present PROG */
    bool late;              /* it has passed */
    bool left;              /* the reader was gone before it had all */
    bool held;              /* a reader that has had its answer has not closed */
    bool complained;        /* of what keeps us from serving */
};

static bool must_stop(const struct mkfifo_sig *s)
{
    return s->job.came != 0;
}

/* Sleeps until something happens to the FIFO, to `more`, or to PROG. */
static void wait_for_event(struct mkfifo_sig *s, struct pollfd more[2], int64_t ns)
{
    struct pollfd polls[] = {
        {.fd = s->fifo.events, .events = POLLIN}, {.fd = s->fifo.writer}, {.fd = -1}, {.fd = -1}};
    bool has_reader = fifo_has_reader(&s->fifo);
    if (!has_reader)
        polls[1].fd = -1; /* that there is none would be an event without an end */
    if (more)
        memcpy(polls + 2, more, 2 * sizeof *more);
    job_sleep(&s->job, polls, 4, clock_first(ns, notify_tend(&s->notify, s->msg)));
    if (more)
        memcpy(more, polls + 2, 2 * sizeof *more);
    fifo_take_events(&s->fifo);
    struct stat now;
    if (!s->fifo.moved || s->fifo.writer < 0 || lstat(s->fifo.path, &now) == 0 || errno != ENOENT)
        return;
    /* the next reader must find one while this one is still served; a failure is said when that is over */
    fifo_ensure(&s->fifo);
    s->fifo.moved = true;
}

/* ---- one answer ---- */

static void say_prog_failed(const struct mkfifo_sig *s, const char *action, int err)
{
    msg_error(s->msg, action, *s->job.progs->argv, err);
}

/* Starts PROG with its output on a pipe. The pipe, or -1: said, and there is no answer. */
static int start_prog(struct mkfifo_sig *s)
{
    int fds[2] = {-1, -1};
    const char *failed = "pipe";
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        failed = "open /dev/null for";
    int done = null < 0 ? -1 : pipe2(fds, O_CLOEXEC);
    if (done == 0) {
        const int stdio[STDIO] = {null, fds[1], STDERR_FILENO};
        struct spawn spawn = {.fds = stdio, .nfds = STDIO, .signals = SIGS_CLEAN};
        failed = "fork";
        done = job_start(&s->job, 0, &spawn);
    }
    int err = errno;
    fd_close(&null);
    fd_close(&fds[1]);
    if (done < 0) {
        fd_close(&fds[0]);
        say_prog_failed(s, failed, err);
    }
    s->deadline = s->has_timeout ? clock_in(s->timeout) : CLOCK_NEVER;
    return fds[0];
}

/* Where the answer comes from; -1: from nowhere, which has been said. */
static int open_source(struct mkfifo_sig *s)
{
    s->deadline = CLOCK_NEVER;
    if (!s->file)
        return start_prog(s);
    int fd = open(s->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        msg_error(s->msg, "open", s->file, errno);
    return fd;
}

/* Whether to go on with this answer. When PROG has had its time, what it has said so far is the answer. */
static bool goes_on(struct mkfifo_sig *s)
{
    if (!clock_left(s->deadline)) {
        s->late = true;
        s->deadline = CLOCK_NEVER;
        return false;
    }
    return !must_stop(s);
}

/* Steps a pump until it has ended. False: it failed, the deadline passed, or the reader left. */
static bool run_pump(struct mkfifo_sig *s, struct pump *p, enum pump_state (*step)(struct pump *))
{
    while (goes_on(s)) {
        struct pollfd polls[2];
        enum pump_state state = step(p);
        if (state == PUMP_END || (p->from < 0 && !p->len))
            return true;
        if (state == PUMP_ERROR && p->failed == PUMP_SOURCE)
            msg_error(s->msg, "read", s->file ? s->file : *s->job.progs->argv, errno);
        s->left = state == PUMP_ERROR && p->failed == PUMP_TARGET && errno == EPIPE;
        if (state == PUMP_ERROR && p->failed == PUMP_TARGET && !s->left)
            msg_error(s->msg, "write", s->path, errno);
        if (state == PUMP_ERROR)
            return false;
        if (state == PUMP_AGAIN) {
            job_look(&s->job);
            continue;
        }
        s->left = !fifo_has_reader(&s->fifo);
        if (s->left) /* what is in the pipe is not for the next one */
            return false;
        pump_polls(p, polls);
        wait_for_event(s, polls, clock_left(s->deadline));
        pump_ready(p, polls);
    }
    return false;
}

/*
 * Gathers the answer as long as it would fit into one write (PIPE_BUF, pipe(7)). PUMP_END: that is all of it;
 * PUMP_AGAIN: there is more; PUMP_ERROR: it could not be had, or nobody waits for it any more.
 */
static enum pump_state gather(struct mkfifo_sig *s, struct pump *p)
{
    while (goes_on(s) && p->len <= PIPE_BUF) {
        struct pollfd polls[2];
        enum pump_state state = pump_fill(p);
        if (state == PUMP_ERROR)
            msg_error(s->msg, "read", s->file ? s->file : *s->job.progs->argv, errno);
        if (state == PUMP_END || state == PUMP_ERROR)
            return state;
        if (state == PUMP_AGAIN)
            continue;
        s->left = !fifo_has_reader(&s->fifo);
        if (s->left) /* the next one is to have a fresh answer */
            return PUMP_ERROR;
        pump_polls(p, polls);
        wait_for_event(s, polls, clock_left(s->deadline));
        pump_ready(p, polls);
    }
    return p->len > PIPE_BUF ? PUMP_AGAIN : PUMP_END;
}

/* Moves the answer from source to the reader: a short one in one write. Whether it was written whole. */
static bool send_answer(struct mkfifo_sig *s, int source)
{
    struct pump all, head;
    bool whole = false;
    if (pump_init_half(&head, source, -1) < 0) {
        msg_error(s->msg, "malloc", NULL, errno);
        return false;
    }
    enum pump_state state = gather(s, &head);
    head.from = -1;
    head.to = s->fifo.writer;
    head.to_kind = PUMP_PIPE;
    head.can_write = true;
    if (state != PUMP_ERROR && !must_stop(s))
        whole = !head.len || run_pump(s, &head, pump_drain);
    if (whole && state == PUMP_AGAIN) {
        pump_init(&all, source, s->fifo.writer);
        whole = run_pump(s, &all, pump_step);
        pump_free(&all);
    }
    pump_free(&head);
    return whole;
}

static void say_prog_status(const struct mkfifo_sig *s)
{
    char mem[64];
    struct buf why = BUF(mem);
    int status = job_status(&s->job, 0);
    if (s->late)
        buf_text(&why, "the deadline passed");
    else if (status > EXIT_SIGNAL && job_died_of(&s->job, 0, status - EXIT_SIGNAL))
        buf_fmt(&why, "killed by signal %d", status - EXIT_SIGNAL);
    else
        buf_fmt(&why, "exit status %d", status);
    if (s->late || status)
        msg_error_why(s->msg, "run", *s->job.progs->argv, buf_str(&why));
}

/* PROG's end, which the reader need not wait for. When nobody reads it any more, it is ended. */
static void finish_prog(struct mkfifo_sig *s, bool abandoned)
{
    while (s->job.running && !s->late && !abandoned && goes_on(s))
        wait_for_event(s, NULL, clock_left(s->deadline));
    if (s->job.running || (s->late && s->job.with_family))
        job_end(&s->job, SIGTERM, GRACE_SECONDS * CLOCK_SECOND);
    if (!must_stop(s) && !abandoned && !s->job.progs->exec_errno)
        say_prog_status(s);
}

/* Until the reader has read all, or has gone. */
static bool wait_until_read(struct mkfifo_sig *s)
{
    while (!must_stop(s) && !fifo_is_empty(&s->fifo) && fifo_has_reader(&s->fifo))
        wait_for_event(s, NULL, CLOCK_SECOND); /* not every kernel tells of splice(2) */
    return fifo_is_empty(&s->fifo);
}

static void say_answered(const struct mkfifo_sig *s, bool whole)
{
    struct event e;
    if (s->msg->level < MSG_VERBOSE)
        return;
    event_begin(&e, s->msg, "answer");
    event_num(&e, "number", (long long)s->served);
    event_str(&e, "outcome", s->late ? "cut" : whole ? "read" : "left");
    if (s->late)
        event_text(&e, "answer %llu: cut off at the deadline", (unsigned long long)s->served);
    else if (whole)
        event_text(&e, "answer %llu: read", (unsigned long long)s->served);
    else
        event_text(&e, "the reader left early");
    event_send(&e);
}

/* One reader: its answer, the end of file, and its going. */
static void serve(struct mkfifo_sig *s)
{
    s->job.progs->exec_errno = 0;
    s->job.progs->wait_status = 0;
    s->late = s->left = false;
    int source = open_source(s);
    bool whole = source < 0 || send_answer(s, source);
    fd_close(&source);
    whole = wait_until_read(s) && whole;
    if (s->left && fifo_is_empty(&s->fifo))
        fifo_keep(&s->fifo); /* whoever has come meanwhile would take an end of file for an answer */
    else
        fifo_hang_up(&s->fifo);
    s->served += whole || s->late;
    say_answered(s, whole);
    if (!s->file)
        finish_prog(s, !whole && !s->late);
    int64_t until = clock_in(s->linger);
    while (!s->fifo.closed && !must_stop(s) && clock_left(until))
        wait_for_event(s, NULL, clock_left(until));
    s->held = !s->fifo.closed;
    until = clock_in(s->delay);
    while (!must_stop(s) && clock_left(until) && s->delay)
        wait_for_event(s, NULL, clock_left(until));
}

/* ---- serving ---- */

/* What is at the path can never be served: then we end. All else may pass. */
static bool is_hopeless(int err)
{
    return err != EMFILE && err != ENFILE && err != ENOMEM && err != ENOSPC && err != EDQUOT;
}

static const char *open_error(int err)
{
    return err == EEXIST       ? "it is not a FIFO; it is left alone"
           : err == EADDRINUSE ? "another mkfifo-sig serves it"
           : err == EINVAL     ? "its mode is not that of -m"
                               : place_error(err);
}

/* Opens the FIFO again. 0, or the exit status of a failure that ends us. */
static int reopen(struct mkfifo_sig *s)
{
    fifo_take_events(&s->fifo);
    if (fifo_open(&s->fifo) == 0) {
        s->complained = false;
        return 0;
    }
    int err = errno;
    if (is_hopeless(err))
        return msg_fatal_why(s->msg, EXIT_SYSTEM, "serve", s->fifo.path, open_error(err));
    if (!s->complained)
        msg_error(s->msg, "open", s->fifo.path, err);
    s->complained = true;
    wait_for_event(s, NULL, PAUSE_MS * CLOCK_MS);
    return 0;
}

/*
 * Nothing but who holds on: waits for another to come. One whose coming was not seen, as it came with our own
 * opening, gets an end of file after a while.
 */
static void wait_beside_holder(struct mkfifo_sig *s)
{
    wait_for_event(s, NULL, s->linger);
    if (!s->fifo.opened && fifo_has_reader(&s->fifo) && !s->fifo.closed)
        fifo_hang_up(&s->fifo);
    s->fifo.closed = false;
}

/*
 * The kernel tells of a reader's close(2) a moment before it stops counting it: one who was not seen to come
 * may be the last one, on its way out, who must not cost a run of PROG. Whether there is a reader that stays.
 */
static bool has_come(struct mkfifo_sig *s)
{
    int64_t until = clock_in(LEAVING_MS * CLOCK_MS);
    while (!s->fifo.opened && !must_stop(s) && clock_left(until) && fifo_has_reader(&s->fifo))
        wait_for_event(s, NULL, clock_left(until));
    return !must_stop(s) && fifo_has_reader(&s->fifo);
}

static int serve_all(struct mkfifo_sig *s)
{
    int failed = 0;
    while (!failed && !must_stop(s) && (!s->count || s->served < s->count)) {
        if (s->fifo.writer < 0) {
            failed = reopen(s);
            continue;
        }
        status_page_count(s->page, s->msg->applet, "served", s->served);
        fifo_take_events(&s->fifo);
        bool has_reader = fifo_has_reader(&s->fifo);
        s->held = s->held && has_reader;
        if (has_reader && (!s->held || s->fifo.opened)) {
            if (has_come(s))
                serve(s);
        } else if (s->held) {
            wait_beside_holder(s);
        } else if (s->fifo.moved && !fifo_is_here(&s->fifo)) {
            fd_close(&s->fifo.writer);
        } else {
            wait_for_event(s, NULL, CLOCK_NEVER);
        }
    }
    return failed;
}

static int run(struct mkfifo_sig *s)
{
    const char *object;
    int failed = 0;
    s->page = status_page_open();
    if (fifo_init(&s->fifo, s->path, s->has_mode ? &s->mode : NULL) < 0)
        failed = msg_fatal_file(s->msg, "serve", s->path, errno);
    else if (fifo_open(&s->fifo) < 0)
        failed = msg_fatal_why(s->msg, EXIT_SYSTEM, "serve", s->path, open_error(errno));
    else if (notify_ready(&s->notify, "READY=1", s->fifo.path, &object) < 0)
        failed = msg_fatal(s->msg, EXIT_SYSTEM, "report readiness to", object, errno);
    else
        failed = serve_all(s);
    if (s->job.came)
        notify_stopping();
    if (s->job.running)
        job_end(&s->job, SIGTERM, GRACE_SECONDS * CLOCK_SECOND);
    if (fifo_end(&s->fifo) < 0)
        failed = msg_fatal(s->msg, EXIT_SYSTEM, "remove", s->fifo.path, errno);
    if (!failed && s->job.came && s->job.came != SIGTERM)
        sigs_die(s->job.came);
    return failed;
}

/* ---- the command line ---- */

static void take_option(struct mkfifo_sig *s, int row, const struct opts *o)
{
    switch ((enum mkfifo_sig_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(s->msg, row);
        break;
    case OPT_MODE:
        s->mode = opts_mode(o);
        s->has_mode = true;
        break;
    case OPT_COUNT:
        s->count = opts_num(o, 1, UINT32_MAX);
        break;
    case OPT_DELAY:
        s->delay = opts_duration(o);
        break;
    case OPT_TIMEOUT:
        s->has_timeout = true;
        s->timeout = opts_duration(o);
        break;
    case OPT_FILE:
        s->file = o->arg;
        break;
    case OPT_LINGER:
        s->linger = opts_duration(o);
        break;
    case OPT_PRINT_PORT:
    case OPT_READY_FD:
        notify_option(&s->notify, row - OPT_PRINT_PORT, o);
        break;
    case OPT_LOG_FORMAT:
        opts_log_format(o, s->msg);
        break;
    }
}

static const struct cli cli = {
    .name = "mkfifo-sig",
    .summary = "serve fresh output of a program to each reader of a FIFO",
    .usage = "[OPTION]... FIFO PROG [ARG]...\n"
             "[OPTION]... -f FILE FIFO",
    .notes = "FIFO is created if it does not exist, and is then removed on exit.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int mkfifo_sig_main(struct msg *m, int argc, char **argv)
{
    struct mkfifo_sig s = {.msg = m, .linger = LINGER_SECONDS * CLOCK_SECOND, .notify = {.fd = -1}};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing FIFO");
    if (!s.file == !argv[1])
        msg_usage(m, s.file ? "PROG and -f FILE cannot be combined" : "missing PROG, or -f FILE");
    s.path = *argv;
    job_init(&s.job, m);
    job_single(&s.job, argv + 1);
    int failed = s.file ? 0 : job_find(&s.job);
    if (failed)
        return failed;
    if (s.file && access(s.file, R_OK) < 0)
        return msg_fatal(m, EXIT_SYSTEM, "read", s.file, errno);
    fd_cloexec_from(STDIO);
    sigs_learn_ignored();
    job_begin(&s.job, s.has_timeout);
    sigs_claim_term();
    env_drop(job_env(&s.job), "NOTIFY_SOCKET");
    env_drop(&s.job.env, "LISTEN_*");
    return run(&s);
}

const struct applet applet_mkfifo_sig = {.cli = &cli, .theme = THEME_PIPES, .main = mkfifo_sig_main};
