/*
 * monitor_start.h - the inside of monitor.c: how a daemon comes up.
 */
#ifndef MONITOR_START_H
#define MONITOR_START_H

#include "daemon/monitor.h"

/* Up to where PROG is up: 0, or the exit status of a failure, which has been said. */
int monitor_start(struct monitor *m);

/* Starts PROG. 0, or the exit status of a failure, which has been said. */
int monitor_start_prog(struct monitor *m);

/* Tells who started us; from then on we are alone. */
void monitor_report(struct monitor *m, int status);

/* job_sleep, and what comes meanwhile from PROG is taken. */
void monitor_sleep(struct monitor *m, int64_t ns);
void monitor_take_log(void *owner);
void monitor_take_newline(struct monitor *m);
void monitor_take_message(struct monitor *m);

/* A struct job's on_signal. */
void monitor_signal(void *owner, int sig, bool sent);

#endif
