/*
 * slots.h - how many may hold a lease at a time, where the server has that number: a semaphore (semset).
 *
 * The number is there until it is removed, whoever holds the lease, and is the same for all who take it: the
 * first that creates it decides. A holder of a lease remains one when the number is changed or removed.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include "redis/lease.h"

enum slots_command {
    SLOTS_CREATE, /* 1; 0: there is one */
    SLOTS_SET,    /* 1; 0: there is none */
    SLOTS_RM,     /* a text, "HOLDERS WAITERS", of those that are there still; empty: there was none */
    /*
     * An array: the number, empty if there is none, how many hold it and how many wait; then of each that
     * holds it TOKEN SLOT FENCE WHO, how many us its lease has, and of each that waits, SLOTS_LISTED at most,
     * first come first, TOKEN and WHO.
     */
    SLOTS_STAT,
};

enum { SLOTS_MAX = 32767, SLOTS_LISTED = 1000 };

/*
 * Does that with the semaphore, with `n` as its number, until the deadline; what the server has answered is
 * the next of the lease's replies. A repetition after a lost answer, by the same *l, changes nothing and has
 * the same answer.
 */
enum redis_outcome slots_do(struct lease *l, enum slots_command command, unsigned n, int64_t deadline);

#endif
