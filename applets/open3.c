/*
 * open3 - open2 with the program's stderr separate: on a pipe of its own for a client, or merged with stdout
 * line by line, each line with its time and the stream that it came from.
 */
#include "cli/applet.h"

#include "pipe/coproc.h"

#define OPEN3_OPTIONS(X) \
    COPROC_OPTIONS(X)    \
    X(TAG, 0, "tag", NULL, "merge PROG's stdout and stderr line by line, each line with its time")

enum open3_option { OPEN3_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {OPEN3_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "open3",
    .summary = "connect two programs in both directions, with stderr separate",
    .usage = "[OPTION]... SERVER [ARG]... ::: CLIENT [ARG]...\n"
             "[OPTION]... PROG [ARG]...",
    .notes = "As open2, except that CLIENT reads SERVER's stderr on fd 8.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int open3_main(struct msg *m, int argc, char **argv)
{
    struct coproc c;
    struct opts o;
    int row;
    coproc_init(&c, m);
    c.with_stderr = true;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum open3_option)row) {
            COPROC_OPTIONS(OPT_CASE)
            coproc_option(&c, row, &o);
            break;
        case OPT_TAG:
            c.tag = true;
            break;
        }
    }
    return coproc_run(&c, argv + o.first);
}

const struct applet applet_open3 = {.cli = &cli, .theme = THEME_PIPES, .main = open3_main};
