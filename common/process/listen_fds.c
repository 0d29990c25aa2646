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
    if ((pid_t)owner != getpid())
        return 0;
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
