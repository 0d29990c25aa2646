/*
 * open2 - joins two programs both ways, or relays our stdin and stdout to one.
 *
 * perlipc's bidirectional communication with another process, without its deadlocks.
 */
#include "applet.h"

#include "coproc.h"

static const struct opt options[] = {COPROC_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "open2",
    .summary = "join two programs both ways, or relay to one",
    .usage = "[OPTION]... SERVER [ARG]... ::: CLIENT [ARG]...\n"
             "[OPTION]... PROG [ARG]...",
    .notes = "CLIENT reads SERVER from fd 6 and writes to it on fd 7. The exit status is CLIENT's if it is\n"
             "not 0, else SERVER's. Alone, PROG is SERVER, and we are its client.",
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
