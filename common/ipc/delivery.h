/*
 * delivery.h - messages of a queue and where they go: each to a program of its own, or to the caller.
 *
 * A message of System V that we have received is in no queue any more: signals wait until it is delivered,
 * and one that can't be delivered goes back to the queue's end or, where that is full or gone, to stderr. One
 * of a stream is claimed, and its program has a keeper.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "ipc/queue.h"
#include "process/job.h"

struct work;

struct delivery {
    /* the caller's to set: */
    struct msg *msg;
    struct job job;
    struct queue queue;
    bool has_prog, keep_going;
    int conflict;    /* exit status when there is no message */
    uint64_t wanted; /* messages still to deliver */
    size_t parallel; /* programs that may run at a time; job has as many */

    uint64_t failures; /* of messages that were put back, in a row */
    int64_t pause;     /* before the next message, 0: none */
    int64_t rested;    /* when that is over */
    struct work *works;
    size_t busy;   /* works that have a message */
    bool stop;     /* a failure ends us: no other message is taken */
    int status;    /* then, and after a message has gone to the dead */
    size_t failed; /* whose program has failed; `parallel`: nobody's */
};

/* Catches signals and makes room for messages, one for each program. EXIT_DONE, or the exit status of what
 * has been reported. */
int delivery_begin(struct delivery *r);
void delivery_end(struct delivery *r);

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

/* The caller is still busy with it: it stays ours. */
void delivery_hold(struct delivery *r, struct message *m);

/* The caller has delivered it. EXIT_DONE, or the exit status of what has been reported. */
int delivery_done(struct delivery *r, const struct message *m);

/* At the queue's end; where that fails and no server has it, it is printed on stderr. Whether it is in the
 * queue. */
bool delivery_put_back(struct delivery *r, const struct message *m);

/* The exit status after delivery_receive has failed, which is reported. Dies of a signal that has come. */
int delivery_end_without(struct delivery *r);

#endif
