/*
 * redis.h - a connection to a Redis server, on which batches of commands are answered in whole or not at all.
 *
 * A batch is sent, and sent again on a new connection after anything that may pass - no connection, no answer
 * in time, a server that is loading, failing over or out of memory - with a pause that grows, until its
 * deadline. So commands must be such that a repetition changes nothing: the first answer may be what was
 * lost. The replies are there once all of them are; a connection on which some are missing is closed, so that
 * none can be taken for those of a later batch. The host is looked up again for each connection.
 *
 *     redis_batch(r);
 *     redis_command(r, 2, "GET", key);
 *     switch (redis_call(r, deadline)) { case REDIS_ANSWERED: ... resp_next(&r->replies, &v) ...
 *     default: return redis_failed(r); }
 *
 * Scripts go as EVAL: the server has them compiled from the second time on, and there is no state of the
 * server's (NOSCRIPT) to be kept up with.
 */
#ifndef REDIS_H
#define REDIS_H

#include <poll.h>

#include "net/dial.h"
#include "redis/resp.h"
#include "redis/url.h"

enum redis_outcome {
    REDIS_UNDER_WAY,
    REDIS_ANSWERED, /* r->replies has all of them, and none is an error */
    REDIS_REFUSED,  /* what does not pass: r->trouble; r->replies has those that came, all or none */
    REDIS_LATE,     /* the deadline has passed; r->trouble is what came in between */
    REDIS_STOPPED,  /* by redis_call alone: a signal that would end us has come */
};

enum { REDIS_TROUBLE = 512, REDIS_POLLS = DIAL_POLLS };

/* Bytes that grow. */
struct redis_bytes {
    char *mem;
    size_t n, room;
    bool failed; /* there was no memory */
};

struct redis {
    const struct msg *msg;
    const struct redis_server *server;
    int64_t patience; /* of one attempt, from connect(2) to the last reply; a command that waits needs more */
    size_t limit;     /* bytes of a batch's replies */
    bool silent;      /* a trouble that may pass is not reported when it begins */

    struct resp_walk replies;
    char trouble[REDIS_TROUBLE]; /* escaped; empty: none */

    /* redis.c's own */
    enum { REDIS_IDLE, REDIS_PAUSED, REDIS_DIALING, REDIS_GREETING, REDIS_TALKING } state;
    enum redis_outcome outcome;
    int fd;
    unsigned connections;        /* so many have been made */
    bool reused;                 /* the connection has been used before this batch */
    struct redis_bytes greeting; /* AUTH and SELECT, */
    unsigned greetings;          /* so many commands */
    struct redis_bytes out, in;  /* the batch; what has come of its replies */
    unsigned commands;           /* in the batch */
    size_t sent;                 /* bytes of it, or of the greeting */
    struct resp scan;
    bool once; /* its deadline is 0: one attempt */
    int64_t deadline, attempt_until, again_at, pause;
    struct dial dial;
    struct dialing *dialing;
};

/* Nothing is connected yet. *s, from redis_server_find, must live as long. */
void redis_init(struct redis *r, const struct msg *m, const struct redis_server *s);

/* Closes the connection and gives all memory back. */
void redis_end(struct redis *r);

/* Closes the connection alone, as in a fork of ours. */
void redis_drop(struct redis *r);

/* ---- putting a batch together ---- */

/* Begins the next one, and forgets the replies of the last; if that is still under way, its connection is
 * closed. */
void redis_batch(struct redis *r);

/* Begins a command of n words in all, each of which is to be added. */
void redis_begin(struct redis *r, unsigned n);
void redis_word(struct redis *r, const void *bytes, size_t n);
void redis_text(struct redis *r, const char *text);
void redis_num(struct redis *r, long long number);

/*
 * The key of a helper of NAME's: ipcbox:{NAME}:SUFFIX. All of them have the same hash tag, and one pattern in
 * an access list, ~ipcbox:*.
 */
void redis_key(struct redis *r, const char *name, const char *suffix);

/* A whole command of n words, which are strings. */
void redis_command(struct redis *r, unsigned n, ...);

/*
 * Begins EVAL of that script, after what it has in common with others; `keys` keys are to be added, and
 * behind them `args` arguments.
 */
void redis_eval(struct redis *r, const char *common, const char *script, unsigned keys, unsigned args);

/* ---- having it answered ---- */

/* Until the deadline, 0: one attempt. */
enum redis_outcome redis_call(struct redis *r, int64_t deadline);

/*
 * The same for callers that have other things to wait for: redis_start; then redis_step, and sleeping on
 * redis_polls until the time that it sets, in turn, while the outcome is REDIS_UNDER_WAY. Neither ever waits.
 */
void redis_start(struct redis *r, int64_t deadline);
enum redis_outcome redis_step(struct redis *r);

/* Makes the outcome of an answer that has come REDIS_REFUSED, for that reason. */
void redis_refuse(struct redis *r, const char *why);
#define REDIS_NOT_THE_SCRIPTS "its answer is not that of the script"

/* How many there are to poll; 0: only the time. */
nfds_t redis_polls(struct redis *r, struct pollfd polls[static REDIS_POLLS], int64_t *until);

/*
 * Reports why a batch that is REDIS_REFUSED or REDIS_LATE has failed; the exit status: EXIT_SYSTEM, or
 * EXIT_DEADLINE after a deadline that was one.
 */
int redis_failed(const struct redis *r);

/* Makes room for n bytes more; false, and b->failed: there is no memory. */
bool redis_room(struct redis_bytes *b, size_t n);

#endif
