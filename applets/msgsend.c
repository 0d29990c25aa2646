/*
 * msgsend - puts messages into a System V message queue: one from the command line, or one a line of stdin.
 *
 * msgsnd(2) wants the type in front of the text. Lines are sent from where they were read to: the type is
 * written over the end of the line before, which has been sent.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/sigs.h"
#include "base/tick.h"
#include "sysv/sysv.h"

#define MSGSEND_OPTIONS(X)                                                           \
    MSG_OPTIONS(X)                                                                   \
    X(TYPE, 'y', "type", "TYPE", "send messages of this type, 1 or more (1)")        \
    X(TIMEOUT, 't', "timeout", "TIME",                                               \
        "wait at most TIME for room, then exit 124; 0: exit 1 if the queue is full") \
    CONFLICT_OPTIONS(X)                                                              \
    X(CREATE, 0, "create", NULL, "create the queue if it does not exist")            \
    X(MODE, 'm', "mode", "MODE", "create the queue with this mode (0600)")           \
    X(NUL, '0', "null", NULL, "split stdin into messages at NULs, not newlines")     \
    X(RAW, 0, "raw", NULL, "send all of stdin as one message")

enum msgsend_option { MSGSEND_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGSEND_OPTIONS(OPT_ROW)};

enum { HEAD = sizeof(long), CHUNK = 65536 };

struct msgsend {
    struct msg *msg;
    struct sysv_key key;
    int id;
    long type;
    bool create, has_mode, null, raw;
    int64_t timeout;
    unsigned mode;
    uint64_t count; /* messages sent so far */
    int conflict;   /* exit status when the queue is full */
    size_t limit;   /* no message can be longer */
    bool queue_limits;
    char *buffer;     /* HEAD bytes of room, then what was read and not yet sent */
    size_t room, len; /* behind HEAD */
};

/* ---- one message ---- */

/* Waits under a timer, as msgsnd(2) has no deadline. */
static int send_before(const struct msgsend *s, const void *message, size_t len)
{
    int64_t deadline = clock_in(s->timeout);
    int done = msgsnd(s->id, message, len, IPC_NOWAIT);
    if (done == 0 || errno != EAGAIN || !clock_left(deadline))
        return done;
    if (tick_begin() < 0)
        return -1;
    do
        done = msgsnd(s->id, message, len, 0);
    while (done < 0 && errno == EINTR && clock_left(deadline));
    tick_end();
    if (done < 0 && errno == EINTR)
        errno = EAGAIN;
    return done;
}

/* Which message of stdin it is, where there are several. */
static int say(const struct msgsend *s, int status, const char *why)
{
    char mem[64];
    struct buf what = BUF(mem);
    if (s->buffer && !s->raw)
        buf_fmt(&what, "send message %llu to", (unsigned long long)s->count + 1);
    else
        buf_text(&what, "send to");
    if (status == EXIT_SYSTEM)
        return msg_fatal_why(s->msg, status, buf_str(&what), s->key.word, why);
    msg_error_why(s->msg, buf_str(&what), s->key.word, why);
    return status;
}

/* Reports the errno of msgsnd(2); the exit status. */
static int not_sent(const struct msgsend *s, int err)
{
    if (err != EAGAIN)
        return sysv_failed(s->msg, SYSV_MSG, "send to", &s->key, err);
    return s->timeout ? say(s, EXIT_DEADLINE, "the deadline passed") : say(s, EXIT_NO, "the queue is full");
}

static int too_long(const struct msgsend *s)
{
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "the message is longer than the %zu bytes that %s", s->limit,
        s->queue_limits ? "the queue can hold" : "kernel.msgmax allows");
    return say(s, EXIT_SYSTEM, buf_str(&why));
}

/* Sends the text behind the HEAD bytes, which are overwritten. EXIT_DONE, or the exit status. */
static int send_one(struct msgsend *s, char *head, size_t len)
{
    int done;
    if (len > s->limit)
        return too_long(s);
    memcpy(head, &s->type, sizeof s->type);
    do
        done = s->timeout == CLOCK_NEVER ? msgsnd(s->id, head, len, 0) : send_before(s, head, len);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return not_sent(s, errno);
    s->count++;
    return EXIT_DONE;
}

/* A message longer than kernel.msgmax is refused by the kernel; one longer than the queue would wait for
 * ever. */
static void find_limit(struct msgsend *s)
{
    struct msginfo info;
    struct msqid_ds state = {0};
    s->limit = msgctl(0, IPC_INFO, (void *)&info) < 0 ? INT_MAX : (size_t)info.msgmax;
    if (msgctl(s->id, IPC_STAT, &state) == 0 && state.msg_qbytes < s->limit) {
        s->queue_limits = true;
        s->limit = state.msg_qbytes;
    }
}

/* ---- from stdin ---- */

/* Reads once behind what is there. As read(2); room for the longest message and a chunk more is made. */
static ssize_t read_more(struct msgsend *s)
{
    if (s->room - s->len < CHUNK) {
        size_t room = (s->len + CHUNK) * 2;
        char *bigger = realloc(s->buffer, HEAD + room);
        if (!bigger)
            return -1;
        s->buffer = bigger;
        s->room = room;
    }
    ssize_t n = fd_read_wait(STDIN_FILENO, s->buffer + HEAD + s->len, CHUNK);
    if (n > 0)
        s->len += (size_t)n;
    return n;
}

/* Sends all that is whole in the buffer, and moves the rest to its front. */
static int send_whole(struct msgsend *s)
{
    char *at = s->buffer + HEAD, *end = at + s->len, *delimiter;
    int status = EXIT_DONE;
    while (status == EXIT_DONE && (delimiter = memchr(at, s->null ? '\0' : '\n', (size_t)(end - at)))) {
        status = send_one(s, at - HEAD, (size_t)(delimiter - at));
        at = delimiter + 1;
    }
    s->len = (size_t)(end - at);
    memmove(s->buffer + HEAD, at, s->len);
    return status;
}

static int send_stdin(struct msgsend *s)
{
    ssize_t n;
    int status = EXIT_DONE;
    while (status == EXIT_DONE && s->len <= s->limit && (n = read_more(s)) != 0) {
        if (n < 0)
            return msg_fatal(s->msg, EXIT_SYSTEM, "read", "stdin", errno);
        if (!s->raw)
            status = send_whole(s);
    }
    /* the last one, or one that is too long */
    if (status == EXIT_DONE && (s->len || s->raw))
        status = send_one(s, s->buffer, s->len);
    free(s->buffer);
    return status;
}

static int send_text(struct msgsend *s, const char *text)
{
    size_t len = strlen(text);
    char *message = malloc(HEAD + len);
    if (!message)
        return msg_fatal(s->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    memcpy(message + HEAD, text, len);
    int status = send_one(s, message, len);
    free(message);
    return status;
}

/* ---- the command line ---- */

static void take_option(struct msgsend *s, int row, const struct opts *o)
{
    switch ((enum msgsend_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(s->msg, row);
        break;
    case OPT_TYPE:
        s->type = (long)opts_num(o, 1, LONG_MAX);
        break;
    case OPT_TIMEOUT:
        s->timeout = opts_duration(o);
        break;
    case OPT_CONFLICT:
        s->conflict = opts_status(o);
        break;
    case OPT_CREATE:
        s->create = true;
        break;
    case OPT_MODE:
        s->has_mode = true;
        s->mode = sysv_mode(o);
        break;
    case OPT_NUL:
        s->null = true;
        break;
    case OPT_RAW:
        s->raw = true;
        break;
    }
}

static const struct cli cli = {
    .name = "msgsend",
    .summary = "send messages to a System V message queue",
    .usage = "[OPTION]... KEY [TEXT]",
    .notes = "Without TEXT, each line of stdin is a message.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int msgsend_main(struct msg *m, int argc, char **argv)
{
    struct msgsend s = {.msg = m, .type = 1, .timeout = CLOCK_NEVER, .mode = 0600, .conflict = EXIT_NO};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    argv += o.first;
    sysv_key(&s.key, m, *argv, s.create ? SYSV_EITHER : SYSV_FINDS);
    if (s.has_mode && !s.create)
        msg_usage(m, "--mode requires --create");
    if (argv[1] && argv[2])
        msg_usage(m, "unexpected operand '%s'", argv[2]);
    if (s.null && s.raw)
        msg_usage(m, "--null and --raw cannot be combined");
    if (argv[1] && (s.null || s.raw))
        msg_usage(m, "--null and --raw cannot be combined with TEXT");
    s.id = sysv_get(SYSV_MSG, &s.key, 0, s.create ? IPC_CREAT | (int)s.mode : 0);
    if (s.id < 0)
        return sysv_failed(m, SYSV_MSG, s.create ? "create" : "find", &s.key, errno);
    find_limit(&s);
    int status = argv[1] ? send_text(&s, argv[1]) : send_stdin(&s);
    return status == EXIT_NO ? s.conflict : status;
}

const struct applet applet_msgsend = {.cli = &cli, .theme = THEME_SYSV, .main = msgsend_main};
