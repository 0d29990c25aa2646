/*
 * lease_option.c - see lease.h: LEASE_OPTIONS.
 */
#include <signal.h>

#include "base/clock.h"
#include "redis/lease.h"

static const int64_t shortest = CLOCK_SECOND, longest = 86400 * CLOCK_SECOND, usual = 30 * CLOCK_SECOND;

int64_t lease_length(const struct opts *o)
{
    int64_t length = opts_duration(o);
    if (length < shortest || length > longest)
        opts_wrong(o, "expected 1s to 1d");
    return length;
}

void lease_option(struct lease_wish *w, int row, const struct opts *o)
{
    enum lease_row { LEASE_OPTIONS(OPT_ENUM) };
    switch ((enum lease_row)row) {
    case OPT_REDIS:
        w->server.url = o->arg;
        break;
    case OPT_REDIS_AUTH:
        w->server.auth = o->arg;
        break;
    case OPT_LEASE:
        w->length = lease_length(o);
        break;
    case OPT_LOST_SIGNAL:
        w->lost_signal = opts_signal(o);
        break;
    }
}

void lease_wish_check(struct lease_wish *w, const struct msg *m, const char *name, pid_t pid)
{
    const char *given = w->server.url    ? "--redis"
                        : w->server.auth ? "--redis-auth"
                        : w->length      ? "--lease"
                        : w->lost_signal ? "--lost-signal"
                                         : NULL;
    if (!name && given)
        msg_usage(m, "%s requires redis:NAME", given);
    if (w->lost_signal && !pid)
        msg_usage(m, "--lost-signal requires --for");
    w->length = w->length ? w->length : usual;
    w->lost_signal = w->lost_signal ? w->lost_signal : SIGTERM;
}
