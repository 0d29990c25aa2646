/*
 * serve_loop.c - see serve.h and serve_loop.h.
 *
 * One round: sleep with the signals let in; take the signals; start what could not be started before; read
 * preambles; accept until there is nothing more, or no more is allowed.
 */
#include "serve/serve_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/tick.h"
#include "net/listen.h"

enum { ACCEPT_ERRORS_MAX = 16, ACCEPTS_A_ROUND = 64, POLL_FAILED_MS = 50 };
enum { QUEUE_MS = 100, TAKE_MS = 500, LIMIT_MS = 1000 };

/* Whether another connection may be accepted now; if not because of time, that time is in s->paused_until. */
static bool may_accept(struct serve *s)
{
    if ((s->stop && !s->drain_until) || s->held.fd >= 0 || s->is_full || serve_active(s) >= s->asked.limit ||
        (s->asked.max && s->accepted >= s->asked.max))
        return false;
    if (s->pause.until && clock_left(s->pause.until))
        return false;
    if (s->rate.n) {
        int64_t before = s->rate.times[s->rate.at];
        int64_t free_at = before > INT64_MAX - s->rate.window ? CLOCK_NEVER : before + s->rate.window;
        if (before != SERVE_NO_ACCEPT && clock_left(free_at)) {
            s->pause.until = free_at;
            return false;
        }
    }
    return true;
}

static void count_rate(struct serve *s)
{
    if (!s->rate.n)
        return;
    s->rate.times[s->rate.at] = clock_now();
    s->rate.at = (s->rate.at + 1) % s->rate.n;
}

static int accept_one(const struct serve *s, int i, struct serve_conn *c)
{
    c->fd = -1;
    if (s->kind->datagrams)
        return s->kind->datagrams->take(s->owner, s->listener[i], c);
    if (s->blocking[i] && tick_begin() < 0)
        return -1;
    c->remote.len = sizeof c->remote.u;
    c->fd = accept4(s->listener[i], &c->remote.u.sa, &c->remote.len, SOCK_CLOEXEC);
    if (s->blocking[i])
        tick_end();
    return c->fd;
}

/* Errors of one connection that accept(2) passes on; all others are shortages, or will not pass by
 * themselves. */
static bool is_one_clients(int err)
{
    return err == ECONNABORTED || err == EPROTO || err == EPERM || err == ENETDOWN || err == ENOPROTOOPT ||
           err == EHOSTDOWN || err == EHOSTUNREACH || err == ENETUNREACH || err == EOPNOTSUPP;
}

/* Accepts from a ready listener until there is nothing more (true), or signals, ended programs and new rules
 * want a look. */
static bool accept_all(struct serve *s, int i)
{
    for (int n = 0; n < ACCEPTS_A_ROUND && may_accept(s); n++) {
        struct serve_conn c = {.fd = -1};
        if (accept_one(s, i, &c) >= 0) {
            s->pause.accept_errors = 0;
            count_rate(s);
            serve_welcome(s, &c);
            if (s->blocking[i]) /* poll(2) must say again that there is another */
                return false;
            continue;
        }
        if (errno == EAGAIN || errno == EINTR ||
            (s->stop && errno == EINVAL)) /* a Unix socket that is shut down */
            return errno != EINTR;
        if (!is_one_clients(errno) || ++s->pause.accept_errors == ACCEPT_ERRORS_MAX) {
            s->pause.accept_errors = 0;
            serve_pause(s, "accept");
            return false;
        }
        msg_error(s->msg, "accept", NULL, errno);
    }
    return false;
}

static void close_listeners(struct serve *s)
{
    if (s->listeners && s->kind->closing)
        s->kind->closing(s->owner);
    unsigned long left = 0;
    for (int i = 0; i < s->listeners && !s->kind->datagrams; i++) {
        if (s->stop && !s->asked.inherit)
            left += listen_reset_queue(s->listener[i]);
        fd_close(&s->listener[i]);
    }
    s->listeners = 0;
    if (!left)
        return;
    char mem[64];
    struct buf text = BUF(mem);
    buf_fmt(&text, "exit: reset %lu clients that waited", left);
    msg_error(s->msg, buf_str(&text), NULL, 0);
}

/*
 * Takes what may be served from the queues, and closes them when they are empty. One that others have, too,
 * was closed before: it stays theirs.
 */
static void empty_queues(struct serve *s)
{
    bool empty = !clock_left(s->close_at);
    s->kind->refresh(s->owner, false);
    for (int i = 0; i < s->listeners; i++) {
        struct pollfd queue = {.fd = s->listener[i], .events = POLLIN};
        if (poll(&queue, 1, 0) > 0 && !(may_accept(s) && accept_all(s, i)))
            empty = false;
    }
    if (empty)
        close_listeners(s);
}

/* The beginning of the end. */
static void stop(struct serve *s, int sig)
{
    s->stop = sig;
    s->idle_until = 0;
    if (sig == SIGTERM)
        s->drain_until = clock_in(s->asked.drain_set ? s->asked.drain : TAKE_MS * CLOCK_MS);
    if (s->asked.inherit)
        close_listeners(s);
    for (int i = 0; i < s->listeners; i++)
        if (listen_stop(s->listener[i]) && s->asked.drain_set)
            s->close_at = clock_in(QUEUE_MS * CLOCK_MS);
    if (s->listeners && s->kind->closing) /* a successor may take its name */
        s->kind->closing(s->owner);
    notify_stopping();
}

static void terminate_children(const struct serve *s)
{
    for (size_t i = 0; i < s->children.slots; i++) {
        const struct serve_child *child = table_at(&s->children, i);
        if (child)
            kill(child->pid, SIGTERM);
    }
}

/* What a signal asked for, done here, where nothing is half-done. */
static void take_signals(struct serve *s)
{
    if (sigs_take(SIGCHLD))
        serve_reap_soon(s);
    if (s->reap_at && !clock_left(s->reap_at))
        serve_reap(s);
    if (sigs_take(SIGHUP))
        s->kind->refresh(s->owner, true);
    if (sigs_take(SIGUSR1))
        serve_say_status(s, true);
    int sig = sigs_take_ending(NULL);
    if (!sig)
        return;
    if (s->stop) { /* asked twice: no more patience */
        s->drain_until = 0;
        return;
    }
    stop(s, sig);
}

static void retry_held(struct serve *s)
{
    if (s->held.fd < 0 || (s->pause.until && clock_left(s->pause.until)))
        return;
    struct serve_conn c = s->held;
    s->held.fd = -1;
    serve_start(s, &c);
}

static void say_late(const struct serve *s, const struct serve_conn *c)
{
    char mem[ADDR_TEXT_SIZE], action[64];
    struct buf client = BUF(mem), b = BUF(action);
    s->kind->client(c, &client);
    buf_fmt(&b, "read %s from", s->kind->preamble_name);
    msg_error(s->msg, buf_str(&b), buf_str(&client), ETIMEDOUT);
}

/* Not while a connection is held: what is read now could not be served, and its time must not run out
 * meanwhile. */
static bool may_read_preambles(const struct serve *s)
{
    return s->held.fd < 0;
}

/* Those whose preamble came, is wrong, or is late. */
static void serve_waiting(struct serve *s, const struct pollfd *polls, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct serve_conn c = s->waiting.list[i];
        bool may = may_read_preambles(s);
        int ready = may && polls[i].revents ? s->kind->preamble(s->owner, &c) : 0;
        if (may && ready == 0 && !clock_left(c.deadline)) {
            say_late(s, &c);
            ready = -1;
        }
        if (ready == 0) {
            s->waiting.list[kept++] = c;
            continue;
        }
        s->waiting.n--;
        if (ready > 0)
            serve_admit(s, &c);
        else
            serve_drop(&c);
    }
}

/* The fds to sleep on: those that wait for a preamble, then the listeners if they are of interest. */
static nfds_t fill_polls(struct serve *s, nfds_t *listeners)
{
    size_t n = 0;
    for (size_t i = 0; may_read_preambles(s) && i < s->waiting.n; i++)
        s->polls[n++] = (struct pollfd){.fd = s->waiting.list[i].fd, .events = POLLIN};
    *listeners = n;
    bool accept = may_accept(s) || (!s->limit.is_said && serve_active(s) >= s->asked.limit);
    for (int i = 0; accept && i < s->listeners; i++)
        s->polls[n++] = (struct pollfd){.fd = s->listener[i], .events = POLLIN};
    if (s->also >= 0)
        s->polls[n++] = (struct pollfd){.fd = s->also, .events = POLLIN};
    return n;
}

static int64_t sleep_time(struct serve *s)
{
    int64_t until = s->stop ? s->drain_until : CLOCK_NEVER;
    /* close_at may have passed while -c keeps the queue waiting: then the end of a program wakes us */
    const int64_t at[] = {s->reap_at, s->tend_at, s->limit.until, s->idle_until,
        s->listeners && clock_left(s->close_at) ? s->close_at : 0,
        s->held.fd >= 0 || s->listeners ? s->pause.until : 0};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (at[i])
            until = clock_first(until, at[i]);
    for (size_t i = 0; may_read_preambles(s) && i < s->waiting.n; i++)
        until = clock_first(until, s->waiting.list[i].deadline);
    int64_t left = clock_first(clock_left(until), serve_show_status(s));
    return clock_first(left, notify_tend(&s->asked.notify, s->msg));
}

/* Says when -c makes clients wait, once, and when it has made none wait for a while. */
static void look_at_limit(struct serve *s, bool ready)
{
    static const char action[] = "limit of -c reached";
    if (serve_active(s) >= s->asked.limit) {
        if (ready && !s->limit.is_said)
            msg_error_why(s->msg, action, NULL, "clients wait");
        s->limit.is_said |= ready;
        s->limit.until = s->limit.is_said ? CLOCK_NEVER : 0;
    } else if (s->limit.until == CLOCK_NEVER) {
        s->limit.until = clock_in(LIMIT_MS * CLOCK_MS);
    } else if (s->limit.is_said && !clock_left(s->limit.until)) {
        s->limit.is_said = false;
        s->limit.until = 0;
        msg_error_why(s->msg, action, NULL, "clients wait no longer");
    }
}

/* --exit-idle */
static void look_at_idleness(struct serve *s)
{
    if (serve_active(s) || s->stop)
        s->idle_until = 0;
    else if (!s->idle_until)
        s->idle_until = clock_in(s->asked.exit_idle);
    else if (!clock_left(s->idle_until))
        stop(s, SIGTERM);
}

static void one_round(struct serve *s)
{
    nfds_t first_listener, n = fill_polls(s, &first_listener);
    int ready = sigs_sleep(s->polls, n, sleep_time(s));
    if (ready < 0 && errno != EINTR) {
        serve_pause(s, "poll");
        ready = sigs_look_and_pause(s->polls, n, POLL_FAILED_MS * CLOCK_MS);
    }
    if (ready <= 0)
        for (nfds_t i = 0; i < n; i++)
            s->polls[i].revents = 0;
    if (s->pause.until && !clock_left(s->pause.until))
        s->pause.until = 0;
    take_signals(s);
    if (s->also >= 0 && (s->polls[--n].revents || (s->tend_at && !clock_left(s->tend_at))))
        s->kind->datagrams->tend(s->owner);
    retry_held(s);
    if (first_listener)
        serve_waiting(s, s->polls, first_listener);
    bool fresh = false;
    for (nfds_t i = first_listener; i < n && s->listeners; i++) {
        if (!s->polls[i].revents)
            continue;
        if (!fresh) {
            look_at_limit(s, true);
            s->kind->refresh(s->owner, false);
        }
        fresh = true;
        accept_all(s, (int)(i - first_listener));
    }
    if (!fresh)
        look_at_limit(s, false);
    if (s->stop && s->listeners)
        empty_queues(s);
    look_at_idleness(s);
}

/* Told to end, or done with --max, and nothing is left to wait for. */
static bool finished(struct serve *s)
{
    if (s->is_over)
        return true;
    if (s->stop && clock_left(s->drain_until))
        return s->asked.drain_set ? !s->listeners && !serve_active(s) : !s->listeners || !may_accept(s);
    if (s->stop)
        return true;
    return s->asked.max && s->accepted >= s->asked.max && !serve_active(s);
}

int serve_loop(struct serve *s)
{
    serve_say_status(s, false);
    look_at_idleness(s);
    while (!s->relayed && !finished(s)) {
        if (s->asked.max && s->accepted >= s->asked.max)
            close_listeners(s);
        one_round(s);
    }
    if (!s->stop)
        notify_stopping();
    close_listeners(s);
    const bool is_over = s->is_over; /* not by an end that came as we were told to stop */
    serve_wait_for_starts(s);
    if (is_over)
        return s->over_status;
    if (s->held.fd >= 0)
        msg_error(s->msg, "exit: drop a client whose program could not be started", NULL, 0);
    if (s->asked.drain_set && s->stop == SIGTERM && serve_active(s)) {
        msg_error(s->msg, "drain: terminate the programs that are still running", NULL, 0);
        terminate_children(s);
        return EXIT_DEADLINE;
    }
    return s->stop && s->stop != SIGTERM ? -s->stop : EXIT_DONE;
}
