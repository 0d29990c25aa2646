/*
 * sigexec - sets which signals are ignored, default, blocked, and becomes PROG.
 *
 * What a shell's trap can't do: give a program its signals back, or keep them from it.
 */
#include "applet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "find.h"
#include "sigs.h"
#include "signum.h"
#include "spawn.h"

#define SIGEXEC_OPTIONS(X)                                                       \
    X(IGNORE, 'i', "ignore", "SIG[,SIG]...", "PROG ignores them")                \
    X(DEFAULT, 'd', "default", "SIG[,SIG]...", "they do what they do")           \
    X(BLOCK, 'b', "block", "SIG[,SIG]...", "they wait until PROG unblocks them") \
    X(UNBLOCK, 'u', "unblock", "SIG[,SIG]...", "they are let in")                \
    X(LIST, 'l', "list", NULL, "print what is ignored and blocked already")

enum sigexec_option { SIGEXEC_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SIGEXEC_OPTIONS(OPT_ROW)};

static int change(enum sigexec_option how, int sig)
{
    switch (how) {
    case OPT_IGNORE:
    case OPT_DEFAULT:
        return sigs_give(sig, how == OPT_IGNORE);
    case OPT_BLOCK:
    case OPT_UNBLOCK:
        return sigs_give_blocked(sig, how == OPT_BLOCK);
    case OPT_LIST:
        break;
    }
    return 0;
}

/* ALL leaves out what can't be changed. */
static void change_all(enum sigexec_option how)
{
    for (int sig = 1; sig <= SIGNUM_MAX; sig++)
        change(how, sig);
}

static void change_listed(const struct opts *o, enum sigexec_option how)
{
    int sig;
    if (strcmp(o->arg, "ALL") == 0) {
        change_all(how);
        return;
    }
    for (const char *word = o->arg;; word++) {
        size_t n = strcspn(word, ",");
        if (!signum_parse(word, n, &sig))
            opts_wrong(o, "want signals such as TERM, 15 or RTMIN+1, with commas between, or ALL");
        if (change(how, sig) < 0)
            opts_wrong(o, "it can't be changed for one of these");
        word += n;
        if (!*word)
            return;
    }
}

static void list_inherited(struct buf *out)
{
    char name[SIGNUM_SIZE];
    for (int sig = 1; sig <= SIGNUM_MAX; sig++) {
        bool ignored = sigs_is_ignored(sig), blocked = sigs_is_blocked(sig);
        if (ignored || blocked)
            buf_fmt(out, "%s%s%s\n", signum_name(sig, name), ignored ? " ignored" : "",
                blocked ? " blocked" : "");
    }
}

static const struct cli cli = {
    .name = "sigexec",
    .summary = "set which signals a program ignores and blocks, and become it",
    .usage = "[OPTION]... PROG [ARG]...\n"
             "-l",
    .notes = "SIG is a name or a number; ALL is every signal. -l prints to stdout, before PROG to stderr.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int sigexec_main(struct msg *m, int argc, char **argv)
{
    char mem[4096];
    struct buf inherited = BUF(mem);
    struct opts o;
    bool list = false;
    int row;
    list_inherited(&inherited); /* as it was before the options changed it */
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        list = list || row == OPT_LIST;
        if (row != OPT_LIST)
            change_listed(&o, (enum sigexec_option)row);
    }
    argv += o.first;
    if (!*argv && !list)
        msg_usage(m, "want PROG");
    if (!*argv)
        return opts_print(m, &inherited);
    if (list && fd_write_all(STDERR_FILENO, inherited.mem, inherited.len) < 0)
        msg_die_sys(m, "write", "stderr");
    const char *path = find_program(*argv);
    if (!path)
        return find_failed(m, *argv, errno);
    spawn_become(path, argv, environ);
    msg_die(m, find_exit_status(errno), "exec", path, errno);
}

const struct applet applet_sigexec = {.cli = &cli, .theme = THEME_SIGNALS, .main = sigexec_main};
