/*
 * listen.c - see listen.h.
 */
#include "net/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/udp.h"

enum { HOST_SECONDS = 60, PORT_TRIES = 16 };

static int bind_device(int fd, const char *iface)
{
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface, (socklen_t)strlen(iface));
}

/*
 * Binds and listens; says in l->action which call failed. Two UDP sockets with SO_REUSEADDR would share a
 * port, and one of them get nothing.
 */
static int bring_up(struct listen *l, int fd, struct addr *a, bool dual)
{
    const int on = 1, only6 = !dual;
    l->action = "setsockopt";
    if (l->type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    if (l->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return -1;
    if (addr_family(a) == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof only6) < 0)
        return -1;
    if (l->iface && bind_device(fd, l->iface) < 0)
        return -1;
    l->action = "bind";
    if (bind(fd, &a->u.sa, a->len) < 0)
        return -1;
    l->action = "listen";
    if (l->type == SOCK_STREAM && listen(fd, l->backlog) < 0)
        return -1;
    struct addr bound;
    l->action = "getsockname";
    if (addr_local(&bound, fd) < 0)
        return -1;
    addr_set_port(a, addr_port(&bound));
    return 0;
}

static int open_one(struct listen *l, struct addr *a, bool dual)
{
    l->action = "socket";
    int fd = socket(addr_family(a), l->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bring_up(l, fd, a, dual) < 0)
        fd_close(&fd);
    return fd;
}

static void close_all(struct listen *l)
{
    while (l->n)
        fd_close(&l->fds[--l->n]);
}

static int fail(struct listen *l, const struct addr *a)
{
    l->why = addr_reason(a, errno);
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
    int fd = open_one(l, &a, true);
    if (fd < 0 && !l->ipv4_only && is_absent(errno)) {
        addr_parse_ip(&a, "0.0.0.0", l->port);
        fd = open_one(l, &a, true);
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
        int fd = open_one(l, a, false);
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

static int fail_host(struct listen *l, const char *action, const char *why)
{
    struct buf b = BUF(l->object);
    l->action = action;
    l->why = why;
    buf_text(&b, l->host);
    buf_str(&b);
    return -1;
}

void listen_free(struct listen *l)
{
    free(l->fds);
    l->fds = NULL;
}

int listen_open(struct listen *l)
{
    struct resolved answer = {.n = 1};
    bool everywhere = !*l->host || !strcmp(l->host, "0");
    int family = l->ipv4_only ? AF_INET : AF_UNSPEC, done = 1;
    int64_t deadline = clock_in(HOST_SECONDS * CLOCK_SECOND);
    if (!everywhere && resolve_wait(l->host, l->port, family, deadline, &answer) < 0)
        return fail_host(l, "look up", resolve_reason(&answer));
    l->n = 0;
    l->fds = malloc((size_t)answer.n * sizeof *l->fds);
    if (!l->fds)
        done = fail_host(l, "malloc", strerror(errno));
    else if (everywhere)
        done = listen_everywhere(l);
    for (int tries = 0; done > 0 && tries < PORT_TRIES; tries++)
        done = listen_on(l, &answer);
    resolve_free(&answer);
    if (done)
        listen_free(l);
    return done ? -1 : 0;
}

int listen_set_keepalive(int fd, const int values[static 3])
{
    const int on = *values != 0;
    _Static_assert(
        TCP_KEEPINTVL == TCP_KEEPIDLE + 1 && TCP_KEEPCNT == TCP_KEEPIDLE + 2, "as they are counted");
    for (int i = 0; on && i < 3; i++)
        if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE + i, &values[i], sizeof *values) < 0)
            return -1;
    return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

bool listen_stop(int fd)
{
    /* `load byte FLAGS_AT; if SYN: drop, else: all of it`, in the words of linux/filter.h, which musl does
     * not bring; RFC 9293, 3.1 */
    enum { LOAD_BYTE = 0x30, JUMP_IF_SET = 0x45, RETURN = 0x06, FLAGS_AT = 13, SYN = 2 };
    static const struct {
        uint16_t code;
        uint8_t yes, no;
        uint32_t k;
    } no_syn[] = {
        {LOAD_BYTE, 0, 0, FLAGS_AT}, {JUMP_IF_SET, 0, 1, SYN}, {RETURN, 0, 0, 0}, {RETURN, 0, 0, UINT32_MAX}};
    struct {
        uint16_t n;
        const void *code;
    } filter = {sizeof no_syn / sizeof *no_syn, no_syn};
    int family = listen_family(fd), datagrams = udp_family(fd);
    if (family == AF_UNIX || datagrams == AF_UNIX) /* not by a filter: senders would never be refused again */
        shutdown(fd, SHUT_RD);
    if (datagrams == AF_INET || datagrams == AF_INET6) {
        filter.n = 1;
        filter.code = no_syn + 2; /* `drop` alone */
    } else if (family != AF_INET && family != AF_INET6) {
        return false;
    }
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 && datagrams < 0;
}

unsigned long listen_reset_queue(int fd)
{
    enum { QUEUE_MAX = 1 << 16 }; /* where listen_stop could not keep others out, they may come for ever */
    const struct linger reset = {.l_onoff = 1};
    unsigned long n = 0;
    for (int conn; n < QUEUE_MAX && (conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; n++) {
        setsockopt(conn, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        fd_close(&conn);
    }
    return n;
}

bool listen_say_last(int fd, const void *bytes, size_t n)
{
    enum { READS_MAX = 64 };
    char sink[4096];
    bool sent = !n || send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < READS_MAX && recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0; i++)
        ;
    return sent;
}

int listen_family(int fd)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof type;
    struct addr a;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return -1;
    len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
        return -1;
    a.len = sizeof a.u;
    return getsockname(fd, &a.u.sa, &a.len) < 0 ? -1 : a.u.sa.sa_family;
}
