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
    X(PROGRESS, 0, "progress", NULL, "without PROG: report progress every second")

struct client_options {
    bool retry, progress, confine;
};

/* Takes an option whose row is one of CLIENT_OPTIONS. */
void client_option(struct client_options *c, struct msg *m, int row);

/*
 * Ends the process when --progress or --confine is asked for together with a program, or --confine where it
 * can't be had.
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
 * Relays stdin to the connection and the connection to stdout. The end of stdin half-closes; the peer's end
 * is the end, once input has not come for half a second. A reset is an error. Returns the exit status.
 * `progress`: tells on stderr every second how far it is.
 */
int client_relay(const struct msg *m, int fd, bool progress);

#endif
