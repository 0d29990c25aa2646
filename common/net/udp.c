/*
 * udp.c - see udp.h.
 */
#include "net/udp.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

void udp_make_room(int fd, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int udp_socket(int family, int bytes, bool stamped)
{
    const int on = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    udp_make_room(fd, bytes);
    if (stamped)
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return fd;
}

int64_t udp_arrival(struct msghdr *h)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
            memcpy(&t, CMSG_DATA(c), sizeof t);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}
