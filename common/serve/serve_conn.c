/*
 * serve_conn.c - see serve_loop.h: what becomes of a connection before its program starts, and after it has
 * ended.
 */
#include "serve/serve_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listen.h"
#include "process/reap.h"

enum { MANY_CHILDREN = 500, REAP_MS = 50 };

/* Sends a last word, or none, so that what was sent before arrives as well, and hangs up. */
static void send_off(struct serve *s, struct serve_conn *c, const char *text)
{
    if (!s->kind->datagrams)
        listen_say_last(c->fd, text, text ? strlen(text) : 0);
    else if (text)
        s->kind->datagrams->say(s->owner, c, text);
    serve_drop(c);
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
    event_num(&e, "limit", (long long)s->asked.per_client);
    event_text(&e, "refuse %s: it already has %lu %s", mem, s->asked.per_client,
        s->kind->datagrams ? "programs" : "connections");
    event_send(&e);
}

static void say_end(const struct serve *s, pid_t pid, int status)
{
    struct event e;
    if (s->msg->level < MSG_VERBOSE)
        return;
    event_begin(&e, s->msg, "end");
    reap_tell(&e, pid, status);
    event_num(&e, "active", (long long)serve_active(s));
    event_text(&e, "end %d status %d", (int)pid, status);
    event_send(&e);
}

static void take_end(struct serve *s, pid_t pid, int status)
{
    struct serve_child *child = table_find(&s->children, &pid);
    if (!child) /* of no connection: unixserver's keeper, or one that we were started with */
        return;
    serve_forget_client(s, child->client);
    table_remove(&s->children, child);
    serve_start_is_over(s, pid);
    if (s->kind->datagrams)
        s->kind->datagrams->ended(s->owner, pid, status);
    say_end(s, pid, status);
    serve_say_status(s, false);
    if (s->pause.is_said)
        s->pause.until = 0; /* what it had is free again */
}

/* How many of those that were started last have ended. */
static int reap_recent(struct serve *s)
{
    int status, n = 0;
    for (int i = 0; i < SERVE_RECENT; i++) {
        pid_t pid = s->recent.pids[i];
        if (!pid || !reap_that(pid, &status))
            continue;
        s->recent.pids[i] = 0;
        take_end(s, pid, status);
        n++;
    }
    return n;
}

void serve_reap(struct serve *s)
{
    int status;
    pid_t pid;
    serve_look_at_starts(s);
    while ((pid = reap_next(&status, false)))
        take_end(s, pid, status);
    s->reap_at = 0;
}

void serve_reap_soon(struct serve *s)
{
    serve_look_at_starts(s);
    if (s->children.used <= MANY_CHILDREN || !reap_recent(s))
        serve_reap(s);
    else if (!s->reap_at)
        s->reap_at = clock_in(REAP_MS * CLOCK_MS);
}

void serve_admit(struct serve *s, struct serve_conn *c)
{
    free(c->preamble);
    c->preamble = NULL;
    if (s->asked.banner)
        send(c->fd, s->asked.banner, strlen(s->asked.banner), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!s->kind->admit(s->owner, c)) {
        s->denied++;
        send_off(s, c, NULL);
        return;
    }
    struct serve_client *client = table_add(&s->clients, c->key);
    if (client && s->asked.per_client && client->connections >= s->asked.per_client) {
        serve_reap(s); /* one of them may be gone by now */
        client = table_add(&s->clients, c->key);
    }
    if (!client) {
        msg_error(s->msg, "malloc", NULL, errno);
        s->failed++;
        serve_drop(c);
        return;
    }
    if (s->asked.per_client && client->connections >= s->asked.per_client) {
        s->refused++;
        say_refused(s, c);
        send_off(s, c, s->asked.per_client_message);
        return;
    }
    c->client_connections = ++client->connections;
    serve_start(s, c);
}

/* Puts a connection whose preamble is not there yet among those that wait for it. */
static int wait_for_preamble(struct serve *s, const struct serve_conn *c)
{
    if (s->waiting.n == s->waiting.room) {
        size_t room = s->waiting.room ? s->waiting.room * 2 : 16;
        struct pollfd *polls = realloc(s->polls, (room + (size_t)s->listeners) * sizeof *polls);
        if (polls)
            s->polls = polls;
        struct serve_conn *more = polls ? realloc(s->waiting.list, room * sizeof *more) : NULL;
        if (!more)
            return -1;
        s->waiting.list = more;
        s->waiting.room = room;
    }
    s->waiting.list[s->waiting.n++] = *c;
    return 0;
}

void serve_welcome(struct serve *s, struct serve_conn *c)
{
    s->accepted++;
    if (!s->kind->identify(s->owner, c)) {
        serve_drop(c);
        return;
    }
    int ready = s->kind->preamble ? s->kind->preamble(s->owner, c) : 1;
    c->deadline = clock_in(s->asked.preamble_time);
    if (ready > 0) {
        serve_admit(s, c);
    } else if (ready < 0) {
        serve_drop(c);
    } else if (wait_for_preamble(s, c) < 0) {
        msg_error(s->msg, "malloc", NULL, errno);
        serve_drop(c);
    }
}
