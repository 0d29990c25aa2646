/*
 * multicast.c - see multicast.h.
 */
#include "net/multicast.h"

#include "base/fd.h"
#include "net/udp.h"

bool multicast_is_group(const struct addr *a)
{
    return addr_family(a) == AF_INET    ? IN_MULTICAST(ntohl(a->u.in.sin_addr.s_addr))
           : addr_family(a) == AF_INET6 ? IN6_IS_ADDR_MULTICAST(&a->u.in6.sin6_addr)
                                        : false;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

int multicast_from(int fd, const struct addr *to, const struct addr *local, int ttl)
{
    bool six = addr_family(to) == AF_INET6;
    int done = 0;
    if (ttl >= 0)
        done = set(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, ttl);
    if (done < 0 || !local->len)
        return done;
    if (!six)
        return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &local->u.in.sin_addr, sizeof(struct in_addr));
    int interface = (int)local->u.in6.sin6_scope_id;
    return interface ? set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, interface) : 0;
}

int multicast_join(const struct addr *group, const struct addr *local, int bytes)
{
    struct ip_mreq four = {.imr_multiaddr = group->u.in.sin_addr};
    struct ipv6_mreq six = {
        .ipv6mr_multiaddr = group->u.in6.sin6_addr, .ipv6mr_interface = group->u.in6.sin6_scope_id};
    int fd = udp_socket(addr_family(group), bytes, false);
    if (addr_family(local) == AF_INET)
        four.imr_interface = local->u.in.sin_addr;
    if (fd < 0 || set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 || bind(fd, &group->u.sa, group->len) < 0 ||
        (addr_family(group) == AF_INET6
                ? setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six)
                : setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof four)) < 0)
        fd_close(&fd);
    return fd;
}
