/*
 * notify.h - readiness, said to whoever waits for it, and sockets taken from a service manager.
 *
 * Three ways: a newline on an fd (--ready-fd), READY=1 to $NOTIFY_SOCKET, and last a line on stdout (-1)
 * (sd_notify(3)). The sockets are those of the LISTEN_FDS protocol (sd_listen_fds(3)).
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

    /* what could not be written yet, as nobody has made room for it */
    int manager;                 /* a socket connected to $NOTIFY_SOCKET, -1: nothing is to go there */
    bool fd_waits, stdout_waits; /* for the newline, for the line */
    int null;                    /* what takes the place of stdout */
    char state[1024], line[PATH_MAX + 1];
    size_t len, written; /* of line */
};

/* Takes an option; row counts from the first of READY_OPTIONS. */
void notify_option(struct notify *n, int row, const struct opts *o);

/*
 * Reports that we are ready: a newline on fd, which is closed; `state` (READY=1 ...) to $NOTIFY_SOCKET; last,
 * `line` and a newline on stdout, whose place /dev/null takes. What finds no room is kept for notify_tend. 0,
 * or -1 with errno and *object, what could not be written: the start has failed then.
 */
int notify_ready(struct notify *n, const char *state, const char *line, const char **object);

/*
 * Before each sleep of a server: tries to write what was kept; a failure is reported. How long the sleep may
 * be, CLOCK_NEVER once nothing is kept.
 */
int64_t notify_tend(struct notify *n, const struct msg *m);

/*
 * What a program told us, or STOPPING=1, to $NOTIFY_SOCKET if there is one. Given up when there is no room
 * within a short time. 0, or -1 with errno.
 */
int notify_pass(const char *state);
void notify_stopping(void);

/*
 * The other side: a socket for programs that tell us. *fd is close-on-exec, non-blocking and the caller's to
 * close; its name, which the kernel finds and takes back with it, is put into `assignment`
 * (NOTIFY_SOCKET=...). 0, or -1 with errno.
 */
enum { NOTIFY_SIZE = 64 };
int notify_listen(int *fd, char assignment[static NOTIFY_SIZE]);

/*
 * The next message of a process of that user, of root, or of that process group (0: of none), as the name is
 * no secret; with a NUL behind it. Its length, or -1 with errno: EAGAIN when there is none, or when too many
 * of others come.
 */
ssize_t notify_receive(int fd, uid_t user, pid_t group, char *text, size_t size);

/* Whether one of the message's lines is that one. */
bool notify_has(const char *text, const char *line);

/*
 * How many sockets LISTEN_FDS hands to this process (LISTEN_PID must be ours); they begin at fd 3 and are
 * made close-on-exec. Only those called `name` in LISTEN_FDNAMES if it is not NULL. They go to fds[0..]. -1
 * with errno: EINVAL when the variables make no sense, E2BIG when there are more than max.
 */
int notify_inherited(const char *name, int *fds, int max);

#endif
