/*
 * reap.h - the ends of children. The only module that waits.
 */
#ifndef REAP_H
#define REAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/msg.h"

/*
 * The next child that has ended, or with `stops` been stopped, and its wait status, without waiting; 0 when
 * there is none (now, or at all). To be called until it says 0, with errno ECHILD if there is no child at
 * all: one SIGCHLD may stand for many ends (perlipc's REAPER).
 */
pid_t reap_next(int *status, bool stops);

/* A child that has ended, which is left to be waited for; 0 when there is none, with errno as reap_next. */
pid_t reap_peek(void);

/* Whether that child has ended; then *status is its wait status, and it has been waited for. Without waiting.
 */
bool reap_that(pid_t pid, int *status);

/* Waits for that child, through EINTR. Its wait status, or -1 with errno. */
int reap_wait(pid_t pid);

/* Whether there is any child, ended or not. */
bool reap_have_children(void);

/* The same, of any kind: those of clone(2), too, whose end is not told by SIGCHLD. */
bool reap_have_any_children(void);

/* What a wait status is as an exit status: the program's own, or 128+N for signal N. */
int reap_exit_status(int status);

/* Into an event about that child's end: child; exit, as above; signal (0: none). */
void reap_tell(struct event *e, pid_t child, int status);

#endif
