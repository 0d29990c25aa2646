/*
 * sem.c - see sem.h.
 */
#include "sysv/sem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/lock.h"

enum { LOCK_SECONDS = 5, MAKING_MS = 100 };

/* The namespace that the set lives in, as a file that a lock can be taken on (namespaces(7)). */
static const char namespace[] = "/proc/self/ns/ipc";

/*
 * One of us at a time makes a set, which takes no time: a tenth of a second is waited even where the deadline
 * is at once. An fd to close, or -1 with errno: EAGAIN after the deadline, ETIMEDOUT after 5 seconds; ENOENT:
 * there is no /proc, and no lock.
 */
static int lock_namespace(bool shared, int64_t deadline)
{
    const struct lock_kind kind = {.shared = shared};
    int64_t patience = clock_in(LOCK_SECONDS * CLOCK_SECOND), least = clock_in(MAKING_MS * CLOCK_MS);
    if (deadline < least)
        deadline = least;
    int fd = open(namespace, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || lock_fd(fd, &kind, clock_first(deadline, patience)) == 0)
        return fd;
    if (errno == EWOULDBLOCK || errno == ETIMEDOUT)
        errno = clock_left(deadline) ? ETIMEDOUT : EAGAIN;
    fd_close(&fd);
    return -1;
}

/* Its state; false when its mode lets us not look, or when it is gone. */
static bool look(int id, struct semid_ds *state)
{
    return semctl(id, 0, IPC_STAT, (union semun){.buf = state}) == 0;
}

/* Values and the pids of who changed them: a maker of another kind may have used SETVAL, which is no semop.
 */
static bool is_all_zero(int id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (semctl(id, (int)i, GETVAL) != 0 || semctl(id, (int)i, GETPID) != 0)
            return false;
    return true;
}

bool sem_is_untouched(int id)
{
    struct semid_ds state = {0};
    return look(id, &state) && state.sem_otime == 0 && is_all_zero(id, state.sem_nsems);
}

int sem_find(const struct sysv_key *k, int64_t deadline)
{
    struct semid_ds state = {0};
    int id = sysv_get(SYSV_SEM, k, 0, 0);
    if (id < 0 || !look(id, &state) || state.sem_otime != 0)
        return id;
    int lock = lock_namespace(true, deadline); /* whoever of us makes it is done then */
    if (lock < 0 && errno != ENOENT && errno != ETIMEDOUT)
        return -1;
    fd_close(&lock);
    return id;
}

int sem_change(int id, struct sembuf *changes, size_t n, int64_t deadline)
{
    for (;;) {
        int64_t left = clock_left(deadline);
        struct timespec limit = {.tv_sec = left / CLOCK_SECOND, .tv_nsec = left % CLOCK_SECOND};
        if (semtimedop(id, changes, n, left == CLOCK_NEVER ? NULL : &limit) == 0)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

void sem_mark(int id)
{
    /* whatever the value is, one of the two leaves it as it is */
    struct sembuf down_up[] = {{.sem_op = -1, .sem_flg = IPC_NOWAIT}, {.sem_op = 1, .sem_flg = IPC_NOWAIT}};
    struct sembuf zero = {.sem_op = 0, .sem_flg = IPC_NOWAIT};
    if (sem_change(id, down_up, 2, 0) < 0)
        sem_change(id, &zero, 1, 0);
}

/* Gives every semaphore its first value, and marks the set. */
static int finish(int id, size_t n, unsigned value)
{
    if (value) {
        unsigned short *values = malloc(n * sizeof *values);
        if (!values)
            return -1;
        for (size_t i = 0; i < n; i++)
            values[i] = (unsigned short)value;
        int done = semctl(id, 0, SETALL, (union semun){.array = values});
        free(values);
        if (done < 0)
            return -1;
    }
    sem_mark(id);
    return 0;
}

/* To set values takes the right to write, whatever the mode is in the end. */
static unsigned first_mode(const struct sem_making *making)
{
    return making->mode | 0600;
}

/* What is left to be done for a set that is ours. */
static int finish_ours(int id, const struct sem_making *making)
{
    struct semid_ds state = {0};
    if (finish(id, making->n, making->value) < 0)
        return -1;
    if (making->mode == first_mode(making))
        return 0;
    if (!look(id, &state))
        return -1;
    state.sem_perm.mode = (unsigned short)making->mode;
    return semctl(id, 0, IPC_SET, (union semun){.buf = &state});
}

/* Whether it is what one of us was about to make with the same words, and left behind. */
static bool is_our_remains(const struct semid_ds *state, const struct sem_making *making)
{
    return state->sem_nsems == making->n && state->sem_perm.cuid == geteuid() &&
           (state->sem_perm.mode & 0777) == first_mode(making);
}

static int make_new(const struct sysv_key *k, const struct sem_making *making)
{
    int id = sysv_get(SYSV_SEM, k, making->n, IPC_CREAT | IPC_EXCL | (int)first_mode(making));
    if (id < 0 || finish_ours(id, making) == 0)
        return id;
    int err = errno;
    semctl(id, 0, IPC_RMID);
    errno = err;
    return -1;
}

/* With the lock held. */
static int make_locked(const struct sysv_key *k, const struct sem_making *making)
{
    for (;;) {
        struct semid_ds state = {0};
        int id = make_new(k, making);
        if (id >= 0 || errno != EEXIST)
            return id;
        id = sysv_get(SYSV_SEM, k, 0, 0);
        if (id < 0 && errno == ENOENT)
            continue; /* removed just now */
        if (id < 0)
            return -1;
        bool unfinished = sem_is_untouched(id) && look(id, &state);
        if (making->exclusive && !(unfinished && is_our_remains(&state, making))) {
            errno = EEXIST;
            return -1;
        }
        int done = !unfinished         ? 0
                   : making->exclusive ? finish_ours(id, making)
                                       : finish(id, state.sem_nsems, making->value);
        return done < 0 ? -1 : id;
    }
}

int sem_make(const struct sysv_key *k, const struct sem_making *making, int64_t deadline)
{
    struct semid_ds state = {0};
    if (!making->exclusive) {
        int id = sysv_get(SYSV_SEM, k, 0, 0);
        if (id >= 0 && (!look(id, &state) || state.sem_otime != 0))
            return id;
        if (id < 0 && errno != ENOENT)
            return -1;
    }
    int lock = lock_namespace(false, deadline);
    if (lock < 0 && errno != ENOENT)
        return -1;
    int id = make_locked(k, making);
    int err = errno;
    fd_close(&lock);
    errno = err;
    return id;
}
