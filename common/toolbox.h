/*
 * toolbox.h - what `ipcbox` itself does when it is not called as an applet: help, --list, --help, --version,
 * --install, --completion, and the suggestion for a name that is unknown.
 */
#ifndef TOOLBOX_H
#define TOOLBOX_H

#include "msg.h"

/* argv[1..] begin with an option or `help`, or there are none. Returns the exit status. */
int toolbox_main(struct msg *m, int argc, char **argv);

/* `unknown applet 'X'; did you mean Y?`; returns 127. */
int toolbox_unknown(const struct msg *m, const char *name);

#endif
