/*
 * waitfor - waits until ports and web servers answer, sockets listen, files exist, or processes have exited.
 *
 * All conditions are watched at once, in one poll(2); each has to be true once. What is no event is looked at
 * again and again, at first after a millisecond, at last every 50.
 */
#include "cli/applet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/addr_words.h"
#include "base/clock.h"
#include "process/find.h"
#include "net/http.h"
#include "net/http_url.h"
#include "base/num.h"
#include "net/probe.h"
#include "process/sigs.h"
#include "process/spawn.h"
#include "base/version.h"
#include "process/watch.h"

#define WAITFOR_OPTIONS(X)                                                                \
    MSG_OPTIONS(X)                                                                        \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: check once") \
    X(NOT, 0, "not", NULL, "wait until the condition does not hold")                      \
    X(STATUS, 0, "status", "LIST", "http: expect a status in LIST (2xx,3xx)")             \
    X(UNIX_SOCKET, 0, "unix", "PATH", "http: connect to the Unix socket PATH")            \
    X(EXEC, 0, "exec", NULL, "then run PROG, the following words, in place of waitfor")

enum waitfor_option { WAITFOR_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WAITFOR_OPTIONS(OPT_ROW)};

enum command { TCP, UNIX, FILE_THERE, EXIT, HTTP };
static const char *const commands[] = {
    [TCP] = "tcp", [UNIX] = "unix", [FILE_THERE] = "file", [EXIT] = "exit", [HTTP] = "http", NULL};

enum { PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 50 };

struct condition {
    enum command command;
    bool negated;
    bool done, failed;  /* it has been true; it was false when it was last looked at */
    const char *object; /* as messages name it */
    char port_text[320];
    const char *why; /* it is not true */
    struct probe probe;
    struct http_target target;
    pid_t pid;
    struct watch watch; /* of pid, while it runs */
    bool watching;
};

struct waitfor {
    struct msg *msg;
    struct condition *conditions;
    size_t n;
    struct pollfd *polls; /* PROBE_POLLS for each */
    bool exec;
    int64_t timeout, deadline, pause;
};

static bool is_probed(const struct condition *c)
{
    return c->command == TCP || c->command == HTTP;
}

/* ---- waiting ---- */

static bool has_exited(struct condition *c)
{
    if (!c->watching)
        c->watching = watch_begin(&c->watch, c->pid) == 0;
    if (c->watching && !watch_is_over(&c->watch))
        return false;
    if (c->watching)
        watch_end(&c->watch);
    c->watching = false;
    return true;
}

/* Of what is no event. */
static enum probe_result look_once(struct condition *c)
{
    struct stat st;
    c->why = "still running";
    if (c->command == EXIT)
        return has_exited(c) ? PROBE_YES : PROBE_NO;
    if (c->command == UNIX ? probe_unix(&c->probe.unix_socket) : stat(c->object, &st) == 0)
        return PROBE_YES;
    c->why = strerror(errno);
    return probe_is_absence(errno) ? PROBE_NO : PROBE_UNKNOWN;
}

/* Looks at a condition, without waiting. */
static void look(struct condition *c)
{
    enum probe_result got = is_probed(c) ? probe_step(&c->probe) : look_once(c);
    /* with --not, an address that fails is no reason before the others have */
    if (is_probed(c) && (!c->negated || got != PROBE_WAITS || !c->why))
        c->why = c->negated && got == PROBE_UNKNOWN ? c->probe.unclear : c->probe.why;
    if (c->negated && got == PROBE_YES)
        c->why = "it still holds";
    c->done = got == (c->negated ? PROBE_NO : PROBE_YES);
    c->failed = !c->done && got != PROBE_WAITS;
    if (c->done && is_probed(c))
        probe_end(&c->probe);
}

/* Looks at all that have not been true yet, or once at all. How many are left to look at. */
static size_t look_at_all(struct waitfor *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct condition *c = &w->conditions[i];
        bool over = c->done || (!w->timeout && c->failed);
        if (!over)
            look(c);
        left += !c->done && (w->timeout || !c->failed);
    }
    return left;
}

/* Sleeps until a condition may have changed. */
static void sleep_for_all(struct waitfor *w)
{
    int64_t until = w->deadline;
    nfds_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct condition *c = &w->conditions[i];
        struct pollfd polls[PROBE_POLLS] = {watch_poll(&c->watch)};
        size_t k = 1;
        int64_t next = CLOCK_NEVER;
        if (c->done || (!w->timeout && c->failed))
            continue;
        if (is_probed(c)) {
            next = probe_polls(&c->probe, polls);
            k = PROBE_POLLS;
        } else {
            next = clock_in(c->watching ? watch_pause(&c->watch) : w->pause);
        }
        until = clock_first(until, next);
        while (k-- > 0)
            if (polls[k].fd >= 0)
                w->polls[n++] = polls[k];
    }
    w->pause = clock_first(w->pause * 2, PAUSE_MAX_MS * CLOCK_MS);
    sigs_sleep_or_die(w->msg, w->polls, n, clock_left(until));
}

/* Reports one that is missing. */
static void report(const struct waitfor *w, const struct condition *c)
{
    char mem[400], name_mem[16];
    struct buf why = BUF(mem), name = BUF(name_mem);
    buf_fmt(&name, "%s%s", c->negated ? "not " : "", commands[c->command]);
    buf_fmt(&why, "%s%s", w->timeout ? "the deadline passed: " : "", c->why);
    if (w->timeout)
        msg_fatal_why(w->msg, EXIT_DEADLINE, buf_str(&name), c->object, buf_str(&why));
    else
        msg_error_why(w->msg, buf_str(&name), c->object, buf_str(&why));
}

static int wait_for_all(struct waitfor *w)
{
    w->deadline = clock_in(w->timeout ? w->timeout : CLOCK_NEVER); /* a probe ends by itself */
    while (look_at_all(w) && clock_left(w->deadline))
        sleep_for_all(w);
    int status = EXIT_DONE;
    for (size_t i = 0; i < w->n; i++) {
        if (w->conditions[i].done)
            continue;
        report(w, &w->conditions[i]);
        status = w->timeout ? EXIT_DEADLINE : EXIT_NO;
    }
    return status;
}

/* ---- the command line ---- */

/* The operands of each command, and what is missing where there are fewer. */
static void check_count(const struct msg *m, enum command command, char *const *argv)
{
    static const char *const names[][2] = {[TCP] = {"HOST", "PORT"},
        [UNIX] = {"PATH"},
        [FILE_THERE] = {"PATH"},
        [EXIT] = {"PID"},
        [HTTP] = {"URL"}};
    if (command == TCP && *argv)
        addr_port_operand(m, argv, 1);
    for (size_t i = 0; i < 2 && names[command][i]; i++, argv++)
        if (!*argv)
            msg_usage(m, "missing %s", names[command][i]);
    if (*argv)
        msg_usage(m, "unexpected operand '%s'", *argv);
}

/* Makes the request for a URL. */
static void take_url(const struct msg *m, struct condition *c, const char *url)
{
    struct probe *p = &c->probe;
    struct http_target *t = &c->target;
    const char *wrong = http_take_url(t, url, HTTP_PORT);
    if (wrong)
        msg_refuse(m, "", http_shown(url, strlen(url)), wrong);
    struct buf b = {.size = strlen(t->path) + sizeof *t + 256};
    b.mem = malloc(b.size);
    if (!b.mem)
        msg_die_sys(m, "malloc", NULL);
    p->host = t->host;
    p->port = t->port;
    http_put_request(&b, t->path, t->host, t->port);
    http_put_header(&b, "User-Agent", "ipcbox/" IPCBOX_VERSION);
    http_put_header(&b, "Connection", "close");
    http_put_header(&b, "Authorization", t->credentials);
    buf_text(&b, "\r\n");
    p->request = b.mem;
    p->request_len = b.len;
}

static void take_operands(const struct msg *m, struct condition *c, char **argv)
{
    uint64_t pid;
    struct probe *p = &c->probe;
    check_count(m, c->command, argv);
    if (c->command != HTTP && (p->statuses || p->unix_socket.len))
        msg_usage(m, "--status and --unix are for http");
    c->object = *argv;
    switch (c->command) {
    case TCP:
        p->host = **argv ? *argv : "0";
        buf_fmt(&BUF(c->port_text), "%s port %s", argv[0], argv[1]);
        c->object = c->port_text;
        p->port = addr_port_operand(m, argv, 1);
        break;
    case UNIX:
        addr_unix_operand(&p->unix_socket, m, *argv);
        break;
    case FILE_THERE:
        if (!**argv)
            msg_usage(m, "path '': expected at least one byte");
        break;
    case EXIT:
        if (!num_u64(*argv, 1, INT32_MAX, &pid))
            msg_usage(m, "PID '%s': expected a number from 1 to 2147483647", *argv);
        c->pid = (pid_t)pid;
        break;
    case HTTP:
        c->object = http_shown(*argv, strlen(*argv));
        take_url(m, c, *argv);
        if (!p->statuses)
            p->statuses = "2xx,3xx";
        break;
    }
    if (is_probed(c))
        probe_begin(p);
}

static const struct cli cli = {
    .name = "waitfor",
    .summary = "wait for ports, web servers, sockets, files, or process exits",
    .usage = "[OPTION]... tcp HOST PORT\n"
             "[OPTION]... unix PATH\n"
             "[OPTION]... file PATH\n"
             "[OPTION]... exit PID\n"
             "[OPTION]... http URL\n"
             "CONDITION [::: CONDITION]... [--exec PROG [ARG]...]",
    .notes = "CONDITION is one of the above; its options may follow its word.\n"
             "Ports and sockets are tested by a connection, which is closed at once.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

/* The words of one condition, behind *argv. */
static void take_condition(struct waitfor *w, int argc, char **argv)
{
    struct condition *c = &w->conditions[w->n++];
    struct opts o;
    int row;
    c->watch.fd = -1;
    opts_start(&o, w->msg, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum waitfor_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(w->msg, row);
            break;
        case OPT_TIMEOUT:
            w->timeout = opts_duration(&o);
            break;
        case OPT_NOT:
            c->negated = true;
            break;
        case OPT_STATUS:
            c->probe.statuses = o.arg;
            if (!probe_status(o.arg, 0))
                opts_wrong(&o, "expected statuses such as 200,3xx");
            break;
        case OPT_UNIX_SOCKET:
            addr_unix_option(&c->probe.unix_socket, &o);
            break;
        case OPT_EXEC: /* has been taken away */
            break;
        }
    }
    if (w->exec && !argv[o.first])
        msg_usage(w->msg, "--exec: expected after all conditions");
    c->command = (enum command)opts_command(&o);
    take_operands(w->msg, c, argv + o.first);
}

/* The index of a word of a list, or its end. */
static int find_word(int argc, char **argv, int from, const char *word)
{
    while (from < argc && strcmp(argv[from], word) != 0)
        from++;
    return from;
}

static void take_conditions(struct waitfor *w, int argc, char **argv)
{
    size_t n = (size_t)argc + 1; /* at most, and room for the end of the list */
    w->conditions = calloc(n, sizeof *w->conditions);
    w->polls = calloc(PROBE_POLLS * n, sizeof *w->polls);
    if (!w->conditions || !w->polls)
        msg_die_sys(w->msg, "malloc", NULL);
    for (int start = 0, end; start < argc; start = end) {
        end = find_word(argc, argv, start + 1, ":::");
        argv[end] = NULL; /* the next condition's argv[0] */
        take_condition(w, end - start, argv + start);
    }
}

static int waitfor_main(struct msg *m, int argc, char **argv)
{
    struct waitfor w = {.msg = m, .timeout = CLOCK_NEVER, .pause = PAUSE_MIN_MS * CLOCK_MS};
    int end = find_word(argc, argv, 1, "--exec");
    char **prog = end < argc ? argv + end + 1 : NULL;
    w.exec = prog;
    take_conditions(&w, end, argv);
    if (prog && !*prog)
        msg_usage(m, "missing PROG");
    const char *path = prog ? find_program(*prog) : NULL;
    sigs_end_at_term();
    int status = prog && !path ? find_failed(m, *prog, errno) : wait_for_all(&w);
    free(w.conditions);
    free(w.polls);
    if (status || !prog)
        return status;
    spawn_become(path, prog, environ);
    msg_die(m, find_exit_status(errno), "exec", *prog, errno);
}

const struct applet applet_waitfor = {.cli = &cli, .theme = THEME_SOCKETS, .main = waitfor_main};
