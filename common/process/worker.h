/*
 * worker.h - processes that run a function of ours, not a program. They are copies of us (fork(2)).
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs `work(arg)` with the signals as we found them and exits with what it returns; with `tied` it is killed
 * when we die. Its pid, or -1 with errno.
 */
pid_t worker_start(int (*work)(void *), void *arg, bool tied);

/* One that goes on beside us, in our process group: it catches the signals that we caught. Pid, or -1. */
pid_t worker_beside(int (*work)(void *), void *arg);

/* One that goes on in our place, in a session of its own: it catches the signals that we caught. Pid, or -1.
 */
pid_t worker_detach(int (*work)(void *), void *arg);

/*
 * One that outlives us, in a session of its own, all signals blocked: it exits when it likes. What we hold of
 * semaphores under SEM_UNDO it holds with us, until the last of us has exited (CLONE_SYSVSEM). Pid, or -1.
 */
pid_t worker_keep(int (*work)(void *), void *arg);

#endif
