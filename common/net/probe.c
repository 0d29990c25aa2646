/*
 * probe.c - see probe.h.
 */
#include "net/probe.h"

#include <errno.h>

#include <netdb.h>
#include <stdio.h>
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
    char digits[4];
    bool is_in = false;
    snprintf(digits, sizeof digits, "%03d", status);
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

/* ---- one family ---- */

static enum probe_result say_no(struct probe *p, const char *why)
{
    p->why = why;
    return PROBE_NO;
}

static enum probe_result say_no_sys(struct probe *p)
{
    return say_no(p, strerror(errno));
}

/* The next attempt or lookup; limits are shared by the addresses, so that one that is silent hides no other.
 */
static void begin_attempt(struct probe_side *s)
{
    s->fd = -1;
    s->connected = false;
    s->sent = s->got = 0;
    s->until = clock_in(s->patience / (s->answer.n ? s->answer.n : 1));
}

/* A round begins. Its addresses are known, or are looked up. */
static enum probe_result begin_round(struct probe *p, struct probe_side *s)
{
    struct addr known = p->unix_socket;
    s->next = 0;
    if (known.len || addr_parse_target(&known, p->host, p->port))
        resolve_one(&s->answer, &known);
    else if (resolve_start(&s->lookup, p->host, p->port, s->family) < 0)
        return say_no_sys(p);
    begin_attempt(s);
    return PROBE_WAITS;
}

/* What the answer is worth, as far as it has come. */
static enum probe_result judge(struct probe *p, const struct probe_side *s)
{
    const char *reason;
    int status = http_status(s->line, s->got, &reason);
    if (status > 0 && probe_status(p->statuses, status))
        return PROBE_YES;
    snprintf(p->why_mem, sizeof p->why_mem, "the status is %d", status);
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
            return errno == EAGAIN ? PROBE_WAITS : say_no_sys(p);
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

/* connect(2) for the first time, or to see what has become of it. */
static enum probe_result attempt(struct probe *p, struct probe_side *s)
{
    const struct addr *to = &s->answer.addrs[s->next];
    if (s->fd < 0)
        s->fd = socket(addr_family(to), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    p->tried = true;
    if (s->fd < 0)
        return say_no_sys(p);
    if (!s->connected && connect(s->fd, &to->u.sa, to->len) < 0 && errno != EISCONN) {
        bool waits = errno == EINPROGRESS || errno == EALREADY || errno == EINTR;
        return waits ? PROBE_WAITS : say_no(p, addr_reason(to, errno));
    }
    if (!s->connected && !p->unix_socket.len && dial_is_own_end(s->fd))
        return say_no(p, strerror(ECONNREFUSED));
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
    errno = ETIMEDOUT;
    return say_no_sys(p);
}

static enum probe_result look_up(struct probe *p, struct probe_side *s)
{
    if (!resolve_take(&s->lookup, &s->answer))
        return PROBE_WAITS;
    begin_attempt(s);
    if (!s->answer.error)
        return PROBE_WAITS;
    return p->tried ? PROBE_NO : say_no(p, resolve_reason(&s->answer)); /* of a family that the host lacks */
}

/* A lookup, then all addresses. */
static enum probe_result go_on(struct probe *p, struct probe_side *s)
{
    enum probe_result result = PROBE_NO;
    if (s->lookup.fd >= 0) {
        result = give_up(p, s, look_up(p, s));
        if (result == PROBE_NO || s->lookup.fd >= 0)
            return result;
    }
    while (s->next < s->answer.n) {
        result = give_up(p, s, attempt(p, s));
        if (result != PROBE_NO)
            return result;
        fd_close(&s->fd);
        begin_attempt(s);
        s->next++;
    }
    return result;
}

static void end_round(struct probe_side *s)
{
    resolve_stop(&s->lookup);
    resolve_free(&s->answer);
    s->answer.n = 0;
    fd_close(&s->fd);
}

static enum probe_result step(struct probe *p, struct probe_side *s)
{
    enum probe_result result = PROBE_WAITS;
    bool is_idle = s->lookup.fd < 0 && s->next >= s->answer.n;
    if (is_idle && clock_left(s->until))
        return PROBE_WAITS;
    if (is_idle)
        result = begin_round(p, s);
    if (result == PROBE_WAITS)
        result = go_on(p, s);
    if (result != PROBE_WAITS) {
        end_round(s);
        s->failed = result == PROBE_NO;
        s->until = clock_in(s->pause);
        s->pause = clock_first(s->pause * 2, (p->request ? HTTP_PAUSE_MAX_MS : PAUSE_MAX_MS) * CLOCK_MS);
    }
    return result;
}

/* ---- both ---- */

void probe_begin(struct probe *p)
{
    struct addr number;
    p->why = strerror(ETIMEDOUT);
    for (size_t i = 0; i < 2; i++)
        p->side[i] = (struct probe_side){.lookup.fd = -1,
            .fd = -1,
            .family = i ? AF_INET : AF_INET6,
            .pause = PAUSE_MIN_MS * CLOCK_MS,
            .patience = PATIENCE_SECONDS * CLOCK_SECOND};
    /* what needs no lookup has one side */
    p->sides = p->unix_socket.len || addr_parse_target(&number, p->host, p->port) ? 1 : 2;
}

enum probe_result probe_step(struct probe *p)
{
    bool failed = true;
    for (size_t i = 0; i < p->sides; i++) {
        if (step(p, &p->side[i]) == PROBE_YES)
            return PROBE_YES;
        failed = failed && p->side[i].failed;
    }
    return failed ? PROBE_NO : PROBE_WAITS;
}

int64_t probe_polls(const struct probe *p, struct pollfd polls[static 2])
{
    int64_t until = CLOCK_NEVER;
    polls[1].fd = -1;
    for (size_t i = 0; i < p->sides; i++) {
        const struct probe_side *s = &p->side[i];
        bool reads = s->lookup.fd >= 0 || (s->connected && s->sent == p->request_len);
        polls[i] = (struct pollfd){
            .fd = s->lookup.fd >= 0 ? s->lookup.fd : s->fd, .events = reads ? POLLIN : POLLOUT};
        until = clock_first(until, s->until);
    }
    return until;
}

void probe_end(struct probe *p)
{
    for (size_t i = 0; i < p->sides; i++)
        end_round(&p->side[i]);
}
