/*
 * msgdemo - perlipc's round trip through a message queue; creates, shows and removes queues.
 */
#include "cli/applet.h"

#include <errno.h>
#include <string.h>
#include <sys/msg.h>

#include "process/sigs.h"
#include "sysv/sysv.h"

#define MSGDEMO_OPTIONS(X)                                                  \
    MSG_OPTIONS(X)                                                          \
    X(MODE, 'm', "mode", "MODE", "create: give the queue this mode (0600)") \
    X(JSON, 0, "json", NULL, "stat: print one JSON object")

enum msgdemo_option { MSGDEMO_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {MSGDEMO_OPTIONS(OPT_ROW)};

enum command { CREATE, STAT, RM, ROUND_TRIP };
static const char *const commands[] = {[CREATE] = "create", [STAT] = "stat", [RM] = "rm", NULL};

struct msgdemo {
    struct msg *msg;
    struct sysv_key key;
    unsigned mode;
    bool has_mode, json;
};

static int failed(const struct msgdemo *d, const char *what)
{
    return sysv_failed(d->msg, SYSV_MSG, what, &d->key, errno);
}

static int create(const struct msgdemo *d)
{
    int id = sysv_get(SYSV_MSG, &d->key, 0, IPC_CREAT | IPC_EXCL | (int)d->mode);
    return id < 0 ? failed(d, "create") : sysv_made(d->msg, SYSV_MSG, &d->key, id);
}

static int stat_queue(const struct msgdemo *d)
{
    struct msqid_ds state = {0};
    struct sysv_report r;
    int id = sysv_get(SYSV_MSG, &d->key, 0, 0);
    if (id < 0 || msgctl(id, IPC_STAT, &state) < 0)
        return failed(d, "stat");
    sysv_report_begin(&r, d->json, id, &state.msg_perm);
    sysv_report_num(&r, "messages", state.msg_qnum);
    sysv_report_num(&r, "bytes", state.__msg_cbytes);
    sysv_report_num(&r, "bytes_max", state.msg_qbytes);
    sysv_report_num(&r, "last_send_pid", (unsigned)state.msg_lspid);
    sysv_report_num(&r, "last_receive_pid", (unsigned)state.msg_lrpid);
    sysv_report_time(&r, "last_send", state.msg_stime);
    sysv_report_time(&r, "last_receive", state.msg_rtime);
    sysv_report_time(&r, "last_change", state.msg_ctime);
    return sysv_report_end(&r, d->msg);
}

/* Messages that are still in the queue are lost with it; their number is reported. */
static int rm(const struct msgdemo *d)
{
    struct msqid_ds state = {0};
    char mem[64];
    struct buf why = BUF(mem);
    int id = sysv_get(SYSV_MSG, &d->key, 0, 0);
    if (id < 0)
        return failed(d, "remove");
    bool known = msgctl(id, IPC_STAT, &state) == 0;
    if (msgctl(id, IPC_RMID, NULL) < 0)
        return failed(d, "remove");
    if (known && state.msg_qnum) {
        buf_fmt(&why, "it contained %llu message%s", (unsigned long long)state.msg_qnum,
            state.msg_qnum == 1 ? "" : "s");
        msg_error_why(d->msg, "remove", d->key.word, buf_str(&why));
    }
    return EXIT_DONE;
}

/*
 * Sends one message to a queue of our own and receives it; nothing in it waits. No signal but SIGKILL comes
 * in between, and none leaves the queue behind.
 */
static int round_trip(struct msgdemo *d)
{
    struct {
        long type;
        char text[60];
    } sent = {.type = 1234, .text = "message"}, got = {0};
    size_t len = strlen(sent.text);
    d->key = (struct sysv_key){.word = "private", .form = SYSV_PRIVATE, .key = IPC_PRIVATE};
    const char *what = "create";
    ssize_t n = -1;
    sigs_hold();
    int id = sysv_get(SYSV_MSG, &d->key, 0, IPC_CREAT | (int)d->mode);
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
        return failed(d, what);
    bool same = (size_t)n == len && memcmp(got.text, sent.text, len) == 0 && got.type == sent.type;
    char mem[16];
    struct buf out = BUF(mem);
    buf_text(&out, same ? "okay\n" : "not okay\n");
    int status = opts_print(d->msg, &out);
    return status == EXIT_DONE && !same ? EXIT_NO : status;
}

static int run(struct msgdemo *d, enum command command, char **argv)
{
    size_t words = command == ROUND_TRIP ? 0 : 1;
    if (d->has_mode && command != CREATE)
        msg_usage(d->msg, "--mode is valid only with create");
    if (d->json && command != STAT)
        msg_usage(d->msg, "--json is valid only with stat");
    if (words && *argv && argv[1])
        msg_usage(d->msg, "unexpected operand '%s'", argv[1]);
    if (command == ROUND_TRIP)
        return round_trip(d);
    sysv_key(&d->key, d->msg, *argv, command == CREATE ? SYSV_MAKES : SYSV_FINDS);
    return command == CREATE ? create(d) : command == STAT ? stat_queue(d) : rm(d);
}

static void take_option(struct msgdemo *d, int row, const struct opts *o)
{
    switch ((enum msgdemo_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(d->msg, row);
        break;
    case OPT_MODE:
        d->has_mode = true;
        d->mode = sysv_mode(o);
        break;
    case OPT_JSON:
        d->json = true;
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
    .notes = "KEY: a number, 0x..., PATH[:ID], or id:N; create also accepts private, and prints id:N.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int msgdemo_main(struct msg *m, int argc, char **argv)
{
    struct msgdemo d = {.msg = m, .mode = 0600};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&d, row, &o);
    bool demo = o.command < 0 && !argv[o.first];
    return run(&d, demo ? ROUND_TRIP : (enum command)opts_command(&o), argv + o.first);
}

const struct applet applet_msgdemo = {.cli = &cli, .theme = THEME_SYSV, .main = msgdemo_main};
