/*
 * lock.c - see lock.h.
 */
#include "process/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/tick.h"
#include "process/sigs.h"

enum { DIRECTORY_SECONDS = 5 };

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

int lock_fd(int fd, const struct lock_kind *kind, int64_t deadline)
{
    int done;
    do
        done = take_once(fd, kind, false);
    while (done < 0 && errno == EINTR);
    if (done == 0 || errno != EWOULDBLOCK || !clock_left(deadline))
        return done;
    if (tick_begin() < 0)
        return -1;
    do
        done = take_once(fd, kind, true);
    while (done < 0 && errno == EINTR && clock_left(deadline) && !sigs_ending_came());
    tick_end();
    if (done < 0 && errno == EINTR && !sigs_ending_came())
        errno = ETIMEDOUT;
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

bool lock_is_current(int fd, const char *path)
{
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 && open_one.st_dev == named.st_dev &&
           open_one.st_ino == named.st_ino;
}

/* A lock needs no right to write, but for an exclusive one of fcntl's. */
static int open_lock_file(const char *path, const struct lock_kind *kind)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0 && !(kind->fcntl && !kind->shared) &&
        (errno == EACCES || errno == EISDIR || errno == EROFS || errno == ETXTBSY || errno == EPERM)) {
        int err = errno;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            errno = err; /* why it could not be made */
    }
    return fd;
}

int lock_path(const char *path, const struct lock_kind *kind, int64_t deadline)
{
    for (;;) {
        int fd = open_lock_file(path, kind);
        if (fd < 0)
            return -1;
        int done = lock_fd(fd, kind, deadline);
        if (done == 0 && lock_is_current(fd, path))
            return fd;
        fd_close(&fd);
        if (done < 0)
            return -1;
    }
}

int lock_directory_open(const char *path)
{
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(copy, path, strlen(path) + 1);
    return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int lock_directory(const char *path)
{
    int fd = lock_directory_open(path);
    if (fd < 0)
        return -1;
    const struct lock_kind kind = {.fcntl = false};
    int done = lock_fd(fd, &kind, clock_in(DIRECTORY_SECONDS * CLOCK_SECOND));
    if (done < 0) {
        if (errno == EINTR)
            errno = ETIMEDOUT;
        fd_close(&fd);
    }
    return fd;
}
