/*
 * lock.c - see lock.h.
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "sigs.h"

enum { LOCK_SECONDS = 5 };

int lock_directory(const char *path)
{
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(copy, path, strlen(path) + 1);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int64_t deadline = clock_in(LOCK_SECONDS * CLOCK_SECOND);
    sigs_open();
    int locked;
    do
        locked = flock(fd, LOCK_EX);
    while (locked < 0 && errno == EINTR && clock_left(deadline) && !sigs_ending_came());
    int err = errno;
    sigs_shut();
    errno = err == EINTR ? ETIMEDOUT : err;
    if (locked < 0)
        fd_close(&fd);
    return fd;
}
