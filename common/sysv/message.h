/*
 * message.h - a message of a System V queue (msgop(2)), and the memory to deliver it, whatever becomes of it.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>

#include "base/msg.h"

struct message {
    struct message_text {
        long type;
        char text[];
    } * m;
    size_t room, len; /* of its text */
    char *escaped;    /* room for that text, escaped in any way, and a little more */
};

/* Everything that a message of usual length needs; it grows by itself. 0, or -1 with ENOMEM. */
int message_init(struct message *m);
void message_free(struct message *m);

/* All of `escaped`, empty. */
struct buf message_line(const struct message *m);

/*
 * msgrcv(2), with more room as often as the message needs it, which stays in its queue until then. 0, or -1
 * with errno.
 */
int message_take(int id, struct message *m, long type, int flags);

/* At the queue's end, without waiting. 0, or -1 with errno: EAGAIN if the queue is full. */
int message_put(int id, const struct message *m);

/* Prints on stderr a message that could not be put back to the queue of that key: nothing of it is lost. */
void message_lost(const struct message *m, const struct msg *msg, const char *key, int err);

/* A new file that holds the text, at offset 0; the caller closes it. -1 with errno. */
int message_file(const struct message *m);

#endif
