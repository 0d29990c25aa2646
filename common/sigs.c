/*
 * sigs.c - see sigs.h. The state below is the one place of non-const globals in the house: a handler can
 * reach nothing else.
 */
#include "sigs.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* A bit for each signal; sigset_t is for those that go to the kernel, and is 16 times as large. */
typedef uint64_t set;

_Static_assert(NSIG <= 65, "a signal has no bit");

static set bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

static struct {
    bool started;
    pid_t owner;   /* whose handlers they are: one that shares or copies our memory is on its way to exec */
    bool handlers; /* have been needed: all that are caught have theirs */
    int error;     /* of what never fails; 0: it did not */
    sigset_t found_mask;    /* the mask we were started with */
    sigset_t open_mask;     /* that, with our signals let in */
    sigset_t caught;        /* ours, blocked but in sigs_sleep */
    sigset_t released_mask; /* what sigs_release goes back to */
    set found_ignored;      /* of the handled and, after sigs_learn_ignored, of all signals */
    set handled;            /* those of `caught` that have their handler */
    set ending;             /* those that sigs_catch_ending took */
    set yielding;           /* those of these that stay ignored if they were */
    int timer;              /* of sigs_open */
    int busy;               /* sleeps that were none, one after the other */
    pid_t timer_owner;      /* whose it is: a child has none of its own yet */
} state;

static volatile sig_atomic_t noted[NSIG]; /* 0, or from whom it came last */
enum { FROM_KERNEL = 1, FROM_PROCESS };
static volatile sig_atomic_t unslept; /* one came outside sigs_sleep: the next sleep is none */
static volatile sig_atomic_t leaving; /* the owner itself is between sigs_reset and exec(2) */

enum { BUSY_MAX = 8 };

/* The signal of sigs_open's timer. One that queues: that of another sender is never taken for it. */
#define TICK SIGRTMAX

static void set_handler(int sig, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(sig, &action, NULL);
}

static void note(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (leaving ||
        getpid() != state.owner) { /* it is the program's, and does to it what it does by default */
        set_handler(sig, SIG_DFL);
        kill(getpid(), sig);
        return;
    }
    if (sig == TICK && info->si_code == SI_TIMER) /* it has interrupted what it had to */
        return;
    noted[sig] = info->si_code > 0 ? FROM_KERNEL : FROM_PROCESS;
    unslept = 1;
}

static void start(void)
{
    if (state.started)
        return;
    state.started = true;
    state.owner = getpid();
    sigprocmask(SIG_SETMASK, NULL, &state.found_mask);
    state.open_mask = state.found_mask;
    sigemptyset(&state.caught);
}

/* It is blocked: nothing comes in between. */
static void handle(int sig)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    memset(&old, 0, sizeof old);
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    if (sigaction(sig, &action, &old) < 0)
        state.error = errno;
    state.handled |= bit(sig);
    if (old.sa_handler != SIG_IGN)
        return;
    state.found_ignored |= bit(sig);
    if (state.yielding & bit(sig))
        set_handler(sig, SIG_IGN); /* forgets what came meanwhile, too */
}

/*
 * Handlers, for all that are caught and will be: for sleeps that wait for fds, too, and for calls that are
 * to be interrupted. Who only waits for signals, as most launchers do, starts without those 46 calls. Keeps
 * errno.
 */
static void add_handlers(void)
{
    int err = errno;
    state.handlers = true;
    for (int sig = 1; sig < NSIG; sig++)
        if (sigismember(&state.caught, sig) == 1 && !(state.handled & bit(sig)))
            handle(sig);
    errno = err;
}

static void take_over(set signals)
{
    sigset_t taken;
    sigemptyset(&taken);
    for (int sig = 1; sig < NSIG; sig++) {
        if (!(signals & bit(sig)))
            continue;
        sigaddset(&taken, sig);
        sigaddset(&state.caught, sig);
        sigdelset(&state.open_mask, sig);
    }
    if (sigprocmask(SIG_BLOCK, &taken, NULL) < 0)
        state.error = errno;
    if (state.handlers)
        add_handlers();
}

void sigs_catch(int sig)
{
    start();
    if (state.yielding & bit(sig)) {
        if (sigs_found_ignored(sig))
            state.ending &= ~bit(sig); /* noted, but it ends nobody who was deaf to it */
        state.yielding &= ~bit(sig);
        state.handled &= ~bit(sig);
    }
    take_over(bit(sig));
    if (sig == SIGCHLD && !(state.handled & bit(sig)))
        handle(sig); /* at once: where it is ignored, children leave no status (wait(2)) */
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
    case SIGSEGV: /* faults: returning from their handler would repeat them */
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return false;
    default:
        return sig <= SIGSYS || (sig >= SIGRTMIN && sig <= SIGRTMAX);
    }
}

void sigs_catch_ending(void)
{
    start();
    for (int sig = 1; sig < NSIG; sig++)
        if (ends_by_default(sig) && sigismember(&state.caught, sig) != 1) {
            state.ending |= bit(sig);
            state.yielding |= bit(sig);
        }
    take_over(state.yielding);
}

void sigs_catch_also(int sig)
{
    sigs_catch(sig);
    state.ending |= bit(sig);
}

bool sigs_work(void)
{
    errno = state.error;
    return !state.error;
}

bool sigs_take(int sig)
{
    if (!noted[sig])
        return false;
    noted[sig] = 0;
    return true;
}

/* Those that a terminal sends to a whole process group (termios(3), tty_ioctl(4)). */
static bool is_of_terminal(int sig)
{
    return sig == SIGINT || sig == SIGQUIT || sig == SIGHUP || sig == SIGTSTP || sig == SIGCONT ||
           sig == SIGWINCH || sig == SIGTTIN || sig == SIGTTOU;
}

int sigs_take_ending(bool *sent)
{
    for (int sig = 1; sig < NSIG; sig++) {
        if (!noted[sig] || !(state.ending & bit(sig)))
            continue;
        if (sent)
            *sent = noted[sig] == FROM_PROCESS || !is_of_terminal(sig);
        noted[sig] = 0;
        return sig;
    }
    return 0;
}

/* The signals that have come, without a sleep. Keeps errno. */
static void let_in(void)
{
    int err = errno;
    sigprocmask(SIG_SETMASK, &state.open_mask, NULL);
    sigprocmask(SIG_BLOCK, &state.caught, NULL);
    errno = err;
}

/* sigtimedwait(2), but that an interruption is one: musl's begins anew, with the whole time. */
static int next_signal(siginfo_t *info, int64_t ns)
{
    const int64_t s = ns / CLOCK_SECOND;
    const long limit[] = {
        s < LONG_MAX ? (long)s : LONG_MAX, (long)(ns % CLOCK_SECOND)}; /* the kernel's timespec */
    return (int)syscall(
        SYS_rt_sigtimedwait, &state.caught, info, ns == CLOCK_NEVER ? NULL : limit, (size_t)(_NSIG / 8));
}

/*
 * Sleeps until a signal comes, and takes that one: as with ppoll(2) each comes by itself, in its order, and
 * as often as it was sent. 0 at the end of the time, else -1 with EINTR; or what is wrong with the call: then
 * the next sleep is ppoll's.
 */
static int sleep_for_signals(int64_t ns)
{
    siginfo_t info;
    int sig = next_signal(&info, ns);
    if (sig < 0 && errno == EAGAIN)
        return 0;
    if (sig < 0 && errno != EINTR)
        add_handlers();
    if (sig < 0)
        return -1;
    if (!(state.yielding & bit(sig)) || !sigs_is_ignored(sig))
        noted[sig] = info.si_code > 0 ? FROM_KERNEL : FROM_PROCESS;
    errno = EINTR;
    return -1;
}

int sigs_sleep(struct pollfd *fds, nfds_t n, int64_t ns)
{
    start();
    if (!n && !state.handlers)
        return sleep_for_signals(ns);
    if (!state.handlers)
        add_handlers();
    struct timespec limit = {.tv_sec = ns / CLOCK_SECOND, .tv_nsec = ns % CLOCK_SECOND};
    int ready = -1;
    errno = EINTR;
    if (!unslept)
        ready = ppoll(fds, n, ns == CLOCK_NEVER ? NULL : &limit, &state.open_mask);
    /*
     * With an fd ready, ppoll returns without having let a signal in: at a steady load none would ever come
     * through. A second one each time would cost a relay of small messages a tenth of its speed.
     */
    const struct timespec at_once = {0};
    if (ready < 0 && errno != EINTR)
        let_in();
    state.busy = ready > 0 ? state.busy + 1 : 0;
    if (state.busy == BUSY_MAX) {
        state.busy = 0;
        ppoll(NULL, 0, &at_once, &state.open_mask);
    }
    unslept = 0;
    return ready;
}

int sigs_wait(int fd, short events, int64_t deadline)
{
    struct pollfd wait = {.fd = fd, .events = events};
    for (;;) {
        int n = sigs_sleep(&wait, 1, clock_left(deadline));
        if (n > 0)
            return 0;
        if (n == 0)
            errno = ETIMEDOUT;
        if (errno != EINTR)
            return -1;
    }
}

/*
 * Makes the timer, once in each process (timer_create(2): it is not inherited). By the system calls
 * themselves: libc's functions, which can start threads, would bring all that into a static binary.
 */
static int make_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = TICK};
    if (state.timer_owner == getpid())
        return 0;
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &state.timer) < 0)
        return -1;
    state.timer_owner = getpid();
    return 0;
}

static int set_timer(long ns)
{
    const long repeat[] = {0, ns, 0, ns}; /* the kernel's struct itimerspec */
    return (int)syscall(SYS_timer_settime, state.timer, 0, repeat, NULL);
}

int sigs_open(void)
{
    sigs_catch(TICK);
    if (!state.handlers)
        add_handlers();
    if (make_timer() < 0 || set_timer(50 * CLOCK_MS) < 0)
        return -1;
    sigprocmask(SIG_SETMASK, &state.open_mask, NULL);
    return 0;
}

void sigs_shut(void)
{
    int err = errno;
    sigprocmask(SIG_BLOCK, &state.caught, NULL);
    set_timer(0);
    /* a last tick may be pending: it is nobody's signal */
    const struct timespec at_once = {0};
    siginfo_t info;
    sigset_t tick_only;
    sigemptyset(&tick_only);
    sigaddset(&tick_only, TICK);
    while (sigtimedwait(&tick_only, &info, &at_once) > 0)
        if (info.si_code != SI_TIMER) {
            noted[TICK] = FROM_PROCESS;
            unslept = 1;
        }
    errno = err;
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
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction now;
        if (sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            state.found_ignored |= bit(sig);
    }
}

int sigs_give(int sig, bool ignored)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignored ? SIG_IGN : SIG_DFL;
    return sigaction(sig, &action, NULL);
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

void sigs_reset(enum sigs_legacy legacy)
{
    if (!state.started && legacy == SIGS_INHERITED)
        return; /* nothing was changed */
    start();
    bool clean = legacy == SIGS_CLEAN;
    for (int sig = 1; sig < NSIG; sig++) {
        if (!(state.found_ignored & bit(sig)))
            continue;
        if (clean || sigismember(&state.caught, sig) == 1)
            set_handler(sig, clean ? SIG_DFL : SIG_IGN);
    }
    if (legacy == SIGS_PIPELINE)
        set_handler(SIGPIPE, SIG_DFL);
    if (getpid() == state.owner)
        leaving = 1;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, clean ? &none : &state.found_mask, NULL);
}

void sigs_inherit(void)
{
    state.owner = getpid();
}

bool sigs_ending_came(void)
{
    for (int sig = 1; sig < NSIG; sig++)
        if (noted[sig] && state.ending & bit(sig))
            return true;
    return false;
}

bool sigs_found_ignored(int sig)
{
    return state.found_ignored & bit(sig) || (!(state.handled & bit(sig)) && sigs_is_ignored(sig));
}

void sigs_hold(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &state.released_mask);
}

void sigs_release(void)
{
    sigprocmask(SIG_SETMASK, &state.released_mask, NULL);
}

void sigs_die(int sig)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    set_handler(sig, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, sig);
    kill(getpid(), sig);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    _exit(128 + sig); /* not reached by a signal whose default is to end us */
}
