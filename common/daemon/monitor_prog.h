/*
 * monitor_prog.h - a monitor and the PROG that it looks after: starts, signals, readiness, output; see
 * monitor.h.
 */
#ifndef MONITOR_PROG_H
#define MONITOR_PROG_H

#include "daemon/monitor.h"

enum { READY_FD_NUMBER = 3, PROG_FDS };

/* Says what becomes of signals and of output; before anything is started. */
void monitor_prog_begin(struct monitor *m);

/* Starts PROG, and returns once it has been executed. 0, or the exit status of a failure, which has been
 * reported. */
int monitor_prog_start(struct monitor *m);

/* job_sleep; meanwhile PROG's output, newline and messages are taken. */
void monitor_sleep(struct monitor *m, int64_t ns);

/* job_end for PROG and its descendants, whose last output is taken meanwhile. */
int monitor_prog_end(struct monitor *m);

#endif
