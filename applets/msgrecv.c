/*
 * msgrecv - takes messages out of a System V message queue: to stdout, or to a program each.
 *
 * A message that msgrcv(2) has given us is in no queue any more: signals wait until it is delivered, and one
 * that can't be delivered goes back to the queue's end or, where that is full or gone, to stderr.
 */
#include "applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "job.h"
#include "num.h"
#include "sigs.h"
#include "speak.h"
#include "tick.h"
#include "sysv.h"

#define MSGRECV_OPTIONS(X)                                                                        \
    JOB_ONE_OPTIONS(X)                                                                            \
    X(TYPE, 'y', "type", "TYPE", "this type; -N: the lowest up to N; 0: any (0)")                 \
    X(EXCEPT, 'x', "except", NULL, "any type but TYPE")                                           \
    X(TIMEOUT, 't', "timeout", "TIME", "wait for a message for TIME at most (124); 0: don't (1)") \
    X(FOLLOW, 'f', "follow", NULL, "one message after the other, not only one")                   \
    X(CREATE, 0, "create", NULL, "make the queue if there is none")                               \
    X(MODE, 'm', "mode", "MODE", "its mode if it is made (0600)")                                 \
    X(NUL, '0', "null", NULL, "end a message with a NUL, not with a newline")                     \
    X(RAW, 0, "raw", NULL, "end it with nothing")                                                 \
    X(JSON, 0, "json", NULL, "print a JSON object a message: type and text")

enum msgrecv_option { MSGRECV_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGRECV_OPTIONS(OPT_ROW)};

enum { FIRST_ROOM = 8192, ESCAPED = 6 /* bytes that one may become */ };

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
    bool except, follow, create, has_mode, null, raw, json, has_prog;
    int64_t timeout;
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

/* Whether a signal has come that ends us, or nobody can read any more what we have to say. */
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
 * With signals let in. 0, or -1 with errno: ENOMSG after the deadline; EINTR when it is over. Of who has just
 * read something it is not asked whether he still does, unless there is nothing for him.
 */
static int receive(struct msgrecv *r, bool has_read)
{
    int64_t deadline = clock_in(r->timeout);
    if (has_read && !sigs_ending_came() && try_receive(r, IPC_NOWAIT) == 0)
        return 0;
    for (;;) {
        errno = EINTR;
        if (is_over(r))
            return -1;
        int done = try_receive(r, clock_left(deadline) ? 0 : IPC_NOWAIT);
        if (done == 0 || errno != EINTR)
            return done;
    }
}

/* ---- what can't be delivered ---- */

static void print_lost(const struct msgrecv *r, int err)
{
    struct buf line = {.mem = r->escaped, .size = r->room * ESCAPED + 512};
    buf_fmt(&line, "%s: put back ", r->msg->applet);
    buf_escaped(&line, r->key.word, strnlen(r->key.word, 64));
    buf_fmt(&line, ": %s: a message of type %ld: ", strerror(err), r->message->type);
    buf_escaped(&line, r->message->text, r->len);
    buf_char(&line, '\n');
    speak_to(STDERR_FILENO, line.mem, line.len);
}

/* At the queue's end, without waiting; where that can't be, it is on stderr. */
static void put_back(const struct msgrecv *r)
{
    char mem[64];
    struct buf why = BUF(mem);
    if (msgsnd(r->id, r->message, r->len, IPC_NOWAIT) < 0) {
        print_lost(r, errno);
        return;
    }
    buf_fmt(&why, "a message of type %ld is at its end again", r->message->type);
    msg_error_why(r->msg, "put back", r->key.word, buf_str(&why));
}

/* ---- delivering ---- */

/*
 * All of it, with signals let in. 0, or -1 with errno: EINTR when a signal has come that ends us and it would
 * have to wait.
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
        return EXIT_DONE;
    int err = errno;
    put_back(r);
    if (err == EINTR) { /* run dies of the signal */
        job_look(&r->job);
        return EXIT_SYSTEM;
    }
    return msg_fatal(r->msg, EXIT_SYSTEM, "write", "stdout", err);
}

/* A file that holds the text, at its beginning; to close. -1 with errno. */
static int text_file(const struct msgrecv *r)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    if (fd >= 0 && fd_raise(&fd, STDERR_FILENO + 1) == 0 && fd_write_all(fd, r->message->text, r->len) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    fd_close(&fd);
    return -1;
}

/* What begin_prog could not do. */
static int not_begun(struct msgrecv *r, const char *what, int err)
{
    put_back(r);
    return msg_fatal(r->msg, EXIT_SYSTEM, what, NULL, err);
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
        put_back(r);
        return job_start_failed(j, 0, "fork", err);
    }
    while (j->running)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    if (job_status(j, 0) == EXIT_DONE)
        return EXIT_DONE;
    if (j->start_failed) {
        put_back(r);
        return job_status(j, 0);
    }
    char mem[48];
    struct buf why = BUF(mem);
    buf_text(&why, "it ");
    job_describe_end(j, 0, &why);
    msg_error_why(r->msg, "run", *j->progs->argv, buf_str(&why));
    put_back(r);
    return job_end_alike(j, 0);
}

/* ---- all of it ---- */

/* How it ends when there is no message. */
static int end_without(const struct msgrecv *r)
{
    int err = errno, sig;
    if (err == EINTR) {
        sig = sigs_take_ending(NULL);
        sigs_die(sig ? sig : SIGPIPE); /* or our reader has gone */
    }
    if (err != ENOMSG)
        return sysv_failed(r->msg, SYSV_MSG, "receive from", &r->key, err);
    if (r->timeout)
        return msg_fatal_why(r->msg, EXIT_DEADLINE, "receive from", r->key.word, "the deadline passed");
    msg_error_why(r->msg, "receive from", r->key.word, "there is no message");
    return EXIT_NO;
}

static int run(struct msgrecv *r)
{
    int status;
    job_begin(&r->job, false);
    if (r->has_prog)
        job_env(&r->job); /* before there is a message to lose */
    if (make_room(r, FIRST_ROOM) < 0)
        return msg_fatal(r->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    do {
        if (tick_begin() < 0)
            return msg_fatal(r->msg, EXIT_SYSTEM, "timer_create", NULL, errno);
        int received;
        bool again = false;
        do {
            received = receive(r, again);
            status = received == 0 && !r->has_prog ? deliver_to_stdout(r) : EXIT_DONE;
            again = true;
        } while (received == 0 && r->follow && !r->has_prog && status == EXIT_DONE);
        tick_end();
        if (received < 0)
            return end_without(r);
        if (r->has_prog)
            status = deliver_to_prog(r);
        if (r->job.came)
            sigs_die(r->job.came);
    } while (r->follow && status == EXIT_DONE);
    return status;
}

static void take_type(struct msgrecv *r, const struct opts *o)
{
    uint64_t n;
    bool negative = *o->arg == '-';
    if (!num_u64(o->arg + negative, negative, LONG_MAX, &n))
        opts_wrong(o, "want a type such as 7, -7, or 0 for any");
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
    .notes = "PROG gets a message's text on stdin, and its type as $MSGTYPE.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int msgrecv_main(struct msg *m, int argc, char **argv)
{
    struct msgrecv r = {.msg = m, .timeout = CLOCK_NEVER, .mode = 0600};
    struct opts o;
    int row;
    job_init(&r.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&r, row, &o);
    argv += o.first;
    sysv_key(&r.key, m, *argv, r.create ? SYSV_EITHER : SYSV_FINDS);
    if (r.has_mode && !r.create)
        msg_usage(m, "--mode is for --create");
    if (r.except && r.type <= 0)
        msg_usage(m, "--except wants a --type of 1 or more");
    if (r.null + r.raw + r.json > 1)
        msg_usage(m, "--null, --raw and --json don't go together");
    r.has_prog = argv[1] != NULL;
    if (!r.has_prog && r.job.status_fd >= 0)
        msg_usage(m, "--status-fd is for a call with PROG");
    if (r.has_prog && (r.null || r.raw || r.json))
        msg_usage(m, "--null, --raw and --json are for a call without PROG");
    if (r.has_prog) {
        job_single(&r.job, argv + 1);
        int failed = job_find(&r.job);
        if (failed)
            return failed;
    }
    r.id = sysv_get(SYSV_MSG, &r.key, 0, r.create ? IPC_CREAT | (int)r.mode : 0);
    if (r.id < 0)
        return sysv_failed(m, SYSV_MSG, r.create ? "make" : "find", &r.key, errno);
    int status = run(&r);
    free(r.message);
    free(r.escaped);
    return status;
}

const struct applet applet_msgrecv = {.cli = &cli, .theme = THEME_SYSV, .main = msgrecv_main};
