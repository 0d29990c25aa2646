/*
 * crowd - many clients at once, of four bad manners, at a server that echoes.
 *
 *     crowd -n CLIENTS -t SECONDS PORT
 *
 * Of four clients, one sends a byte now and then; one sends half a line and stalls, to the end; one resets
 * its connection with the reply unread; one half-closes at once. Whoever is done is replaced by the next of
 * its kind, for SECONDS; then the stalled ones close. What comes back must be what was sent, and nothing
 * else, and the end must follow a half-close. Prints how many of each kind came to their end, on one line;
 * exits 0 if nothing was wrong, else 1.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tool.h"

enum {
    EVENTS = 256,
    TEXT = 24,
    TICK_MS = 20,
    STEP_MS = 100,   /* a trickling client's next byte; a reset, that long after the line */
    PATIENCE_S = 60, /* for a reply */
    COMPLAINTS = 5,
    WAITING = 2000, /* so many may have no reply yet when the next one begins: the backlog is finite */
};

enum kind { TRICKLE, STALL, RESET, HALF, KINDS };
static const char *const kinds[] = {"trickled", "stalled", "reset", "half-closed"};

struct client {
    enum kind kind;
    int fd;
    bool closed; /* half */
    size_t sent, got;
    int64_t next, deadline;
    char text[TEXT + 1];
};

struct crowd {
    struct sockaddr_in to;
    int epoll;
    size_t n, open;
    struct client *clients;
    unsigned long number, ended[KINDS], wrong;
    int64_t until;
    bool over;
};

static void forget(struct crowd *w, struct client *c)
{
    close(c->fd);
    c->fd = -1;
    w->open--;
}

static void wrong(struct crowd *w, struct client *c, const char *what, int err)
{
    if (w->wrong++ < COMPLAINTS)
        fprintf(stderr, "crowd: %.*s, one that is to be %s: %s%s%s, after %zu of %zu bytes\n", TEXT - 1,
            c->text, kinds[c->kind], what, err ? ": " : "", err ? strerror(err) : "", c->got, c->sent);
    forget(w, c);
}

static void done(struct crowd *w, struct client *c)
{
    w->ended[c->kind]++;
    forget(w, c);
}

static void begin(struct crowd *w, struct client *c)
{
    const struct sockaddr *to = (const struct sockaddr *)&w->to;
    struct epoll_event e = {.events = c->kind == RESET ? 0 : EPOLLIN, .data.ptr = c};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
        tool_die(TOOL_SYSTEM, "crowd: socket");
    if (connect(c->fd, to, sizeof w->to) < 0 && errno != EINPROGRESS)
        tool_die(TOOL_SYSTEM, "crowd: connect");
    snprintf(c->text, sizeof c->text, "client %0*lu", TEXT - 8, w->number++);
    c->text[TEXT - 1] = '\n';
    c->closed = false;
    c->sent = c->got = 0;
    c->next = tool_now();
    c->deadline = c->next + PATIENCE_S * TOOL_SECOND;
    w->open++;
}

/* Sends up to `most` bytes behind what was sent. False: it is over. */
static bool put(struct crowd *w, struct client *c, size_t most)
{
    ssize_t n = send(c->fd, c->text + c->sent, most < TEXT - c->sent ? most : TEXT - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return true; /* it is not connected yet */
    if (n < 0)
        return wrong(w, c, "send", errno), false;
    c->sent += (size_t)n;
    return true;
}

static void half_close(struct crowd *w, struct client *c)
{
    if (shutdown(c->fd, SHUT_WR) < 0)
        wrong(w, c, "shutdown", errno);
    c->closed = true;
}

static void reset(struct crowd *w, struct client *c)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    done(w, c);
}

/* What a client does by itself. */
static void act(struct crowd *w, struct client *c, int64_t now)
{
    bool whole = c->sent == TEXT;
    if (now >= c->deadline && !(c->kind == STALL && c->got)) {
        wrong(w, c, "no reply in time", 0);
        return;
    }
    if (now < c->next)
        return;
    c->next = now + STEP_MS * (TOOL_SECOND / 1000);
    switch (c->kind) {
    case TRICKLE:
        if (!whole)
            put(w, c, 1);
        else if (!c->closed)
            half_close(w, c);
        break;
    case STALL:
        if (w->over && !c->closed && c->got == TEXT / 2)
            half_close(w, c);
        else if (c->sent < TEXT / 2)
            put(w, c, TEXT / 2 - c->sent);
        break;
    case RESET:
        if (whole)
            reset(w, c);
        else
            put(w, c, TEXT);
        break;
    default:
        if (!whole && !put(w, c, TEXT))
            return;
        if (c->sent == TEXT && !c->closed)
            half_close(w, c);
    }
}

static void listen_to(struct crowd *w, struct client *c)
{
    char reply[TEXT];
    if (c->kind == RESET)
        return; /* it reads nothing */
    ssize_t n = recv(c->fd, reply, sizeof reply, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0)
        wrong(w, c, "recv", errno);
    else if (n == 0 && (!c->closed || c->got < c->sent))
        wrong(w, c, "the end comes too early", 0);
    else if (n == 0)
        done(w, c);
    else if ((size_t)n > c->sent - c->got || memcmp(reply, c->text + c->got, (size_t)n) != 0)
        wrong(w, c, "a wrong reply", 0);
    else
        c->got += (size_t)n;
}

/* Lets each do what it has to do, and the next ones begin. */
static void tick(struct crowd *w, int64_t now)
{
    size_t waiting = 0;
    w->over = now >= w->until;
    for (size_t i = 0; i < w->n; i++) {
        struct client *c = &w->clients[i];
        if (c->fd < 0 && !w->over && waiting < WAITING)
            begin(w, c);
        if (c->fd >= 0)
            act(w, c, now);
        waiting += c->fd >= 0 && !c->got;
    }
}

static void run(struct crowd *w)
{
    struct epoll_event events[EVENTS];
    int64_t ticked = 0;
    do {
        int n = epoll_wait(w->epoll, events, EVENTS, TICK_MS);
        if (n < 0 && errno != EINTR)
            tool_die(TOOL_SYSTEM, "crowd: epoll_wait");
        for (int i = 0; i < n; i++)
            listen_to(w, events[i].data.ptr);
        int64_t now = tool_now();
        if (now - ticked < TICK_MS * (TOOL_SECOND / 1000))
            continue;
        ticked = now;
        tick(w, now);
    } while (w->open || !w->over);
}

int main(int argc, char **argv)
{
    struct crowd w = {.n = 5000, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct rlimit files;
    uint64_t seconds = 60;
    int opt;
    while ((opt = getopt(argc, argv, "n:t:")) != -1)
        if (opt == 'n')
            w.n = tool_number(optarg, KINDS, 100000);
        else if (opt == 't')
            seconds = tool_number(optarg, 1, 86400);
        else
            optind = argc;
    if (optind + 1 != argc)
        tool_die(TOOL_USAGE, "usage: crowd [-n CLIENTS] [-t SECONDS] PORT");
    w.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w.to.sin_port = htons((uint16_t)tool_number(argv[optind], 1, 65535));
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    w.clients = calloc(w.n, sizeof *w.clients);
    if (!w.clients || w.epoll < 0)
        tool_die(TOOL_SYSTEM, "crowd: set up");
    for (size_t i = 0; i < w.n; i++) {
        w.clients[i].kind = (enum kind)(i % KINDS);
        w.clients[i].fd = -1;
    }
    w.until = tool_now() + (int64_t)seconds * TOOL_SECOND;
    run(&w);
    for (int k = 0; k < KINDS; k++)
        printf("%s=%lu ", kinds[k], w.ended[k]);
    printf("wrong=%lu\n", w.wrong);
    free(w.clients);
    close(w.epoll);
    return w.wrong ? TOOL_NO : TOOL_OK;
}
