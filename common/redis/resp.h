/*
 * resp.h - replies of a Redis server (RESP2, https://redis.io/docs/reference/protocol-spec).
 *
 * The bytes stay where they were read to, and that is all the memory there is: resp_scan looks, as they come,
 * how far the replies are and whether they can be such; once they are whole, resp_next walks through them.
 * What a server says of lengths is believed only as far as the caller's limit, and nothing is made that large
 * before the bytes are there.
 */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum resp_type {
    RESP_NIL,
    RESP_TEXT,  /* a string, simple or bulk */
    RESP_ERROR, /* CODE and words */
    RESP_INTEGER,
    RESP_ARRAY, /* its elements are the next values */
};

struct resp_value {
    enum resp_type type;
    const char *bytes; /* of a text or an error, with no NUL behind them; else NULL */
    size_t len;
    int64_t number; /* the integer, or how many elements */
};

enum {
    RESP_DEPTH = 8,    /* arrays in arrays: the streams' have 4 */
    RESP_LINE = 16384, /* bytes of a simple string or an error */
    RESP_NUMBER_LINE = 32,
};

/* How far replies have been looked at. */
struct resp {
    size_t at; /* bytes of whole values */
    unsigned depth;
    uint64_t left[RESP_DEPTH + 1]; /* elements to come, of each array that is open; [0]: replies */
    const char *wrong;             /* why they are no such replies; NULL: they may be */
};

/* That many replies are to come. */
void resp_begin(struct resp *r, unsigned replies);

/*
 * Looks at what has come since the last call: all n bytes from the first reply's first on, the same ones as
 * before and more; the replies may have `limit` bytes. True: they are whole, and are the first r->at bytes.
 * False: more is to come, or r->wrong says why it need not.
 */
bool resp_scan(struct resp *r, const char *bytes, size_t n, size_t limit);

/* A walk through whole replies, {begin, end} at first: every value before those that it consists of. */
struct resp_walk {
    const char *at, *end;
};

/* The next value, whose bytes stay the buffer's. False: that was the last one; then it is a RESP_NIL. */
bool resp_next(struct resp_walk *w, struct resp_value *v);

/* Goes past the elements of the value that came last. */
void resp_skip(struct resp_walk *w, const struct resp_value *v);

/* Whether it is a text, or an error, that begins with those words. */
bool resp_begins(const struct resp_value *v, const char *words);

#endif
