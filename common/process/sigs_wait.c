/*
 * sigs_wait.c - see sigs.h: sleeps that are made of sigs_sleep.
 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "process/sigs.h"

int sigs_sleep_or_die(const struct msg *m, struct pollfd *fds, nfds_t n, int64_t ns)
{
    int ready = sigs_sleep(fds, n, ns);
    if (ready < 0 && errno != EINTR)
        msg_die_sys(m, "poll", NULL);
    return ready;
}

int sigs_sleep_or_pause(struct pollfd *fds, nfds_t n, int64_t ns)
{
    int ready = sigs_sleep(fds, n, ns);
    return ready < 0 && errno != EINTR ? sigs_look_and_pause(fds, n, ns) : ready;
}

int sigs_wait(int fd, short events, int64_t deadline)
{
    struct pollfd wait = {.fd = fd, .events = events};
    for (;;) {
        int n = sigs_sleep(&wait, 1, clock_left(deadline));
        if (n > 0)
            return 0;
        if (n == 0)
            errno = ETIMEDOUT;
        if (errno != EINTR)
            return -1;
    }
}
