/* options.c - a command line, by a table with every kind of option: whatever it is, one message or values. */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/opts.h"

#define OPTIONS(X)                                     \
    MSG_OPTIONS(X)                                     \
    X(NUM, 'n', "num", "N", "a number")                \
    X(LINES, 'L', "lines", "[N]", "a number, or none") \
    X(TIME, 't', "time", "TIME", "a duration")         \
    X(SIZE, 's', "size", "SIZE", "a size")             \
    X(MODE, 'm', "mode", "MODE", "a mode")             \
    X(SIGNAL, 'S', "signal", "SIG", "a signal")        \
    X(FD, 0, "fd", "FD", "a descriptor")               \
    X(WHICH, 0, "which", "one|two|three", "a word")    \
    X(MAYBE, 0, "maybe", "[yes|no]", "a word, or none")

enum fuzz_option { OPTIONS(OPT_ENUM) };
static const struct opt options[] = {OPTIONS(OPT_ROW)};
static const char *const commands[] = {"create", "stat", "rm", NULL};
static const struct cli cli = {.name = "fuzz",
    .summary = "parse",
    .usage = "COMMAND [OPTION]... WORD",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options};

struct line {
    int argc;
    char *argv[34];
};

static void take(const struct opts *o, struct msg *m, int row)
{
    switch ((enum fuzz_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(m, row);
        break;
    case OPT_NUM:
        MUST(opts_num(o, 3, 9) - 3 <= 6);
        break;
    case OPT_LINES:
        MUST(!o->arg || opts_num(o, 0, UINT64_MAX) <= UINT64_MAX);
        break;
    case OPT_TIME:
        MUST(opts_duration(o) >= 0);
        break;
    case OPT_SIZE:
        MUST(opts_size(o, 1, 1 << 20) <= 1 << 20);
        break;
    case OPT_MODE:
        MUST(opts_mode(o) <= 07777);
        break;
    case OPT_SIGNAL:
        MUST(opts_signal(o) <= 64);
        break;
    case OPT_FD:
        MUST(opts_fd(o, 0) <= 2); /* nothing else is open */
        break;
    case OPT_WHICH:
        MUST(opts_choice(o) < 3);
        PLANTED(opts_choice(o) == 2);
        break;
    case OPT_MAYBE:
        MUST(opts_choice(o) < 2);
        break;
    }
}

static void parse(void *arg)
{
    struct line *l = arg;
    struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    struct opts o;
    int row;
    opts_start(&o, &m, &cli, l->argc, l->argv);
    while ((row = opts_next(&o)) >= 0)
        take(&o, &m, row);
    MUST(opts_command(&o) < 3 && o.first <= l->argc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "fuzz";
    struct input in = {data, size};
    struct line l = {.argc = 1, .argv = {name}};
    while (in.left && l.argc < 33)
        l.argv[l.argc++] = fuzz_text(&in, 600);
    optind = 0; /* getopt(3) begins anew: the last call may have been left in the middle of a word */
    getopt(1, l.argv, "+");
    int status = fuzz_exits(parse, &l);
    MUST(status == -1 || status == EXIT_USAGE || status == EXIT_DONE); /* --help, --version */
    while (l.argc > 1)
        free(l.argv[--l.argc]);
    return 0;
}
