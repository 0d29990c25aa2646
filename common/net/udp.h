/*
 * udp.h - UDP sockets for many datagrams at once, and when one of them came.
 */
#ifndef UDP_H
#define UDP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
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

/*
 * The two ends of a datagram that has come, as an answer needs them.
 */
struct udp_ends {
    struct addr from;  /* as the socket has it, so that it can be sent to; length 0: nobody can answer */
    struct addr asked; /* the address of ours that it was sent to, without its port; length 0: unknown */
    struct ucred peer; /* of a Unix socket: who sent it (SCM_CREDENTIALS); else uid -1 */
    bool cut;          /* it was longer than the room for it */
    size_t source_len;
    _Alignas(struct cmsghdr) char source[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* The family of a socket that we were given, if it is one for datagrams, else -1. */
int udp_family(int fd);

/*
 * From here on the socket, of that family, says to which of our addresses a datagram was sent (IP_PKTINFO,
 * IPV6_RECVPKTINFO), or by whom (SO_PASSCRED). 0, or -1 with errno.
 */
int udp_tell_ends(int fd, int family);

/* The next datagram and its ends, without waiting: its length, or -1 with errno (recvmsg(2)). */
ssize_t udp_take(int fd, void *bytes, size_t room, struct udp_ends *e);

/* Errors of udp_answer that sendmsg(2) does not set; strerror(3) has no words for them. */
enum {
    UDP_RELATIVE = EDESTADDRREQ, /* the name of the sender's Unix socket is a relative path */
    UDP_FOREIGN = EOWNERDEAD,    /* there is no socket of the sender's (SCM_CREDENTIALS) at its path now */
};

/*
 * An answer to its sender, from the address that was asked, without waiting. A path is walked as place.h has
 * it; that needs /proc. 0, or -1 with errno: those above, those of place_open.
 */
int udp_answer(int fd, const void *bytes, size_t n, const struct udp_ends *e);

/* The sender, escaped; - if its socket has no name. */
void udp_sender(const struct udp_ends *e, struct buf *text);

/*
 * Whether what is behind that port answers whatever it is sent, and so our answer, for ever: echo, daytime,
 * quotes of the day, chargen and time (RFC 862 to 868).
 */
bool udp_answers_all(uint16_t port);

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
