/*
 * client.c - see client.h.
 */
#include "net/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/find.h"
#include "io/progress.h"
#include "io/relay.h"
#include "process/sigs.h"
#include "process/spawn.h"

enum { FROM_NETWORK = 6, TO_NETWORK = 7, LINGER_MS = 500 };

struct relay {
    const struct msg *msg;
    const struct client_options *options;
    int fd;
    struct pump up, down; /* stdin to the peer, the peer to stdout */
    bool up_done, down_done;
    int64_t idle_until; /* of --idle; 0: not begun */
    uint64_t moved;     /* both ways, when that was set */
    int queued;         /* in the kernel for the peer, then */
    int up_error;       /* the peer would not take our input; said when all of its answer is through */
    struct progress progress;
};

void client_relay_option(struct client_options *c, int row, const struct opts *o)
{
    enum relay_row { RELAY_OPTIONS(OPT_ENUM) };
    switch ((enum relay_row)row) {
    case OPT_PROGRESS:
        c->progress = true;
        break;
    case OPT_NO_SHUTDOWN:
        c->no_shutdown = true;
        break;
    case OPT_IDLE:
        c->idle = opts_duration(o);
        if (!c->idle)
            opts_wrong(o, "expected more than 0");
        break;
    }
}

void client_option(struct client_options *c, struct msg *m, int row, const struct opts *o)
{
    enum client_row { CLIENT_OPTIONS(OPT_ENUM) };
    switch ((enum client_row)row) {
    case OPT_QUIET:
    case OPT_ERRORS:
    case OPT_VERBOSE:
        m->level = MSG_QUIET + row - OPT_QUIET;
        break;
    case OPT_RETRY:
        c->retry = true;
        break;
        RELAY_OPTIONS(OPT_CASE)
        client_relay_option(c, row - OPT_PROGRESS, o);
        break;
    case OPT_CONFINE:
        c->confine = true;
        break;
    }
}

void client_check_options(const struct client_options *c, const struct msg *m, const char *prog)
{
    const char *relays = c->progress      ? "progress"
                         : c->no_shutdown ? "no-shutdown"
                         : c->idle        ? "idle"
                         : c->confine     ? "confine"
                                          : NULL;
    if (relays && prog)
        msg_usage(m, "--%s and PROG cannot be combined", relays);
    if (c->confine)
        confine_check(m);
}

int client_check(const struct msg *m, const char *name)
{
    const char *path = find_program(name);
    if (!path)
        return find_failed(m, name, errno);
    find_free(path, name);
    return 0;
}

int client_become(const struct msg *m, int fd, char **argv, char *const *envp)
{
    const char *path = find_program(*argv);
    if (!path)
        return find_failed(m, *argv, errno);
    if (fd_set_nonblock(fd, false) < 0)
        msg_die_sys(m, "fcntl", "connection");
    /* above both targets first, or one of them may be fd itself */
    int above = fd_dup(fd, TO_NETWORK + 1);
    if (above < 0 || dup2(above, FROM_NETWORK) < 0 || dup2(above, TO_NETWORK) < 0)
        msg_die_sys(m, "dup", "connection");
    if (fd < FROM_NETWORK)
        fd_close(&fd);
    spawn_become(path, argv, envp);
    return msg_fatal(m, find_exit_status(errno), "exec", path, errno);
}

/* Our input can't be sent to its end: the peer must not take what it got for the whole. */
static void reset_at_close(struct relay *r)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

static int abort_connection(struct relay *r, const char *action, const char *object, int err)
{
    reset_at_close(r);
    return msg_fatal(r->msg, EXIT_SYSTEM, action, object, err);
}

/* stdout is gone: die as any filter does, or say it where SIGPIPE was ignored. */
static int lose_output(struct relay *r, int err)
{
    if (err == EPIPE && !sigs_found_ignored(SIGPIPE))
        sigs_die(SIGPIPE);
    return abort_connection(r, "write", "stdout", err);
}

/* Moves input to the peer. 0, or the exit status of a failure. */
static int step_up(struct relay *r, bool *again)
{
    switch (pump_step(&r->up)) {
    case PUMP_AGAIN:
        *again = true;
        return 0;
    case PUMP_WAIT:
        return 0;
    case PUMP_END:
        r->up_done = true;
        if (r->options->no_shutdown || shutdown(r->fd, SHUT_WR) == 0)
            return 0;
        if (errno != ENOTCONN) /* the peer will not learn that our input has ended: its end need not come */
            return abort_connection(r, "shutdown", NULL, errno);
        r->up_error = ECONNRESET; /* it has been reset, as receiving will tell, after what came before */
        return 0;
    case PUMP_ERROR:
        if (r->up.failed == PUMP_SOURCE)
            return abort_connection(r, "read", "stdin", errno);
        if (errno != EPIPE && errno != ECONNRESET) /* the connection lives, but our input can't go on */
            return abort_connection(r, "send", NULL, errno);
        r->up_done = true;
        r->up_error = errno;
        return 0;
    }
    return 0;
}

/* Moves the peer's answer to stdout. */
static int step_down(struct relay *r, bool *again)
{
    switch (pump_step(&r->down)) {
    case PUMP_AGAIN:
        *again = true;
        return 0;
    case PUMP_WAIT:
        return 0;
    case PUMP_END:
        r->down_done = true;
        return 0;
    case PUMP_ERROR:
        if (r->down.failed == PUMP_TARGET)
            return lose_output(r, errno);
        return msg_fatal(r->msg, EXIT_SYSTEM, "receive", NULL, errno);
    }
    return 0;
}

/* Sleeps until one of the pumps can go on; `limit` ns at most. */
static int sleep_for(struct relay *r, int64_t limit)
{
    struct pollfd polls[4];
    pump_polls(&r->up, polls);
    pump_polls(&r->down, polls + 2);
    for (int i = 0; i < 4; i++)
        if (i < 2 ? r->up_done : r->down_done)
            polls[i].fd = -1;
    int n = sigs_sleep_or_die(r->msg, polls, 4, clock_first(limit, progress_left(&r->progress)));
    if (n > 0) {
        pump_ready(&r->up, polls);
        pump_ready(&r->down, polls + 2);
    }
    int sig = sigs_take_ending(NULL);
    if (sig)
        sigs_die(sig);
    progress_tick(&r->progress, r->up.moved, r->down.moved);
    return n;
}

/* Whether nothing has moved for the time of --idle, neither by us nor out of the kernel's queue to the peer.
 */
static bool is_idle(struct relay *r)
{
    int queued = 0;
    uint64_t moved = r->up.moved + r->down.moved;
    ioctl(r->fd, TIOCOUTQ, &queued); /* SIOCOUTQ of tcp(7) and unix(7) */
    if (r->idle_until && moved == r->moved && queued == r->queued)
        return !clock_left(r->idle_until);
    r->moved = moved;
    r->queued = queued;
    r->idle_until = clock_in(r->options->idle);
    return false;
}

/* Sleeps as long as it takes. 0, or the exit status when --idle has set an end to that. */
static int sleep_long(struct relay *r)
{
    enum { LOOKS = 8 }; /* of is_idle */
    int64_t idle = r->options->idle;
    if (idle && is_idle(r)) {
        if (!r->up_done)
            reset_at_close(r);
        return msg_fatal_why(r->msg, EXIT_DEADLINE, "relay", NULL, "nothing moved for the time of --idle");
    }
    sleep_for(r, idle ? idle / LOOKS + 1 : CLOCK_NEVER);
    return 0;
}

/*
 * The peer has ended its side, but may still be reading: input that goes on coming still goes there, as long
 * as the peer takes to read it. Half a second without any is the end (socat's -t).
 */
static int send_the_rest(struct relay *r)
{
    while (!r->up_done) {
        bool again = false;
        int failed = step_up(r, &again);
        if (failed)
            return failed;
        if (again || r->up_done)
            continue;
        struct pollfd polls[2], input = {.fd = STDIN_FILENO, .events = POLLIN};
        sleep_for(r, 0); /* which of the two is it that we wait for? */
        pump_polls(&r->up, polls);
        bool idle = pump_is_empty(&r->up) && poll(&input, 1, 0) == 0;
        int64_t until = clock_in(LINGER_MS * CLOCK_MS);
        while (idle && sleep_for(r, clock_left(until)) <= 0) /* --progress may cut a sleep short */
            if (!clock_left(until))
                return 0;
        if (!idle && polls[1].fd >= 0)
            failed = sleep_long(r);
        if (failed)
            return failed;
    }
    return 0;
}

static int converse(struct relay *r)
{
    int failed = 0;
    while (!r->down_done && !failed) {
        bool again = false;
        failed = r->up_done ? 0 : step_up(r, &again);
        if (!failed)
            failed = step_down(r, &again);
        if (again && r->options->is_server)
            sleep_for(r, 0);
        else if (!failed && !again && !r->down_done)
            failed = sleep_long(r);
    }
    if (!failed)
        failed = send_the_rest(r);
    if (!failed && r->up_error)
        failed = abort_connection(r, "send", NULL, r->up_error);
    return failed;
}

int client_relay(const struct msg *m, int fd, const struct client_options *c)
{
    struct relay r = {.msg = m, .fd = fd, .options = c};
    progress_start(&r.progress, m->applet, c->progress);
    sigs_heed_term();
    sigs_catch(SIGPIPE); /* the peer's EPIPE comes as an error, stdout's is told apart from it */
    if (fd_set_nonblock(fd, true) < 0)
        msg_die_sys(m, "fcntl", "connection");
    pump_init(&r.up, STDIN_FILENO, fd);
    pump_init(&r.down, fd, STDOUT_FILENO);
    int status = converse(&r);
    progress_end(&r.progress, r.up.moved, r.down.moved);
    pump_free(&r.up);
    pump_free(&r.down);
    fd_close(&fd);
    /* where a write is only promised (NFS), close says whether it was kept */
    if (!status && close(STDOUT_FILENO) < 0 && errno != EBADF) {
        status = msg_fatal(m, EXIT_SYSTEM, "close", "stdout", errno);
    }
    return status;
}
