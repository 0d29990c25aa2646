/*
 * unixserver - a program per connection to a Unix socket.
 *
 * tcpserver over a path or an abstract name. Here is what is Unix: the socket file, which is made with its
 * mode, taken over from a dead server, never from a live one, and gone at the end; and the peer's
 * credentials, by which it is admitted.
 */
#include "cli/applet.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "serve/access.h"
#include "serve/serve.h"
#include "net/keeper.h"
#include "net/ucspi.h"

#define UNIXSERVER_OPTIONS(X)        \
    SERVE_OPTIONS(X)                 \
    SOCKET_FILE_OPTIONS(X)           \
    RULES_OPTIONS(X, "USER[:GROUP]") \
    X(PADDED, 0, "padded", NULL, "pad an abstract name with NUL bytes to 108 bytes")

enum unixserver_option { UNIXSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UNIXSERVER_OPTIONS(OPT_ROW)};

struct unixserver {
    struct msg *msg;
    struct serve serve;
    struct access access;
    struct ucspi ucspi;
    struct keeper keeper; /* length 0 of its file's address: inherited, ask each connection */
};

static void clean_up(void *owner)
{
    struct unixserver *u = owner;
    keeper_remove(&u->keeper);
}

/* ---- a connection ---- */

static void say_client(const struct serve_conn *c, struct buf *text)
{
    ucspi_say_peer(&c->peer, text);
}

static bool identify(void *owner, struct serve_conn *c)
{
    struct unixserver *u = owner;
    c->local = u->keeper.file.address;
    if (!c->local.len && addr_local(&c->local, c->fd) < 0)
        msg_error(u->msg, "getsockname", NULL, errno);
    if (ucspi_peer(c->fd, &c->peer) < 0)
        msg_error(u->msg, "getsockopt", "SO_PEERCRED", errno);
    return true;
}

static bool admit(void *owner, struct serve_conn *c)
{
    const struct unixserver *u = owner;
    return access_admit(&u->access, c);
}

static int put_env(void *owner, const struct serve_conn *c, struct env *e, char **pid_text)
{
    struct unixserver *u = owner;
    *pid_text = ucspi_pid_text(&u->ucspi);
    if (ucspi_unix(&u->ucspi, e, "UNIXLOCALPATH=", &c->local, &c->peer, 0) < 0 ||
        ucspi_count(&u->ucspi, e, "UNIX", c->client_connections) < 0)
        return -1;
    return access_env(&u->access, c, e);
}

static void describe(void *owner, const struct serve_conn *c, pid_t pid, struct event *e)
{
    char path[ADDR_TEXT_SIZE], escaped[4 * ADDR_TEXT_SIZE];
    struct buf b = BUF(escaped);
    (void)owner;
    addr_text(&c->local, path);
    buf_escaped(&b, path, strlen(path));
    event_str(e, "path", path);
    event_num(e, "remote_pid", c->peer.pid);
    event_num(e, "remote_uid", c->peer.uid);
    event_num(e, "remote_gid", c->peer.gid);
    event_num(e, "connections", (long long)c->client_connections);
    event_text(e, "ok %d %s %ld:%lu:%lu", (int)pid, buf_str(&b), (long)c->peer.pid,
        (unsigned long)c->peer.uid, (unsigned long)c->peer.gid);
}

static void name_client(void *owner, const struct serve_conn *c, struct buf *name)
{
    const struct passwd *pw = getpwuid(c->peer.uid);
    (void)owner;
    if (pw)
        buf_text(name, pw->pw_name);
    else
        buf_fmt(name, "uid %lu", (unsigned long)c->peer.uid);
}

static void refresh(void *owner, bool asked)
{
    struct unixserver *u = owner;
    access_refresh(&u->access, asked);
}

static void take_option(struct unixserver *u, int row, const struct opts *o)
{
    switch ((enum unixserver_option)row) {
        SERVE_OPTIONS(OPT_CASE)
        serve_option(&u->serve, row, o);
        break;
        SOCKET_FILE_OPTIONS(OPT_CASE)
        keeper_option(&u->keeper, row - OPT_OWNER, o);
        break;
        RULES_OPTIONS(OPT_CASE, )
        access_option(&u->access, row - OPT_RULES, o);
        break;
    case OPT_PADDED:
        u->keeper.padded = true;
        break;
    }
}

static const struct cli cli = {
    .name = "unixserver",
    .summary = "run a program for each connection to a Unix socket",
    .usage = "[OPTION]... PATH [PROG [ARG]...]\n"
             "[OPTION]... --inherit[=NAME] [PROG [ARG]...]\n"
             "--explain USER[:GROUP] -x FILE",
    .notes =
        "A PATH that begins with @ is an abstract name. A socket at PATH that has no server is replaced; any "
        "other file is an error. PROG reads from the client on fd 0 and writes to it on fd 1. Without PROG, "
        "clients get a greeting.\n"
        "Signals: TERM stops, HUP reloads the rules, USR1 prints the status.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int unixserver_main(struct msg *m, int argc, char **argv)
{
    static const struct serve_kind kind = {.identify = identify,
        .admit = admit,
        .put_env = put_env,
        .describe = describe,
        .client = say_client,
        .name = name_client,
        .closing = clean_up,
        .refresh = refresh};
    struct unixserver u = {.msg = m, .access = {.msg = m, .is_unix = true}};
    struct opts o;
    int row;
    keeper_init(&u.keeper, m);
    serve_init(&u.serve, m, &kind, &u);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&u, row, &o);
    if (u.access.explain)
        return access_explain(&u.access);
    argv += o.first;
    argc -= o.first;
    if (!u.serve.asked.inherit && argc < 1)
        msg_usage(m, "missing PATH");
    const char *where = u.serve.asked.inherit ? "" : *argv++;
    char inherited[ADDR_TEXT_SIZE];
    serve_check(&u.serve, argv);
    access_check(&u.access, &u.serve);
    bool file = !u.serve.asked.inherit && *where != '@';
    if (!file && keeper_was_asked(&u.keeper))
        msg_usage(
            m, "-p and -o need a socket file: they cannot be combined with an abstract name or --inherit");
    if (u.keeper.padded && (u.serve.asked.inherit || *where != '@'))
        msg_usage(m, "--padded needs an abstract name");
    serve_catch_signals(); /* what ends us from here on finds its way past clean_up */
    if (u.serve.asked.inherit) {
        struct addr a = {0};
        serve_inherit(&u.serve, AF_UNIX, AF_UNIX);
        if (addr_local(&a, u.serve.listener[0]) == 0)
            addr_text(&a, inherited);
        where = a.len ? inherited : "";
    } else {
        const struct serve_asked *asked = &u.serve.asked;
        serve_make_room(&u.serve);
        int fd = keeper_bind(&u.keeper, SOCK_STREAM, where, asked->backlog, &asked->user);
        serve_listener(&u.serve, fd, false);
    }
    int status = serve_run(&u.serve, where, NULL, argv);
    clean_up(&u);
    if (status < 0)
        sigs_die(-status);
    return u.keeper.left && status == EXIT_DONE ? EXIT_SYSTEM : status;
}

const struct applet applet_unixserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = unixserver_main};
