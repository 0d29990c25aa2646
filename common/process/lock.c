/*
 * lock.c - see lock.h.
 */
#include "process/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/tick.h"
#include "process/sigs.h"

enum { CHANGE_SECONDS = 5 };
static const char change_suffix[] = "lock";

/* One call, which waits or not. */
static int take_once(int fd, const struct lock_kind *kind, bool wait)
{
    if (!kind->fcntl)
        return flock(fd, (kind->shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB));
    struct flock range = {.l_type = kind->shared ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
        .l_start = kind->start,
        .l_len = kind->len};
    int done = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
    if (done < 0 && (errno == EACCES || errno == EAGAIN))
        errno = EWOULDBLOCK;
    return done;
}

static bool is_in_vain(const struct lock_kind *kind)
{
    return kind->watch && watch_is_over(kind->watch);
}

int lock_fd(int fd, const struct lock_kind *kind, int64_t deadline)
{
    int done;
    do
        done = take_once(fd, kind, false);
    while (done < 0 && errno == EINTR);
    if (done == 0 || errno != EWOULDBLOCK || !deadline)
        return done;
    if (!clock_left(deadline)) {
        errno = ETIMEDOUT;
        return -1;
    }
    if (tick_begin() < 0)
        return -1;
    do
        done = take_once(fd, kind, true);
    while (done < 0 && errno == EINTR && clock_left(deadline) && !sigs_ending_came() && !is_in_vain(kind));
    tick_end();
    if (done < 0 && errno == EINTR && !sigs_ending_came())
        errno = is_in_vain(kind) ? ESRCH : ETIMEDOUT;
    return done;
}

int lock_wait(int fd, const struct lock_kind *kind)
{
    int done;
    do
        done = take_once(fd, kind, true);
    while (done < 0 && errno == EINTR);
    return done;
}

static int is_named(int fd, int looked, const struct stat *named)
{
    struct stat open_one;
    if (looked < 0)
        return errno == ENOENT ? 0 : -1;
    return fstat(fd, &open_one) < 0 ? -1 : place_is_same_file(&open_one, named);
}

int lock_look(int fd, const struct place *p)
{
    struct stat named;
    return is_named(fd, place_look(p, &named), &named);
}

static int look_at_path(int fd, const char *path)
{
    struct stat named;
    return is_named(fd, stat(path, &named), &named);
}

bool lock_is_current(int fd, const struct place *p)
{
    return lock_look(fd, p) > 0;
}

bool lock_is_at(int fd, const char *path)
{
    return look_at_path(fd, path) > 0;
}

/*
 * A lock needs no right to write, except an exclusive one of fcntl's: a program that runs can be locked, and
 * so can a directory, which O_CREAT does not open.
 */
static int open_lock_file(const char *path, const struct lock_kind *kind)
{
    int how = kind->fcntl && !kind->shared ? O_RDWR : O_RDONLY;
    int fd = open(path, how | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0 && how == O_RDONLY && (errno == EACCES || errno == EISDIR || errno == EROFS)) {
        int err = errno;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            errno = err; /* why it could not be made */
    }
    return fd;
}

/* NFS has locks of fcntl's beneath flock(2), so that an exclusive one needs the right to write. */
static int lock_for_writing(int *fd, const char *path, const struct lock_kind *kind, int64_t deadline)
{
    int done = lock_fd(*fd, kind, deadline);
    if (done == 0 || (errno != EBADF && errno != EIO) || kind->shared || kind->fcntl)
        return done;
    fd_close(fd);
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return *fd < 0 ? -1 : lock_fd(*fd, kind, deadline);
}

int lock_path(const char *path, const struct lock_kind *kind, int64_t deadline)
{
    for (;;) {
        int fd = open_lock_file(path, kind);
        if (fd < 0)
            return -1;
        int done = lock_for_writing(&fd, path, kind, deadline);
        int is_there = done < 0 ? -1 : look_at_path(fd, path);
        if (is_there > 0)
            return fd;
        fd_close(&fd);
        if (is_there < 0)
            return -1;
    }
}

/* Whether it is what we make: a file that holds nothing. */
static bool is_lock_file(int fd)
{
    struct stat st;
    errno = EEXIST;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !st.st_size &&
           (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & 077);
}

/* NFS locks only what is open for writing, which a directory can't be, nor a file that others made for us. */
static int open_ours(const struct place *p, bool strict)
{
    int fd = place_file(p, O_RDWR | O_CREAT | O_NONBLOCK, 0600);
    if (fd < 0 && !strict && (errno == EISDIR || errno == EACCES || errno == EROFS || errno == ETXTBSY)) {
        int err = errno;
        fd = place_file(p, O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0 && errno == ENOENT)
            errno = err;
    }
    if (fd >= 0 && strict && !is_lock_file(fd))
        fd_close(&fd);
    return fd;
}

enum { UNLOCKED = -2 }; /* in place of an fd: the file is there, and the kernel has no lock for it */

/* strict: only what we make. The fd, or less than 0. */
static int lock_at(const struct place *p, bool strict, int64_t deadline)
{
    const struct lock_kind exclusive = {.fcntl = false};
    for (;;) {
        int fd = open_ours(p, strict);
        int done = fd < 0 ? -1 : lock_fd(fd, &exclusive, deadline);
        int is_there = done < 0 ? -1 : lock_look(fd, p);
        if (is_there > 0)
            return fd;
        fd_close(&fd);
        if (is_there < 0)
            return done < 0 && errno == ENOLCK ? UNLOCKED : -1;
    }
}

int lock_named(const struct place *p)
{
    return lock_at(p, false, 0);
}

int lock_place(const struct place *p, const char *suffix, int64_t deadline)
{
    char name[PLACE_NAME_SIZE];
    struct place beside = {.dir = p->dir, .name = name, .shared = p->shared};
    return place_beside(p, suffix, name) ? lock_at(&beside, true, deadline) : -1;
}

int lock_place_end(const struct place *p, const char *suffix, int *fd)
{
    char name[PLACE_NAME_SIZE];
    const struct place beside = {.dir = p->dir, .name = name};
    int err = errno, done = 0;
    if (*fd == UNLOCKED) {
        *fd = -1;
        errno = ENOLCK;
        return -1;
    }
    if (*fd >= 0 && place_beside(p, suffix, name)) {
        done = lock_look(*fd, &beside);
        if (done > 0)
            done = unlinkat(p->dir, name, 0);
    }
    fd_close(fd);
    if (done == 0)
        errno = err;
    return done;
}

int lock_change(const struct place *p)
{
    int fd = lock_place(p, change_suffix, clock_in(CHANGE_SECONDS * CLOCK_SECOND));
    if (fd < 0 && errno == EINTR)
        errno = ETIMEDOUT;
    return fd;
}

const char *lock_error(int err)
{
    return err == ETIMEDOUT ? "another process holds it" : place_error(err);
}

int lock_change_end(const struct place *p, int *fd)
{
    return lock_place_end(p, change_suffix, fd);
}
