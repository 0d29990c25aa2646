/*
 * holder.h - a process that holds what we have taken, a lock or semaphores, until another process terminates.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include "base/msg.h"
#include "process/watch.h"

/* Begins to watch that process, before anything is taken for it. Exits (111) if there is no such process. */
void holder_watch(struct watch *w, const struct msg *m, pid_t pid);

/*
 * Starts the holder. It exits when the process terminates, and has open only what it needs: `held`, which was
 * opened after the watch began (-1: none), is its own then, as is what we hold of semaphores under SEM_UNDO.
 * Our copy of `held` stays ours to close. EXIT_DONE, or EXIT_SYSTEM, which has been reported.
 */
int holder_start(const struct watch *w, const struct msg *m, int held);

#endif
