/*
 * watch.c - see watch.h.
 */
#include "process/watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pollfor.h"

enum { LOOK_MS = 50 };

/* Without a pidfd: whether the process is there. */
static bool is_seen(const struct watch *w)
{
    struct process now;
    if (!w->proc.start || !procs_look(w->proc.pid, &now)) /* it may lack a descriptor */
        return kill(w->proc.pid, 0) == 0 || errno != ESRCH;
    return now.start == w->proc.start && procs_is_alive(&now);
}

/* A pidfd, unless it would be the last descriptor: without one nothing can be read in /proc. -1 with errno.
 */
static int open_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), spare = fd < 0 ? -1 : fd_dup(fd, 0), err = errno;
    if (spare < 0)
        fd_close(&fd);
    fd_close(&spare);
    errno = err;
    return fd;
}

int watch_begin(struct watch *w, pid_t pid)
{
    *w = (struct watch){.fd = open_pidfd(pid)};
    bool none =
        w->fd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT); /* the latter of threads */
    if (w->fd < 0 && !none && !procs_look(pid, &w->proc))
        w->proc.start = 0;
    w->proc.pid = pid;
    if (!none && !watch_is_over(w))
        return 0;
    watch_end(w);
    errno = ESRCH;
    return -1;
}

void watch_end(struct watch *w)
{
    fd_close(&w->fd);
}

bool watch_is_over(const struct watch *w)
{
    struct pollfd end = watch_poll(w);
    int ready = -1;
    while (w->fd >= 0 && (ready = poll_each(&end, 1)) < 0 && errno == EINTR)
        ;
    return ready < 0 ? !is_seen(w) : ready > 0;
}

struct pollfd watch_poll(const struct watch *w)
{
    return (struct pollfd){.fd = w->fd, .events = POLLIN};
}

int64_t watch_pause(const struct watch *w)
{
    return w->fd >= 0 ? CLOCK_NEVER : LOOK_MS * CLOCK_MS;
}

int watch_signal(const struct watch *w, int sig)
{
    if (w->fd >= 0) {
        int done = (int)syscall(SYS_pidfd_send_signal, w->fd, sig, NULL, 0);
        if (done == 0 || (errno != ENOSYS && errno != EPERM)) /* EPERM may be a seccomp filter's */
            return done;
    }
    bool over = watch_is_over(w);
    errno = ESRCH;
    return over ? -1 : kill(w->proc.pid, sig);
}
