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
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/place.h"
#include "process/lock.h"
#include "process/reap.h"
#include "serve/serve.h"
#include "net/addr_words.h"
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
    struct user owner;
    struct place place;
    int lock; /* on what happens at the place */
    bool mode_is_set;
    unsigned mode;
    const char *path;    /* of the socket file that we made, or NULL */
    struct addr address; /* length 0: inherited, ask each connection */
    struct stat made;    /* what we made at path */
    pid_t server;        /* ourselves, for the keeper */
    bool left;           /* it could not be removed */
    pid_t keeper;        /* removes the file when we have dropped the right to; 0: none */
    int keeper_fd;       /* closed when we end */
};

/* ---- the socket file ---- */

/* What was begun is taken back. */
static _Noreturn void die_why(const struct unixserver *u, const char *action, const char *path, int err)
{
    if (u->path)
        unlinkat(u->place.dir, u->place.name, 0);
    lock_change_end(&u->place, &(int){u->lock});
    msg_die(u->msg, EXIT_SYSTEM, action, path, err);
}

static _Noreturn void die(const struct unixserver *u, const char *action, const char *path)
{
    die_why(u, action, path, errno);
}

/*
 * Whether a socket file has a server, found out without disturbing it: a datagram socket can't be connected
 * to a stream socket that lives (EPROTOTYPE), and nothing can to one that is dead (ECONNREFUSED).
 */
static bool is_alive(const struct addr *a)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: leave it alone */
    bool dead = connect(fd, &a->u.sa, a->len) < 0 && (errno == ECONNREFUSED || errno == ENOENT);
    fd_close(&fd);
    return !dead;
}

/* Makes way for our socket: only a dead socket is removed. */
static void clear_path(const struct unixserver *u, const char *path)
{
    struct stat st;
    if (place_look(&u->place, &st) < 0) {
        if (errno != ENOENT)
            die(u, "stat", path);
        return;
    }
    if (!S_ISSOCK(st.st_mode))
        die_why(u, "refuse to replace what is not a socket:", path, EEXIST);
    if (!place_is_trusted(&u->place, &st))
        die_why(u, "refuse to replace", path, errno);
    if (is_alive(&u->address))
        die_why(u, "refuse to replace a live socket:", path, EADDRINUSE);
    if (unlinkat(u->place.dir, u->place.name, 0) < 0)
        die(u, "remove the dead socket", path);
}

/*
 * Removes the file if it is still the one that we made. While our socket is open its inode number can't be
 * another's; once it is closed, a successor may have got it, so a live socket stays. 0, or -1 with errno.
 */
static int remove_ours(const struct unixserver *u, bool open)
{
    struct stat now;
    int lock = lock_change(&u->place);
    int done = place_look(&u->place, &now);
    if (done < 0 && errno == ENOENT)
        done = 0;
    else if (done == 0 && place_is_same_file(&now, &u->made) && (open || !is_alive(&u->address)))
        done = unlinkat(u->place.dir, u->place.name, 0);
    lock_change_end(&u->place, &lock);
    return done;
}

/* The keeper's work: when the server is gone, however, so is its file. A byte means an orderly exit. */
static int keep(void *arg)
{
    struct unixserver *u = arg;
    char end;
    enum { PIPE, PLACE, FIRST_UNUSED };
    if (dup2(u->keeper_fd, PIPE) < 0 || dup2(u->place.dir, PLACE) < 0)
        return EXIT_SYSTEM;
    u->place.dir = PLACE;
    fd_close_from(FIRST_UNUSED);
    bool orderly = fd_read(PIPE, &end, 1) == 1;
    /* a dying process closes this pipe before or after its listener; it is dead once we have another parent
     */
    while (!orderly && getppid() == u->server)
        poll(NULL, 0, KEEPER_LOOK_MS);
    return remove_ours(u, orderly) < 0 ? EXIT_SYSTEM : EXIT_DONE;
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
        remove_ours(u, true);
        msg_die(u->msg, EXIT_SYSTEM, "start the keeper of", u->path, err);
    }
    close(fds[0]);
    u->keeper_fd = fds[1];
}

/* bind(2) with the right mode from the first moment. */
static int bind_with_mode(const struct unixserver *u, int fd, const struct addr *a)
{
    mode_t before = 0;
    if (u->mode_is_set)
        before = umask(~u->mode & 0777);
    int done = bind(fd, &a->u.sa, a->len), err = errno;
    if (u->mode_is_set)
        umask(before);
    errno = err;
    return done;
}

/* bind(2) in a directory that has no path for it but to go there. */
static int bind_in(const struct unixserver *u, int fd, int directory)
{
    struct addr a = {.len = sizeof a.u.un, .u.un.sun_family = AF_UNIX};
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int done = here < 0 ? -1 : fchdir(directory);
    if (done == 0) {
        memcpy(a.u.un.sun_path, u->place.name, strlen(u->place.name)); /* it is shorter than the path */
        done = bind_with_mode(u, fd, &a);
        int err = errno;
        if (fchdir(here) < 0)
            done = -1;
        else
            errno = err;
    }
    fd_close(&here);
    return done;
}

/* A directory of our own, 0700, beside the socket's place; one that is there was left by one of us that was
 * killed. An fd to close, or -1 with errno. */
static int make_private_directory(const struct unixserver *u, const char *name)
{
    struct stat st;
    if (mkdirat(u->place.dir, name, 0700) < 0 && errno != EEXIST)
        return -1;
    int fd = openat(u->place.dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    errno = PLACE_FOREIGN;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 077)
        fd_close(&fd);
    else
        unlinkat(fd, u->place.name, 0);
    return fd;
}

static int give_to_owner(struct unixserver *u, int directory)
{
    const struct user *to = &u->owner;
    int fd = openat(directory, u->place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int done = fd < 0 ? -1
                      : fchownat(fd, "", to->has_uid ? to->uid : (uid_t)-1, to->has_gid ? to->gid : (gid_t)-1,
                            AT_EMPTY_PATH);
    if (done == 0)
        done = fstat(fd, &u->made);
    fd_close(&fd);
    return done;
}

/*
 * -o: in a directory that its owner can write, a name may be another file's by the time that we chown it. So
 * the socket is made and given away where nobody else can be, and gets its name when it is done.
 */
static int bind_for_owner(struct unixserver *u, int fd)
{
    char name[PLACE_NAME_SIZE];
    int directory = place_beside(&u->place, "new", name) ? make_private_directory(u, name) : -1;
    if (directory < 0)
        return -1;
    int done = bind_in(u, fd, directory);
    if (done == 0)
        done = give_to_owner(u, directory);
    if (done == 0)
        done = linkat(directory, u->place.name, u->place.dir, u->place.name, 0);
    int err = errno;
    unlinkat(directory, u->place.name, 0);
    unlinkat(u->place.dir, name, AT_REMOVEDIR);
    fd_close(&directory);
    errno = err;
    return done;
}

static int bind_here(struct unixserver *u, int fd)
{
    if (u->owner.has_uid || u->owner.has_gid)
        return bind_for_owner(u, fd);
    int done = bind_with_mode(u, fd, &u->address);
    if (done == 0 && (done = place_look(&u->place, &u->made)) == 0 && u->made.st_uid != geteuid()) {
        errno = PLACE_FOREIGN;
        return -1;
    }
    return done;
}

/* Before listen(2), nobody can connect. */
static void bind_file(struct unixserver *u, int fd, const char *path)
{
    if (place_open(&u->place, path) < 0)
        exit(msg_fatal_file(u->msg, "open the directory of", path, errno));
    u->lock = lock_change(&u->place);
    if (u->lock < 0 && sigs_ending_came())
        sigs_die(sigs_take_ending(NULL));
    if (u->lock < 0)
        exit(msg_fatal_file(u->msg, "lock", path, errno));
    clear_path(u, path);
    if (bind_here(u, fd) < 0)
        die(u, "bind", path);
    u->path = path;
    if (listen(fd, u->serve.asked.backlog) < 0)
        die(u, "listen on", path);
    lock_change_end(&u->place, &u->lock);
    if (u->serve.asked.user.has_uid || u->serve.asked.user.has_gid)
        start_keeper(u);
}

static void listen_at(struct unixserver *u, const char *path)
{
    addr_unix_operand(&u->address, u->msg, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        msg_die_sys(u->msg, "socket", NULL);
    if (*path != '@')
        bind_file(u, fd, path);
    else if (bind(fd, &u->address.u.sa, u->address.len) < 0 || listen(fd, u->serve.asked.backlog) < 0)
        msg_die_sys(u->msg, "bind", path);
    serve_listener(&u->serve, fd, false);
}

static void say_left(struct unixserver *u, const char *why)
{
    msg_error_why(u->msg, "remove", u->path, why);
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
    } else if (u->path && remove_ours(u, true) < 0) {
        say_left(u, place_error(errno));
    }
    u->keeper = 0;
    u->path = NULL;
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
    c->local = u->address;
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
        wrong = *o->arg == ':' ? user_parse_group(&u->owner, o->arg + 1) : user_parse(&u->owner, o->arg);
        if (wrong)
            opts_wrong(o, wrong);
        break;
    case OPT_MODE:
        u->mode = opts_mode(o);
        u->mode_is_set = true;
        if (u->mode & ~0777U)
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
    struct unixserver u = {.msg = m, .keeper_fd = -1, .lock = -1, .place.dir = -1};
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
    if (!file && (u.mode_is_set || u.owner.has_uid || u.owner.has_gid))
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
