/*
 * monitor_control.h - the control commands: what is asked of a monitor through the pidfile that it has
 * locked.
 */
#ifndef MONITOR_CONTROL_H
#define MONITOR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/msg.h"

enum monitor_command {
    MONITOR_CMD_STATUS,
    MONITOR_CMD_STOP,
    MONITOR_CMD_RESTART,
    MONITOR_CMD_RELOAD,
    MONITOR_CMD_ROTATE
};

struct monitor_control {
    const struct msg *msg;
    enum monitor_command command;
    const char *name; /* of the command, for messages */
    const char *path; /* of the pidfile */
    bool names_prog;  /* it is the one that PROG's pid is in */
    int64_t timeout;  /* of a stop */
};

/* Carries the command out. The exit status; a failure has been reported. */
int monitor_control(const struct monitor_control *c);

#endif
