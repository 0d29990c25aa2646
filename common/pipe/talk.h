/*
 * talk.h - the inside of coproc_relay.c: lanes, and what is done to the bytes on them (talk.c).
 *
 * A lane is one direction of the conversation. A plain lane is a pump. A lane with a filter reads with one
 * half and writes with another, its sink, which two lanes may share; the filter moves bytes between them.
 */
#ifndef TALK_H
#define TALK_H

#include "pipe/coproc.h"
#include "pipe/pty.h"
#include "io/relay.h"

struct talk;

struct lane {
    struct pump pump;  /* all of it, or the half that reads */
    struct pump *sink; /* the half that writes; NULL: none, the pump does it */
    const char *tag;   /* of --tag */
    bool open;         /* there may be more to come */
    bool source_ended; /* with a sink: all that remains is what it holds */
    /*
     * Moves what it may from the pump's buffer to the sink's, which is empty. With `ended` there is nothing
     * more to wait for. Whether it moved any.
     */
    bool (*filter)(struct talk *t, struct lane *l, bool ended);
};

struct talk {
    struct coproc *c;
    struct lane in, out, err;      /* to SERVER, and from it */
    struct pump in_sink, out_sink; /* where lanes have filters */
    struct pty_line line;          /* --pty=both */
    int64_t deadline;              /* of the present answer */
    bool request_whole, answer_whole;
    bool answer_in_line; /* the answer's last line has not ended */
    bool input_ended;
    bool free_running; /* stdin has ended, and lock-step with it */
    uint64_t lines;    /* of the present answer */
    bool heard;        /* SERVER has said something, ever */
    bool answer_begun;
    size_t matched, *fallback; /* --until: bytes of the text that match, and what to go back to */
    bool alone;                /* SERVER has ended, the only one; `came`: after this signal, or 0 */
    int came;
    bool lost_output;          /* stdout is gone */
    int64_t last_output, look; /* when to look whether the terminal is to be hung up */
    bool waited;               /* for SERVER's end, long enough */
};

/* Filters. */
bool talk_encode(struct talk *t, struct lane *l, bool ended); /* to a terminal's input */
bool talk_tag(struct talk *t, struct lane *l, bool ended);
bool talk_request(struct talk *t, struct lane *l, bool ended); /* lock-step: to SERVER */
bool talk_answer(struct talk *t, struct lane *l, bool ended);  /* lock-step: from SERVER */

/* Prepares lock-step. 0, or -1 with ENOMEM. */
int talk_start_steps(struct talk *t);

/* Whether SERVER, which has ended, still owes an answer. A last line without its newline is a line. */
bool talk_is_unanswered(const struct talk *t);

/* Adds what SERVER has not done by its deadline, and what helps if it may only be buffering its output. */
void talk_describe_late(const struct talk *t, struct buf *text);

/* The deadline of the answer that SERVER owes, CLOCK_NEVER if it owes none. */
int64_t talk_deadline(const struct talk *t);

#endif
