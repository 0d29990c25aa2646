/*
 * unixclient - connects to a Unix socket, then becomes PROG with the connection on fds 6 and 7, or relays it.
 */
#include "cli/applet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/addr_words.h"
#include "net/client.h"
#include "base/clock.h"
#include "net/dial.h"
#include "base/env.h"
#include "net/ucspi.h"

#define UNIXCLIENT_OPTIONS(X)                                                        \
    CLIENT_OPTIONS(X)                                                                \
    X(PADDED, 0, "padded", NULL, "pad an abstract name with NUL bytes to 108 bytes") \
    X(TIMEOUT, 'T', "timeout", "TIME", "fail if there is no connection after TIME (60)")

enum unixclient_option { UNIXCLIENT_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UNIXCLIENT_OPTIONS(OPT_ROW)};

enum { CONNECT_SECONDS = 60 };

struct unixclient {
    struct msg *msg;
    struct addr address;
    const char *path;
    struct client_options options;
    int64_t deadline;
};

static int become(const struct unixclient *u, int fd, const struct ucred *peer, char **argv)
{
    struct ucspi ucspi;
    struct env env;
    if (env_init(&env, environ) < 0)
        msg_die_sys(u->msg, "malloc", NULL);
    ucspi_drop(&env);
    if (ucspi_unix(&ucspi, &env, "UNIXREMOTEPATH=", &u->address, peer, getpid()) < 0)
        msg_die_sys(u->msg, "malloc", NULL);
    return client_become(u->msg, fd, argv, env.v);
}

static int connect_and_go(const struct unixclient *u, char **argv)
{
    struct ucred peer;
    int missing = *argv ? client_check(u->msg, *argv) : 0;
    if (missing)
        return missing;
    const struct addr *to = &u->address;
    if (u->options.confine) {
        struct addr *known = confine_room(u->msg, 1);
        *known = *to;
        to = known;
        confine(u->msg, &(struct confine){.work = CONFINE_CONNECT, .to = to, .n = 1});
    }
    int fd = dial_unix(to, u->options.retry, u->deadline);
    if (fd < 0)
        msg_die_sys(u->msg, "connect to", u->path);
    if (ucspi_peer(fd, &peer) < 0)
        msg_die_sys(u->msg, "getsockopt", "SO_PEERCRED");
    if (u->msg->level >= MSG_VERBOSE) {
        struct event e;
        event_begin(&e, u->msg, "connected");
        event_text(&e, "connected to pid %ld uid %ld", (long)peer.pid, (long)peer.uid);
        event_send(&e);
    }
    return *argv ? become(u, fd, &peer, argv) : client_relay(u->msg, fd, &u->options);
}

static const struct cli cli = {
    .name = "unixclient",
    .summary = "connect to a Unix socket and run a program, or relay",
    .usage = "[OPTION]... PATH [PROG [ARG]...]",
    .notes = "A PATH that begins with @ is an abstract name. PROG reads from the server on fd 6 and writes "
             "to it on fd 7. Without PROG, stdin is sent to the server, and what the server sends is "
             "written to stdout.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int unixclient_main(struct msg *m, int argc, char **argv)
{
    struct unixclient u = {.msg = m};
    int64_t timeout = CONNECT_SECONDS * CLOCK_SECOND;
    bool padded = false;
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum unixclient_option)row) {
            CLIENT_OPTIONS(OPT_CASE)
            client_option(&u.options, m, row, &o);
            break;
        case OPT_PADDED:
            padded = true;
            break;
        case OPT_TIMEOUT:
            timeout = opts_duration(&o);
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing PATH");
    u.path = *argv++;
    addr_unix_operand(&u.address, m, u.path);
    if (padded && *u.path != '@')
        msg_usage(m, "--padded needs an abstract name");
    if (padded)
        u.address.len = sizeof u.address.u.un;
    client_check_options(&u.options, m, *argv);
    u.deadline = clock_in(timeout);
    return connect_and_go(&u, argv);
}

const struct applet applet_unixclient = {.cli = &cli, .theme = THEME_SOCKETS, .main = unixclient_main};
