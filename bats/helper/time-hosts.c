// time-hosts [-1tsv] [-p PORT] ADDRESS[-COUNT]=MANNER[,NUMBER]... - an RFC 868 server for each IPv4 address
// (for COUNT of them, from ADDRESS on), all on one port, which it prints. Over UDP; -t: over TCP; -s: SNTP
// over UDP. -v: `asked ADDRESS` on stderr for each query. NUMBER is mostly how many seconds later it is
// there.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 1100, FROM_1900_DAYS = 25567, SNTP = 48 };

struct host {
    struct sockaddr_in address;
    char text[INET_ADDRSTRLEN];
    char manner[16];
    double number;
    unsigned index, asked;
};

static struct host hosts[HOSTS];
static struct pollfd fds[HOSTS];
static int n, tcp, sntp, verbose;
static uint16_t port;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "time-hosts: %s: %s\n", what, strerror(errno));
    exit(111);
}

static int is(const struct host *h, const char *manner)
{
    return !strcmp(h->manner, manner);
}

static void put32(unsigned char *out, uint32_t value)
{
    value = htonl(value);
    memcpy(out, &value, 4);
}

// The seconds since 1900 and 2^-32 of them, so much later than now.
static void put_time(unsigned char out[8], double later)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double when = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + later;
    put32(out, (uint32_t)((int64_t)when + FROM_1900_DAYS * INT64_C(86400)));
    put32(out + 4, (uint32_t)((when - (double)(int64_t)when) * 4294967296.0));
}

static int bound(struct sockaddr_in a, int type)
{
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die(inet_ntoa(a.sin_addr));
    return fd;
}

// ---- UDP ----

// The same loss in each run, whatever the order of arrival.
static int is_lost(const struct host *h)
{
    uint64_t x = ((uint64_t)h->index << 32 | h->asked) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) % 100 < (uint64_t)h->number;
}

static void send_stray(
    const struct host *h, const char *from, const void *answer, size_t size, const struct sockaddr_in *to)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = h->address.sin_addr};
    if (from) {
        a.sin_addr.s_addr = inet_addr(from);
        a.sin_port = htons(port);
    }
    int fd = bound(a, SOCK_DGRAM);
    sendto(fd, answer, size, 0, (const struct sockaddr *)to, sizeof *to);
    close(fd);
}

// The answer of RFC 868; its size, or -1 for none.
static ssize_t udp_answer(const struct host *h, unsigned char *out)
{
    int is_first = h->asked == 1;
    if (is(h, "silent") || (is(h, "lossy") && is_lost(h)) || (is(h, "late") && is_first) ||
        (is(h, "only") && h->asked != (unsigned)h->number))
        return -1;
    if (is(h, "value"))
        put32(out, (uint32_t)h->number);
    else
        put_time(out, is(h, "lossy") || is(h, "only") ? 0 : h->number);
    if (is(h, "mended") && is_first)
        return 2;
    return is(h, "empty") ? 0 : is(h, "short") ? 3 : is(h, "long") ? 5 : is(h, "huge") ? 60004 : 4;
}

// A right answer of SNTP; what its manner names is something else. "earlier": the second question gets the
// answer to the first. Four capitals: a code of stratum 0, for NUMBER questions, or all.
static ssize_t sntp_answer(const struct host *h, const unsigned char *query, unsigned char *out)
{
    static const unsigned char head[] = {4 << 3 | 4, 2, 6, 0xec};
    static unsigned char first[SNTP];
    int has_code = strlen(h->manner) == 4 && isupper(h->manner[0]);
    double later = has_code ? 0 : h->number;
    memset(out, 0, SNTP);
    if (is(h, "earlier") && h->asked == 1)
        memcpy(first, query, SNTP);
    if (is(h, "silent") || (is(h, "earlier") && h->asked == 1))
        return -1;
    if (is(h, "earlier"))
        query = first;
    if (is(h, "echo")) {
        memcpy(out, query, SNTP);
        return SNTP;
    }
    memcpy(out, head, sizeof head);
    memcpy(out + 12, "TEST", 4);
    out[0] = is(h, "unsure") ? 3 << 6 | 4 << 3 | 4 : is(h, "symmetric") ? 4 << 3 | 1 : out[0];
    if ((has_code && (!h->number || h->asked <= h->number)) || is(h, "zero")) {
        out[0] = 3 << 6 | 4 << 3 | 4;
        out[1] = 0;
        memcpy(out + 12, has_code ? h->manner : "\0\0\0", 4);
    }
    if (!is(h, "forged"))
        memcpy(out + 24, query + 40, 8);
    put_time(out + 16, later);
    put_time(out + 32, later);
    if (!is(h, "timeless"))
        put_time(out + 40, later);
    return is(h, "short") ? 40 : SNTP;
}

static void serve_udp(int fd, struct host *h)
{
    static unsigned char query[65536], answer[65536];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    memset(query, 0, SNTP);
    memset(answer, 'x', sizeof answer);
    if (recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from, &length) < 0)
        return; // an ICMP error of what we have sent
    h->asked++;
    if (verbose)
        fprintf(stderr, "asked %s\n", h->text);
    ssize_t size = sntp ? sntp_answer(h, query, answer) : udp_answer(h, answer);
    if (size < 0)
        return;
    if (is(h, "port") || is(h, "other")) {
        send_stray(h, is(h, "other") ? "127.0.99.99" : NULL, answer, (size_t)size, &from);
        return;
    }
    for (int times = is(h, "twice") || is(h, "late") ? 2 : 1; times; times--)
        sendto(fd, answer, (size_t)size, 0, (struct sockaddr *)&from, length);
}

// ---- TCP ----

static void send_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        die("send");
}

// One by one, each in a packet of its own.
static void send_slowly(int fd, const unsigned char *octets)
{
    const struct timespec pause = {.tv_nsec = 30000000};
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (int i = 0; i < 4; i++, nanosleep(&pause, NULL))
        send_all(fd, octets + i, 1);
}

// Answers when so many are waiting.
static void answer_together(int fd, int wanted, const unsigned char *octets)
{
    static int waiting[HOSTS], count;
    waiting[count++] = fd;
    if (count < wanted)
        return;
    while (count) {
        send_all(waiting[--count], octets, 4);
        close(waiting[count]);
    }
}

static void serve_tcp(int listener, const struct host *h)
{
    static char block[65536];
    static const struct linger none = {.l_onoff = 1};
    unsigned char octets[8];
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    if (verbose)
        fprintf(stderr, "asked %s\n", h->text);
    put_time(octets, is(h, "together") ? 0 : h->number);
    if (is(h, "value"))
        put32(octets, (uint32_t)h->number);
    if (is(h, "together")) {
        answer_together(fd, (int)h->number, octets);
        return;
    }
    octets[4] = 'x';
    if (is(h, "slow"))
        send_slowly(fd, octets);
    else if (is(h, "reset"))
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    else if (is(h, "flood"))
        while (send(fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            ;
    else if (!is(h, "none") && !is(h, "silent"))
        send_all(fd, octets, is(h, "short") || is(h, "stuck") ? 3 : is(h, "long") ? 5 : 4);
    if (!is(h, "silent") && !is(h, "stuck") && !is(h, "open"))
        close(fd);
}

// ---- all of them ----

static void add_host(struct in_addr address, const char *manner)
{
    struct host *h = &hosts[n];
    if (n == HOSTS)
        exit(100);
    h->index = (unsigned)n;
    h->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = address, .sin_port = htons(port)};
    inet_ntop(AF_INET, &address, h->text, sizeof h->text);
    sscanf(manner, "%15[^,],%lf", h->manner, &h->number);
    int fd = bound(h->address, tcp ? SOCK_STREAM : SOCK_DGRAM);
    socklen_t length = sizeof h->address;
    if ((tcp && listen(fd, 1024) < 0) || getsockname(fd, (struct sockaddr *)&h->address, &length) < 0)
        die(h->text);
    port = ntohs(h->address.sin_port);
    fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void add_hosts(char *word)
{
    struct in_addr address;
    char *manner = strchr(word, '=');
    if (!manner)
        exit(100);
    *manner++ = 0;
    char *count = strchr(word, '-');
    int of_it = count ? atoi(count + 1) : 1;
    if (count)
        *count = 0;
    if (inet_pton(AF_INET, word, &address) != 1)
        exit(100);
    for (uint32_t first = ntohl(address.s_addr); of_it--; address.s_addr = htonl(++first))
        add_host(address, manner);
}

int main(int argc, char **argv)
{
    struct rlimit many;
    if (getrlimit(RLIMIT_NOFILE, &many) == 0) {
        many.rlim_cur = many.rlim_max;
        setrlimit(RLIMIT_NOFILE, &many);
    }
    for (int option; (option = getopt(argc, argv, "1tsvp:")) > 0;) {
        tcp = tcp || option == 't';
        sntp = sntp || option == 's';
        verbose = verbose || option == 'v';
        if (option == 'p')
            port = (uint16_t)atoi(optarg);
        if (option == '?')
            return 100;
    }
    for (char **word = argv + optind; *word; word++)
        add_hosts(*word);
    printf("%d\n", port);
    fclose(stdout);
    while (poll(fds, (nfds_t)n, -1) >= 0 || errno == EINTR)
        for (int i = 0; i < n; i++)
            if (fds[i].revents && tcp)
                serve_tcp(fds[i].fd, &hosts[i]);
            else if (fds[i].revents)
                serve_udp(fds[i].fd, &hosts[i]);
    die("poll");
}
