/*
 * cmdserver - perlipc's interactive command server, on stdin and stdout: one client's dialogue.
 *
 * Under tcpserver or unixserver each client has a process of its own. Commands are matched as the manual's
 * regular expressions do: anywhere in the line, in any case, the first that fits.
 */
#include "cli/applet.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fd.h"
#include "process/find.h"
#include "process/job.h"
#include "io/relay.h"
#include "process/sigs.h"
#include "base/words.h"

#define CMDSERVER_OPTIONS(X)                                                                      \
    MSG_OPTIONS(X)                                                                                \
    X(PROMPT, 'p', "prompt", "TEXT", "print TEXT before each command ('Command? ')")              \
    X(WELCOME, 'w', "welcome", "TEXT", "print TEXT as the first line")                            \
    X(TIMEOUT, 't', "timeout", "TIME", "terminate a command and its descendants after TIME (30)") \
    X(IDLE, 0, "idle", "TIME", "exit if the client is idle for TIME")                             \
    X(CRLF, 0, "crlf", NULL, "end lines of output with CR LF")

enum cmdserver_option { CMDSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {CMDSERVER_OPTIONS(OPT_ROW)};

enum {
    LINE_MAX_BYTES = 4096,
    TEXT_MAX = 4096,
    COMMAND_SECONDS = 30,
    GRACE_SECONDS = 1,
    STDIO = STDERR_FILENO + 1
};

/* What the bytes of telnet's negotiation are made of (RFC 854). */
enum { TELNET_SE = 240, TELNET_SB = 250, TELNET_WILL = 251, TELNET_DONT = 254, TELNET_IAC = 255 };

struct cmdserver {
    struct msg *msg;
    struct job job;
    const char *prompt, *welcome;
    char **own; /* NAME=CMD words, NULL at the end */
    int64_t timeout, idle, idle_until;
    int64_t until;   /* of the command whose output is passed on */
    struct pump out; /* to the client */
    char line[LINE_MAX_BYTES + 1];
    size_t len;
    bool too_long, quit;
    bool after_cr; /* in the input */
    bool crlf, said_cr;
    enum { TEXT, AFTER_IAC, AFTER_OPTION, IN_SUB, IN_SUB_AFTER_IAC } telnet;
};

/*
 * To the client. One that has gone ends us as it ends any filter; one that does not read is waited for as
 * long as one that does not type, and a signal ends us meanwhile.
 */
static void send_out(struct cmdserver *c, const char *bytes, size_t n)
{
    int64_t until = clock_in(c->idle);
    if (c->job.came || c->quit || job_write(&c->job, &c->out, bytes, n, clock_first(until, c->until)) == 0)
        return;
    if (errno == ETIMEDOUT)
        c->quit = !clock_left(until);
    else if (errno == EPIPE || errno == ECONNRESET)
        sigs_die(SIGPIPE);
    else if (errno != EINTR)
        msg_die_sys(c->msg, "write", "stdout");
}

/* The same; with --crlf, an LF without a CR gets one, as a telnet client wants it (RFC 854). */
static void say_bytes(struct cmdserver *c, const char *bytes, size_t n)
{
    char lines[2 * TEXT_MAX];
    struct buf b = BUF(lines);
    for (size_t i = 0; c->crlf && i < n; i++) {
        if (bytes[i] == '\n' && !c->said_cr)
            buf_char(&b, '\r');
        buf_char(&b, bytes[i]);
        c->said_cr = bytes[i] == '\r';
    }
    send_out(c, c->crlf ? b.mem : bytes, c->crlf ? b.len : n);
}

static void say(struct cmdserver *c, const char *text)
{
    say_bytes(c, text, strlen(text));
}

/* ---- commands ---- */

static void say_about(struct cmdserver *c, const char *name, const char *what)
{
    char mem[512];
    struct buf b = BUF(mem);
    buf_fmt(&b, "%.*s: %s\n", (int)strcspn(name, "="), name, what);
    say(c, buf_str(&b));
}

/* Starts the words, with both outputs to the client, or to the pipe. Whether it could be done. */
static bool start(struct cmdserver *c, const char *name, int to)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), out = fd_dup(to, STDIO);
    const char *object = null < 0 ? "/dev/null" : name;
    bool done = null >= 0 && out >= 0 && fd_raise(&null, STDIO) == 0;
    if (done) {
        const int fds[] = {null, c->crlf ? out : -1, out};
        struct spawn spawn = {.fds = fds, .nfds = STDIO, .signals = SIGS_CLEAN, .death_signal = SIGKILL};
        done = job_start(&c->job, 0, &spawn) == 0;
    }
    if (!done)
        say_about(c, object, strerror(errno));
    fd_close(&null);
    fd_close(&out);
    return done;
}

/* Whether it can be run; else errno says why not. */
static bool is_there(const char *name)
{
    const char *path = find_program(name);
    bool found = path != NULL;
    find_free(path, name);
    return found;
}

/* Passes on what a command has printed: how many bytes, or -1 with errno. */
static ssize_t pass_on(struct cmdserver *c, int from)
{
    char text[TEXT_MAX];
    ssize_t n = fd_read(from, text, sizeof text);
    if (n > 0)
        say_bytes(c, text, (size_t)n);
    return n;
}

/* Until the command has ended, its time is over, or its client has gone. Whether its time is over. */
static bool wait_for_command(struct cmdserver *c, int *output)
{
    struct job *j = &c->job;
    struct pollfd fds[] = {
        {.fd = STDOUT_FILENO /* says only that the client has gone */}, {.fd = *output, .events = POLLIN}};
    c->until = clock_in(c->timeout);
    while (j->running && !j->came && !c->quit && !fds->revents && clock_left(c->until))
        if (job_sleep(j, fds, 2, clock_left(c->until)) > 0 && fds[1].revents && pass_on(c, *output) == 0)
            fds[1].fd = -1;
    bool late = j->running && !j->came && !c->quit && !fds->revents;
    c->until = CLOCK_NEVER;
    return late;
}

/* A pipe for the output of a command, in which each line has still to get its CR. 0, or -1 with errno. */
static int open_output(int fds[2])
{
    return pipe2(fds, O_CLOEXEC) < 0 ? -1 : fd_set_nonblock(*fds, true);
}

/* Runs a command until it ends, its time is over, or a signal ends us; then none of its children is left. */
static void run_words(struct cmdserver *c, const char *name, char **words)
{
    struct job *j = &c->job;
    if (!is_there(*words)) {
        say_about(c, name, strerror(errno));
        return;
    }
    job_single(j, words);
    int output[] = {-1, -1};
    if (c->crlf && open_output(output) < 0)
        say_about(c, name, strerror(errno));
    else if (job_find(j) == 0 && start(c, name, c->crlf ? output[1] : STDOUT_FILENO)) {
        fd_close(&output[1]);
        bool late = wait_for_command(c, output);
        job_end(j, SIGTERM, GRACE_SECONDS * CLOCK_SECOND);
        while (pass_on(c, *output) > 0)
            ;
        if (late)
            say_about(c, name, "took too long");
        if (j->start_failed)
            say_about(c, name, strerror(j->progs->exec_errno));
    }
    fd_close(&output[0]);
    fd_close(&output[1]);
    job_forget(j);
}

static void run_own(struct cmdserver *c, const char *own)
{
    char *line = strdup(strchr(own, '=') + 1);
    char **words = line ? words_split(line) : NULL;
    if (words)
        run_words(c, own, words);
    else
        say_about(c, own, strerror(ENOMEM));
    free(words);
    free(line);
}

static void run_date(struct cmdserver *c)
{
    char mem[64];
    struct buf text = BUF(mem);
    date_local(&text, time(NULL));
    buf_char(&text, '\n');
    say(c, buf_str(&text));
}

static void run_who(struct cmdserver *c)
{
    char name[] = "who", *words[] = {name, NULL};
    run_words(c, name, words);
}

/* A fortune cookie; Debian's is not where commands are. */
static void run_cookie(struct cmdserver *c)
{
    char name[] = "fortune", games[] = "/usr/games/fortune";
    char *words[] = {is_there(name) ? name : games, NULL};
    run_words(c, name, words);
}

static void run_motd(struct cmdserver *c)
{
    char text[4096];
    ssize_t n = -1;
    int fd = open("/etc/motd", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd >= 0 && (n = fd_read(fd, text, sizeof text - 1)) > 0) {
        text[n] = '\0';
        say(c, text);
    }
    if (n < 0)
        say_about(c, "motd", strerror(errno));
    fd_close(&fd);
}

static void run_quit(struct cmdserver *c)
{
    c->quit = true;
}

static const struct {
    const char *word, *other; /* either of them */
    void (*run)(struct cmdserver *c);
} commands[] = {{"quit", "exit", run_quit}, {"date", "time", run_date}, {"who", "who", run_who},
    {"cookie", "cookie", run_cookie}, {"motd", "motd", run_motd}};

static void list_commands(struct cmdserver *c)
{
    say(c, "Commands: quit date who cookie motd");
    for (char **own = c->own; *own; own++) {
        char mem[512];
        struct buf b = BUF(mem);
        buf_fmt(&b, " %.*s", (int)strcspn(*own, "="), *own);
        say(c, buf_str(&b));
    }
    say(c, "\n");
}

/* Whether the name of NAME=CMD is in the line, in any case. */
static bool has_own(const char *line, const char *own)
{
    size_t n = strcspn(own, "=");
    for (; strlen(line) >= n; line++)
        if (strncasecmp(line, own, n) == 0)
            return true;
    return false;
}

/* ---- lines ---- */

/* The user's own commands come before all but quit. */
static void obey(struct cmdserver *c, const char *line)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        for (char **own = c->own; i == 1 && *own; own++)
            if (has_own(line, *own)) {
                run_own(c, *own);
                return;
            }
        if (strcasestr(line, commands[i].word) || strcasestr(line, commands[i].other)) {
            commands[i].run(c);
            return;
        }
    }
    list_commands(c);
}

static void take_line(struct cmdserver *c)
{
    for (size_t i = 0; i < c->len; i++)
        if (!c->line[i])
            c->line[i] = ' ';
    c->line[c->len] = '\0';
    bool is_blank = !c->line[strspn(c->line, " \t\r\n\v\f")];
    if (c->too_long)
        say(c, "Line too long\n");
    else if (!is_blank)
        obey(c, c->line);
    c->len = 0;
    c->too_long = false;
    c->idle_until = clock_in(c->idle);
    say(c, c->prompt);
}

static void take_text(struct cmdserver *c, unsigned char byte)
{
    bool ends = byte == '\n' || (byte == '\0' && c->after_cr); /* RFC 1123, 3.3.1 */
    c->after_cr = byte == '\r';
    if (ends)
        take_line(c);
    else if (c->len < LINE_MAX_BYTES)
        c->line[c->len++] = (char)byte;
    else
        c->too_long = true;
}

/* Takes telnet's negotiation out, which is not answered: so nothing is agreed on (RFC 854). */
static void take_byte(struct cmdserver *c, unsigned char byte)
{
    switch (c->telnet) {
    case TEXT:
        if (byte == TELNET_IAC)
            c->telnet = AFTER_IAC;
        else
            take_text(c, byte);
        break;
    case AFTER_IAC:
        c->telnet = byte == TELNET_SB                            ? IN_SUB
                    : byte >= TELNET_WILL && byte <= TELNET_DONT ? AFTER_OPTION
                                                                 : TEXT;
        if (byte == TELNET_IAC)
            take_text(c, byte);
        break;
    case AFTER_OPTION:
        c->telnet = TEXT;
        break;
    case IN_SUB:
        if (byte == TELNET_IAC)
            c->telnet = IN_SUB_AFTER_IAC;
        break;
    case IN_SUB_AFTER_IAC:
        c->telnet = byte == TELNET_SE ? TEXT : IN_SUB;
        break;
    }
}

/* Waits for input, and reads once: as read(2); 0 also when a signal or the idle time ends us, and `quit` is
 * set then. */
static ssize_t read_input(struct cmdserver *c, unsigned char *bytes, size_t size)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!c->job.came && clock_left(c->idle_until))
        if (job_sleep(&c->job, &in, 1, clock_left(c->idle_until)) > 0)
            return fd_read(STDIN_FILENO, bytes, size);
    c->quit = true;
    return 0;
}

static int serve(struct cmdserver *c)
{
    unsigned char bytes[4096];
    ssize_t n;
    c->idle_until = clock_in(c->idle);
    if (*c->welcome) {
        say(c, c->welcome);
        say(c, "\n");
    }
    say(c, c->prompt);
    while (!c->quit && (n = read_input(c, bytes, sizeof bytes)) != 0) {
        if (n < 0)
            return msg_fatal(c->msg, EXIT_SYSTEM, "read", "stdin", errno);
        for (ssize_t i = 0; i < n && !c->quit && !c->job.came; i++)
            take_byte(c, bytes[i]);
    }
    if (!c->quit && !c->job.came && (c->len || c->too_long))
        take_line(c);
    if (c->job.came)
        sigs_die(c->job.came);
    return EXIT_DONE;
}

/* ---- the command line ---- */

static void check_own(const struct cmdserver *c)
{
    for (char **own = c->own; *own; own++) {
        const char *is = strchr(*own, '=');
        if (!is || is == *own || strcspn(*own, " \t") < (size_t)(is - *own) ||
            !is[1 + strspn(is + 1, WORDS_BLANKS)])
            msg_usage(c->msg, "command '%s': expected NAME=CMD", *own);
    }
}

static const struct cli cli = {
    .name = "cmdserver",
    .summary = "serve commands to a client on stdin and stdout",
    .usage = "[OPTION]... [NAME=CMD]...",
    .notes = "The commands are quit, date, who, cookie, motd, help, and each NAME, which runs CMD. CMD is "
             "split at blanks, without a shell.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int cmdserver_main(struct msg *m, int argc, char **argv)
{
    char mem[256];
    struct buf welcome = BUF(mem);
    struct cmdserver c = {.msg = m,
        .prompt = "Command? ",
        .timeout = COMMAND_SECONDS * CLOCK_SECOND,
        .idle = CLOCK_NEVER,
        .until = CLOCK_NEVER};
    struct opts o;
    int row;
    buf_fmt(&welcome, "Welcome to %s; type help for command list.", m->applet);
    c.welcome = buf_str(&welcome);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum cmdserver_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_PROMPT:
            c.prompt = o.arg;
            break;
        case OPT_WELCOME:
            c.welcome = o.arg;
            break;
        case OPT_TIMEOUT:
            c.timeout = opts_duration(&o);
            break;
        case OPT_IDLE:
            c.idle = opts_duration(&o);
            break;
        case OPT_CRLF:
            c.crlf = true;
            break;
        }
    }
    c.own = argv + o.first;
    check_own(&c);
    fd_cloexec_from(STDIO);
    job_init(&c.job, m);
    sigs_learn_ignored();
    job_begin(&c.job, true);
    sigs_claim_term();
    if (pump_init_half(&c.out, -1, STDOUT_FILENO) < 0)
        msg_die_sys(m, "malloc", NULL);
    int status = serve(&c);
    pump_free(&c.out);
    return status;
}

const struct applet applet_cmdserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = cmdserver_main};
