/*
 * speak.h - text for somebody who may not read it: a write(2) that ends after a bounded time.
 *
 * Nothing that we do waits for a reader of what we say about it. A text that finds no room is given up after
 * 200 ms; from then on texts to the same fd are not waited for at all, until one gets through. O_NONBLOCK
 * belongs to the description, which others share, and is never set: a socket is written to with MSG_DONTWAIT,
 * a pipe with RWF_NOWAIT, and what knows neither (a terminal, an old kernel) under a tick that interrupts the
 * call. A regular file is written to directly.
 */
#ifndef SPEAK_H
#define SPEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A line, or several, to standard error, in one write: at most PIPE_BUF bytes, so that concurrent lines never
 * mix. After one of which only a part was taken, the next begins on a new line.
 */
void speak(const char *lines, size_t n);

/* How many calls were given up since the last one that was not. */
unsigned long speak_lost(void);

/*
 * All n bytes to fd within 200 ms, or at once if *stalled: the text before was given up. 0, or -1 with errno:
 * EAGAIN when the time was over (some may have been written), or write(2)'s. *stalled is the caller's for
 * this reader, false at first.
 */
int speak_to(int fd, const void *bytes, size_t n, bool *stalled);

/* As much as can be written at once: how much, or -1 with errno: EAGAIN when that is nothing, or write(2)'s.
 */
ssize_t speak_now(int fd, const void *bytes, size_t n);

#endif
