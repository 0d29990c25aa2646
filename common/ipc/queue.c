/*
 * queue.c - see queue.h: which kind it is.
 */
#include "ipc/queue.h"

#include "process/sigs.h"
#include "redis/key.h"
#include "redis/lease.h"

void queue_option(struct queue *q, int row, const struct opts *o)
{
    enum queue_row { QUEUE_OPTIONS(OPT_ENUM) };
    switch ((enum queue_row)row) {
    case OPT_REDIS:
        q->server.url = o->arg;
        break;
    case OPT_REDIS_AUTH:
        q->server.auth = o->arg;
        break;
    case OPT_GROUP:
        if (!*o->arg)
            opts_wrong(o, "expected a non-empty name");
        q->group = o->arg;
        break;
    }
}

void queue_claim_option(struct queue *q, int row, const struct opts *o)
{
    enum queue_row { QUEUE_CLAIM_OPTIONS(OPT_ENUM) };
    switch ((enum queue_row)row) {
    case OPT_LEASE:
        q->length = lease_length(o);
        break;
    case OPT_AT_MOST_ONCE:
        q->at_most_once = true;
        break;
        QUEUE_OPTIONS(OPT_CASE)
        queue_option(q, row - OPT_REDIS, o);
        break;
    }
}

bool queue_wants_redis(const struct queue *q)
{
    return q->server.url || q->server.auth || q->group || q->max || q->length || q->at_most_once;
}

void queue_find(struct queue *q, enum sysv_use use)
{
    sigs_heed_term(); /* a wait may be long */
    const struct msg *m = q->msg;
    const char *name = redis_name(m, q->word), *dead = redis_name(m, q->dead_word);
    q->kind = name ? &queue_redis : &queue_sysv;
    if (q->dead_word && !name != !dead)
        msg_usage(m, "--dead and KEY must both be redis:NAME, or neither");
    if (name) {
        if (q->except)
            msg_usage(m, "--except is not available for redis:NAME, where each TYPE is a stream");
        if (q->has_type && q->type < 1)
            msg_usage(m, "redis:NAME: expected a --type of 1 or more, as each TYPE is a stream");
        if (q->has_mode)
            msg_usage(m, "--mode is not available for redis:NAME: the server has users and access lists");
        q->type = q->has_type ? q->type : 1;
        redis_server_find(&q->server, m);
        return;
    }
    if (queue_wants_redis(q))
        msg_usage(
            m, "--redis, --redis-auth, --group, --max-length, --lease and --at-most-once require redis:NAME");
    sysv_key(&q->key, m, q->word, use);
    if (q->dead_word)
        sysv_key(&q->dead_key, m, q->dead_word, use);
    q->mode = q->has_mode ? q->mode : 0600;
}

void queue_report_removed(const struct queue *q, uint64_t messages)
{
    char mem[64];
    struct buf why = BUF(mem);
    buf_fmt(&why, "it contained %llu message%s", (unsigned long long)messages, messages == 1 ? "" : "s");
    if (messages)
        msg_error_why(q->msg, "remove", q->word, buf_str(&why));
}
