/*
 * notify.h - readiness, reported to whoever waits for it: a newline on an fd (--ready-fd), READY=1 to
 * $NOTIFY_SOCKET (sd_notify(3)), and last a line on stdout (-1).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/opts.h"

/* `what` is what the line on stdout says. */
#define READY_OPTIONS(X, what)                                                               \
    X(PRINT_PORT, '1', "print-port", NULL, "print the " what " and close stdout when ready") \
    X(READY_FD, 0, "ready-fd", "FD", "write a newline to FD when ready")

struct notify {
    bool print; /* -1 */
    int fd;     /* --ready-fd, -1 for none */
    bool stays; /* stdout, after the line */

    /* what could not be written yet, as nobody has made room for it */
    int manager;                 /* a socket connected to $NOTIFY_SOCKET, -1: nothing is to go there */
    bool fd_waits, stdout_waits; /* for the newline, for the line */
    int null;                    /* what takes the place of stdout */
    char state[4097], line[PATH_MAX + 1];
    size_t len, written; /* of line */
};

/* Takes an option; row counts from the first of READY_OPTIONS. */
void notify_option(struct notify *n, int row, const struct opts *o);

/*
 * Reports that we are ready: a newline on fd, which is closed; `state` (READY=1 ...) to $NOTIFY_SOCKET; last,
 * `line` and a newline on stdout, whose place /dev/null takes unless it `stays`. What finds no room is kept
 * for notify_tend. 0, or -1 with errno and *object, what could not be written: the start has failed then.
 */
int notify_ready(struct notify *n, const char *state, const char *line, const char **object);

/*
 * Before each sleep of a server: tries to write what was kept; a failure is reported. How long the sleep may
 * be, CLOCK_NEVER once nothing is kept.
 */
int64_t notify_tend(struct notify *n, const struct msg *m);

/*
 * What a program told us, or STOPPING=1, to $NOTIFY_SOCKET if there is one. Given up when there is no room
 * within a short time (speak_to). 0, or -1 with errno.
 */
int notify_pass(const char *state, bool *stalled);
void notify_stopping(void);
#define NOTIFY_STOPPING "STOPPING=1"

/*
 * A socket that is connected to $NOTIFY_SOCKET (poll(2) knows nothing of the queue of one that is not): the
 * caller's to close. -1 with errno, 0 when there is none.
 */
int notify_connect(void);

#endif
