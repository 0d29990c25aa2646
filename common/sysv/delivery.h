/*
 * delivery.h - messages of a System V queue (msgop(2)) and where they go: each to a program of its own, or to
 * the caller.
 *
 * A message that msgrcv(2) has given us is in no queue any more: signals wait until it is delivered, and one
 * that can't be delivered goes back to the queue's end or, where that is full or gone, to stderr.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "process/job.h"
#include "sysv/message.h"
#include "sysv/sysv.h"

struct work;

struct delivery {
    /* the caller's to set: */
    struct msg *msg;
    struct job job;
    struct sysv_key key, dead_key;
    int id, dead; /* dead: a queue for messages that have failed for good, -1: none */
    long type;
    bool except, has_prog, keep_going;
    int conflict;    /* exit status when there is no message */
    int64_t timeout; /* for each message */
    uint64_t wanted; /* messages still to deliver */
    uint64_t tries;  /* of a program on a message, 1 or more */
    size_t parallel; /* programs that may run at a time; job has as many */

    int64_t deadline;  /* for the next message */
    uint64_t failures; /* of messages that were put back, in a row */
    int64_t pause;     /* before the next message, 0: none */
    int64_t rested;    /* when that is over */
    struct work *works;
    size_t busy;   /* works that have a message */
    bool stop;     /* a failure ends us: no other message is taken */
    int status;    /* then, and after a message has gone to the dead */
    size_t failed; /* whose program has failed; `parallel`: nobody's */
};

/* Catches signals and makes room for messages, one for each program. 0, or -1 with ENOMEM. */
int delivery_begin(struct delivery *r);
void delivery_free(struct delivery *r);

/* Room for one message, of a caller that has no programs. */
struct message *delivery_message(struct delivery *r);

/*
 * Runs a program for each message, until enough have been delivered, there is none in time, one has failed,
 * or a signal has come, which is in job.came. The exit status.
 */
int delivery_to_programs(struct delivery *r);

/*
 * Under a tick. 0, or -1 with errno: ENOMSG after the deadline, which does not come while programs run; EINTR
 * when it is over, or at each tick while programs run. A reader of stdout that has just taken a message is
 * checked again only when there is no other message for it.
 */
int delivery_receive(struct delivery *r, struct message *m, bool has_read);

/* At the queue's end, without waiting; where that fails, it is printed on stderr. Whether it is in the queue.
 */
bool delivery_put_back(const struct delivery *r, const struct message *m);

/* The exit status after delivery_receive has failed, which is reported. Dies of a signal that has come. */
int delivery_end_without(const struct delivery *r);

#endif
