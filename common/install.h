/*
 * install.h - `ipcbox --install`: links to this binary, one for every applet and one named ipcbox.
 */
#ifndef INSTALL_H
#define INSTALL_H

#include <limits.h>

#include "msg.h"

struct install {
    const struct msg *msg;
    const char *prefix;             /* of the applets' names, "" for none */
    bool symbolic, force, make_dir; /* make_dir: the directory, and those above it */
    char self[PATH_MAX];
    int dir;
};

/* All links, or, without force, none and no directory. The exit status; a failure has been reported. */
int install_links(struct install *in, const char *dir);

#endif
