/*
 * schedule.h - how programs are asked to exit: signal after signal, each with its time, and SIGKILL after the
 * last (start-stop-daemon(8) --retry).
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCHEDULE_MAX = 8 };

struct schedule {
    size_t n;
    struct {
        int sig;
        int64_t time; /* ns until the next step; negative: none was given */
    } steps[SCHEDULE_MAX];
};

/* One signal and its time. */
struct schedule schedule_of(int sig, int64_t time);

/* "SIG[:TIME][,SIG[:TIME]]...", of which KILL can only be the last, and is no step. False: it is none. */
bool schedule_parse(const char *text, struct schedule *s);

/* Gives that time to every step that has none. */
void schedule_fill(struct schedule *s, int64_t time);

#endif
