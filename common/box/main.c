/*
 * main.c - dispatch on the name that we were called by, and nothing else.
 */
#include "cli/applet.h"

#include <string.h>

#include "base/fd.h"
#ifndef ONE_APPLET
#include "box/toolbox.h"
#endif

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int run(const struct applet *applet, struct msg *m, int argc, char **argv)
{
    m->applet = applet->cli->name;
    return applet->main(m, argc, argv);
}

int main(int argc, char **argv)
{
    struct msg m = {.applet = "ipcbox", .link = argc < 1 ? "" : base_name(argv[0]), .level = MSG_NORMAL};
    if (fd_fill_std() < 0)
        msg_die_sys(&m, "open", "/dev/null");
    if (!*m.link) /* an empty argv, where Linux 5.18 and later put "" */
        return msg_fatal_why(&m, EXIT_NOTFOUND, "run", "''", "argv[0], the name of an applet, is empty");
#ifdef ONE_APPLET
    return run(applet_at(0), &m, argc, argv);
#else
    const struct applet *applet = applet_called(m.link);
    if (applet)
        return run(applet, &m, argc, argv);
    if (argc < 2 || *argv[1] == '-' || strcmp(argv[1], "help") == 0)
        return toolbox_main(&m, argc, argv);
    applet = applet_find(argv[1]);
    if (applet)
        m.link = NULL;
    return applet ? run(applet, &m, argc - 1, argv + 1) : toolbox_unknown(&m, argv[1]);
#endif
}
