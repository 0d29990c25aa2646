/*
 * toolbox.c - see toolbox.h.
 */
#include "box/toolbox.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/applet.h"
#include "box/complete.h"
#include "base/fd.h"
#include "process/find.h"
#include "box/install.h"
#include "base/nearest.h"
#include "process/spawn.h"
#include "base/speak.h"
#include "base/version.h"

enum { TEXT_SIZE = 128 * 1024 };

#define TOOLBOX_OPTIONS(X)                                                                      \
    X(LIST, 0, "list", NULL, "print the names of the applets, one per line")                    \
    X(HELP_OF, 'h', "help", "[APPLET]", "print this overview, or the help of APPLET")           \
    X(VERSION, 0, "version", NULL, "print the version and exit")                                \
    X(COMPLETION, 0, "completion", "bash|zsh|fish", "print a completion script for that shell") \
    X(INSTALL, 0, "install", NULL, "link ipcbox and every applet into DIR")                     \
    X(SYMBOLIC, 's', "symbolic", NULL, "with --install: make symbolic links")                   \
    X(FORCE, 'f', "force", NULL, "with --install: replace existing files")                      \
    X(PARENTS, 'p', "parents", NULL, "with --install: create DIR and its parents if missing")   \
    X(PREFIX, 0, "prefix", "WORD", "with --install, --completion: put WORD before the applets' names")

static const struct opt options[] = {TOOLBOX_OPTIONS(OPT_ROW)};

static const char *const commands[] = {"help", NULL};

static const struct cli cli = {.name = "ipcbox",
    .summary = "Unix interprocess communication for the shell",
    .usage = "APPLET [ARGUMENT]...\n"
             "help [APPLET]\n"
             "status [OPTION]...\n"
             "--list\n"
             "--help [APPLET]\n"
             "--version\n"
             "--install [-s] [-f] [-p] [--prefix WORD] DIR\n"
             "--completion bash|zsh|fish [--prefix WORD]",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options};

static const char *const theme_names[] = {
    [THEME_SIGNALS] = "Signals and processes",
    [THEME_PIPES] = "Pipes, FIFOs, coprocesses",
    [THEME_DAEMONS] = "Daemons",
    [THEME_SOCKETS] = "Sockets",
    [THEME_TIME] = "Time",
    [THEME_SYSV] = "System V IPC",
};

static void add_themes(struct buf *out)
{
    for (size_t theme = 0; theme < sizeof theme_names / sizeof *theme_names; theme++) {
        bool named = false;
        for (size_t i = 0; i < applet_count(); i++) {
            const struct applet *a = applet_at(i);
            if (a->theme != (enum theme)theme || a->cli->is_inner)
                continue;
            if (!named)
                buf_fmt(out, "\n%s\n", theme_names[theme]);
            named = true;
            buf_fmt(out, "  %-12s %s\n", a->cli->name, a->cli->summary);
        }
    }
}

static void add_overview(struct buf *out)
{
    buf_fmt(out, "ipcbox %s: %s\n\n", IPCBOX_VERSION, cli.summary);
    opts_usage(&cli, out);
    add_themes(out);
    buf_text(out, "\nManual pages: ipcbox(1), ipcbox(7), APPLET(1); 'ipcbox help APPLET' shows one.\n");
}

int toolbox_unknown(const struct msg *m, const char *name)
{
    struct nearest nearest = nearest_to(name, strlen(name));
    nearest_try(&nearest, "help");
    for (size_t i = 0; i < applet_count(); i++)
        nearest_try(&nearest, applet_at(i)->cli->name);
    char mem[512], line[1024];
    struct buf escaped = BUF(mem), b = BUF(line);
    buf_escaped(&escaped, name, strlen(name));
    buf_fmt(&b, "%s: unknown applet '%s'", m->applet, buf_str(&escaped));
    if (nearest.name)
        buf_fmt(&b, "; did you mean %s?", nearest.name);
    else
        buf_text(&b, "; see 'ipcbox --list'");
    buf_char(&b, '\n');
    speak(b.mem, b.len);
    return EXIT_NOTFOUND;
}

static enum complete_shell shell_of(const struct opts *o)
{
    return (enum complete_shell)opts_choice(o); /* in the order of the row */
}

/* --help [APPLET]: the name may be a word of its own. */
static int print_help(const struct msg *m, const char *name, struct buf *out)
{
    const struct applet *applet = name ? applet_find(name) : NULL;
    if (name && !applet)
        return toolbox_unknown(m, name);
    if (applet)
        opts_help(applet->cli, out);
    else
        add_overview(out);
    return opts_print(m, out);
}

static int print_list(const struct msg *m, struct buf *out)
{
    for (size_t i = 0; i < applet_count(); i++)
        if (!applet_at(i)->cli->is_inner)
            buf_fmt(out, "%s\n", applet_at(i)->cli->name);
    return opts_print(m, out);
}

static int print_version(const struct msg *m, struct buf *out)
{
    buf_fmt(out, "ipcbox %s\n", IPCBOX_VERSION);
    return opts_print(m, out);
}

/* An option that does all the work by itself must be the last word. */
static void insist_on_end(const struct opts *o)
{
    if (optind < o->argc)
        msg_usage(o->msg, "option --%s takes no operand: '%s'", o->now->name, o->argv[optind]);
}

/* ---- help [APPLET] ---- */

/*
 * Adds the manual page of that name that came with this binary: in the tree that it was built in, or beside
 * the directory that it was installed to. What man(1) finds by the name could be of another program.
 */
static bool find_page(const char *name, struct buf *path)
{
    static const char *const places[] = {
        "../man/%s.1", "../share/ipcbox/man/%s.1", "../share/man/man1/%s.1", "../share/man/man1/%s.1.gz"};
    const struct applet *applet = applet_find(name);
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    while (n > 0 && self[n - 1] != '/')
        n--;
    for (size_t i = 0; n > 0 && i < sizeof places / sizeof *places; i++) {
        const char *name_at = strchr(places[i], '%');
        path->len = 0;
        buf_bytes(path, self, (size_t)n);
        buf_bytes(path, places[i], (size_t)(name_at - places[i]));
        buf_fmt(path, "%s%s%s", applet && applet->cli->is_inner ? "ipcbox-" : "", name, name_at + 2);
        if (access(buf_str(path), R_OK) == 0)
            return true;
    }
    return false;
}

/* Becomes man(1), or prints --help where man or the page is missing. */
static int show_page(struct msg *m, const char *name, struct buf *out)
{
    char mem[PATH_MAX + 64];
    struct buf path = BUF(mem);
    const char *page = name && strcmp(name, "ipcbox") != 0 ? name : "ipcbox", *man = find_program("man");
    if (strcmp(page, "ipcbox") != 0 && !applet_find(page))
        return toolbox_unknown(m, name);
    if (man && find_page(page, &path)) {
        char *argv[] = {"man", "-l", path.mem, NULL};
        spawn_become(man, argv, environ);
    }
    return print_help(m, strcmp(page, "ipcbox") != 0 ? page : NULL, out);
}

/* ---- the command line ---- */

static int refuse_prefix(const struct opts *o)
{
    opts_wrong(o, "expected letters, digits, '.', '_' or '-', ending with '-'");
}

/* A prefix ends with -, lest the applet can't be told from it. */
static const char *prefix_of(const struct opts *o)
{
    size_t n = strlen(o->arg);
    if (!n || n > 64 || o->arg[n - 1] != '-' || *o->arg == '-' || *o->arg == '.')
        refuse_prefix(o);
    for (const char *p = o->arg; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            refuse_prefix(o);
    return o->arg;
}

struct toolbox {
    struct msg *msg;
    struct install install;
    bool installing, completing;
    enum complete_shell shell;
};

/* What is left once all options are known. */
static int end_of_options(struct toolbox *t, const struct opts *o, struct buf *text)
{
    char **operands = o->argv + o->first;
    bool other = t->install.symbolic || t->install.force || t->install.make_dir;
    if (o->command == 0 && o->argc - o->first <= 1)
        return show_page(t->msg, *operands, text);
    if (o->command == 0)
        msg_usage(t->msg, "unexpected operand '%s'", operands[1]);
    if (t->completing && t->installing)
        msg_usage(t->msg, "--install and --completion cannot be combined");
    if (t->completing && *operands)
        msg_usage(t->msg, "unexpected operand '%s'", *operands);
    if (t->completing && !other) {
        complete_print(t->shell, &cli, t->install.prefix, text);
        return opts_print(t->msg, text);
    }
    if (!t->installing && o->argc > 1)
        msg_usage(t->msg, "expected an applet or one of the options that --help lists");
    if (!t->installing)
        return print_help(t->msg, NULL, text);
    if (!*operands)
        msg_usage(t->msg, "missing DIR");
    if (operands[1])
        msg_usage(t->msg, "unexpected operand '%s'", operands[1]);
    return install_links(&t->install, *operands);
}

/* Acts on the options; `text` is where output is put together. */
static int act(struct toolbox *t, int argc, char **argv, struct buf *text)
{
    enum row { TOOLBOX_OPTIONS(OPT_ENUM) };
    struct opts o;
    int row;
    opts_start(&o, t->msg, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum row)row) {
        case OPT_LIST:
            insist_on_end(&o);
            return print_list(t->msg, text);
        case OPT_HELP_OF:
            return print_help(t->msg, o.arg ? o.arg : argv[optind], text);
        case OPT_VERSION:
            insist_on_end(&o);
            return print_version(t->msg, text);
        case OPT_COMPLETION:
            t->completing = true;
            t->shell = shell_of(&o);
            break;
        case OPT_INSTALL:
            t->installing = true;
            break;
        case OPT_SYMBOLIC:
            t->install.symbolic = true;
            break;
        case OPT_FORCE:
            t->install.force = true;
            break;
        case OPT_PARENTS:
            t->install.make_dir = true;
            break;
        case OPT_PREFIX:
            t->install.prefix = prefix_of(&o);
            break;
        }
    }
    return end_of_options(t, &o, text);
}

int toolbox_main(struct msg *m, int argc, char **argv)
{
    struct toolbox t = {.msg = m, .install = {.msg = m, .prefix = ""}};
    char *mem = malloc(TEXT_SIZE);
    if (!mem)
        msg_die_sys(m, "malloc", NULL);
    struct buf text = {.mem = mem, .size = TEXT_SIZE};
    int status = act(&t, argc, argv, &text);
    free(mem);
    return status;
}
