/*
 * stream.h - messages in a stream with a consumer group, by scripts which may be repeated.
 *
 * README.md has the keys and the scripts. A message that we were given is claimed: nobody else is given it
 * until `length` has passed since we were, or have renewed. Each function begins a batch of one script and
 * leaves having it answered to its caller.
 */
#ifndef STREAM_H
#define STREAM_H

#include "redis/redis.h"

enum { STREAM_KEY = 300, STREAM_CONSUMER = 120, STREAM_TOKEN = 33, STREAM_ID = 48 };

struct stream {
    char key[STREAM_KEY], dead[STREAM_KEY]; /* NAME or NAME:TYPE; where to what fails for good goes */
    const char *name, *group;
    char consumer[STREAM_CONSUMER]; /* never the same twice */
    int64_t length;                 /* ns, of a claim */
    uint64_t tries;                 /* of a message, then it goes to `dead`; 0: any number */
};

/* Fills key, dead (unless it is there) and consumer. Exits when no random number can be had. */
void stream_init(struct stream *s, const struct msg *m, long type);

/* 32 random digits. */
void stream_token(char token[static STREAM_TOKEN], const struct msg *m);

/*
 * Sends those texts that there is room for below max (0: for all), which the server remembers by the token:
 * as many as the answer, an integer, says.
 */
struct stream_text {
    char *bytes;
    size_t n;
};
void stream_send(struct redis *r, const struct stream *s, const char *token, uint64_t max,
    const struct stream_text *texts, size_t n);

/*
 * Takes a message: one that we were given and don't have (the n ids are of those that we have), one that
 * another has not renewed, or a new one. The answer is an array - id, tries, text, token - or an integer: how
 * many ms there can be none but new ones.
 */
void stream_take(struct redis *r, const struct stream *s, const char *const *ids, size_t n);

/* Waits until there may be a message to take. The answer says nothing. */
void stream_wait(struct redis *r, const struct stream *s, int64_t ms);

/* 1: it is ours for `length` again; 0: it has been lost. */
void stream_renew(struct redis *r, const struct stream *s, const char *id);

/* What has become of a message that we had. */
enum stream_end {
    STREAM_LOST, /* another has claimed it */
    STREAM_DONE, /* it is finished; or in the stream, for another try */
    STREAM_GONE, /* that was so already */
    STREAM_DEAD, /* it is in `dead` */
};

void stream_finish(struct redis *r, const struct stream *s, const char *id);

/* It is to be tried again, which counts or does not. */
void stream_fail(struct redis *r, const struct stream *s, const char *id, bool counts);

/*
 * Removes the consumer, if it has nothing pending, and those that have had nothing for a day. With `all`,
 * what is pending was not begun, and is put back before.
 */
void stream_part(struct redis *r, const struct stream *s, bool all);

/* 1: makes the stream and its group; 0: they are there. */
void stream_create(struct redis *r, const struct stream *s);

/* An array of integers: length, pending, consumers, groups, when the oldest message was sent (ms), 0: there
 * is none; or an integer: there is no such stream. */
void stream_state(struct redis *r, const struct stream *s);

/* Removes it: how many messages it had, -1: there was none. */
void stream_remove(struct redis *r, const struct stream *s);

#endif
