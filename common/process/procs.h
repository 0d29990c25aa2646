/*
 * procs.h - processes as /proc shows them (proc(5)), each known by its pid and the moment it was born, so
 * that one is never mistaken for another that got its pid.
 */
#ifndef PROCS_H
#define PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/msg.h"

struct process {
    pid_t pid, parent, group, session;
    char state;     /* R, S, D, T, t, Z, X ... */
    uint64_t start; /* clock ticks after boot */
    bool is_kernel; /* a thread of the kernel */
    bool ours;      /* the caller's to use */
};

struct procs {
    struct process *list; /* sorted by pid */
    size_t n, room;
};

/*
 * What /proc says of that process now. False with errno: ESRCH when it is not there, or has been waited for;
 * else why it can't be seen.
 */
bool procs_look(pid_t pid, struct process *p);

/*
 * Whether /proc is there, and that of our pid namespace: in another the numbers are those of others. False
 * with errno: ENOSYS for another's, else why it can't be looked at. procs_reason says so in words.
 */
bool procs_are_ours(void);
const char *procs_reason(int err);

/* Whether a file of /proc/PID failed with that errno because the process, or its descriptor, has gone, is not
 * ours to look at (proc(5), hidepid), or is a name longer than PATH_MAX. */
bool procs_is_out_of_reach(int err);

/* All processes that we may see. 0, or -1 with errno, as procs_are_ours. */
int procs_list(struct procs *all);
/* Adds one at the end. 0, or -1 with ENOMEM. */
int procs_add(struct procs *all, const struct process *p);
/* Ends us, as /proc could not be looked at: errno says why. */
_Noreturn void procs_die(const struct msg *m);
void procs_free(struct procs *all);

/* Neither a zombie nor gone: one whose first thread alone has ended is alive. */
bool procs_is_alive(const struct process *p);

/*
 * A pidfd (pidfd_open(2)) of that very process, close-on-exec, the caller's to close; it is ready to read
 * once the process has ended. -1 with errno: ESRCH when it has gone, ENOSYS on a kernel before 5.3.
 */
int procs_pidfd(const struct process *p);

/* Signals that very process. 0, or -1 with errno. */
int procs_signal(const struct process *p, int sig);

#endif
