/*
 * coproc_relay.c - relays between a program and its caller, both ways at once, whatever either of them does;
 * see coproc.h.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/sigs.h"
#include "pipe/talk.h"

enum { QUIET_MS = 1000 };

static bool is_one_program(const struct talk *t)
{
    return t->c->job.n == 1;
}

/* ---- lanes ---- */

static enum pump_state step_filtered(struct talk *t, struct lane *l)
{
    l->pump.paused = false;
    if (l->sink->len) {
        l->pump.paused = true;
        return pump_drain(l->sink);
    }
    l->sink->start = 0;
    if (l->filter(t, l, l->source_ended))
        return PUMP_AGAIN;
    if (l->pump.paused)
        return PUMP_WAIT;
    if (l->source_ended)
        return l->sink->len ? PUMP_AGAIN : PUMP_END;
    enum pump_state state = pump_fill(&l->pump);
    if (state != PUMP_END)
        return state;
    l->source_ended = true;
    return PUMP_AGAIN;
}

static enum pump_state step(struct talk *t, struct lane *l)
{
    return l->sink ? step_filtered(t, l) : pump_step(&l->pump);
}

/* Which end of a lane failed. */
static bool target_failed(const struct lane *l)
{
    return l->pump.failed == PUMP_TARGET || (l->sink && l->sink->failed == PUMP_TARGET);
}

/* SERVER learns that its input has ended. */
static void close_input(struct talk *t)
{
    t->in.open = false;
    if (t->c->pty == PTY_BOTH)
        t->look = clock_in(QUIET_MS * CLOCK_MS);
    fd_close(&t->c->to_server);
    if (!is_one_program(t))
        fd_close(&t->c->source);
}

/* CLIENT learns that there is no more to read. */
static void end_output(struct talk *t)
{
    t->out.open = false;
    if (!is_one_program(t))
        fd_close(&t->c->sink);
    if (t->c->pty != PTY_BOTH) /* SERVER has closed its terminal; that is no reason to hang up on it */
        fd_close(&t->c->from_server);
}

/* SERVER learns that nobody reads it any more. */
static void close_output(struct talk *t)
{
    end_output(t);
    fd_close(&t->c->from_server);
}

static void close_stderr(struct talk *t)
{
    t->err.open = false;
    fd_close(&t->c->from_stderr);
}

/* There is no more to read from a lane of SERVER's. */
static void end_lane(struct talk *t, const struct lane *l)
{
    if (l == &t->err)
        close_stderr(t);
    else
        end_output(t);
}

/* Nobody reads it any more. */
static void close_lane(struct talk *t, const struct lane *l)
{
    if (l == &t->err)
        close_stderr(t);
    else
        close_output(t);
}

static int say(const struct talk *t, const char *action, const char *object)
{
    return msg_fatal(t->c->job.msg, EXIT_SYSTEM, action, object, errno);
}

/* Each of the three: 0, or the exit status of a failure that ends it all. */

static int step_in(struct talk *t, bool *again)
{
    switch (step(t, &t->in)) {
    case PUMP_AGAIN:
        *again = true;
        return 0;
    case PUMP_WAIT:
        return 0;
    case PUMP_END:
        close_input(t);
        *again = true;
        return 0;
    case PUMP_ERROR:
        break;
    }
    if (!target_failed(&t->in))
        return say(t, "read", is_one_program(t) ? "stdin" : "CLIENT's output");
    if (errno != EPIPE && errno != ECONNRESET && errno != EIO)
        return say(t, "write", "the program's input");
    close_input(t); /* it has stopped reading, which is its own affair */
    return 0;
}

static uint64_t moved_by(const struct lane *l)
{
    return l->sink ? l->sink->moved : l->pump.moved;
}

static int step_out(struct talk *t, struct lane *l, bool *again)
{
    uint64_t before = moved_by(l);
    enum pump_state state = step(t, l);
    if (moved_by(l) != before)
        t->last_output = clock_now();
    switch (state) {
    case PUMP_AGAIN:
        *again = true;
        return 0;
    case PUMP_WAIT:
        return 0;
    case PUMP_END:
        end_lane(t, l);
        *again = true;
        return 0;
    case PUMP_ERROR:
        break;
    }
    if (!target_failed(l))
        return say(t, "read", "the program's output");
    if (!is_one_program(t) || (l == &t->err && !l->sink)) { /* CLIENT, or who read our stderr, has gone */
        close_lane(t, l);
        return 0;
    }
    t->lost_output = errno == EPIPE && !sigs_found_ignored(SIGPIPE);
    return t->lost_output ? EXIT_SIGNAL + SIGPIPE : say(t, "write", "stdout");
}

/* ---- the conversation ---- */

/* Until when there is anything to wait for. */
static int64_t conversation_deadline(const struct talk *t)
{
    const struct job *j = &t->c->job;
    int64_t deadline = talk_deadline(t);
    if (!is_one_program(t))
        return j->progs[1].ended ? clock_first(deadline, t->last_output + t->c->grace) : deadline;
    /* SERVER has ended, but not its output: a child of its has it. Or it has closed all, but does not end. */
    bool closed = !t->out.open && !t->err.open && !t->in.open;
    return !j->running || closed ? clock_first(deadline, t->last_output + t->c->grace) : deadline;
}

static bool is_over(const struct talk *t)
{
    bool silent = !t->out.open && !t->err.open;
    return !t->c->job.running && (silent || !is_one_program(t));
}

static void sleep_until(struct talk *t, int64_t deadline)
{
    struct pump *pumps[] = {&t->in.pump, &t->in_sink, &t->out.pump, &t->out_sink, &t->err.pump};
    const bool open[] = {t->in.open, t->in.open && t->in.sink, t->out.open, t->out_sink.len > 0, t->err.open};
    enum { PUMPS = sizeof pumps / sizeof *pumps };
    struct pollfd polls[2 * PUMPS];
    for (int i = 0; i < PUMPS; i++) {
        pump_polls(pumps[i], polls + 2 * i);
        if (!open[i])
            polls[2 * i].fd = polls[2 * i + 1].fd = -1;
    }
    if (job_sleep(&t->c->job, polls, 2 * PUMPS, clock_left(deadline)) <= 0)
        return;
    for (int i = 0; i < PUMPS; i++)
        pump_ready(pumps[i], polls + 2 * i);
}

static int step_all(struct talk *t, bool *again)
{
    int failed = t->in.open ? step_in(t, again) : 0;
    if (!failed && t->out.open)
        failed = step_out(t, &t->out, again);
    if (!failed && t->err.open)
        failed = step_out(t, &t->err, again);
    return failed;
}

/* Whether there is output that only waits for the reader of ours. */
static bool is_blocked(const struct lane *l)
{
    struct pollfd p = {.fd = l->pump.from, .events = POLLIN};
    if (!l->open)
        return false;
    return l->pump.len || (l->sink && l->sink->len) || (poll(&p, 1, 0) > 0 && p.revents & POLLIN);
}

/* Nothing more has come since SERVER's end: whatever has its output now may keep it. */
static void stop_listening(const struct talk *t)
{
    const struct job *j = &t->c->job;
    if (!j->running && is_one_program(t))
        msg_error_why(j->msg, "read from", *j->progs->argv,
            "it has exited, but another process still holds its output open");
}

/*
 * Whether a signal has come that nobody is left to take, and that ends us. One that came to SERVER before
 * only bounds the time that who reads our output has for the rest of it.
 */
static bool is_told_to_end(struct talk *t)
{
    struct job *j = &t->c->job;
    if (j->running || !is_one_program(t))
        return false;
    if (!t->alone) {
        t->alone = true;
        t->came = j->came;
        j->came = 0;
        t->last_output = clock_now();
    }
    return j->came != 0;
}

/* What the deadline means that has passed. -1: nothing; 0: only that nothing more will come. */
static int be_late(struct talk *t)
{
    if (clock_left(talk_deadline(t))) {
        bool blocked = is_blocked(&t->out) || is_blocked(&t->err);
        if (!blocked || t->came) {
            if (!blocked)
                stop_listening(t);
            t->waited = true;
            return 0;
        }
        t->last_output = clock_now();
        return -1;
    }
    char mem[PATH_MAX];
    struct buf what = BUF(mem);
    talk_describe_late(t, &what);
    return msg_fatal_why(t->c->job.msg, EXIT_DEADLINE, NULL, buf_str(&what), NULL);
}

/*
 * --pty=both, after the end of the input: a raw terminal has no character for that, so it is hung up, once
 * all input has been read, and no output has come for a while that may be the answer to it. One that gathers
 * lines is told again: it may have been raw when the input ended, or the program may have read on.
 */
static void look_at_terminal(struct talk *t)
{
    const int64_t quiet = QUIET_MS * CLOCK_MS;
    t->look = t->last_output + quiet;
    if (clock_left(t->look))
        return;
    t->look = clock_in(quiet);
    if (!t->out.open || is_blocked(&t->out))
        return;
    char end[PTY_END_SIZE];
    enum pty_waiting waits = pty_waits_for(t->c->from_server);
    if (waits == PTY_LINE)
        fd_write(t->c->from_server, end, pty_encode_end(&t->line, t->c->from_server, end) > 0);
    if (waits != PTY_BYTES || talk_is_unanswered(t))
        return;
    t->c->hung_up = true;
    close_output(t);
}

static int converse(struct talk *t)
{
    enum { ROUNDS = 16 }; /* without a sleep, in which signals come in */
    for (unsigned round = 0;; round++) {
        bool again = false;
        int failed = step_all(t, &again);
        if (failed)
            return failed;
        if (is_told_to_end(t))
            return EXIT_SIGNAL + t->c->job.came;
        int64_t deadline = conversation_deadline(t);
        if (is_over(t))
            return 0;
        if (!clock_left(t->look))
            look_at_terminal(t);
        if (!clock_left(deadline) && (failed = be_late(t)) >= 0)
            return failed;
        if (!again)
            sleep_until(t, clock_first(deadline, t->look));
        else if (round % ROUNDS == 0)
            job_look(&t->c->job);
    }
}

/* ---- beginning and end ---- */

static int begin_filtered(struct lane *l, struct pump *sink, int from, int to)
{
    l->sink = sink;
    if (pump_init_half(&l->pump, from, -1) < 0)
        return -1;
    return sink->buffer ? 0 : pump_init_half(sink, -1, to);
}

/* 0, or -1 with ENOMEM. */
static int begin(struct talk *t)
{
    struct coproc *c = t->c;
    int done = 0;
    t->look = CLOCK_NEVER;
    t->in.open = c->to_server >= 0;
    t->out.open = c->from_server >= 0;
    t->err.open = c->from_stderr >= 0;
    t->in.filter = c->lock_step ? talk_request : c->pty == PTY_BOTH ? talk_encode : NULL;
    t->out.filter = c->lock_step ? talk_answer : c->tag ? talk_tag : NULL;
    t->err.filter = c->tag ? talk_tag : NULL;
    t->out.tag = "out";
    t->err.tag = "err";
    if (c->lock_step)
        done = talk_start_steps(t);
    if (done == 0 && t->in.filter)
        done = begin_filtered(&t->in, &t->in_sink, c->source, c->to_server);
    else
        pump_init(&t->in.pump, c->source, c->to_server);
    if (done == 0 && t->out.filter)
        done = begin_filtered(&t->out, &t->out_sink, c->from_server, c->sink);
    else
        pump_init(&t->out.pump, c->from_server, c->sink);
    if (done == 0 && t->err.filter)
        done = begin_filtered(&t->err, &t->out_sink, c->from_stderr, c->sink);
    else
        pump_init(&t->err.pump, c->from_stderr, STDERR_FILENO);
    return done;
}

/* SERVER sees that nobody is there any more, and may end by itself. */
static void end(struct talk *t)
{
    close_input(t);
    close_output(t);
    close_stderr(t);
    struct pump *pumps[] = {&t->in.pump, &t->in_sink, &t->out.pump, &t->out_sink, &t->err.pump};
    for (size_t i = 0; i < sizeof pumps / sizeof *pumps; i++)
        pump_free(pumps[i]);
    free(t->fallback);
    int64_t deadline = clock_in(t->waited ? 0 : t->c->grace);
    while (t->c->job.running && !t->c->job.progs[0].timed_out && clock_left(deadline))
        job_sleep(&t->c->job, NULL, 0, clock_left(deadline));
}

int coproc_relay(struct coproc *c)
{
    struct talk t = {.c = c, .last_output = clock_now()};
    if (begin(&t) < 0)
        return msg_fatal(c->job.msg, EXIT_SYSTEM, "malloc", NULL, ENOMEM);
    int failed = converse(&t);
    bool unanswered = talk_is_unanswered(&t);
    if (failed == EXIT_DEADLINE)
        job_end(&c->job, SIGTERM, c->grace);
    end(&t);
    if (t.lost_output && c->job.running)
        job_end(&c->job, SIGTERM, c->grace);
    if (t.lost_output)
        sigs_die(SIGPIPE);
    if (t.alone && c->job.came)
        sigs_die(c->job.came);
    if (!failed && unanswered && c->end_is_error && !c->job.running && !job_status(&c->job, 0))
        failed =
            msg_fatal_why(c->job.msg, EXIT_NO, "read an answer from", *c->job.progs->argv, "it exited first");
    return failed;
}
