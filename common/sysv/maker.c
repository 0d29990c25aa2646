/*
 * maker.c - see maker.h.
 */
#include "sysv/maker.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/sigs.h"

#ifndef SHM_DEST
#define SHM_DEST 01000 /* in shm_perm.mode: goes with the last that has it attached */
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15 /* Linux 4.17 */
#endif

/* By these two our segments are known from others without a key. Nobody needs the right to execute. */
enum { SIZE = 3301 /* bytes */, MODE = 0700 };
enum { NOBODY = INT_MAX };
enum { LIMIT_SECONDS = 5, LEAST_MS = 100, PAUSE_MAX_MS = 50 };

struct patience patience_until(int64_t deadline)
{
    int64_t least = clock_in(LEAST_MS * CLOCK_MS);
    return (struct patience){.deadline = deadline < least ? least : deadline,
        .limit = clock_in(LIMIT_SECONDS * CLOCK_SECOND),
        .pause = CLOCK_MS};
}

int patience_sleep(struct patience *p)
{
    int64_t left = clock_left(clock_first(p->deadline, p->limit));
    if (left) {
        sigs_sleep(NULL, 0, clock_first(p->pause, left));
        p->pause = clock_first(2 * p->pause, PAUSE_MAX_MS * CLOCK_MS);
        return 0;
    }
    errno = clock_left(p->deadline) ? ETIMEDOUT : EAGAIN;
    return -1;
}

/*
 * The lowest identifier among that user's segments, `mine` apart; or NOBODY. One that nobody has attached is
 * what a killed process has left, or is being shown just now, by a process that tries again.
 */
static int find(uid_t user, int mine)
{
    struct shm_info info;
    int first = NOBODY, last = shmctl(0, SHM_INFO, (void *)&info);
    for (int i = 0; i <= last; i++) {
        struct shmid_ds s;
        int id = shmctl(i, SHM_STAT_ANY, &s);
        if (id < 0)
            id = shmctl(i, SHM_STAT, &s);
        if (id < 0 || id == mine || s.shm_perm.cuid != user || s.shm_segsz != SIZE || s.shm_perm.__key ||
            (s.shm_perm.mode & 0777) != MODE)
            continue;
        if (!s.shm_nattch)
            shmctl(id, IPC_RMID, NULL);
        else if ((s.shm_perm.mode & SHM_DEST) && id < first)
            first = id;
    }
    return first;
}

bool maker_is_there(uid_t user)
{
    return find(user, -1) != NOBODY;
}

/* Our segment, attached, and its identifier; NULL with errno. Whoever attaches it last removes it: a signal
 * that ends us comes before or after that. */
static void *show(int *id)
{
    void *at = NULL;
    sigset_t before;
    sigs_block_all(&before);
    *id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | MODE);
    if (*id >= 0) {
        at = shmat(*id, NULL, 0);
        int err = errno;
        at = (intptr_t)at == -1 ? NULL : at;
        shmctl(*id, IPC_RMID, NULL);
        errno = err;
    }
    sigs_unblock(&before);
    return at;
}

void *maker_begin(struct patience *p)
{
    for (int id, first;;) {
        void *at = show(&id);
        if (!at && errno != EINVAL && errno != EIDRM) {
            errno = ENOLCK;
            return NULL;
        }
        if (at) {
            while ((first = find(geteuid(), id)) > id && first != NOBODY && patience_sleep(p) == 0)
                ;
            if (first == NOBODY)
                return at;
            shmdt(at);
        }
        if (patience_sleep(p) < 0)
            return NULL;
    }
}

void maker_end(void *lock)
{
    if (lock)
        shmdt(lock);
}
