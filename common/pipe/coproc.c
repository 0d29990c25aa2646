/*
 * coproc.c - options, channels, starting, and what the end means; see coproc.h.
 */
#include "pipe/coproc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pipe/pty.h"

enum { SERVER, CLIENT };
enum { FROM_SERVER = 6, TO_SERVER, SERVERS_STDERR, CLIENT_FDS }; /* CLIENT's fds (UCSPI) */
enum { TIMEOUT_SECONDS = 60, GRACE_SECONDS = 10, KILL_SECONDS = 2, UNTIL_MAX = 4096, LINES_MAX = 1000000000 };

/* Both sides of what joins SERVER with the world. */
struct channels {
    int server[3], other[3]; /* stdin, stdout, stderr; -1: none */
};

void coproc_init(struct coproc *c, struct msg *m)
{
    *c = (struct coproc){.lines = 1,
        .timeout = TIMEOUT_SECONDS * CLOCK_SECOND,
        .grace = GRACE_SECONDS * CLOCK_SECOND,
        .to_server = -1,
        .from_server = -1,
        .from_stderr = -1,
        .source = STDIN_FILENO,
        .sink = STDOUT_FILENO};
    job_init(&c->job, m);
}

static void take_pty(struct coproc *c, const struct opts *o)
{
    c->pty = opts_choice(o) == 0 ? PTY_OUT : PTY_BOTH;
}

static void take_until(struct coproc *c, const struct opts *o)
{
    size_t n = strlen(o->arg);
    if (!n || n > UNTIL_MAX)
        opts_wrong(o, "expected a text of 1 to 4096 bytes");
    c->until = o->arg;
}

void coproc_option(struct coproc *c, int row, const struct opts *o)
{
    enum coproc_row { COPROC_OPTIONS(OPT_ENUM) };
    c->for_answers = c->for_answers || (row >= OPT_LINES && row <= OPT_TIMEOUT);
    switch ((enum coproc_row)row) {
        JOB_OPTIONS(OPT_CASE)
        job_option(&c->job, row, o);
        break;
    case OPT_PTY:
        take_pty(c, o);
        break;
    case OPT_SOCKETPAIR:
        c->socketpair = true;
        break;
    case OPT_CROSS:
        c->cross = true;
        break;
    case OPT_LOCK_STEP:
        c->lock_step = true;
        break;
    case OPT_LINES:
        c->lines = opts_num(o, 1, LINES_MAX);
        c->until = NULL;
        break;
    case OPT_UNTIL:
        take_until(c, o);
        break;
    case OPT_END:
        c->end_is_error = opts_choice(o) == 1;
        break;
    case OPT_GREETING:
        c->greeting = true;
        break;
    case OPT_TIMEOUT:
        c->timeout = opts_duration(o);
        break;
    case OPT_GRACE:
        c->grace = opts_duration(o);
        break;
    }
}

/* What the options, taken together, or with that many programs, can't mean. */
static void check(const struct coproc *c)
{
    const struct msg *m = c->job.msg;
    bool one = c->job.n == 1;
    if (c->pty && c->socketpair)
        msg_usage(m, "--pty and --socketpair cannot be combined");
    if (!one && (c->lock_step || c->for_answers))
        msg_usage(
            m, "--lock-step and its options take one program, without '%s' and CLIENT", c->job.separator);
    if (!c->lock_step && c->for_answers)
        msg_usage(m, "--lines, --until, --end, --greeting and --timeout need --lock-step");
    if (!one && c->tag)
        msg_usage(m, "--tag takes one program, without '%s' and CLIENT", c->job.separator);
    if (c->tag && c->lock_step)
        msg_usage(m, "--tag and --lock-step cannot be combined");
    if (one && c->cross)
        msg_usage(m, "--cross needs two programs, SERVER %s CLIENT", c->job.separator);
}

/* ---- channels ---- */

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(&fds[i]);
}

/* Out of the way of what programs are promised. */
static int raise_pair(int *a, int *b)
{
    return fd_raise(a, CLIENT_FDS) < 0 ? -1 : fd_raise(b, CLIENT_FDS);
}

/* One way: a pipe, or a socketpair that is shut the other way, so that its reader sees the writer's close. */
static int make_way(int *reader, int *writer, bool socket)
{
    int fds[2];
    if ((socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC)) < 0)
        return -1;
    if (socket)
        shutdown(fds[0], SHUT_WR);
    *reader = fds[0];
    *writer = fds[1];
    return raise_pair(reader, writer);
}

static int make_pipe(int *reader, int *writer)
{
    return make_way(reader, writer, false);
}

/* One description on both sides, for stdin and stdout; each side has two fds, to be closed one by one. */
static int share(struct channels *ch, int server, int other)
{
    ch->server[STDIN_FILENO] = server;
    ch->other[STDIN_FILENO] = other;
    if (raise_pair(&ch->server[STDIN_FILENO], &ch->other[STDIN_FILENO]) < 0)
        return -1;
    ch->server[STDOUT_FILENO] = fd_dup(ch->server[STDIN_FILENO], CLIENT_FDS);
    ch->other[STDOUT_FILENO] = fd_dup(ch->other[STDIN_FILENO], CLIENT_FDS);
    return ch->server[STDOUT_FILENO] < 0 || ch->other[STDOUT_FILENO] < 0 ? -1 : 0;
}

static int join_by_terminal(struct channels *ch)
{
    int master, slave;
    if (pty_open(&master, &slave, true) < 0)
        return -1;
    return share(ch, slave, master);
}

/* 0, or -1 with errno and *failed. */
static int make_channels(const struct coproc *c, struct channels *ch, const char **failed)
{
    int *s = ch->server, *o = ch->other;
    *failed = "pipe";
    if (c->with_stderr && make_pipe(&o[2], &s[2]) < 0)
        return -1;
    if (c->socketpair)
        *failed = "socketpair";
    if (c->pty == PTY_NONE)
        return make_way(&s[0], &o[0], c->socketpair) < 0 ? -1 : make_way(&o[1], &s[1], c->socketpair);
    *failed = "open a terminal";
    if (c->pty == PTY_BOTH)
        return join_by_terminal(ch);
    if (pty_open(&o[1], &s[1], false) < 0 || raise_pair(&o[1], &s[1]) < 0)
        return -1;
    *failed = "pipe";
    return make_pipe(&s[0], &o[0]);
}

/*
 * CLIENT's ends are SERVER's others, but a terminal's: its hang-up must reach CLIENT as the end of a pipe
 * that we write. What we relay stays in c.
 */
static int make_client_ends(struct coproc *c, struct channels *ch, int ends[3])
{
    memcpy(ends, ch->other, 3 * sizeof *ends);
    for (int i = 0; i < 3; i++)
        ch->other[i] = -1;
    if (c->pty == PTY_NONE)
        return 0;
    c->from_server = ends[1];
    ends[1] = -1;
    if (make_pipe(&ends[1], &c->sink) < 0)
        return -1;
    if (c->pty == PTY_OUT)
        return 0;
    c->to_server = ends[0];
    ends[0] = -1;
    return make_pipe(&c->source, &ends[0]);
}

/* ---- running ---- */

static int start_server(struct coproc *c, struct channels *ch)
{
    struct spawn spawn = {.fds = ch->server,
        .nfds = 3,
        .signals = SIGS_PIPELINE,
        .place = c->pty == PTY_BOTH ? SPAWN_TERMINAL : SPAWN_HERE};
    int done = job_start(&c->job, SERVER, &spawn), err = errno;
    close_all(ch->server, 3);
    return done < 0 ? job_start_failed(&c->job, SERVER, "fork", err) : 0;
}

static int start_client(struct coproc *c, int ends[3])
{
    int fds[CLIENT_FDS];
    for (int i = 0; i < CLIENT_FDS; i++)
        fds[i] = -1;
    fds[c->cross ? STDIN_FILENO : FROM_SERVER] = ends[1];
    fds[c->cross ? STDOUT_FILENO : TO_SERVER] = ends[0];
    fds[SERVERS_STDERR] = ends[2];
    struct spawn spawn = {.fds = fds, .nfds = CLIENT_FDS, .signals = SIGS_PIPELINE};
    int done = job_start(&c->job, CLIENT, &spawn), err = errno;
    close_all(ends, 3);
    return done < 0 ? job_start_failed(&c->job, CLIENT, "fork", err) : 0;
}

/* What we relay stays, if we do. */
static void let_go(const struct coproc *c)
{
    const int own[] = {c->to_server, c->from_server, c->from_stderr, c->source, c->sink};
    job_let_go(&c->job, own, sizeof own / sizeof *own);
}

/* Waits for both without having a hand in what they say. */
static void wait_for_both(struct coproc *c)
{
    struct prog *client = &c->job.progs[CLIENT];
    while (!client->ended)
        job_sleep(&c->job, NULL, 0, CLOCK_NEVER);
    int64_t deadline = clock_in(c->grace);
    while (c->job.running && clock_left(deadline))
        job_sleep(&c->job, NULL, 0, clock_left(deadline));
}

static int run_two(struct coproc *c, struct channels *ch)
{
    int ends[3] = {-1, -1, -1};
    c->source = c->sink = -1;
    if (make_client_ends(c, ch, ends) < 0)
        return msg_fatal(c->job.msg, EXIT_SYSTEM, "pipe", NULL, errno);
    int failed = start_server(c, ch);
    if (!failed)
        failed = start_client(c, ends);
    if (!failed)
        let_go(c);
    if (!failed && c->pty)
        failed = coproc_relay(c);
    else if (!failed)
        wait_for_both(c);
    return failed;
}

static int run_one(struct coproc *c, struct channels *ch)
{
    int failed = start_server(c, ch);
    c->to_server = ch->other[0];
    c->from_server = ch->other[1];
    c->from_stderr = ch->other[2];
    if (failed)
        return failed;
    let_go(c);
    return coproc_relay(c);
}

/* What the ends of the programs come to; CLIENT's counts first. */
static int end_status(const struct coproc *c)
{
    bool one = c->job.n == 1;
    int status = one ? 0 : job_status(&c->job, CLIENT);
    if (status)
        return status;
    if (c->job.progs[SERVER].timed_out)
        return msg_fatal_why(
            c->job.msg, EXIT_DEADLINE, "end", *c->job.progs[SERVER].argv, "it did not exit by itself");
    status = job_status(&c->job, SERVER);
    /* CLIENT had heard enough, and a terminal that is gone is a hang-up; a shell exits with 128+N for it */
    if ((!one && status == EXIT_SIGNAL + SIGPIPE) ||
        (c->pty == PTY_BOTH && (!one || c->hung_up) && status == EXIT_SIGNAL + SIGHUP))
        return 0;
    return one ? job_end_alike(&c->job, SERVER) : status;
}

int coproc_run(struct coproc *c, char **words)
{
    struct channels ch = {{-1, -1, -1}, {-1, -1, -1}};
    const char *why;
    job_split(&c->job, words, 2);
    check(c);
    int failed = job_find(&c->job);
    if (failed)
        return failed;
    job_begin(&c->job, false);
    if (make_channels(c, &ch, &why) < 0)
        return msg_fatal(c->job.msg, EXIT_SYSTEM, why, NULL, errno);
    failed = c->job.n == 1 ? run_one(c, &ch) : run_two(c, &ch);
    int left = c->job.running ? job_end(&c->job, SIGTERM, KILL_SECONDS * CLOCK_SECOND) : 0;
    if (left)
        return left;
    return failed ? failed : end_status(c);
}
