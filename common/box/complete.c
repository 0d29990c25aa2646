/*
 * complete.c - see complete.h.
 *
 * The table has a block of lines for each applet:
 *
 *     SUMMARY
 *     LETTER NAME KIND HELP...              an option: "-" for no letter, and for the kind of one that takes
 * no argument; ?KIND for an optional one : COMMANDS OPTIONS KIND...            a usage form: its commands and
 * the options that make it, a|b or "-"; the kinds of its operands, with * where one repeats; "prog+" for
 *                                           programs with ::: between them
 */
#include "box/complete.h"

#include <string.h>

#include "cli/applet.h"
#include "completion.h"
#include "base/kinds.h"

static const char *const scripts[] = {
    [COMPLETE_BASH] = completion_bash, [COMPLETE_ZSH] = completion_zsh, [COMPLETE_FISH] = completion_fish};

/* The end of the group that begins at the bracket p. */
static const char *group_end(const char *p, const char *end)
{
    int depth = 0;
    for (; p < end; p++) {
        depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
        if (!depth)
            return p + 1;
    }
    return end;
}

/* A word up to a blank, outside brackets, or the bracket that closes what it stands in. */
static size_t word_len(const char *p, const char *end)
{
    int depth = 0;
    const char *from = p;
    for (; p < end && (depth > 0 || (*p != ' ' && *p != ']')); p++)
        depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
    return (size_t)(p - from);
}

static const struct opt *find_option(const struct cli *cli, const char *word, size_t n)
{
    for (size_t i = 0; i < cli->count; i++) {
        const struct opt *o = &cli->options[i];
        if (n == 2 && word[0] == '-' && word[1] == o->letter)
            return o;
        if (n > 2 && strlen(o->name) == n - 2 && memcmp(word + 2, o->name, n - 2) == 0)
            return o;
    }
    return NULL;
}

struct form {
    char options[256], operands[256];
    struct buf option, operand;
    const char *commands;
    size_t commands_n;
    bool ended; /* by a program */
};

/*
 * Options that a form can't do without: "--inherit[=NAME]", "--status|--stop"; the first of them tell it from
 * the others. What follows is their argument. Returns the end.
 */
static const char *take_options(struct form *f, const struct cli *cli, const char *p, const char *end)
{
    const struct opt *last;
    bool first = !f->option.len;
    do {
        size_t n = strcspn(p, " =[|\n");
        if (p + n > end)
            n = (size_t)(end - p);
        last = find_option(cli, p, n);
        if (first)
            buf_fmt(&f->option, "%s%.*s", f->option.len ? "|" : "", (int)n, p);
        p += n;
        if (p < end && *p == '[')
            p = group_end(p, end);
    } while (p < end && *p == '|' && *++p == '-');
    if (last && last->arg && *last->arg != '[' && p < end && *p == ' ')
        for (p++; p < end && *p != ' ' && strncmp(p, "|-", 2) != 0; p++)
            ;
    return p < end && *p == '|' ? p + 1 : p;
}

static bool is_command(const struct cli *cli, const char *word, size_t n)
{
    size_t first = strcspn(word, "| \n");
    for (size_t i = 0; cli->commands && cli->commands[i]; i++)
        if (strlen(cli->commands[i]) == (first < n ? first : n) &&
            memcmp(word, cli->commands[i], first < n ? first : n) == 0)
            return true;
    return false;
}

/* One operand, or the command. A repeated group stands for its first word. */
static void take_word(struct form *f, const struct cli *cli, const char *word, size_t n, bool repeated)
{
    if (!f->operand.len && !f->commands_n && is_command(cli, word, n)) {
        f->commands = word;
        f->commands_n = n;
        return;
    }
    if (n > 3 && memcmp(word + n - 3, "...", 3) == 0) {
        repeated = true;
        n -= 3;
    }
    buf_char(&f->operand, ' ');
    size_t before = f->operand.len;
    kinds_add(&f->operand, word, n);
    f->ended = f->operand.len - before == 4 && memcmp(f->operand.mem + before, "prog", 4) == 0;
    if (repeated)
        buf_char(&f->operand, '*');
}

static void read_form(struct form *f, const struct cli *cli, const char *p, const char *end)
{
    while (p < end && !f->ended) {
        if (*p == ' ' || *p == ']') {
            p++;
        } else if (*p == '[' && (p[1] == '-' || strncmp(p, "[OPTION]", 8) == 0)) {
            p = group_end(p, end);
            p += strncmp(p, "...", 3) == 0 ? 3 : 0;
        } else if (*p == '[') {
            const char *close = group_end(p, end);
            bool repeated = strncmp(close, "...", 3) == 0;
            size_t n = word_len(p + 1, end);
            if (strncmp(p, "[ARG", 4) != 0)
                take_word(f, cli, p + 1, n, repeated);
            p = repeated ? close + 3 : p + 1 + n;
        } else if (*p == '-') {
            p = take_options(f, cli, p, end);
        } else {
            size_t n = word_len(p, end);
            take_word(f, cli, p, n, false);
            p += n;
        }
    }
}

static void add_form(struct buf *out, const struct cli *cli, const char *form, size_t n)
{
    struct form f = {.ended = false};
    f.option = BUF(f.options);
    f.operand = BUF(f.operands);
    const char *end = form + n, *separator = strstr(form, ":::");
    read_form(&f, cli, form, end);
    if (f.ended && separator && separator < end)
        buf_char(&f.operand, '+');
    buf_fmt(out, ": %.*s %s%s\n", f.commands ? (int)f.commands_n : 1, f.commands ? f.commands : "-",
        f.option.len ? buf_str(&f.option) : "-", buf_str(&f.operand));
}

static void add_option(struct buf *out, const struct opt *opt)
{
    buf_fmt(out, "%c %s ", opt->letter ? opt->letter : '-', opt->name);
    if (!opt->arg)
        buf_char(out, '-');
    else if (*opt->arg == '[')
        buf_char(out, '?');
    if (opt->arg)
        kinds_add(out, opt->arg, strlen(opt->arg));
    buf_fmt(out, " %s\n", opt->help);
}

static void add_block(struct buf *out, const struct cli *cli)
{
    const struct opt general[] = {
        {opts_letter_is_free(cli, 'h') ? 'h' : 0, "help", NULL, "print help and exit"},
        {0, "version", NULL, "print the version and exit"}};
    buf_fmt(out, "%s\n", cli->summary);
    for (size_t i = 0; i < cli->count; i++)
        add_option(out, &cli->options[i]);
    for (size_t i = 0; i < sizeof general / sizeof *general; i++)
        if (!find_option(cli, i ? "--version" : "--help", i ? 9 : 6))
            add_option(out, &general[i]);
    for (const char *form = cli->usage; form; form = strchr(form, '\n') ? strchr(form, '\n') + 1 : NULL)
        add_form(out, cli, form, strcspn(form, "\n"));
}

/* In single quotes of that shell. */
static void add_quoted(struct buf *out, enum complete_shell shell, const char *text, size_t n)
{
    buf_char(out, '\'');
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\'')
            buf_text(out, shell == COMPLETE_FISH ? "\\'" : "'\\''");
        else if (text[i] == '\\' && shell == COMPLETE_FISH)
            buf_text(out, "\\\\");
        else
            buf_char(out, text[i]);
    buf_char(out, '\'');
}

static void add_case(struct buf *out, enum complete_shell shell, const struct cli *cli)
{
    char mem[8192];
    struct buf block = BUF(mem);
    add_block(&block, cli);
    block.len--; /* the last newline is echo's */
    bool fish = shell == COMPLETE_FISH;
    buf_fmt(out, fish ? "    case %s\n      echo " : "  %s) printf '%%s\\n' ", cli->name);
    add_quoted(out, shell, block.mem, block.len);
    buf_text(out, fish ? "\n" : " ;;\n");
}

/* A function that prints the block of its argument. */
static void add_table(struct buf *out, enum complete_shell shell, const struct cli *toolbox)
{
    bool fish = shell == COMPLETE_FISH;
    buf_text(
        out, fish ? "function __ipcbox_table\n  switch $argv[1]\n" : "_ipcbox_table() {\n  case $1 in\n");
    add_case(out, shell, toolbox);
    for (size_t i = 0; i < applet_count(); i++)
        add_case(out, shell, applet_at(i)->cli);
    buf_text(out, fish ? "  end\nend\n" : "  esac\n}\n");
}

/* A function that prints the applets: NAME SUMMARY, a line each. */
/* Bytes of the packed scripts from PACKED on are two each, of completion/pack.awk. */
static void add_unpacked(struct buf *out, unsigned char c)
{
    enum { PACKED = 128 };
    if (c < PACKED) {
        buf_char(out, (char)c);
        return;
    }
    add_unpacked(out, completion_pairs[c - PACKED][0]);
    add_unpacked(out, completion_pairs[c - PACKED][1]);
}

static void add_applets(struct buf *out, enum complete_shell shell)
{
    bool fish = shell == COMPLETE_FISH;
    buf_text(out, fish ? "function __ipcbox_applets\n" : "_ipcbox_applets() {\n");
    buf_text(out, fish ? "  string join \\n --" : "  printf '%s\\n'");
    for (size_t i = 0; i < applet_count(); i++) {
        const struct cli *cli = applet_at(i)->cli;
        char mem[256];
        struct buf line = BUF(mem);
        buf_fmt(&line, "%s %s", cli->name, cli->summary);
        buf_text(out, " \\\n    ");
        add_quoted(out, shell, line.mem, line.len);
    }
    buf_text(out, fish ? "\nend\n" : "\n}\n");
}

static void add_names(struct buf *out, const char *prefix)
{
    for (size_t i = 0; i < applet_count(); i++)
        if (!applet_at(i)->cli->is_inner)
            buf_fmt(out, " %s%s", prefix, applet_at(i)->cli->name);
}

void complete_print(enum complete_shell shell, const struct cli *toolbox, const char *prefix, struct buf *out)
{
    if (shell == COMPLETE_ZSH) {
        buf_text(out, "#compdef ipcbox");
        add_names(out, prefix);
        buf_char(out, '\n');
    }
    for (const char *p = scripts[shell]; *p; p++)
        add_unpacked(out, (unsigned char)*p);
    add_applets(out, shell);
    add_table(out, shell, toolbox);
    if (shell == COMPLETE_BASH) {
        buf_text(out, "complete -F _ipcbox ipcbox");
        add_names(out, prefix);
        buf_char(out, '\n');
    } else if (shell == COMPLETE_FISH) {
        buf_text(out, "for name in ipcbox");
        add_names(out, prefix);
        buf_text(out, "\n  complete -e -c $name\n  complete -c $name -f -a '(__ipcbox)'\nend\n");
    } else {
        /* loaded by compinit the file is the function's body; else it is read by eval */
        buf_text(
            out, "if [[ ${funcstack[1]} == _ipcbox ]]; then _ipcbox \"$@\"; else compdef _ipcbox ipcbox");
        add_names(out, prefix);
        buf_text(out, "; fi\n");
    }
}
