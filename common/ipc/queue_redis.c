/*
 * queue_redis.c - see queue.h, stream_queue.h: a stream on a Redis server.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ipc/stream_queue.h"
#include "process/sigs.h"
#include "redis/key.h"

enum { BATCH = 1000, BATCH_BYTES = 1 << 20, STOP_MS = 2000, FULL_MIN_MS = 5, FULL_MAX_MS = 200 };
static const size_t longest = 512u << 20; /* proto-max-bulk-len */
static const int64_t length_default = 30 * CLOCK_SECOND;

/* ---- asking ---- */

struct redis *stream_talker(struct queue *q)
{
    return q->claims->state == IDLE ? &q->claims->reader : &q->claims->talker;
}

nfds_t stream_polls(struct queue *q, struct redis *r, struct pollfd *polls, int64_t *ns)
{
    int64_t until = CLOCK_NEVER;
    nfds_t n = r ? redis_polls(r, polls, &until) : 0;
    *ns = clock_left(until);
    for (size_t i = 0; i < q->claims->n; i++)
        *ns = clock_first(*ns, kept_tend(&q->claims->list[i].kept));
    return n;
}

int stream_ask(struct queue *q, struct redis *r, int64_t deadline)
{
    struct pollfd polls[REDIS_POLLS];
    enum redis_outcome outcome;
    int64_t ns, stop = CLOCK_NEVER;
    redis_start(r, deadline);
    while ((outcome = redis_step(r)) == REDIS_UNDER_WAY && clock_left(stop)) {
        nfds_t n = stream_polls(q, r, polls, &ns);
        ns = clock_first(ns, clock_left(stop));
        if (!q->job)
            sigs_sleep_or_pause(polls, n, ns);
        else if (job_sleep(q->job, polls, n, ns), q->job->came && stop == CLOCK_NEVER)
            stop = clock_in(q->claims->known ? STOP_MS * CLOCK_MS : 0);
    }
    q->claims->failed = r;
    errno = EPROTO;
    return outcome == REDIS_ANSWERED ? 0 : -1;
}

/* It is none that a script of ours gives. -2, with EPROTO */
static int not_the_scripts(struct redis *r)
{
    redis_refuse(r, REDIS_NOT_THE_SCRIPTS);
    errno = EPROTO;
    return -2;
}

long long stream_ask_number(struct queue *q, struct redis *r, int64_t deadline)
{
    struct resp_value v;
    if (stream_ask(q, r, deadline) < 0)
        return -2;
    resp_next(&r->replies, &v);
    return v.type == RESP_INTEGER && v.number >= -1 ? v.number : not_the_scripts(r);
}

static int failed(struct queue *q, const char *what, int err)
{
    if (err != EPROTO)
        return msg_fatal(q->msg, EXIT_SYSTEM, what, q->word, err);
    return redis_failed(q->claims->failed);
}

int64_t stream_deadline(const struct queue *q)
{
    return q->timeout ? clock_in(q->timeout) : 0;
}

static int open_queue(struct queue *q)
{
    struct claims *c = q->claims = calloc(1, sizeof *q->claims);
    if (!c)
        return msg_fatal(q->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    struct buf dead = BUF(c->stream.dead);
    c->stream.name = redis_name(q->msg, q->word);
    c->stream.group = q->group ? q->group : "ipcbox";
    c->stream.length = q->length ? q->length : length_default;
    c->stream.tries = q->tries;
    if (q->dead_word) {
        buf_text(&dead, redis_name(q->msg, q->dead_word));
        buf_str(&dead);
    }
    stream_init(&c->stream, q->msg, q->type);
    if (strcmp(c->stream.key, c->stream.dead) == 0)
        msg_usage(q->msg, "--dead names the queue itself");
    redis_init(&c->reader, q->msg, &q->server);
    redis_init(&c->talker, q->msg, &q->server);
    c->reader.limit = longest + (longest >> 4);
    q->limit = longest;
    q->limit_of = "a Redis server accepts";
    return EXIT_DONE;
}

/* ---- sending ---- */

static ssize_t send_some(struct queue *q, const struct stream_text *texts, size_t n)
{
    struct claims *c = q->claims;
    char token[STREAM_TOKEN];
    size_t several = 0, bytes = 0;
    int64_t deadline = stream_deadline(q), pause = FULL_MIN_MS * CLOCK_MS;
    do
        bytes += texts[several++].n;
    while (several < n && several < BATCH && bytes + texts[several].n < BATCH_BYTES);
    stream_token(token, q->msg);
    for (;;) {
        stream_send(&c->reader, &c->stream, token, q->max, texts, several);
        long long sent = stream_ask_number(q, &c->reader, deadline);
        if (sent < -1)
            return -1; /* what could not be asked has its reason already */
        if (sent < 0 || sent > (long long)several)
            return not_the_scripts(&c->reader);
        if (sent)
            return (ssize_t)sent;
        errno = EAGAIN;
        if (!clock_left(deadline))
            return -1;
        sigs_sleep(NULL, 0, clock_first(pause, clock_left(deadline)));
        pause = clock_first(pause * 2, FULL_MAX_MS * CLOCK_MS);
    }
}

/* ---- msgdemo ---- */

static int fail_alone(struct queue *q, long long number, const char *what, const char *why)
{
    return number < -1 ? redis_failed(&q->claims->reader)
                       : msg_fatal_why(q->msg, EXIT_SYSTEM, what, q->word, why);
}

static int make(struct queue *q)
{
    struct claims *c = q->claims;
    stream_create(&c->reader, &c->stream);
    long long number = stream_ask_number(q, &c->reader, clock_in(STREAM_PATIENCE_MS * CLOCK_MS));
    if (number < 0)
        return fail_alone(q, number, "create", "");
    if (!number)
        msg_error_why(q->msg, "create", q->word, "it has that group already");
    return number ? EXIT_DONE : EXIT_NO;
}

static int stat_queue(struct queue *q, bool json)
{
    static const char *const names[] = {"length", "pending", "consumers", "groups"};
    struct claims *c = q->claims;
    struct sysv_report report;
    struct resp_value v;
    stream_state(&c->reader, &c->stream);
    if (stream_ask(q, &c->reader, clock_in(STREAM_PATIENCE_MS * CLOCK_MS)) < 0)
        return fail_alone(q, -2, "stat", "");
    resp_next(&c->reader.replies, &v);
    if (v.type != RESP_ARRAY)
        return fail_alone(q, 0, "stat", "no such stream");
    sysv_report_start(&report, json);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        resp_next(&c->reader.replies, &v);
        sysv_report_num(&report, names[i], (unsigned long long)v.number);
    }
    resp_next(&c->reader.replies, &v);
    sysv_report_time(&report, "oldest", (time_t)(v.number / 1000));
    return sysv_report_end(&report, q->msg);
}

static int remove_queue(struct queue *q)
{
    struct claims *c = q->claims;
    stream_remove(&c->reader, &c->stream);
    long long number = stream_ask_number(q, &c->reader, clock_in(STREAM_PATIENCE_MS * CLOCK_MS));
    if (number < 0)
        return fail_alone(q, number, "remove", "no such stream");
    queue_report_removed(q, (uint64_t)number);
    return EXIT_DONE;
}

static uint64_t count(struct queue *q)
{
    struct claims *c = q->claims;
    struct redis *r = stream_talker(q);
    struct resp_value v;
    stream_state(r, &c->stream);
    if (stream_ask(q, r, clock_in(STREAM_PATIENCE_MS * CLOCK_MS)) < 0)
        return 0;
    resp_next(&r->replies, &v);
    if (v.type == RESP_ARRAY)
        resp_next(&r->replies, &v);
    return v.type == RESP_INTEGER ? (uint64_t)v.number : 0;
}

const struct queue_kind queue_redis = {
    .is_stream = true,
    .open = open_queue,
    .send = send_some,
    .receive = claims_receive,
    .put_back = claims_put_back,
    .failed = failed,
    .count = count,
    .make = make,
    .stat = stat_queue,
    .remove = remove_queue,
    .hold = claims_hold,
    .finish = claims_finish,
    .begin = claims_begin,
    .end = claims_end,
    .start = claims_start,
    .settle = claims_settle,
    .polls = claims_polls,
};
