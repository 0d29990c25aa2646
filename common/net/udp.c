/*
 * udp.c - see udp.h.
 */
#include "net/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/place.h"

enum { PIDFD = 4 }; /* SCM_PIDFD of linux/socket.h, which libcs do not have yet */

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

int udp_family(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;
    struct addr a;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_DGRAM)
        return -1;
    a.len = sizeof a.u;
    return getsockname(fd, &a.u.sa, &a.len) < 0 ? -1 : a.u.sa.sa_family;
}

int udp_tell_ends(int fd, int family)
{
    const int on = 1;
    if (family == AF_UNIX)
        return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0)
        return -1;
    return family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) : 0;
}

static void set_source(struct udp_ends *e, int level, int type, const void *info, size_t n)
{
    struct msghdr h = {.msg_control = e->source, .msg_controllen = sizeof e->source};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), info, n);
    e->source_len = CMSG_SPACE(n);
}

/* The routes choose the interface of an answer. Its source is ipi_spec_dst, which is ours if ipi_addr is a
 * group's. */
static void take_info(struct udp_ends *e, const void *data)
{
    struct in_pktinfo info;
    memcpy(&info, data, sizeof info);
    info.ipi_ifindex = 0;
    e->asked = (struct addr){.len = sizeof e->asked.u.in, .u.in.sin_family = AF_INET};
    e->asked.u.in.sin_addr = info.ipi_addr;
    set_source(e, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

/* The same, except for link-local addresses, which are none without their interface; a group is no source. */
static void take_info6(struct udp_ends *e, const void *data)
{
    struct in6_pktinfo info;
    memcpy(&info, data, sizeof info);
    struct in6_addr *ip = &info.ipi6_addr;
    e->asked = (struct addr){.len = sizeof e->asked.u.in6, .u.in6.sin6_family = AF_INET6};
    e->asked.u.in6.sin6_addr = *ip;
    if (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MC_LINKLOCAL(ip))
        e->asked.u.in6.sin6_scope_id = info.ipi6_ifindex;
    else
        info.ipi6_ifindex = 0;
    if (IN6_IS_ADDR_MULTICAST(ip))
        *ip = in6addr_any;
    addr_unmap(&e->asked);
    set_source(e, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

ssize_t udp_take(int fd, void *bytes, size_t room, struct udp_ends *e)
{
    _Alignas(struct cmsghdr) char control[512]; /* an inherited socket may tell more than we ask for */
    struct iovec v = {.iov_base = bytes, .iov_len = room};
    struct msghdr h = {.msg_name = &e->from.u,
        .msg_namelen = sizeof e->from.u,
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -1;
    e->from.len = h.msg_namelen > sizeof e->from.u.sa.sa_family ? h.msg_namelen : 0;
    e->asked.len = 0;
    e->source_len = 0;
    e->peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    e->cut = h.msg_flags & MSG_TRUNC;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            take_info(e, CMSG_DATA(c));
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            take_info6(e, CMSG_DATA(c));
        else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&e->peer, CMSG_DATA(c), sizeof e->peer);
        else if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SCM_RIGHTS || c->cmsg_type == PIDFD))
            for (size_t i = 0; CMSG_LEN(i + sizeof(int)) <= c->cmsg_len; i += sizeof(int))
                close(*(int *)(void *)(CMSG_DATA(c) + i)); /* nobody has asked for it */
    }
    return n;
}

/*
 * The sender's socket, if that is what its path leads to now, and not another process's, which we would send
 * what the sender likes, with our credentials. An O_PATH fd, or -1 with errno.
 */
static int open_sender(const struct udp_ends *e)
{
    char path[ADDR_UNIX_MAX + 2] = ""; /* a name of full length has no NUL */
    struct stat st;
    struct place p;
    memcpy(path, e->from.u.un.sun_path, sizeof e->from.u.un.sun_path);
    errno = UDP_RELATIVE;
    if (*path != '/' || place_open(&p, path) < 0)
        return -1;
    int fd = openat(p.dir, p.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    fd_close(&p.dir);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != e->peer.uid)) {
        errno = UDP_FOREIGN;
        fd_close(&fd);
    }
    return fd;
}

static int answer_path(int fd, const void *bytes, size_t n, const struct udp_ends *e)
{
    struct addr to = {.len = sizeof to.u.un, .u.un.sun_family = AF_UNIX};
    struct buf path = BUF(to.u.un.sun_path);
    int sender = open_sender(e);
    if (sender < 0)
        return -1;
    buf_fmt(&path, "/proc/self/fd/%d", sender);
    ssize_t done = sendto(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL, &to.u.sa, to.len);
    fd_close(&sender);
    return done < 0 ? -1 : 0;
}

int udp_answer(int fd, const void *bytes, size_t n, const struct udp_ends *e)
{
    if (e->from.u.sa.sa_family == AF_UNIX && *e->from.u.un.sun_path)
        return answer_path(fd, bytes, n, e);
    struct iovec v = {.iov_base = (void *)bytes, .iov_len = n};
    struct msghdr h = {.msg_name = (void *)&e->from.u,
        .msg_namelen = e->from.len,
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = e->source_len ? (void *)e->source : NULL,
        .msg_controllen = e->source_len};
    return sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

void udp_sender(const struct udp_ends *e, struct buf *text)
{
    char name[ADDR_TEXT_SIZE];
    struct addr a = e->from;
    addr_unmap(&a);
    if (a.len)
        addr_text(&a, name);
    buf_escaped(text, a.len ? name : "-", a.len ? strlen(name) : 1);
}

bool udp_answers_all(uint16_t port)
{
    static const unsigned char ports[] = {7, 13, 17, 19, 37};
    return port && port < 64 && memchr(ports, port, sizeof ports);
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
