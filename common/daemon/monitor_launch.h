/*
 * monitor_launch.h - how a monitor goes to the background, and how its caller hears whether PROG is up.
 */
#ifndef MONITOR_LAUNCH_H
#define MONITOR_LAUNCH_H

#include "daemon/monitor.h"

/*
 * Runs the monitor: here with m->foreground, else in a process of its own, and returns once it has reported.
 * The exit status; a failure has been reported.
 */
int monitor_launch(struct monitor *m);

#endif
