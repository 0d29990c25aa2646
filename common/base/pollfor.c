/*
 * pollfor.c - see pollfor.h.
 *
 * Where long has 32 bits, _FORTIFY_SOURCE makes glibc before 2.37 call the ppoll(2) whose times have 32 bits
 * with those of 64 (bits/poll2.h there), and times below a second become 0. So this file does without, and
 * looks at the clock all the same.
 */
#if __SIZEOF_LONG__ == 4
#undef _FORTIFY_SOURCE
#endif
#include "base/pollfor.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static int poll_open(struct pollfd *fds, nfds_t n, const struct timespec *limit)
{
    nfds_t open = 0;
    struct pollfd *all = malloc(n * sizeof *all);
    if (!all)
        return -1;
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].fd >= 0)
            all[open++] = fds[i];
    int ready = ppoll(all, open, limit, NULL), err = errno;
    for (nfds_t i = n; i-- > 0;)
        fds[i].revents = fds[i].fd >= 0 ? all[--open].revents : 0;
    free(all);
    errno = err;
    return ready;
}

int poll_for(struct pollfd *fds, nfds_t n, int64_t ns)
{
    int64_t deadline = ns && ns != CLOCK_NEVER ? clock_in(ns) : ns;
    int ready;
    do {
        struct timespec limit = {.tv_sec = ns / CLOCK_SECOND, .tv_nsec = ns % CLOCK_SECOND};
        const struct timespec *until = ns == CLOCK_NEVER ? NULL : &limit;
        ready = ppoll(fds, n, until, NULL);
        if (ready < 0 && errno == EINVAL && n) /* the kernel counts those that are -1, too */
            ready = poll_open(fds, n, until);
    } while (ready == 0 && ns && (ns = clock_left(deadline)));
    return ready;
}

int poll_each(struct pollfd *fds, nfds_t n)
{
    int ready = 0;
    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = 0;
        int one = fds[i].fd < 0 ? 0 : poll(&fds[i], 1, 0);
        if (one < 0)
            return -1;
        ready += one;
    }
    return ready;
}
