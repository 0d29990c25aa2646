/*
 * lock_holders.h - which processes hold a lock on a file, as /proc shows it.
 */
#ifndef LOCK_HOLDERS_H
#define LOCK_HOLDERS_H

#include <sys/types.h>

#include "base/msg.h"

/* The byte of a file that those lock who wait for one of several locks (lockrun --slots): they hold none. */
#define LOCK_QUEUE_BYTE ((off_t)1 << 40)

/* Prints a line each, "PID NAME". EXIT_DONE; EXIT_NO: there is none, or no such file; or what has been
 * reported. */
int lock_print_holders(const struct msg *m, const char *path);

#endif
