/*
 * worker.c - see worker.h.
 */
#include "process/worker.h"

#include <sched.h>
#include <signal.h>
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
    if (tied && getppid() != parent)
        _exit(EXIT_SYSTEM);
    _exit(work(arg));
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
    enum { STACK = 65536 };
    _Alignas(16) char stack[STACK]; /* the child has a copy of it */
    struct keeper k = {.work = work, .arg = arg};
    sigs_hold(); /* from its first moment on: the hangup of our own end may reach it */
    pid_t pid = clone(keep, stack + STACK, CLONE_SYSVSEM | SIGCHLD, &k);
    sigs_release();
    return pid;
}
