/*
 * delivery.c - see delivery.h.
 */
#include "ipc/delivery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/tick.h"
#include "process/sigs.h"

/* After a failure, doubled by each one in a row: before the next message, or the next try of the same. */
static const int64_t pause_first = 100 * CLOCK_MS, pause_max = 30 * CLOCK_SECOND;

/* A message that has been taken, and its program, which has the same number. */
struct work {
    struct message message;
    bool busy;
    uint64_t failures; /* --tries: of PROG on this message */
    int64_t pause;     /* before the next try */
    int64_t again;     /* when that is; 0: PROG runs */
    char type_text[40], tries_text[40], token_text[MESSAGE_TOKEN + sizeof "MSGTOKEN="];
};

/* Whether programs have keepers. */
static bool is_kept(const struct delivery *r)
{
    return r->queue.kind->is_stream && !r->queue.at_most_once;
}

int delivery_begin(struct delivery *r)
{
    const struct queue_kind *kind = r->queue.kind;
    job_begin(&r->job, r->has_prog && is_kept(r));
    sigs_claim_term();
    if (r->has_prog)
        job_env(&r->job); /* before there is a message to lose */
    r->queue.job = &r->job;
    r->queue.watches_stdout = !r->has_prog;
    r->works = calloc(r->parallel, sizeof *r->works);
    for (size_t i = 0; i < r->parallel; i++)
        if (!r->works || message_init(&r->works[i].message) < 0)
            return msg_fatal(r->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    return kind->begin ? kind->begin(&r->queue, r->parallel) : EXIT_DONE;
}

void delivery_end(struct delivery *r)
{
    if (r->queue.kind->end)
        r->queue.kind->end(&r->queue);
    for (size_t i = 0; r->works && i < r->parallel; i++)
        message_free(&r->works[i].message);
    free(r->works);
}

struct message *delivery_message(struct delivery *r)
{
    return &r->works->message;
}

/* ---- receiving ---- */

/* Whether a signal has come that ends us, or stdout has no reader any more. */
static bool is_over(struct delivery *r)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (r->job.came || sigs_ending_came())
        return true;
    return !r->has_prog && poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP);
}

int delivery_receive(struct delivery *r, struct message *m, bool has_read)
{
    struct queue *q = &r->queue;
    if (has_read && !q->kind->is_stream && !sigs_ending_came() && q->kind->receive(q, m, false, false) == 0)
        return 0;
    for (;;) {
        errno = EINTR;
        if (is_over(r))
            return -1;
        bool waits = q->timeout && (r->busy || clock_left(q->deadline));
        int done = q->kind->receive(q, m, waits, r->busy);
        if (done == 0 || errno != EINTR || (r->busy && !q->kind->is_stream))
            return done;
    }
}

void delivery_hold(struct delivery *r, struct message *m)
{
    if (is_kept(r))
        r->queue.kind->hold(&r->queue, m);
}

int delivery_done(struct delivery *r, const struct message *m)
{
    const struct queue_kind *kind = r->queue.kind;
    return is_kept(r) && kind->finish(&r->queue, m) < 0 ? EXIT_SYSTEM : EXIT_DONE;
}

/* ---- messages that can't be delivered ---- */

/* Reports what has become of a message. */
static void say(const struct delivery *r, const struct message *m, const char *action, const char *key,
    const char *what, int64_t pause)
{
    char mem[128];
    struct buf why = BUF(mem);
    buf_fmt(&why, "a message of type %ld %s", m->m->type, what);
    if (pause)
        buf_fmt(&why, "; pausing for %lld.%lld s", (long long)(pause / CLOCK_SECOND),
            (long long)(pause % CLOCK_SECOND / (CLOCK_SECOND / 10)));
    msg_error_why(r->msg, action, key, buf_str(&why));
}

/* Puts it back, which is reported. What has become of it. */
static enum queue_end put_back(struct delivery *r, const struct message *m, bool counts)
{
    struct queue *q = &r->queue;
    if (q->at_most_once) {
        say(r, m, "give up", q->word, "was acknowledged, and is not delivered again", 0);
        return QUEUE_LOST;
    }
    enum queue_end end = q->kind->put_back(q, m, counts);
    if (end == QUEUE_BACK)
        say(r, m, "put back", q->word, "is at the end of the queue again", r->pause);
    else if (end == QUEUE_DEAD)
        say(r, m, "give up", q->word, "is in the --dead queue", 0);
    else if (end == QUEUE_LOST)
        say(r, m, "put back", q->word, "is another consumer's", 0);
    else if (q->kind->is_stream)
        say(r, m, "put back", q->word, "is another consumer's once its claim has run out", 0);
    else
        message_lost(m, r->msg, q->word, errno);
    return end;
}

bool delivery_put_back(struct delivery *r, const struct message *m)
{
    return put_back(r, m, false) == QUEUE_BACK;
}

static int64_t next_pause(const struct delivery *r, int64_t pause)
{
    if (!r->queue.timeout) /* -t 0 never waits */
        return 0;
    return pause ? clock_first(pause * 2, pause_max) : pause_first;
}

/* The work has no message any more: the time for the next one begins. */
static void release(struct delivery *r, struct work *w)
{
    w->busy = false;
    r->busy--;
    r->queue.deadline = clock_in(r->queue.timeout);
}

/*
 * PROG, or without `for_good` what it needs, has failed on the message: it is tried again, goes to --dead, or
 * goes back before the pause, so that SIGKILL can't lose it. With `status` msgrecv exits if it can't go on.
 */
static void give_up(struct delivery *r, struct work *w, bool for_good, int status)
{
    struct queue *q = &r->queue;
    const bool tries = !for_good && !r->stop && !r->job.came, holds = !q->kind->is_stream;
    if (tries && holds && ++w->failures < q->tries) {
        w->pause = next_pause(r, w->pause);
        w->again = clock_in(w->pause);
        say(r, &w->message, "hold", q->word, "is tried again", w->pause);
        return;
    }
    release(r, w);
    const bool goes_on = tries && (r->keep_going || (!holds && q->tries));
    const int64_t pause = r->pause;
    r->pause = goes_on ? next_pause(r, pause) : 0;
    enum queue_end end = put_back(r, &w->message, tries);
    if (end == QUEUE_DEAD) {
        r->pause = pause;
        r->wanted--;
        r->status = status;
        return;
    }
    r->failures++;
    r->rested = clock_in(r->pause);
    if ((end != QUEUE_ERROR && goes_on) || r->stop)
        return;
    r->stop = true;
    r->status = status;
    r->failed = (size_t)(w - r->works);
}

/* Whether all messages that are in the queue have failed by now, as far as their number tells. */
static bool has_tried_all(struct delivery *r)
{
    struct queue *q = &r->queue;
    if (q->kind->is_stream && q->tries)
        return false; /* they go to the dead, in time */
    return r->failures >= q->kind->count(q);
}

int delivery_end_without(struct delivery *r)
{
    struct queue *q = &r->queue;
    int err = errno, sig;
    if (err == EINTR) {
        sig = r->job.came ? r->job.came : sigs_take_ending(NULL);
        if (q->kind->end)
            q->kind->end(q);
        sigs_die(sig ? sig : SIGPIPE); /* or our reader has gone */
    }
    if (err != ENOMSG)
        return q->kind->failed(q, "receive from", err);
    msg_error_why(r->msg, "receive from", q->word,
        q->timeout    ? "the deadline passed"
        : r->failures ? "PROG has failed on every message in the queue"
                      : "there is no message");
    return q->timeout ? EXIT_DEADLINE : r->conflict;
}

/* ---- to programs ---- */

/* A system call failed before PROG was started. */
static void not_begun(struct delivery *r, struct work *w, const char *what, int err)
{
    give_up(r, w, false, EXIT_SYSTEM);
    r->failed = r->parallel;
    msg_fatal(r->msg, EXIT_SYSTEM, what, NULL, err);
}

/* What the program is told about its message. 0, or -1 with ENOMEM. */
static int put_environment(struct delivery *r, struct work *w)
{
    struct env *env = job_env(&r->job);
    const struct message *m = &w->message;
    struct buf type = BUF(w->type_text), tries = BUF(w->tries_text), token = BUF(w->token_text);
    buf_fmt(&type, "MSGTYPE=%ld", m->m->type);
    buf_str(&type);
    if (env_put(env, w->type_text) < 0)
        return -1;
    if (!r->queue.kind->is_stream)
        return 0;
    buf_fmt(&tries, "MSGTRIES=%lld", (long long)m->tries);
    buf_fmt(&token, "MSGTOKEN=%s", m->token);
    buf_str(&tries);
    buf_str(&token);
    return env_put(env, w->tries_text) < 0 ? -1 : env_put(env, w->token_text);
}

static void start(struct delivery *r, struct work *w)
{
    const size_t i = (size_t)(w - r->works);
    struct job *j = &r->job;
    struct queue *q = &r->queue;
    w->again = 0;
    if (put_environment(r, w) < 0) {
        not_begun(r, w, "malloc", errno);
        return;
    }
    int fd = message_file(&w->message);
    if (fd < 0) {
        not_begun(r, w, "memfd_create", errno);
        return;
    }
    struct spawn spawn = {.signals = SIGS_INHERITED, .fds = &fd, .nfds = 1};
    int done = is_kept(r) ? q->kind->start(q, i, &w->message, &spawn) : job_start(j, i, &spawn), err = errno;
    fd_close(&fd);
    if (done < 0) {
        give_up(r, w, false, EXIT_SYSTEM);
        job_start_failed(j, i, "fork", err);
    }
}

/* PROG has succeeded. */
static void done(struct delivery *r, struct work *w)
{
    release(r, w);
    r->wanted--;
    r->failures = 0;
    r->pause = r->rested = 0;
    if (delivery_done(r, &w->message) != EXIT_DONE && !r->keep_going) {
        r->stop = true;
        r->status = EXIT_SYSTEM;
        r->failed = r->parallel;
    }
}

/* Its keeper was killed, or could not keep the message, which has been reported. */
static void not_kept(struct delivery *r, struct work *w, bool lost)
{
    if (!lost) {
        give_up(r, w, false, EXIT_SYSTEM);
    } else {
        release(r, w);
        r->failures++;
        r->pause = next_pause(r, r->pause);
        r->rested = clock_in(r->pause);
        r->stop = r->stop || !r->keep_going;
        r->status = EXIT_SYSTEM;
    }
    if (r->stop)
        r->failed = r->parallel;
}

/* PROG has exited. */
static void settle(struct delivery *r, struct work *w)
{
    const size_t i = (size_t)(w - r->works);
    char mem[48];
    struct buf why = BUF(mem);
    bool lost = false;
    if (is_kept(r) && r->queue.kind->settle(&r->queue, i, &w->message, &lost) != EXIT_DONE) {
        not_kept(r, w, lost);
        return;
    }
    int status = job_status(&r->job, i);
    if (status == EXIT_DONE) {
        done(r, w);
        return;
    }
    bool never_ran = r->job.progs[i].exec_errno != 0;
    buf_text(&why, "it ");
    job_describe_end(&r->job, i, &why);
    if (!never_ran)
        msg_error_why(r->msg, "run", *r->job.progs->argv, buf_str(&why));
    give_up(r, w, never_ran, status);
}

/* Looks at each message; one that is free for another, or NULL. *again: when a program is to be started. */
static struct work *tend(struct delivery *r, int64_t *again)
{
    struct work *unused = NULL;
    *again = CLOCK_NEVER;
    for (size_t i = 0; i < r->parallel; i++) {
        struct work *w = &r->works[i];
        if (w->busy && !w->again && r->job.progs[i].ended)
            settle(r, w);
        if (w->busy && w->again && (r->stop || r->job.came)) {
            r->pause = 0;
            delivery_put_back(r, &w->message);
            release(r, w);
        }
        if (w->busy && w->again && !clock_left(w->again))
            start(r, w);
        if (w->busy && w->again)
            *again = clock_first(*again, w->again);
        if (!w->busy)
            unused = w;
    }
    return unused;
}

/* Takes a message for w, and starts its program. False when there is none, with errno as receive. */
static bool take_message(struct delivery *r, struct work *w)
{
    const struct queue *q = &r->queue;
    if (r->failures && (q->timeout ? !r->busy && !clock_left(q->deadline) : has_tried_all(r)))
        return errno = ENOMSG, false;
    if (!q->kind->is_stream && tick_begin() < 0)
        return false;
    int received = delivery_receive(r, &w->message, false);
    if (!q->kind->is_stream)
        tick_end();
    if (received < 0)
        return false;
    w->busy = true;
    r->busy++;
    w->failures = 0;
    w->pause = 0;
    start(r, w);
    return true;
}

/* Sleeps while programs run, or until it is time for a message. */
static void nap(struct delivery *r, int64_t ns)
{
    struct queue *q = &r->queue;
    struct pollfd polls[QUEUE_POLLS];
    int64_t first = CLOCK_NEVER;
    nfds_t n = is_kept(r) ? q->kind->polls(q, polls, &first) : 0;
    job_sleep(&r->job, polls, n, clock_first(first, ns));
}

/* There is no message for now, says errno. Whether that is all. */
static bool is_without(struct delivery *r, int64_t until)
{
    int err = errno;
    if (!r->busy)
        return true;
    if (err == EINTR || err == ENOMSG || err == EAGAIN) {
        nap(r, err == EINTR ? 0 : clock_left(until));
        return false;
    }
    r->status = r->queue.kind->failed(&r->queue, "receive from", err);
    r->failed = r->parallel;
    r->stop = true;
    return false;
}

int delivery_to_programs(struct delivery *r)
{
    struct job *j = &r->job;
    r->queue.deadline = clock_in(r->queue.timeout);
    for (;;) {
        int64_t until;
        const bool stopped = r->stop;
        struct work *unused = tend(r, &until);
        if (r->stop != stopped)
            continue; /* messages that were to be tried again are put back now */
        const bool more = !r->stop && !j->came && r->wanted > r->busy;
        if (!more && !r->busy)
            break;
        if (!more || !unused) {
            nap(r, clock_left(until));
            continue;
        }
        if (!r->busy)
            until = clock_first(until, r->queue.deadline);
        if (r->failures && clock_left(r->rested) && clock_left(until)) {
            nap(r, clock_left(clock_first(until, r->rested)));
            continue;
        }
        if (!take_message(r, unused) && is_without(r, until))
            return delivery_end_without(r);
    }
    if (!r->stop || j->came || r->failed >= r->parallel)
        return r->status;
    if (r->queue.kind->end)
        r->queue.kind->end(&r->queue);
    return job_end_alike(j, r->failed);
}
