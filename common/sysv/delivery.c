/*
 * delivery.c - see delivery.h.
 */
#include "sysv/delivery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/msg.h>
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
    char type_text[40];
};

int delivery_begin(struct delivery *r)
{
    job_begin(&r->job, false);
    sigs_claim_term();
    if (r->has_prog)
        job_env(&r->job); /* before there is a message to lose */
    r->works = calloc(r->parallel, sizeof *r->works);
    for (size_t i = 0; i < r->parallel; i++)
        if (!r->works || message_init(&r->works[i].message) < 0)
            return -1;
    return 0;
}

void delivery_free(struct delivery *r)
{
    for (size_t i = 0; i < r->parallel; i++)
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
    if (sigs_ending_came())
        return true;
    return !r->has_prog && poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP);
}

int delivery_receive(struct delivery *r, struct message *m, bool has_read)
{
    const int flags = r->except ? MSG_EXCEPT : 0;
    if (has_read && !sigs_ending_came() && message_take(r->id, m, r->type, flags | IPC_NOWAIT) == 0)
        return 0;
    for (;;) {
        errno = EINTR;
        if (is_over(r))
            return -1;
        bool waits = r->timeout && (r->busy || clock_left(r->deadline));
        int done = message_take(r->id, m, r->type, flags | (waits ? 0 : IPC_NOWAIT));
        if (done == 0 || errno != EINTR || r->busy)
            return done;
    }
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

bool delivery_put_back(const struct delivery *r, const struct message *m)
{
    if (message_put(r->id, m) < 0) {
        message_lost(m, r->msg, r->key.word, errno);
        return false;
    }
    say(r, m, "put back", r->key.word, "is at the end of the queue again", r->pause);
    return true;
}

static int64_t next_pause(const struct delivery *r, int64_t pause)
{
    if (!r->timeout) /* -t 0 never waits */
        return 0;
    return pause ? clock_first(pause * 2, pause_max) : pause_first;
}

/* The work has no message any more: the time for the next one begins. */
static void release(struct delivery *r, struct work *w)
{
    w->busy = false;
    r->busy--;
    r->deadline = clock_in(r->timeout);
}

/*
 * PROG, or without `for_good` what it needs, has failed on the message: it is tried again, goes to --dead, or
 * goes back before the pause, so that SIGKILL can't lose it. With `status` msgrecv exits if it can't go on.
 */
static void give_up(struct delivery *r, struct work *w, bool for_good, int status)
{
    const bool tries = !for_good && !r->stop && !r->job.came;
    if (tries && ++w->failures < r->tries) {
        w->pause = next_pause(r, w->pause);
        w->again = clock_in(w->pause);
        say(r, &w->message, "hold", r->key.word, "is tried again", w->pause);
        return;
    }
    release(r, w);
    if (tries && r->dead >= 0 && message_put(r->dead, &w->message) == 0) {
        say(r, &w->message, "give up", r->key.word, "is in the --dead queue", 0);
        r->wanted--;
        r->status = status;
        return;
    }
    if (tries && r->dead >= 0)
        msg_error(r->msg, "send to", r->dead_key.word, errno);
    const bool goes_on = tries && r->keep_going;
    r->failures++;
    r->pause = goes_on ? next_pause(r, r->pause) : 0;
    r->rested = clock_in(r->pause);
    if ((delivery_put_back(r, &w->message) && goes_on) || r->stop)
        return;
    r->stop = true;
    r->status = status;
    r->failed = (size_t)(w - r->works);
}

/* Whether all messages that are in the queue have failed by now, as far as their number tells. */
static bool has_tried_all(const struct delivery *r)
{
    struct msqid_ds state = {0};
    return msgctl(r->id, IPC_STAT, &state) < 0 || r->failures >= state.msg_qnum;
}

int delivery_end_without(const struct delivery *r)
{
    int err = errno, sig;
    if (err == EINTR) {
        sig = sigs_take_ending(NULL);
        sigs_die(sig ? sig : SIGPIPE); /* or our reader has gone */
    }
    if (err != ENOMSG)
        return sysv_failed(r->msg, SYSV_MSG, "receive from", &r->key, err);
    msg_error_why(r->msg, "receive from", r->key.word,
        r->timeout    ? "the deadline passed"
        : r->failures ? "PROG has failed on every message in the queue"
                      : "there is no message");
    return r->timeout ? EXIT_DEADLINE : r->conflict;
}

/* ---- to programs ---- */

/* A system call failed before PROG was started. */
static void not_begun(struct delivery *r, struct work *w, const char *what, int err)
{
    give_up(r, w, false, EXIT_SYSTEM);
    r->failed = r->parallel;
    msg_fatal(r->msg, EXIT_SYSTEM, what, NULL, err);
}

static void start(struct delivery *r, struct work *w)
{
    const size_t i = (size_t)(w - r->works);
    struct job *j = &r->job;
    struct buf type = BUF(w->type_text);
    w->again = 0;
    buf_fmt(&type, "MSGTYPE=%ld", w->message.m->type);
    buf_str(&type);
    if (env_put(job_env(j), w->type_text) < 0) {
        not_begun(r, w, "malloc", errno);
        return;
    }
    int fd = message_file(&w->message);
    if (fd < 0) {
        not_begun(r, w, "memfd_create", errno);
        return;
    }
    struct spawn spawn = {.signals = SIGS_INHERITED, .fds = &fd, .nfds = 1};
    int done = job_start(j, i, &spawn), err = errno;
    fd_close(&fd);
    if (done < 0) {
        give_up(r, w, false, EXIT_SYSTEM);
        job_start_failed(j, i, "fork", err);
    }
}

/* PROG has exited. */
static void settle(struct delivery *r, struct work *w)
{
    const size_t i = (size_t)(w - r->works);
    char mem[48];
    struct buf why = BUF(mem);
    int status = job_status(&r->job, i);
    if (status == EXIT_DONE) {
        release(r, w);
        r->wanted--;
        r->failures = 0;
        r->pause = r->rested = 0;
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
    errno = ENOMSG;
    if (r->failures && (r->timeout ? !r->busy && !clock_left(r->deadline) : has_tried_all(r)))
        return false;
    if (tick_begin() < 0)
        return false;
    int received = delivery_receive(r, &w->message, false);
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

int delivery_to_programs(struct delivery *r)
{
    struct job *j = &r->job;
    r->deadline = clock_in(r->timeout);
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
            job_sleep(j, NULL, 0, clock_left(until));
            continue;
        }
        if (!r->busy)
            until = clock_first(until, r->deadline);
        if (r->failures && clock_left(r->rested) && clock_left(until)) {
            job_sleep(j, NULL, 0, clock_left(clock_first(until, r->rested)));
            continue;
        }
        if (take_message(r, unused))
            continue;
        if (!r->busy)
            return delivery_end_without(r);
        if (errno != EINTR && errno != ENOMSG) {
            r->status = sysv_failed(r->msg, SYSV_MSG, "receive from", &r->key, errno);
            r->failed = r->parallel;
            r->stop = true;
        } else {
            job_sleep(j, NULL, 0, errno == EINTR ? 0 : clock_left(until));
        }
    }
    return r->stop && !j->came && r->failed < r->parallel ? job_end_alike(j, r->failed) : r->status;
}
