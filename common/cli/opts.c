/*
 * opts.c - see opts.h.
 */
#include "cli/opts.h"

#include <string.h>
#include <stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/nearest.h"
#include "base/num.h"
#include "base/signum.h"
#include "base/version.h"

enum { FIRST_VALUE = 256, HELP_VALUE = FIRST_VALUE + OPTS_MAX, VERSION_VALUE };
enum { HELP_LETTER = 'h' };

static int arg_kind(const struct opt *opt)
{
    return !opt->arg ? no_argument : *opt->arg == '[' ? optional_argument : required_argument;
}

void opts_start(struct opts *o, const struct msg *m, const struct cli *cli, int argc, char **argv)
{
    *o = (struct opts){.msg = m, .cli = cli, .argc = argc, .argv = argv, .command = -1};
    char *letter = o->letters;
    *letter++ = '+'; /* stop at the first operand */
    *letter++ = ':'; /* tell a missing argument from an unknown option */
    size_t n = cli->count <= OPTS_MAX ? cli->count : OPTS_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct opt *opt = &cli->options[i];
        o->longs[i] = (struct option){opt->name, arg_kind(opt), NULL, FIRST_VALUE + (int)i};
        if (!opt->letter)
            continue;
        *letter++ = opt->letter;
        bool number = arg_kind(opt) == optional_argument && strcmp(opt->arg, "[N]") == 0; /* -L5 */
        if (number)
            *letter++ = ':';
        if (number || arg_kind(opt) == required_argument)
            *letter++ = ':';
    }
    if (opts_letter_is_free(cli, HELP_LETTER))
        *letter++ = HELP_LETTER;
    *letter = '\0';
    o->longs[n] = (struct option){"help", no_argument, NULL, HELP_VALUE};
    o->longs[n + 1] = (struct option){"version", no_argument, NULL, VERSION_VALUE};
    opterr = 0;
    optind = 1;
}

/* `; did you mean BEFOREname?`, if there is a near one. */
static void add_nearest(struct buf *out, const struct nearest *n, const char *before)
{
    if (n->name)
        buf_fmt(out, "; did you mean %s%s?", before, n->name);
}

static struct nearest nearest_long(const struct opts *o, const char *name, size_t len)
{
    struct nearest n = nearest_to(name, len);
    for (const struct option *l = o->longs; l->name; l++)
        nearest_try(&n, l->name);
    return n;
}

/* getopt_long takes abbreviations: a long option must be a whole name before it gets to see it. */
static void insist_on_whole_name(const struct opts *o)
{
    const char *word = optind < o->argc ? o->argv[optind] : "";
    if (strncmp(word, "--", 2) != 0 || !word[2])
        return;
    size_t len = strcspn(word + 2, "=");
    for (const struct option *l = o->longs; l->name; l++)
        if (strlen(l->name) == len && memcmp(l->name, word + 2, len) == 0)
            return;
    char mem[128];
    struct buf hint = BUF(mem);
    struct nearest n = nearest_long(o, word + 2, len);
    add_nearest(&hint, &n, "--");
    msg_usage(o->msg, "unknown option %.*s%s", (int)len + 2, word, buf_str(&hint));
}

static int row_of_letter(const struct opts *o, int letter)
{
    for (size_t i = 0; i < o->cli->count; i++)
        if (letter && o->cli->options[i].letter == letter)
            return (int)i;
    return -1;
}

/* An unknown letter: the word may be a long option with one - too few, or the letter the other case's. */
static _Noreturn void complain_of_letter(const struct opts *o, const char *word)
{
    char mem[128];
    struct buf hint = BUF(mem);
    struct nearest n = nearest_long(o, word + 1, strcspn(word + 1, "="));
    int row = row_of_letter(o, optopt ^ ('a' ^ 'A'));
    if (n.name && n.len > 2)
        add_nearest(&hint, &n, "--");
    else if (row >= 0)
        buf_fmt(&hint, "; did you mean -%c (--%s)?", optopt ^ ('a' ^ 'A'), o->cli->options[row].name);
    msg_usage(o->msg, "unknown option -%c%s", optopt, buf_str(&hint));
}

/* What getopt_long found wrong with that word. */
static _Noreturn void complain(const struct opts *o, int problem, const char *word)
{
    if (strncmp(word, "--", 2) == 0)
        msg_usage(o->msg, "option %.*s %s argument", (int)strcspn(word, "="), word,
            problem == ':' ? "needs an" : "takes no");
    if (problem == ':')
        msg_usage(o->msg, "option -%c needs an argument", optopt);
    if (optopt < 0 || optopt > 0x7f) /* a byte or a character, as libc has it */
        msg_usage(o->msg, "unknown option in %s", word);
    complain_of_letter(o, word);
}

static _Noreturn void print_help(const struct opts *o)
{
    char mem[16384];
    struct buf out = BUF(mem);
    opts_help(o->cli, &out);
    exit(opts_print(o->msg, &out));
}

static _Noreturn void print_version(const struct opts *o)
{
    char mem[256];
    struct buf out = BUF(mem);
    buf_fmt(&out, "%s (ipcbox) %s\n", o->cli->name, IPCBOX_VERSION);
    exit(opts_print(o->msg, &out));
}

/* Takes the word that is next if it is a sub-command, the only one. */
static bool take_command(struct opts *o)
{
    const char *word = o->argv[optind];
    for (int i = 0; word && o->command < 0 && o->cli->commands && o->cli->commands[i]; i++)
        if (strcmp(word, o->cli->commands[i]) == 0) {
            o->command = i;
            optind++;
            return true;
        }
    return false;
}

/* At an operand: options go on behind a sub-command. */
static int end_options(struct opts *o)
{
    if (take_command(o))
        return opts_next(o);
    o->first = optind;
    return -1;
}

/* "create, stat or rm" */
static void add_commands(struct buf *out, const char *const *commands)
{
    for (size_t i = 0; commands[i]; i++)
        buf_fmt(out, "%s%s", !i ? "" : commands[i + 1] ? ", " : " or ", commands[i]);
}

int opts_command(const struct opts *o)
{
    if (o->command >= 0)
        return o->command;
    char mem[256];
    struct buf text = BUF(mem);
    const char *word = o->argv[o->first];
    struct nearest n = nearest_to(word ? word : "", word ? strlen(word) : 0);
    for (size_t i = 0; o->cli->commands[i]; i++)
        nearest_try(&n, o->cli->commands[i]);
    if (word && n.name)
        add_nearest(&text, &n, "");
    else
        buf_text(&text, word ? "; expected " : "expected ");
    if (!word || !n.name)
        add_commands(&text, o->cli->commands);
    if (word)
        msg_usage(o->msg, "unknown command '%s'%s", word, buf_str(&text));
    msg_usage(o->msg, "missing command: %s", buf_str(&text));
}

int opts_next(struct opts *o)
{
    if (o->ended)
        return end_options(o);
    o->ended = optind < o->argc && strcmp(o->argv[optind], "--") == 0;
    insist_on_whole_name(o);
    int at = optind, got = getopt_long(o->argc, o->argv, o->letters, o->longs, NULL);
    o->arg = optarg;
    if (got == -1)
        return end_options(o);
    if (got == '?' || got == ':')
        complain(o, got, o->argv[at]);
    int row = got >= FIRST_VALUE ? got - FIRST_VALUE : row_of_letter(o, got);
    if (got == HELP_VALUE || row < 0) /* the one letter that is in no table */
        print_help(o);
    if (got == VERSION_VALUE)
        print_version(o);
    o->now = &o->cli->options[row];
    return row;
}

void opts_wrong(const struct opts *o, const char *why)
{
    char mem[128];
    struct buf what = BUF(mem);
    if (o->now->letter)
        buf_fmt(&what, "option -%c", o->now->letter);
    else
        buf_fmt(&what, "option --%s", o->now->name);
    if (!o->arg)
        msg_usage(o->msg, "%s %s", buf_str(&what), why);
    if (o->now->letter)
        buf_fmt(&what, " (--%s)", o->now->name);
    msg_refuse(o->msg, buf_str(&what), o->arg, why);
}

uint64_t opts_num(const struct opts *o, uint64_t min, uint64_t max)
{
    uint64_t value;
    if (num_u64(o->arg, min, max, &value))
        return value;
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "expected a number from %llu to %llu", (unsigned long long)min, (unsigned long long)max);
    opts_wrong(o, buf_str(&why));
}

int64_t opts_duration(const struct opts *o)
{
    int64_t ns;
    if (!num_duration(o->arg, &ns))
        opts_wrong(o, "expected a duration such as 5, 0.25, 250ms, 3m or 1h");
    return ns;
}

uint64_t opts_size(const struct opts *o, uint64_t min, uint64_t max)
{
    uint64_t bytes;
    if (num_size(o->arg, min, max, &bytes))
        return bytes;
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "expected a size such as 64k or 1M, from %llu to %llu bytes", (unsigned long long)min,
        (unsigned long long)max);
    opts_wrong(o, buf_str(&why));
}

int opts_signal(const struct opts *o)
{
    int sig;
    if (!signum_parse(o->arg, strlen(o->arg), &sig))
        opts_wrong(o, "expected a signal such as TERM, 15 or RTMIN+1");
    return sig;
}

int opts_status(const struct opts *o)
{
    return (int)opts_num(o, 0, UINT8_MAX);
}

int opts_choice(const struct opts *o)
{
    const char *all = o->now->arg + (*o->now->arg == '['), *end = all + strcspn(all, "]");
    int i = 0;
    for (const char *word = all; o->arg && word < end; i++) {
        size_t len = strcspn(word, "|]");
        if (strlen(o->arg) == len && memcmp(o->arg, word, len) == 0)
            return i;
        word += len + 1;
    }
    if (!o->arg)
        return 0;
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "expected %.*s", (int)(end - all), all);
    opts_wrong(o, buf_str(&why));
}

int opts_fd(const struct opts *o, int min)
{
    int fd = (int)opts_num(o, (uint64_t)min, INT32_MAX);
    /* close-on-exec from the start: not our caller's, but put there by fd_fill_std */
    if (fd > STDERR_FILENO ? fd_set_cloexec(fd, true) < 0 : fcntl(fd, F_GETFD) != 0)
        opts_wrong(o, "is not open");
    return fd;
}

void opts_log_format(const struct opts *o, struct msg *m)
{
    m->json = opts_choice(o) == 1;
}

void opts_level(struct msg *m, int row)
{
    enum level_row { MSG_OPTIONS(OPT_ENUM) };
    switch ((enum level_row)row) {
    case OPT_QUIET:
        m->level = MSG_QUIET;
        break;
    case OPT_VERBOSE:
        m->level = MSG_VERBOSE;
        break;
    }
}

unsigned opts_mode(const struct opts *o)
{
    unsigned mode;
    if (!num_mode(o->arg, &mode))
        opts_wrong(o, "expected an octal mode such as 0600");
    return mode;
}

int opts_print(const struct msg *m, const struct buf *out)
{
    if (fd_write_all(STDOUT_FILENO, out->mem, out->len) == 0)
        return EXIT_DONE;
    msg_error(m, "write", "stdout", errno);
    return EXIT_SYSTEM;
}

int opts_print_part(const struct msg *m, struct buf *out)
{
    if (out->len < out->size / 2)
        return EXIT_DONE;
    int status = opts_print(m, out);
    out->len = 0;
    return status;
}
