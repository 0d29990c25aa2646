/*
 * tcpclient - connects to a TCP server, then becomes PROG with the connection on fds 6 and 7, or relays it.
 *
 * ucspi-tcp's client and netcat's relay: all addresses of the host race (Happy Eyeballs), one deadline for
 * all of it.
 */
#include "cli/applet.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "net/addr_words.h"
#include "net/client.h"
#include "base/clock.h"
#include "net/dial.h"
#include "base/env.h"
#include "base/num.h"
#include "net/resolve.h"
#include "net/ucspi.h"

#define TCPCLIENT_OPTIONS(X)                                          \
    CLIENT_OPTIONS(X)                                                 \
    UCSPI_OPTIONS(X)                                                  \
    X(LOCAL_IP, 'i', "local-ip", "IP", "connect from the address IP") \
    X(LOCAL_PORT, 'p', "local-port", "PORT", "connect from PORT")     \
    X(TIMEOUT, 'T', "timeout", "TIME[+TIME]", "fail if there is no connection after TIME (60)")

enum tcpclient_option { TCPCLIENT_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {TCPCLIENT_OPTIONS(OPT_ROW)};

enum { CONNECT_SECONDS = 60, LOOKUP_SECONDS = 10 };

struct tcpclient {
    struct msg *msg;
    struct dial dial;
    struct ucspi_options ucspi_options;
    struct client_options client_options;
    int64_t timeout;
};

/* X or X+Y: the time in all is what counts, ucspi-tcp's two rounds over the addresses are one race here. */
static int64_t parse_timeout(const struct opts *o)
{
    char first[64];
    const char *plus = strchr(o->arg, '+');
    int64_t x, y = 0;
    size_t len = plus ? (size_t)(plus - o->arg) : strlen(o->arg);
    if (len < sizeof first) {
        memcpy(first, o->arg, len);
        first[len] = '\0';
        if (num_duration(first, &x) && (!plus || num_duration(plus + 1, &y)))
            return x > CLOCK_NEVER - y ? CLOCK_NEVER : x + y;
    }
    opts_wrong(o, "expected a duration, or two joined by +");
}

static void say_connected(const struct tcpclient *t, const struct addr *local, const struct addr *remote)
{
    struct event e;
    char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];
    if (t->msg->level < MSG_VERBOSE)
        return;
    addr_text(local, from);
    addr_text(remote, to);
    event_begin(&e, t->msg, "connected");
    event_text(&e, "connected to %s from %s", to, from);
    event_send(&e);
}

/* The program's environment: as tcpserver's, seen from this end. */
static int become(
    const struct tcpclient *t, int fd, const struct addr *local, const struct addr *remote, char **argv)
{
    struct ucspi u;
    struct env env;
    char remote_name[RESOLVE_NAME_SIZE], local_name[RESOLVE_NAME_SIZE];
    const char *remote_host = NULL, *local_host = t->ucspi_options.local_name;
    int64_t deadline = clock_in(LOOKUP_SECONDS * CLOCK_SECOND);
    if (t->ucspi_options.lookup && resolve_name(remote, false, deadline, remote_name) == 0)
        remote_host = remote_name;
    if (t->ucspi_options.lookup && !local_host && resolve_name(local, false, deadline, local_name) == 0)
        local_host = local_name;
    if (env_init(&env, environ) < 0)
        msg_die_sys(t->msg, "malloc", NULL);
    ucspi_drop(&env);
    if (ucspi_tcp(&u, &env, local, remote, t->ucspi_options.ipv6_env) < 0 ||
        ucspi_hosts(&u, &env, local_host, remote_host) < 0)
        msg_die_sys(t->msg, "malloc", NULL);
    return client_become(t->msg, fd, argv, env.v);
}

/* Looks the host up, and gives up all else. 0, or -1 as dial_tcp. */
static int confine_to_host(struct tcpclient *t, struct dial_failure *failure)
{
    struct addr *known = confine_room(t->msg, DIAL_KNOWN);
    if (dial_look_up(&t->dial, known, failure) < 0)
        return -1;
    confine(t->msg, &(struct confine){.work = CONFINE_CONNECT,
                        .to = known,
                        .n = DIAL_KNOWN,
                        .binds = t->dial.local.len || t->dial.local_port});
    return 0;
}

static int connect_and_go(struct tcpclient *t, char **argv)
{
    struct addr local, remote;
    struct dial_failure failure;
    const int on = 1;
    int missing = *argv ? client_check(t->msg, *argv) : 0;
    if (missing)
        return missing;
    t->dial.deadline = clock_in(t->timeout);
    t->dial.patient = !t->timeout;
    int fd = -1;
    if (!t->client_options.confine || confine_to_host(t, &failure) == 0)
        fd = dial_tcp(&t->dial, &remote, &failure);
    if (fd < 0 && t->msg->level == MSG_QUIET) /* as in ucspi-tcp */
        return EXIT_SYSTEM;
    if (fd < 0)
        return msg_fatal_why(t->msg, EXIT_SYSTEM, "connect to", failure.object, failure.why);
    if (t->ucspi_options.no_delay && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        msg_die_sys(t->msg, "setsockopt", "TCP_NODELAY");
    if (addr_local(&local, fd) < 0)
        msg_die_sys(t->msg, "getsockname", NULL);
    addr_unmap(&remote);
    say_connected(t, &local, &remote);
    return *argv ? become(t, fd, &local, &remote, argv) : client_relay(t->msg, fd, &t->client_options);
}

static void take_option(struct tcpclient *t, int row, const struct opts *o)
{
    switch ((enum tcpclient_option)row) {
        CLIENT_OPTIONS(OPT_CASE)
        client_option(&t->client_options, t->msg, row, o);
        break;
        UCSPI_OPTIONS(OPT_CASE)
        ucspi_option(&t->ucspi_options, row - OPT_IPV4, o);
        break;
    case OPT_LOCAL_IP:
        addr_ip_option(o, &t->dial.local);
        break;
    case OPT_LOCAL_PORT:
        if (!addr_parse_port(o->arg, &t->dial.local_port))
            opts_wrong(o, "expected a number from 0 to 65535, or the name of a service");
        break;
    case OPT_TIMEOUT:
        t->timeout = parse_timeout(o);
        break;
    }
}

static const struct cli cli = {
    .name = "tcpclient",
    .summary = "connect to a TCP server and run a program, or relay",
    .usage = "[OPTION]... HOST PORT [PROG [ARG]...]",
    .notes = "HOST 0 is this machine. PROG reads from the server on fd 6 and writes to it on fd 7. Without "
             "PROG, stdin is sent to the server, and what the server sends is written to stdout.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int tcpclient_main(struct msg *m, int argc, char **argv)
{
    struct tcpclient t = {.msg = m, .timeout = CONNECT_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&t, row, &o);
    argv += o.first;
    t.dial.port = addr_port_operand(m, argv, 0);
    client_check_options(&t.client_options, m, argv[2]);
    t.dial.host = argv[0];
    t.dial.retry = t.client_options.retry;
    t.dial.family = t.ucspi_options.ipv4 ? AF_INET : AF_UNSPEC;
    return connect_and_go(&t, argv + 2);
}

const struct applet applet_tcpclient = {.cli = &cli, .theme = THEME_SOCKETS, .main = tcpclient_main};
