/*
 * serve_loop.c - see serve.h and serve_loop.h.
 *
 * One round: sleep with the signals let in; take the signals; start what could not be started before; read
 * preambles; accept until there is nothing more, or no more is allowed.
 */
#include "serve_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "reap.h"

enum { BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 1000, ACCEPT_ERRORS_MAX = 16 };

/* Connections that we have taken on and not seen the end of. */
static unsigned long active(const struct serve *s)
{
    return s->children.used + s->waiting_n + (s->held.fd >= 0);
}

static void say_status(const struct serve *s, bool asked)
{
    struct event e;
    if (!asked && (s->msg->level < MSG_VERBOSE || s->msg->json))
        return;
    event_begin(&e, s->msg, "status");
    event_num(&e, "active", (long long)active(s));
    event_num(&e, "limit", (long long)s->limit);
    event_num(&e, "accepted", (long long)s->accepted);
    event_num(&e, "denied", (long long)s->denied);
    event_num(&e, "refused", (long long)s->refused);
    event_text(&e, "status: %lu/%lu", active(s), s->limit);
    if (asked)
        event_text(&e, " accepted %lu denied %lu refused %lu", s->accepted, s->denied, s->refused);
    event_send(&e);
}

/* A shortage that time or the end of a program will mend: said once, and nothing is accepted for a while. */
static void pause_for_shortage(struct serve *s, const char *action)
{
    if (!s->shortage_said)
        msg_error(s->msg, action, "(waiting for it to pass)", errno);
    s->shortage_said = true;
    s->backoff = s->backoff ? s->backoff * 2 : BACKOFF_MIN_MS * CLOCK_MS;
    if (s->backoff > BACKOFF_MAX_MS * CLOCK_MS)
        s->backoff = BACKOFF_MAX_MS * CLOCK_MS;
    s->paused_until = clock_in(s->backoff);
}

static void shortage_is_over(struct serve *s)
{
    s->shortage_said = false;
    s->backoff = s->paused_until = 0;
}

static bool is_shortage(int err)
{
    return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE || err == ENOBUFS;
}

static void forget_client(struct serve *s, const unsigned char *key)
{
    struct serve_client *client = table_find(&s->clients, key);
    if (client && --client->connections == 0)
        table_remove(&s->clients, client);
}

static void drop(struct serve_conn *c)
{
    free(c->preamble);
    c->preamble = NULL;
    fd_close(&c->fd);
}

/*
 * Sends a last word without waiting and hangs up. What the client has sent is read first: closing a socket with
 * unread data resets it, and the reset may overtake the word.
 */
static void send_off(struct serve_conn *c, const char *text)
{
    char sink[4096];
    if (text && *text)
        send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(c->fd, SHUT_WR);
    for (int i = 0; i < 16 && recv(c->fd, sink, sizeof sink, MSG_DONTWAIT) > 0; i++)
        ;
    drop(c);
}

struct greeting {
    struct serve *s;
    const struct serve_conn *c;
};

/* perlipc's greeting server. In a process of its own, for the name may have to be looked up. */
static int greet(void *arg)
{
    const struct greeting *g = arg;
    char mem[512], date[32];
    struct buf b = BUF(mem);
    struct tm tm;
    time_t now = time(NULL);
    buf_text(&b, "Hello there, ");
    g->s->kind->name(g->s->owner, g->c, &b);
    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", localtime_r(&now, &tm));
    buf_fmt(&b, ", it's now %s\r\n", date);
    if (fd_write_all(g->c->fd, b.mem, b.len) == 0)
        return EXIT_DONE;
    return EXIT_SYSTEM;
}

/* The process that serves the connection: its pid, or -1 with errno and *failed. */
static pid_t start_process(struct serve *s, struct serve_conn *c, const char **failed)
{
    *failed = "malloc";
    if (!s->program.path) {
        struct greeting g = {s, c};
        *failed = "fork";
        return spawn_function(greet, &g);
    }
    struct spawn program = s->program;
    const int fds[2] = {c->fd, c->fd};
    env_reset(&s->env);
    if (s->kind->tell(s->owner, c, &s->env, &program.pid_text) < 0)
        return -1;
    program.fds = fds;
    program.nfds = 2;
    program.envp = s->env.v;
    return spawn_program(&program, failed);
}

static void say_ok(const struct serve *s, const struct serve_conn *c, pid_t pid)
{
    struct event e;
    if (s->msg->level < MSG_VERBOSE)
        return;
    event_begin(&e, s->msg, "ok");
    event_num(&e, "child", pid);
    s->kind->describe(s->owner, c, pid, &e);
    event_num(&e, "active", (long long)active(s));
    event_send(&e);
}

/* Starts the program of an admitted connection, or keeps the connection until it can. */
static void start(struct serve *s, struct serve_conn *c)
{
    const char *failed = "malloc";
    pid_t pid = -1;
    if (table_reserve(&s->children) == 0)
        pid = start_process(s, c, &failed);
    if (pid < 0 && is_shortage(errno) && strcmp(failed, "exec") != 0) {
        pause_for_shortage(s, failed);
        s->held = *c;
        return;
    }
    if (pid < 0) {
        msg_error(s->msg, failed, s->program.path, errno);
        forget_client(s, c->key);
        drop(c);
        return;
    }
    shortage_is_over(s);
    struct serve_child *child = table_add(&s->children, &pid); /* there is room: it can't fail */
    memcpy(child->client, c->key, sizeof child->client);
    say_ok(s, c, pid);
    drop(c);
    say_status(s, false);
}

static void say_refused(const struct serve *s, const struct serve_conn *c)
{
    struct event e;
    char mem[ADDR_TEXT_SIZE];
    struct buf client = BUF(mem);
    if (s->msg->level < MSG_VERBOSE)
        return;
    s->kind->client(c, &client);
    event_begin(&e, s->msg, "refuse");
    event_str(&e, "client", buf_str(&client));
    event_num(&e, "limit", (long long)s->per_client);
    event_text(&e, "refuse %s: it has %lu connections already", mem, s->per_client);
    event_send(&e);
}

static void say_end(const struct serve *s, pid_t pid, int status)
{
    struct event e;
    if (s->msg->level < MSG_VERBOSE)
        return;
    event_begin(&e, s->msg, "end");
    event_num(&e, "child", pid);
    event_num(&e, "exit", reap_exit_status(status));
    event_num(&e, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    event_num(&e, "active", (long long)active(s));
    event_text(&e, "end %d status %d", (int)pid, status);
    event_send(&e);
}

static void reap_all(struct serve *s)
{
    int status;
    pid_t pid;
    while ((pid = reap_next(&status))) {
        struct serve_child *child = table_find(&s->children, &pid);
        if (!child) /* one that never got to run its program */
            continue;
        forget_client(s, child->client);
        table_remove(&s->children, child);
        say_end(s, pid, status);
        say_status(s, false);
        if (s->shortage_said)
            s->paused_until = 0; /* what it had is free again */
    }
}

/* A connection whose preamble, if any, has been read. */
static void take_on(struct serve *s, struct serve_conn *c)
{
    free(c->preamble);
    c->preamble = NULL;
    if (s->banner)
        send(c->fd, s->banner, strlen(s->banner), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!s->kind->admit(s->owner, c)) {
        s->denied++;
        drop(c);
        return;
    }
    struct serve_client *client = table_add(&s->clients, c->key);
    if (client && s->per_client && client->connections >= s->per_client) {
        reap_all(s); /* one of them may be gone by now */
        client = table_add(&s->clients, c->key);
    }
    if (!client) {
        msg_error(s->msg, "malloc", NULL, errno);
        drop(c);
        return;
    }
    if (s->per_client && client->connections >= s->per_client) {
        s->refused++;
        say_refused(s, c);
        send_off(c, s->per_client_message);
        return;
    }
    c->same = ++client->connections;
    start(s, c);
}

/* Puts a connection whose preamble is not there yet among those that wait for it. */
static int wait_for_preamble(struct serve *s, const struct serve_conn *c)
{
    if (s->waiting_n == s->waiting_room) {
        size_t room = s->waiting_room ? s->waiting_room * 2 : 16;
        struct pollfd *polls = realloc(s->polls, (room + SERVE_LISTENERS) * sizeof *polls);
        if (polls)
            s->polls = polls;
        struct serve_conn *more = polls ? realloc(s->waiting, room * sizeof *more) : NULL;
        if (!more)
            return -1;
        s->waiting = more;
        s->waiting_room = room;
    }
    s->waiting[s->waiting_n++] = *c;
    return 0;
}

/* A new connection, whose fd becomes ours. */
static void welcome(struct serve *s, struct serve_conn *c)
{
    s->accepted++;
    if (!s->kind->identify(s->owner, c)) {
        drop(c);
        return;
    }
    int ready = s->kind->preamble ? s->kind->preamble(s->owner, c) : 1;
    c->deadline = clock_in(s->preamble_time);
    if (ready > 0) {
        take_on(s, c);
    } else if (ready < 0) {
        drop(c);
    } else if (wait_for_preamble(s, c) < 0) {
        msg_error(s->msg, "malloc", NULL, errno);
        drop(c);
    }
}

/* Whether another connection may be accepted now; if not because of time, that time is in s->paused_until. */
static bool may_accept(struct serve *s)
{
    if (s->stop || s->held.fd >= 0 || active(s) >= s->limit || (s->max && s->accepted >= s->max))
        return false;
    if (s->paused_until && clock_left(s->paused_until))
        return false;
    if (s->rate_n) {
        int64_t free_at = s->rate_times[s->rate_at] + s->rate_window;
        if (clock_left(free_at)) {
            s->paused_until = free_at;
            return false;
        }
    }
    return true;
}

static void count_rate(struct serve *s)
{
    if (!s->rate_n)
        return;
    s->rate_times[s->rate_at] = clock_now();
    s->rate_at = (s->rate_at + 1) % s->rate_n;
}

static int accept_one(const struct serve *s, int i, struct serve_conn *c)
{
    if (s->blocking[i])
        sigs_open();
    c->remote.len = sizeof c->remote.u;
    c->fd = accept4(s->listener[i], &c->remote.u.sa, &c->remote.len, SOCK_CLOEXEC);
    int err = errno;
    if (s->blocking[i])
        sigs_shut();
    errno = err;
    return c->fd;
}

/* Errors of one connection that accept(2) passes on; all others are shortages, or will not pass by themselves. */
static bool is_one_clients(int err)
{
    return err == ECONNABORTED || err == EPROTO || err == EPERM || err == ENETDOWN || err == ENOPROTOOPT ||
           err == EHOSTDOWN || err == EHOSTUNREACH || err == ENETUNREACH || err == EOPNOTSUPP;
}

/* Accepts from a ready listener until there is nothing more. */
static void accept_all(struct serve *s, int i)
{
    while (may_accept(s)) {
        struct serve_conn c = {.fd = -1};
        if (accept_one(s, i, &c) >= 0) {
            s->accept_errors = 0;
            count_rate(s);
            welcome(s, &c);
            if (s->blocking[i]) /* poll(2) must say again that there is another */
                return;
            continue;
        }
        if (errno == EAGAIN || errno == EINTR)
            return;
        if (!is_one_clients(errno) || ++s->accept_errors == ACCEPT_ERRORS_MAX) {
            s->accept_errors = 0;
            pause_for_shortage(s, "accept");
            return;
        }
        msg_error(s->msg, "accept", NULL, errno);
    }
}

static void close_listeners(struct serve *s)
{
    for (int i = 0; i < s->listeners; i++)
        fd_close(&s->listener[i]);
    s->listeners = 0;
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
        reap_all(s);
    if (sigs_take(SIGHUP))
        s->kind->refresh(s->owner, true);
    if (sigs_take(SIGUSR1))
        say_status(s, true);
    int sig = sigs_take_ending();
    if (!sig)
        return;
    if (s->stop) { /* asked twice: no more patience */
        s->drain_until = 0;
        return;
    }
    s->stop = sig;
    s->drain_until = sig == SIGTERM && s->drain_set ? clock_in(s->drain) : 0;
    close_listeners(s);
    notify_stopping();
}

static void retry_held(struct serve *s)
{
    if (s->held.fd < 0 || (s->paused_until && clock_left(s->paused_until)))
        return;
    struct serve_conn c = s->held;
    s->held.fd = -1;
    start(s, &c);
}

static void say_late(const struct serve *s, const struct serve_conn *c)
{
    char mem[ADDR_TEXT_SIZE], action[64];
    struct buf client = BUF(mem), b = BUF(action);
    s->kind->client(c, &client);
    buf_fmt(&b, "read %s from", s->kind->preamble_name);
    msg_error(s->msg, buf_str(&b), buf_str(&client), ETIMEDOUT);
}

/* Those whose preamble came, is wrong, or is late. */
static void serve_waiting(struct serve *s, const struct pollfd *polls)
{
    size_t n = s->waiting_n, kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct serve_conn c = s->waiting[i];
        int ready = polls[i].revents && s->held.fd < 0 ? s->kind->preamble(s->owner, &c) : 0;
        if (ready == 0 && !clock_left(c.deadline)) {
            say_late(s, &c);
            ready = -1;
        }
        if (ready == 0) {
            s->waiting[kept++] = c;
            continue;
        }
        s->waiting_n--;
        if (ready > 0)
            take_on(s, &c);
        else
            drop(&c);
    }
}

/* The fds to sleep on: those that wait for a preamble, then the listeners if they are of interest. */
static nfds_t fill_polls(struct serve *s, nfds_t *listeners)
{
    size_t n = 0;
    for (size_t i = 0; i < s->waiting_n; i++)
        s->polls[n++] = (struct pollfd){.fd = s->waiting[i].fd, .events = POLLIN};
    *listeners = n;
    bool accept = may_accept(s);
    for (int i = 0; accept && i < s->listeners; i++)
        s->polls[n++] = (struct pollfd){.fd = s->listener[i], .events = POLLIN};
    return n;
}

static int64_t sleep_time(const struct serve *s)
{
    int64_t until = s->stop ? s->drain_until : CLOCK_NEVER;
    if (s->paused_until && (s->held.fd >= 0 || !s->stop))
        until = clock_first(until, s->paused_until);
    for (size_t i = 0; i < s->waiting_n; i++)
        until = clock_first(until, s->waiting[i].deadline);
    return clock_left(until);
}

static void one_round(struct serve *s)
{
    nfds_t first_listener, n = fill_polls(s, &first_listener);
    int ready = sigs_sleep(s->polls, n, sleep_time(s));
    if (ready < 0 && errno != EINTR) {
        pause_for_shortage(s, "poll");
        nanosleep(&(struct timespec){.tv_nsec = BACKOFF_MIN_MS * CLOCK_MS}, NULL);
    }
    if (ready <= 0)
        for (nfds_t i = 0; i < n; i++)
            s->polls[i].revents = 0;
    if (s->paused_until && !clock_left(s->paused_until))
        s->paused_until = 0;
    take_signals(s);
    retry_held(s);
    if (s->waiting_n)
        serve_waiting(s, s->polls);
    bool fresh = false;
    for (nfds_t i = first_listener; i < n && s->listeners; i++) {
        if (!s->polls[i].revents)
            continue;
        if (!fresh)
            s->kind->refresh(s->owner, false);
        fresh = true;
        accept_all(s, (int)(i - first_listener));
    }
}

/* Told to end, or done with --max, and nobody is left whom we'd wait for. */
static bool finished(const struct serve *s)
{
    if (s->stop)
        return !active(s) || !clock_left(s->drain_until);
    return s->max && s->accepted >= s->max && !active(s);
}

int serve_loop(struct serve *s)
{
    say_status(s, false);
    while (!finished(s)) {
        if (s->max && s->accepted >= s->max)
            close_listeners(s);
        one_round(s);
    }
    if (!s->stop)
        notify_stopping();
    close_listeners(s);
    if (s->drain_set && s->stop == SIGTERM && active(s)) {
        msg_error(s->msg, "drain: the time is over, ending the programs that still run", NULL, 0);
        terminate_children(s);
        return EXIT_DEADLINE;
    }
    return s->stop && s->stop != SIGTERM ? -s->stop : EXIT_DONE;
}
