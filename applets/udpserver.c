/*
 * udpserver - a program per datagram.
 *
 * tcpserver for datagrams: a program's stdin is the datagram, its stdout the answer. What it does is in
 * common/serve, the loop in serve_loop.c as for connections, the rest in datagram.c.
 */
#include "cli/applet.h"

#include <stdlib.h>

#include "net/addr_words.h"
#include "net/listen.h"
#include "process/sigs.h"
#include "serve/datagram.h"

#define UDPSERVER_OPTIONS(X)                                                                     \
    SERVE_COMMON_OPTIONS(X)                                                                      \
    SOCKET_FILE_OPTIONS(X)                                                                       \
    ACCESS_OPTIONS(X, "IP|USER[:GROUP]")                                                         \
    X(IPV4, '4', "ipv4", NULL, "use IPv4 only")                                                  \
    X(INTERFACE, 'I', "interface", "IFACE", "listen only on the network interface IFACE")        \
    X(UNIX, 0, "unix", "PATH", "use the Unix socket PATH in place of HOST and PORT")             \
    X(AMPLIFY, 0, "amplify", "N", "send answers of up to N times the question, or 64 bytes (1)") \
    X(STREAM, 0, "stream", NULL, "run one PROG, which reads datagrams and writes answers with headers")

enum udpserver_option { UDPSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UDPSERVER_OPTIONS(OPT_ROW)};

enum { FIRST_INHERITED = 3 }; /* sd_listen_fds(3) */

struct udpserver {
    struct msg *msg;
    struct datagrams d;
    const char *iface, *path;
    bool ipv4, amplifies;
};

static void take_option(struct udpserver *u, int row, const struct opts *o)
{
    switch ((enum udpserver_option)row) {
        SERVE_COMMON_OPTIONS(OPT_CASE)
        serve_option(&u->d.serve, row, o);
        break;
        SOCKET_FILE_OPTIONS(OPT_CASE)
        keeper_option(&u->d.keeper, row - OPT_OWNER, o);
        break;
        ACCESS_OPTIONS(OPT_CASE, )
        access_option(&u->d.access, row - OPT_RULES, o);
        break;
    case OPT_IPV4:
        u->ipv4 = true;
        break;
    case OPT_INTERFACE:
        u->iface = o->arg;
        break;
    case OPT_UNIX:
        u->path = o->arg;
        u->d.access.is_unix = true;
        break;
    case OPT_AMPLIFY:
        u->amplifies = true;
        u->d.amplify = (unsigned long)opts_num(o, 0, DATAGRAM_ANSWER);
        break;
    case OPT_STREAM:
        u->d.is_stream = true;
        break;
    }
}

/* Makes or takes the sockets; what is printed as their port or path, in `text` or elsewhere. */
static const char *listen_as_asked(struct udpserver *u, const char *host, uint16_t port, struct buf *text)
{
    struct serve *s = &u->d.serve;
    struct addr a;
    struct listen l = {
        .host = host, .port = port, .type = SOCK_DGRAM, .ipv4_only = u->ipv4, .iface = u->iface};
    if (s->asked.inherit) {
        serve_inherit(s, u->d.access.is_unix ? AF_UNIX : AF_INET6, u->d.access.is_unix ? AF_UNIX : AF_INET);
        if (addr_local(&a, *s->listener) == 0)
            l.port = addr_port(&a);
    } else if (u->path) {
        serve_make_room(s);
        serve_listener(s, keeper_bind(&u->d.keeper, SOCK_DGRAM, u->path, -1, &s->asked.user), false);
        return u->path;
    } else if (listen_open(&l) < 0) {
        exit(msg_fatal_why(u->msg, EXIT_SYSTEM, l.action, l.object, l.why));
    } else {
        for (int i = 0; i < l.n; i++)
            serve_listener(s, l.fds[i], false);
        listen_free(&l);
    }
    buf_num(text, l.port);
    return buf_str(text);
}

/* What can be found out before anything is bound. */
static void check(struct udpserver *u, char **prog)
{
    struct serve *s = &u->d.serve;
    if (!*prog)
        msg_usage(u->msg, "missing PROG");
    if (keeper_was_asked(&u->d.keeper) && (!u->path || *u->path == '@'))
        msg_usage(u->msg, "-p and -o need a socket file");
    if (u->path && (u->ipv4 || u->iface || u->amplifies || s->asked.inherit))
        msg_usage(u->msg, "-4, -I, --amplify and --inherit cannot be combined with --unix");
    if (s->asked.inherit && (u->ipv4 || u->iface))
        msg_usage(u->msg, "-4 and -I cannot be combined with --inherit");
    if (s->asked.inherit) /* all are of one kind */
        u->d.access.is_unix =
            udp_family(s->asked.inherit_fd < 0 ? FIRST_INHERITED : s->asked.inherit_fd) == AF_UNIX;
    if (u->d.access.is_unix && u->d.access.per_net)
        msg_usage(u->msg, "--per-net cannot be combined with a Unix socket");
    if (u->d.is_stream && s->asked.per_client)
        msg_usage(u->msg, "-C and --stream cannot be combined");
    serve_check(s, prog);
    access_check(&u->d.access, s);
}

static const struct cli cli = {
    .name = "udpserver",
    .summary = "run a program for each datagram",
    .usage = "[OPTION]... HOST PORT PROG [ARG]...\n"
             "[OPTION]... --unix PATH PROG [ARG]...\n"
             "[OPTION]... --inherit[=NAME] PROG [ARG]...\n"
             "--explain IP -x FILE\n"
             "--explain USER[:GROUP] --unix PATH -x FILE",
    .notes = "PROG reads the datagram on fd 0. What it writes to fd 1 is the answer, which is sent if PROG "
             "exits with status 0.\n"
             "Signals: TERM stops, HUP reloads the rules, USR1 prints the status.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int udpserver_main(struct msg *m, int argc, char **argv)
{
    struct udpserver u = {.msg = m};
    char mem[8];
    struct buf port_text = BUF(mem);
    struct opts o;
    int row;
    datagrams_init(&u.d, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&u, row, &o);
    if (u.d.access.explain)
        return access_explain(&u.d.access);
    argv += o.first;
    bool named = !u.path && !u.d.serve.asked.inherit;
    uint16_t port = named ? addr_port_operand(m, argv, 0) : 0;
    char **prog = argv + (named ? 2 : 0);
    check(&u, prog);
    serve_catch_signals(); /* what ends us from here on finds its way past the removal of the file */
    int status = datagrams_run(&u.d, listen_as_asked(&u, *argv, port, &port_text), prog);
    if (status < 0)
        sigs_die(-status);
    return u.d.keeper.left && status == EXIT_DONE ? EXIT_SYSTEM : status;
}

const struct applet applet_udpserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = udpserver_main};
