/*
 * sem.c - see sem.h.
 */
#include "sysv/sem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "sysv/maker.h"

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
    struct patience p = patience_until(deadline);
    int id = sysv_get(SYSV_SEM, k, 0, 0);
    while (id >= 0 && look(id, &state) && state.sem_otime == 0 && maker_is_there(state.sem_perm.cuid))
        if (patience_sleep(&p) < 0)
            return errno == ETIMEDOUT ? id : -1;
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

static void take_nums(struct sem_nums *nums, const struct opts *o)
{
    const char *at = o->arg;
    for (nums->n = 0;; at++) {
        size_t len = strcspn(at, ",");
        uint64_t num;
        if (nums->n == SEM_NUMS_MAX || !num_u64n(at, len, 0, SEM_SET_SIZE - 1, &num))
            opts_wrong(o, "expected up to 250 numbers from 0 to 31999, separated by commas");
        for (size_t i = 0; i < nums->n; i++)
            if (nums->list[i] == num)
                opts_wrong(o, "names a semaphore twice");
        nums->list[nums->n++] = (unsigned short)num;
        at += len;
        if (!*at)
            return;
    }
}

void sem_option(struct msg *m, struct sem_nums *nums, int row, const struct opts *o)
{
    enum sem_row { SEM_OPTIONS(OPT_ENUM) };
    switch ((enum sem_row)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(m, row);
        break;
    case OPT_NUM:
        take_nums(nums, o);
        break;
    case OPT_AMOUNT:
        nums->amount = (short)opts_num(o, 1, SEM_HIGHEST);
        break;
    }
}

void sem_check(const struct msg *m, const struct sem_nums *nums)
{
    if (nums->amount > 1 && !nums->count)
        msg_usage(m, "--amount requires --count");
}

int sem_change_each(
    int id, const struct sem_nums *nums, const short *ops, size_t n, short flags, int64_t deadline)
{
    struct sembuf changes[2 * SEM_NUMS_MAX];
    for (size_t i = 0; i < nums->n * n; i++)
        changes[i] = (struct sembuf){.sem_num = nums->list[i / n], .sem_op = ops[i % n], .sem_flg = flags};
    return sem_change(id, changes, nums->n * n, deadline);
}

void sem_mark(int id)
{
    /* whatever the value is, one of the two leaves it as it is */
    struct sembuf down_up[] = {{.sem_op = -1, .sem_flg = IPC_NOWAIT}, {.sem_op = 1, .sem_flg = IPC_NOWAIT}};
    struct sembuf zero = {.sem_op = 0, .sem_flg = IPC_NOWAIT};
    if (sem_change(id, down_up, 2, 0) < 0)
        sem_change(id, &zero, 1, 0);
}

/* All values at once, if all are 0 still: 0, or -1 with errno: EAGAIN when they are not, E2BIG. */
static int set_if_zero(int id, size_t n, unsigned value)
{
    struct sembuf changes[2 * SEM_NUMS_MAX];
    for (size_t i = 0; i < 2 * n; i++)
        changes[i] = (struct sembuf){
            .sem_num = (unsigned short)(i / 2), .sem_op = (short)(i % 2 ? value : 0), .sem_flg = IPC_NOWAIT};
    return semop(id, changes, 2 * n);
}

/*
 * Gives every semaphore its first value, and marks the set; both at once by semop(2), unless there are too
 * many. Then the values, all at once, come first, so that a set with a mark is always whole. 0, or -1 with
 * errno: EAGAIN when a program that is none of us has used the set.
 */
static int finish(int id, size_t n, unsigned value)
{
    if (value) {
        int done = n <= SEM_NUMS_MAX ? set_if_zero(id, n, value) : -1;
        if (done == 0 || (n <= SEM_NUMS_MAX && errno != E2BIG))
            return done;
        unsigned short *values = calloc(n, sizeof *values);
        if (!values)
            return -1;
        for (size_t i = 0; i < n; i++)
            values[i] = (unsigned short)value;
        done = semctl(id, 0, SETALL, (union semun){.array = values});
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
    int err = errno == EAGAIN ? EEXIST : errno;
    if (err != EEXIST)
        semctl(id, 0, IPC_RMID);
    errno = err;
    return -1;
}

/* Makes the set or, if it is there, whatever is still missing of it. */
static int make(const struct sysv_key *k, const struct sem_making *making, struct patience *p)
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
        bool ours = unfinished && state.sem_perm.cuid == geteuid(); /* and so no maker's that lives */
        if (unfinished && !ours && maker_is_there(state.sem_perm.cuid)) {
            if (patience_sleep(p) < 0)
                return -1;
            continue;
        }
        int done = 0;
        errno = making->exclusive ? EEXIST : EPERM;
        if (making->exclusive)
            done = ours && is_our_remains(&state, making) ? finish_ours(id, making) : -1;
        else if (unfinished)
            done = ours || !making->value ? finish(id, state.sem_nsems, making->value) : -1;
        if (done == 0 || errno != EAGAIN) /* used just now by a program that is none of us */
            return done == 0 ? id : -1;
    }
}

int sem_make(const struct sysv_key *k, const struct sem_making *making, int64_t deadline)
{
    struct semid_ds state = {0};
    struct patience p = patience_until(deadline);
    void *lock = NULL;
    if (k->form == SYSV_PRIVATE)
        return make_new(k, making);
    int id = sysv_get(SYSV_SEM, k, 0, 0);
    bool found = id >= 0 && (!look(id, &state) || state.sem_otime != 0);
    if (found && !making->exclusive)
        return id;
    errno = found ? EEXIST : errno;
    if (found || (id < 0 && errno != ENOENT))
        return -1;
    /* who would set neither values nor the only creator of the set needs no lock */
    if ((making->exclusive || making->value) && !(lock = maker_begin(&p)))
        return -1;
    id = make(k, making, &p);
    int err = errno;
    maker_end(lock);
    errno = err;
    return id;
}
