/*
 * lock.h - locks that the kernel gives back whenever their holder ends.
 *
 * flock(2), which other flock programs see, or open file description locks (F_OFD_SETLK, fcntl(2)), which
 * POSIX fcntl locks see. Either belongs to the description: close the fd and it is free.
 *
 * check/models/lock.pml goes through every interleaving, and says what is assumed.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/place.h"
#include "process/watch.h"

struct lock_kind {
    bool fcntl;                /* else flock */
    bool shared;               /* else exclusive */
    off_t start;               /* fcntl: from this byte on */
    off_t len;                 /* 0: to the end, however far the file grows */
    const struct watch *watch; /* NULL, or whose exit ends the wait, too */
};

/*
 * Locks fd until the deadline, 0: at once or not at all. Caught signals are let in; one that would end us
 * ends the wait. 0, or -1 with errno: EWOULDBLOCK when it is taken and the deadline is 0, EINTR after such a
 * signal, ETIMEDOUT, also when the deadline had passed before the first try, ESRCH when the watched process
 * has exited.
 */
int lock_fd(int fd, const struct lock_kind *kind, int64_t deadline);

/* Waits without an end, and without a look at signals: for a child that does nothing else. */
int lock_wait(int fd, const struct lock_kind *kind);

/*
 * Opens `path`, makes it if it is not there, and locks it; once it is locked, path still names it: a file
 * that was removed meanwhile is no lock. The fd, close-on-exec, or -1 with errno as lock_fd and open(2).
 */
int lock_path(const char *path, const struct lock_kind *kind, int64_t deadline);

/* Whether the path, or the place, still names the open file. */
bool lock_is_at(int fd, const char *path);
bool lock_is_current(int fd, const struct place *p);

/* The same, with what is not known: 1, 0, or -1 with errno. */
int lock_look(int fd, const struct place *p);

/*
 * Opens the file at the place, makes it, 0600, if it is not there, and locks it at once or not at all. The
 * fd, or less than 0 with errno as lock_fd and place_file.
 */
int lock_named(const struct place *p);

/*
 * Locks a place, so that one of us at a time looks at it and changes what is there, by a file of our own
 * beside it, .NAME.SUFFIX, which nobody else may open; the kernel frees it when we are killed. Waits until
 * the deadline. The fd, or less than 0 with errno as lock_fd and place_file.
 */
int lock_place(const struct place *p, const char *suffix, int64_t deadline);

/* Removes that file, while it is still locked, and closes *fd if it is open. 0, keeping errno, or -1 with
 * errno: it may still be there. */
int lock_place_end(const struct place *p, const char *suffix, int *fd);

/* The same for a short change, which is waited for 5 seconds at most: ETIMEDOUT, also after a signal that
 * would end us. */
int lock_change(const struct place *p);
const char *lock_error(int err); /* in words */
int lock_change_end(const struct place *p, int *fd);

#endif
