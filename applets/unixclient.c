/*
 * unixclient - connects to a Unix socket, then becomes PROG with the connection on fds 6 and 7, or relays it.
 */
#include "applet.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "env.h"
#include "fd.h"
#include "sigs.h"
#include "ucspi.h"

#define UNIXCLIENT_OPTIONS(X) \
    CLIENT_OPTIONS(X)         \
    X(TIMEOUT, 'T', "timeout", "TIME", "give up connecting after that long (60)")

enum unixclient_option { UNIXCLIENT_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UNIXCLIENT_OPTIONS(OPT_ROW)};

enum { CONNECT_SECONDS = 60, RETRY_MIN_MS = 10, RETRY_MAX_MS = 500 };

struct unixclient {
    struct msg *msg;
    struct addr address;
    const char *path;
    struct client_options options;
    int64_t deadline;
};

/* connect(2) waits for room in the backlog, as long as SO_SNDTIMEO lets it (unix(7), socket(7)). */
static int connect_once(const struct unixclient *u)
{
    int64_t left = clock_left(u->deadline);
    /* 0 would be no limit; beyond what a timeval holds there is none */
    struct timeval limit = {
        .tv_sec = (time_t)(left / CLOCK_SECOND), .tv_usec = left % CLOCK_SECOND / 1000 + 1};
    if (limit.tv_usec > 999999)
        limit.tv_usec = 999999;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const struct timeval none = {0};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, &u->address.u.sa, u->address.len) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0)
        fd_close(&fd);
    return fd;
}

static bool may_pass(int err)
{
    return err == ENOENT || err == ECONNREFUSED || err == EAGAIN || err == EINTR;
}

static int connect_by_deadline(const struct unixclient *u)
{
    int64_t pause = RETRY_MIN_MS * CLOCK_MS;
    for (;;) {
        int fd = connect_once(u);
        bool again = errno == EINTR || (u->options.retry && may_pass(errno));
        if (fd >= 0 || !again || !clock_left(u->deadline)) {
            if (fd < 0 && errno == EAGAIN) /* the backlog stayed full */
                errno = ETIMEDOUT;
            return fd;
        }
        int64_t left = clock_left(u->deadline);
        sigs_sleep(NULL, 0, clock_first(pause, left));
        pause = clock_first(pause * 2, RETRY_MAX_MS * CLOCK_MS);
    }
}

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
    int fd = connect_by_deadline(u);
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
    return *argv ? become(u, fd, &peer, argv) : client_relay(u->msg, fd, u->options.progress);
}

static const struct cli cli = {
    .name = "unixclient",
    .summary = "connect to a Unix socket and run a program, or relay",
    .usage = "[OPTION]... PATH [PROG [ARG]...]",
    .notes = "PATH that begins with @ is an abstract name. PROG reads from fd 6 and writes to fd 7.\n"
             "Without PROG: stdin goes to the socket, the socket to stdout.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int unixclient_main(struct msg *m, int argc, char **argv)
{
    struct unixclient u = {.msg = m};
    int64_t timeout = CONNECT_SECONDS * CLOCK_SECOND;
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum unixclient_option)row) {
            CLIENT_OPTIONS(OPT_CASE)
            client_option(&u.options, m, row);
            break;
        case OPT_TIMEOUT:
            timeout = opts_duration(&o);
            break;
        }
    }
    argv += o.first;
    if (!*argv)
        msg_usage(m, "want PATH");
    u.path = *argv++;
    if (!addr_parse_unix(&u.address, u.path))
        msg_usage(m, "path '%s': want 1 to %d bytes, or a name behind @", u.path, ADDR_UNIX_MAX);
    client_check_options(&u.options, m, *argv);
    u.deadline = clock_in(timeout);
    return connect_and_go(&u, argv);
}

const struct applet applet_unixclient = {.cli = &cli, .theme = THEME_SOCKETS, .main = unixclient_main};
