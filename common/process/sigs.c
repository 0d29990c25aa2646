/*
 * sigs.c - see sigs.h.
 */
#include "process/sigs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pollfor.h"
#include "base/tick.h"

enum { FEW = 16, LOOK_MS = 50 };

static struct {
    bool started;
    int error;           /* of what never fails; 0: it did not */
    int fd;              /* signalfd(2) of `caught`, made when fds are first waited for; -1: none */
    sigset_t found_mask; /* the mask we were started with */
    sigset_t caught;     /* blocked, and taken by us alone */
    bool term_ends;      /* whoever takes SIGTERM ends with it */
    bool left_over;      /* one was taken by a sleep that reported ready fds: the next sleep reports it */
    sigset_t mask_to_restore; /* what sigs_release goes back to */
    struct pollfd *polls;     /* of room_for */
    nfds_t room;
} state;

/* Of each signal what was taken from the kernel and from us not yet, and what it is. */
static struct {
    unsigned short count;
    bool sent : 1;          /* the last to us alone */
    bool found_ignored : 1; /* once its disposition was changed and, after sigs_learn_ignored, of all */
    bool ending : 1;        /* it is in `caught`, and sigs_take_ending takes it */
    bool lazy : 1;          /* not so if it turns out that it was found ignored */
} taken[NSIG];

static int set_disposition(int sig, void (*disposition)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = disposition;
    int done = sigaction(sig, &action, NULL);
    if (done < 0)
        state.error = errno;
    return done;
}

static void start(void)
{
    if (state.started)
        return;
    state.started = true;
    state.fd = -1;
    sigprocmask(SIG_SETMASK, NULL, &state.found_mask);
    sigemptyset(&state.caught);
}

/* Those that are new in `caught`. */
static void block_caught(void)
{
    if (sigprocmask(SIG_BLOCK, &state.caught, NULL) < 0)
        state.error = errno;
    if (state.fd >= 0 && signalfd(state.fd, &state.caught, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
        state.error = errno;
}

void sigs_catch(int sig)
{
    start();
    if (taken[sig].lazy && sigs_found_ignored(sig))
        taken[sig].ending = false; /* taken, but it ends nobody who was to ignore it */
    taken[sig].lazy = false;
    if (sigismember(&state.caught, sig) == 0 && sigaddset(&state.caught, sig) == 0)
        block_caught();
    if (sig != SIGCHLD || !sigs_is_ignored(sig))
        return;
    taken[sig].found_ignored = true; /* where it is ignored, children leave no status (wait(2)) */
    set_disposition(sig, SIG_DFL);
}

static bool is_of_fault(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP ||
           sig == SIGSYS || sig == SIGABRT;
}

/* Signals whose default action is to end the process: all but these (signal(7)). */
static bool ends_by_default(int sig)
{
    switch (sig) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    default:
        return sig <= SIGSYS || (sig >= SIGRTMIN && sig <= SIGRTMAX);
    }
}

static void catch_all(bool faults)
{
    start();
    for (int sig = 1; sig < NSIG; sig++)
        if (ends_by_default(sig) && (faults || !is_of_fault(sig)) && sigismember(&state.caught, sig) != 1 &&
            sigaddset(&state.caught, sig) == 0)
            taken[sig].ending = taken[sig].lazy = true;
    block_caught();
}

void sigs_catch_ending(void)
{
    catch_all(false);
}

void sigs_catch_all_ending(void)
{
    catch_all(true);
}

int sigs_fd(void)
{
    return state.started ? state.fd : -1;
}

void sigs_catch_also(int sig)
{
    sigs_catch(sig);
    taken[sig].ending = true;
}

void sigs_claim_term(void)
{
    sigs_catch_also(SIGTERM);
}

void sigs_end_at_term(void)
{
    sigs_catch(SIGTERM);
    state.term_ends = true;
}

void sigs_heed_term(void)
{
    start();
    if (sigismember(&state.caught, SIGTERM) == 1)
        return;
    taken[SIGTERM].found_ignored = taken[SIGTERM].found_ignored || sigs_is_ignored(SIGTERM);
    sigs_give(SIGTERM, false);
    sigs_give_blocked(SIGTERM, false);
}

bool sigs_work(void)
{
    errno = state.error;
    return !state.error;
}

/* Those that a terminal sends to a whole process group (termios(3), tty_ioctl(4)). */
static bool is_of_terminal(int sig)
{
    return sig == SIGINT || sig == SIGQUIT || sig == SIGHUP || sig == SIGTSTP || sig == SIGCONT ||
           sig == SIGWINCH || sig == SIGTTIN || sig == SIGTTOU;
}

/* A hangup goes to the leader of the session alone (and to the foreground group once that has exited). */
static bool was_sent(const siginfo_t *info)
{
    int sig = info->si_signo;
    return info->si_code <= 0 || !is_of_terminal(sig) || (sig == SIGHUP && getsid(0) == getpid());
}

static void note(const siginfo_t *info)
{
    int sig = info->si_signo;
    if (tick_is(info) || (taken[sig].lazy && sigs_is_ignored(sig)))
        return;
    if ((sig == SIGXFSZ || sig == SIGPIPE) && info->si_code <= 0 && info->si_pid == getpid())
        return; /* of our own write(2), which says so itself */
    if (sig == SIGTERM && state.term_ends)
        sigs_die(sig);
    taken[sig].count++;
    taken[sig].sent = was_sent(info);
}

/* sigtimedwait(2), except that an interruption is one: musl's begins anew, with the whole time. */
static int next_signal(siginfo_t *info, int64_t ns)
{
    const int64_t s = ns / CLOCK_SECOND;
    const long limit[] = {
        s < LONG_MAX ? (long)s : LONG_MAX, (long)(ns % CLOCK_SECOND)}; /* the kernel's timespec */
    return (int)syscall(
        SYS_rt_sigtimedwait, &state.caught, info, ns == CLOCK_NEVER ? NULL : limit, (size_t)(_NSIG / 8));
}

static bool have_signalfd(void);

/* The same from the signalfd, for a system that refuses that call (a seccomp filter). */
static int read_signal(siginfo_t *info)
{
    struct signalfd_siginfo s;
    if (!have_signalfd() || read(state.fd, &s, sizeof s) != (ssize_t)sizeof s)
        return -1;
    info->si_signo = (int)s.ssi_signo;
    info->si_code = s.ssi_code;
    info->si_pid = (pid_t)s.ssi_pid;
    return info->si_signo;
}

/* Takes one that is pending, if there is any: each comes by itself, in its order. Keeps errno. */
static bool take_pending(void)
{
    int err = errno;
    siginfo_t info;
    int sig = next_signal(&info, 0);
    if (sig < 0 && errno != EAGAIN)
        sig = read_signal(&info);
    if (sig > 0)
        note(&info);
    errno = err;
    return sig > 0;
}

bool sigs_take(int sig)
{
    if (!taken[sig].count)
        return false;
    taken[sig].count = 0;
    return true;
}

static int find_ending(void)
{
    for (int sig = 1; sig < NSIG; sig++)
        if (taken[sig].count && taken[sig].ending)
            return sig;
    return 0;
}

int sigs_take_ending(bool *sent)
{
    int sig = find_ending();
    if (!sig)
        return 0;
    if (sent)
        *sent = taken[sig].sent;
    taken[sig].count--;
    return sig;
}

bool sigs_ending_came(void)
{
    siginfo_t sent = {.si_code = SI_USER};
    while (state.started && (sent.si_signo = tick_take_sent(&state.caught)))
        note(&sent);
    while (state.started && tick_came() && take_pending())
        ;
    return find_ending() != 0;
}

/* Without a signalfd, as no fd is to be had: looks for signals at every tick's time. */
static int poll_and_look(struct pollfd *fds, nfds_t n, int64_t ns)
{
    int64_t deadline = ns == CLOCK_NEVER ? CLOCK_NEVER : clock_in(ns);
    for (;;) {
        if (take_pending()) {
            errno = EINTR;
            return -1;
        }
        int64_t left = clock_left(deadline);
        int ready = poll_for(fds, n, clock_first(left, LOOK_MS * CLOCK_MS));
        if (ready != 0 || left <= LOOK_MS * CLOCK_MS)
            return ready;
    }
}

/* A number above those that programs' fds are placed at, so that none of these is ever ours. */
static bool have_signalfd(void)
{
    enum { ABOVE = 16 };
    if (state.fd < 0) {
        int fd = signalfd(-1, &state.caught, SFD_CLOEXEC | SFD_NONBLOCK);
        state.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
        if (fd >= 0 && state.fd >= 0)
            close(fd);
        else if (fd >= 0)
            state.fd = fd;
    }
    return state.fd >= 0;
}

/* Nothing to wait for but signals: 0 at the end of the time, else -1 with errno. */
static int sleep_for_signals(int64_t ns)
{
    siginfo_t info;
    int sig = next_signal(&info, ns);
    if (sig < 0)
        return errno == EAGAIN ? 0 : -1;
    note(&info);
    errno = EINTR;
    return -1;
}

/* Room for n fds and the signalfd: `few`, or memory that is kept. NULL when there is none. */
static struct pollfd *room_for(nfds_t n, struct pollfd few[static FEW + 1])
{
    if (n <= FEW)
        return few;
    if (n >= state.room) {
        struct pollfd *more = realloc(state.polls, 2 * n * sizeof *more);
        if (!more)
            return NULL;
        state.polls = more;
        state.room = 2 * n;
    }
    return state.polls;
}

/* Signals among the fds, as one that can be read. */
static int poll_with_signals(struct pollfd *all, struct pollfd *fds, nfds_t n, int64_t ns)
{
    if (n)
        memcpy(all, fds, n * sizeof *fds);
    all[n] = (struct pollfd){.fd = state.fd, .events = POLLIN};
    int ready = poll_for(all, n + 1, ns);
    if (ready <= 0)
        return ready;
    if (n)
        memcpy(fds, all, n * sizeof *fds);
    if (!all[n].revents)
        return ready;
    take_pending();
    state.left_over = --ready > 0;
    errno = EINTR;
    return ready ? ready : -1;
}

int sigs_sleep(struct pollfd *fds, nfds_t n, int64_t ns)
{
    struct pollfd few[FEW + 1];
    if (!state.started)
        return poll_for(fds, n, ns);
    if (state.left_over) {
        state.left_over = false;
        errno = EINTR;
        return -1;
    }
    int slept = n ? -1 : sleep_for_signals(ns);
    if (slept == 0 || (!n && errno == EINTR))
        return slept;
    struct pollfd *all = have_signalfd() ? room_for(n, few) : NULL;
    return all ? poll_with_signals(all, fds, n, ns) : poll_and_look(fds, n, ns);
}

void sigs_block_all(sigset_t *before)
{
    sigset_t all;
    int err = errno;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, before);
    errno = err;
}

void sigs_unblock(const sigset_t *before)
{
    int err = errno;
    sigprocmask(SIG_SETMASK, before, NULL);
    errno = err;
}

int sigs_look_and_pause(struct pollfd *fds, nfds_t n, int64_t ns)
{
    int ready = poll_each(fds, n);
    if (ready <= 0)
        return sigs_sleep(NULL, 0, clock_first(ns, LOOK_MS * CLOCK_MS));
    take_pending();
    return ready;
}

/*
 * The signals that libc keeps for its threads, below SIGRTMIN: its sigaction(2) refuses them, and its
 * posix_spawn(3) leaves them ignored in every child. We have no threads, so they become default here, once
 * for all our programs.
 */
static void reset_reserved(void)
{
#ifdef SYS_rt_sigaction
    static const unsigned long
        all_default[8]; /* the kernel's struct sigaction, whose layout depends on the machine */
    for (int sig = SIGSYS + 1; sig < SIGRTMIN; sig++)
        syscall(SYS_rt_sigaction, sig, all_default, NULL, (size_t)(_NSIG / 8));
#endif
}

void sigs_learn_ignored(void)
{
    start();
    reset_reserved();
    for (int sig = 1; sig < NSIG; sig++)
        if (sigs_is_ignored(sig))
            taken[sig].found_ignored = true;
}

int sigs_give(int sig, bool ignored)
{
    return set_disposition(sig, ignored ? SIG_IGN : SIG_DFL);
}

int sigs_give_blocked(int sig, bool blocked)
{
    sigset_t one;
    sigemptyset(&one);
    if (sigaddset(&one, sig) < 0)
        return -1;
    errno = EINVAL;
    if (blocked && (sig == SIGKILL || sig == SIGSTOP))
        return -1;
    return sigprocmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &one, NULL);
}

bool sigs_is_ignored(int sig)
{
    struct sigaction now;
    return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

bool sigs_is_blocked(int sig)
{
    sigset_t now;
    return sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, sig) == 1;
}

bool sigs_found_ignored(int sig)
{
    return taken[sig].found_ignored || sigs_is_ignored(sig);
}

void sigs_reset(enum sigs_start how)
{
    if (!state.started && how == SIGS_INHERITED)
        return; /* nothing was changed */
    start();
    for (int sig = 1; sig < NSIG; sig++)
        if (taken[sig].found_ignored)
            set_disposition(sig, how == SIGS_CLEAN ? SIG_DFL : SIG_IGN);
    if (how == SIGS_PIPELINE)
        set_disposition(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, how == SIGS_CLEAN ? &none : &state.found_mask, NULL);
}

void sigs_hold(void)
{
    sigset_t all;
    start(); /* a child finds out what we were given from us */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &state.mask_to_restore);
}

void sigs_release(void)
{
    sigprocmask(SIG_SETMASK, &state.mask_to_restore, NULL);
}

void sigs_stop_group(void)
{
    kill(0, SIGTSTP);
    sigs_give_blocked(SIGTSTP, false); /* here */
    sigs_give_blocked(SIGTSTP, true);
}

void sigs_die(int sig)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0); /* a core_pattern with a pipe knows no limit (core(5)) */
    set_disposition(sig, SIG_DFL);
    kill(getpid(), sig);
    sigs_give_blocked(sig, false);
    _exit(128 + sig); /* not reached by a signal whose default is to end us */
}
