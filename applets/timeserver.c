/*
 * timeserver - serves the time over TCP and UDP: four octets (RFC 868), or a line of text (RFC 867).
 *
 * One process and one loop for all clients: an answer fits into any socket's buffer, so no client is waited
 * for. A datagram of any length is answered by one of four octets, from the address that it was sent to.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fd.h"
#include "net/addr_words.h"
#include "net/confine.h"
#include "net/listen.h"
#include "process/notify.h"
#include "process/listen_fds.h"
#include "base/num.h"
#include "base/speak.h"
#include "base/rfc868.h"
#include "process/sigs.h"
#include "base/tick.h"
#include "net/udp.h"
#include "process/user.h"

#define TIMESERVER_OPTIONS(X)                                                                    \
    MSG_OPTIONS(X)                                                                               \
    READY_OPTIONS(X, "port")                                                                     \
    USER_OPTIONS(X, "change to USER and its groups once bound", "change to GROUP once bound")    \
    X(OFFSET, 'o', "offset", "SECONDS", "serve a time that is SECONDS later; -N: earlier")       \
    X(DAYTIME, 'd', "daytime", "[udp]", "serve a line of text over TCP; =udp: over TCP and UDP") \
    X(INHERIT, 0, "inherit", "[NAME]", "use TCP and UDP sockets from LISTEN_FDS")                \
    CONFINE_OPTION(X)                                                                            \
    LOG_OPTIONS(X)

enum timeserver_option { TIMESERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {TIMESERVER_OPTIONS(OPT_ROW)};

enum {
    INHERITED = 48,
    BACKLOG = 4096,
    BATCH = 64,
    PORT_TRIES = 16,
    SHORTAGE_MS = 100,
    RECEIVE_BUFFER = 1 << 20
};
enum { TIME_PORT = 37, DAYTIME_PORT = 13, DAYTIME_SIZE = 64 };

/* What is known of a socket. */
struct end {
    bool is_udp, blocking; /* blocking: inherited without O_NONBLOCK */
    uint16_t port;
};

struct timeserver {
    struct msg *msg;
    struct notify notify;
    struct user user;
    int64_t offset;
    bool daytime, daytime_udp, inherit, confine, shortage_said, receive_said;
    const char *inherit_name;
    struct pollfd *sockets;
    struct end *ends; /* as many */
    nfds_t n;
    uint16_t port;
    int manager; /* with confine: a socket for STOPPING=1; not above 0: there is none */
};

/* ---- answering ---- */

/* The answer for this moment; returns its length. */
static size_t put_answer(const struct timeserver *t, unsigned char answer[static DAYTIME_SIZE])
{
    struct timespec now;
    struct buf text = {.mem = (char *)answer, .size = DAYTIME_SIZE};
    clock_gettime(CLOCK_REALTIME, &now);
    time_t when = now.tv_sec + (time_t)t->offset;
    if (t->daytime)
        date_daytime(&text, when);
    if (text.len) {
        buf_text(&text, "\r\n");
        return text.len;
    }
    rfc868_write(answer, when);
    return RFC868_SIZE;
}

static void say_client(
    const struct timeserver *t, const char *protocol, const char *result, const struct addr *client)
{
    struct event e;
    char text[ADDR_TEXT_SIZE];
    if (t->msg->level < MSG_VERBOSE)
        return;
    struct addr a = *client;
    addr_unmap(&a);
    addr_text(&a, text);
    event_begin(&e, t->msg, "question");
    event_str(&e, "protocol", protocol);
    event_str(&e, "client", text);
    event_str(&e, "result", result);
    event_text(&e, "%s %s %s", protocol, text, result);
    event_send(&e);
}

static void answer_connection(const struct timeserver *t, int fd, const struct addr *client)
{
    unsigned char answer[DAYTIME_SIZE];
    size_t n = put_answer(t, answer);
    say_client(t, "tcp", listen_say_last(fd, answer, n) ? "told" : "gone", client);
}

/* No fds or no memory for a while, or worse: waiting clients stay in the queue. */
static void note_shortage(const struct timeserver *t, const char *action, bool *said)
{
    if (!*said)
        msg_error(t->msg, action, NULL, errno);
    *said = true;
    sigs_sleep(NULL, 0, SHORTAGE_MS * CLOCK_MS);
}

/* One datagram; false when there is none. One whose answer would be answered, for ever, is left. */
static bool answer_datagram(struct timeserver *t, int fd, uint16_t ours)
{
    unsigned char answer[DAYTIME_SIZE];
    struct udp_ends ends;
    if (udp_take(fd, answer, sizeof answer, &ends) < 0) {
        bool is_short = errno == ENOMEM || errno == ENOBUFS;
        if (is_short)
            note_shortage(t, "receive", &t->receive_said);
        return !is_short && errno != EAGAIN;
    }
    t->receive_said = false;
    uint16_t port = addr_port(&ends.from);
    const char *result = "ignored"; /* another timeserver would answer, too */
    if (port != ours && !udp_answers_all(port))
        result = udp_answer(fd, answer, put_answer(t, answer), &ends) < 0 ? "unreachable" : "told";
    say_client(t, "udp", result, &ends.from);
    return true;
}

/*
 * accept4(2). On an inherited blocking socket it may wait, where a connection that poll reported has gone
 * again: signals are unblocked meanwhile.
 */
static int accept_one(const struct timeserver *t, nfds_t i, struct addr *client)
{
    int conn = -1;
    client->len = sizeof client->u;
    if (t->ends[i].blocking && tick_begin() < 0)
        return -1;
    conn = accept4(t->sockets[i].fd, &client->u.sa, &client->len, SOCK_CLOEXEC);
    if (t->ends[i].blocking)
        tick_end();
    return conn;
}

/* One connection; false when there is none. */
static bool answer_next(struct timeserver *t, nfds_t i)
{
    struct addr client;
    int conn = accept_one(t, i, &client);
    if (conn >= 0) {
        t->shortage_said = false;
        answer_connection(t, conn, &client);
        fd_close(&conn);
        return !t->ends[i].blocking;
    }
    if (errno == EAGAIN || errno == EINTR)
        return false;
    if (errno != ECONNABORTED)
        note_shortage(t, "accept", &t->shortage_said);
    return false;
}

static int serve(struct timeserver *t)
{
    int sig = 0;
    while (!sig) {
        int ready = sigs_sleep(t->sockets, t->n, notify_tend(&t->notify, t->msg));
        if (ready < 0 && errno != EINTR)
            note_shortage(t, "poll", &t->shortage_said);
        for (nfds_t i = 0; ready > 0 && i < t->n; i++)
            for (int k = 0; t->sockets[i].revents && k < BATCH; k++)
                if (!(t->ends[i].is_udp ? answer_datagram(t, t->sockets[i].fd, t->ends[i].port)
                                        : answer_next(t, i)))
                    break;
        sig = sigs_take_ending(NULL);
    }
    if (t->manager > 0)
        speak_to(t->manager, NOTIFY_STOPPING, strlen(NOTIFY_STOPPING), &(bool){false});
    else if (!t->confine)
        notify_stopping();
    if (sig != SIGTERM)
        sigs_die(sig);
    return EXIT_DONE;
}

/* ---- sockets ---- */

/* A UDP socket reports the address that a datagram was sent to. */
static int add_socket(struct timeserver *t, int fd, bool udp)
{
    struct addr a;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || addr_local(&a, fd) < 0)
        return -1;
    if (udp)
        udp_make_room(fd, RECEIVE_BUFFER);
    if (udp && udp_tell_ends(fd, udp_family(fd)) < 0)
        return -1;
    struct pollfd *sockets = realloc(t->sockets, (t->n + 1) * sizeof *sockets);
    if (sockets)
        t->sockets = sockets;
    struct end *ends = sockets ? realloc(t->ends, (t->n + 1) * sizeof *ends) : NULL;
    if (!ends)
        return -1;
    t->ends = ends;
    t->ends[t->n] = (struct end){.is_udp = udp, .blocking = !(flags & O_NONBLOCK), .port = addr_port(&a)};
    t->sockets[t->n++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 0;
}

static void add_all(struct timeserver *t, struct listen *l, bool udp)
{
    for (int i = 0; i < l->n; i++)
        if (add_socket(t, l->fds[i], udp) < 0)
            msg_die_sys(t->msg, "prepare", udp ? "UDP socket" : "TCP socket");
    listen_free(l);
}

/* Both protocols on one port; if the kernel chooses it, one that is free in both. */
static void open_sockets(struct timeserver *t, const char *host)
{
    bool udp = !t->daytime || t->daytime_udp;
    struct listen tcp = {.host = host, .backlog = BACKLOG}, other = tcp;
    tcp.type = SOCK_STREAM;
    other.type = SOCK_DGRAM;
    for (int tries = 1;; tries++) {
        tcp.port = t->port;
        if (listen_open(&tcp) < 0)
            exit(msg_fatal_why(t->msg, EXIT_SYSTEM, tcp.action, tcp.object, tcp.why));
        other.port = tcp.port;
        if (!udp || listen_open(&other) == 0)
            break;
        if (t->port || tries == PORT_TRIES)
            exit(msg_fatal_why(t->msg, EXIT_SYSTEM, other.action, other.object, other.why));
        while (tcp.n)
            fd_close(&tcp.fds[--tcp.n]);
        listen_free(&tcp);
    }
    t->port = tcp.port;
    add_all(t, &tcp, false);
    if (udp)
        add_all(t, &other, true);
}

static void inherit_sockets(struct timeserver *t)
{
    int fds[INHERITED], n = listen_fds_or_die(t->msg, t->inherit_name, fds, INHERITED);
    for (int i = 0; i < n; i++) {
        bool tcp = listen_family(fds[i]) >= 0, udp = udp_family(fds[i]) >= 0;
        struct addr a;
        if ((!tcp && !udp) || addr_local(&a, fds[i]) < 0 || addr_family(&a) == AF_UNIX)
            msg_die(t->msg, EXIT_USAGE, "inherit",
                "a socket is neither a listening TCP socket nor a UDP socket", 0);
        if (udp && t->daytime && !t->daytime_udp)
            msg_die(t->msg, EXIT_USAGE, "inherit", "a UDP socket needs --daytime=udp", 0);
        t->port = addr_port(&a);
        if (add_socket(t, fds[i], udp) < 0)
            msg_die_sys(t->msg, "setsockopt", "UDP socket");
    }
}

static int run(struct timeserver *t)
{
    char mem[16];
    struct buf port = BUF(mem);
    const char *object;
    sigs_catch(SIGPIPE);
    sigs_catch_ending();
    sigs_claim_term();
    if (!sigs_work())
        msg_die_sys(t->msg, "sigaction", NULL);
    if (user_become(&t->user) < 0)
        msg_die_sys(t->msg, "change user to", t->user.name);
    buf_num(&port, t->port);
    if (notify_ready(&t->notify, "READY=1", buf_str(&port), &object) < 0)
        msg_die_sys(t->msg, "report readiness to", object);
    if (t->confine) {
        t->manager = notify_connect();
        confine(t->msg, &(struct confine){.work = CONFINE_ANSWER});
    }
    return serve(t);
}

/* ---- the command line ---- */

static void take_offset(struct timeserver *t, const struct opts *o)
{
    uint64_t n;
    bool negative = *o->arg == '-';
    if (!num_u64(o->arg + negative, 0, (uint64_t)1 << 40, &n))
        opts_wrong(o, "expected seconds such as 3600 or -3600");
    t->offset = negative ? -(int64_t)n : (int64_t)n;
}

static void take_option(struct timeserver *t, int row, const struct opts *o)
{
    switch ((enum timeserver_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(t->msg, row);
        break;
        READY_OPTIONS(OPT_CASE, "")
        notify_option(&t->notify, row - OPT_PRINT_PORT, o);
        break;
        USER_OPTIONS(OPT_CASE, "", "")
        user_option(&t->user, row - OPT_USER, o);
        break;
    case OPT_OFFSET:
        take_offset(t, o);
        break;
    case OPT_DAYTIME:
        t->daytime = true;
        t->daytime_udp = o->arg && opts_choice(o) == 0;
        break;
    case OPT_INHERIT:
        t->inherit = true;
        t->inherit_name = o->arg;
        break;
    case OPT_CONFINE:
        t->confine = true;
        break;
    case OPT_LOG_FORMAT:
        opts_log_format(o, t->msg);
        break;
    }
}

static const struct cli cli = {
    .name = "timeserver",
    .summary = "serve the time over TCP and UDP (RFC 868, RFC 867)",
    .usage = "[OPTION]... [HOST PORT]",
    .notes = "The default is HOST 0, all addresses, and PORT 37, or 13 with --daytime. With PORT 0\n"
             "the kernel chooses the port.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int timeserver_main(struct msg *m, int argc, char **argv)
{
    struct timeserver t = {.msg = m, .notify = {.fd = -1}};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&t, row, &o);
    argv += o.first;
    int words = argc - o.first;
    if (words > 2)
        msg_usage(m, "unexpected operand '%s'", argv[2]);
    if (words && t.inherit)
        msg_usage(m, "--inherit and HOST cannot be combined");
    if (t.confine)
        confine_check(m);
    t.port = t.daytime ? DAYTIME_PORT : TIME_PORT;
    if (words)
        t.port = addr_port_operand(m, argv, 0);
    if (t.inherit)
        inherit_sockets(&t);
    else
        open_sockets(&t, words ? argv[0] : "0");
    return run(&t);
}

const struct applet applet_timeserver = {.cli = &cli, .theme = THEME_TIME, .main = timeserver_main};
