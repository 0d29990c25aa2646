/*
 * dial.c - see dial.h. Both families are looked up at once; an answer is used as soon as it is there, but
 * IPv4 gives IPv6 50 ms; attempts begin 250 ms after one another, or at once when one fails, families in
 * turn; the first to connect wins (RFC 8305, sections 3 to 5).
 */
#include "net/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/resolve.h"
#include "process/sigs.h"

enum {
    RESOLUTION_DELAY_MS = 50,
    ATTEMPT_DELAY_MS = 250,
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 1000,
    UNIX_RETRY_MIN_MS = 10,
    UNIX_RETRY_MAX_MS = 500,
    ATTEMPTS = 32, /* at a time: the oldest gives way */
};

/* The addresses of one family, and the look-up that brings them. */
struct side {
    struct resolve lookup;
    struct resolved answer;
    int next; /* the first that has not been tried */
};

struct attempt {
    int fd;
    struct addr to;
};

struct race {
    const struct dial *dial;
    struct side side[2]; /* IPv6, IPv4 */
    int turn;            /* which family is next */
    struct attempt attempt[ATTEMPTS];
    int attempts;
    int64_t next_start, ipv4_not_before;
    /* the failure to be reported: the last one */
    int err;
    const char *lookup_error;
    struct addr failed;
    bool timed_out; /* it was cut short */
};

static const int families[2] = {AF_INET6, AF_INET};

static bool local_fits(const struct dial *d, int family)
{
    return !d->local.len || addr_family(&d->local) == family;
}

static const char *host_of(const struct dial *d)
{
    return !*d->host || !strcmp(d->host, "0") ? "127.0.0.1" : d->host;
}

/* The addresses of a family that are known. 0, or -1 with errno. */
static int take_known(const struct dial *d, int family, struct resolved *answer)
{
    answer->addrs = calloc(DIAL_KNOWN, sizeof *answer->addrs);
    for (int i = 0; answer->addrs && i < DIAL_KNOWN && d->known[i].len; i++)
        if (addr_family(&d->known[i]) == family)
            answer->addrs[answer->n++] = d->known[i];
    return answer->addrs ? 0 : -1;
}

/* The address as connect(2) gets it: the known one, which is where a confined process may connect to. */
static const struct sockaddr *as_known(const struct dial *d, const struct addr *to)
{
    for (int i = 0; d->known && i < DIAL_KNOWN; i++)
        if (d->known[i].len == to->len && !memcmp(&d->known[i].u, &to->u, to->len))
            return &d->known[i].u.sa;
    return &to->u.sa;
}

/* Starts what look-ups are needed. */
static void look_up(struct race *r)
{
    const struct dial *d = r->dial;
    const char *host = host_of(d);
    struct addr numeric;
    bool is_number = addr_parse_ip(&numeric, host, d->port);
    for (int i = 0; i < 2; i++) {
        struct side *side = &r->side[i];
        side->lookup.fd = -1;
        if ((d->family != AF_UNSPEC && d->family != families[i]) || !local_fits(d, families[i]))
            continue;
        if (d->known) {
            r->err = take_known(d, families[i], &side->answer) < 0 ? ENOMEM : 0;
        } else if (is_number && addr_family(&numeric) == families[i]) {
            resolve_one(&side->answer, &numeric);
            r->err = side->answer.error ? ENOMEM : 0;
        } else if (!is_number && resolve_start(&side->lookup, host, d->port, families[i]) < 0) {
            r->err = errno;
        }
    }
    bool any = r->side[0].lookup.fd >= 0 || r->side[1].lookup.fd >= 0;
    if (!any && !r->err && !r->side[0].answer.n && !r->side[1].answer.n)
        r->err = EAFNOSUPPORT; /* -4, the address of -i and the host's don't go together */
}

static int begin_socket(const struct dial *d, const struct addr *to)
{
    int fd = socket(addr_family(to), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct addr local = d->local;
    const int on = 1;
    if (!local.len && d->local_port) {
        local = *to;
        memset(&local.u, 0, sizeof local.u);
        local.u.sa.sa_family = to->u.sa.sa_family;
    }
    addr_set_port(&local, d->local_port);
    if (local.len && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
                         bind(fd, &local.u.sa, local.len) < 0))
        fd_close(&fd);
    return fd;
}

/* connect(2) without waiting: 0 when connected, -1 with EINPROGRESS when under way. */
static int begin_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    int done;
    do
        done = connect(fd, to, len);
    while (done < 0 && errno == EINTR); /* the next call tells how far it is */
    if (done < 0 && errno == EALREADY)
        errno = EINPROGRESS;
    return done < 0 && errno == EISCONN ? 0 : done;
}

/* The next address to try, families in turn, or NULL for now. */
static const struct addr *next_address(struct race *r)
{
    for (int i = 0; i < 2; i++) {
        int which = (r->turn + i) % 2;
        struct side *side = &r->side[which];
        bool too_early = which == 1 && r->side[0].lookup.fd >= 0 && clock_left(r->ipv4_not_before);
        if (side->next >= side->answer.n || too_early)
            continue;
        r->turn = 1 - which;
        return &side->answer.addrs[side->next++];
    }
    return NULL;
}

/* Takes an attempt out of the list, which is in the order in which they began. */
static struct attempt take_attempt(struct race *r, int i)
{
    struct attempt a = r->attempt[i];
    r->attempts--;
    memmove(&r->attempt[i], &r->attempt[i + 1], (size_t)(r->attempts - i) * sizeof a);
    return a;
}

/* Starts attempts that are due. The fd of one that connected at once, or -1. */
static int start_due(struct race *r, struct addr *peer)
{
    while (!r->attempts || !clock_left(r->next_start)) {
        const struct addr *to = next_address(r);
        if (!to)
            return -1;
        if (r->attempts == ATTEMPTS) {
            int oldest = take_attempt(r, 0).fd;
            fd_close(&oldest);
            r->err = ETIMEDOUT;
        }
        int fd = begin_socket(r->dial, to);
        int done = fd < 0 ? -1 : begin_connect(fd, as_known(r->dial, to), to->len);
        if (done == 0) {
            *peer = *to;
            return fd;
        }
        if (fd < 0 || errno != EINPROGRESS) {
            r->err = errno;
            r->failed = *to;
            fd_close(&fd);
            continue;
        }
        r->attempt[r->attempts++] = (struct attempt){.fd = fd, .to = *to};
        r->next_start = clock_in(ATTEMPT_DELAY_MS * CLOCK_MS);
    }
    return -1;
}

bool dial_is_own_end(int fd)
{
    struct addr local, remote;
    unsigned char ours[ADDR_KEY_SIZE], theirs[ADDR_KEY_SIZE];
    if (addr_local(&local, fd) < 0 || addr_remote(&remote, fd) < 0 || addr_port(&local) != addr_port(&remote))
        return false;
    addr_key(&local, ours);
    addr_key(&remote, theirs);
    return memcmp(ours, theirs, sizeof ours) == 0;
}

/* Looks at an attempt that poll has spoken of. Its fd if it is connected; else it is over, and -1. */
static int finish_attempt(struct race *r, int i, struct addr *peer)
{
    struct attempt a = take_attempt(r, i);
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(a.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (!err && dial_is_own_end(a.fd))
        err = ECONNREFUSED;
    if (!err) {
        *peer = a.to;
        return a.fd;
    }
    r->err = err;
    r->failed = a.to;
    r->next_start = 0; /* no reason to wait with the next */
    fd_close(&a.fd);
    return -1;
}

static void take_answer(struct race *r, int which)
{
    struct side *side = &r->side[which];
    if (!resolve_take(&side->lookup, &side->answer))
        return;
    if (side->answer.error)
        r->lookup_error = resolve_reason(&side->answer);
    if (which == 1)
        r->ipv4_not_before = clock_in(RESOLUTION_DELAY_MS * CLOCK_MS);
}

/* When something is to be done even if no fd says so. */
static int64_t wake_at(const struct race *r)
{
    int64_t until = r->dial->deadline;
    bool six = r->side[0].next < r->side[0].answer.n, four = r->side[1].next < r->side[1].answer.n;
    if (r->attempts && (six || four))
        until = clock_first(until, r->next_start);
    if (!r->attempts && four)
        until = clock_first(until, r->ipv4_not_before);
    return until;
}

/* One round: a connected fd, or -1 with *over set when nothing can come any more. */
static int race_round(struct race *r, struct addr *peer, bool *over)
{
    struct pollfd polls[2 + ATTEMPTS];
    int fd = start_due(r, peer), attempts = r->attempts;
    nfds_t n = 2 + (nfds_t)attempts;
    if (fd >= 0)
        return fd;
    *over = !attempts && r->side[0].lookup.fd < 0 && r->side[1].lookup.fd < 0;
    for (int i = 0; i < 2; i++)
        polls[i] = (struct pollfd){.fd = r->side[i].lookup.fd, .events = POLLIN};
    for (int i = 0; i < attempts; i++)
        polls[2 + i] = (struct pollfd){.fd = r->attempt[i].fd, .events = POLLOUT};
    if (*over || sigs_sleep(polls, n, clock_left(wake_at(r))) <= 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (polls[i].fd >= 0 && polls[i].revents)
            take_answer(r, i);
    for (int i = attempts; i-- > 0;)
        if (polls[2 + i].revents && (fd = finish_attempt(r, i, peer)) >= 0)
            return fd;
    return -1;
}

static void end_race(struct race *r)
{
    for (int i = 0; i < 2; i++) {
        resolve_stop(&r->side[i].lookup);
        resolve_free(&r->side[i].answer);
    }
    while (r->attempts)
        fd_close(&r->attempt[--r->attempts].fd);
}

/* One race through all addresses. On -1 r says what was the matter. */
static int race_once(struct race *r, struct addr *peer)
{
    bool over = false;
    int fd = -1;
    look_up(r);
    while (fd < 0 && !over) {
        fd = race_round(r, peer, &over);
        if (fd < 0 && !over && !clock_left(r->dial->deadline)) {
            r->timed_out = over = true;
            if (!r->err && !r->lookup_error)
                r->err = ETIMEDOUT;
        }
    }
    end_race(r);
    return fd;
}

static void describe_failure(const struct dial *d, const struct race *r, struct dial_failure *failure)
{
    struct buf b = BUF(failure->object);
    char where[ADDR_TEXT_SIZE];
    buf_fmt(&b, "%s port %u", d->host, d->port);
    if (r->err != ETIMEDOUT && r->failed.len) {
        addr_text(&r->failed, where);
        buf_fmt(&b, " (%s)", where);
    }
    buf_str(&b);
    bool name = !r->err && r->lookup_error;
    failure->why = name ? r->lookup_error : addr_reason(&r->failed, r->err ? r->err : EADDRNOTAVAIL);
}

int dial_tcp(const struct dial *d, struct addr *peer, struct dial_failure *failure)
{
    int64_t pause = RETRY_MIN_MS * CLOCK_MS;
    struct race last = {.timed_out = true};
    for (;;) {
        struct race r = {.dial = d};
        int fd = race_once(&r, peer);
        if (fd >= 0)
            return fd;
        if (!r.timed_out || last.timed_out) /* a race that was run to its end tells more */
            last = r;
        bool hopeless = r.err == EAFNOSUPPORT && !r.failed.len;
        if (!d->retry || hopeless || !clock_left(d->deadline)) {
            describe_failure(d, &last, failure);
            return -1;
        }
        sigs_sleep(NULL, 0, clock_first(pause, clock_left(d->deadline)));
        pause = clock_first(pause * 2, RETRY_MAX_MS * CLOCK_MS);
    }
}

int dial_look_up(struct dial *d, struct addr *known, struct dial_failure *failure)
{
    struct race r = {.dial = d};
    struct resolved answer;
    if (resolve_wait(host_of(d), d->port, d->family, d->deadline, &answer) < 0) {
        r.err = answer.error ? 0 : errno;
        r.lookup_error = resolve_reason(&answer);
        describe_failure(d, &r, failure);
        return -1;
    }
    bool fits = answer.n <= DIAL_KNOWN;
    if (fits)
        memcpy(known, answer.addrs, (size_t)answer.n * sizeof *known);
    resolve_free(&answer);
    d->known = known;
    if (fits)
        return 0;
    r.lookup_error = "it has more addresses than --confine has room for";
    describe_failure(d, &r, failure);
    return -1;
}

int dial_send(int fd, const char *bytes, size_t n, int64_t deadline)
{
    while (n) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done < 0 && (errno != EAGAIN || sigs_wait(fd, POLLOUT, deadline) < 0))
            return -1;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* ---- Unix sockets ---- */

/* connect(2) waits for room in the backlog, as long as SO_SNDTIMEO lets it (unix(7), socket(7)). */
static int connect_unix(const struct addr *to, int64_t deadline)
{
    int64_t left = clock_left(deadline);
    /* 0 would be no limit; beyond what a timeval holds there is none */
    struct timeval limit = {
        .tv_sec = (time_t)(left / CLOCK_SECOND), .tv_usec = left % CLOCK_SECOND / 1000 + 1};
    if (limit.tv_usec > 999999)
        limit.tv_usec = 999999;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const struct timeval none = {0};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, &to->u.sa, to->len) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0)
        fd_close(&fd);
    return fd;
}

static bool may_pass(int err)
{
    return err == ENOENT || err == ECONNREFUSED || err == EAGAIN || err == EINTR;
}

int dial_unix(const struct addr *to, bool retry, int64_t deadline)
{
    int64_t pause = UNIX_RETRY_MIN_MS * CLOCK_MS;
    for (;;) {
        int fd = connect_unix(to, deadline);
        bool again = errno == EINTR || (retry && may_pass(errno));
        if (fd >= 0 || !again || !clock_left(deadline)) {
            if (fd < 0 && errno == EAGAIN) /* the backlog stayed full */
                errno = ETIMEDOUT;
            return fd;
        }
        int64_t left = clock_left(deadline);
        sigs_sleep(NULL, 0, clock_first(pause, left));
        pause = clock_first(pause * 2, UNIX_RETRY_MAX_MS * CLOCK_MS);
    }
}
