/*
 * open3 - open2 with the program's stderr apart: on a pipe of its own for a client, or line by line with
 * stdout, each line with its time and where it came from.
 */
#include "applet.h"

#include "coproc.h"

#define OPEN3_OPTIONS(X) \
    COPROC_OPTIONS(X)    \
    X(TAG, 0, "tag", NULL, "write all output of PROG to stdout, by line, with time and name")

enum open3_option { OPEN3_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {OPEN3_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "open3",
    .summary = "join two programs both ways, stderr apart, or relay to one",
    .usage = "[OPTION]... SERVER [ARG]... ::: CLIENT [ARG]...\n"
             "[OPTION]... PROG [ARG]...",
    .notes = "As open2, and CLIENT reads SERVER's stderr from fd 8.",
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
