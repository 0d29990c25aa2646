/*
 * clock.c - see clock.h.
 */
#include "base/clock.h"

#include <time.h>

int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

int64_t clock_in(int64_t ns)
{
    int64_t now = clock_now();
    return ns >= CLOCK_NEVER - now ? CLOCK_NEVER : now + ns;
}

int64_t clock_left(int64_t deadline)
{
    if (deadline == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t left = deadline - clock_now();
    return left > 0 ? left : 0;
}

int64_t clock_first(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
