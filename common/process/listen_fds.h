/*
 * listen_fds.h - sockets that a service manager has opened for us (the LISTEN_FDS protocol,
 * sd_listen_fds(3)).
 */
#ifndef LISTEN_FDS_H
#define LISTEN_FDS_H

#include "base/msg.h"

/*
 * How many sockets LISTEN_FDS hands to this process (LISTEN_PID must be ours); they begin at fd 3 and are
 * made close-on-exec. Only those called `name` in LISTEN_FDNAMES if it is not NULL. They go to fds[0..]. -1
 * with errno: EINVAL when the variables make no sense, E2BIG when there are more than max, ESRCH when they
 * are meant for another process.
 */
int listen_fds(const char *name, int *fds, int max);

/* The same for --inherit: ends the process, with a message, unless there is at least one. */
int listen_fds_or_die(const struct msg *m, const char *name, int *fds, int max);

#endif
