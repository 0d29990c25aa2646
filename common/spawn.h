/*
 * spawn.h - starting programs. The only module that forks and execs.
 *
 * The child shares our memory until it execs (vfork semantics: no page tables are copied, and exec's errno is
 * simply there when we go on); posix_spawn(3) can't tell a child its own pid or set its ids.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "env.h"
#include "msg.h"
#include "sigs.h"
#include "user.h"

struct spawn {
    const char *path; /* what spawn_find found */
    char *const *argv, *const *envp;
    const int *fds; /* fds[i] becomes fd i of the program; -1: left as it is. Each is above all i, or is i */
    int nfds;
    enum sigs_start signals;
    enum spawn_place {
        SPAWN_HERE,       /* in our process group */
        SPAWN_GROUP,      /* in a process group of its own */
        SPAWN_FOREGROUND, /* and that is the terminal's, which is fd 0 */
        SPAWN_SESSION,    /* in a session of its own */
        SPAWN_TERMINAL,   /* and fd 0 is its controlling terminal */
    } place;
    const struct user *user; /* whom it becomes; NULL: nobody else */
    int death_signal;        /* what it gets when we die (PR_SET_PDEATHSIG); 0: nothing */
    char *pid_text; /* SPAWN_PID_SIZE bytes inside an environment string: the child writes its pid there */
};

enum { SPAWN_PID_SIZE = 12 };

/*
 * The child's pid; our fds stay ours to close. -1 with errno and *failed: "fork" when there is no child
 * (EAGAIN and ENOMEM may pass), "dup2", "setsid", "change user" or "exec" when there was
 * one, whose end is for the caller
 * to reap.
 */
pid_t spawn_program(const struct spawn *s, const char **failed);

/*
 * A start that is not waited for: many of them can be on their way at once, each in a lane of its own.
 */
struct spawn_lane {
    _Atomic int busy;     /* until exec or exit, when the kernel clears it (set_tid_address(2)) */
    _Atomic int shortage; /* while busy: the errno of an exec that is tried again until it is over, or 0 */
    _Atomic int err;      /* of a start that has failed; for the owner to clear */
    const char *failed;   /* and what did, as spawn_program says it */
    pid_t parent, pid;
    struct spawn spawn;
    struct env_copy env;
    int fds[2];
    _Alignas(16) char stack[16384];
};

enum { SPAWN_LANE_FDS = 2 };

/*
 * As spawn_program, in a lane that is free, for a program in our process group that becomes nobody else and
 * gets at most SPAWN_LANE_FDS fds; those above 2 are closed. `env` is its environment. What it needs is
 * copied, but for path, argv and the base of env, which must stay. When exec fails for want of memory or
 * processes, the child tries again until it does not, and we get a SIGCHLD to look at lane->shortage; after
 * any other failure the child ends, and what it was is in the lane. -1 with ENOSYS or EINVAL: there are no
 * lanes here; spawn_program can do it.
 *
 * The owner clears `busy` once the child has been reaped: one that was killed early has never asked the
 * kernel to.
 */
pid_t spawn_in_lane(
    struct spawn_lane *lane, const struct spawn *s, const struct env *env, const char **failed);

/* Whether it can be used for another start. */
bool spawn_lane_is_free(const struct spawn_lane *lane);

/*
 * The file that `name` runs: `name` itself if it has a slash, else what $PATH leads to (environ(7),
 * execvp(3)). NULL with errno: ENOENT, EACCES (found, but not to be run), ENAMETOOLONG, ENOMEM. Whoever finds
 * more than one in his life gives it back by spawn_forget.
 */
const char *spawn_find(const char *name);
void spawn_forget(const char *path, const char *name);

/* 126 or 127, for the errno of spawn_find or of an exec. */
int spawn_exit_status(int err);

/* Reports that spawn_find failed for `name` with that errno, as a shell does; returns 126 or 127. */
int spawn_not_found(const struct msg *m, const char *name, int err);

/* Becomes the program, with the signals as we found them. Returns only with errno. */
void spawn_become(const char *path, char *const *argv, char *const *envp);

/*
 * A process that runs `work(arg)` and exits with what that returns. Its pid, or -1 with errno. Its memory is
 * a copy, its signals are as we found them; with `tied` it dies when we do.
 */
pid_t spawn_function(int (*work)(void *), void *arg, bool tied);

/* A process that goes on as we are, signals and all, in a session of its own. Its pid, or -1 with errno. */
pid_t spawn_background(int (*work)(void *), void *arg);

/*
 * A process that outlives us: in a session of its own and deaf to every signal, it ends when it likes. What
 * we hold of semaphores under SEM_UNDO it holds with us, until the last of us has ended (CLONE_SYSVSEM). Its
 * pid, or -1 with errno.
 */
pid_t spawn_keeper(int (*work)(void *), void *arg);

#endif
