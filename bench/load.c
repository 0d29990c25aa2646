/*
 * load - makes many connections to a server and checks every reply, byte for byte.
 *
 *     load [-n TOTAL] [-c CONCURRENT] [-s|-w] [-e TEXT] [-t SECS] ADDRESS
 *
 * ADDRESS is a port on 127.0.0.1, [::1]:PORT, the path of a Unix socket (with a slash) or @abstract. Each
 * connection sends a line of its own, half-closes and must get that line back and nothing else (the server
 * runs cat). With -e TEXT it sends nothing and must get TEXT. With -s all TOTAL connections are open before
 * the first sends anything; -c then bounds how many are being opened at a time. With -w each sends its line
 * as soon as it is open and must get it back, but none half-closes before all have, `held N` was said on
 * stdout and a line (or its end) was read from stdin: until then N programs run, for the connections say so.
 * Each has SECS (30) for being opened and as much again for its reply. Prints counts, rate and latencies on
 * one line; exits 0 if all replies were right, else 1.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum {
    TEXT_SIZE = 64,
    EVENTS = 256,
    COMPLAINTS = 5,          /* said on stderr, of all */
    SOURCES = 254,           /* 127.0.0.1 to 127.0.0.254, should the ports of one run out */
    SCAN = 50 * 1000 * 1000, /* look for those whose time is over, every so many ns */
};

enum state { FREE, CONNECTING, HELD, SENDING, READING };
enum outcome { RIGHT, WRONG, FAILED };

struct conn {
    enum state state;
    int fd;
    unsigned long number;
    size_t len, sent, got;
    int64_t start, deadline;
    char text[TEXT_SIZE];
};

struct load {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    unsigned long total, concurrent;
    bool hold, answered; /* -s or -w: none goes on before all are there; -w: and have their reply */
    char *expect;        /* -e, NULL: what was sent */
    size_t expect_len;
    int64_t timeout;

    int epoll;
    struct conn *conns;
    size_t slots, *free, frees;
    uint64_t seed;
    unsigned source;                   /* the client's address: 127.0.0.(source + 1) */
    unsigned long opened, held, ended; /* held: now */
    bool released;
    int64_t stuck_since; /* the next connection can't even be begun: since when */
    unsigned long count[3];
    int64_t *latency; /* of the right ones, ns */
};

static void complain(const struct load *l, const struct conn *c, const char *what, int err)
{
    if (l->count[WRONG] + l->count[FAILED] >= COMPLAINTS)
        return;
    fprintf(stderr, "load: request %lu: %s%s%s, %zu bytes of the reply read\n", c->number, what,
        err ? ": " : "", err ? strerror(err) : "", c->got);
}

static void end(struct load *l, struct conn *c, enum outcome outcome)
{
    if (c->state == HELD)
        l->held--;
    if (c->fd >= 0)
        close(c->fd);
    if (outcome == RIGHT)
        l->latency[l->count[RIGHT]] = tool_now() - c->start;
    l->count[outcome]++;
    l->ended++;
    c->state = FREE;
    l->free[l->frees++] = (size_t)(c - l->conns);
}

static void fail(struct load *l, struct conn *c, const char *what, int err)
{
    complain(l, c, what, err);
    end(l, c, FAILED);
}

static void wrong(struct load *l, struct conn *c, const char *what)
{
    complain(l, c, what, 0);
    end(l, c, WRONG);
}

static void watch(struct load *l, struct conn *c, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(l->epoll, op, c->fd, &e) < 0)
        tool_die(TOOL_SYSTEM, "load: epoll_ctl");
}

/* splitmix64: lines that no two connections share. */
static uint64_t scramble(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* ---- a connection's life ---- */

static void hold(struct load *l, struct conn *c)
{
    c->state = HELD;
    l->held++;
}

/* Reads all there is, comparing as it goes. */
static void read_reply(struct load *l, struct conn *c)
{
    const char *want = l->expect ? l->expect : c->text;
    size_t len = l->expect ? l->expect_len : c->len;
    for (;;) {
        char piece[4096];
        ssize_t n = recv(c->fd, piece, sizeof piece, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            fail(l, c, "read", errno);
            return;
        }
        if (n == 0 && c->state == HELD)
            wrong(l, c, "the server has not waited for the end");
        else if (n == 0 && c->got == len)
            end(l, c, RIGHT);
        else if (n == 0)
            wrong(l, c, "the reply is too short");
        else if ((size_t)n > len - c->got)
            wrong(l, c, "the reply is too long");
        else if (memcmp(want + c->got, piece, (size_t)n) != 0)
            wrong(l, c, "the reply is another text");
        else {
            c->got += (size_t)n;
            if (l->answered && c->got == len)
                hold(l, c);
            continue;
        }
        return;
    }
}

/* False: it has failed, and is no more. */
static bool half_close(struct load *l, struct conn *c)
{
    if (shutdown(c->fd, SHUT_WR) == 0 || errno == ENOTCONN)
        return true;
    fail(l, c, "shutdown", errno);
    return false;
}

static void send_rest(struct load *l, struct conn *c)
{
    ssize_t n = l->expect ? 0 : send(c->fd, c->text + c->sent, c->len - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        fail(l, c, "send", errno);
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (!l->expect && c->sent < c->len)
        return;
    if (!l->expect && !l->answered && !half_close(l, c))
        return;
    c->state = READING;
    watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
}

static void connected(struct load *l, struct conn *c)
{
    int err = 0;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){sizeof err}) < 0)
        err = errno;
    if (err) {
        fail(l, c, "connect", err);
        return;
    }
    if (l->hold && !l->answered) {
        hold(l, c);
        watch(l, c, EPOLL_CTL_DEL, 0);
        return;
    }
    c->state = SENDING;
    send_rest(l, c);
}

/* Says that all are there, and waits to be told to go on. */
static void wait_for_word(const struct load *l)
{
    char c = 0;
    if (printf("held %lu\n", l->held) < 0 || fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "load: write");
    while (c != '\n' && read(STDIN_FILENO, &c, 1) > 0)
        ;
}

/* All are there: now they send, or end what they have sent. */
static void release(struct load *l)
{
    l->released = true;
    if (l->answered)
        wait_for_word(l);
    for (size_t i = 0; i < l->slots; i++) {
        struct conn *c = &l->conns[i];
        if (c->state != HELD)
            continue;
        l->held--;
        c->state = l->answered ? READING : SENDING;
        c->start = tool_now();
        c->deadline = c->start + l->timeout;
        if (l->answered)
            half_close(l, c);
        else
            watch(l, c, EPOLL_CTL_ADD, EPOLLOUT);
    }
}

/* ---- opening ---- */

static void bind_source(const struct load *l, int fd)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + l->source)};
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        tool_die(TOOL_SYSTEM, "load: bind 127.0.0.%u", l->source + 1);
}

/* A socket that is connected or on its way; -1 with errno. */
static int begin_connect(struct load *l)
{
    for (;;) {
        int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -1;
        if (l->source && l->addr.ss_family == AF_INET)
            bind_source(l, fd);
        if (connect(fd, (struct sockaddr *)&l->addr, l->addr_len) == 0 || errno == EINPROGRESS)
            return fd;
        int err = errno;
        close(fd);
        errno = err;
        if (err != EADDRNOTAVAIL || l->addr.ss_family != AF_INET || l->source + 1 >= SOURCES)
            return -1;
        l->source++;
    }
}

/* What passes by itself: a full backlog of a Unix socket, no ports, no fds while others will be closed. */
static bool passes(const struct load *l, int err)
{
    return err == EAGAIN || err == EADDRNOTAVAIL || ((err == EMFILE || err == ENFILE) && !l->hold);
}

/* The next connection. False: it can't be begun now. */
static bool open_one(struct load *l)
{
    int64_t now = tool_now();
    int fd = begin_connect(l), err = errno;
    bool late = l->stuck_since && now - l->stuck_since >= l->timeout;
    if (fd < 0 && passes(l, err) && !late) {
        l->stuck_since = l->stuck_since ? l->stuck_since : now;
        return false;
    }
    struct conn *c = &l->conns[l->free[--l->frees]];
    *c = (struct conn){.state = CONNECTING, .fd = fd, .number = l->opened++};
    c->start = l->stuck_since ? l->stuck_since : now;
    c->deadline = now + l->timeout;
    l->stuck_since = 0;
    if (fd < 0) {
        fail(l, c, "connect", err);
        return true;
    }
    c->len = (size_t)snprintf(c->text, sizeof c->text, "request %lu %ld-%016llx\n", c->number, (long)getpid(),
        (unsigned long long)scramble(l->seed + c->number));
    watch(l, c, EPOLL_CTL_ADD, EPOLLOUT);
    return true;
}

static void open_more(struct load *l)
{
    while (l->opened < l->total && l->frees && (!l->hold || l->opened - l->held - l->ended < l->concurrent))
        if (!open_one(l))
            return;
}

/* ---- the loop ---- */

static void handle(struct load *l, struct conn *c)
{
    if (c->state == CONNECTING)
        connected(l, c);
    else if (c->state == SENDING)
        send_rest(l, c);
    else if (c->state == READING || c->state == HELD)
        read_reply(l, c);
}

static void end_late(struct load *l)
{
    int64_t now = tool_now();
    for (size_t i = 0; i < l->slots; i++) {
        struct conn *c = &l->conns[i];
        if (c->state != FREE && c->state != HELD && now >= c->deadline)
            fail(l, c, c->state == CONNECTING ? "connect" : "read", ETIMEDOUT);
    }
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    int64_t scanned = tool_now();
    while (l->ended < l->total) {
        open_more(l);
        if (l->hold && !l->released && l->opened == l->total && l->held + l->ended == l->total)
            release(l);
        int n = epoll_wait(l->epoll, events, EVENTS, l->stuck_since ? 1 : SCAN / 1000000);
        if (n < 0 && errno != EINTR)
            tool_die(TOOL_SYSTEM, "load: epoll_wait");
        for (int i = 0; i < n; i++)
            handle(l, events[i].data.ptr);
        if (tool_now() - scanned >= SCAN) {
            end_late(l);
            scanned = tool_now();
        }
    }
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int report(struct load *l, int64_t took)
{
    unsigned long n = l->count[RIGHT];
    qsort(l->latency, n, sizeof *l->latency, by_size);
    double seconds = (double)took / TOOL_SECOND;
    printf("ok=%lu wrong=%lu failed=%lu seconds=%.3f rate=%.0f p50_us=%lld p99_us=%lld max_us=%lld\n", n,
        l->count[WRONG], l->count[FAILED], seconds, seconds > 0 ? (double)n / seconds : 0.0,
        (long long)(n ? l->latency[n / 2] / 1000 : 0), (long long)(n ? l->latency[n * 99 / 100] / 1000 : 0),
        (long long)(n ? l->latency[n - 1] / 1000 : 0));
    return n == l->total && fflush(stdout) == 0 ? TOOL_OK : TOOL_NO;
}

/* ---- setting up ---- */

static void parse_unix(struct load *l, const char *text)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&l->addr;
    size_t len = strlen(text), head = offsetof(struct sockaddr_un, sun_path);
    if (len >= sizeof un->sun_path)
        tool_die(TOOL_USAGE, "load: '%s': longer than a socket's path can be", text);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text, len + 1);
    l->addr_len = (socklen_t)(head + len + (*text != '@'));
    if (*text == '@')
        un->sun_path[0] = '\0';
}

static void parse_address(struct load *l, const char *text)
{
    if (*text == '@' || strchr(text, '/')) {
        parse_unix(l, text);
    } else if (strncmp(text, "[::1]:", 6) == 0) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&l->addr;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
        in6->sin6_port = htons((uint16_t)tool_number(text + 6, 1, 65535));
        l->addr_len = sizeof *in6;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&l->addr;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        in->sin_port = htons((uint16_t)tool_number(text, 1, 65535));
        l->addr_len = sizeof *in;
    }
}

/* TEXT with \n, \r, \t and \\ understood. */
static void take_text(struct load *l, const char *text)
{
    static const char letters[] = "nrt\\", means[] = "\n\r\t\\";
    l->expect = malloc(strlen(text) + 1);
    if (!l->expect)
        tool_die(TOOL_SYSTEM, "load: malloc");
    for (l->expect_len = 0; *text; text++) {
        const char *letter = *text == '\\' && text[1] ? strchr(letters, text[1]) : NULL;
        l->expect[l->expect_len++] = letter ? means[letter - letters] : *text;
        text += letter != NULL;
    }
}

static void take_options(struct load *l, int argc, char **argv)
{
    int opt;
    while ((opt = getopt(argc, argv, "+n:c:swe:t:")) != -1)
        switch (opt) {
        case 'n':
            l->total = (unsigned long)tool_number(optarg, 1, 100000000);
            break;
        case 'c':
            l->concurrent = (unsigned long)tool_number(optarg, 1, 1000000);
            break;
        case 'w':
            l->answered = true;
            /* fall through */
        case 's':
            l->hold = true;
            break;
        case 'e':
            take_text(l, optarg);
            break;
        case 't':
            l->timeout = (int64_t)tool_number(optarg, 1, 86400) * TOOL_SECOND;
            break;
        default:
            optind = argc;
        }
    if (optind + 1 != argc)
        tool_die(TOOL_USAGE, "usage: load [-n TOTAL] [-c CONCURRENT] [-s|-w] [-e TEXT] [-t SECS] ADDRESS");
    parse_address(l, argv[optind]);
}

static void set_up(struct load *l)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    l->slots = l->hold || l->total < l->concurrent ? l->total : l->concurrent;
    l->conns = calloc(l->slots, sizeof *l->conns);
    l->free = calloc(l->slots, sizeof *l->free);
    l->latency = calloc(l->total, sizeof *l->latency);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l->conns || !l->free || !l->latency || l->epoll < 0)
        tool_die(TOOL_SYSTEM, "load: set up");
    for (size_t i = 0; i < l->slots; i++)
        l->free[l->frees++] = l->slots - 1 - i;
    if (getrandom(&l->seed, sizeof l->seed, 0) != sizeof l->seed)
        tool_die(TOOL_SYSTEM, "load: getrandom");
}

int main(int argc, char **argv)
{
    struct load l = {.total = 1000, .concurrent = 30, .timeout = 30 * TOOL_SECOND};
    take_options(&l, argc, argv);
    set_up(&l);
    int64_t start = tool_now();
    run(&l);
    int status = report(&l, tool_now() - start);
    close(l.epoll);
    free(l.conns);
    free(l.free);
    free(l.latency);
    free(l.expect);
    return status;
}
