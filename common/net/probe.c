/*
 * probe.c - see probe.h.
 */
#include "net/probe.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"

bool probe_tcp(const struct dial *d, struct dial_failure *failure)
{
    struct addr peer;
    int fd = dial_tcp(d, &peer, failure);
    bool answered = fd >= 0;
    fd_close(&fd);
    return answered;
}

bool probe_loopback(uint16_t port)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    struct dial_failure failure;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        const struct dial d = {.host = hosts[i], .port = port, .deadline = clock_in(CLOCK_SECOND)};
        if (probe_tcp(&d, &failure))
            return true;
    }
    return false;
}

bool probe_unix(const struct addr *a)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    int done = -1;
    errno = EPROTOTYPE;
    for (size_t i = 0; i < sizeof types / sizeof *types && done < 0 && errno == EPROTOTYPE; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        done = fd < 0 ? -1 : connect(fd, &a->u.sa, a->len);
        if (done < 0 && errno == EAGAIN)
            done = 0;
        fd_close(&fd);
    }
    return done == 0;
}
