/*
 * applet.c - the applets of this binary, from build/registry.h.
 */
#include "cli/applet.h"

#include <string.h>

#define APPLET(symbol) extern const struct applet symbol;
#include "registry.h"
#undef APPLET

static const struct applet *const applets[] = {
#define APPLET(symbol) &(symbol),
#include "registry.h"
#undef APPLET
};

size_t applet_count(void)
{
    return sizeof applets / sizeof *applets;
}

const struct applet *applet_at(size_t i)
{
    return applets[i];
}

const struct applet *applet_find(const char *name)
{
    size_t low = 0, high = applet_count();
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, applets[middle]->cli->name);
        if (order == 0)
            return applets[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct applet *applet_called(const char *name)
{
    const struct applet *applet = applet_find(name);
    while ((!applet || applet->cli->is_inner) && (name = strchr(name, '-')))
        applet = applet_find(++name);
    return applet && applet->cli->is_inner ? NULL : applet;
}
