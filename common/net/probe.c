/*
 * probe.c - see probe.h.
 */
#include "net/probe.h"

#include <errno.h>

#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/dial.h"
#include "net/http.h"

enum { PATIENCE_SECONDS = 5, PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 50, HTTP_PAUSE_MAX_MS = 500 };

bool probe_loopback(uint16_t port)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    struct dial_failure failure;
    struct addr peer;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        const struct dial d = {.host = hosts[i], .port = port, .deadline = clock_in(CLOCK_SECOND)};
        int fd = dial_tcp(&d, &peer, &failure);
        if (fd >= 0) {
            fd_close(&fd);
            return true;
        }
    }
    return false;
}

bool probe_unix(const struct addr *a)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    int done = -1;
    errno = EPROTOTYPE;
    for (size_t i = 0; i < sizeof types / sizeof *types && done < 0 && errno == EPROTOTYPE; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        done = fd < 0 ? -1 : connect(fd, &a->u.sa, a->len);
        if (done < 0 && errno == EAGAIN)
            done = 0;
        fd_close(&fd);
    }
    return done == 0;
}

bool probe_status(const char *list, int status)
{
    const char digits[] = {
        (char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10)};
    bool is_in = false;
    for (;; list += 4) {
        bool fits = true;
        for (size_t i = 0; i < 3; i++) {
            bool any = i && list[i] == 'x';
            if (!any && (list[i] < (i ? '0' : '1') || list[i] > '9'))
                return false;
            fits = fits && (any || list[i] == digits[i]);
        }
        is_in = is_in || fits;
        if (!list[3])
            return is_in || !status;
        if (list[3] != ',')
            return false;
    }
}

/* ---- one attempt ---- */

bool probe_is_absence(int err)
{
    static const int errors[] = {
        ENOENT, ENOTDIR, ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, EHOSTDOWN};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (err == errors[i])
            return true;
    return false;
}

static enum probe_result say_no(struct probe *p, const char *why)
{
    p->why = why;
    p->refused = true;
    return PROBE_NO;
}

static enum probe_result say_err(struct probe *p, int err, const char *why)
{
    if (!probe_is_absence(err))
        p->unclear = why;
    return say_no(p, why);
}

/* What the answer is worth, as far as it has come. */
static enum probe_result judge(struct probe *p, const struct probe_side *s)
{
    const char *reason;
    int status = http_status(s->line, s->got, &reason);
    if (status > 0 && probe_status(p->statuses, status))
        return PROBE_YES;
    buf_fmt(&BUF(p->why_mem), "the status is %d", status);
    return say_no(p, status > 0 ? p->why_mem : "no HTTP response");
}

/* Asks for the status, once connected. All of the answer is read, or the server would see a reset. */
static enum probe_result ask(struct probe *p, struct probe_side *s)
{
    char rest[4096];
    bool in_line = s->got < sizeof s->line;
    while (s->sent < p->request_len) {
        ssize_t n = send(s->fd, p->request + s->sent, p->request_len - s->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? PROBE_WAITS : say_err(p, errno, strerror(errno));
        s->sent += (size_t)n;
    }
    ssize_t n = in_line ? recv(s->fd, s->line + s->got, sizeof s->line - s->got, 0)
                        : recv(s->fd, rest, sizeof rest, 0);
    if (n < 0 && errno == EAGAIN)
        return PROBE_WAITS;
    if (n <= 0)
        return judge(p, s);
    s->got += in_line ? (size_t)n : 0;
    if (in_line && s->got == sizeof s->line)
        s->until = clock_first(s->until, clock_in(CLOCK_SECOND));
    return PROBE_WAITS;
}

/*
 * A network that this machine is not in leaves the question to the other addresses, and so does IPv6 where it
 * is turned off. (Of IPv4, EADDRNOTAVAIL tells that all local ports are taken.)
 */
static bool is_foreign(const struct addr *to, int err)
{
    return err == ENETUNREACH || err == EAFNOSUPPORT || (err == EADDRNOTAVAIL && addr_family(to) == AF_INET6);
}

/* connect(2) for the first time, or to see what has become of it. */
static enum probe_result attempt(struct probe *p, struct probe_side *s)
{
    const struct addr *to = &p->lookup.list[s->next];
    if (s->fd < 0) {
        /* limits are shared by the addresses, so that one that is silent hides no other */
        s->until = clock_in(s->patience / p->lookup.n);
        s->sent = s->got = 0;
        s->connected = false;
        s->fd = socket(addr_family(to), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    p->tried = true;
    int done = s->fd < 0 ? -1 : s->connected ? 0 : connect(s->fd, &to->u.sa, to->len);
    int err = done < 0 && errno != EISCONN ? errno : 0;
    if (err == EINPROGRESS || err == EALREADY || err == EINTR)
        return PROBE_WAITS;
    if (!err && !s->connected && !p->unix_socket.len && dial_is_own_end(s->fd))
        err = ECONNREFUSED;
    if (err && is_foreign(to, err)) {
        p->why = strerror(err);
        return PROBE_NO;
    }
    if (err)
        return say_err(p, err, addr_reason(to, err));
    s->connected = true;
    return p->request ? ask(p, s) : PROBE_YES;
}

static enum probe_result give_up(struct probe *p, struct probe_side *s, enum probe_result result)
{
    if (result != PROBE_WAITS || clock_left(s->until))
        return result;
    if (s->got == sizeof s->line)
        return judge(p, s);
    s->patience *= 2;
    return say_no(p, strerror(ETIMEDOUT));
}

/* ---- a round ---- */

static int64_t after_pause(struct probe *p)
{
    int64_t until = clock_in(p->pause);
    p->pause = clock_first(p->pause * 2, (p->request ? HTTP_PAUSE_MAX_MS : PAUSE_MAX_MS) * CLOCK_MS);
    return until;
}

/* Tries the addresses of one family. PROBE_NO: all that are known have failed. */
static enum probe_result try_all(struct probe *p, int family)
{
    struct probe_side *s = &p->side[family];
    if (s->fd < 0 && s->next == p->lookup.n && lookup_is_open(&p->lookup) && !clock_left(s->until))
        s->next = 0;
    while ((s->next = lookup_next(&p->lookup, family, s->next)) < p->lookup.n) {
        enum probe_result result = give_up(p, s, attempt(p, s));
        if (result != PROBE_NO)
            return result;
        fd_close(&s->fd);
        if (lookup_next(&p->lookup, family, ++s->next) == p->lookup.n)
            s->until = after_pause(p);
    }
    return PROBE_NO;
}

static void begin_round(struct probe *p)
{
    struct addr known = p->unix_socket;
    p->in_round = true;
    p->tried = p->refused = false;
    p->unclear = NULL;
    p->side[0].next = p->side[1].next = 0;
    lookup_init(&p->lookup, p->host, p->port, AF_UNSPEC);
    if (known.len || addr_parse_target(&known, p->host, p->port))
        lookup_know(&p->lookup, &known, 1);
    else
        lookup_start(&p->lookup);
    p->until = clock_in(p->patience);
}

static void look_up(struct probe *p)
{
    lookup_split(&p->lookup);
    for (int i = 0; i < LOOKUPS; i++)
        lookup_take(&p->lookup, i);
    if (!lookup_is_open(&p->lookup) || clock_left(p->until))
        return;
    lookup_stop(&p->lookup);
    p->lookup.error = p->lookup.unclear = strerror(ETIMEDOUT);
    p->patience *= 2;
}

static enum probe_result end_round(struct probe *p, enum probe_result result)
{
    const struct lookup *l = &p->lookup;
    if (!p->tried && l->error)
        p->why = l->error;
    if (l->unclear)
        p->unclear = l->unclear;
    if (result == PROBE_NO && (p->unclear || (l->n && !p->refused)))
        result = PROBE_UNKNOWN;
    if (!p->unclear)
        p->unclear = p->why;
    probe_end(p);
    p->until = after_pause(p);
    return result;
}

void probe_begin(struct probe *p)
{
    p->why = strerror(ETIMEDOUT);
    p->pause = PAUSE_MIN_MS * CLOCK_MS;
    p->patience = PATIENCE_SECONDS * CLOCK_SECOND;
    lookup_init(&p->lookup, p->host, p->port, AF_UNSPEC);
    for (size_t i = 0; i < 2; i++)
        p->side[i] = (struct probe_side){.fd = -1, .patience = p->patience};
}

enum probe_result probe_step(struct probe *p)
{
    enum probe_result result = PROBE_NO;
    if (!p->in_round && clock_left(p->until))
        return PROBE_WAITS;
    if (!p->in_round)
        begin_round(p);
    look_up(p);
    for (int i = 0; i < 2 && result != PROBE_YES; i++) {
        enum probe_result one = try_all(p, i);
        result = one == PROBE_NO ? result : one;
    }
    if (result == PROBE_NO && lookup_is_open(&p->lookup))
        return PROBE_WAITS;
    return result == PROBE_WAITS ? result : end_round(p, result);
}

int64_t probe_polls(const struct probe *p, struct pollfd polls[static PROBE_POLLS])
{
    bool open = lookup_is_open(&p->lookup);
    int64_t until = clock_first(p->lookup.split_at, open || !p->in_round ? p->until : CLOCK_NEVER);
    lookup_polls(&p->lookup, polls);
    for (int i = 0; i < 2; i++) {
        const struct probe_side *s = &p->side[i];
        bool reads = s->connected && s->sent == p->request_len;
        polls[LOOKUPS + i] = (struct pollfd){.fd = s->fd, .events = reads ? POLLIN : POLLOUT};
        if (s->fd >= 0 || (open && lookup_next(&p->lookup, i, 0) < p->lookup.n))
            until = clock_first(until, s->until);
    }
    return until;
}

void probe_end(struct probe *p)
{
    p->in_round = false;
    lookup_end(&p->lookup);
    for (size_t i = 0; i < 2; i++)
        fd_close(&p->side[i].fd);
}
