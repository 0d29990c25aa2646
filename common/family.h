/*
 * family.h - all descendants of this process, wherever they have hidden: in sessions of their own, behind a
 * double fork.
 *
 * As a subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)) we inherit every orphan among them, so each one that
 * lives has a line of parents that leads to us, which /proc tells. Process 1 needs neither.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct family {
    pid_t *strangers; /* children that we had before: who exec'd us had started them */
    size_t count;
    bool is_init; /* of our pid namespace: all who are in it are ours */
};

/* Becomes the reaper of all who descend from us from now on. 0, or -1 with errno. */
int family_begin(struct family *f);

/*
 * Signals every living descendant, but for strangers and theirs; who has ended meanwhile is never mistaken
 * for another process (pidfd_open(2)). How many took it; -1 with errno when /proc can't be read. One that was
 * born meanwhile may be missed: call it until it says 0 and no child is left.
 */
long family_signal(const struct family *f, int sig);

#endif
