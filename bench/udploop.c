/*
 * udploop - the limit for udptime: questions and answers of the Time Protocol (RFC 868) in turn, in one loop.
 *
 *     udploop [-b] PORT ADDRESS...
 *
 * Asks each of the IPv4 addresses once, takes what answers are there after each question, and then waits for
 * the rest; prints what udptime does. With -b both go in batches, of one system call each.
 *
 * An answer counts when its address was asked. There are no names, no second address, no other protocol.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tool.h"

enum { BATCH = 64, ROOM = 4 << 20, PATIENCE_MS = 2000, TABLE = 1 << 16 };

static const uint32_t EPOCH = 2208988800U; /* from 1900 to 1970 */

struct loop {
    int fd;
    char **names; /* of the hosts, from 1 on */
    size_t n, pending;
    struct sockaddr_in *to;
    bool *told;
    uint32_t host_of[TABLE]; /* by the low 16 bits of its address; 0: none */
    struct mmsghdr heads[BATCH];
    struct iovec v[BATCH];
    struct sockaddr_in from[BATCH];
    uint32_t data[BATCH];
};

static void set_up(struct loop *l, int n, char **names, in_port_t port)
{
    const int room = ROOM;
    l->names = names - 1;
    l->n = l->pending = (size_t)n;
    l->to = calloc(l->n + 1, sizeof *l->to);
    l->told = calloc(l->n + 1, sizeof *l->told);
    l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!l->to || !l->told || l->fd < 0)
        tool_die(TOOL_SYSTEM, "udploop: socket");
    if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    for (uint32_t i = 1; i <= l->n; i++) {
        l->to[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        if (inet_pton(AF_INET, l->names[i], &l->to[i].sin_addr) != 1)
            tool_die(TOOL_USAGE, "udploop: '%s' is no address", l->names[i]);
        l->host_of[ntohl(l->to[i].sin_addr.s_addr) & (TABLE - 1)] = i;
    }
}

/* The answer number i of a batch. */
static void tell(struct loop *l, size_t i)
{
    size_t h = l->host_of[ntohl(l->from[i].sin_addr.s_addr) & (TABLE - 1)];
    if (l->heads[i].msg_len != sizeof l->data[i] || !h || l->told[h] ||
        memcmp(&l->from[i], &l->to[h], sizeof l->from[i]) != 0)
        return;
    char date[32];
    time_t here = time(NULL), there = (time_t)(ntohl(l->data[i]) - EPOCH);
    struct tm broken;
    localtime_r(&there, &broken);
    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &broken);
    printf("%-12s %8lld %s\n", l->names[h], (long long)(there - here), date);
    l->told[h] = true;
    l->pending--;
}

/* All that have come, up to `most` with each call. */
static void take(struct loop *l, unsigned most)
{
    int got;
    do {
        for (size_t i = 0; i < most; i++) {
            l->v[i] = (struct iovec){.iov_base = &l->data[i], .iov_len = sizeof l->data[i]};
            l->heads[i].msg_hdr = (struct msghdr){.msg_name = &l->from[i],
                .msg_namelen = sizeof l->from[i],
                .msg_iov = &l->v[i],
                .msg_iovlen = 1};
        }
        got = recvmmsg(l->fd, l->heads, most, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++)
            tell(l, (size_t)i);
    } while (got == (int)most);
}

static void ask(struct loop *l, const size_t *hosts, unsigned n)
{
    if (n == 1) {
        if (sendto(l->fd, "", 0, 0, (struct sockaddr *)&l->to[*hosts], sizeof *l->to) < 0)
            tool_die(TOOL_SYSTEM, "udploop: send to %s", l->names[*hosts]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        l->heads[i].msg_hdr = (struct msghdr){.msg_name = &l->to[hosts[i]], .msg_namelen = sizeof *l->to};
    for (int done = 0, sent; done < (int)n; done += sent)
        if ((sent = sendmmsg(l->fd, l->heads + done, n - (unsigned)done, 0)) < 0)
            tool_die(TOOL_SYSTEM, "udploop: sendmmsg");
}

static void ask_all(struct loop *l, unsigned batch)
{
    size_t hosts[BATCH];
    unsigned n = 0;
    for (size_t i = 1; i <= l->n; i++) {
        hosts[n++] = i;
        if (n == batch || i == l->n) {
            ask(l, hosts, n);
            take(l, batch);
            n = 0;
        }
    }
}

int main(int argc, char **argv)
{
    static struct loop l;
    unsigned batch = argc > 1 && strcmp(argv[1], "-b") == 0 ? BATCH : 1;
    argv += 1 + (batch > 1);
    argc -= 1 + (batch > 1);
    if (argc < 2)
        tool_die(TOOL_USAGE, "usage: udploop [-b] PORT ADDRESS...");
    set_up(&l, argc - 1, argv + 1, (in_port_t)tool_number(*argv, 1, 65535));
    struct pollfd p = {.fd = l.fd, .events = POLLIN};
    ask_all(&l, batch);
    while (l.pending && fflush(stdout) == 0 && poll(&p, 1, PATIENCE_MS) > 0)
        take(&l, batch);
    return l.pending || fflush(stdout) != 0 ? TOOL_NO : TOOL_OK;
}
