/*
 * sigs.h - deferred signals. The only module that touches dispositions and masks.
 *
 * That a signal came is noted and nothing else. A caught signal is blocked from sigs_catch on and let in only
 * while sigs_sleep sleeps, so none is lost between a test and a sleep (perlipc's deferred signals; ppoll(2),
 * or sigwaitinfo(2), which needs no handlers, where there are no fds to wait for). What was inherited is
 * kept, so that a program can be given it back untouched.
 */
#ifndef SIGS_H
#define SIGS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Notes sig from now on, also if it was ignored. */
void sigs_catch(int sig);

/*
 * Catches every signal whose default is to end the process and that can be caught, but for faults (SIGSEGV
 * ...) and for those that were inherited as ignored (a background job of a script keeps its deaf ear for
 * SIGINT).
 */
void sigs_catch_ending(void);

/* One more that is taken as those are, whatever it does by default. */
void sigs_catch_also(int sig);

/* Whether all of that could be done; else errno says why not. */
bool sigs_work(void);

/* Whether sig came since the last call; forgets it. */
bool sigs_take(int sig);

/*
 * A signal that sigs_catch_ending caught and that came and was not taken, or 0. Takes it. *sent, if not NULL:
 * whether it came to us alone: from a process, or from an alarm(2) of ours; else it is the terminal's, as
 * Ctrl-C is, which tells the whole group.
 */
int sigs_take_ending(bool *sent);

/* Whether there is one to take. */
bool sigs_ending_came(void);

/*
 * Sleeps until an fd is ready, a caught signal comes, or ns nanoseconds have passed (CLOCK_NEVER: no limit).
 * As ppoll(2): the number of ready fds; 0 at the end of the time; -1 with EINTR when a signal was noted, or
 * for no reason.
 */
int sigs_sleep(struct pollfd *fds, nfds_t n, int64_t ns);

/*
 * Sleeps until the fd is ready, through signals, for who has caught none that end him. 0, or -1 with errno:
 * ETIMEDOUT, or what ppoll(2) said.
 */
int sigs_wait(int fd, short events, int64_t deadline);

/*
 * Between these two a call that knows no mask may wait: caught signals are let in, and a timer interrupts it
 * every 50 ms (EINTR), so that a signal that came just before it costs that much at most. The timer is our
 * own and so is its signal, SIGRTMAX: an alarm(2) that we inherited goes on. sigs_open: 0, or -1 with errno
 * when there can be no timer; then nothing is open. sigs_shut keeps errno.
 */
int sigs_open(void);
void sigs_shut(void);

/*
 * What a program will inherit, changed at once: for a process that does nothing but exec next. -1 with errno
 * (EINVAL: not for SIGKILL and SIGSTOP).
 */
int sigs_give(int sig, bool ignored);
int sigs_give_blocked(int sig, bool blocked);

/* What we were given. */
bool sigs_is_ignored(int sig);
bool sigs_is_blocked(int sig);

/* What sigs_reset leaves behind for a program. */
enum sigs_legacy {
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
void sigs_reset(enum sigs_legacy legacy);

/* For a forked process that goes on as its parent: the handlers, which it has, are its own from here on. */
void sigs_inherit(void);

/* Between these two no signal comes in, but those that can't be kept out: what is forked begins like that. */
void sigs_hold(void);
void sigs_release(void);

/* Dies of that very signal, without a core file, so that a shell sees what happened. */
_Noreturn void sigs_die(int sig);

#endif
