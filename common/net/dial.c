/*
 * dial.c - see dial.h and lookup.h. An answer is used as soon as it is there, but IPv4 gives IPv6 50 ms;
 * attempts begin 250 ms after one another, or at once when one fails, families in turn; the first to connect
 * wins (RFC 8305, sections 3 to 5). While a lookup is open, the known addresses are tried again.
 */
#include "net/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/pollfor.h"
#include "net/lookup.h"
#include "process/sigs.h"

enum {
    RESOLUTION_DELAY_MS = 50,
    LOOKUP_MS = 1000, /* of a `patient` one */
    ATTEMPT_DELAY_MS = 250,
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 1000,
    ATTEMPTS = DIAL_POLLS - LOOKUPS, /* at a time: the oldest gives way */
};

enum { IPV6 = LOOKUP_IPV6, IPV4 = LOOKUP_IPV4 };

struct attempt {
    int fd;
    struct addr to;
};

struct race {
    const struct dial *dial;
    struct lookup lookup;
    int next[2]; /* of its list: the first of each family that has not been tried, or one before that */
    int turn;    /* which family is next */
    struct attempt attempt[ATTEMPTS];
    int attempts;
    int64_t next_start, ipv4_not_before;
    int64_t lookup_until;
    int64_t again_at, pause; /* the known addresses; 0: not yet */
    /* the failure to be reported: the last one */
    int err;
    struct addr failed;
    bool timed_out; /* it was cut short */
    bool is_blind;  /* poll(2) has failed: nothing can be waited for */
};

static const char *host_of(const struct dial *d)
{
    return !*d->host || !strcmp(d->host, "0") ? "127.0.0.1" : d->host;
}

/* The address as connect(2) gets it: the known one, which is where a confined process may connect to. */
static const struct sockaddr *as_known(const struct dial *d, const struct addr *to)
{
    for (int i = 0; d->known && i < DIAL_KNOWN; i++)
        if (d->known[i].len == to->len && !memcmp(&d->known[i].u, &to->u, to->len))
            return &d->known[i].u.sa;
    return &to->u.sa;
}

/* The family that the options leave, or AF_UNSPEC. */
static int family_of(const struct dial *d)
{
    return d->family != AF_UNSPEC ? d->family : addr_family(&d->local);
}

/* Takes what is known, or starts the lookup. */
static void look_up(struct race *r)
{
    const struct dial *d = r->dial;
    struct addr number;
    int family = family_of(d);
    lookup_init(&r->lookup, host_of(d), d->port, family);
    r->lookup_until = d->patient ? clock_in(LOOKUP_MS * CLOCK_MS) : d->deadline;
    if (d->local.len && family != addr_family(&d->local))
        ; /* nothing that has both the family asked for and that of -i */
    else if (d->known)
        lookup_know(&r->lookup, d->known, DIAL_KNOWN);
    else if (addr_parse_ip(&number, r->lookup.host, d->port))
        lookup_know(&r->lookup, &number, 1);
    else
        lookup_start(&r->lookup);
    r->err = r->lookup.err;
    if (!lookup_is_open(&r->lookup) && !r->err && !r->lookup.n)
        r->err = EAFNOSUPPORT;
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

/* The next address of a family to be tried, or NULL for now. */
static const struct addr *untried(struct race *r, int which)
{
    int *next = &r->next[which];
    *next = lookup_next(&r->lookup, which, *next);
    return *next < r->lookup.n ? &r->lookup.list[*next] : NULL;
}

/* Takes the next address to try, families in turn. NULL: none for now. */
static const struct addr *next_address(struct race *r)
{
    for (int i = 0; i < 2; i++) {
        int which = (r->turn + i) % 2;
        const struct addr *to = untried(r, which);
        if (!to || (which == IPV4 && lookup_is_open(&r->lookup) && clock_left(r->ipv4_not_before)))
            continue;
        r->turn = 1 - which;
        r->next[which]++;
        return to;
    }
    return NULL;
}

/*
 * When nothing is left to be done but to wait for a lookup: somebody may listen on what is known by now. True
 * if all of that is to be tried again.
 */
static bool try_again(struct race *r)
{
    if (!lookup_is_open(&r->lookup) || r->attempts || !r->lookup.n || untried(r, IPV6) || untried(r, IPV4)) {
        r->again_at = 0;
        return false;
    }
    bool over = r->again_at && !clock_left(r->again_at);
    if (over) {
        r->again_at = r->next[IPV6] = r->next[IPV4] = 0;
    } else if (!r->again_at) {
        r->pause = r->pause ? clock_first(r->pause * 2, RETRY_MAX_MS * CLOCK_MS) : RETRY_MIN_MS * CLOCK_MS;
        r->again_at = clock_in(r->pause);
    }
    return over;
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
    while (!r->attempts || !clock_left(r->next_start) || !clock_left(r->dial->deadline)) {
        const struct addr *to = next_address(r);
        if (!to && try_again(r))
            to = next_address(r);
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

static int64_t deadline_of(const struct race *r)
{
    return lookup_is_open(&r->lookup) ? r->lookup_until : r->dial->deadline;
}

/* When something is to be done even if no fd says so. */
static int64_t wake_at(struct race *r)
{
    int64_t until = clock_first(deadline_of(r), r->lookup.split_at);
    const struct addr *six = untried(r, IPV6), *four = untried(r, IPV4);
    if (r->attempts && (six || four))
        until = clock_first(until, r->next_start);
    if (!r->attempts && four)
        until = clock_first(until, r->ipv4_not_before);
    if (!r->attempts && r->again_at)
        until = clock_first(until, r->again_at);
    return until;
}

/* What to poll: the lookups, and behind them the attempts. How many. */
static nfds_t fill_polls(const struct race *r, struct pollfd polls[static DIAL_POLLS])
{
    lookup_polls(&r->lookup, polls);
    for (int i = 0; i < r->attempts; i++)
        polls[LOOKUPS + i] = (struct pollfd){.fd = r->attempt[i].fd, .events = POLLOUT};
    return LOOKUPS + (nfds_t)r->attempts;
}

/* Takes what lookups answer. */
static void take_answers(struct race *r)
{
    lookup_split(&r->lookup);
    for (int i = LOOKUPS - 1; i >= 0; i--)
        if (lookup_take(&r->lookup, i) && i == IPV4)
            r->ipv4_not_before = clock_in(RESOLUTION_DELAY_MS * CLOCK_MS);
    r->err = r->err ? r->err : r->lookup.err;
}

/* What has come by now. False: nothing. */
static bool look_now(struct race *r, struct pollfd polls[static DIAL_POLLS])
{
    int n = poll_for(polls, fill_polls(r, polls), 0);
    if (n < 0 && errno != EINTR) {
        r->is_blind = true;
        r->err = errno;
    }
    return n > 0;
}

/* Sleeps on both, and takes what lookups answer. False when nothing has come. */
static bool sleep_on(struct race *r, struct pollfd polls[static DIAL_POLLS])
{
    bool came = sigs_sleep(polls, fill_polls(r, polls), clock_left(wake_at(r))) > 0;
    if (!came) /* SIGCHLD of a lookup may have, and there may be no other round */
        came = look_now(r, polls);
    take_answers(r);
    return came;
}

/* Looks at the first n attempts, of which poll has spoken. The fd of one that is connected, or -1. */
static int finish_ready(struct race *r, const struct pollfd *polls, int n, struct addr *peer)
{
    int fd = -1;
    for (int i = n; i-- > 0 && fd < 0;)
        if (polls[LOOKUPS + i].revents)
            fd = finish_attempt(r, i, peer);
    return fd;
}

/* Whether nothing can come any more. */
static bool is_over(const struct race *r)
{
    return r->is_blind || (!r->attempts && !lookup_is_open(&r->lookup));
}

/* One round: a connected fd, or -1 with *over set when nothing can come any more. */
static int race_round(struct race *r, struct addr *peer, bool *over)
{
    struct pollfd polls[DIAL_POLLS];
    int fd = start_due(r, peer), attempts = r->attempts;
    if (fd >= 0)
        return fd;
    *over = is_over(r);
    bool came = !*over && sleep_on(r, polls);
    *over = *over || r->is_blind;
    if (!came)
        return -1;
    return finish_ready(r, polls, attempts, peer);
}

/* Ends a race that is late. */
static void cut_short(struct race *r)
{
    r->timed_out = true;
    if (!r->err && !r->lookup.error)
        r->err = ETIMEDOUT;
}

static void end_race(struct race *r)
{
    lookup_end(&r->lookup);
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
        int64_t deadline = deadline_of(r); /* a lookup's is not that of what it finds */
        fd = race_round(r, peer, &over);
        if (fd < 0 && !over && !clock_left(deadline)) {
            cut_short(r);
            over = true;
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
    bool name = !r->err && r->lookup.error;
    failure->why = name ? r->lookup.error : addr_reason(&r->failed, r->err ? r->err : EADDRNOTAVAIL);
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

struct dialing {
    struct race race;
};

struct dialing *dial_begin(const struct dial *d)
{
    struct dialing *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->race.dial = d;
    look_up(&g->race);
    return g;
}

nfds_t dial_polls(struct dialing *g, struct pollfd polls[static DIAL_POLLS], int64_t *until)
{
    *until = wake_at(&g->race);
    return fill_polls(&g->race, polls);
}

int dial_step(struct dialing *g, struct addr *peer, struct dial_failure *failure)
{
    struct pollfd polls[DIAL_POLLS];
    struct race *r = &g->race;
    int attempts = r->attempts;
    int64_t deadline = deadline_of(r);
    int fd = look_now(r, polls) ? finish_ready(r, polls, attempts, peer) : -1;
    take_answers(r);
    if (fd < 0)
        fd = start_due(r, peer);
    bool late = fd < 0 && !is_over(r) && !clock_left(deadline);
    if (late)
        cut_short(r);
    errno = fd < 0 && !late && !is_over(r) ? EINPROGRESS : ENOTCONN;
    if (fd < 0 && errno != EINPROGRESS)
        describe_failure(r->dial, r, failure);
    return fd;
}

void dial_stop(struct dialing *g)
{
    if (g)
        end_race(&g->race);
    free(g);
}

int dial_look_up(struct dial *d, struct addr *known, struct dial_failure *failure)
{
    struct race r = {.dial = d};
    struct pollfd polls[DIAL_POLLS];
    look_up(&r);
    r.again_at = clock_in(ATTEMPT_DELAY_MS * CLOCK_MS); /* from then on one family is enough */
    while (!r.is_blind && lookup_is_open(&r.lookup) && clock_left(deadline_of(&r)) &&
           (!r.lookup.n || r.again_at)) {
        sleep_on(&r, polls);
        r.ipv4_not_before = CLOCK_NEVER; /* nothing is begun here */
        if (!clock_left(r.again_at))
            r.again_at = 0;
    }
    if (!r.lookup.n && !r.err && !r.lookup.error)
        r.err = ETIMEDOUT;
    if (r.lookup.n > DIAL_KNOWN)
        r.lookup.error = "it has more addresses than --confine has room for";
    else if (r.lookup.n)
        memcpy(known, r.lookup.list, (size_t)r.lookup.n * sizeof *known);
    bool fits = r.lookup.n && r.lookup.n <= DIAL_KNOWN;
    if (!fits)
        describe_failure(d, &r, failure);
    end_race(&r);
    d->known = known;
    return fits ? 0 : -1;
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
