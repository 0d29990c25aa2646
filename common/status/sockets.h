/*
 * sockets.h - where our processes listen, and who is connected: by /proc/PID/net, which shows the network
 * namespace of that process, and the inodes of the sockets that they hold.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "net/addr.h"
#include "status/holdings.h"

/* One socket of one process. */
struct seen_socket {
    const struct found *owner;
    uint64_t inode;
    pid_t pid; /* who has it: the owner, or a program below it */
    enum { SOCKET_TCP, SOCKET_UDP, SOCKET_UNIX } protocol;
    bool listens;                                       /* or, of UDP, is not connected */
    unsigned long waiting;                              /* connections that the kernel has queued there */
    unsigned state;                                     /* of tcp(7), as in <netinet/tcp.h> */
    uint16_t port;                                      /* ours */
    char local[ADDR_TEXT_SIZE], remote[ADDR_TEXT_SIZE]; /* remote: empty if it is not known */
};

/* All sockets of ours, and the connections of the programs that they have started. */
struct sockets {
    struct list list; /* struct seen_socket */
};

/* Looks up what holdings_take has found, and adds the programs' to it. 0, or -1 with ENOMEM. */
int sockets_take(struct sockets *s, const struct census *c, struct holdings *h);
void sockets_free(struct sockets *s);

/* "listen", "established"... */
const char *sockets_state(const struct seen_socket *s);

#endif
