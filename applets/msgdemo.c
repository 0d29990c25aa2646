/*
 * msgdemo - perlipc's round trip through a message queue; creates, shows and removes queues.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/msg.h>

#include "process/sigs.h"
#include "ipc/queue.h"

#define MSGDEMO_OPTIONS(X)                                                              \
    MSG_OPTIONS(X)                                                                      \
    X(MODE, 'm', "mode", "MODE", "create: give the queue this mode (0600)")             \
    X(JSON, 0, "json", NULL, "stat: print one JSON object")                             \
    X(TYPE, 'y', "type", "TYPE", "redis:NAME: the stream of messages of this type (1)") \
    QUEUE_OPTIONS(X)

enum msgdemo_option { MSGDEMO_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGDEMO_OPTIONS(OPT_ROW)};

enum command { CREATE, STAT, RM, ROUND_TRIP };
static const char *const commands[] = {[CREATE] = "create", [STAT] = "stat", [RM] = "rm", NULL};

struct msgdemo {
    struct msg *msg;
    struct queue queue;
    bool json;
};

/*
 * Sends one message to a queue of our own and receives it; nothing in it waits. No signal but SIGKILL comes
 * in between, and none leaves the queue behind.
 */
static int round_trip(const struct msgdemo *d)
{
    struct {
        long type;
        char text[60];
    } sent = {.type = 1234, .text = "message"}, got = {0};
    size_t len = strlen(sent.text);
    const struct sysv_key key = {.word = "private", .form = SYSV_PRIVATE, .key = IPC_PRIVATE};
    const char *what = "create";
    ssize_t n = -1;
    sigs_hold();
    int id = sysv_get(SYSV_MSG, &key, 0, IPC_CREAT | 0600);
    if (id >= 0) {
        what = "send to";
        if (msgsnd(id, &sent, len, IPC_NOWAIT) == 0) {
            what = "receive from";
            n = msgrcv(id, &got, sizeof got.text, 0, IPC_NOWAIT);
        }
        int err = errno;
        if (msgctl(id, IPC_RMID, NULL) < 0 && n >= 0) {
            what = "remove";
            n = -1;
            err = errno;
        }
        errno = err;
    }
    sigs_release();
    if (n < 0)
        return sysv_failed(d->msg, SYSV_MSG, what, &key, errno);
    bool same = (size_t)n == len && memcmp(got.text, sent.text, len) == 0 && got.type == sent.type;
    char mem[16];
    struct buf out = BUF(mem);
    buf_text(&out, same ? "okay\n" : "not okay\n");
    int status = opts_print(d->msg, &out);
    return status == EXIT_DONE && !same ? EXIT_NO : status;
}

static int run(struct msgdemo *d, enum command command, char **argv)
{
    struct queue *q = &d->queue;
    size_t words = command == ROUND_TRIP ? 0 : 1;
    if (q->has_mode && command != CREATE)
        msg_usage(d->msg, "--mode is valid only with create");
    if (d->json && command != STAT)
        msg_usage(d->msg, "--json is valid only with stat");
    if (words && *argv && argv[1])
        msg_usage(d->msg, "unexpected operand '%s'", argv[1]);
    if (command == ROUND_TRIP && (q->has_type || queue_wants_redis(q)))
        msg_usage(d->msg, "--type and the options of redis:NAME require a command");
    if (command == ROUND_TRIP)
        return round_trip(d);
    q->word = *argv;
    queue_find(q, command == CREATE ? SYSV_MAKES : SYSV_FINDS);
    if (q->has_type && !q->kind->is_stream)
        msg_usage(d->msg, "--type requires redis:NAME");
    int failed = q->kind->is_stream ? q->kind->open(q) : EXIT_DONE;
    return failed              ? failed
           : command == CREATE ? q->kind->make(q)
           : command == STAT   ? q->kind->stat(q, d->json)
                               : q->kind->remove(q);
}

static void take_option(struct msgdemo *d, int row, const struct opts *o)
{
    switch ((enum msgdemo_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(d->msg, row);
        break;
    case OPT_MODE:
        d->queue.has_mode = true;
        d->queue.mode = sysv_mode(o);
        break;
    case OPT_JSON:
        d->json = true;
        break;
    case OPT_TYPE:
        d->queue.has_type = true;
        d->queue.type = (long)opts_num(o, 1, LONG_MAX);
        break;
        QUEUE_OPTIONS(OPT_CASE)
        queue_option(&d->queue, row - OPT_REDIS, o);
        break;
    }
}

static const struct cli cli = {
    .name = "msgdemo",
    .summary = "send a message through a queue, or manage queues",
    .usage = "[OPTION]...\n"
             "create [-m MODE] KEY\n"
             "stat [--json] KEY\n"
             "rm KEY",
    .notes = "KEY: a number, 0x..., PATH[:ID], or id:N; create also accepts private, and prints id:N. KEY "
             "can be redis:NAME, a stream on a Redis server.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int msgdemo_main(struct msg *m, int argc, char **argv)
{
    struct msgdemo d = {.msg = m, .queue.msg = m};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&d, row, &o);
    bool demo = o.command < 0 && !argv[o.first];
    return run(&d, demo ? ROUND_TRIP : (enum command)opts_command(&o), argv + o.first);
}

const struct applet applet_msgdemo = {.cli = &cli, .theme = THEME_SYSV, .main = msgdemo_main};
