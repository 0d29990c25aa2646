/*
 * sigexec - sets signal dispositions and the signal mask, then execs PROG.
 *
 * A shell's trap can't reset a signal that was ignored when the shell started, and can't block one.
 */
#include "cli/applet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/find.h"
#include "process/sigs.h"
#include "base/signum.h"
#include "process/spawn.h"

#define SIGEXEC_OPTIONS(X)                                                                  \
    X(IGNORE, 'i', "ignore", "SIG[,SIG]...", "ignore these signals in PROG")                \
    X(DEFAULT, 'd', "default", "SIG[,SIG]...", "reset these signals to the default action") \
    X(BLOCK, 'b', "block", "SIG[,SIG]...", "block these signals in PROG")                   \
    X(UNBLOCK, 'u', "unblock", "SIG[,SIG]...", "unblock these signals in PROG")             \
    X(LIST, 'l', "list", NULL, "list the signals that sigexec inherited as ignored or blocked")

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
            opts_wrong(o, "expected signals such as TERM,15,RTMIN+1, or ALL");
        if (change(how, sig) < 0)
            opts_wrong(o, "KILL and STOP can't be ignored or blocked, 32 and 33 belong to libc");
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
    .summary = "run a program with signals ignored, reset, blocked or unblocked",
    .usage = "[OPTION]... PROG [ARG]...\n"
             "-l",
    .notes = "SIG is a name or a number; ALL is every signal that can be changed. -l prints to stdout, or to "
             "stderr\n"
             "if PROG is given.",
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
        msg_usage(m, "missing PROG");
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
