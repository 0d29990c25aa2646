/*
 * main.c - dispatch on the name that we were called by, and nothing else.
 */
#include "applet.h"

#include <string.h>

#include "fd.h"
#ifndef ONE_APPLET
#include "toolbox.h"
#endif

#ifndef ONE_APPLET
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
#endif

static int run(const struct applet *applet, struct msg *m, int argc, char **argv)
{
    m->applet = applet->cli->name;
    return applet->main(m, argc, argv);
}

int main(int argc, char **argv)
{
    struct msg m = {.applet = "ipcbox", .level = MSG_NORMAL};
    if (argc < 1)
        return EXIT_USAGE;
    if (fd_fill_std() < 0)
        msg_die_sys(&m, "open", "/dev/null");
#ifdef ONE_APPLET
    return run(applet_at(0), &m, argc, argv);
#else
    const struct applet *applet = applet_called(base_name(argv[0]));
    if (applet)
        return run(applet, &m, argc, argv);
    if (argc < 2 || *argv[1] == '-' || strcmp(argv[1], "help") == 0)
        return toolbox_main(&m, argc, argv);
    applet = applet_find(argv[1]);
    return applet ? run(applet, &m, argc - 1, argv + 1) : toolbox_unknown(&m, argv[1]);
#endif
}
