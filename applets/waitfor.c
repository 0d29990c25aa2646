/*
 * waitfor - waits until a port answers, a socket listens, a file exists, or a process has exited.
 *
 * Only the exit of a process is an event everywhere. All else is polled, at first every millisecond, at last
 * every 50.
 */
#include "cli/applet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "net/addr_words.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "net/probe.h"
#include "process/watch.h"
#include "process/sigs.h"

#define WAITFOR_OPTIONS(X) \
    MSG_OPTIONS(X)         \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: check once")

enum waitfor_option { WAITFOR_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WAITFOR_OPTIONS(OPT_ROW)};

enum command { TCP, UNIX, FILE_THERE, EXIT };
static const char *const commands[] = {
    [TCP] = "tcp", [UNIX] = "unix", [FILE_THERE] = "file", [EXIT] = "exit", NULL};

enum { PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 50, CONNECT_SECONDS = 5 };

struct waitfor {
    struct msg *msg;
    enum command command;
    const char *object; /* as messages name it */
    char port_text[320];
    int64_t timeout, deadline;
    struct dial dial;
    struct addr address;
    pid_t pid;
    struct watch watch; /* of pid */
    char why[256];      /* the condition does not hold */
};

static void note(struct waitfor *w, const char *why)
{
    struct buf b = BUF(w->why);
    buf_text(&b, why);
    buf_str(&b);
}

/* A host that does not answer at all must not keep this attempt for ever. */
static bool is_answering(struct waitfor *w)
{
    struct dial_failure failure;
    int64_t limit = clock_in(CONNECT_SECONDS * CLOCK_SECOND);
    w->dial.deadline = w->timeout ? clock_first(w->deadline, limit) : limit;
    if (probe_tcp(&w->dial, &failure))
        return true;
    note(w, failure.why);
    return false;
}

static bool is_listening(struct waitfor *w)
{
    if (probe_unix(&w->address))
        return true;
    note(w, strerror(errno));
    return false;
}

static bool is_there(struct waitfor *w)
{
    struct stat st;
    if (stat(w->object, &st) == 0)
        return true;
    note(w, strerror(errno));
    return false;
}

static bool is_so(struct waitfor *w)
{
    switch (w->command) {
    case TCP:
        return is_answering(w);
    case UNIX:
        return is_listening(w);
    case FILE_THERE:
        return is_there(w);
    case EXIT:
        break;
    }
    note(w, "still running");
    return watch_is_over(&w->watch);
}

/* Sleeps until the condition may hold; ns at most, unless its event will tell. */
static void pause_until(const struct waitfor *w, int64_t ns)
{
    bool waits = w->command == EXIT;
    struct pollfd end = watch_poll(&w->watch);
    if (sigs_sleep(&end, waits, clock_first(waits ? watch_pause(&w->watch) : ns, clock_left(w->deadline))) <
            0 &&
        errno != EINTR)
        msg_die_sys(w->msg, "poll", NULL);
}

static int wait_until_so(struct waitfor *w)
{
    int64_t pause = PAUSE_MIN_MS * CLOCK_MS;
    w->deadline = clock_in(w->timeout);
    if (w->command == EXIT && watch_begin(&w->watch, w->pid) < 0)
        return EXIT_DONE;
    while (!is_so(w)) {
        if (!w->timeout) {
            msg_error_why(w->msg, commands[w->command], w->object, w->why);
            return EXIT_NO;
        }
        if (!clock_left(w->deadline)) {
            char mem[320];
            struct buf why = BUF(mem);
            buf_fmt(&why, "the deadline passed: %s", w->why);
            return msg_fatal_why(w->msg, EXIT_DEADLINE, commands[w->command], w->object, buf_str(&why));
        }
        pause_until(w, pause);
        pause = clock_first(pause * 2, PAUSE_MAX_MS * CLOCK_MS);
    }
    watch_end(&w->watch);
    return EXIT_DONE;
}

/* The operands of each command, and what is missing where there are fewer. */
static void check_count(const struct waitfor *w, char *const *argv)
{
    static const char *const names[][2] = {
        [TCP] = {"HOST", "PORT"}, [UNIX] = {"PATH"}, [FILE_THERE] = {"PATH"}, [EXIT] = {"PID"}};
    if (w->command == TCP && *argv)
        addr_port_operand(w->msg, argv, 1);
    for (size_t i = 0; i < 2 && names[w->command][i]; i++, argv++)
        if (!*argv)
            msg_usage(w->msg, "missing %s", names[w->command][i]);
    if (*argv)
        msg_usage(w->msg, "unexpected operand '%s'", *argv);
}

static void take_operands(struct waitfor *w, char **argv)
{
    uint64_t pid;
    check_count(w, argv);
    w->object = *argv;
    switch (w->command) {
    case TCP:
        w->dial = (struct dial){.host = *argv};
        snprintf(w->port_text, sizeof w->port_text, "%s port %s", argv[0], argv[1]);
        w->object = w->port_text;
        w->dial.port = addr_port_operand(w->msg, argv, 1);
        break;
    case UNIX:
        if (!addr_parse_unix(&w->address, *argv))
            msg_usage(w->msg, "path '%s': expected a path of 1 to %d bytes, or @ and an abstract name", *argv,
                ADDR_UNIX_MAX);
        break;
    case FILE_THERE:
        if (!**argv)
            msg_usage(w->msg, "path '': expected at least one byte");
        break;
    case EXIT:
        if (!num_u64(*argv, 1, INT32_MAX, &pid))
            msg_usage(w->msg, "PID '%s': expected a number from 1 to 2147483647", *argv);
        w->pid = (pid_t)pid;
        break;
    }
}

static const struct cli cli = {
    .name = "waitfor",
    .summary = "wait for a port, a socket, a file, or the exit of a process",
    .usage = "[OPTION]... tcp HOST PORT\n"
             "[OPTION]... unix PATH\n"
             "[OPTION]... file PATH\n"
             "[OPTION]... exit PID",
    .notes = "Ports and sockets are tested by a connection, which is closed at once.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int waitfor_main(struct msg *m, int argc, char **argv)
{
    struct waitfor w = {.msg = m, .timeout = CLOCK_NEVER, .watch.fd = -1};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum waitfor_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_TIMEOUT:
            w.timeout = opts_duration(&o);
            break;
        }
    }
    w.command = (enum command)opts_command(&o);
    take_operands(&w, argv + o.first);
    sigs_end_at_term();
    return wait_until_so(&w);
}

const struct applet applet_waitfor = {.cli = &cli, .theme = THEME_SOCKETS, .main = waitfor_main};
