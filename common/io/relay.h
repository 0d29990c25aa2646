/*
 * relay.h - the byte pump: one direction of a conversation, from one fd to another, without a copy where the
 * kernel can (sendfile(2), splice(2)) and with the same bytes where it can't.
 *
 * A pump never waits by itself and never sets O_NONBLOCK on what it was given: what may block is done only
 * once poll(2) has said that it won't, and in pieces that can't.
 */
#ifndef RELAY_H
#define RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pump_state {
    PUMP_AGAIN, /* something was moved, and there may be more */
    PUMP_WAIT,  /* nothing can be moved until poll(2) says so */
    PUMP_END,   /* the source has ended, and all that it gave was written */
    PUMP_ERROR, /* errno, and p->failed says which end it was */
};

struct pump {
    int from, to; /* the caller's to close */
    enum { PUMP_COPY, PUMP_SENDFILE, PUMP_SPLICE, PUMP_PIPED } way;
    enum pump_kind { PUMP_FILE, PUMP_PIPE, PUMP_SOCKET, PUMP_MASTER, PUMP_OTHER } from_kind, to_kind;
    bool can_read, can_write; /* as far as is known */
    bool stuck;               /* nothing has moved since a two-ended call would have had to wait */
    bool target_full;         /* it was taken to be the target that it would have waited for */
    enum { PUMP_SOURCE, PUMP_TARGET } failed;
    char *buffer;
    size_t start, len; /* of what is in the buffer */
    bool may_pipe;     /* PUMP_COPY may become PUMP_PIPED when there is much to move */
    bool has_grown;    /* much has moved, and the pipes are larger */
    bool has_pipe;
    int pipe[2];   /* of PUMP_PIPED, ours */
    size_t inside; /* it */
    bool paused;   /* half a pump: nothing is to be read now */
    bool limited;  /* the source ends for us after `left` bytes more */
    uint64_t left;
    uint64_t moved; /* bytes that have reached the target */
};

/*
 * A pump from one fd to another; which way depends on what they are. A pseudo-terminal's master ends when its
 * slave is closed (the EIO of pty(7)).
 */
void pump_init(struct pump *p, int from, int to);
void pump_free(struct pump *p);

/* Moves what can be moved now, up to a few pieces. */
enum pump_state pump_step(struct pump *p);

/*
 * Half a pump, for bytes that change on their way: `from` or `to` is -1, and what is in the buffer is taken
 * out or put in by the caller. 0, or -1 with ENOMEM.
 */
enum { PUMP_BUFFER = 128 * 1024 };
int pump_init_half(struct pump *p, int from, int to);

/* Reads once, behind what is in the buffer, which must not be full. PUMP_END at the end of the source. */
enum pump_state pump_fill(struct pump *p);

/* Writes what is in the buffer once. PUMP_END never comes. */
enum pump_state pump_drain(struct pump *p);

/* What to poll while the state is PUMP_WAIT: two entries; an fd that is not waited for is -1. */
void pump_polls(const struct pump *p, struct pollfd polls[static 2]);

/* Takes what poll said of them. */
void pump_ready(struct pump *p, const struct pollfd polls[static 2]);

/* Whether everything that was read has been written. */
bool pump_is_empty(const struct pump *p);

#endif
