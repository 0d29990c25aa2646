/*
 * message.h - a message of a queue, and the memory to deliver it, whatever becomes of it.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"

enum { MESSAGE_ID = 48, MESSAGE_TOKEN = 256 };

struct message {
    struct message_text { /* as msgop(2) has it */
        long type;
        char text[];
    } * m;
    size_t room, len; /* of its text */
    char *escaped;    /* room for that text, escaped in any way, and a little more */

    /* of a stream: */
    char id[MESSAGE_ID];
    char token[MESSAGE_TOKEN]; /* the same at each try; cut if it is long */
    int64_t tries;             /* before this one */
    int64_t until;             /* the claim holds, on CLOCK_BOOTTIME */
};

/* Room for a text of that length. 0, or -1 with ENOMEM. */
int message_make_room(struct message *m, size_t room);

/* Everything that a message of usual length needs; it grows by itself. 0, or -1 with ENOMEM. */
int message_init(struct message *m);
void message_free(struct message *m);

/* All of `escaped`, empty. */
struct buf message_line(const struct message *m);

/* Prints on stderr a message that could not be put back to the queue of that key: nothing of it is lost. */
void message_lost(const struct message *m, const struct msg *msg, const char *key, int err);

/* A new file that holds the text, at offset 0; the caller closes it. -1 with errno. */
int message_file(const struct message *m);

#endif
