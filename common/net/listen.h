/*
 * listen.h - TCP sockets that listen, or UDP sockets that are bound, for a HOST and a PORT as a user writes
 * them.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include "net/resolve.h"

enum { LISTEN_TEXT = 512 };

struct listen {
    const char *host; /* "0" or "": all addresses of both families; else all addresses that it has */
    uint16_t port;    /* 0: the kernel's choice, the same for all; listen_open puts it here */
    int type;         /* SOCK_STREAM or SOCK_DGRAM */
    bool ipv4_only;
    int backlog;
    const char *iface; /* a network device to listen on, or NULL */
    bool reuse_port;   /* share the port with other sockets of the same user that ask for it: socket(7) */
    /* the result */
    int *fds; /* close-on-exec, non-blocking; the caller's to close, and to be freed by listen_free */
    int n;
    /* or what failed */
    const char *action, *why;
    char object[LISTEN_TEXT];
};

/* 0, or -1 with action, object and why; then nothing is left open. */
int listen_open(struct listen *l);

/* Frees the list of fds, which stay open. */
void listen_free(struct listen *l);

/*
 * Has the kernel find out whether an idle peer is still there (tcp(7)): how many seconds it is idle before,
 * the seconds between two probes, and how many of them (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT).
 * Connections inherit it from their listener. 0 seconds: off. 0, or -1 with errno.
 */
int listen_set_keepalive(int fd, const int values[static 3]);

/*
 * From here on the kernel takes no new connections for a listening stream socket, and no new datagrams; those
 * connections that it has completed and datagrams that have come stay in the queue. What a client has begun
 * on TCP but not completed may still come: true. (A filter, which drops segments with SYN; shutdown(2) would
 * reset the queue, except on a Unix socket.)
 */
bool listen_stop(int fd);

/* Resets what is in the queue of a listener, which does not block: how many connections that were. */
unsigned long listen_reset_queue(int fd);

/*
 * Sends last bytes without waiting and shuts our side down. What the peer has sent is read first: closing a
 * socket with unread data resets the connection (RFC 1122, 4.2.2.13), and the reset may overtake the bytes.
 * The fd stays the caller's. Whether all bytes were taken.
 */
bool listen_say_last(int fd, const void *bytes, size_t n);

/* Whether a socket that we were given is a listening stream socket; its family if so, else -1. */
int listen_family(int fd);

#endif
