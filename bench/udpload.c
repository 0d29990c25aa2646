/*
 * udpload - sends many datagrams to a server that echoes them, and checks every answer, byte for byte.
 *
 *     udpload [-n TOTAL] [-c OUTSTANDING] [-t SECS] PORT
 *
 * PORT is of 127.0.0.1. At most OUTSTANDING (30) questions have no answer; one whose answer has not come
 * within SECS (1) is asked again, and counts as failed if no try of 5 is answered. Prints what `load` does.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "tool.h"

enum { TEXT_SIZE = 64, TRIES = 5, ROOM = 4 << 20 };

struct question {
    unsigned tries; /* 0: idle */
    unsigned long number;
    int64_t first, sent;
};

struct load {
    int fd;
    unsigned long total, asked, right, wrong, failed;
    size_t at_once;
    int64_t patience, *took;
    struct question *open;
};

static int text_of(const struct question *q, size_t slot, char text[static TEXT_SIZE])
{
    return snprintf(text, TEXT_SIZE, "%zu question %lu %ld\n", slot, q->number, (long)getpid());
}

static void ask(struct load *l, size_t slot)
{
    char text[TEXT_SIZE];
    struct question *q = &l->open[slot];
    int n = text_of(q, slot, text);
    q->sent = tool_now();
    q->first = q->tries++ ? q->first : q->sent;
    if (send(l->fd, text, (size_t)n, 0) < 0 && errno != ECONNREFUSED)
        tool_die(TOOL_SYSTEM, "udpload: send");
}

static void take(struct load *l)
{
    char got[TEXT_SIZE * 2], text[TEXT_SIZE];
    ssize_t n;
    while ((n = recv(l->fd, got, sizeof got - 1, MSG_DONTWAIT)) >= 0) {
        got[n] = '\0';
        size_t slot = strtoul(got, NULL, 10);
        struct question *q = slot < l->at_once ? &l->open[slot] : NULL;
        if (!q || !q->tries) {
            l->wrong += !q;
            continue; /* the answer to an earlier try */
        }
        if (n != text_of(q, slot, text) || memcmp(got, text, (size_t)n) != 0) {
            l->wrong += strncmp(strchr(got, ' ') ? strchr(got, ' ') : "", " question ", 10) != 0;
            continue;
        }
        l->took[l->right++] = tool_now() - q->first;
        q->tries = 0;
    }
}

static void ask_all(struct load *l)
{
    for (size_t i = 0; i < l->at_once; i++) {
        struct question *q = &l->open[i];
        if (q->tries && tool_now() - q->sent > l->patience) {
            if (q->tries == TRIES) {
                l->failed++;
                q->tries = 0;
            } else {
                ask(l, i);
            }
        }
        if (!q->tries && l->asked < l->total) {
            q->number = l->asked++;
            ask(l, i);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static long long microseconds(const struct load *l, unsigned long per_cent)
{
    return l->right ? l->took[(l->right - 1) * per_cent / 100] / 1000 : 0;
}

static void set_up(struct load *l, uint64_t port)
{
    const int room = ROOM;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->took = calloc(l->total, sizeof *l->took);
    l->open = calloc(l->at_once, sizeof *l->open);
    l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (!l->took || !l->open || l->fd < 0 || connect(l->fd, (struct sockaddr *)&a, sizeof a) < 0)
        tool_die(TOOL_SYSTEM, "udpload: connect");
    setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

int main(int argc, char **argv)
{
    struct load l = {.total = 1000, .at_once = 30, .patience = TOOL_SECOND};
    int opt;
    while ((opt = getopt(argc, argv, "+n:c:t:")) != -1)
        if (opt == 'n')
            l.total = (unsigned long)tool_number(optarg, 1, 100000000);
        else if (opt == 'c')
            l.at_once = (size_t)tool_number(optarg, 1, 10000);
        else if (opt == 't')
            l.patience = (int64_t)tool_number(optarg, 1, 1000) * TOOL_SECOND;
        else
            optind = argc;
    if (optind + 1 != argc)
        tool_die(TOOL_USAGE, "usage: udpload [-n TOTAL] [-c OUTSTANDING] [-t SECS] PORT");
    set_up(&l, tool_number(argv[optind], 1, 65535));
    int64_t start = tool_now();
    struct pollfd p = {.fd = l.fd, .events = POLLIN};
    while (l.right + l.failed < l.total) {
        ask_all(&l);
        poll(&p, 1, 100);
        take(&l);
    }
    double seconds = (double)(tool_now() - start) / TOOL_SECOND;
    qsort(l.took, l.right, sizeof *l.took, by_time);
    printf("ok=%lu wrong=%lu failed=%lu seconds=%.3f rate=%.0f p50_us=%lld p99_us=%lld max_us=%lld\n",
        l.right, l.wrong, l.failed, seconds, (double)l.right / seconds, microseconds(&l, 50),
        microseconds(&l, 99), microseconds(&l, 100));
    return fflush(stdout) != 0 || l.wrong || l.failed ? TOOL_NO : TOOL_OK;
}
