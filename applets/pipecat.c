/*
 * pipecat - reads files, stdin and the output of commands as one stream.
 *
 * perl's magic ARGV, `program f1 "cmd1|" - f2 "cmd2|" f3`, without its magic: a command is run without a
 * shell, a name is a name, and each failure is reported and reflected in the exit status.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "io/relay.h"
#include "process/sigs.h"
#include "base/words.h"

#define PIPECAT_OPTIONS(X)                                                                        \
    MSG_OPTIONS(X)                                                                                \
    X(NAMES, 'n', "names", NULL, "treat every operand as a file name, even one that ends with |") \
    X(SHELL, 0, "shell", NULL, "run each command with sh -c")

enum pipecat_option { PIPECAT_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {PIPECAT_OPTIONS(OPT_ROW)};

enum { GRACE_SECONDS = 2, STDIO = 3 };

struct pipecat {
    struct msg *msg;
    struct job job; /* the present command */
    bool names, shell;
    int status; /* of the last part that failed */
    char sh[3], dash_c[3], dash[2];
};

/* Whether it is a command: then its length without the |, else 0. */
static size_t command_length(const struct pipecat *p, const char *word)
{
    size_t n = strlen(word);
    return !p->names && n && word[n - 1] == '|' ? n - 1 : 0;
}

static void note_failure(struct pipecat *p, int status)
{
    p->status = status;
}

/* stdout is gone, or full: all that follows is lost, too. */
static int lose_output(struct pipecat *p, int err)
{
    if (p->job.running)
        job_end(&p->job, SIGTERM, GRACE_SECONDS * CLOCK_SECOND);
    if (err == EPIPE && !sigs_found_ignored(SIGPIPE))
        sigs_die(SIGPIPE);
    return msg_fatal(p->msg, EXIT_SYSTEM, "write", "stdout", err);
}

/* A signal came that would have ended us, had it not been for the command. */
static void die_if_told(struct pipecat *p)
{
    if (!p->job.came)
        return;
    if (p->job.running)
        job_end(&p->job, SIGTERM, GRACE_SECONDS * CLOCK_SECOND);
    sigs_die(p->job.came);
}

/* Copies one part. 0, or the exit status of a failure that ends all. */
static int copy(struct pipecat *p, int fd, const char *name)
{
    struct pump pump;
    enum pump_state state;
    pump_init(&pump, fd, STDOUT_FILENO);
    while ((state = pump_step(&pump)) == PUMP_AGAIN || state == PUMP_WAIT) {
        struct pollfd polls[2];
        if (state == PUMP_AGAIN) {
            job_look(&p->job);
        } else {
            pump_polls(&pump, polls);
            job_sleep(&p->job, polls, 2, CLOCK_NEVER);
            pump_ready(&pump, polls);
        }
        die_if_told(p);
    }
    int err = errno;
    pump_free(&pump);
    if (state == PUMP_END)
        return 0;
    if (pump.failed == PUMP_TARGET)
        return lose_output(p, err);
    msg_error(p->msg, "read", name, err);
    note_failure(p, EXIT_SYSTEM);
    return 0;
}

/* A file that grows by what we read from it would have no end. */
static bool is_output(int fd)
{
    struct stat in, out;
    return fstat(fd, &in) == 0 && fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(in.st_mode) &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static int cat_fd(struct pipecat *p, int fd, const char *name)
{
    if (!is_output(fd))
        return copy(p, fd, name);
    msg_error_why(p->msg, "read", name, "it is the output as well");
    note_failure(p, EXIT_SYSTEM);
    return 0;
}

static int cat_file(struct pipecat *p, const char *name)
{
    int fd = job_open(name, O_RDONLY, CLOCK_NEVER);
    if (fd < 0) {
        int err = errno;
        job_look(&p->job);
        die_if_told(p);
        msg_error(p->msg, "open", name, err);
        note_failure(p, EXIT_SYSTEM);
        return 0;
    }
    int failed = cat_fd(p, fd, name);
    fd_close(&fd);
    return failed;
}

/* ---- commands ---- */

/* The words of a command, as words_split gives them. */
static char **split(struct pipecat *p, char *line)
{
    if (!p->shell)
        return words_split(line);
    char *const by_shell[] = {p->sh, p->dash_c, line, NULL};
    char **words = malloc(sizeof by_shell);
    return words ? memcpy(words, by_shell, sizeof by_shell) : NULL;
}

/* Starts the command with its output on a pipe; the pipe, or -1: what failed has been said. */
static int start(struct pipecat *p)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) {
        msg_error(p->msg, "pipe", NULL, errno);
        note_failure(p, EXIT_SYSTEM);
        return -1;
    }
    const int stdio[STDIO] = {-1, fds[1], -1};
    struct spawn spawn = {.fds = stdio, .nfds = STDIO, .signals = SIGS_PIPELINE};
    if (job_start(&p->job, 0, &spawn) < 0) {
        note_failure(p, job_start_failed(&p->job, 0, "fork", errno));
        fd_close(&fds[0]);
    }
    fd_close(&fds[1]);
    return fds[0];
}

static void say_command_failed(const struct pipecat *p, const char *name, int status)
{
    char mem[64];
    struct buf why = BUF(mem);
    if (status > EXIT_SIGNAL && job_died_of(&p->job, 0, status - EXIT_SIGNAL))
        buf_fmt(&why, "killed by signal %d", status - EXIT_SIGNAL);
    else
        buf_fmt(&why, "exit status %d", status);
    msg_error_why(p->msg, "run", name, buf_str(&why));
}

/* Runs the command and copies its output, then waits for its end. */
static int run(struct pipecat *p, const char *name)
{
    int status = job_find(&p->job);
    int fd = status ? -1 : start(p);
    if (status)
        note_failure(p, status);
    if (fd < 0)
        return 0;
    int failed = copy(p, fd, name);
    fd_close(&fd);
    while (!failed && p->job.running) {
        job_sleep(&p->job, NULL, 0, CLOCK_NEVER);
        die_if_told(p);
    }
    status = failed ? 0 : job_status(&p->job, 0);
    if (status) {
        if (!p->job.start_failed)
            say_command_failed(p, name, status);
        note_failure(p, status);
    }
    return failed;
}

static int cat_command(struct pipecat *p, const char *word, size_t n)
{
    char *line = strndup(word, n);
    char **words = line ? split(p, line) : NULL;
    if (!words)
        msg_die_sys(p->msg, "malloc", NULL);
    job_single(&p->job, words);
    int failed = run(p, word);
    job_forget(&p->job);
    free(words);
    free(line);
    return failed;
}

static int cat_word(struct pipecat *p, const char *word)
{
    size_t command = command_length(p, word);
    if (command)
        return cat_command(p, word, command);
    return strcmp(word, "-") == 0 ? cat_fd(p, STDIN_FILENO, "stdin") : cat_file(p, word);
}

static const struct cli cli = {
    .name = "pipecat",
    .summary = "read files, stdin and commands' output as one stream",
    .usage = "[OPTION]... [FILE | - | 'CMD [WORD]... |']...",
    .notes =
        "An operand that ends with | is a command, split at blanks and run without a shell. - is standard\n"
        "input, which is also read if there are no operands. The exit status is that of the last operand\n"
        "that failed.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

/* A command without a word is found out before anything is read. */
static void check_words(const struct pipecat *p, char **words)
{
    for (char **w = words; *w; w++) {
        size_t n = strlen(*w);
        if (!p->names && n && (*w)[n - 1] == '|' && strspn(*w, WORDS_BLANKS) >= n - 1)
            msg_usage(p->msg, "operand '%s': missing CMD before the |", *w);
    }
}

static int pipecat_main(struct msg *m, int argc, char **argv)
{
    struct pipecat p = {.msg = m, .sh = "sh", .dash_c = "-c", .dash = "-"};
    char *only_stdin[] = {p.dash, NULL};
    struct opts o;
    int row, failed = 0;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum pipecat_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_NAMES:
            p.names = true;
            break;
        case OPT_SHELL:
            p.shell = true;
            break;
        }
    }
    argv += o.first;
    check_words(&p, argv);
    job_init(&p.job, m);
    job_begin(&p.job, false);
    for (char **w = *argv ? argv : only_stdin; *w && !failed; w++)
        failed = cat_word(&p, *w);
    if (!failed && close(STDOUT_FILENO) < 0 && errno != EBADF)
        failed = msg_fatal(m, EXIT_SYSTEM, "close", "stdout", errno);
    return failed ? failed : p.status;
}

const struct applet applet_pipecat = {.cli = &cli, .theme = THEME_PIPES, .main = pipecat_main};
