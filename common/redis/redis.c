/*
 * redis.c - see redis.h: one batch, from its first attempt to its outcome.
 */
#include "redis/redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/sigs.h"
#include "redis/verdict.h"

enum {
    PATIENCE_MS = 5000,
    PAUSE_MIN_MS = 50,
    PAUSE_MAX_MS = 1000,
    LIMIT = 1 << 20,
    READ_SIZE = 4096,
    SHOWN_MAX = 200, /* bytes of what a server says */
};

void redis_init(struct redis *r, const struct msg *m, const struct redis_server *s)
{
    *r = (struct redis){.msg = m,
        .server = s,
        .patience = PATIENCE_MS * CLOCK_MS,
        .limit = LIMIT,
        .fd = -1,
        .dial = {.host = s->host, .port = s->port}};
    if (s->user)
        redis_command(r, 3, "AUTH", s->user, s->password);
    else if (s->password)
        redis_command(r, 2, "AUTH", s->password);
    if (s->db) {
        redis_begin(r, 2);
        redis_text(r, "SELECT");
        redis_num(r, s->db);
    }
    r->greeting = r->out;
    r->greetings = r->commands;
    r->out = (struct redis_bytes){0};
    r->commands = 0;
}

void redis_drop(struct redis *r)
{
    dial_stop(r->dialing);
    r->dialing = NULL;
    fd_close(&r->fd);
}

void redis_end(struct redis *r)
{
    redis_drop(r);
    free(r->greeting.mem);
    free(r->out.mem);
    free(r->in.mem);
}

/* ---- outcomes ---- */

static bool conclude(struct redis *r, enum redis_outcome outcome)
{
    r->state = REDIS_IDLE;
    r->outcome = outcome;
    if (outcome != REDIS_ANSWERED)
        redis_drop(r);
    return false;
}

/* Notes what the matter is: bytes of the server's, and words of our own. */
static void note(struct redis *r, const char *bytes, size_t n, const char *words)
{
    struct buf b = BUF(r->trouble);
    buf_escaped(&b, bytes, n < SHOWN_MAX ? n : SHOWN_MAX);
    buf_text(&b, words);
    buf_str(&b);
}

static bool refuse(struct redis *r, const char *why)
{
    note(r, "", 0, why);
    return conclude(r, REDIS_REFUSED);
}

static void report_trouble(const struct redis *r)
{
    char mem[REDIS_TROUBLE + 32];
    struct buf why = BUF(mem);
    buf_fmt(&why, "%s; trying again", r->trouble);
    msg_error_why(r->msg, "ask", r->server->shown, buf_str(&why));
}

/* What was noted may pass: the batch is sent again after a pause, on a new connection. */
static bool try_again(struct redis *r, bool at_once)
{
    redis_drop(r);
    r->in.n = 0;
    r->replies = (struct resp_walk){0};
    if ((r->once && !at_once) || !clock_left(r->deadline))
        return conclude(r, REDIS_LATE);
    if (!r->pause && !at_once && !r->silent)
        report_trouble(r);
    if (!at_once)
        r->pause = r->pause ? clock_first(r->pause * 2, PAUSE_MAX_MS * CLOCK_MS) : PAUSE_MIN_MS * CLOCK_MS;
    r->again_at = clock_in(r->pause);
    r->state = REDIS_PAUSED;
    return true;
}

static bool failed_with(struct redis *r, int err)
{
    bool quick = r->reused;
    note(r, "", 0, err ? strerror(err) : "the server has closed the connection");
    r->reused = false;
    return try_again(r, quick); /* a server that has closed an idle connection is there all the same */
}

/* ---- one attempt ---- */

static bool begin_talk(struct redis *r, bool greet)
{
    r->state = greet ? REDIS_GREETING : REDIS_TALKING;
    r->sent = r->in.n = 0;
    resp_begin(&r->scan, greet ? r->greetings : r->commands);
    return true;
}

/* Nobody has asked for what is in there: it belongs to no batch. An end has been read as well. */
static bool is_usable(const struct redis *r)
{
    char c;
    return r->fd >= 0 && recv(r->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int connect_path(const struct redis *r)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct addr *to = &r->server->path;
    if (fd >= 0 && connect(fd, &to->u.sa, to->len) < 0)
        fd_close(&fd);
    return fd;
}

static bool connected(struct redis *r, int fd)
{
    r->fd = fd;
    r->connections++;
    return begin_talk(r, r->greetings > 0);
}

static bool begin_attempt(struct redis *r)
{
    r->attempt_until = clock_in(r->patience);
    if (!r->once)
        r->attempt_until = clock_first(r->attempt_until, r->deadline);
    if (r->out.failed || r->greeting.failed)
        return refuse(r, strerror(ENOMEM));
    if (is_usable(r))
        return begin_talk(r, false);
    redis_drop(r);
    r->reused = false;
    if (!*r->server->host) {
        int fd = connect_path(r);
        return fd >= 0 ? connected(r, fd) : failed_with(r, errno);
    }
    r->dial.deadline = r->attempt_until;
    r->dialing = dial_begin(&r->dial);
    r->state = REDIS_DIALING;
    return r->dialing ? true : refuse(r, strerror(ENOMEM));
}

static bool dial_on(struct redis *r)
{
    struct addr peer;
    struct dial_failure failure;
    int fd = dial_step(r->dialing, &peer, &failure);
    if (fd < 0 && errno == EINPROGRESS)
        return false;
    dial_stop(r->dialing);
    r->dialing = NULL;
    if (fd >= 0)
        return connected(r, fd);
    note(r, "", 0, failure.why);
    return try_again(r, false);
}

static const struct redis_bytes *to_send(const struct redis *r)
{
    return r->state == REDIS_GREETING ? &r->greeting : &r->out;
}

/* Sends what there is room for. False: the connection has failed. */
static bool send_some(struct redis *r)
{
    const struct redis_bytes *out = to_send(r);
    while (r->sent < out->n) {
        ssize_t n = send(r->fd, out->mem + r->sent, out->n - r->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EPIPE || errno == ECONNRESET; /* what it said may be there */
        r->sent += (size_t)n;
    }
    return true;
}

/* The verdict on replies that are whole: whether the first that is an error may pass, or none is. */
static bool judge(struct redis *r)
{
    struct resp_walk walk = {r->in.mem, r->in.mem + r->scan.at};
    struct resp_value v;
    if (r->state == REDIS_TALKING)
        r->replies = walk;
    for (; resp_next(&walk, &v); resp_skip(&walk, &v)) {
        const char *advice = "";
        if (v.type != RESP_ERROR)
            continue;
        bool may_pass = redis_may_pass(&v, &advice);
        note(r, v.bytes, v.len, advice);
        return may_pass ? try_again(r, false) : conclude(r, REDIS_REFUSED);
    }
    if (r->state == REDIS_GREETING)
        return begin_talk(r, false);
    *r->trouble = '\0';
    return conclude(r, REDIS_ANSWERED);
}

/* Takes what has come. True: the state has changed, or there may be more. */
static bool take_some(struct redis *r)
{
    if (!redis_room(&r->in, READ_SIZE))
        return refuse(r, strerror(ENOMEM));
    ssize_t n = fd_read(r->fd, r->in.mem + r->in.n, r->in.room - r->in.n);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        return failed_with(r, n < 0 ? errno : 0);
    r->in.n += (size_t)n;
    bool whole = resp_scan(&r->scan, r->in.mem, r->in.n, r->limit);
    if (whole && r->in.n > r->scan.at)
        return refuse(r, "it sends more than it was asked for");
    if (r->scan.wrong)
        return refuse(r, r->scan.wrong);
    if (!whole)
        return true;
    return judge(r);
}

static bool talk(struct redis *r)
{
    if (!send_some(r))
        return failed_with(r, errno);
    return take_some(r);
}

/* Does the next thing. False: there is none to be done now. */
static bool go_on(struct redis *r)
{
    static const char late[] = "no answer in time";
    bool asking = r->state == REDIS_GREETING || r->state == REDIS_TALKING;
    switch (r->state) {
    case REDIS_PAUSED:
        if (!clock_left(r->deadline) && !r->once)
            return conclude(r, REDIS_LATE);
        return clock_left(r->again_at) ? false : begin_attempt(r);
    case REDIS_DIALING:
        return dial_on(r);
    default:
        if (asking && talk(r))
            return true;
        if (r->state == REDIS_IDLE || !asking || clock_left(r->attempt_until))
            return false;
        note(r, "", 0, late);
        return try_again(r, false);
    }
}

/* ---- for callers ---- */

void redis_start(struct redis *r, int64_t deadline)
{
    r->once = !deadline;
    r->deadline = r->once ? CLOCK_NEVER : deadline;
    r->again_at = r->pause = 0;
    r->outcome = REDIS_UNDER_WAY;
    r->reused = r->fd >= 0;
    r->state = REDIS_PAUSED;
    *r->trouble = '\0';
}

enum redis_outcome redis_step(struct redis *r)
{
    while (go_on(r))
        ;
    return r->outcome;
}

void redis_refuse(struct redis *r, const char *why)
{
    refuse(r, why);
}

nfds_t redis_polls(struct redis *r, struct pollfd polls[static REDIS_POLLS], int64_t *until)
{
    bool asking = r->state == REDIS_GREETING || r->state == REDIS_TALKING;
    if (r->state == REDIS_DIALING)
        return dial_polls(r->dialing, polls, until);
    *until = asking ? r->attempt_until : clock_first(r->again_at, r->deadline);
    if (!asking)
        return 0;
    *polls = (struct pollfd){.fd = r->fd, .events = POLLIN};
    if (r->sent < to_send(r)->n)
        polls->events |= POLLOUT;
    return 1;
}

enum redis_outcome redis_call(struct redis *r, int64_t deadline)
{
    struct pollfd polls[REDIS_POLLS];
    enum redis_outcome outcome;
    int64_t until;
    redis_start(r, deadline);
    while ((outcome = redis_step(r)) == REDIS_UNDER_WAY) {
        nfds_t n = redis_polls(r, polls, &until);
        if (sigs_sleep_or_pause(polls, n, clock_left(until)) < 0 && sigs_ending_came()) {
            conclude(r, REDIS_STOPPED);
            return REDIS_STOPPED;
        }
    }
    return outcome;
}

int redis_failed(const struct redis *r)
{
    bool late = r->outcome == REDIS_LATE && !r->once;
    char mem[REDIS_TROUBLE + 64];
    struct buf why = BUF(mem);
    buf_text(&why, late ? "the deadline passed" : "");
    buf_text(&why, late && *r->trouble ? ": " : "");
    buf_text(&why, r->trouble);
    buf_str(&why);
    if (!late)
        return msg_fatal_why(r->msg, EXIT_SYSTEM, "ask", r->server->shown, mem);
    msg_error_why(r->msg, "ask", r->server->shown, mem);
    return EXIT_DEADLINE;
}
