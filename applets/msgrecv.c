/*
 * msgrecv - takes messages out of a queue: to stdout, or to a program each.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/tick.h"
#include "process/sigs.h"
#include "ipc/delivery.h"

#define MSGRECV_OPTIONS(X)                                                                                   \
    JOB_ONE_OPTIONS(X)                                                                                       \
    X(TYPE, 'y', "type", "TYPE",                                                                             \
        "take a message of this type; -N: of the lowest type up to N; 0: of any type (0)")                   \
    X(EXCEPT, 'x', "except", NULL, "take a message of any type except TYPE")                                 \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: exit 1 if there is no message") \
    X(FOLLOW, 'f', "follow", NULL, "deliver one message after another, not just one")                        \
    X(COUNT, 'n', "count", "COUNT", "deliver COUNT messages (1)")                                            \
    X(PARALLEL, 0, "parallel", "N", "run up to N programs at a time, with a message each (1)")               \
    X(TRIES, 0, "tries", "N", "run PROG up to N times on a message until it succeeds (1)")                   \
    X(DEAD, 0, "dead", "KEY", "then send the message to this queue, and take another")                       \
    X(KEEP_GOING, 0, "keep-going", NULL, "put a message back when PROG fails, and take another")             \
    CONFLICT_OPTIONS(X)                                                                                      \
    X(CREATE, 0, "create", NULL, "create the queue if it does not exist")                                    \
    X(MODE, 'm', "mode", "MODE", "create the queue with this mode (0600)")                                   \
    X(NUL, '0', "null", NULL, "print a NUL after each message, not a newline")                               \
    X(RAW, 0, "raw", NULL, "print nothing after each message")                                               \
    X(JSON, 0, "json", NULL, "print each message as a JSON object: type and text")                           \
    QUEUE_CLAIM_OPTIONS(X)

enum msgrecv_option { MSGRECV_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGRECV_OPTIONS(OPT_ROW)};

enum { PARALLEL_MAX = 256 };

struct msgrecv {
    struct delivery d;
    bool follow, null, raw, json, has_count;
};

/* ---- to stdout ---- */

/*
 * All of it, while the message stays ours. 0, or -1 with errno: EINTR when a signal has come that ends us
 * and the write would have to wait.
 */
static int write_out(struct msgrecv *r, struct message *m, const char *bytes, size_t n)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (n) {
        ssize_t done = write(STDOUT_FILENO, bytes, n);
        if (done < 0 && errno == EAGAIN)
            done = poll(&out, 1, -1) < 0 ? -1 : 0;
        if (done < 0 && (errno != EINTR || r->d.job.came || sigs_ending_came()))
            return -1;
        if (done <= 0 || (size_t)done < n)
            delivery_hold(&r->d, m);
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* write_out, under a tick. */
static int write_message(struct msgrecv *r, struct message *m, const struct buf *line)
{
    if (tick_begin() < 0)
        return -1;
    int done = write_out(r, m, line->mem, line->len), err = errno;
    tick_end();
    errno = err;
    return done;
}

static int deliver_to_stdout(struct msgrecv *r, struct message *m)
{
    struct buf line = message_line(m);
    if (r->json) {
        buf_fmt(&line, "{\"type\":%ld,\"text\":", m->m->type);
        buf_json(&line, m->m->text, m->len);
        buf_text(&line, "}\n");
    } else {
        buf_bytes(&line, m->m->text, m->len);
        if (!r->raw)
            buf_char(&line, r->null ? '\0' : '\n');
    }
    if (write_message(r, m, &line) == 0)
        return delivery_done(&r->d, m);
    int err = errno;
    delivery_put_back(&r->d, m);
    if (err == EINTR) { /* run dies of the signal */
        job_look(&r->d.job);
        return EXIT_SYSTEM;
    }
    return msg_fatal(r->d.msg, EXIT_SYSTEM, "write", "stdout", err);
}

static int print_messages(struct msgrecv *r)
{
    struct message *m = delivery_message(&r->d);
    int status = EXIT_DONE, received = 0;
    const bool ticks = !r->d.queue.kind->is_stream;
    if (ticks && tick_begin() < 0)
        return msg_fatal(r->d.msg, EXIT_SYSTEM, "timer_create", NULL, errno);
    for (bool again = false; r->d.wanted && status == EXIT_DONE; r->d.wanted--, again = true) {
        r->d.queue.deadline = clock_in(r->d.queue.timeout);
        received = delivery_receive(&r->d, m, again);
        if (received < 0)
            break;
        status = deliver_to_stdout(r, m);
    }
    if (ticks)
        tick_end();
    return received < 0 ? delivery_end_without(&r->d) : status;
}

static int run(struct msgrecv *r)
{
    struct delivery *d = &r->d;
    int status = delivery_begin(d);
    if (status == EXIT_DONE)
        status = d->has_prog ? delivery_to_programs(d) : print_messages(r);
    delivery_end(d);
    if (d->job.came)
        sigs_die(d->job.came);
    return status;
}

/* ---- the command line ---- */

static void take_type(struct msgrecv *r, const struct opts *o)
{
    uint64_t n;
    bool negative = *o->arg == '-';
    if (!num_u64(o->arg + negative, negative, LONG_MAX, &n))
        opts_wrong(o, "expected a type such as 7, -7, or 0 for any");
    r->d.queue.has_type = true;
    r->d.queue.type = negative ? -(long)n : (long)n;
}

static void take_option(struct msgrecv *r, int row, const struct opts *o)
{
    switch ((enum msgrecv_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&r->d.job, row, o);
        break;
    case OPT_TYPE:
        take_type(r, o);
        break;
    case OPT_EXCEPT:
        r->d.queue.except = true;
        break;
    case OPT_TIMEOUT:
        r->d.queue.timeout = opts_duration(o);
        break;
    case OPT_FOLLOW:
        r->follow = true;
        break;
    case OPT_COUNT:
        r->d.wanted = opts_num(o, 1, UINT64_MAX);
        r->has_count = true;
        break;
    case OPT_PARALLEL:
        r->d.parallel = opts_num(o, 1, PARALLEL_MAX);
        break;
    case OPT_TRIES:
        r->d.queue.tries = opts_num(o, 1, UINT64_MAX);
        break;
    case OPT_DEAD:
        r->d.queue.dead_word = o->arg;
        break;
    case OPT_CONFLICT:
        r->d.conflict = opts_status(o);
        break;
    case OPT_KEEP_GOING:
        r->d.keep_going = true;
        break;
    case OPT_CREATE:
        r->d.queue.create = true;
        break;
    case OPT_MODE:
        r->d.queue.has_mode = true;
        r->d.queue.mode = sysv_mode(o);
        break;
    case OPT_NUL:
        r->null = true;
        break;
    case OPT_RAW:
        r->raw = true;
        break;
    case OPT_JSON:
        r->json = true;
        break;
        QUEUE_CLAIM_OPTIONS(OPT_CASE)
        queue_claim_option(&r->d.queue, row - OPT_LEASE, o);
        break;
    }
}

static const struct cli cli = {
    .name = "msgrecv",
    .summary = "receive messages from a System V or Redis queue",
    .usage = "[OPTION]... KEY [PROG [ARG]...]",
    .notes =
        "PROG reads the message's text on stdin and finds its type in $MSGTYPE. KEY can be redis:NAME, a "
        "stream on a Redis server.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

/* Usage errors, before anything is made or taken. */
static void check(const struct msgrecv *r)
{
    const struct msg *m = r->d.msg;
    const struct queue *q = &r->d.queue;
    if (q->has_mode && !q->create)
        msg_usage(m, "--mode requires --create");
    if (r->null + r->raw + r->json > 1)
        msg_usage(m, "--null, --raw and --json cannot be combined");
    if (!r->d.has_prog && r->d.job.status_fd >= 0)
        msg_usage(m, "--status-fd requires PROG");
    if (!r->d.has_prog && r->d.keep_going)
        msg_usage(m, "--keep-going requires PROG");
    if (!r->d.has_prog && (r->d.parallel > 1 || q->tries > 1 || q->dead_word))
        msg_usage(m, "--parallel, --tries and --dead require PROG");
    if (q->at_most_once && (q->tries || q->dead_word))
        msg_usage(m, "--at-most-once cannot be combined with --tries and --dead");
    if (r->d.parallel > 1 && !r->follow && !r->has_count)
        msg_usage(m, "--parallel requires --follow or --count");
    if (r->d.has_prog && (r->null || r->raw || r->json))
        msg_usage(m, "--null, --raw and --json cannot be combined with PROG");
}

/* How often a message is tried, and what that requires. */
static void set_tries(struct queue *q)
{
    if (!q->tries && (q->dead_word || !q->kind->is_stream))
        q->tries = 1;
    if (!q->kind->is_stream && q->except && q->type <= 0)
        msg_usage(q->msg, "--except requires a --type of 1 or more");
}

static int msgrecv_main(struct msg *m, int argc, char **argv)
{
    struct msgrecv r = {.d = {.msg = m,
                            .queue = {.msg = m, .timeout = CLOCK_NEVER},
                            .conflict = EXIT_NO,
                            .wanted = 1,
                            .parallel = 1}};
    struct opts o;
    int row;
    job_init(&r.d.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&r, row, &o);
    argv += o.first;
    struct queue *q = &r.d.queue;
    q->word = *argv;
    queue_find(q, q->create ? SYSV_EITHER : SYSV_FINDS);
    r.d.has_prog = argv[1] != NULL;
    if (r.follow && !r.has_count)
        r.d.wanted = UINT64_MAX;
    check(&r);
    set_tries(q);
    if (r.d.has_prog) {
        job_alike(&r.d.job, argv + 1, r.d.parallel);
        int failed = job_find(&r.d.job);
        if (failed)
            return failed;
    }
    int failed = q->kind->open(q);
    return failed ? failed : run(&r);
}

const struct applet applet_msgrecv = {.cli = &cli, .theme = THEME_SYSV, .main = msgrecv_main};
