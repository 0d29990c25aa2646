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

/* Whether a socket that we were given is a listening stream socket; its family if so, else -1. */
int listen_family(int fd);

#endif
