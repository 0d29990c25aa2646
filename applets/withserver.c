/*
 * withserver - starts SERVER, waits until it is ready, runs CLIENT against it, and terminates SERVER.
 *
 * What tests of network programs do by hand, with sleeps and leftovers: readiness is an event, the kernel
 * chooses the ports, and whatever happens no process is left.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "process/notify.h"
#include "process/notify_socket.h"
#include "base/num.h"
#include "net/addr_words.h"
#include "net/probe.h"
#include "net/reserve.h"
#include "io/tap.h"
#include "process/sigs.h"
#include "base/words.h"

#define WITHSERVER_OPTIONS(X)                                                                      \
    JOB_OPTIONS(X)                                                                                 \
    X(TIMEOUT, 't', "timeout", "TIME", "exit 124 unless CLIENT has exited within TIME")            \
    X(READY, 'r', "ready", "TIME", "wait at most TIME for SERVER to be ready, then exit 124 (60)") \
    X(GRACE, 'k', "kill-after", "TIME", "send SIGKILL TIME after SIGTERM (5)")                     \
    X(PORT, 0, "port", "PORT", "wait until TCP port PORT of this machine answers")                 \
    X(FREE_PORT, 0, "free-port", NULL, "choose PORT, which replaces {PORT} in SERVER's words")     \
    X(SOCKET, 0, "socket", "PATH", "wait until the Unix socket PATH answers")                      \
    X(MATCH, 0, "match", "ERE", "wait for a line of output; its first group is the port")          \
    X(NOTIFY, 0, "notify", NULL, "wait until SERVER sends READY=1 to $NOTIFY_SOCKET")

enum withserver_option { WITHSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WITHSERVER_OPTIONS(OPT_ROW)};

enum { SERVER, CLIENT, STDIO = STDERR_FILENO + 1 };
enum { READY_SECONDS = 60, NOTICE_SECONDS = 5, GRACE_SECONDS = 5 };
enum { ENDING_MS = 200, PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 50 };

struct withserver {
    struct msg *msg;
    struct job job;
    bool by_notify, by_match, free_port;
    const char *port, *socket; /* what CLIENT is told; NULL: nothing */
    uint16_t port_number;
    struct addr address;
    int64_t timeout, ready_time, grace, deadline;
    int notify;
    struct tap tap; /* on SERVER's output, on its way to stderr */
    struct ere ere; /* of --match */
    int reserved;   /* what keeps the port of --free-port */
    bool is_ready, server_end_told;
    struct buf why; /* the message to be printed once all have exited; about SERVER or CLIENT, and why */
    char why_mem[1024];
    int about;
    int stop; /* a signal that came while there was no CLIENT */
    char notify_text[NOTIFY_SOCKET_SIZE], port_text[16], socket_text[600];
};

/* Whether a line of its output tells that it is ready. */
static bool by_line(const struct withserver *w)
{
    return w->by_match || (!w->by_notify && !w->port_number && !w->address.len);
}

/* Whether it is asked. */
static bool by_probe(const struct withserver *w)
{
    return !w->by_notify && !by_line(w);
}

/* ---- what SERVER says ---- */

static void take_message(struct withserver *w)
{
    char text[NOTIFY_MESSAGE_SIZE];
    if (notify_socket_receive(w->notify, getuid(), &w->job.descendants, text) == 0 || errno == EMSGSIZE)
        w->is_ready = w->is_ready || notify_socket_says(text, "READY=1");
}

/* Sleeps until something happens, and does what is to be done then. */
static void sleep_until(struct withserver *w, int64_t when)
{
    struct pollfd polls[3] = {{.fd = w->notify, .events = POLLIN}};
    tap_polls(&w->tap, polls + 1);
    if (job_sleep(&w->job, polls, 3, clock_left(when)) <= 0)
        return;
    if (polls[0].fd >= 0 && polls[0].revents)
        take_message(w);
    tap_ready(&w->tap, polls + 1);
    tap_step(&w->tap);
}

/* ---- SERVER ---- */

static int start_server(struct withserver *w)
{
    const char *failed = "open stdout for";
    int out[2] = {-1, -1}, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || fd_raise(&null, STDIO) < 0)
        return msg_fatal(w->msg, EXIT_SYSTEM, "open", "/dev/null", errno);
    int done = by_line(w) ? pipe2(out, O_CLOEXEC) : fd_dup(STDERR_FILENO, STDIO);
    if (!by_line(w))
        out[1] = done;
    else if (done == 0)
        done = tap_begin(&w->tap, out[0]);
    if (done >= 0)
        done = fd_raise(&out[1], STDIO);
    if (done >= 0) {
        const int fds[] = {null, out[1], out[1]};
        struct spawn spawn = {.fds = fds,
            .nfds = w->by_match ? 3 : 2,
            .signals = SIGS_INHERITED,
            .place = SPAWN_GROUP, /* the terminal's signals are CLIENT's */
            .death_signal = SIGKILL};
        failed = "fork";
        done = job_start(&w->job, SERVER, &spawn);
    }
    int err = errno;
    fd_close(&out[1]);
    fd_close(&null);
    if (done < 0)
        return job_start_failed(&w->job, SERVER, failed, err);
    return EXIT_DONE;
}

/* Notes the reason, to be printed when all have exited: until then SERVER's output may fill our stderr. */
__attribute__((format(printf, 4, 5))) static int give_up(
    struct withserver *w, int about, int status, const char *format, ...)
{
    va_list args;
    w->about = about;
    w->why.len = 0;
    va_start(args, format);
    buf_vfmt(&w->why, format, args);
    va_end(args);
    return status;
}

/* The line that SERVER has begun, or a whole one that is not a port or path. */
static void add_line(struct withserver *w)
{
    buf_text(&w->why, w->tap.line_len ? ": " : "");
    buf_escaped(&w->why, w->tap.line, w->tap.line_len);
}

static int end_early(struct withserver *w)
{
    char mem[96];
    struct buf end = BUF(mem);
    if (w->job.start_failed) /* which has been reported */
        return job_status(&w->job, SERVER);
    job_describe_end(&w->job, SERVER, &end);
    int status = give_up(w, SERVER, EXIT_SYSTEM, "SERVER %s before it was ready", buf_str(&end));
    add_line(w);
    return status;
}

static void set_port(struct withserver *w, uint16_t port)
{
    struct buf text = BUF(w->port_text);
    buf_fmt(&text, "PORT=%u", port);
    w->port = buf_str(&text) + strlen("PORT=");
}

/* Takes the first line as a port, or as the path of a socket; of a line that matched, the group as a port. */
static int read_line(struct withserver *w)
{
    struct tap *t = &w->tap;
    uint64_t port;
    struct stat st;
    if (w->by_match && (!w->ere.has_group || w->port_number))
        return EXIT_DONE;
    if (w->by_match)
        t->line_len = (size_t)snprintf(t->line, sizeof t->line, "%u", w->ere.best.value);
    t->line[t->line_len] = '\0';
    bool whole = strlen(t->line) == t->line_len; /* no NUL in it */
    if (whole && num_u64(t->line, 1, UINT16_MAX, &port)) {
        set_port(w, (uint16_t)port);
        return EXIT_DONE;
    }
    if (whole && !w->by_match && (*t->line == '@' || (stat(t->line, &st) == 0 && S_ISSOCK(st.st_mode)))) {
        w->socket = t->line;
        return EXIT_DONE;
    }
    give_up(w, SERVER, EXIT_SYSTEM, "SERVER's first line is neither a port nor the path of a socket");
    if (w->by_match)
        return give_up(w, SERVER, EXIT_SYSTEM, "the first group of --match is not a port");
    add_line(w);
    return EXIT_SYSTEM;
}

static bool answers(const struct withserver *w)
{
    return w->address.len ? probe_unix(&w->address) : probe_loopback(w->port_number);
}

static int end_without_line(struct withserver *w)
{
    const char *why = w->by_match ? "SERVER closed its stdout and stderr" : "SERVER closed its stdout";
    give_up(w, SERVER, EXIT_SYSTEM, "%s",
        w->tap.line_len ? "SERVER's first line is too long or has no newline" : why);
    add_line(w);
    return EXIT_SYSTEM;
}

/* What is missing, for a user who waits and sees nothing. */
static void report_waiting(const struct withserver *w)
{
    const char *why = "it has printed no line yet; expected its port or the path of its socket (servers of "
                      "ipcbox print it with -1); or use --port, --socket or --notify";
    if (w->by_match)
        why = "no line of its output has matched yet";
    else if (!by_line(w))
        why = w->by_notify     ? "it has not sent READY=1 to NOTIFY_SOCKET yet"
              : w->address.len ? "its socket does not answer yet"
                               : "its port does not answer yet";
    msg_error_why(w->msg, "wait for", *w->job.progs[SERVER].argv, why);
}

/* EXIT_DONE once SERVER is ready, or an exit status. A signal that came is in w->stop. */
static int wait_until_ready(struct withserver *w)
{
    int64_t deadline = clock_first(w->deadline, clock_in(w->ready_time)), pause = PAUSE_MIN_MS * CLOCK_MS;
    int64_t notice = clock_in(NOTICE_SECONDS * CLOCK_SECOND), last = CLOCK_NEVER;
    const bool probes = by_probe(w), *ended = &w->job.progs[SERVER].ended;
    for (;;) {
        if (probes && !*ended)
            w->is_ready = answers(w);
        job_look(&w->job); /* another server may answer where SERVER could not start */
        if (probes && *ended)
            return end_early(w);
        if (w->is_ready || w->tap.has_line)
            return by_line(w) ? read_line(w) : EXIT_DONE;
        if (w->stop)
            return EXIT_SYSTEM;
        if ((*ended || w->tap.decided) && last == CLOCK_NEVER) /* its end and its last output come apart */
            last = clock_in(ENDING_MS * CLOCK_MS);
        if (*ended && (!by_line(w) || w->tap.decided || !clock_left(last)))
            return end_early(w);
        if (w->tap.decided && !clock_left(last))
            return end_without_line(w);
        if (!clock_left(deadline))
            return give_up(w, SERVER, EXIT_DEADLINE, "SERVER was not ready in time");
        if (!clock_left(notice)) {
            report_waiting(w);
            notice = CLOCK_NEVER;
        }
        sleep_until(w, clock_first(clock_first(deadline, clock_first(notice, last)),
                           probes ? clock_in(pause) : CLOCK_NEVER));
        pause = clock_first(pause * 2, PAUSE_MAX_MS * CLOCK_MS);
    }
}

/* ---- CLIENT ---- */

/* CLIENT's words and environment; NOTIFY_SOCKET is the manager's again. */
static int put_client_env(struct withserver *w)
{
    struct env *e = job_env(&w->job);
    env_drop(e, "PORT");
    env_drop(e, "SOCKET");
    struct buf text = BUF(w->socket_text);
    buf_fmt(&text, "SOCKET=%s", w->socket ? w->socket : "");
    buf_str(&text);
    if (env_restore(e, environ, "NOTIFY_SOCKET") < 0 || (w->port && env_put(e, w->port_text) < 0) ||
        (w->socket && env_put(e, w->socket_text) < 0))
        return -1;
    char **words = w->job.progs[CLIENT].argv + 1;
    return words_replace(words, "{PORT}", w->port) < 0 ? -1 : words_replace(words, "{SOCKET}", w->socket);
}

/* That SERVER exits is CLIENT's business; but a failure is reported. */
static void note_server_end(struct withserver *w)
{
    char mem[96];
    struct buf why = BUF(mem);
    const struct prog *server = &w->job.progs[SERVER];
    if (w->server_end_told || !server->ended || server->wait_status == 0)
        return;
    w->server_end_told = true;
    buf_text(&why, "SERVER ");
    job_describe_end(&w->job, SERVER, &why);
    buf_text(&why, " before CLIENT exited");
    msg_error_why(w->msg, "run", *server->argv, buf_str(&why));
}

static int run_client(struct withserver *w)
{
    struct job *j = &w->job;
    struct spawn spawn = {.signals = SIGS_INHERITED, .death_signal = SIGKILL};
    if (put_client_env(w) < 0)
        return msg_fatal(w->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    job_look(j); /* a signal that came before CLIENT is not its own */
    if (w->stop)
        return EXIT_SYSTEM;
    if (job_start(j, CLIENT, &spawn) < 0)
        return job_start_failed(j, CLIENT, "fork", errno);
    while (!j->progs[CLIENT].ended) {
        if (!clock_left(w->deadline))
            return give_up(w, CLIENT, EXIT_DEADLINE, "CLIENT did not exit in time");
        sleep_until(w, w->deadline);
        note_server_end(w);
    }
    return job_status(j, CLIENT);
}

/* ---- the end ---- */

/* The terminal's signals have reached CLIENT already. */
static void take_signal(void *owner, int sig, bool sent)
{
    struct withserver *w = owner;
    pid_t client = w->job.progs[CLIENT].pid;
    if (client <= 0)
        w->stop = sig;
    else if (sent)
        kill(client, sig);
}

static void pass_on_while_ending(void *owner)
{
    struct withserver *w = owner;
    w->tap.pump.can_read = w->tap.pump.can_write = true;
    tap_step(&w->tap);
    if (w->tap.pump.len == PUMP_BUFFER || w->tap.pump.from < 0) /* to be passed on when all have ended */
        w->job.hooks.watched->fd = -1;
}

/* First SERVER alone, which may have children to look after; then all processes that are left. */
static int end_all(struct withserver *w)
{
    struct prog *server = &w->job.progs[SERVER];
    int64_t until = clock_in(w->grace);
    if (server->pid > 0 && !w->job.progs[CLIENT].pid) {
        kill(server->pid, SIGTERM);
        kill(server->pid, SIGCONT);
        int stop = w->stop;
        w->stop = 0;
        while (!server->ended && clock_left(until) && !w->stop)
            sleep_until(w, until);
        if (w->stop) /* a second signal: at once */
            until = 0;
        else
            w->stop = stop;
    }
    w->job.hooks.watched[0] = (struct pollfd){.fd = w->tap.pump.from, .events = POLLIN};
    w->job.hooks.on_watched = pass_on_while_ending;
    int left = job_end(&w->job, SIGTERM, clock_left(until));
    until = clock_in(CLOCK_SECOND);
    while (!tap_is_over(&w->tap) && clock_left(until))
        sleep_until(w, until);
    return left;
}

/* A port, and $PORT as many have it. */
static int take_free_port(struct withserver *w)
{
    const char *failed = "reserve a port";
    int done = reserve_port(&w->port_number, &w->reserved);
    if (done == 0) {
        failed = "malloc";
        set_port(w, w->port_number);
        done = env_put(job_env(&w->job), w->port_text);
    }
    return done < 0 ? msg_fatal(w->msg, EXIT_SYSTEM, failed, NULL, errno) : EXIT_DONE;
}

static int start_and_run(struct withserver *w)
{
    int failed = w->free_port ? take_free_port(w) : EXIT_DONE;
    if (failed)
        return failed;
    if (words_replace(w->job.progs[SERVER].argv + 1, "{PORT}", w->port) < 0)
        return msg_fatal(w->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    if (by_probe(w) && answers(w))
        return give_up(w, SERVER, EXIT_SYSTEM, "another server already answers at that %s",
            w->address.len ? "socket" : "port");
    if (w->by_notify &&
        (notify_socket_open(&w->notify, w->notify_text) < 0 || env_put(job_env(&w->job), w->notify_text) < 0))
        return msg_fatal(w->msg, EXIT_SYSTEM, "socket", "NOTIFY_SOCKET", errno);
    int status = start_server(w);
    if (status == EXIT_DONE)
        status = wait_until_ready(w);
    return status == EXIT_DONE && !w->stop ? run_client(w) : status;
}

static int run(struct withserver *w)
{
    struct job *j = &w->job;
    w->deadline = clock_in(w->timeout);
    j->hooks.on_signal = take_signal;
    j->hooks.owner = w;
    job_begin(j, true);
    job_stay_awake();
    job_env(j); /* before there is a SERVER to end */
    w->why = BUF(w->why_mem);
    int status = start_and_run(w);
    int left = end_all(w);
    if (w->why.len)
        return msg_fatal_why(
            w->msg, status, w->about == SERVER ? "start" : "run", *j->progs[w->about].argv, buf_str(&w->why));
    if (w->stop && !left)
        sigs_die(w->stop);
    bool is_clients = j->progs[CLIENT].ended && !j->progs[CLIENT].timed_out;
    return left ? left : is_clients && status == job_status(j, CLIENT) ? job_end_alike(j, CLIENT) : status;
}

/* ---- the command line ---- */

static void take_option(struct withserver *w, int row, const struct opts *o)
{
    switch ((enum withserver_option)row) {
        JOB_OPTIONS(OPT_CASE)
        job_option(&w->job, row, o);
        break;
    case OPT_TIMEOUT:
        w->timeout = opts_duration(o);
        break;
    case OPT_READY:
        w->ready_time = opts_duration(o);
        break;
    case OPT_GRACE:
        w->grace = opts_duration(o);
        break;
    case OPT_PORT:
        w->port_number = addr_port_option(o);
        set_port(w, w->port_number);
        break;
    case OPT_FREE_PORT:
        w->free_port = true;
        break;
    case OPT_MATCH:
        w->by_match = true;
        const char *wrong = ere_begin(&w->ere, o->arg);
        if (wrong)
            opts_wrong(o, wrong);
        w->tap.ere = &w->ere;
        break;
    case OPT_SOCKET:
        addr_unix_option(&w->address, o);
        w->socket = o->arg;
        break;
    case OPT_NOTIFY:
        w->by_notify = true;
        break;
    }
}

static const struct cli cli = {
    .name = "withserver",
    .summary = "run a client against a server that is started for it",
    .usage = "[OPTION]... SERVER [ARG]... ::: CLIENT [ARG]...",
    .notes = "SERVER is ready when it has printed its first line: its port or the path of its socket.\n"
             "CLIENT finds it in $PORT or $SOCKET, and {PORT} and {SOCKET} in its words are replaced.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int withserver_main(struct msg *m, int argc, char **argv)
{
    struct withserver w = {.msg = m,
        .timeout = CLOCK_NEVER,
        .ready_time = READY_SECONDS * CLOCK_SECOND,
        .grace = GRACE_SECONDS * CLOCK_SECOND,
        .notify = -1,
        .reserved = -1,
        .tap.pump.from = -1};
    struct opts o;
    int row;
    job_init(&w.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&w, row, &o);
    if (w.by_match && w.by_notify)
        msg_usage(m, "--match and --notify cannot be combined");
    if (w.port_number && w.free_port)
        msg_usage(m, "--port and --free-port cannot be combined");
    if (w.port_number && w.address.len && !w.by_notify && !w.by_match)
        msg_usage(m, "--port and --socket cannot be combined without --notify or --match");
    job_pair(&w.job, argv + o.first);
    int failed = job_find(&w.job);
    return failed ? failed : run(&w);
}

const struct applet applet_withserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = withserver_main};
