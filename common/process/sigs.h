/*
 * sigs.h - deferred signals, without handlers. Beside tick, the only module that touches dispositions and
 * masks.
 *
 * A caught signal is blocked from sigs_catch on, for good. It stays pending in the kernel until it is taken,
 * at a point where nothing is half done: by sigtimedwait(2) where there are no fds to wait for, else with a
 * signalfd(2) among them. So none is lost between a test and a sleep, and a real-time signal that was sent
 * three times is taken three times. Calls that know no deadline run under a tick (tick.h). What was inherited
 * is kept, so that a program can be given it back untouched.
 */
#ifndef SIGS_H
#define SIGS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/msg.h"

/* Takes sig from now on, even if it was ignored. */
void sigs_catch(int sig);

/*
 * Catches every signal whose default action is to terminate the process, except faults (SIGSEGV ...) and
 * those that were inherited as ignored (a background job of a script goes on ignoring SIGINT).
 */
void sigs_catch_ending(void);

/*
 * For what passes signals on: with those of faults, which another process may send (the watchdog of a service
 * manager sends SIGABRT). A fault of our own still ends us: the kernel lets nobody block it.
 */
void sigs_catch_all_ending(void);

/* One more that is taken as those are, whatever it does by default. */
void sigs_catch_also(int sig);

/*
 * For what serves, or works until it is told to stop, after sigs_catch_ending: SIGTERM is its own, and taken
 * even if it was inherited as ignored.
 */
void sigs_claim_term(void);

/*
 * The same for a process that only waits, in sigs_sleep, and has nothing to take away: there SIGTERM ends it,
 * as process 1, too.
 */
void sigs_end_at_term(void);

/*
 * While there is nothing to undo: unless it was caught, SIGTERM has its default action, even if it was
 * inherited as ignored or blocked. A program is given back what was inherited.
 */
void sigs_heed_term(void);

/* Whether all of that could be done; else errno says why not. */
bool sigs_work(void);

/* Our signalfd(2), which signals are waited for with; -1: there is none yet. */
int sigs_fd(void);

/* Whether sig came since the last call; forgets it. */
bool sigs_take(int sig);

/*
 * A signal that sigs_catch_ending caught and that came and was not taken, or 0. Takes it. *sent, if not NULL:
 * whether it came to this process alone: from a process, from an inherited alarm(2), or as the hangup that
 * the kernel sends to a session leader; else the terminal has sent it to the whole process group, as at
 * Ctrl-C. A SIGXFSZ or SIGPIPE of our own failed write(2) is never one of them: write's error says it all.
 */
int sigs_take_ending(bool *sent);

/* Whether there is one to take: also of those that came since the last sleep, while a call ran under a tick.
 */
bool sigs_ending_came(void);

/*
 * Sleeps until an fd is ready, a caught signal comes, or ns nanoseconds have passed (CLOCK_NEVER: no limit).
 * As ppoll(2): the number of ready fds; 0 at the end of the time; -1 with
 * EINTR when a signal was taken, or for no reason. A signal that comes beside ready fds can be taken at once,
 * and makes the next sleep return.
 */
int sigs_sleep(struct pollfd *fds, nfds_t n, int64_t ns);

/*
 * The same for what has nothing to undo: where ppoll(2) fails otherwise than by EINTR, the process ends with
 * a message. No such failure may be taken for silence.
 */
int sigs_sleep_or_die(const struct msg *m, struct pollfd *fds, nfds_t n, int64_t ns);

/* The same for loops that also look for themselves: where it fails so, it goes on as sigs_look_and_pause. */
int sigs_sleep_or_pause(struct pollfd *fds, nfds_t n, int64_t ns);

/* For where sigs_sleep has failed: looks at each fd by itself and, if none is ready, sleeps for 50 ms, on
 * signals alone. */
int sigs_look_and_pause(struct pollfd *fds, nfds_t n, int64_t ns);

/*
 * Sleeps until the fd is ready, through signals, for a process that has caught none that end it. 0, or -1
 * with errno: ETIMEDOUT, or what ppoll(2) said.
 */
int sigs_wait(int fd, short events, int64_t deadline);

/* Around a few calls that belong together: a signal that ends us comes before or after them. Both keep errno.
 */
void sigs_block_all(sigset_t *before);
void sigs_unblock(const sigset_t *before);

/*
 * What a program will inherit, changed at once: for a process that does nothing but exec next. -1 with errno
 * (EINVAL: not for SIGKILL and SIGSTOP).
 */
int sigs_give(int sig, bool ignored);
int sigs_give_blocked(int sig, bool blocked);

/* What we were given. */
bool sigs_is_ignored(int sig);
bool sigs_is_blocked(int sig);

/* The state of signals that a program starts with. */
enum sigs_start {
    SIGS_INHERITED, /* mask and dispositions as we found them: launchers are transparent */
    SIGS_PIPELINE,  /* the same, but SIGPIPE is default: a pipeline's stages */
    SIGS_CLEAN,     /* all default, nothing blocked: servers and daemons */
};

/* Must have been called in the parent before sigs_reset(SIGS_CLEAN): finds out what is ignored. */
void sigs_learn_ignored(void);

/* Whether a signal that we caught was ignored when we were started. */
bool sigs_found_ignored(int sig);

/*
 * For the process that is about to exec: from here on signals have the effect that they have on the program.
 * A child that shares its parent's memory changes nothing of it.
 */
void sigs_reset(enum sigs_start start);

/* Between these two no signal comes in, but those that can't be kept out: what is forked begins like that. */
void sigs_hold(void);
void sigs_release(void);

/*
 * Stops our process group by SIGTSTP, which we have caught, ourselves by its default action: where nobody
 * could continue an orphaned group, the kernel stops none of it. Returns once continued, or at once.
 */
void sigs_stop_group(void);

/* Is killed by that very signal, without a core file of our own, so that a shell sees what happened. */
_Noreturn void sigs_die(int sig);

#endif
