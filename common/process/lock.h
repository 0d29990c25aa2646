/*
 * lock.h - locks that the kernel gives back whenever their holder ends.
 *
 * flock(2), which other flock programs see, or open file description locks (F_OFD_SETLK, fcntl(2)), which
 * POSIX fcntl locks see. Either belongs to the description: close the fd and it is free.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock_kind {
    bool fcntl;  /* else flock */
    bool shared; /* else exclusive */
    off_t start; /* fcntl: from this byte on */
    off_t len;   /* 0: to the end, however far the file grows */
};

/*
 * Locks fd until the deadline, 0: at once or not at all. Caught signals are let in; one that would end us
 * ends the wait. 0, or -1 with errno: EWOULDBLOCK when it is taken, EINTR after such a signal, ETIMEDOUT.
 */
int lock_fd(int fd, const struct lock_kind *kind, int64_t deadline);

/* Waits without an end, and without a look at signals: for a child that does nothing else. */
int lock_wait(int fd, const struct lock_kind *kind);

/*
 * Opens `path`, makes it if it is not there, and locks it; once it is locked, path still names it: a file
 * that was removed meanwhile is no lock. The fd, close-on-exec, or -1 with errno as lock_fd and open(2).
 */
int lock_path(const char *path, const struct lock_kind *kind, int64_t deadline);

/* Whether path still names the open file. */
bool lock_is_current(int fd, const char *path);

/* Opens the directory that `path` is in, close-on-exec. -1 with errno. */
int lock_directory_open(const char *path);

/*
 * Locks the directory that `path` is in, so that one of us at a time looks at path and changes what is there.
 * Waits 5 seconds at the most. The fd to close when done, or -1 with errno: ETIMEDOUT also when a signal
 * came that would end us.
 */
int lock_directory(const char *path);

#endif
