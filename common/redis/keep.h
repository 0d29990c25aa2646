/*
 * keep.h - the keeper of a lease, or of a claim on a message: when it is renewed, and what stands against it.
 * For lease_for.c, kept.c.
 *
 * Two processes are around what it is held for: the keeper, which renews, and its parent, which waits for it.
 * Each ends, when the other is killed, what it was held for. They share a page.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdatomic.h>

#include "process/watch.h"
#include "redis/lease.h"

struct keep_page {
    /* as below, in [written % 2]: machines of 32 bits may have no atomic number of 64 */
    int64_t until[2];
    atomic_uint written;   /* how often */
    atomic_bool done;      /* nothing is held any more, or as the parent likes it */
    atomic_bool lost;      /* it could not be kept */
    atomic_int exec_errno; /* the program could not be executed */
};

struct keep {
    /* the caller's to set: */
    const struct msg *msg;
    const char *word;             /* KEY */
    struct redis *redis;          /* the keeper's; its parent must not use it meanwhile */
    int64_t length;               /* ns from one renewal */
    int64_t until;                /* on CLOCK_BOOTTIME */
    bool parent_gives;            /* at the end, while it lives */
    void (*renewal)(void *owner); /* begins the batch, whose answer is an integer: 1, or 0: it was lost */
    void (*give)(void *owner, int64_t deadline); /* gives back, by the same connection */
    void *owner;

    struct keep_page *page;
    pid_t parent;
    struct watch watch; /* the parent */

    /* the renewal: while one is asked for, since when; else when the next one is due (lease_now) */
    bool asking;
    int64_t sent, next;
    const char *lost; /* why it can't be held any more */
    bool orphaned;    /* because the parent was killed */
};

enum { KEEP_POLLS = 1 + REDIS_POLLS };

/*
 * From these on - 2/3, 5/6 and 11/12 of the time have gone since the last renewal - what it is held for is
 * asked to end, is killed, and is killed by the keeper's parent.
 */
int64_t keep_end_at(const struct keep *k);
int64_t keep_kill_at(const struct keep *k);
int64_t keep_parent_kills_at(const struct keep *k);

/* That of a lease that has been taken. */
struct keep keep_of_lease(struct lease *l);

/* In the parent: *page is made, which is used again and again. 0, or -1 with errno. */
int keep_prepare(struct keep *k);

/* In the keeper: the parent is watched. False: it has gone. */
bool keep_begin(struct keep *k);

/* Renews what is due, without waiting, and sets k->lost when that was to no avail, or the parent has gone. */
void keep_step(struct keep *k);

/* What to sleep on until the next step, and how long at most. How many. */
nfds_t keep_polls(struct keep *k, struct pollfd polls[static KEEP_POLLS], int64_t *ns);

/* Gives back, if it may still be ours, and tells the parent that nothing is held. */
void keep_finish(struct keep *k);

/* In the parent, when the keeper was killed and nothing runs any more. */
void keep_give(struct keep *k);

#endif
