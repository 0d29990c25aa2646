/*
 * descendants.h - all descendants of this process, wherever they have gone: into sessions of their own,
 * behind a double fork.
 *
 * As a subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)) we inherit every orphan among them, so that a living one
 * has a line of parents that leads to us, and whoever loses its parent becomes our child. So it is enough to
 * kill our children again and again: the proof that nobody is left is wait(2)'s ECHILD. They are found
 * through /proc/PID/task/TID/children (proc(5)), from us downwards, whatever else runs on the machine; where
 * the kernel has no such file, or hides a child, all of /proc is searched. Process 1 needs none of this. An
 * orphan belongs to no single program: it is ended when all are.
 */
#ifndef DESCENDANTS_H
#define DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "process/procs.h"

struct descendants {
    /*
     * Children that we had before: the process that became us by exec had started them. What they start is
     * theirs as long as they live, or as its session or process group shows it; else an orphan of theirs
     * counts as ours.
     */
    struct process *earlier;
    size_t earlier_n;
    pid_t session, group; /* ours */
    bool had_children;    /* before, whether /proc shows them or not */
    bool is_init;         /* of our pid namespace: all that are in it are ours */
    const char *missing;  /* what could not be had, so that some of them may not be found; NULL: nothing */
    int missing_errno;
};

/* Becomes the reaper of all that descend from us from now on, as far as that can be had. */
void descendants_begin(struct descendants *d);

/*
 * Sends sig, and SIGCONT after it, as one that is stopped would not hear it, to every living descendant
 * except earlier children and theirs; 0 sends nothing and counts. How many took it; -1 with errno when they
 * can't be found. One that is born meanwhile may be missed.
 */
long descendants_ask(const struct descendants *d, int sig);

/*
 * Kills those that are our children now; a session of their own at once, which no fork(2) can escape. How
 * many were alive. To be called, and children to be reaped, until there is none: a process that forks and
 * exits all the time gets away from a single call.
 */
long descendants_kill(const struct descendants *d);

/* Whether those of our children that can be seen are earlier ones, or such that we may not signal. */
bool descendants_are_excused(const struct descendants *d);

/*
 * Whether that process, which may have exited but not been waited for, is one of them, as a line of parents
 * shows that leads to us and not over an earlier child.
 */
bool descendants_have(const struct descendants *d, pid_t pid);

/*
 * That child, which leads a process group of its own, is to live, as earlier children do; until it has ended,
 * which descendants_forget is to be told. Where /proc does not show it, it is one of the others.
 */
void descendants_spare(struct descendants *d, pid_t pid);
void descendants_forget(struct descendants *d, pid_t pid);

/*
 * Those that are our children now are to live, too: a program that has ended by itself has left them. Not
 * when a child has just ended, which may have left others.
 */
void descendants_excuse(struct descendants *d);

/* Adds the pids of up to a few of those that are left, with blanks between. */
void descendants_name(const struct descendants *d, struct buf *text);

#endif
