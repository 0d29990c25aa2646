/*
 * tcptime - asks many hosts for the time at once, over TCP (RFC 868).
 *
 * One process per host connects and reads, as lookups and connects wait in their own ways; it reports its
 * result in one write to a pipe that all of them share.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/addr_words.h"
#include "net/dial.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/reap.h"
#include "base/rfc868.h"
#include "process/sigs.h"
#include "process/spawn.h"
#include "net/timetell.h"
#include "process/worker.h"

#define TCPTIME_OPTIONS(X)                                                     \
    MSG_OPTIONS(X)                                                             \
    X(PORT, 'p', "port", "PORT", "connect to PORT (37)")                       \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME for each host (10)") \
    X(AT_ONCE, 'c', "concurrency", "N", "ask at most N hosts at a time (500)") \
    X(JSON, 0, "json", NULL, "print a JSON object per host")

enum tcptime_option { TCPTIME_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {TCPTIME_OPTIONS(OPT_ROW)};

enum { TIME_PORT = 37, SECONDS = 10, AT_ONCE = 500, NAME_WIDTH = 24, END_MS = 250 };

/* The result of one process: one atomic write. */
struct answer {
    size_t host;
    bool told;
    int64_t there, here;
    char why[256];
};

_Static_assert(sizeof(struct answer) <= PIPE_BUF, "an answer is one atomic write");

struct tcptime {
    struct msg *msg;
    struct timetell tell;
    uint16_t port;
    int64_t timeout;
    unsigned long at_once;
    char **names;
    bool *answered;
    pid_t *pids; /* by host; 0: not started, or exited */
    size_t n, next, running;
    int pipe[2];
};

/* The task of one process. */
struct errand {
    const struct tcptime *t;
    size_t host;
};

/* ---- the process of one host ---- */

static void set_why(struct answer *a, const char *why)
{
    struct buf b = BUF(a->why);
    buf_text(&b, why);
    buf_str(&b);
}

/* Reads until the end of the connection or one byte too many: the number of bytes, or -1 with errno. *when:
 * the Unix time at which the whole answer had arrived. */
static ssize_t read_octets(int fd, unsigned char *octets, size_t size, int64_t deadline, int64_t *when)
{
    size_t len = 0;
    while (len < size) {
        /* a server that has answered but does not close is not waited for */
        int64_t until = len >= RFC868_SIZE ? clock_first(deadline, clock_in(END_MS * CLOCK_MS)) : deadline;
        if (sigs_wait(fd, POLLIN, until) < 0) {
            if (errno == ETIMEDOUT && len >= RFC868_SIZE)
                break;
            return -1;
        }
        ssize_t n = fd_read(fd, octets + len, size - len);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len >= RFC868_SIZE && !*when)
            *when = time(NULL);
    }
    return (ssize_t)len;
}

static void ask(const struct errand *e, struct answer *a)
{
    const struct tcptime *t = e->t;
    struct addr peer;
    struct dial_failure failure;
    unsigned char octets[RFC868_SIZE + 1];
    char mem[96];
    struct buf why = BUF(mem);
    const struct dial d = {.host = t->names[e->host], .port = t->port, .deadline = clock_in(t->timeout)};
    int fd = dial_tcp(&d, &peer, &failure);
    if (fd < 0) {
        set_why(a, failure.why);
        return;
    }
    ssize_t n = read_octets(fd, octets, sizeof octets, d.deadline, &a->here);
    if (n < 0 && errno == ETIMEDOUT) {
        set_why(a, "no answer in time");
    } else if (n < 0) {
        set_why(a, strerror(errno));
    } else if (n != RFC868_SIZE) {
        buf_fmt(&why, "the answer is too %s", n < RFC868_SIZE ? "short" : "long");
        if (n < RFC868_SIZE)
            buf_fmt(&why, ": %zd of %d octets", n, RFC868_SIZE);
        set_why(a, buf_str(&why));
    } else {
        a->there = rfc868_read(octets, a->here);
        a->told = true;
    }
}

static int run_errand(void *arg)
{
    const struct errand *e = arg;
    struct answer a = {.host = e->host};
    ask(e, &a);
    return fd_write_all(e->t->pipe[1], &a, sizeof a) < 0 ? EXIT_SYSTEM : EXIT_DONE;
}

/* ---- all of them ---- */

static void report(struct tcptime *t, const struct answer *a)
{
    const char *name = t->names[a->host];
    t->answered[a->host] = true;
    if (a->told)
        timetell_time(&t->tell, name, a->there, a->here);
    else
        timetell_silent(&t->tell, name, a->why);
}

/* Starts processes up to the limit. In a shortage, waits for one to exit. */
static void start(struct tcptime *t)
{
    while (t->next < t->n && t->running < t->at_once) {
        struct errand e = {.t = t, .host = t->next};
        pid_t pid = worker_start(run_errand, &e, true);
        if (pid < 0 && t->running)
            return;
        if (pid < 0) {
            struct answer a = {.host = t->next};
            set_why(&a, strerror(errno));
            report(t, &a);
        } else {
            t->pids[t->next] = pid;
            t->running++;
        }
        t->next++;
    }
}

static void take_answers(struct tcptime *t)
{
    struct answer a;
    while (fd_read(t->pipe[0], &a, sizeof a) == (ssize_t)sizeof a)
        report(t, &a);
}

/* A process that has exited without a result was killed. */
static void take_ends(struct tcptime *t)
{
    int status;
    pid_t pid;
    sigs_take(SIGCHLD);
    while ((pid = reap_next(&status, false)) > 0) {
        take_answers(t);
        for (size_t i = 0; i < t->next; i++) {
            if (t->pids[i] != pid)
                continue;
            struct answer a = {.host = i, .why = "the process that asked this host was killed"};
            if (!t->answered[i])
                report(t, &a);
            t->pids[i] = 0;
            t->running--;
            break;
        }
    }
}

static int run(struct tcptime *t)
{
    t->answered = calloc(t->n, sizeof *t->answered);
    t->pids = calloc(t->n, sizeof *t->pids);
    if (!t->answered || !t->pids)
        msg_die_sys(t->msg, "malloc", NULL);
    if (pipe2(t->pipe, O_CLOEXEC) < 0 || fd_set_nonblock(t->pipe[0], true) < 0)
        msg_die_sys(t->msg, "pipe", NULL);
    sigs_heed_term();
    sigs_catch(SIGCHLD);
    do {
        start(t);
        struct pollfd in = {.fd = t->pipe[0], .events = POLLIN};
        if (t->running)
            sigs_sleep_or_die(t->msg, &in, 1, CLOCK_NEVER);
        take_answers(t);
        take_ends(t);
    } while (t->running || t->next < t->n);
    free(t->answered);
    free(t->pids);
    return t->tell.silent ? EXIT_NO : EXIT_DONE;
}

/* ---- the command line ---- */

static const struct cli cli = {
    .name = "tcptime",
    .summary = "ask many hosts for the time at once, over TCP",
    .usage = "[OPTION]... HOST...",
    .notes = "Prints HOST, the seconds by which its clock is ahead, and its date. Exits 1 unless\n"
             "all hosts have answered.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int tcptime_main(struct msg *m, int argc, char **argv)
{
    struct tcptime t = {.msg = m,
        .tell = {.msg = m, .width = NAME_WIDTH},
        .port = TIME_PORT,
        .at_once = AT_ONCE,
        .timeout = SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum tcptime_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_PORT:
            t.port = addr_port_option(&o);
            break;
        case OPT_TIMEOUT:
            t.timeout = opts_duration(&o);
            break;
        case OPT_AT_ONCE:
            t.at_once = opts_num(&o, 1, 100000);
            break;
        case OPT_JSON:
            t.tell.json = true;
            break;
        }
    }
    t.names = argv + o.first;
    t.n = (size_t)(argc - o.first);
    timetell_check(m, t.names);
    return run(&t);
}

const struct applet applet_tcptime = {.cli = &cli, .theme = THEME_TIME, .main = tcptime_main};
