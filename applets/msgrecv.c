/*
 * msgrecv - takes messages out of a System V message queue: to stdout, or to a program each.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/msg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/tick.h"
#include "process/sigs.h"
#include "sysv/delivery.h"
#include "sysv/sysv.h"

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
    X(JSON, 0, "json", NULL, "print each message as a JSON object: type and text")

enum msgrecv_option { MSGRECV_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGRECV_OPTIONS(OPT_ROW)};

enum { PARALLEL_MAX = 256 };

struct msgrecv {
    struct delivery d;
    bool follow, create, has_mode, null, raw, json, has_count;
    unsigned mode;
};

/* ---- to stdout ---- */

/*
 * All of it, with signals unblocked. 0, or -1 with errno: EINTR when a signal has come that ends us and the
 * write would have to wait.
 */
static int write_out(const char *bytes, size_t n)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (n) {
        ssize_t done = write(STDOUT_FILENO, bytes, n);
        if (done < 0 && errno == EAGAIN)
            done = poll(&out, 1, -1) < 0 ? -1 : 0;
        if (done < 0 && (errno != EINTR || sigs_ending_came()))
            return -1;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static int deliver_to_stdout(struct msgrecv *r, const struct message *m)
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
    if (write_out(line.mem, line.len) == 0)
        return EXIT_DONE;
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
    if (tick_begin() < 0)
        return msg_fatal(r->d.msg, EXIT_SYSTEM, "timer_create", NULL, errno);
    for (bool again = false; r->d.wanted && status == EXIT_DONE; r->d.wanted--, again = true) {
        r->d.deadline = clock_in(r->d.timeout);
        received = delivery_receive(&r->d, m, again);
        if (received < 0)
            break;
        status = deliver_to_stdout(r, m);
    }
    tick_end();
    return received < 0 ? delivery_end_without(&r->d) : status;
}

static int run(struct msgrecv *r)
{
    struct delivery *d = &r->d;
    if (delivery_begin(d) < 0)
        return msg_fatal(d->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    int status = d->has_prog ? delivery_to_programs(d) : print_messages(r);
    if (d->job.came)
        sigs_die(d->job.came);
    delivery_free(d);
    return status;
}

/* ---- the command line ---- */

static void take_type(struct msgrecv *r, const struct opts *o)
{
    uint64_t n;
    bool negative = *o->arg == '-';
    if (!num_u64(o->arg + negative, negative, LONG_MAX, &n))
        opts_wrong(o, "expected a type such as 7, -7, or 0 for any");
    r->d.type = negative ? -(long)n : (long)n;
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
        r->d.except = true;
        break;
    case OPT_TIMEOUT:
        r->d.timeout = opts_duration(o);
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
        r->d.tries = opts_num(o, 1, UINT64_MAX);
        break;
    case OPT_DEAD:
        r->d.dead_key.word = o->arg;
        break;
    case OPT_CONFLICT:
        r->d.conflict = opts_status(o);
        break;
    case OPT_KEEP_GOING:
        r->d.keep_going = true;
        break;
    case OPT_CREATE:
        r->create = true;
        break;
    case OPT_MODE:
        r->has_mode = true;
        r->mode = sysv_mode(o);
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
    }
}

static const struct cli cli = {
    .name = "msgrecv",
    .summary = "receive messages from a System V message queue",
    .usage = "[OPTION]... KEY [PROG [ARG]...]",
    .notes = "PROG reads the message's text on stdin and finds its type in $MSGTYPE.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

/* Usage errors, before anything is made or taken. */
static void check(const struct msgrecv *r)
{
    const struct msg *m = r->d.msg;
    if (r->has_mode && !r->create)
        msg_usage(m, "--mode requires --create");
    if (r->d.except && r->d.type <= 0)
        msg_usage(m, "--except requires a --type of 1 or more");
    if (r->null + r->raw + r->json > 1)
        msg_usage(m, "--null, --raw and --json cannot be combined");
    if (!r->d.has_prog && r->d.job.status_fd >= 0)
        msg_usage(m, "--status-fd requires PROG");
    if (!r->d.has_prog && r->d.keep_going)
        msg_usage(m, "--keep-going requires PROG");
    if (!r->d.has_prog && (r->d.parallel > 1 || r->d.tries > 1 || r->d.dead_key.word))
        msg_usage(m, "--parallel, --tries and --dead require PROG");
    if (r->d.parallel > 1 && !r->follow && !r->has_count)
        msg_usage(m, "--parallel requires --follow or --count");
    if (r->d.has_prog && (r->null || r->raw || r->json))
        msg_usage(m, "--null, --raw and --json cannot be combined with PROG");
}

/* The identifier of that queue, which is made if it may be; or -1, which has been reported. */
static int open_queue(const struct msgrecv *r, const struct sysv_key *key)
{
    int id = sysv_get(SYSV_MSG, key, 0, r->create ? IPC_CREAT | (int)r->mode : 0);
    if (id < 0)
        sysv_failed(r->d.msg, SYSV_MSG, r->create ? "create" : "find", key, errno);
    return id;
}

static int msgrecv_main(struct msg *m, int argc, char **argv)
{
    struct msgrecv r = {.mode = 0600,
        .d = {.msg = m,
            .dead = -1,
            .conflict = EXIT_NO,
            .timeout = CLOCK_NEVER,
            .wanted = 1,
            .tries = 1,
            .parallel = 1}};
    struct opts o;
    int row;
    job_init(&r.d.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&r, row, &o);
    argv += o.first;
    const enum sysv_use use = r.create ? SYSV_EITHER : SYSV_FINDS;
    sysv_key(&r.d.key, m, *argv, use);
    if (r.d.dead_key.word)
        sysv_key(&r.d.dead_key, m, r.d.dead_key.word, use);
    r.d.has_prog = argv[1] != NULL;
    if (r.follow && !r.has_count)
        r.d.wanted = UINT64_MAX;
    check(&r);
    if (r.d.has_prog) {
        job_alike(&r.d.job, argv + 1, r.d.parallel);
        int failed = job_find(&r.d.job);
        if (failed)
            return failed;
    }
    if ((r.d.id = open_queue(&r, &r.d.key)) < 0)
        return EXIT_SYSTEM;
    if (r.d.dead_key.word && (r.d.dead = open_queue(&r, &r.d.dead_key)) < 0)
        return EXIT_SYSTEM;
    if (r.d.dead == r.d.id)
        msg_usage(m, "--dead names the queue itself");
    return run(&r);
}

const struct applet applet_msgrecv = {.cli = &cli, .theme = THEME_SYSV, .main = msgrecv_main};
