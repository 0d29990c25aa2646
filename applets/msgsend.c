/*
 * msgsend - puts messages into a queue: one from the command line, or one a line of stdin.
 *
 * msgsnd(2) wants the type in front of the text. Lines are sent from where they were read to: the type is
 * written over the end of the line before, which has been sent. To a stream, all lines go that were read.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/queue.h"

#define MSGSEND_OPTIONS(X)                                                                               \
    MSG_OPTIONS(X)                                                                                       \
    X(TYPE, 'y', "type", "TYPE", "send messages of this type, 1 or more (1)")                            \
    X(TIMEOUT, 't', "timeout", "TIME",                                                                   \
        "wait at most TIME for room, then exit 124; 0: exit 1 if the queue is full")                     \
    CONFLICT_OPTIONS(X)                                                                                  \
    X(CREATE, 0, "create", NULL, "create the queue if it does not exist")                                \
    X(MODE, 'm', "mode", "MODE", "create the queue with this mode (0600)")                               \
    X(NUL, '0', "null", NULL, "split stdin into messages at NULs, not newlines")                         \
    X(RAW, 0, "raw", NULL, "send all of stdin as one message")                                           \
    X(MAX_LENGTH, 0, "max-length", "N", "redis:NAME: wait while N messages are there, not yet finished") \
    REDIS_OPTIONS(X)

enum msgsend_option { MSGSEND_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGSEND_OPTIONS(OPT_ROW)};

enum { HEAD = sizeof(long), CHUNK = 65536 };

enum { SEVERAL = 4096 };

struct msgsend {
    struct msg *msg;
    struct queue queue;
    bool null, raw;
    uint64_t count;   /* messages sent so far */
    int conflict;     /* exit status when the queue is full */
    char *buffer;     /* HEAD bytes of room, then what was read and not yet sent */
    size_t room, len; /* behind HEAD */
};

/* ---- messages ---- */

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
        return msg_fatal_why(s->msg, status, buf_str(&what), s->queue.word, why);
    msg_error_why(s->msg, buf_str(&what), s->queue.word, why);
    return status;
}

/* Reports the errno of a send; the exit status. */
static int not_sent(struct msgsend *s, int err)
{
    if (err != EAGAIN)
        return s->queue.kind->failed(&s->queue, "send to", err);
    return s->queue.timeout ? say(s, EXIT_DEADLINE, "the deadline passed")
                            : say(s, EXIT_NO, "the queue is full");
}

static int too_long(const struct msgsend *s)
{
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "the message is longer than the %zu bytes that %s", s->queue.limit, s->queue.limit_of);
    return say(s, EXIT_SYSTEM, buf_str(&why));
}

/* Sends the texts, of which each has HEAD bytes before it that are overwritten. EXIT_DONE, or the exit
 * status. */
static int send_texts(struct msgsend *s, const struct stream_text *texts, size_t n)
{
    size_t fit = 0;
    while (fit < n && texts[fit].n <= s->queue.limit)
        fit++;
    for (size_t i = 0; i < fit;) {
        ssize_t sent = s->queue.kind->send(&s->queue, texts + i, fit - i);
        if (sent < 0)
            return not_sent(s, errno);
        s->count += (uint64_t)sent;
        i += (size_t)sent;
    }
    return fit < n ? too_long(s) : EXIT_DONE;
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
    struct stream_text texts[SEVERAL];
    char *at = s->buffer + HEAD, *end = at + s->len, *delimiter;
    int status = EXIT_DONE;
    do {
        size_t n = 0;
        while (n < SEVERAL && (delimiter = memchr(at, s->null ? '\0' : '\n', (size_t)(end - at)))) {
            texts[n++] = (struct stream_text){at, (size_t)(delimiter - at)};
            at = delimiter + 1;
        }
        status = n ? send_texts(s, texts, n) : EXIT_DONE;
    } while (status == EXIT_DONE && delimiter);
    s->len = (size_t)(end - at);
    memmove(s->buffer + HEAD, at, s->len);
    return status;
}

static int send_stdin(struct msgsend *s)
{
    ssize_t n;
    int status = EXIT_DONE;
    while (status == EXIT_DONE && s->len <= s->queue.limit && (n = read_more(s)) != 0) {
        if (n < 0)
            return msg_fatal(s->msg, EXIT_SYSTEM, "read", "stdin", errno);
        if (!s->raw)
            status = send_whole(s);
    }
    /* the last one, or one that is too long */
    if (status == EXIT_DONE && (s->len || s->raw))
        status = send_texts(s, &(struct stream_text){s->buffer + HEAD, s->len}, 1);
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
    int status = send_texts(s, &(struct stream_text){message + HEAD, len}, 1);
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
        s->queue.has_type = true;
        s->queue.type = (long)opts_num(o, 1, LONG_MAX);
        break;
    case OPT_TIMEOUT:
        s->queue.timeout = opts_duration(o);
        break;
    case OPT_CONFLICT:
        s->conflict = opts_status(o);
        break;
    case OPT_CREATE:
        s->queue.create = true;
        break;
    case OPT_MODE:
        s->queue.has_mode = true;
        s->queue.mode = sysv_mode(o);
        break;
    case OPT_NUL:
        s->null = true;
        break;
    case OPT_RAW:
        s->raw = true;
        break;
    case OPT_MAX_LENGTH:
        s->queue.max = opts_num(o, 1, INT64_MAX);
        break;
        REDIS_OPTIONS(OPT_CASE)
        queue_option(&s->queue, row - OPT_REDIS, o);
        break;
    }
}

static const struct cli cli = {
    .name = "msgsend",
    .summary = "send messages to a System V or Redis queue",
    .usage = "[OPTION]... KEY [TEXT]",
    .notes =
        "Without TEXT, each line of stdin is a message. KEY can be redis:NAME, a stream on a Redis server.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int msgsend_main(struct msg *m, int argc, char **argv)
{
    struct msgsend s = {
        .msg = m, .queue = {.msg = m, .type = 1, .timeout = CLOCK_NEVER}, .conflict = EXIT_NO};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    argv += o.first;
    s.queue.word = *argv;
    queue_find(&s.queue, s.queue.create ? SYSV_EITHER : SYSV_FINDS);
    if (s.queue.has_mode && !s.queue.create)
        msg_usage(m, "--mode requires --create");
    if (argv[1] && argv[2])
        msg_usage(m, "unexpected operand '%s'", argv[2]);
    if (s.null && s.raw)
        msg_usage(m, "--null and --raw cannot be combined");
    if (argv[1] && (s.null || s.raw))
        msg_usage(m, "--null and --raw cannot be combined with TEXT");
    int status = s.queue.kind->open(&s.queue);
    if (status == EXIT_DONE)
        status = argv[1] ? send_text(&s, argv[1]) : send_stdin(&s);
    return status == EXIT_NO ? s.conflict : status;
}

const struct applet applet_msgsend = {.cli = &cli, .theme = THEME_SYSV, .main = msgsend_main};
