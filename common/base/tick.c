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
    int depth; /* of pairs */
    /* outside of the pair */
    struct sigaction found;
    sigset_t mask;
    int timer;
    pid_t owner; /* whose timer it is: a child inherits none (timer_create(2)) */
    int taken;   /* of those sent */
} state;

static volatile sig_atomic_t ticked, sent;

/* By a process. Not "other than SI_TIMER": qemu-user has another number for that on MIPS. */
static bool is_sent(const siginfo_t *info)
{
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
}

static void note(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    if (is_sent(info))
        sent++;
    else
        ticked = 1;
}

bool tick_is(const siginfo_t *info)
{
    return info->si_signo == TICK && !is_sent(info);
}

static int handle(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    return sigaction(TICK, &action, &state.found);
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
    only_tick(&tick);
    if (make_timer() < 0 || handle() < 0)
        return state.depth = 0, -1;
    ticked = sent = state.taken = 0;
    sigprocmask(SIG_UNBLOCK, &tick, &state.mask);
    if (set_timer(TICK_MS * CLOCK_MS) == 0)
        return 0;
    tick_end();
    return -1;
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
        sent += is_sent(&info);
    sigaction(TICK, &state.found, NULL);
    for (; state.taken < sent; state.taken++)
        kill(getpid(), TICK); /* has its effect below, or when it is looked for */
    sigprocmask(SIG_SETMASK, &state.mask, NULL);
    errno = err;
}

bool tick_came(void)
{
    bool came = ticked || !state.depth;
    ticked = 0;
    return came;
}

int tick_take_sent(const sigset_t *of)
{
    if (!state.depth || state.taken == sent || state.found.sa_handler == SIG_IGN ||
        sigismember(of, TICK) != 1)
        return 0;
    state.taken++;
    return TICK;
}
