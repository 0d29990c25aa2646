/*
 * queue_claims.c - see stream_queue.h: messages that we are given, and what becomes of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/stream_queue.h"
#include "redis/facts.h"

enum { PART_MS = 2000 }; /* a server that hangs keeps us no longer from exiting */

/* ---- claims ---- */

static struct claim *claim_of(const struct queue *q, const struct message *m)
{
    for (size_t i = 0; i < q->claims->n; i++)
        if (q->claims->list[i].m == m)
            return &q->claims->list[i];
    return NULL;
}

static void forget(const struct queue *q, const struct message *m)
{
    struct claim *claim = claim_of(q, m);
    if (claim)
        claim->m = NULL;
}

int claims_begin(struct queue *q, size_t n)
{
    struct claims *c = q->claims;
    struct redis_facts facts;
    c->list = calloc(n, sizeof *c->list);
    c->ids = calloc(n, sizeof *c->ids);
    if (!c->list || !c->ids)
        return msg_fatal(q->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    for (; c->n < n; c->n++) {
        c->list[c->n].stream = &c->stream;
        redis_init(&c->list[c->n].redis, q->msg, &q->server);
    }
    redis_batch(&c->reader);
    redis_ask_facts(&c->reader);
    if (stream_ask(q, &c->reader, stream_deadline(q)) < 0 || !redis_take_facts(&c->reader, &facts))
        return q->job->came ? EXIT_SYSTEM : redis_failed(&c->reader);
    c->known = true;
    if (facts.evicts)
        msg_error_why(q->msg, "use", q->server.shown,
            "short of memory, it removes keys, and queues with them: set maxmemory-policy to noeviction");
    return EXIT_DONE;
}

void claims_end(struct queue *q)
{
    struct claims *c = q->claims;
    if (c->state != IDLE)
        redis_drop(&c->reader);
    c->state = IDLE;
    c->reader.silent = true;
    stream_part(&c->reader, &c->stream, true);
    if (c->known)
        stream_ask(q, &c->reader, clock_in(PART_MS * CLOCK_MS));
    c->known = false;
    redis_drop(&c->reader);
}

/* ---- taking ---- */

static void begin_take(struct queue *q, bool waits)
{
    struct claims *c = q->claims;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->list[i].m)
            c->ids[n++] = c->list[i].m->id;
    c->state = TAKING;
    c->sent = lease_now();
    stream_take(&c->reader, &c->stream, c->ids, n);
    redis_start(&c->reader, waits ? q->deadline : 0);
}

static void begin_wait(struct queue *q, int64_t ms)
{
    struct claims *c = q->claims;
    ms = clock_first(ms, clock_left(q->deadline) / CLOCK_MS + 1);
    c->state = WAITING;
    c->reader.patience = (STREAM_PATIENCE_MS + ms) * CLOCK_MS;
    stream_wait(&c->reader, &c->stream, ms);
    redis_start(&c->reader, 0);
    c->reader.patience = STREAM_PATIENCE_MS * CLOCK_MS;
}

static void put_text(char *mem, size_t size, const struct resp_value *v)
{
    struct buf b = {.mem = mem, .size = size};
    buf_bytes(&b, v->bytes, v->len);
    buf_str(&b);
}

/* The answer to take: 1, and a message; 0, and for how many ms there is none; -1: it is none. */
static int read_answer(struct queue *q, struct message *m, int64_t *ms)
{
    struct resp_walk *w = &q->claims->reader.replies;
    struct resp_value first, id, tries, text, token;
    resp_next(w, &first);
    *ms = first.number;
    if (first.type == RESP_INTEGER)
        return 0;
    resp_next(w, &id);
    resp_next(w, &tries);
    resp_next(w, &text);
    resp_next(w, &token);
    if (first.type != RESP_ARRAY || id.type != RESP_TEXT || tries.type != RESP_INTEGER ||
        text.type != RESP_TEXT || token.type != RESP_TEXT || id.len >= MESSAGE_ID) {
        redis_refuse(&q->claims->reader, REDIS_NOT_THE_SCRIPTS);
        errno = EPROTO;
        return -1;
    }
    if (m->room < text.len && message_make_room(m, text.len) < 0)
        return -1;
    put_text(m->id, sizeof m->id, &id);
    put_text(m->token, sizeof m->token, &token);
    m->tries = tries.number;
    m->m->type = q->type;
    m->len = text.len;
    memcpy(m->m->text, text.bytes, text.len);
    m->until = q->claims->sent + q->claims->stream.length;
    return 1;
}

/* What has come of the reader's batch: as receive, with EINTR: nothing yet. */
static int take_answer(struct queue *q, struct message *m, enum redis_outcome outcome, bool waits)
{
    struct claims *c = q->claims;
    const bool taking = c->state == TAKING;
    int64_t ms;
    c->state = IDLE;
    c->failed = &c->reader;
    errno = EPROTO;
    if (!taking) { /* what there is, taking tells; but an error that would come again is one */
        const char *trouble = c->reader.trouble;
        bool gone = strncmp(trouble, "NOGROUP", 7) == 0 || strncmp(trouble, "UNBLOCKED", 9) == 0;
        errno = outcome == REDIS_REFUSED && !gone ? EPROTO : EINTR;
        return -1;
    }
    if (outcome != REDIS_ANSWERED)
        return -1;
    int done = read_answer(q, m, &ms);
    if (done < 0)
        return -1;
    errno = waits ? EINTR : ENOMSG;
    if (!done) {
        if (waits)
            begin_wait(q, ms);
        return -1;
    }
    if (lease_now() >= m->until - c->stream.length * 2 / 3) /* it came late: once more, which renews it */
        return errno = EINTR, -1;
    claim_of(q, NULL)->m = m;
    return 0;
}

int claims_receive(struct queue *q, struct message *m, bool waits, bool busy)
{
    struct claims *c = q->claims;
    if (c->state == IDLE)
        begin_take(q, waits);
    enum redis_outcome outcome = redis_step(&c->reader);
    if (outcome != REDIS_UNDER_WAY) {
        int done = take_answer(q, m, outcome, waits);
        return done == 0 && q->at_most_once ? claims_finish(q, m) : done;
    }
    if (!busy) {
        struct pollfd polls[QUEUE_POLLS];
        int64_t ns;
        nfds_t n = stream_polls(q, &c->reader, polls, &ns);
        if (q->watches_stdout)
            polls[n++] = (struct pollfd){.fd = STDOUT_FILENO};
        job_sleep(q->job, polls, n, waits ? clock_first(ns, clock_left(q->deadline)) : ns);
    }
    errno = busy ? EAGAIN : EINTR;
    return -1;
}

nfds_t claims_polls(struct queue *q, struct pollfd polls[static QUEUE_POLLS], int64_t *ns)
{
    return stream_polls(q, q->claims->state == IDLE ? NULL : &q->claims->reader, polls, ns);
}

/* ---- delivered, or not ---- */

void claims_hold(struct queue *q, struct message *m)
{
    const struct stream *s = &q->claims->stream;
    int64_t now = lease_now();
    if (now < m->until - s->length * 2 / 3)
        return;
    stream_renew(&q->claims->reader, s, m->id);
    if (stream_ask_number(q, &q->claims->reader, clock_in(s->length / 12)) == 1)
        m->until = now + s->length;
}

/* As long as the claim holds, and a little longer, as it may be that nobody else takes it. */
static int64_t settled_by(const struct message *m)
{
    int64_t left = m->until - lease_now();
    return clock_in(left > STREAM_PATIENCE_MS * CLOCK_MS ? left : STREAM_PATIENCE_MS * CLOCK_MS);
}

int claims_finish(struct queue *q, const struct message *m)
{
    struct redis *r = stream_talker(q);
    stream_finish(r, &q->claims->stream, m->id);
    long long number = stream_ask_number(q, r, settled_by(m));
    forget(q, m);
    if (number < 0) {
        redis_failed(r);
        errno = EPROTO;
        return -1;
    }
    if (number == STREAM_LOST)
        msg_error_why(
            q->msg, "finish", q->word, "another consumer has claimed the message: it is delivered twice");
    return 0;
}

enum queue_end claims_put_back(struct queue *q, const struct message *m, bool counts)
{
    struct redis *r = stream_talker(q);
    stream_fail(r, &q->claims->stream, m->id, counts);
    long long number = stream_ask_number(q, r, settled_by(m));
    forget(q, m);
    if (number < 0) {
        redis_failed(r);
        errno = EPROTO;
    }
    return number < 0              ? QUEUE_ERROR
           : number == STREAM_DEAD ? QUEUE_DEAD
           : number == STREAM_LOST ? QUEUE_LOST
                                   : QUEUE_BACK;
}

/* ---- programs ---- */

static void renew(void *owner)
{
    const struct claim *claim = owner;
    stream_renew(claim->kept.keep.redis, claim->stream, claim->m->id);
}

/* The keeper is alone: it does what its parent would have done. */
static void give(void *owner, int64_t deadline)
{
    struct claim *claim = owner;
    const struct kept *k = &claim->kept;
    if (k->job->progs[k->i].ended && job_status(k->job, k->i) == EXIT_DONE)
        stream_finish(&claim->redis, claim->stream, claim->m->id);
    else
        stream_fail(&claim->redis, claim->stream, claim->m->id, true);
    if (redis_call(&claim->redis, deadline) != REDIS_ANSWERED)
        return;
    stream_part(&claim->redis, claim->stream, false);
    redis_call(&claim->redis, deadline);
}

int claims_start(struct queue *q, size_t i, struct message *m, struct spawn *s)
{
    struct claim *claim = claim_of(q, m);
    claim->kept = (struct kept){.job = q->job,
        .i = i,
        .spawn = s,
        .keep = {.msg = q->msg,
            .word = q->word,
            .redis = &claim->redis,
            .length = q->claims->stream.length,
            .until = m->until,
            .parent_gives = true,
            .renewal = renew,
            .give = give,
            .owner = claim,
            .page = claim->kept.keep.page}};
    return kept_start(&claim->kept);
}

static void spare_keepers(struct queue *q, bool spare)
{
    struct descendants *d = &q->job->descendants;
    for (size_t i = 0; i < q->claims->n; i++) {
        pid_t keeper = q->claims->list[i].kept.keeper;
        if (keeper && spare)
            descendants_spare(d, keeper);
        else if (keeper)
            descendants_forget(d, keeper);
    }
}

int claims_settle(struct queue *q, size_t i, const struct message *m, bool *lost)
{
    struct claim *claim = claim_of(q, m);
    const struct keep_page *page = claim->kept.keep.page;
    struct prog *p = &q->job->progs[i];
    claim->kept.keeper = 0;
    *lost = page->lost;
    if (*lost)
        claim->m = NULL;
    if (!page->done) {
        spare_keepers(q, true);
        int status = kept_clean_up(&claim->kept);
        spare_keepers(q, false);
        return status;
    }
    descendants_excuse(&q->job->descendants);
    p->exec_errno = page->exec_errno;
    p->failed = "exec";
    return *lost ? EXIT_SYSTEM : EXIT_DONE;
}
