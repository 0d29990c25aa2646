/*
 * progress.h - how far a transfer is, on stderr once a second: on a terminal always on the same line.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *applet;
    bool wanted, shown;
    int64_t began, next;
};

void progress_start(struct progress *p, const char *applet, bool wanted);

/* Nanoseconds until it is to be shown again; CLOCK_NEVER if nobody wants it. */
int64_t progress_left(const struct progress *p);

/* Shows it if its time has come; bytes so far. */
void progress_tick(struct progress *p, uint64_t sent, uint64_t received);

/* The last word. */
void progress_end(struct progress *p, uint64_t sent, uint64_t received);

#endif
