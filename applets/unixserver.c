/*
 * unixserver - a program per connection to a Unix socket.
 *
 * tcpserver over a path or an abstract name. Here is what is Unix: the socket file, which is made with its
 * mode, taken over from a dead server, never from a live one, and gone at the end; and the peer's
 * credentials.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/reap.h"
#include "serve/serve.h"
#include "net/addr_words.h"
#include "net/socket_file.h"
#include "net/ucspi.h"
#include "process/worker.h"

#define UNIXSERVER_OPTIONS(X)                                                  \
    SERVE_OPTIONS(X)                                                           \
    X(OWNER, 'o', "owner", "USER[:GROUP]", "set the owner of the socket file") \
    X(MODE, 'p', "mode", "MODE", "create the socket file with MODE (0777 minus the umask)")

enum unixserver_option { UNIXSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UNIXSERVER_OPTIONS(OPT_ROW)};

enum { KEEPER_LOOK_MS = 5 };

struct unixserver {
    struct msg *msg;
    struct serve serve;
    struct ucspi ucspi;
    struct socket_file file; /* length 0 of its address: inherited, ask each connection */
    pid_t server;            /* ourselves, for the keeper */
    bool left;               /* it could not be removed */
    pid_t keeper;            /* removes the file when we have dropped the right to; 0: none */
    int keeper_fd;           /* closed when we end */
};

/* ---- the socket file ---- */

/* The keeper's work: when the server is gone, however, so is its file. A byte means an orderly exit. */
static int keep(void *arg)
{
    struct unixserver *u = arg;
    char end;
    enum { PIPE, PLACE, FIRST_UNUSED };
    if (dup2(u->keeper_fd, PIPE) < 0 || dup2(u->file.place.dir, PLACE) < 0)
        return EXIT_SYSTEM;
    u->file.place.dir = PLACE;
    fd_close_from(FIRST_UNUSED);
    bool orderly = fd_read(PIPE, &end, 1) == 1;
    /* a dying process closes this pipe before or after its listener; it is dead once we have another parent
     */
    while (!orderly && getppid() == u->server)
        poll(NULL, 0, KEEPER_LOOK_MS);
    return socket_file_remove(&u->file, orderly) < 0 ? EXIT_SYSTEM : EXIT_DONE;
}

/* For -u: a process that keeps the right to remove the file and does nothing else. */
static void start_keeper(struct unixserver *u)
{
    int fds[2] = {-1, -1};
    u->server = getpid();
    if (pipe2(fds, O_CLOEXEC) == 0) {
        u->keeper_fd = fds[0];
        u->keeper = worker_keep(keep, u);
    }
    if (u->keeper <= 0) {
        int err = errno;
        socket_file_remove(&u->file, true);
        msg_die(u->msg, EXIT_SYSTEM, "start the keeper of", u->file.path, err);
    }
    close(fds[0]);
    u->keeper_fd = fds[1];
}

static void listen_at(struct unixserver *u, const char *path)
{
    addr_unix_operand(&u->file.address, u->msg, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        msg_die_sys(u->msg, "socket", NULL);
    if (*path != '@') {
        u->file.path = path;
        socket_file_bind(&u->file, fd, u->serve.asked.backlog);
        if (u->serve.asked.user.has_uid || u->serve.asked.user.has_gid)
            start_keeper(u);
    } else if (bind(fd, &u->file.address.u.sa, u->file.address.len) < 0 ||
               listen(fd, u->serve.asked.backlog) < 0)
        msg_die_sys(u->msg, "bind", path);
    serve_listener(&u->serve, fd, false);
}

static void say_left(struct unixserver *u, const char *why)
{
    msg_error_why(u->msg, "remove", u->file.path, why);
    u->left = true;
}

/* At the end, however it came: the file goes if it is ours, while our socket is still open. */
static void clean_up(void *owner)
{
    struct unixserver *u = owner;
    if (u->keeper > 0) {
        fd_write(u->keeper_fd, "", 1);
        fd_close(&u->keeper_fd);
        int end = reap_wait(u->keeper); /* -1: it has been reaped before, as it ended without being told */
        if (end)
            say_left(u, end > 0 && WIFEXITED(end) ? "its keeper could not" : "its keeper was killed");
    } else if (u->file.is_made && socket_file_remove(&u->file, true) < 0) {
        say_left(u, place_error(errno));
    }
    u->keeper = 0;
    u->file.is_made = false;
}

/* ---- a connection ---- */

static void say_client(const struct serve_conn *c, struct buf *text)
{
    if (c->peer.uid == (uid_t)-1)
        buf_text(text, "unknown");
    else
        buf_fmt(text, "uid %lu pid %ld", (unsigned long)c->peer.uid, (long)c->peer.pid);
}

static bool identify(void *owner, struct serve_conn *c)
{
    struct unixserver *u = owner;
    c->local = u->file.address;
    if (!c->local.len && addr_local(&c->local, c->fd) < 0)
        msg_error(u->msg, "getsockname", NULL, errno);
    if (ucspi_peer(c->fd, &c->peer) < 0)
        msg_error(u->msg, "getsockopt", "SO_PEERCRED", errno);
    return true;
}

static bool admit(void *owner, struct serve_conn *c)
{
    (void)owner;
    memset(c->key, 0, sizeof c->key);
    memcpy(c->key, &c->peer.uid, sizeof c->peer.uid);
    return true;
}

static int put_env(void *owner, const struct serve_conn *c, struct env *e, char **pid_text)
{
    struct unixserver *u = owner;
    *pid_text = ucspi_pid_text(&u->ucspi);
    if (ucspi_unix(&u->ucspi, e, "UNIXLOCALPATH=", &c->local, &c->peer, 0) < 0)
        return -1;
    return ucspi_count(&u->ucspi, e, "UNIX", c->client_connections);
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
    (void)owner;
    (void)asked; /* nothing here is read from files */
}

static void take_option(struct unixserver *u, int row, const struct opts *o)
{
    const char *wrong;
    switch ((enum unixserver_option)row) {
        SERVE_OPTIONS(OPT_CASE)
        serve_option(&u->serve, row, o);
        break;
    case OPT_OWNER:
        wrong = *o->arg == ':' ? user_parse_group(&u->file.owner, o->arg + 1)
                               : user_parse(&u->file.owner, o->arg);
        if (wrong)
            opts_wrong(o, wrong);
        break;
    case OPT_MODE:
        u->file.mode = opts_mode(o);
        u->file.mode_is_set = true;
        if (u->file.mode & ~0777U)
            opts_wrong(o, "a socket has no set-ID or sticky bit");
        break;
    }
}

static const struct cli cli = {
    .name = "unixserver",
    .summary = "run a program for each connection to a Unix socket",
    .usage = "[OPTION]... PATH [PROG [ARG]...]\n"
             "[OPTION]... --inherit[=NAME] [PROG [ARG]...]",
    .notes =
        "A PATH that begins with @ is an abstract name. A socket at PATH that has no server is replaced; any "
        "other file is an error. PROG reads from the client on fd 0 and writes to it on fd 1. Without PROG, "
        "clients get a greeting.\n"
        "Signals: TERM stops, USR1 prints the status.",
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
    struct unixserver u = {.msg = m, .keeper_fd = -1, .file = {.msg = m, .lock = -1, .place.dir = -1}};
    struct opts o;
    int row;
    serve_init(&u.serve, m, &kind, &u);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&u, row, &o);
    argv += o.first;
    argc -= o.first;
    if (!u.serve.asked.inherit && argc < 1)
        msg_usage(m, "missing PATH");
    const char *where = u.serve.asked.inherit ? "" : *argv++;
    char inherited[ADDR_TEXT_SIZE];
    serve_check(&u.serve, argv);
    bool file = !u.serve.asked.inherit && *where != '@';
    if (!file && (u.file.mode_is_set || u.file.owner.has_uid || u.file.owner.has_gid))
        msg_usage(
            m, "-p and -o need a socket file: they cannot be combined with an abstract name or --inherit");
    serve_catch_signals(); /* what ends us from here on finds its way past clean_up */
    if (u.serve.asked.inherit) {
        struct addr a = {0};
        serve_inherit(&u.serve, AF_UNIX, AF_UNIX);
        if (addr_local(&a, u.serve.listener[0]) == 0)
            addr_text(&a, inherited);
        where = a.len ? inherited : "";
    } else {
        listen_at(&u, where);
    }
    int status = serve_run(&u.serve, where, NULL, argv);
    clean_up(&u);
    if (status < 0)
        sigs_die(-status);
    return u.left && status == EXIT_DONE ? EXIT_SYSTEM : status;
}

const struct applet applet_unixserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = unixserver_main};
