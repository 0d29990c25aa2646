/*
 * sem.h - System V semaphore sets whose creation and first value are one (semop(2), perlipc's semaphores).
 *
 * semget(2) makes a set of zeros, and its values come later: who finds it in between must not use it yet.
 * Such a set is known by sem_otime, which is 0 until the first semop(2), and by values and pids that are all
 * 0 (another program may have used SETVAL, which is no semop). IPC_EXCL decides who creates the set; its
 * values come by one semop(2), which sets sem_otime as well. More than 250 semaphores need SETALL, and the
 * semop comes after it: what can be seen is zeros without a time, the values without one, which are used as
 * another program's are, and both.
 *
 * No set gets its values twice, which would give back what has been taken. A semop can test for zeros, but
 * that is not enough: they may be those of a set that has been used up. So values are set by nobody but a
 * process of the user that has created the set, while it holds that user's lock (maker.h), which it has had
 * since before it looked for zeros, or created the set. A maker that is slow, stopped or swapped out still
 * has the lock; one that was killed has not, and an unfinished set that is seen under the lock is what it has
 * left, or another program's. The next that would have made that set finishes it then: at once, however long
 * ago it was, and whatever the clock says. Zeros need not be set, so that a set of zeros is made without the
 * lock, except where EEXIST has to be right. A process that only uses a set waits while it is unfinished and
 * its creator's user has the lock.
 *
 * Another user can delay none of this, for his lock counts for his own sets alone: with one that he has
 * created under the same key. What he leaves unfinished is used if zeros are wanted, and else refused
 * (EPERM). He can also use up the kernel's segments or sets (ENOLCK, ENOSPC).
 */
#ifndef SEM_H
#define SEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/sem.h>

#include "sysv/sysv.h"

enum {
    SEM_SET_SIZE = 32000, /* semaphores in a set: SEMMSL of Linux */
    SEM_HIGHEST = 32767,  /* value: SEMVMX */
};

/* The options of those who change semaphores of a set. */
#define SEM_OPTIONS(X)                                                                         \
    MSG_OPTIONS(X)                                                                             \
    X(NUM, 'n', "num", "NUM[,NUM]...", "these semaphores of the set, all of them at once (0)") \
    X(AMOUNT, 'N', "amount", "COUNT", "with -c: add or subtract COUNT, not 1")

enum { SEM_NUMS_MAX = 250 /* in one semop(2), with two operations each: SEMOPM */ };

/* What is changed at once: at the beginning {.n = 1, .amount = 1}. */
struct sem_nums {
    size_t n;
    unsigned short list[SEM_NUMS_MAX];
    bool count;   /* counting semaphores */
    short amount; /* 1 if they are not */
};

/* What semctl(2) takes; its caller has to define it (POSIX leaves it to us). */
union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

/*
 * The set of that key, finished if one of us is making it; where that takes more than 5 seconds it is not
 * waited for any more. Its identifier, or -1 with errno (semget(2)); EAGAIN when the deadline comes first.
 */
int sem_find(const struct sysv_key *k, int64_t deadline);

struct sem_making {
    size_t n;       /* semaphores */
    unsigned value; /* of each of them */
    unsigned mode;  /* 0 to 0777 */
    bool exclusive; /* EEXIST when there is one, but for what a killed one of us has left */
};

/*
 * The same, but if there is none it is made, and if nobody has touched it its values are set. ETIMEDOUT when
 * another that makes one takes more than 5 seconds; ENOLCK (maker.h); EPERM: another user has left it without
 * values.
 */
int sem_make(const struct sysv_key *k, const struct sem_making *making, int64_t deadline);

/* Whether there is no sign that anybody has ever used it or set a value. False when that can't be seen. */
bool sem_is_untouched(int id);

/* semtimedop(2): all changes or none; waits until the deadline through every EINTR, 0: not at all. -1 with
 * EAGAIN after it. */
int sem_change(int id, struct sembuf *changes, size_t n, int64_t deadline);

/* Takes an option of SEM_OPTIONS; row counts from the first of them. */
void sem_option(struct msg *m, struct sem_nums *nums, int row, const struct opts *o);

/* Ends the process if -N was given without -c. */
void sem_check(const struct msg *m, const struct sem_nums *nums);

/* sem_change that does `ops`, one behind the other, with each semaphore: all that, or nothing. */
int sem_change_each(
    int id, const struct sem_nums *nums, const short *ops, size_t n, short flags, int64_t deadline);

/* Marks the set as one that is in use (sem_otime), without a change of a value. */
void sem_mark(int id);

#endif
