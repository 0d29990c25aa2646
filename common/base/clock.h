/*
 * clock.h - deadlines: points on the monotonic clock, in nanoseconds.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#define CLOCK_MS INT64_C(1000000)
#define CLOCK_SECOND (1000 * CLOCK_MS)

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

/* Now, on CLOCK_MONOTONIC. */
int64_t clock_now(void);

/* The deadline that is ns from now; CLOCK_NEVER if that is beyond all time. */
int64_t clock_in(int64_t ns);

/* Nanoseconds until the deadline: 0 if it has passed, CLOCK_NEVER if it never comes. */
int64_t clock_left(int64_t deadline);

/* The earlier of two deadlines. */
int64_t clock_first(int64_t a, int64_t b);

#endif
