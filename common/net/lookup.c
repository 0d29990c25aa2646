/*
 * lookup.c - see lookup.h.
 */
#include "net/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { SPLIT_MS = 50 };

void lookup_init(struct lookup *l, const char *host, uint16_t port, int family)
{
    *l = (struct lookup){.host = host, .port = port, .family = family, .split_at = CLOCK_NEVER};
    for (int i = 0; i < LOOKUPS; i++)
        l->of[i].fd = -1;
}

static void fail(struct lookup *l, int err)
{
    l->err = err;
    l->error = l->unclear = strerror(err);
}

void lookup_know(struct lookup *l, const struct addr *addrs, int n)
{
    struct addr *list = realloc(l->list, (size_t)(l->n + n + 1) * sizeof *list);
    if (!list) {
        fail(l, ENOMEM);
        return;
    }
    int known = l->n ? addr_family(list) : AF_UNSPEC;
    l->list = list;
    for (int i = 0; i < n && addrs[i].len; i++) {
        int its = addr_family(&addrs[i]);
        if (its != known && (l->family == AF_UNSPEC || its == l->family))
            list[l->n++] = addrs[i];
    }
}

static void start(struct lookup *l, int which, int family)
{
    if (resolve_start(&l->of[which], l->host, l->port, family) < 0)
        fail(l, errno);
}

void lookup_start(struct lookup *l)
{
    start(l, LOOKUP_BOTH, l->family);
    if (lookup_is_open(l) && l->family == AF_UNSPEC)
        l->split_at = clock_in(SPLIT_MS * CLOCK_MS);
}

bool lookup_is_open(const struct lookup *l)
{
    return l->of[LOOKUP_IPV6].fd >= 0 || l->of[LOOKUP_IPV4].fd >= 0 || l->of[LOOKUP_BOTH].fd >= 0;
}

void lookup_polls(const struct lookup *l, struct pollfd polls[static LOOKUPS])
{
    for (int i = 0; i < LOOKUPS; i++)
        polls[i] = (struct pollfd){.fd = l->of[i].fd, .events = POLLIN};
}

void lookup_split(struct lookup *l)
{
    if (clock_left(l->split_at))
        return;
    l->split_at = CLOCK_NEVER;
    start(l, LOOKUP_IPV6, AF_INET6);
    start(l, LOOKUP_IPV4, AF_INET);
}

/* The answer for both families is all there is to know, and so are those for each. */
bool lookup_take(struct lookup *l, int which)
{
    struct resolved answer;
    if (l->of[which].fd < 0 || !resolve_take(&l->of[which], &answer))
        return false;
    if (answer.error) {
        l->error = resolve_reason(&answer);
        if (answer.error != EAI_NONAME && answer.error != EAI_NODATA)
            l->unclear = l->error;
    } else {
        if (which == LOOKUP_BOTH)
            l->unclear = NULL;
        lookup_know(l, answer.addrs, answer.n);
    }
    resolve_free(&answer);
    if (which == LOOKUP_BOTH)
        l->split_at = CLOCK_NEVER;
    bool is_all =
        which == LOOKUP_BOTH ? !answer.error : l->of[LOOKUP_IPV6].fd < 0 && l->of[LOOKUP_IPV4].fd < 0;
    if (is_all)
        lookup_stop(l);
    return true;
}

int lookup_next(const struct lookup *l, int which, int from)
{
    while (from < l->n && (addr_family(&l->list[from]) == AF_INET) != (which == LOOKUP_IPV4))
        from++;
    return from;
}

void lookup_stop(struct lookup *l)
{
    for (int i = 0; i < LOOKUPS; i++)
        resolve_stop(&l->of[i]);
}

void lookup_end(struct lookup *l)
{
    lookup_stop(l);
    free(l->list);
    l->list = NULL;
    l->n = 0;
}
