/*
 * udp.h - UDP sockets for many datagrams at once, and when one of them came.
 */
#ifndef UDP_H
#define UDP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "net/addr.h"

/* Room for `bytes` of datagrams that wait, or as much as we may have (socket(7)). */
void udp_make_room(int fd, int bytes);

/*
 * An unbound socket of that family, close-on-exec, non-blocking and the caller's to close; `stamped`: the
 * kernel says when a datagram came. -1 with errno.
 */
int udp_socket(int family, int bytes, bool stamped);

/* When a datagram came, in nanoseconds since 1970: as the kernel says, else now. */
int64_t udp_arrival(struct msghdr *h);

/* Datagrams that have arrived together, of up to UDP_BYTES. */
enum { UDP_BATCH = 64, UDP_BYTES = 49 };
struct udp_batch {
    struct mmsghdr heads[UDP_BATCH];
    struct iovec v[UDP_BATCH];
    struct addr from[UDP_BATCH];
    unsigned char packets[UDP_BATCH][UDP_BYTES];
    _Alignas(struct cmsghdr) char control[UDP_BATCH][CMSG_SPACE(sizeof(struct timespec))];
};

/* Takes what has arrived, without waiting. How many, or -1 with errno. */
int udp_receive(int fd, struct udp_batch *b);

/* How long to wait for an answer to the query of that number, from 1: longer each time, and spread by *dice.
 */
int64_t udp_wait_after(unsigned tries, uint32_t *dice);

#endif
