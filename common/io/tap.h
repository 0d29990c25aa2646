/*
 * tap.h - a program's output on its way to our stderr, and the line in it that is waited for.
 *
 * Output is read ahead of a slow reader of our stderr, up to PUMP_BUFFER bytes; one that has
 * gone loses it.
 */
#ifndef TAP_H
#define TAP_H

#include "base/ere.h"
#include "io/relay.h"

struct tap {
    struct pump pump; /* pump.from is -1 once the output has ended */
    struct ere *ere;  /* what a line must match; NULL: the first line is taken out, and not passed on */
    bool decided;     /* the line has come, or never will: the output has ended, or the line is too long */
    bool has_line;    /* it has come */
    bool lost;        /* nobody takes the output any more */
    size_t line_len;
    char line[512]; /* without ere: what has come of it, with a NUL behind it */
};

/* From a pipe's reading end, which tap_end closes. 0, or -1 with ENOMEM. */
int tap_begin(struct tap *t, int from);

/* Moves what can be moved now, and looks at it. Whether there may be more. */
bool tap_step(struct tap *t);

/* What to poll for the next step, and what poll said of it. */
void tap_polls(const struct tap *t, struct pollfd polls[static 2]);
void tap_ready(struct tap *t, const struct pollfd polls[static 2]);

/* Whether the output has ended and has been passed on. */
bool tap_is_over(const struct tap *t);

void tap_end(struct tap *t);

#endif
