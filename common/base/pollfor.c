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

#include <time.h>

#include "base/clock.h"

int poll_for(struct pollfd *fds, nfds_t n, int64_t ns)
{
    int64_t deadline = ns && ns != CLOCK_NEVER ? clock_in(ns) : ns;
    int ready;
    do {
        struct timespec limit = {.tv_sec = ns / CLOCK_SECOND, .tv_nsec = ns % CLOCK_SECOND};
        ready = ppoll(fds, n, ns == CLOCK_NEVER ? NULL : &limit, NULL);
    } while (ready == 0 && ns && (ns = clock_left(deadline)));
    return ready;
}
