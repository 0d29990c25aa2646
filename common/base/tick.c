/*
 * tick.c - see tick.h. A signal handler can reach nothing but the state below.
 */
#include "base/tick.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* musl's name of the call whose times are those of long, where long has 32 bits */
#ifndef SYS_timer_settime
#define SYS_timer_settime SYS_timer_settime32
#endif

enum { TICK_MS = 50 };

/* One that queues: the tick of the timer and a signal that a process sent are never taken for each other. Not
 * the last ones, which qemu-user and valgrind keep for themselves, nor one above 64, which MIPS alone has. */
#define TICK (SIGRTMIN + 20)

static struct {
    bool handled, found_ignored;
    int depth;      /* of pairs */
    sigset_t outer; /* the mask outside of the pair */
    int timer;
    pid_t owner; /* whose timer it is: a child inherits none (timer_create(2)) */
} state;

static volatile sig_atomic_t ticked, from_others;

/* By a process. Not "other than SI_TIMER": qemu-user has another number for that on MIPS. */
static bool is_sent(const siginfo_t *info)
{
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
}

static void note(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    if (is_sent(info))
        from_others++;
    else
        ticked = 1;
}

static void handle(void)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    if (sigaction(TICK, &action, &old) == 0 && !state.handled)
        state.found_ignored = old.sa_handler == SIG_IGN;
    state.handled = true;
}

/*
 * By the system calls themselves: libc's functions, which can start threads, would bring all that into a
 * static binary.
 */
static int make_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = TICK};
    if (state.owner == getpid())
        return 0;
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &state.timer) < 0) {
        if (errno == EAGAIN)
            errno = ENOMEM;
        return -1;
    }
    state.owner = getpid();
    return 0;
}

static int set_timer(long ns)
{
    const long repeat[] = {0, ns, 0, ns}; /* the kernel's struct itimerspec */
    return (int)syscall(SYS_timer_settime, state.timer, 0, repeat, NULL);
}

static void only_tick(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, TICK);
}

int tick_begin(void)
{
    sigset_t tick;
    if (state.depth++)
        return 0;
    handle();
    if (make_timer() < 0 || set_timer(TICK_MS * CLOCK_MS) < 0)
        return state.depth = 0, -1;
    only_tick(&tick);
    ticked = 0;
    sigprocmask(SIG_UNBLOCK, &tick, &state.outer);
    return 0;
}

void tick_end(void)
{
    int err = errno;
    sigset_t tick;
    siginfo_t info;
    const struct timespec at_once = {0};
    if (--state.depth)
        return;
    only_tick(&tick);
    sigprocmask(SIG_BLOCK, &tick, NULL);
    set_timer(0);
    while (sigtimedwait(&tick, &info, &at_once) > 0) /* a last tick, or what another process has sent */
        from_others += is_sent(&info);
    if (from_others && sigismember(&state.outer, TICK) == 0)
        tick_undo(); /* nobody catches it: it has its effect below */
    for (; from_others; from_others--)
        kill(getpid(), TICK);
    sigprocmask(SIG_SETMASK, &state.outer, NULL);
    errno = err;
}

bool tick_came(void)
{
    bool came = ticked || !state.depth;
    ticked = 0;
    return came;
}

void tick_undo(void)
{
    struct sigaction action;
    if (!state.handled)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = state.found_ignored ? SIG_IGN : SIG_DFL;
    sigaction(TICK, &action, NULL);
}
