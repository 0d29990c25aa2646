/*
 * serve_state.c - see serve_loop.h: what a server counts, and how it pauses.
 */
#include "serve/serve_loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"

enum { BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 1000 };

unsigned long serve_active(const struct serve *s)
{
    return s->children.used + s->waiting.n + (s->held.fd >= 0);
}

void serve_say_status(const struct serve *s, bool asked)
{
    struct event e;
    if (!asked && (s->msg->level < MSG_VERBOSE || s->msg->json))
        return;
    unsigned long limit = s->asked.limit == ULONG_MAX ? 1 : s->asked.limit; /* of --stream */
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
