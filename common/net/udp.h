/*
 * udp.h - UDP sockets for many datagrams at once, and when one of them came.
 */
#ifndef UDP_H
#define UDP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for `bytes` of datagrams that wait, or as much as we may have (socket(7)). */
void udp_make_room(int fd, int bytes);

/*
 * An unbound socket of that family, close-on-exec, non-blocking and the caller's to close; `stamped`: the
 * kernel says when a datagram came. -1 with errno.
 */
int udp_socket(int family, int bytes, bool stamped);

/* When a datagram came, in nanoseconds since 1970: as the kernel says, else now. */
int64_t udp_arrival(struct msghdr *h);

#endif
