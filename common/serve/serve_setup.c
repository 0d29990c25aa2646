/*
 * serve_setup.c - the part of serve.h that runs before the first connection, where a fault ends the process.
 */
#include "serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/find.h"
#include "base/num.h"
#include "serve/serve_loop.h"
#include "net/udp.h"
#include "net/ucspi.h"
#include "process/listen_fds.h"
#include "process/status_page.h"
#include "net/listen.h"

enum {
    LIMIT_DEFAULT = 40,
    LIMIT_MAX = 1000000,
    BACKLOG_DEFAULT =
        4096, /* what Linux's net.core.somaxconn allows; the kernel takes less where that is less */
    RATE_MAX = 1000000,
};

void serve_init(struct serve *s, struct msg *m, const struct serve_kind *kind, void *owner)
{
    *s = (struct serve){.msg = m, .kind = kind, .owner = owner};
    s->asked = (struct serve_asked){
        .backlog = BACKLOG_DEFAULT, .notify.fd = -1, .inherit_fd = -1, .exit_idle = CLOCK_NEVER};
    s->held.fd = s->also = s->page.fd = -1;
    s->children = (struct table){.entry_size = sizeof(struct serve_child), .key_size = sizeof(pid_t)};
    s->clients = (struct table){.entry_size = sizeof(struct serve_client), .key_size = ADDR_KEY_SIZE};
}

/* \r, \n, \t and \\ of N:MSG, as in ipsvd's; anything else behind a backslash is a mistake. */
static char *unescape(const struct opts *o, const char *text)
{
    static const char letters[] = "rnt\\", means[] = "\r\n\t\\";
    char *out = malloc(strlen(text) + 1), *to = out;
    if (!out)
        msg_die_sys(o->msg, "malloc", NULL);
    for (; *text; text++) {
        const char *letter = *text == '\\' && text[1] ? strchr(letters, text[1]) : NULL;
        if (*text == '\\' && !letter)
            opts_wrong(o, "expected r, n, t or a backslash after a backslash");
        *to++ = letter ? means[letter - letters] : *text;
        text += letter != NULL;
    }
    *to = '\0';
    return out;
}

static void take_per_client(struct serve *s, const struct opts *o)
{
    size_t digits = strcspn(o->arg, ":");
    uint64_t n;
    if (!num_u64n(o->arg, digits, 1, LIMIT_MAX, &n))
        opts_wrong(o, "expected N or N:MESSAGE, with N from 1 to 1000000");
    s->asked.per_client = (unsigned long)n;
    free(s->asked.per_client_message);
    s->asked.per_client_message = o->arg[digits] ? unescape(o, o->arg + digits + 1) : NULL;
}

static void take_rate(struct serve *s, const struct opts *o)
{
    size_t digits = strcspn(o->arg, "/");
    uint64_t n;
    int64_t window;
    if (!num_u64n(o->arg, digits, 1, RATE_MAX, &n) || !o->arg[digits] ||
        !num_duration(o->arg + digits + 1, &window) || !window)
        opts_wrong(o, "expected N/TIME, such as 100/1 or 5/250ms");
    free(s->rate.times);
    s->rate.n = (size_t)n;
    s->rate.window = window;
    s->rate.times = malloc(s->rate.n * sizeof *s->rate.times);
    if (!s->rate.times)
        msg_die_sys(o->msg, "malloc", NULL);
    for (size_t i = 0; i < s->rate.n; i++)
        s->rate.times[i] = SERVE_NO_ACCEPT;
}

static void take_user_from_env(struct serve *s, const struct opts *o)
{
    const char *wrong = user_from_env(&s->asked.user);
    if (wrong)
        opts_wrong(o, wrong);
}

static void take_stream_option(struct serve *s, int row, const struct opts *o)
{
    enum stream_row { STREAM_OPTIONS(OPT_ENUM) };
    switch ((enum stream_row)row) {
    case OPT_BACKLOG:
        s->asked.backlog = (int)opts_num(o, 0, INT32_MAX);
        break;
    case OPT_BANNER:
        s->asked.banner = o->arg;
        break;
    case OPT_STDIO:
        s->asked.stdio = s->asked.notify.stays = s->asked.relay.is_server = true;
        break;
        RELAY_OPTIONS(OPT_CASE)
        client_relay_option(&s->asked.relay, row - OPT_PROGRESS, o);
        break;
    }
}

void serve_option(struct serve *s, int row, const struct opts *o)
{
    enum serve_row { SERVE_OPTIONS(OPT_ENUM) };
    switch ((enum serve_row)row) {
    case OPT_PRINT_PORT:
    case OPT_READY_FD:
        notify_option(&s->asked.notify, row - OPT_PRINT_PORT, o);
        break;
        STREAM_OPTIONS(OPT_CASE)
        take_stream_option(s, row - OPT_BACKLOG, o);
        break;
    case OPT_LIMIT:
        s->asked.limit = (unsigned long)opts_num(o, 1, LIMIT_MAX);
        break;
    case OPT_PER_CLIENT:
        take_per_client(s, o);
        break;
    case OPT_USER:
    case OPT_GROUP:
        user_option(&s->asked.user, row - OPT_USER, o);
        break;
    case OPT_NO_NEW_PRIVS:
        s->asked.no_new_privs = true;
        break;
    case OPT_USER_ENV:
        take_user_from_env(s, o);
        break;
    case OPT_QUIET:
    case OPT_ERRORS:
    case OPT_VERBOSE:
        s->msg->level = MSG_QUIET + (row - OPT_QUIET);
        break;
    case OPT_RATE:
        take_rate(s, o);
        break;
    case OPT_DRAIN:
        s->asked.drain = opts_duration(o);
        s->asked.drain_set = true;
        break;
    case OPT_MAX:
        s->asked.max = (unsigned long)opts_num(o, 1, UINT32_MAX);
        break;
    case OPT_INHERIT:
    case OPT_INHERIT_FD:
        s->asked.inherit = true;
        if (row == OPT_INHERIT)
            s->asked.inherit_name = o->arg;
        else
            s->asked.inherit_fd = opts_fd(o, 0);
        break;
    case OPT_EXIT_IDLE:
        s->asked.exit_idle = opts_duration(o);
        break;
    case OPT_LOG_FORMAT:
        opts_log_format(o, s->msg);
        break;
    }
}

void serve_make_room(struct serve *s)
{
    size_t n = (size_t)s->listeners + 1;
    if (s->room == s->listeners + 1)
        return;
    int *fds = realloc(s->listener, n * sizeof *fds);
    if (fds)
        s->listener = fds;
    bool *flags = fds ? realloc(s->blocking, n * sizeof *flags) : NULL;
    if (!flags)
        msg_die_sys(s->msg, "malloc", NULL);
    s->blocking = flags;
    s->room = s->listeners + 1;
}

void serve_listener(struct serve *s, int fd, bool blocking)
{
    serve_make_room(s);
    s->blocking[s->listeners] = blocking;
    s->listener[s->listeners++] = fd;
}

/*
 * --inherit-fd: inetd passes a socket as fds 0, 1 and 2 (inetd(8)), where our programs' own must be. 1, in
 * *fd.
 */
static int take_from_inetd(const struct serve *s, int *fd)
{
    struct stat socket, st;
    *fd = s->asked.inherit_fd;
    if (*fd <= STDERR_FILENO)
        *fd = fd_dup(*fd, STDERR_FILENO + 1);
    if (*fd < 0 || fstat(*fd, &socket) < 0)
        msg_die_sys(s->msg, "inherit", NULL);
    for (int i = 0; i <= STDERR_FILENO; i++)
        if (fstat(i, &st) == 0 && st.st_ino == socket.st_ino && st.st_dev == socket.st_dev &&
            fd_to_null(i) < 0)
            msg_die_sys(s->msg, "open", "/dev/null");
    return 1;
}

int serve_inherit(struct serve *s, int family, int other_family)
{
    int fds[SERVE_INHERITED];
    int n = s->asked.inherit_fd < 0 ? listen_fds_or_die(s->msg, s->asked.inherit_name, fds, SERVE_INHERITED)
                                    : take_from_inetd(s, fds);
    for (int i = 0; i < n; i++) {
        int found = s->kind->datagrams ? udp_family(fds[i]) : listen_family(fds[i]);
        int flags = fcntl(fds[i], F_GETFL);
        if (found < 0 || (found != family && found != other_family) || flags < 0) {
            char text[32];
            struct buf b = BUF(text);
            buf_fmt(&b, "fd %d", s->asked.inherit_fd < 0 ? fds[i] : s->asked.inherit_fd);
            msg_die(
                s->msg, EXIT_USAGE, "inherit: expected a socket of this kind of server, not", buf_str(&b), 0);
        }
        serve_listener(s, fds[i], !(flags & O_NONBLOCK));
    }
    return n;
}

/* What every program's environment has in common. */
static int prepare_environment(struct serve *s)
{
    static const char *const hidden[] = {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
    if (env_init(&s->env, environ) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        env_drop(&s->env, hidden[i]);
    ucspi_drop(&s->env);
    return 0;
}

/* Looks PROG up again, now that we are who will run it. */
static int prepare_program(struct serve *s, const char *path, char **argv)
{
    s->program = (struct spawn){.argv = argv, .signals = SIGS_CLEAN, .only_stdio = true, .patient = true};
    if (!s->prog)
        return 0;
    s->program.path = find_program(s->prog);
    if (!s->program.path)
        return find_failed(s->msg, s->prog, errno);
    if (path && access(path, X_OK) < 0)
        return find_failed(s->msg, path, errno);
    if (path)
        s->program.path = path;
    return 0;
}

static void check_stdio(const struct serve *s, const char *prog)
{
    const struct serve_asked *a = &s->asked;
    if (a->stdio && (prog || a->limit || a->per_client || a->max || a->drain_set))
        msg_usage(s->msg, "--stdio cannot be combined with PROG, -c, -C, --max or --drain");
    if (a->stdio && (a->notify.fd == STDOUT_FILENO || (a->inherit_fd >= 0 && a->inherit_fd <= STDOUT_FILENO)))
        msg_usage(s->msg, "--stdio cannot be combined with --ready-fd or --inherit-fd of stdin or stdout");
    if (!a->stdio && (a->relay.progress || a->relay.no_shutdown || a->relay.idle))
        msg_usage(s->msg, "--progress, --no-shutdown and --idle need --stdio");
}

void serve_check(struct serve *s, char **argv)
{
    check_stdio(s, *argv);
    if (!s->asked.limit)
        s->asked.limit = LIMIT_DEFAULT;
    if (s->asked.user.has_uid && !s->asked.user.has_gid)
        msg_usage(s->msg, "option -u: the user has no entry in the user database, and so no group: use -u "
                          "USER:GROUP or -g GROUP");
    const char *path = *argv ? find_program(*argv) : NULL;
    if (*argv && !path)
        exit(find_failed(s->msg, *argv, errno));
    find_free(path, *argv);
    if (s->asked.notify.print && s->asked.notify.fd == STDOUT_FILENO)
        msg_usage(s->msg, "-1 and --ready-fd 1 cannot be combined: both write to stdout");
    s->prog = *argv;
}

void serve_catch_signals(void)
{
    sigs_catch(SIGCHLD);
    sigs_catch(SIGHUP);
    sigs_catch(SIGUSR1);
    sigs_catch(SIGPIPE); /* noted and never looked at: as good as ignored, but programs don't inherit it */
    sigs_learn_ignored();
    sigs_catch_ending();
    sigs_claim_term();
}

/* Programs get fds 0 to 2, also where we were started without fd 2 (fd_fill_std). */
static int provide_stderr(void)
{
    int flags = fcntl(STDERR_FILENO, F_GETFD);
    return flags >= 0 && flags & FD_CLOEXEC ? fd_to_null(STDERR_FILENO) : 0;
}

static int relay(struct serve *s)
{
    int64_t ns;
    int sig = 0;
    while (s->waiting.n)
        serve_drop(&s->waiting.list[--s->waiting.n]);
    while (
        !sig && (ns = notify_tend(&s->asked.notify, s->msg)) != CLOCK_NEVER) { /* the line of -1 is first */
        sigs_sleep(NULL, 0, ns);
        sig = sigs_take_ending(NULL);
    }
    if (sig)
        return -sig;
    return client_relay(s->msg, s->relayed, &s->asked.relay);
}

int serve_run(struct serve *s, const char *where, const char *path, char **argv)
{
    const char *object;
    int failed;
    fd_cloexec_from(STDERR_FILENO + 1);
    if (provide_stderr() < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "open", "/dev/null", errno);
    if (user_become(&s->asked.user) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "change user", NULL, errno);
    if (s->asked.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) /* programs inherit it */
        return msg_fatal(s->msg, EXIT_SYSTEM, "prctl", "PR_SET_NO_NEW_PRIVS", errno);
    if ((failed = prepare_program(s, path, argv)) || (failed = prepare_environment(s)))
        return failed;
    s->polls = malloc(((size_t)s->listeners + 1) * sizeof *s->polls);
    if (!s->polls)
        return msg_fatal(s->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    if (s->kind->datagrams && (failed = s->kind->datagrams->begin(s->owner)))
        return failed;
    s->page.fd = status_page_open();
    s->page.where = where;
    serve_show_status(s);
    if (notify_ready(&s->asked.notify, "READY=1", where, &object) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "report readiness to", object, errno);
    int status = serve_loop(s);
    return s->relayed ? relay(s) : status;
}
