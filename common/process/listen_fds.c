/*
 * listen_fds.c - see listen_fds.h.
 */
#include "process/listen_fds.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

/* Whether the i-th name of a colon-separated list is `name`. */
static bool is_named(const char *names, uint64_t i, const char *name)
{
    while (i-- && names) {
        names = strchr(names, ':');
        if (names)
            names++;
    }
    size_t len = names ? strcspn(names, ":") : 0;
    return names && len == strlen(name) && memcmp(names, name, len) == 0;
}

int listen_fds(const char *name, int *fds, int max)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n, owner;
    if (!pid || !count)
        return 0;
    if (!num_u64(pid, 1, INT32_MAX, &owner) || !num_u64(count, 0, 100000, &n)) {
        errno = EINVAL;
        return -1;
    }
    errno = ESRCH;
    if ((pid_t)owner != getpid())
        return -1;
    int found = 0;
    for (uint64_t i = 0; i < n; i++) {
        int fd = 3 + (int)i;
        if (fd_set_cloexec(fd, true) < 0)
            return -1;
        if (name && !is_named(names, i, name))
            continue;
        if (found == max) {
            errno = E2BIG;
            return -1;
        }
        fds[found++] = fd;
    }
    return found;
}

int listen_fds_or_die(const struct msg *m, const char *name, int *fds, int max)
{
    int n = listen_fds(name, fds, max);
    if (n < 0 && errno == ESRCH)
        msg_die(m, EXIT_USAGE, "inherit: LISTEN_PID is not this process, but", getenv("LISTEN_PID"), 0);
    if (n < 0)
        msg_die(m, errno == EBADF ? EXIT_SYSTEM : EXIT_USAGE, "inherit", "LISTEN_FDS", errno);
    if (n == 0)
        msg_die(m, EXIT_USAGE, "inherit: LISTEN_FDS has no socket", name, 0);
    return n;
}
