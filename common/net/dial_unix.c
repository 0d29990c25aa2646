/*
 * dial_unix.c - see dial.h: a connection to a Unix socket.
 */
#include "net/dial.h"

#include <errno.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/sigs.h"

enum { UNIX_RETRY_MIN_MS = 10, UNIX_RETRY_MAX_MS = 500 };

/* connect(2) waits for room in the backlog, as long as SO_SNDTIMEO lets it (unix(7), socket(7)). */
static int connect_unix(const struct addr *to, int64_t deadline)
{
    int64_t left = clock_left(deadline);
    /* 0 would be no limit; beyond what a timeval holds there is none */
    struct timeval limit = {
        .tv_sec = (time_t)(left / CLOCK_SECOND), .tv_usec = left % CLOCK_SECOND / 1000 + 1};
    if (limit.tv_usec > 999999)
        limit.tv_usec = 999999;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const struct timeval none = {0};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, &to->u.sa, to->len) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0)
        fd_close(&fd);
    return fd;
}

static bool may_pass(int err)
{
    return err == ENOENT || err == ECONNREFUSED || err == EAGAIN || err == EINTR;
}

int dial_unix(const struct addr *to, bool retry, int64_t deadline)
{
    int64_t pause = UNIX_RETRY_MIN_MS * CLOCK_MS;
    for (;;) {
        int fd = connect_unix(to, deadline);
        bool again = errno == EINTR || (retry && may_pass(errno));
        if (fd >= 0 || !again || !clock_left(deadline)) {
            if (fd < 0 && errno == EAGAIN) /* the backlog stayed full */
                errno = ETIMEDOUT;
            return fd;
        }
        int64_t left = clock_left(deadline);
        sigs_sleep(NULL, 0, clock_first(pause, left));
        pause = clock_first(pause * 2, UNIX_RETRY_MAX_MS * CLOCK_MS);
    }
}
