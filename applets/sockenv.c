/*
 * sockenv - derives the connection's environment from fd 0, then becomes PROG.
 *
 * So that one handler runs under tcpserver, inetd, systemd's Accept=yes and socat alike; and the lookups of
 * tcpserver -h, which must not hold up the server.
 */
#include "cli/applet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "process/find.h"
#include "base/num.h"
#include "net/resolve.h"
#include "process/spawn.h"
#include "net/ucspi.h"

#define SOCKENV_OPTIONS(X)                                                                          \
    X(ENV, 'e', "env", NULL, "keep the addresses in the environment; do not examine fd 0")          \
    X(LOOKUP, 'h', "lookup", NULL, "look up the host names of both ends")                           \
    X(LOCAL_NAME, 'l', "local-name", "NAME", "set TCPLOCALHOST to NAME")                            \
    X(PARANOID, 'p', "paranoid", NULL, "with -h: accept a name only if it resolves to the address") \
    X(TIMEOUT, 't', "timeout", "TIME", "give up lookups after TIME (10)")

enum sockenv_option { SOCKENV_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SOCKENV_OPTIONS(OPT_ROW)};

enum { LOOKUP_SECONDS = 10 };

struct sockenv {
    struct msg *msg;
    bool keep, lookup, paranoid;
    const char *local_name;
    int64_t timeout;
    struct addr local, remote; /* length 0: not TCP, or not known */
    struct ucspi ucspi;
    struct env env;
};

/* From what a server in front of us has put there. */
static void take_from_environment(struct addr *a, const char *ip_name, const char *port_name)
{
    const char *ip = getenv(ip_name), *port = getenv(port_name);
    uint64_t number = 0;
    if (port)
        num_u64(port, 0, 65535, &number);
    if (!ip || !addr_parse_ip(a, ip, (uint16_t)number))
        a->len = 0;
    addr_unmap(a);
}

static int put_unix(struct sockenv *s)
{
    struct ucred peer;
    if (ucspi_peer(STDIN_FILENO, &peer) < 0)
        msg_error(s->msg, "getsockopt", "SO_PEERCRED", errno);
    return ucspi_unix(&s->ucspi, &s->env, "UNIXLOCALPATH=", &s->local, &peer, getpid());
}

/* Derives everything from the socket. */
static void derive(struct sockenv *s)
{
    int type = 0;
    socklen_t len = sizeof type;
    ucspi_drop(&s->env);
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        msg_die_sys(s->msg, "getsockopt", "fd 0");
    if (type != SOCK_STREAM)
        msg_die(s->msg, EXIT_SYSTEM, "describe", "fd 0", ESOCKTNOSUPPORT);
    if (addr_local(&s->local, STDIN_FILENO) < 0)
        msg_die_sys(s->msg, "getsockname", "fd 0");
    /* the peer may have gone already; then its address is unknown */
    if (addr_remote(&s->remote, STDIN_FILENO) < 0 && errno != ENOTCONN)
        msg_die_sys(s->msg, "getpeername", "fd 0");
    int family = addr_family(&s->local), put = -1;
    errno = EAFNOSUPPORT;
    if (family == AF_INET || family == AF_INET6)
        put = ucspi_tcp(&s->ucspi, &s->env, &s->local, &s->remote, false);
    else if (family == AF_UNIX)
        put = put_unix(s);
    if (put < 0)
        msg_die_sys(s->msg, "describe", "fd 0");
}

static bool is_ip(const struct addr *a)
{
    return addr_family(a) == AF_INET || addr_family(a) == AF_INET6;
}

static void put_hosts(struct sockenv *s)
{
    char remote[RESOLVE_NAME_SIZE], local[RESOLVE_NAME_SIZE];
    int64_t deadline = clock_in(s->timeout);
    const char *remote_name = NULL, *local_name = s->local_name;
    if (s->lookup && is_ip(&s->remote) && resolve_name(&s->remote, s->paranoid, deadline, remote) == 0)
        remote_name = remote;
    if (s->lookup && !local_name && is_ip(&s->local) && resolve_name(&s->local, false, deadline, local) == 0)
        local_name = local;
    if (ucspi_hosts(&s->ucspi, &s->env, local_name, remote_name) < 0)
        msg_die_sys(s->msg, "malloc", NULL);
}

static const struct cli cli = {
    .name = "sockenv",
    .summary = "run a program with the environment of the connection on fd 0",
    .usage = "[OPTION]... PROG [ARG]...",
    .notes = "Sets PROTO and TCP* or UNIX*, as tcpserver and unixserver do, and executes PROG.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int sockenv_main(struct msg *m, int argc, char **argv)
{
    struct sockenv s = {.msg = m, .timeout = LOOKUP_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum sockenv_option)row) {
        case OPT_ENV:
            s.keep = true;
            break;
        case OPT_LOOKUP:
            s.lookup = true;
            break;
        case OPT_LOCAL_NAME:
            s.local_name = ucspi_name(&o);
            break;
        case OPT_PARANOID:
            s.paranoid = true;
            break;
        case OPT_TIMEOUT:
            s.timeout = opts_duration(&o);
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing PROG");
    if (env_init(&s.env, environ) < 0)
        msg_die_sys(m, "malloc", NULL);
    const char *path = find_program(*argv);
    if (!path)
        return find_failed(m, *argv, errno);
    if (s.keep) {
        if (s.lookup) { /* a name that is not found is unset, even if it was set before */
            env_drop(&s.env, "TCPREMOTEHOST");
            env_drop(&s.env, "TCPLOCALHOST");
            env_drop(&s.env, "TCP6REMOTEHOST");
            env_drop(&s.env, "TCP6LOCALHOST");
        }
        take_from_environment(&s.remote, "TCPREMOTEIP", "TCPREMOTEPORT");
        take_from_environment(&s.local, "TCPLOCALIP", "TCPLOCALPORT");
    } else {
        derive(&s);
    }
    put_hosts(&s);
    spawn_become(path, argv, s.env.v);
    msg_die(m, find_exit_status(errno), "exec", path, errno);
}

const struct applet applet_sockenv = {.cli = &cli, .theme = THEME_SOCKETS, .main = sockenv_main};
