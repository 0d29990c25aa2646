/*
 * semaphore.h - what semtake, semgive and semset do, with a System V semaphore set or with a semaphore on a
 * Redis server.
 *
 * KEY decides: redis:NAME is a semaphore on a server, whose holders have leases (redis/lease.h, slots.h); all
 * others are sets (sysv/sem.h). All functions report what fails, and return an exit status.
 */
#ifndef SEMAPHORE_H
#define SEMAPHORE_H

#include "process/job.h"
#include "process/watch.h"
#include "redis/lease.h"
#include "sysv/sem.h"

enum semaphore_use { SEMAPHORE_TAKE, SEMAPHORE_GIVE, SEMAPHORE_CREATE, SEMAPHORE_FIND };

/* A semaphore's number in its set, and its new value. */
struct semaphore_setting {
    int num, value;
};

/* What the options say; unset ones are as semaphore_init leaves them. */
struct semaphore {
    struct msg *msg;
    const char *word;     /* KEY */
    struct sem_nums nums; /* -n, -N, -c */
    bool zero;            /* --zero: wait for the value 0, and take nothing */
    bool create, has_value, has_mode;
    struct sem_making making; /* --create, or semset's create */
    bool try_once;
    int64_t timeout; /* ns, CLOCK_NEVER: none */

    /* whom it is taken for: */
    struct job job;     /* a program, found; */
    pid_t pid;          /* or a process, */
    struct watch watch; /* which is watched; or nobody: then until semaphore_give */

    /* for redis:NAME alone */
    struct lease_wish wish;
    const char *token; /* of the lease that is given back */

    /* from semaphore_find on */
    const struct semaphore_kind *kind;
    struct sysv_key key;
    struct lease lease;
};

struct semaphore_kind {
    int (*take)(struct semaphore *s);
    int (*hold)(struct semaphore *s);
    int (*give)(struct semaphore *s);
    int (*create)(struct semaphore *s);
    int (*stat)(struct semaphore *s, bool json);
    int (*set)(struct semaphore *s, const struct semaphore_setting *list, size_t n);
    int (*rm)(struct semaphore *s);
};

void semaphore_init(struct semaphore *s, struct msg *m);

/* Reads KEY, and decides the rest of *s by it. Does not return on a usage error. */
void semaphore_find(struct semaphore *s, const char *word, enum semaphore_use use);

/*
 * Takes it. EXIT_NO: it is taken (try_once); EXIT_DEADLINE. Then semaphore_hold is called at once.
 */
static inline int semaphore_take(struct semaphore *s)
{
    return s->kind->take(s);
}

/*
 * After semaphore_take: holds it for the program, whose exit status is returned unless we become it; or for
 * the process, and returns at once, as for nobody. For nobody, a lease's TOKEN and fence are printed.
 */
static inline int semaphore_hold(struct semaphore *s)
{
    return s->kind->hold(s);
}

/* Gives it back. EXIT_NO: it is not taken, or not by that token. */
static inline int semaphore_give(struct semaphore *s)
{
    return s->kind->give(s);
}

/* EXIT_NO: there is one. */
static inline int semaphore_create(struct semaphore *s)
{
    return s->kind->create(s);
}

/* Prints its state, as lines or as a JSON object. */
static inline int semaphore_stat(struct semaphore *s, bool json)
{
    return s->kind->stat(s, json);
}

/* Sets n values; *list is sorted, highest number first. */
static inline int semaphore_set(struct semaphore *s, const struct semaphore_setting *list, size_t n)
{
    return s->kind->set(s, list, n);
}

/* Removes it, and reports how many processes wait. */
static inline int semaphore_rm(struct semaphore *s)
{
    return s->kind->rm(s);
}

/* semaphore.c's own */
extern const struct semaphore_kind semaphore_sysv, semaphore_redis;
void semaphore_redis_check(struct semaphore *s, enum semaphore_use use);

#endif
