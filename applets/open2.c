/*
 * open2 - connects two programs in both directions, or our stdin and stdout to one.
 *
 * perlipc's bidirectional communication with another process, without its deadlocks.
 */
#include "cli/applet.h"

#include "pipe/coproc.h"

static const struct opt options[] = {COPROC_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "open2",
    .summary = "connect two programs in both directions, or relay to one",
    .usage = "[OPTION]... SERVER [ARG]... ::: CLIENT [ARG]...\n"
             "[OPTION]... PROG [ARG]...",
    .notes =
        "CLIENT reads SERVER's stdout on fd 6 and writes to SERVER's stdin on fd 7. With PROG alone, stdin\n"
        "and stdout of open2 take the place of CLIENT. The exit status is CLIENT's unless that is 0, then\n"
        "SERVER's.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int open2_main(struct msg *m, int argc, char **argv)
{
    struct coproc c;
    struct opts o;
    int row;
    coproc_init(&c, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        coproc_option(&c, row, &o);
    return coproc_run(&c, argv + o.first);
}

const struct applet applet_open2 = {.cli = &cli, .theme = THEME_PIPES, .main = open2_main};
