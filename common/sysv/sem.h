/*
 * sem.h - System V semaphore sets whose creation and first value are one (semop(2), perlipc's semaphores).
 *
 * semget(2) makes a set of zeros, and its values come later: who finds it in between must not use it yet.
 * sem_otime, which is 0 until the first semop(2), shows such a set, and a lock on the IPC namespace itself
 * says whether one of us is about to give it its values. A set that its maker left behind unfinished, because
 * it was killed, is finished by the next that would have made it.
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
 * another that makes one takes more than 5 seconds.
 */
int sem_make(const struct sysv_key *k, const struct sem_making *making, int64_t deadline);

/* Whether there is no sign that anybody has ever used it or set a value. False when that can't be seen. */
bool sem_is_untouched(int id);

/* semtimedop(2): all changes or none; waits until the deadline through every EINTR, 0: not at all. -1 with
 * EAGAIN after it. */
int sem_change(int id, struct sembuf *changes, size_t n, int64_t deadline);

/* Marks the set as one that is in use (sem_otime), without a change of a value. */
void sem_mark(int id);

#endif
