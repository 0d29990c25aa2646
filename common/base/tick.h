/*
 * tick.h - a timer that interrupts system calls which know neither a deadline nor a signal mask.
 *
 * Between tick_begin and tick_end, a blocking call (flock(2), msgrcv(2), open(2) of a FIFO, write(2) to a
 * terminal) fails with EINTR every 50 ms, so that its caller can look at the clock and at the signals that
 * are pending. All other signals stay blocked: nothing but the tick's own signal, SIGRTMIN+20, is let in. The
 * timer is our own (timer_create(2)); an alarm(2) that was inherited goes on. A pair inside a pair does
 * nothing.
 */
#ifndef TICK_H
#define TICK_H

#include <signal.h>
#include <stdbool.h>

/* 0, or -1 with errno: no timer can be had (ENOMEM, also for RLIMIT_SIGPENDING: never EAGAIN, which callers
 * take for "not now"). Then nothing has begun. */
int tick_begin(void);

/* Keeps errno. */
void tick_end(void);

/* Whether a tick has come since the last call, or since tick_begin; true outside of such a pair. */
bool tick_came(void);

/* Whether it is a tick: one can be taken by sigtimedwait(2), too. */
bool tick_is(const siginfo_t *info);

/* SIGRTMIN+20, if it is in `of`, and a process has sent it since tick_begin, as often as it has; else 0. What
 * is not taken comes again at tick_end, with its own effect. */
int tick_take_sent(const sigset_t *of);

#endif
