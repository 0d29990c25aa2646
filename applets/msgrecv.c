/*
 * msgrecv - takes messages out of a System V message queue: to stdout, or to a program each.
 *
 * A message that msgrcv(2) has given us is in no queue any more: signals wait until it is delivered, and one
 * that can't be delivered goes back to the queue's end or, where that is full or gone, to stderr.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "base/num.h"
#include "process/sigs.h"
#include "base/speak.h"
#include "base/tick.h"
#include "sysv/sysv.h"

#define MSGRECV_OPTIONS(X)                                                                                   \
    JOB_ONE_OPTIONS(X)                                                                                       \
    X(TYPE, 'y', "type", "TYPE",                                                                             \
        "take a message of this type; -N: of the lowest type up to N; 0: of any type (0)")                   \
    X(EXCEPT, 'x', "except", NULL, "take a message of any type except TYPE")                                 \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: exit 1 if there is no message") \
    X(FOLLOW, 'f', "follow", NULL, "deliver one message after another, not just one")                        \
    X(COUNT, 'n', "count", "COUNT", "deliver COUNT messages (1)")                                            \
    X(KEEP_GOING, 0, "keep-going", NULL, "put a message back when PROG fails, and take another")             \
    X(CREATE, 0, "create", NULL, "create the queue if it does not exist")                                    \
    X(MODE, 'm', "mode", "MODE", "create the queue with this mode (0600)")                                   \
    X(NUL, '0', "null", NULL, "print a NUL after each message, not a newline")                               \
    X(RAW, 0, "raw", NULL, "print nothing after each message")                                               \
    X(JSON, 0, "json", NULL, "print each message as a JSON object: type and text")

enum msgrecv_option { MSGRECV_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGRECV_OPTIONS(OPT_ROW)};

enum { FIRST_ROOM = 8192, ESCAPED = 6 /* bytes that one may become */ };

/* --keep-going: between two attempts, doubled by each failure in a row */
static const int64_t pause_first = 100 * CLOCK_MS, pause_max = 30 * CLOCK_SECOND;

struct message {
    long type;
    char text[];
};

struct msgrecv {
    struct msg *msg;
    struct job job;
    struct sysv_key key;
    int id;
    long type;
    bool except, follow, create, has_mode, null, raw, json, has_prog, keep_going, has_count;
    int64_t timeout, deadline; /* for a message, and for the next one */
    uint64_t wanted;           /* messages still to deliver; with follow alone it is never 0 */
    uint64_t failures;         /* in a row */
    int64_t pause;             /* before the next message, 0: none */
    unsigned mode;
    struct message *message;
    size_t room, len; /* of its text */
    char *escaped;    /* room for that text, escaped in any way, and a little more */
    char type_text[40];
};

/* ---- receiving ---- */

/* Everything that a message needs is there before it is taken. 0, or -1 with ENOMEM. */
static int make_room(struct msgrecv *r, size_t room)
{
    struct message *message = realloc(r->message, sizeof *message + room);
    if (message)
        r->message = message;
    char *escaped = realloc(r->escaped, room * ESCAPED + 512);
    if (escaped)
        r->escaped = escaped;
    if (!message || !escaped)
        return -1;
    r->room = room;
    return 0;
}

/* Whether a signal has come that ends us, or stdout has no reader any more. */
static bool is_over(struct msgrecv *r)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (sigs_ending_came())
        return true;
    return !r->has_prog && poll(&out, 1, 0) > 0 && out.revents & (POLLERR | POLLHUP);
}

/* msgrcv(2), with more room as often as a message needs it; a message that is too long stays where it is. */
static int try_receive(struct msgrecv *r, int flags)
{
    for (;;) {
        ssize_t n = msgrcv(r->id, r->message, r->room, r->type, flags | (r->except ? MSG_EXCEPT : 0));
        if (n >= 0) {
            r->len = (size_t)n;
            return 0;
        }
        if (errno != E2BIG || make_room(r, r->room * 2) < 0)
            return -1;
    }
}

/*
 * With signals unblocked. 0, or -1 with errno: ENOMSG after the deadline; EINTR when it is over. A reader of
 * stdout that has just taken a message is checked again only when there is no other message for it.
 */
static int receive(struct msgrecv *r, bool has_read)
{
    if (has_read && !sigs_ending_came() && try_receive(r, IPC_NOWAIT) == 0)
        return 0;
    for (;;) {
        errno = EINTR;
        if (is_over(r))
            return -1;
        int done = try_receive(r, clock_left(r->deadline) ? 0 : IPC_NOWAIT);
        if (done == 0 || errno != EINTR)
            return done;
    }
}

/* ---- messages that can't be delivered ---- */

static void print_lost(const struct msgrecv *r, int err)
{
    struct buf line = {.mem = r->escaped, .size = r->room * ESCAPED + 512};
    buf_fmt(&line, "%s: put back ", r->msg->applet);
    buf_escaped(&line, r->key.word, strnlen(r->key.word, 64));
    buf_fmt(&line, ": %s: a message of type %ld: ", strerror(err), r->message->type);
    buf_escaped(&line, r->message->text, r->len);
    buf_char(&line, '\n');
    speak_to(STDERR_FILENO, line.mem, line.len, &(bool){false});
}

/* At the queue's end, without waiting; where that fails, it is printed on stderr. Whether it is in the queue.
 */
static bool put_back(const struct msgrecv *r)
{
    char mem[96];
    struct buf why = BUF(mem);
    if (msgsnd(r->id, r->message, r->len, IPC_NOWAIT) < 0) {
        print_lost(r, errno);
        return false;
    }
    buf_fmt(&why, "a message of type %ld is at the end of the queue again", r->message->type);
    if (r->pause)
        buf_fmt(&why, "; pausing for %lld.%lld s", (long long)(r->pause / CLOCK_SECOND),
            (long long)(r->pause % CLOCK_SECOND / (CLOCK_SECOND / 10)));
    msg_error_why(r->msg, "put back", r->key.word, buf_str(&why));
    return true;
}

/*
 * After a failure of PROG, or, without `for_good`, of what it needs. Puts the message back before the pause,
 * so that SIGKILL can't lose it. Whether msgrecv goes on.
 */
static bool goes_on_without(struct msgrecv *r, bool for_good)
{
    bool goes_on = r->keep_going && !for_good && !r->job.came;
    r->failures++;
    if (!goes_on || !r->timeout) /* -t 0 never waits: it tries each message once */
        r->pause = 0;
    else
        r->pause = r->pause ? clock_first(r->pause * 2, pause_max) : pause_first;
    return put_back(r) && goes_on;
}

/* Whether all messages that are in the queue have failed by now, as far as their number tells. */
static bool has_tried_all(const struct msgrecv *r)
{
    struct msqid_ds state = {0};
    return msgctl(r->id, IPC_STAT, &state) < 0 || r->failures >= state.msg_qnum;
}

/* Before the next message. 0, or -1 with ENOMSG: the deadline comes first, or there is no other message. */
static int rest(struct msgrecv *r)
{
    int64_t until = clock_first(clock_in(r->pause), r->deadline);
    while (r->pause && clock_left(until) && !r->job.came)
        job_sleep(&r->job, NULL, 0, clock_left(until));
    if (r->job.came)
        sigs_die(r->job.came);
    errno = ENOMSG;
    return (r->timeout ? clock_left(r->deadline) > 0 : !r->failures || !has_tried_all(r)) ? 0 : -1;
}

/* ---- delivering ---- */

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

static int delivered(struct msgrecv *r)
{
    r->failures = 0;
    r->pause = 0;
    if (!r->follow || r->has_count)
        r->wanted--;
    return EXIT_DONE;
}

static int deliver_to_stdout(struct msgrecv *r)
{
    struct buf line = {.mem = r->escaped, .size = r->room * ESCAPED + 512};
    if (r->json) {
        buf_fmt(&line, "{\"type\":%ld,\"text\":", r->message->type);
        buf_json(&line, r->message->text, r->len);
        buf_text(&line, "}\n");
    } else {
        buf_bytes(&line, r->message->text, r->len);
        if (!r->raw)
            buf_char(&line, r->null ? '\0' : '\n');
    }
    if (write_out(line.mem, line.len) == 0)
        return delivered(r);
    int err = errno;
    put_back(r);
    if (err == EINTR) { /* run dies of the signal */
        job_look(&r->job);
        return EXIT_SYSTEM;
    }
    return msg_fatal(r->msg, EXIT_SYSTEM, "write", "stdout", err);
}

/* A new file that holds the text, at offset 0; the caller closes it. -1 with errno. */
static int text_file(const struct msgrecv *r)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    if (fd >= 0 && fd_raise(&fd, STDERR_FILENO + 1) == 0 && fd_write_all(fd, r->message->text, r->len) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    fd_close(&fd);
    return -1;
}

/* A system call failed before PROG was started. */
static int not_begun(struct msgrecv *r, const char *what, int err)
{
    bool goes_on = goes_on_without(r, false);
    int status = msg_fatal(r->msg, EXIT_SYSTEM, what, NULL, err);
    return goes_on ? EXIT_DONE : status;
}

static int deliver_to_prog(struct msgrecv *r)
{
    struct job *j = &r->job;
    struct buf type = BUF(r->type_text);
    buf_fmt(&type, "MSGTYPE=%ld", r->message->type);
    buf_str(&type);
    if (env_put(job_env(j), r->type_text) < 0)
        return not_begun(r, "malloc", errno);
    int fd = text_file(r);
    if (fd < 0)
        return not_begun(r, "memfd_create", errno);
    struct spawn spawn = {.signals = SIGS_INHERITED, .fds = &fd, .nfds = 1};
    int done = job_start(j, 0, &spawn), err = errno;
    fd_close(&fd);
    if (done < 0) {
        bool goes_on = goes_on_without(r, false);
        int status = job_start_failed(j, 0, "fork", err);
        return goes_on ? EXIT_DONE : status;
    }
    while (j->running)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    if (job_status(j, 0) == EXIT_DONE)
        return delivered(r);
    if (j->start_failed)
        return goes_on_without(r, true) ? EXIT_DONE : job_status(j, 0);
    char mem[48];
    struct buf why = BUF(mem);
    buf_text(&why, "it ");
    job_describe_end(j, 0, &why);
    msg_error_why(r->msg, "run", *j->progs->argv, buf_str(&why));
    return goes_on_without(r, false) ? EXIT_DONE : job_end_alike(j, 0);
}

/* ---- all of it ---- */

/* The exit status when there is no message. */
static int end_without(const struct msgrecv *r)
{
    int err = errno, sig;
    if (err == EINTR) {
        sig = sigs_take_ending(NULL);
        sigs_die(sig ? sig : SIGPIPE); /* or our reader has gone */
    }
    if (err != ENOMSG)
        return sysv_failed(r->msg, SYSV_MSG, "receive from", &r->key, err);
    msg_error_why(r->msg, "receive from", r->key.word,
        r->timeout    ? "the deadline passed"
        : r->failures ? "PROG has failed on every message in the queue"
                      : "there is no message");
    return r->timeout ? EXIT_DEADLINE : EXIT_NO;
}

/* Receives one message; without PROG, prints as many as are wanted. 0, or -1 with errno; *status is
 * delivery's. */
static int take(struct msgrecv *r, int *status)
{
    bool again = false;
    do {
        r->deadline = again ? clock_in(r->timeout) : r->deadline;
        if (receive(r, again) < 0)
            return -1;
        *status = r->has_prog ? EXIT_DONE : deliver_to_stdout(r);
        again = true;
    } while (!r->has_prog && r->wanted && *status == EXIT_DONE);
    return 0;
}

static int run(struct msgrecv *r)
{
    int status = EXIT_DONE;
    job_begin(&r->job, false);
    sigs_claim_term();
    if (r->has_prog)
        job_env(&r->job); /* before there is a message to lose */
    if (make_room(r, FIRST_ROOM) < 0)
        return msg_fatal(r->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    while (r->wanted && status == EXIT_DONE) {
        r->deadline = clock_in(r->timeout);
        if (r->failures && rest(r) < 0)
            return end_without(r);
        if (tick_begin() < 0)
            return msg_fatal(r->msg, EXIT_SYSTEM, "timer_create", NULL, errno);
        int received = take(r, &status);
        tick_end();
        if (received < 0)
            return end_without(r);
        if (r->has_prog)
            status = deliver_to_prog(r);
        if (r->job.came)
            sigs_die(r->job.came);
    }
    return status;
}

static void take_type(struct msgrecv *r, const struct opts *o)
{
    uint64_t n;
    bool negative = *o->arg == '-';
    if (!num_u64(o->arg + negative, negative, LONG_MAX, &n))
        opts_wrong(o, "expected a type such as 7, -7, or 0 for any");
    r->type = negative ? -(long)n : (long)n;
}

static void take_option(struct msgrecv *r, int row, const struct opts *o)
{
    switch ((enum msgrecv_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&r->job, row, o);
        break;
    case OPT_TYPE:
        take_type(r, o);
        break;
    case OPT_EXCEPT:
        r->except = true;
        break;
    case OPT_TIMEOUT:
        r->timeout = opts_duration(o);
        break;
    case OPT_FOLLOW:
        r->follow = true;
        break;
    case OPT_COUNT:
        r->wanted = opts_num(o, 1, UINT64_MAX);
        r->has_count = true;
        break;
    case OPT_KEEP_GOING:
        r->keep_going = true;
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
    const struct msg *m = r->msg;
    if (r->has_mode && !r->create)
        msg_usage(m, "--mode requires --create");
    if (r->except && r->type <= 0)
        msg_usage(m, "--except requires a --type of 1 or more");
    if (r->null + r->raw + r->json > 1)
        msg_usage(m, "--null, --raw and --json cannot be combined");
    if (!r->has_prog && r->job.status_fd >= 0)
        msg_usage(m, "--status-fd requires PROG");
    if (!r->has_prog && r->keep_going)
        msg_usage(m, "--keep-going requires PROG");
    if (r->has_prog && (r->null || r->raw || r->json))
        msg_usage(m, "--null, --raw and --json cannot be combined with PROG");
}

static int msgrecv_main(struct msg *m, int argc, char **argv)
{
    struct msgrecv r = {.msg = m, .timeout = CLOCK_NEVER, .mode = 0600, .wanted = 1};
    struct opts o;
    int row;
    job_init(&r.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&r, row, &o);
    argv += o.first;
    sysv_key(&r.key, m, *argv, r.create ? SYSV_EITHER : SYSV_FINDS);
    r.has_prog = argv[1] != NULL;
    check(&r);
    if (r.has_prog) {
        job_single(&r.job, argv + 1);
        int failed = job_find(&r.job);
        if (failed)
            return failed;
    }
    r.id = sysv_get(SYSV_MSG, &r.key, 0, r.create ? IPC_CREAT | (int)r.mode : 0);
    if (r.id < 0)
        return sysv_failed(m, SYSV_MSG, r.create ? "create" : "find", &r.key, errno);
    int status = run(&r);
    free(r.message);
    free(r.escaped);
    return status;
}

const struct applet applet_msgrecv = {.cli = &cli, .theme = THEME_SYSV, .main = msgrecv_main};
