/*
 * stream_queue.h - what the parts of queue_redis share: queue_redis.c (asking, sending, the whole stream) and
 * queue_claims.c (messages that we are given).
 *
 * There are two connections: the reader, on which a call may wait for a message, and the talker, which is
 * only made when something else is to be done meanwhile. Each keeper has one of its own, once it needs it.
 */
#ifndef STREAM_QUEUE_H
#define STREAM_QUEUE_H

#include "ipc/queue.h"
#include "redis/kept.h"

enum { STREAM_PATIENCE_MS = 5000 };

/* A message that is ours. */
struct claim {
    const struct message *m; /* NULL: none */
    const struct stream *stream;
    struct redis redis; /* its keeper's */
    struct kept kept;
};

struct claims {
    struct stream stream;
    struct redis reader, talker;
    const struct redis *failed;           /* whose trouble it was */
    enum { IDLE, TAKING, WAITING } state; /* of the reader */
    int64_t sent;                         /* when that began, on CLOCK_BOOTTIME */
    bool known;                           /* the server has answered */
    struct claim *list;
    size_t n;
    const char **ids; /* room for one of each */
};

/* The connection for what can't wait until there is a message. */
struct redis *stream_talker(struct queue *q);

/* What to sleep on: r, if not NULL, and until when; keepers that were stopped are killed first. */
nfds_t stream_polls(struct queue *q, struct redis *r, struct pollfd *polls, int64_t *ns);

/*
 * Has the batch answered, while programs go on, to which signals are passed on; but after one, it is not
 * waited for long. 0, or -1 with EPROTO, which `failed` knows. Without a deadline (0): one attempt.
 */
int stream_ask(struct queue *q, struct redis *r, int64_t deadline);

/* The same of a script whose answer is an integer from -1 up; -2, with EPROTO: there is no such answer. */
long long stream_ask_number(struct queue *q, struct redis *r, int64_t deadline);

/* The deadline that q->timeout is. */
int64_t stream_deadline(const struct queue *q);

/* These of queue_redis: see queue.h. */
int claims_begin(struct queue *q, size_t n);
void claims_end(struct queue *q);
int claims_receive(struct queue *q, struct message *m, bool waits, bool busy);
enum queue_end claims_put_back(struct queue *q, const struct message *m, bool counts);
void claims_hold(struct queue *q, struct message *m);
int claims_finish(struct queue *q, const struct message *m);
int claims_start(struct queue *q, size_t i, struct message *m, struct spawn *s);
int claims_settle(struct queue *q, size_t i, const struct message *m, bool *lost);
nfds_t claims_polls(struct queue *q, struct pollfd polls[static QUEUE_POLLS], int64_t *ns);

#endif
