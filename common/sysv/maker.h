/*
 * maker.h - one process of a user at a time makes semaphore sets, and everybody can see whether one does.
 *
 * The lock is a shared memory segment without a key (shmget(2)) that its holder has attached: the kernel says
 * which user has created it, which nobody can pretend, and removes it when the holder detaches it or is
 * killed. It lies in the IPC namespace of the sets, whatever file systems, processes and networks are seen
 * from there. A process that wants the lock shows a segment first and looks for those of others then, so that
 * of two at least one sees the other; the lower identifier goes first. Other users' segments count for
 * nothing.
 */
#ifndef MAKER_H
#define MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Looks again and again, less and less often: there is no event to wait for. */
struct patience {
    int64_t deadline, limit, pause;
};

/* For at least a tenth of a second, as no set takes long to make, and for 5 seconds at most. */
struct patience patience_until(int64_t deadline);

/* Sleeps a bit longer than the last time. 0, or -1 with errno: EAGAIN after the deadline, ETIMEDOUT after 5
 * s. */
int patience_sleep(struct patience *p);

/*
 * Takes the lock of our effective user: what maker_end needs, or NULL with errno: as patience_sleep, or
 * ENOLCK when no segment can be had (kernel.shmmni).
 */
void *maker_begin(struct patience *p);
void maker_end(void *lock);

/* Whether a process of that user has the lock, or is about to take it. */
bool maker_is_there(uid_t user);

#endif
