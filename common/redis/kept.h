/*
 * kept.h - a program that a keeper starts and ends (keep.h): for the holder of a lease, for a message's.
 *
 * The keeper and its parent are reapers of all that descends from them: so what the keeper leaves when it is
 * killed becomes its parent's, which kills it.
 */
#ifndef KEPT_H
#define KEPT_H

#include "process/job.h"
#include "redis/keep.h"

struct kept {
    struct keep keep;
    struct job *job;
    size_t i; /* program i of the job */
    struct spawn *spawn;
    pid_t keeper; /* 0: none runs */
};

/*
 * Starts the keeper, which starts the program, and ends with its status, or 111 after what it has reported.
 * 0, or -1 with errno. In the job, the keeper stands for the program. The caller is a reaper of its
 * descendants (descendants_begin).
 */
int kept_start(struct kept *h);

/* Kills a keeper that was stopped too long; how long the caller may sleep until it is called again. */
int64_t kept_tend(const struct kept *h);

/*
 * The keeper has ended, and not by itself (!page->done): kills what it has left, and reports that. Other
 * keepers of ours are to be known to the job's descendants (descendants_spare).
 */
int kept_clean_up(struct kept *h);

#endif
