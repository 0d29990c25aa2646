/*
 * opts.h - options, declared once.
 *
 * An applet lists its options as rows X(ID, 'l', "long-name", "ARG", "what it does") and expands the list to
 * an enum with OPT_ENUM and to the table with OPT_ROW. From the table come getopt_long's, --help and the
 * completion; `make check` compares the man page with it. ARG is NULL for none, "[ARG]" for an optional one
 * (--name=ARG only; "[N]" directly behind the letter, too); it is one of the kinds that kinds.c knows, or an
 * enumeration, "text|json". Parsing stops at the first operand; abbreviated long names are refused. Every
 * applet has --help and --version, and -h for
 * --help where its table leaves the letter free.
 */
#ifndef OPTS_H
#define OPTS_H

#include <getopt.h>
#include <stdint.h>

#include "base/msg.h"

struct opt {
    char letter; /* 0: none */
    const char *name, *arg, *help;
};

#define OPT_ENUM(id, letter, name, arg, help) OPT_##id,
#define OPT_ROW(id, letter, name, arg, help) {letter, name, arg, help},
#define OPT_CASE(id, letter, name, arg, help) case OPT_##id:

/* How much is reported: for all applets except the clients and servers, which have ucspi-tcp's letters. */
#define MSG_OPTIONS(X)                                      \
    X(QUIET, 'q', "quiet", NULL, "print only fatal errors") \
    X(VERBOSE, 'v', "verbose", NULL, "also print what happens")

/* For opts_log_format: that of the long-running ones. */
#define LOG_OPTIONS(X) \
    X(LOG_FORMAT, 0, "log-format", "text|json", "write messages as text or JSON lines (text)")

/* For those that exit with EXIT_NO when what they ask for can't be had at once. */
#define CONFLICT_OPTIONS(X) \
    X(CONFLICT, 'E', "conflict-status", "N", "exit N, not 1, if it would have to wait")

/* What a command line can be told: the face of an applet. */
struct cli {
    const char *name, *summary;
    const char *usage; /* what follows the name; one line a form */
    const char *notes; /* printed under the options, or NULL; filled but for lines that begin with a blank */
    const char *const *commands; /* sub-commands, NULL at the end; or NULL */
    const struct opt *options;
    size_t count;
    bool is_inner; /* it has no link of its own: it is reached as `ipcbox NAME` alone */
};

enum { OPTS_MAX = 64 };

struct opts {
    const struct msg *msg;
    const struct cli *cli;
    int argc;
    char **argv;
    char *arg;   /* of the option that opts_next returned */
    int first;   /* index of the first operand, once opts_next has returned -1 */
    bool ended;  /* by a word -- */
    int command; /* which of cli->commands came, -1: none; options may stand before and behind it */
    const struct opt *now;
    struct option longs[OPTS_MAX + 3];
    char letters[2 + OPTS_MAX * 3 + 2];
};

void opts_start(struct opts *o, const struct msg *m, const struct cli *cli, int argc, char **argv);

/* The row of the next option, or -1 at the first operand that is not a sub-command. Does not return on a
 * usage error. */
int opts_next(struct opts *o);

/* The sub-command that came. Without one it is a usage error, which names the nearest. */
int opts_command(const struct opts *o);

/* The argument of the present option as a strict value; does not return if it is none. */
uint64_t opts_num(const struct opts *o, uint64_t min, uint64_t max);
int64_t opts_duration(const struct opts *o);
uint64_t opts_size(const struct opts *o, uint64_t min, uint64_t max);
unsigned opts_mode(const struct opts *o);

int opts_signal(const struct opts *o);

/* An exit status, 0 to 255. */
int opts_status(const struct opts *o);

/* The index of the argument among the words of its row, "a|b|c" or "[a|b|c]"; an absent optional one is the
 * first. */
int opts_choice(const struct opts *o);

/* An fd, `min` or above, that is open. Above 2 it is made close-on-exec: it is the applet's own. */
int opts_fd(const struct opts *o, int min);

/* --log-format=text|json */
void opts_log_format(const struct opts *o, struct msg *m);

/* Takes an option of MSG_OPTIONS; row counts from the first of them. */
void opts_level(struct msg *m, int row);

/* A usage error because of the present option: `option --x 'ARG': WHY`, or `option --x WHY` if it has no ARG.
 */
_Noreturn void opts_wrong(const struct opts *o, const char *why);

/* Whether the applet's own options leave that letter free. */
bool opts_letter_is_free(const struct cli *cli, char letter);

/* The text of --help, which fits 80 columns. */
void opts_help(const struct cli *cli, struct buf *out);

/* Its Usage: lines alone. */
void opts_usage(const struct cli *cli, struct buf *out);

/* Writes a whole text to stdout; EXIT_DONE, or says what failed and EXIT_SYSTEM. */
int opts_print(const struct msg *m, const struct buf *out);

/* The same for a text of any length, after each line: writes and empties `out` once it is half full. */
int opts_print_part(const struct msg *m, struct buf *out);

#endif
