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

int udp_receive(int fd, struct udp_batch *b)
{
    for (int i = 0; i < UDP_BATCH; i++) {
        b->v[i] = (struct iovec){.iov_base = b->packets[i], .iov_len = sizeof b->packets[i]};
        b->heads[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &b->from[i].u,
                                           .msg_namelen = sizeof b->from[i].u,
                                           .msg_iov = &b->v[i],
                                           .msg_iovlen = 1,
                                           .msg_control = b->control[i],
                                           .msg_controllen = sizeof b->control[i]}};
    }
    int n = recvmmsg(fd, b->heads, UDP_BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        b->from[i].len = b->heads[i].msg_hdr.msg_namelen;
    return n;
}

int64_t udp_wait_after(unsigned tries, uint32_t *dice)
{
    enum { FIRST_WAIT_MS = 250, LAST_WAIT_MS = 2000 };
    int64_t wait = FIRST_WAIT_MS;
    while (--tries && wait < LAST_WAIT_MS)
        wait += wait / 2;
    if (wait > LAST_WAIT_MS)
        wait = LAST_WAIT_MS;
    *dice = *dice * 1664525 + 1013904223;
    return wait * CLOCK_MS * (75 + (*dice >> 16) % 50) / 100;
}
