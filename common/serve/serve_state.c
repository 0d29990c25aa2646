/*
 * serve_state.c - see serve_loop.h: what a server counts, and how it pauses.
 */
#include "serve/serve_loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/status_page.h"

enum { BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 1000, PAGE_MS = 100 };

unsigned long serve_active(const struct serve *s)
{
    return s->children.used + s->waiting.n + (s->held.fd >= 0);
}

static unsigned long limit_of(const struct serve *s)
{
    return s->asked.limit == ULONG_MAX ? 1 : s->asked.limit; /* of --stream */
}

static void write_page(struct serve *s)
{
    char mem[STATUS_LINES_SIZE];
    struct buf lines = BUF(mem);
    const struct serve_counts *n = &s->page.shown;
    buf_fmt(&lines, "applet=%s\nactive=%lu\nlimit=%lu\n", s->msg->applet, n->active, limit_of(s));
    buf_fmt(&lines, "accepted=%lu\ndenied=%lu\nrefused=%lu\nfailed=%lu\n", n->accepted, n->denied, n->refused,
        n->failed);
    buf_fmt(&lines, "client_limit=%lu\nmax=%lu\n", s->asked.per_client, s->asked.max);
    buf_text(&lines, "listens=");
    buf_escaped(&lines, s->page.where, strlen(s->page.where));
    buf_char(&lines, '\n');
    status_page_write(s->page.fd, &lines);
}

int64_t serve_show_status(struct serve *s)
{
    const struct serve_counts now = {serve_active(s), s->accepted, s->denied, s->refused, s->failed};
    if (s->page.fd < 0 || (s->page.next_at && memcmp(&now, &s->page.shown, sizeof now) == 0))
        return CLOCK_NEVER;
    if (s->page.next_at && clock_left(s->page.next_at))
        return clock_left(s->page.next_at);
    s->page.shown = now;
    s->page.next_at = clock_in(PAGE_MS * CLOCK_MS);
    write_page(s);
    return CLOCK_NEVER;
}

void serve_say_status(const struct serve *s, bool asked)
{
    struct event e;
    if (!asked && (s->msg->level < MSG_VERBOSE || s->msg->json))
        return;
    unsigned long limit = limit_of(s);
    event_begin(&e, s->msg, "status");
    event_num(&e, "active", (long long)serve_active(s));
    event_num(&e, "limit", (long long)limit);
    event_text(&e, "status: %lu/%lu", serve_active(s), limit);
    if (s->kind->datagrams && asked)
        s->kind->datagrams->status(s->owner, &e);
    if (!s->kind->datagrams) {
        event_num(&e, "accepted", (long long)s->accepted);
        event_num(&e, "denied", (long long)s->denied);
        event_num(&e, "refused", (long long)s->refused);
    }
    if (!s->kind->datagrams && asked)
        event_text(&e, " accepted %lu denied %lu refused %lu", s->accepted, s->denied, s->refused);
    event_send(&e);
}

void serve_pause(struct serve *s, const char *action)
{
    if (!s->pause.is_said)
        msg_error(s->msg, action, "(will retry)", errno);
    s->pause.is_said = true;
    s->pause.backoff = s->pause.backoff ? s->pause.backoff * 2 : BACKOFF_MIN_MS * CLOCK_MS;
    if (s->pause.backoff > BACKOFF_MAX_MS * CLOCK_MS)
        s->pause.backoff = BACKOFF_MAX_MS * CLOCK_MS;
    s->pause.until = clock_in(s->pause.backoff);
}

void serve_forget_client(struct serve *s, const unsigned char *key)
{
    struct serve_client *client = table_find(&s->clients, key);
    if (client && --client->connections == 0)
        table_remove(&s->clients, client);
}

void serve_drop(struct serve_conn *c)
{
    free(c->preamble);
    c->preamble = NULL;
    fd_close(&c->fd);
}
