/*
 * opts_help.c - the text of --help, laid out for a terminal of 80 columns.
 */
#include <string.h>

#include "cli/opts.h"

bool opts_letter_is_free(const struct cli *cli, char letter)
{
    for (size_t i = 0; i < cli->count; i++)
        if (cli->options[i].letter == letter)
            return false;
    return true;
}

enum { WIDTH = 79, TEXT_COLUMN = 30 }; /* some terminals wrap after a full line */

/* Where we are: everything else is filled up to WIDTH and goes on in column `indent` of the next line. */
struct fill {
    struct buf *out;
    size_t start; /* of the present line in out */
    size_t indent;
};

static void begin_line(struct fill *f)
{
    f->start = f->out->len;
}

static size_t column(const struct fill *f)
{
    return f->out->len - f->start;
}

static void pad(struct fill *f, size_t to)
{
    while (column(f) < to && !f->out->cut)
        buf_char(f->out, ' ');
}

/*
 * The length of the piece at `text` that a line must hold: up to a blank, outside brackets if it then fits on
 * a line of its own ("[-m MODE]" is not torn).
 */
static size_t piece(const char *text, size_t room)
{
    size_t n = 0;
    for (int depth = 0; text[n] && text[n] != '\n' && (text[n] != ' ' || depth > 0); n++)
        depth += text[n] == '[' ? 1 : text[n] == ']' ? -1 : 0;
    return n <= room ? n : strcspn(text, " \n");
}

/* Puts `text` from the present column on; newlines are blanks. */
static void put_filled(struct fill *f, const char *text)
{
    bool first = true;
    for (size_t n; *(text += strspn(text, " \n")); text += n) {
        n = piece(text, WIDTH - f->indent);
        if (!first && column(f) + 1 + n > WIDTH) {
            buf_char(f->out, '\n');
            begin_line(f);
            pad(f, f->indent);
        } else if (!first) {
            buf_char(f->out, ' ');
        }
        buf_bytes(f->out, text, n);
        first = false;
    }
    buf_char(f->out, '\n');
}

/* "  -c, --concurrency=N" and the help text from a common column on */
static void put_option(struct buf *out, const struct opt *opt)
{
    struct fill f = {.out = out, .indent = TEXT_COLUMN};
    begin_line(&f);
    if (opt->letter)
        buf_fmt(out, "  -%c, --%s", opt->letter, opt->name);
    else
        buf_fmt(out, "      --%s", opt->name);
    if (opt->arg && *opt->arg == '[')
        buf_fmt(out, "[=%s", opt->arg + 1); /* its own bracket closes it */
    else if (opt->arg)
        buf_fmt(out, "=%s", opt->arg);
    if (column(&f) + 1 > TEXT_COLUMN) {
        buf_char(out, '\n');
        begin_line(&f);
    }
    pad(&f, TEXT_COLUMN);
    put_filled(&f, opt->help);
}

void opts_usage(const struct cli *cli, struct buf *out)
{
    const char *form = cli->usage;
    for (const char *head = "Usage:"; form; head = "      ") {
        char mem[1024];
        struct buf one = BUF(mem);
        struct fill f = {.out = out};
        size_t len = strcspn(form, "\n");
        begin_line(&f);
        buf_fmt(out, "%s %s%s ", head, cli->is_inner ? "ipcbox " : "", cli->name);
        f.indent = column(&f);
        buf_bytes(&one, form, len);
        put_filled(&f, buf_str(&one));
        form = form[len] ? form + len + 1 : NULL;
    }
}

/* Filled, except for lines that begin with a blank. */
static void put_notes(struct buf *out, const char *notes)
{
    while (*notes) {
        size_t len = strcspn(notes, "\n");
        if (*notes == ' ' || !len) {
            buf_fmt(out, "%.*s\n", (int)len, notes);
        } else {
            char mem[2048];
            struct buf one = BUF(mem);
            struct fill f = {.out = out};
            while (notes[len] == '\n' && !strchr(" \n", notes[len + 1]))
                len += 1 + strcspn(notes + len + 1, "\n");
            begin_line(&f);
            buf_bytes(&one, notes, len);
            put_filled(&f, buf_str(&one));
        }
        notes += len + (notes[len] == '\n');
    }
}

void opts_help(const struct cli *cli, struct buf *out)
{
    opts_usage(cli, out);
    buf_fmt(out, "%s.\n\n", cli->summary);
    for (size_t i = 0; i < cli->count; i++)
        put_option(out, &cli->options[i]);
    const struct opt general[] = {
        {opts_letter_is_free(cli, 'h') ? 'h' : 0, "help", NULL, "print this help and exit"},
        {0, "version", NULL, "print the version and exit"}};
    for (size_t i = 0; i < sizeof general / sizeof *general; i++)
        put_option(out, &general[i]);
    if (cli->notes) {
        buf_char(out, '\n');
        put_notes(out, cli->notes);
    }
    buf_fmt(out, "\nManual pages: %s%s(1), ipcbox(7)\n", cli->is_inner ? "ipcbox-" : "", cli->name);
}
