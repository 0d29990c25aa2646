/*
 * hook.h - a command of the user's that the monitor runs beside PROG, by /bin/sh, one at a time.
 */
#ifndef HOOK_H
#define HOOK_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/env.h"
#include "process/spawn.h"

struct monitor;

struct hook {
    const char *name; /* of its option */
    char *command;    /* NULL: there is none */
    pid_t pid;        /* while it runs, in a process group of its own; else 0 */
    struct start *start;
    struct env env; /* PROG's, and */
    char variables[2][PATH_MAX + 32];
    char *argv[4];
};

/*
 * Starts the command with what is in h->variables, if not empty; `in`, which is the caller's to close, is its
 * stdin (-1: /dev/null); its output goes where PROG's goes. False: there is no command, or one runs, or it
 * could not be started, which has been reported.
 */
bool hook_start(struct hook *h, struct monitor *m, int in);

/* Reports that the command was not started, as its input, which h->variables[0] names, can't be opened. */
void hook_refuse(const struct hook *h, struct monitor *m, int err);

/* Kills the command and its process group, if it runs. */
void hook_kill(const struct hook *h);

/* Whether it was this one that ended; then a failure is reported. */
bool hook_note_end(struct hook *h, struct monitor *m, pid_t pid, int status);

#endif
