/*
 * watch.h - a process that need not be our child: its end is seen, and a signal reaches it and no other.
 *
 * By a pidfd (pidfd_open(2)). Where none can be had - an old kernel, a seccomp filter, no free descriptor -
 * /proc is looked at again and again, and the moment of the process's birth tells it from a later one with
 * its pid.
 */
#ifndef WATCH_H
#define WATCH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/procs.h"

struct watch {
    struct process
        proc; /* its pid; the rest only where there is no pidfd, and `start` is 0 if /proc does not show it */
    int fd;   /* the pidfd, close-on-exec; -1: none */
};

/* 0, or -1 with ESRCH: there is no such process, it is a zombie, or the number is that of a thread. */
int watch_begin(struct watch *w, pid_t pid);

/* Closes the pidfd. */
void watch_end(struct watch *w);

/* Whether it has ended; a zombie has. */
bool watch_is_over(const struct watch *w);

/* What to poll for its end (fd is -1 without a pidfd), and how long to sleep at most before the next look. */
struct pollfd watch_poll(const struct watch *w);
int64_t watch_pause(const struct watch *w);

/* Signals it. 0, or -1 with errno: ESRCH if it has ended. */
int watch_signal(const struct watch *w, int sig);

#endif
