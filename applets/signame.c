/*
 * signame - converts signal names to numbers and numbers to names.
 */
#include "cli/applet.h"

#include <string.h>

#include "base/num.h"
#include "base/signum.h"

enum { KSH_SIGNAL = 256 };

static const struct cli cli = {
    .name = "signame",
    .summary = "convert signal numbers to names and names to numbers",
    .usage = "[NUM|NAME]...",
    .notes =
        "A number from 129 up is taken as a shell's exit status, 128+N, or 256+N in ksh. Without operands, "
        "list all signals, one per line: number and name.",
    .options = NULL,
    .count = 0,
};

/* One word's answer. A status of 128+N, as the shell and ipcbox show it, or of 256+N, as ksh(1) has it, is
 * signal N. */
static void answer(const struct msg *m, const char *word, struct buf *out)
{
    char name[SIGNUM_SIZE];
    uint64_t number;
    int sig;
    bool is_number = num_u64(word, 1, KSH_SIGNAL + SIGNUM_MAX, &number);
    if (is_number && number > EXIT_SIGNAL)
        number -= number > KSH_SIGNAL ? KSH_SIGNAL : EXIT_SIGNAL;
    if (is_number && number <= SIGNUM_MAX)
        buf_fmt(out, "%s\n", signum_name((int)number, name));
    else if (!is_number && signum_parse(word, strlen(word), &sig))
        buf_fmt(out, "%d\n", sig);
    else
        msg_usage(m, "'%s': not a signal; run signame to list them", word);
}

static void list_all(struct buf *out)
{
    char name[SIGNUM_SIZE];
    for (int sig = 1; sig <= SIGNUM_MAX; sig++)
        if (sig < 32 || sig >= SIGNUM_RTMIN) /* between them are libc's own */
            buf_fmt(out, "%d %s\n", sig, signum_name(sig, name));
}

static int signame_main(struct msg *m, int argc, char **argv)
{
    char mem[1024];
    struct buf out = BUF(mem);
    struct opts o;
    opts_start(&o, m, &cli, argc, argv);
    opts_next(&o);
    argv += o.first;
    if (!*argv)
        list_all(&out);
    for (char **word = argv; *word; word++, out.len = 0)
        answer(m, *word, &out); /* a usage error must come before any output */
    int status = EXIT_DONE;
    for (; *argv && status == EXIT_DONE; argv++) {
        answer(m, *argv, &out);
        status = opts_print_part(m, &out);
    }
    return status == EXIT_DONE ? opts_print(m, &out) : status;
}

const struct applet applet_signame = {.cli = &cli, .theme = THEME_SIGNALS, .main = signame_main};
