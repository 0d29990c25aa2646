/*
 * worker.c - see worker.h.
 */
#include "process/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "process/sigs.h"

pid_t worker_start(int (*work)(void *), void *arg, bool tied)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigs_reset(SIGS_INHERITED);
    if (tied)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t now = getppid(); /* 0: it is in another pid namespace */
    if (tied && now && now != parent)
        _exit(EXIT_SYSTEM);
    _exit(work(arg));
}

pid_t worker_beside(int (*work)(void *), void *arg)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(arg));
    return pid;
}

pid_t worker_detach(int (*work)(void *), void *arg)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    _exit(work(arg));
}

struct keeper {
    int (*work)(void *);
    void *arg;
};

static int keep(void *arg)
{
    const struct keeper *k = arg;
    setsid();
    _exit(k->work(k->arg));
}

pid_t worker_keep(int (*work)(void *), void *arg)
{
    enum { STACK = 65536, ALIGN = 64 };
    struct keeper k = {.work = work, .arg = arg};
    char *stack = malloc(STACK + ALIGN); /* the child has a copy of it; ours may be small (RLIMIT_STACK) */
    if (!stack)
        return -1;
    char *top = stack + STACK + ALIGN - (uintptr_t)stack % ALIGN;
    sigs_hold(); /* from its first moment on: the hangup of our own end may reach it */
    pid_t pid = clone(keep, top, CLONE_SYSVSEM | SIGCHLD, &k);
    int err = errno;
    sigs_release();
    free(stack);
    errno = err;
    return pid;
}
