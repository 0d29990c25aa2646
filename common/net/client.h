/*
 * client.h - what tcpclient and unixclient do with a connection: give it to a program, or relay it.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "base/env.h"
#include "cli/opts.h"
#include "net/confine.h"

/* The options of both clients, first in each applet's list. */
#define CLIENT_OPTIONS(X)                                                    \
    CONFINE_OPTION(X)                                                        \
    X(QUIET, 'q', "quiet", NULL, "print only fatal errors")                  \
    X(ERRORS, 'Q', "errors", NULL, "print errors (default)")                 \
    X(VERBOSE, 'v', "verbose", NULL, "also print when a connection is made") \
    X(RETRY, 0, "retry", NULL, "retry a failed connection until -T expires") \
    RELAY_OPTIONS(X)

/* Those that are about the relay alone, also of a server's --stdio. */
#define RELAY_OPTIONS(X)                                                           \
    X(PROGRESS, 0, "progress", NULL, "relay: report progress every second")        \
    X(NO_SHUTDOWN, 0, "no-shutdown", NULL, "relay: no half-close at end of input") \
    X(IDLE, 0, "idle", "TIME", "relay: fail if nothing moves for TIME")

struct client_options {
    bool retry, progress, no_shutdown, confine;
    bool is_server; /* signals were caught by then */
    int64_t idle;   /* 0: no limit */
};

/* Takes an option whose row is one of CLIENT_OPTIONS. */
void client_option(struct client_options *c, struct msg *m, int row, const struct opts *o);

/* Takes an option; row counts from the first of RELAY_OPTIONS. */
void client_relay_option(struct client_options *c, int row, const struct opts *o);

/*
 * Ends the process when an option of the relay or --confine is given together with a program, or --confine
 * where it can't be had.
 */
void client_check_options(const struct client_options *c, const struct msg *m, const char *prog);

/*
 * Becomes the program, with the connection on fds 6 (from the network) and 7 (to it), the UCSPI client
 * convention. fd is blocking from here on. Returns only the exit status of a failure, which has been said.
 */
int client_become(const struct msg *m, int fd, char **argv, char *const *envp);

/* The exit status for a program that is not there, found out before the connection is made; 0 if it is there.
 */
int client_check(const struct msg *m, const char *name);

/*
 * Relays stdin to the connection, which it closes, and the connection to stdout. The end of stdin
 * half-closes, unless `no_shutdown`; the peer's end is the end, once input has not come for half a second. A
 * reset is an error. Returns the exit status; EXIT_DEADLINE when nothing has moved either way for `idle` ns.
 * `progress`: tells on stderr every second how far it is.
 */
int client_relay(const struct msg *m, int fd, const struct client_options *c);

#endif
