/*
 * multicast.h - groups of hosts that a datagram can be sent to (ip(7), ipv6(7)).
 */
#ifndef MULTICAST_H
#define MULTICAST_H

#include "net/addr.h"

bool multicast_is_group(const struct addr *a);

/*
 * What of that socket goes to the group `to` leaves from the interface of `local` (length 0: the routes
 * choose) and crosses ttl - 1 routers (-1: the default, none). 0, or -1 with errno.
 */
int multicast_from(int fd, const struct addr *to, const struct addr *local, int ttl);

/* A socket that gets what is sent to the group and its port; the caller's to close. -1 with errno. */
int multicast_join(const struct addr *group, const struct addr *local, int bytes);

#endif
