/*
 * listen.c - see listen.h.
 */
#include "net/listen.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"

enum { HOST_SECONDS = 60, PORT_TRIES = 16 };

static void close_all(struct listen *l)
{
    while (l->n)
        fd_close(&l->fds[--l->n]);
}

static int fail(struct listen *l, const struct addr *a)
{
    l->why = strerror(errno);
    addr_text(a, l->object);
    close_all(l);
    return -1;
}

/* This host has no such address, or none of that family. */
static bool is_absent(int err)
{
    return err == EAFNOSUPPORT || err == EADDRNOTAVAIL;
}

/* All addresses of both families on one socket; IPv4 alone where there is no IPv6. */
static int listen_everywhere(struct listen *l)
{
    struct addr a;
    addr_parse_ip(&a, l->ipv4_only ? "0.0.0.0" : "::", l->port);
    int fd = addr_listen(&a, l->type, true, l->backlog, l->iface, &l->action);
    if (fd < 0 && !l->ipv4_only && is_absent(errno)) {
        addr_parse_ip(&a, "0.0.0.0", l->port);
        fd = addr_listen(&a, l->type, true, l->backlog, l->iface, &l->action);
    }
    if (fd < 0)
        return fail(l, &a);
    l->port = addr_port(&a);
    l->fds[l->n++] = fd;
    return 0;
}

/*
 * All addresses of the answer on one port; one that this host has not (::1 without IPv6) is left out as long
 * as there is another. 1: the port that the kernel chose for the first is taken on another.
 */
static int listen_on(struct listen *l, struct resolved *answer)
{
    uint16_t port = l->port;
    for (int i = 0; i < answer->n; i++) {
        struct addr *a = &answer->addrs[i];
        addr_set_port(a, port);
        int fd = addr_listen(a, l->type, false, l->backlog, l->iface, &l->action);
        if (fd < 0 && is_absent(errno) && (i + 1 < answer->n || l->n))
            continue;
        if (fd < 0) {
            int again = errno == EADDRINUSE && !l->port && l->n;
            fail(l, a);
            return again ? 1 : -1;
        }
        port = addr_port(a);
        l->fds[l->n++] = fd;
    }
    l->port = port;
    return 0;
}

int listen_open(struct listen *l)
{
    struct resolved answer;
    struct buf b = BUF(l->object);
    l->n = 0;
    if (!*l->host || !strcmp(l->host, "0"))
        return listen_everywhere(l);
    int family = l->ipv4_only ? AF_INET : AF_UNSPEC;
    if (resolve_wait(l->host, l->port, family, clock_in(HOST_SECONDS * CLOCK_SECOND), &answer) < 0) {
        l->action = "look up";
        l->why = resolve_reason(&answer);
        buf_text(&b, l->host);
        buf_str(&b);
        return -1;
    }
    int done = 1;
    for (int tries = 0; done > 0 && tries < PORT_TRIES; tries++)
        done = listen_on(l, &answer);
    return done ? -1 : 0;
}
