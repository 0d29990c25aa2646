/*
 * applet.h - the descriptor of an applet, the one symbol that applets/NAME.c exports.
 *
 * The Makefile makes build/registry.h from the files in applets/: a row APPLET(symbol) each, sorted by name.
 */
#ifndef APPLET_H
#define APPLET_H

#include "cli/opts.h"

enum theme { THEME_SIGNALS, THEME_PIPES, THEME_DAEMONS, THEME_SOCKETS, THEME_TIME, THEME_SYSV };

struct applet {
    const struct cli *cli;
    enum theme theme;
    /* fds 0 to 2 are open; m->applet is the applet's name. Returns the exit status. */
    int (*main)(struct msg *m, int argc, char **argv);
};

/* The applet of that name in this binary, or NULL. */
const struct applet *applet_find(const char *name);

/* The applet that a link of that name stands for: the one with the longest name of which `name` is APPLET or
 * WORD-APPLET, or NULL. */
const struct applet *applet_called(const char *name);

/* The applets of this binary, sorted by name; those with a link are `!cli->is_inner`. */
size_t applet_count(void);
const struct applet *applet_at(size_t i);

#endif
