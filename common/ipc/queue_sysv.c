/*
 * queue_sysv.c - see queue.h: a message queue of System V.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

#include "base/clock.h"
#include "base/tick.h"
#include "ipc/queue.h"

static int failed(struct queue *q, const char *what, int err)
{
    return sysv_failed(q->msg, SYSV_MSG, what, &q->key, err);
}

/* ---- opening ---- */

/* The identifier of that queue, which is made if it may be; or -1, which has been reported. */
static int open_one(const struct queue *q, const struct sysv_key *key)
{
    int id = sysv_get(SYSV_MSG, key, 0, q->create ? IPC_CREAT | (int)q->mode : 0);
    if (id < 0)
        sysv_failed(q->msg, SYSV_MSG, q->create ? "create" : "find", key, errno);
    return id;
}

/* A message longer than kernel.msgmax is refused by the kernel; one longer than the queue would wait for
 * ever. */
static void find_limit(struct queue *q)
{
    struct msginfo info;
    struct msqid_ds state = {0};
    q->limit = msgctl(0, IPC_INFO, (void *)&info) < 0 ? INT_MAX : (size_t)info.msgmax;
    q->limit_of = "kernel.msgmax allows";
    if (msgctl(q->id, IPC_STAT, &state) == 0 && state.msg_qbytes < q->limit) {
        q->limit_of = "the queue can hold";
        q->limit = state.msg_qbytes;
    }
}

static int open_queue(struct queue *q)
{
    q->dead = -1;
    q->id = open_one(q, &q->key);
    if (q->id < 0)
        return EXIT_SYSTEM;
    if (q->dead_word && (q->dead = open_one(q, &q->dead_key)) < 0)
        return EXIT_SYSTEM;
    if (q->dead == q->id)
        msg_usage(q->msg, "--dead names the queue itself");
    find_limit(q);
    return EXIT_DONE;
}

/* ---- sending ---- */

/* Waits under a timer, as msgsnd(2) has no deadline. */
static int send_before(const struct queue *q, const void *message, size_t len)
{
    int64_t deadline = clock_in(q->timeout);
    int done = msgsnd(q->id, message, len, IPC_NOWAIT);
    if (done == 0 || errno != EAGAIN || !clock_left(deadline))
        return done;
    if (tick_begin() < 0)
        return -1;
    do
        done = msgsnd(q->id, message, len, 0);
    while (done < 0 && errno == EINTR && clock_left(deadline));
    tick_end();
    if (done < 0 && errno == EINTR)
        errno = EAGAIN;
    return done;
}

static ssize_t send_one(struct queue *q, const struct stream_text *texts, size_t n)
{
    char *head = texts->bytes - sizeof q->type;
    int done;
    (void)n;
    memcpy(head, &q->type, sizeof q->type);
    do
        done = q->timeout == CLOCK_NEVER ? msgsnd(q->id, head, texts->n, 0) : send_before(q, head, texts->n);
    while (done < 0 && errno == EINTR);
    return done < 0 ? -1 : 1;
}

/* ---- receiving ---- */

/* With more room as often as the message needs it, which stays in its queue until then. */
static int receive(struct queue *q, struct message *m, bool waits, bool busy)
{
    const int flags = (q->except ? MSG_EXCEPT : 0) | (waits ? 0 : IPC_NOWAIT);
    (void)busy;
    for (;;) {
        ssize_t n = msgrcv(q->id, m->m, m->room, q->type, flags);
        if (n >= 0) {
            m->len = (size_t)n;
            return 0;
        }
        if (errno != E2BIG || message_make_room(m, m->room * 2) < 0)
            return -1;
    }
}

static enum queue_end put(int id, const struct message *m, enum queue_end end)
{
    return msgsnd(id, m->m, m->len, IPC_NOWAIT) < 0 ? QUEUE_ERROR : end;
}

static enum queue_end put_back(struct queue *q, const struct message *m, bool counts)
{
    if (counts && q->dead >= 0) {
        if (put(q->dead, m, QUEUE_DEAD) == QUEUE_DEAD)
            return QUEUE_DEAD;
        msg_error(q->msg, "send to", q->dead_key.word, errno);
    }
    return put(q->id, m, QUEUE_BACK);
}

static uint64_t count(struct queue *q)
{
    struct msqid_ds state = {0};
    return msgctl(q->id, IPC_STAT, &state) < 0 ? 0 : state.msg_qnum;
}

/* ---- msgdemo ---- */

static int make(struct queue *q)
{
    q->id = sysv_get(SYSV_MSG, &q->key, 0, IPC_CREAT | IPC_EXCL | (int)q->mode);
    return q->id < 0 ? failed(q, "create", errno) : sysv_made(q->msg, SYSV_MSG, &q->key, q->id);
}

static int stat_queue(struct queue *q, bool json)
{
    struct msqid_ds state = {0};
    struct sysv_report r;
    int id = sysv_get(SYSV_MSG, &q->key, 0, 0);
    if (id < 0 || msgctl(id, IPC_STAT, &state) < 0)
        return failed(q, "stat", errno);
    sysv_report_begin(&r, json, id, &state.msg_perm);
    sysv_report_num(&r, "messages", state.msg_qnum);
    sysv_report_num(&r, "bytes", state.__msg_cbytes);
    sysv_report_num(&r, "bytes_max", state.msg_qbytes);
    sysv_report_num(&r, "last_send_pid", (unsigned)state.msg_lspid);
    sysv_report_num(&r, "last_receive_pid", (unsigned)state.msg_lrpid);
    sysv_report_time(&r, "last_send", state.msg_stime);
    sysv_report_time(&r, "last_receive", state.msg_rtime);
    sysv_report_time(&r, "last_change", state.msg_ctime);
    return sysv_report_end(&r, q->msg);
}

/* Messages that are still in the queue are lost with it; their number is reported. */
static int remove_queue(struct queue *q)
{
    struct msqid_ds state = {0};
    q->id = sysv_get(SYSV_MSG, &q->key, 0, 0);
    if (q->id < 0)
        return failed(q, "remove", errno);
    bool known = msgctl(q->id, IPC_STAT, &state) == 0;
    if (msgctl(q->id, IPC_RMID, NULL) < 0)
        return failed(q, "remove", errno);
    if (known)
        queue_report_removed(q, state.msg_qnum);
    return EXIT_DONE;
}

const struct queue_kind queue_sysv = {
    .open = open_queue,
    .send = send_one,
    .receive = receive,
    .put_back = put_back,
    .failed = failed,
    .count = count,
    .make = make,
    .stat = stat_queue,
    .remove = remove_queue,
};
