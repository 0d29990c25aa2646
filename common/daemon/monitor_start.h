/*
 * monitor_start.h - the inside of monitor.c: how a daemon comes up.
 */
#ifndef MONITOR_START_H
#define MONITOR_START_H

#include "daemon/monitor.h"

/* Up to where PROG is up: 0, or the exit status of a failure, which has been said. */
int monitor_start(struct monitor *m);

/* Tells who started us; from then on we are alone. */
void monitor_report(struct monitor *m, int status);

#endif
