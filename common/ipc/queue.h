/*
 * queue.h - a queue of messages: of System V (msgop(2)), or redis:NAME, a stream (stream.h).
 *
 * Of System V: a message that was received is in no queue any more. In a stream it is claimed, and is
 * finished or put back when it is known what has become of it; a keeper renews the claim while its program
 * runs (kept.h).
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <poll.h>

#include "ipc/message.h"
#include "process/job.h"
#include "redis/stream.h"
#include "sysv/sysv.h"

/* The options of those who use queues; they follow the applet's own. */
#define QUEUE_OPTIONS(X) \
    REDIS_OPTIONS(X)     \
    X(GROUP, 0, "group", "NAME", "redis:NAME: use this consumer group (ipcbox)")

/* Those of who receives. */
#define QUEUE_CLAIM_OPTIONS(X)                                                                              \
    X(LEASE, 0, "lease", "TIME", "redis:NAME: a message that is not renewed is another's after TIME (30s)") \
    X(AT_MOST_ONCE, 0, "at-most-once", NULL, "redis:NAME: acknowledge a message before it is delivered")    \
    QUEUE_OPTIONS(X)

enum { QUEUE_POLLS = 1 + REDIS_POLLS };

/* What has become of a message that could not be delivered. */
enum queue_end {
    QUEUE_ERROR, /* nobody knows; errno, or it has been reported */
    QUEUE_BACK,  /* at the end of the queue again */
    QUEUE_DEAD,  /* with the dead */
    QUEUE_LOST,  /* in a stream: not ours any more, and another's to deliver */
};

struct queue {
    /* the caller's to set: */
    const struct msg *msg;
    const char *word, *dead_word; /* KEYs; dead_word NULL: none was given */
    long type;                    /* as msgrcv(2) has it; has_type: it was given */
    bool has_type, has_mode, except, create;
    unsigned mode;
    const char *group;
    struct redis_server server;
    int64_t timeout;     /* of a message, for room or for being received */
    int64_t deadline;    /* of the next one */
    uint64_t tries, max; /* of a message, of messages: 0: any number */
    int64_t length;      /* of a claim */
    bool at_most_once, watches_stdout;
    struct job *job; /* whose programs have the messages */

    const struct queue_kind *kind;
    size_t limit; /* no message can be longer */
    const char *limit_of;
    struct sysv_key key, dead_key;
    int id, dead;
    struct claims *claims; /* of a stream */
};

struct queue_kind {
    bool is_stream;

    /* Opens it, and makes it if it may be. EXIT_DONE, or the exit status of what has been reported. */
    int (*open)(struct queue *q);

    /*
     * Sends the first of the texts, and as many more as it likes, waiting for q->timeout. How many; -1 with
     * errno: EAGAIN: the queue is full; or another that `failed` knows. sizeof(long) bytes before each text
     * are overwritten.
     */
    ssize_t (*send)(struct queue *q, const struct stream_text *texts, size_t n);

    /*
     * Receives one, and waits for it if `waits`; with `busy`, not longer than a tick. 0, or -1 with errno:
     * ENOMSG; EINTR: to be called again, unless a signal has come; EAGAIN: that, after sleeping on `polls`;
     * or another that `failed` knows. Under a tick.
     */
    int (*receive)(struct queue *q, struct message *m, bool waits, bool busy);

    /* Puts it back, without waiting; `counts`: as failed once more. */
    enum queue_end (*put_back)(struct queue *q, const struct message *m, bool counts);

    /* Reports that errno; the exit status. */
    int (*failed)(struct queue *q, const char *what, int err);

    /* How many messages there are, or more. */
    uint64_t (*count)(struct queue *q);

    /* For msgdemo: exit statuses. */
    int (*make)(struct queue *q);
    int (*stat)(struct queue *q, bool json);
    int (*remove)(struct queue *q);

    /* ---- of a stream alone ---- */

    /* Renews the claim, if that is due. */
    void (*hold)(struct queue *q, struct message *m);

    /* It has been delivered. 0, or -1: that could not be noted, which has been reported. */
    int (*finish)(struct queue *q, const struct message *m);

    /* Begins n deliveries at a time; 0, or -1 with ENOMEM. Ends them. */
    int (*begin)(struct queue *q, size_t n);
    void (*end)(struct queue *q);

    /* Starts program i of the job under a keeper. 0, or -1 with errno. */
    int (*start)(struct queue *q, size_t i, struct message *m, struct spawn *s);

    /* Program i has ended. EXIT_DONE; or EXIT_SYSTEM: the claim was lost, or its keeper, which has been
     * reported; *lost: the message is not ours any more. */
    int (*settle)(struct queue *q, size_t i, const struct message *m, bool *lost);

    /* What to sleep on, how long at most; to be called before each sleep. How many. */
    nfds_t (*polls)(struct queue *q, struct pollfd polls[static QUEUE_POLLS], int64_t *ns);
};

extern const struct queue_kind queue_sysv, queue_redis;

/*
 * Sets the kind by the words, and reads them as KEYs. Does not return when an option is of the other kind.
 */
void queue_find(struct queue *q, enum sysv_use use);

/* Reports that a queue was removed with so many messages, unless there were none. */
void queue_report_removed(const struct queue *q, uint64_t messages);

/* Whether an option was given that is only of redis:NAME. */
bool queue_wants_redis(const struct queue *q);

/* Takes an option of QUEUE_CLAIM_OPTIONS, QUEUE_OPTIONS; row counts from the first of them. */
void queue_claim_option(struct queue *q, int row, const struct opts *o);
void queue_option(struct queue *q, int row, const struct opts *o);

#endif
