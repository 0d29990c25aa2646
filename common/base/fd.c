/*
 * fd.c - see fd.h.
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"

int fd_fill_std(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        /* open takes the lowest free number, which is fd: all below it are open */
        if (open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC) < 0)
            return -1;
    }
    return 0;
}

/* close_range(2), since Linux 5.9, its flag since 5.11; not in every libc's headers */
static int close_range_of(int first, unsigned last, unsigned flags)
{
#ifdef SYS_close_range
    return (int)syscall(SYS_close_range, (unsigned)first, last, flags);
#else
    (void)first;
    (void)last;
    (void)flags;
    errno = ENOSYS;
    return -1;
#endif
}

/* Without it: every fd that is open, or where there is no /proc, that could be. */
static void for_each_of(int first, unsigned last, void (*action)(int fd))
{
    DIR *open_fds = opendir("/proc/self/fd");
    struct dirent *entry;
    uint64_t fd;
    if (!open_fds) {
        long top = sysconf(_SC_OPEN_MAX);
        for (int n = first; n < top && (unsigned)n <= last; n++)
            action(n);
        return;
    }
    while ((entry = readdir(open_fds)))
        if (num_u64(entry->d_name, (uint64_t)first, last, &fd) && (int)fd != dirfd(open_fds))
            action((int)fd);
    closedir(open_fds);
}

static void mark(int fd)
{
    fd_set_cloexec(fd, true);
}

void fd_cloexec_from(int first)
{
    const unsigned only_mark = 1U << 2; /* CLOSE_RANGE_CLOEXEC */
    if (close_range_of(first, INT_MAX, only_mark) < 0)
        for_each_of(first, INT_MAX, mark);
}

static void close_one(int fd)
{
    close(fd);
}

void fd_close_others(int first, const int *keep, size_t n)
{
    for (bool more = true; more;) {
        int next = INT_MAX;
        for (size_t i = 0; i < n; i++)
            if (keep[i] >= first && keep[i] < next)
                next = keep[i];
        more = next < INT_MAX;
        if (next > first && close_range_of(first, (unsigned)next - more, 0) < 0)
            for_each_of(first, (unsigned)next - more, close_one);
        first = next + more;
    }
}

void fd_close_from(int first)
{
    fd_close_others(first, NULL, 0);
}

int fd_dup(int fd, int min)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);
    if (copy < 0 && errno == EINVAL)
        errno = EMFILE;
    return copy;
}

int fd_raise(int *fd, int min)
{
    if (*fd >= min)
        return 0;
    int above = fd_dup(*fd, min);
    if (above < 0)
        return -1;
    close(*fd);
    *fd = above;
    return 0;
}

int fd_set_cloexec(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFD);
    return flags < 0 ? -1 : fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int fd_to_null(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -1;
    int done = dup2(null, fd);
    fd_close(&null);
    return done < 0 ? -1 : 0;
}

ssize_t fd_write(int fd, const void *bytes, size_t n)
{
    ssize_t done;
    do
        done = write(fd, bytes, n);
    while (done < 0 && errno == EINTR);
    return done;
}

ssize_t fd_read(int fd, void *bytes, size_t n)
{
    ssize_t done;
    do
        done = read(fd, bytes, n);
    while (done < 0 && errno == EINTR);
    return done;
}

static int wait_for(int fd, short events)
{
    struct pollfd wait = {.fd = fd, .events = events};
    return poll(&wait, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

ssize_t fd_read_wait(int fd, void *bytes, size_t n)
{
    ssize_t done;
    while ((done = fd_read(fd, bytes, n)) < 0 && errno == EAGAIN)
        if (wait_for(fd, POLLIN) < 0)
            return -1;
    return done;
}

int fd_write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t done = fd_write(fd, p, n);
        if (done < 0 && errno == EAGAIN && wait_for(fd, POLLOUT) == 0)
            continue;
        if (done < 0)
            return -1;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

void fd_close(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    close(*fd);
    errno = saved;
    *fd = -1;
}
