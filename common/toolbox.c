/*
 * toolbox.c - see toolbox.h.
 */
#include "toolbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applet.h"
#include "fd.h"
#include "speak.h"
#include "version.h"

enum { TEXT_SIZE = 128 * 1024 };

#define TOOLBOX_OPTIONS(X)                                                     \
    X(LIST, 0, "list", NULL, "print the applets' names, one a line")           \
    X(HELP_OF, 0, "help", "[APPLET]", "print this, or an applet's help")       \
    X(VERSION, 0, "version", NULL, "print the version")                        \
    X(INSTALL, 0, "install", NULL, "make a hard link in DIR for every applet") \
    X(SYMBOLIC, 's', "symbolic", NULL, "with --install: symbolic links")       \
    X(FORCE, 'f', "force", NULL, "with --install: replace what is there")      \
    X(COMPLETION, 0, "completion", "SHELL", "print completion for bash, zsh or fish")

static const struct opt options[] = {TOOLBOX_OPTIONS(OPT_ROW)};

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
            if (a->theme != (enum theme)theme)
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
    buf_fmt(out, "ipcbox %s: Unix interprocess communication for the shell\n\n", IPCBOX_VERSION);
    buf_text(out, "Usage: ipcbox APPLET [ARGUMENT]...\n"
                  "       ipcbox --list | --version | --help [APPLET] | --completion SHELL\n"
                  "       ipcbox --install [-s] [-f] DIR\n");
    add_themes(out);
    buf_text(out, "\nThe manual: ipcbox(1), ipcbox(7), and a page for every applet.\n");
}

/* The distance of two words: how many letters must change, go or come (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1], len = strlen(b);
    if (len > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; *a; a++, i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t change = diagonal + (*a != b[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[len];
}

int toolbox_unknown(const struct msg *m, const char *name)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 2 + 1;
    for (size_t i = 0; i < applet_count(); i++) {
        size_t d = distance(applet_at(i)->cli->name, name);
        if (d <= least && (!nearest || d < least)) {
            least = d;
            nearest = applet_at(i)->cli->name;
        }
    }
    char mem[512], line[1024];
    struct buf escaped = BUF(mem), b = BUF(line);
    buf_escaped(&escaped, name, strlen(name));
    buf_fmt(&b, "%s: unknown applet '%s'", m->applet, buf_str(&escaped));
    if (nearest)
        buf_fmt(&b, ", did you mean '%s'?", nearest);
    else
        buf_text(&b, "; see 'ipcbox --list'");
    buf_char(&b, '\n');
    speak(b.mem, b.len);
    return EXIT_NOTFOUND;
}

struct install {
    const struct msg *msg;
    char self[PATH_MAX];
    int dir;
    bool symbolic, force;
};

/* One link, under a name of its own that then replaces what is there if that was asked for. */
static int install_one(const struct install *in, const char *name)
{
    char temporary[NAME_MAX];
    snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
    const char *first = in->force ? temporary : name;
    int made =
        in->symbolic ? symlinkat(in->self, in->dir, first) : linkat(AT_FDCWD, in->self, in->dir, first, 0);
    if (made < 0 || !in->force)
        return made;
    struct stat ours, there;
    if (fstatat(in->dir, temporary, &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstatat(in->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_dev == there.st_dev &&
        ours.st_ino == there.st_ino)
        return unlinkat(in->dir, temporary, 0); /* rename(2) leaves both when they are one file already */
    if (renameat(in->dir, temporary, in->dir, name) == 0)
        return 0;
    int err = errno;
    unlinkat(in->dir, temporary, 0);
    errno = err;
    return -1;
}

/* Makes all links or, without -f, none: what was made is taken back. */
static int install_all(const struct install *in)
{
    struct stat st;
    for (size_t i = 0; !in->force && i < applet_count(); i++) {
        const char *name = applet_at(i)->cli->name;
        if (fstatat(in->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            msg_error(in->msg, "install", name, EEXIST);
            return EXIT_SYSTEM;
        }
    }
    for (size_t i = 0; i < applet_count(); i++) {
        if (install_one(in, applet_at(i)->cli->name) == 0)
            continue;
        msg_error(in->msg, "install", applet_at(i)->cli->name, errno);
        while (!in->force && i-- > 0)
            unlinkat(in->dir, applet_at(i)->cli->name, 0);
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

static int install(struct install *in, const char *dir)
{
    ssize_t n = readlink("/proc/self/exe", in->self, sizeof in->self - 1);
    if (n < 0)
        return msg_fatal(in->msg, EXIT_SYSTEM, "readlink", "/proc/self/exe", errno);
    in->self[n] = '\0';
    in->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->dir < 0)
        msg_die_sys(in->msg, "open", dir);
    int status = install_all(in);
    fd_close(&in->dir);
    return status;
}

static void add_options(struct buf *out, const struct cli *cli, const char *separator)
{
    for (size_t i = 0; i < cli->count; i++) {
        if (cli->options[i].letter)
            buf_fmt(out, "-%c%s", cli->options[i].letter, separator);
        buf_fmt(out, "--%s%s", cli->options[i].name, separator);
    }
    buf_fmt(out, "--help%s--version", separator);
}

static void add_commands(struct buf *out, const struct cli *cli)
{
    for (size_t i = 0; cli->commands && cli->commands[i]; i++)
        buf_fmt(out, "%s%s", i ? " " : "", cli->commands[i]);
}

/* After the options comes a sub-command, or a program: its name, then its own completion. */
static void add_bash(struct buf *out)
{
    buf_text(out, "# bash completion for ipcbox and its applets\n"
                  "_ipcbox() {\n"
                  "  local name=${1##*/} word=$2 start=1 words commands=\n"
                  "  if [[ $name == ipcbox ]]; then\n"
                  "    if ((COMP_CWORD == 1)); then\n"
                  "      mapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; i < applet_count(); i++)
        buf_fmt(out, "%s ", applet_at(i)->cli->name);
    buf_text(out, "--list --help --version --install --completion' -- \"$word\")\n"
                  "      return\n"
                  "    fi\n"
                  "    name=${COMP_WORDS[1]} start=2\n"
                  "  fi\n"
                  "  case $name in\n");
    for (size_t i = 0; i < applet_count(); i++) {
        buf_fmt(out, "  %s) words='", applet_at(i)->cli->name);
        add_options(out, applet_at(i)->cli, " ");
        buf_text(out, "' commands='");
        add_commands(out, applet_at(i)->cli);
        buf_text(out, "' ;;\n");
    }
    buf_text(out, "  *) words= ;;\n"
                  "  esac\n"
                  "  if [[ $word != -* && $commands && $COMP_CWORD == \"$start\" ]]; then\n"
                  "    words=$commands\n"
                  "  elif [[ $word != -* ]]; then\n"
                  "    mapfile -t COMPREPLY < <(compgen -c -f -- \"$word\")\n"
                  "    return\n"
                  "  fi\n"
                  "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                  "}\n"
                  "complete -F _ipcbox ipcbox");
    for (size_t i = 0; i < applet_count(); i++)
        buf_fmt(out, " %s", applet_at(i)->cli->name);
    buf_char(out, '\n');
}

/* A help text inside single quotes, with a backslash before each of `special`; an apostrophe becomes a
 * typographic one. */
static void add_quoted(struct buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'') {
            buf_text(out, "\u2019");
            continue;
        }
        if (strchr(special, *text))
            buf_char(out, '\\');
        buf_char(out, *text);
    }
}

static void add_zsh(struct buf *out)
{
    buf_text(out, "#compdef ipcbox");
    for (size_t i = 0; i < applet_count(); i++)
        buf_fmt(out, " %s", applet_at(i)->cli->name);
    buf_text(out, "\n_ipcbox_applet() {\n  case $1 in\n");
    for (size_t i = 0; i < applet_count(); i++) {
        const struct cli *cli = applet_at(i)->cli;
        buf_fmt(out, "  %s) _arguments -S -A '-*'", cli->name);
        for (size_t j = 0; j < cli->count; j++) {
            const struct opt *opt = &cli->options[j];
            const char *value = opt->arg ? ":value:" : "";
            bool must = opt->arg && *opt->arg != '[';
            if (opt->letter && (!opt->arg || must)) {
                buf_fmt(out, " \\\n    '-%c[", opt->letter);
                add_quoted(out, opt->help, "[]:\\");
                buf_fmt(out, "]%s'", value);
            }
            buf_fmt(out, " \\\n    '--%s%s[", opt->name, must ? "=" : opt->arg ? "=-" : "");
            add_quoted(out, opt->help, "[]:\\");
            buf_fmt(out, "]%s%s'", opt->arg && !must ? ":" : "", value);
        }
        buf_text(out, " \\\n    '--help[print help]' '--version[print the version]'");
        if (cli->commands) {
            buf_text(out, " '1:command:(");
            add_commands(out, cli);
            buf_text(out, ")'");
        }
        buf_text(out, " '*::program:_normal' ;;\n");
    }
    buf_text(out, "  esac\n}\n"
                  "_ipcbox() {\n"
                  "  if [[ $service != ipcbox ]]; then _ipcbox_applet $service; return; fi\n"
                  "  if ((CURRENT == 2)); then compadd -- --list --help --version --install --completion");
    for (size_t i = 0; i < applet_count(); i++)
        buf_fmt(out, " %s", applet_at(i)->cli->name);
    buf_text(out, "; return; fi\n"
                  "  shift words; ((CURRENT--))\n"
                  "  _ipcbox_applet $words[1]\n"
                  "}\n"
                  "_ipcbox \"$@\"\n");
}

/* One option, for an applet called by its name or through ipcbox. */
static void add_fish_option(struct buf *out, const char *applet, const struct opt *opt, bool through_ipcbox)
{
    if (through_ipcbox)
        buf_fmt(out, "complete -c ipcbox -n '__fish_seen_subcommand_from %s'", applet);
    else
        buf_fmt(out, "complete -c %s", applet);
    if (opt->letter)
        buf_fmt(out, " -s %c", opt->letter);
    buf_fmt(out, " -l %s%s -d '", opt->name, opt->arg && *opt->arg != '[' ? " -r" : "");
    add_quoted(out, opt->help, "\\");
    buf_text(out, "'\n");
}

static void add_fish_command(struct buf *out, const char *applet, const char *command)
{
    buf_fmt(out, "complete -c ipcbox -n '__fish_seen_subcommand_from %s' -f -a %s\n", applet, command);
    buf_fmt(out, "complete -c %s -n __fish_use_subcommand -f -a %s\n", applet, command);
}

static void add_fish(struct buf *out)
{
    buf_text(out, "# fish completion for ipcbox and its applets\n");
    for (size_t i = 0; i < applet_count(); i++) {
        const struct cli *cli = applet_at(i)->cli;
        buf_fmt(out, "complete -c ipcbox -n __fish_use_subcommand -f -a %s -d '", cli->name);
        add_quoted(out, cli->summary, "\\");
        buf_text(out, "'\n");
        for (size_t j = 0; cli->commands && cli->commands[j]; j++)
            add_fish_command(out, cli->name, cli->commands[j]);
        for (size_t j = 0; j < cli->count; j++) {
            add_fish_option(out, cli->name, &cli->options[j], false);
            add_fish_option(out, cli->name, &cli->options[j], true);
        }
    }
}

static int print_completion(const struct opts *o, struct buf *out)
{
    if (!strcmp(o->arg, "bash"))
        add_bash(out);
    else if (!strcmp(o->arg, "zsh"))
        add_zsh(out);
    else if (!strcmp(o->arg, "fish"))
        add_fish(out);
    else
        opts_wrong(o, "want bash, zsh or fish");
    return opts_print(o->msg, out);
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
        msg_usage(o->msg, "option --%s stands alone, not with '%s'", o->now->name, o->argv[optind]);
}

/* Acts on the options; `text` is where output is put together. */
static int act(struct msg *m, int argc, char **argv, struct buf *text)
{
    static const struct cli cli = {.name = "ipcbox",
        .summary = "Unix interprocess communication for the shell",
        .usage = "APPLET [ARGUMENT]...",
        .options = options,
        .count = sizeof options / sizeof *options};
    enum row { TOOLBOX_OPTIONS(OPT_ENUM) };
    struct install in = {.msg = m};
    struct opts o;
    bool installing = false;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum row)row) {
        case OPT_LIST:
            insist_on_end(&o);
            return print_list(m, text);
        case OPT_HELP_OF:
            return print_help(m, o.arg ? o.arg : argv[optind], text);
        case OPT_VERSION:
            insist_on_end(&o);
            return print_version(m, text);
        case OPT_COMPLETION:
            insist_on_end(&o);
            return print_completion(&o, text);
        case OPT_INSTALL:
            installing = true;
            break;
        case OPT_SYMBOLIC:
            in.symbolic = true;
            break;
        case OPT_FORCE:
            in.force = true;
            break;
        }
    }
    if (!installing && argc > 1)
        msg_usage(m, "want an applet, or one of the options that --help lists");
    if (!installing)
        return print_help(m, NULL, text);
    if (argc - o.first != 1)
        msg_usage(m, "--install wants one directory");
    return install(&in, argv[o.first]);
}

int toolbox_main(struct msg *m, int argc, char **argv)
{
    char *mem = malloc(TEXT_SIZE);
    if (!mem)
        msg_die_sys(m, "malloc", NULL);
    struct buf text = {.mem = mem, .size = TEXT_SIZE};
    int status = act(m, argc, argv, &text);
    free(mem);
    return status;
}
