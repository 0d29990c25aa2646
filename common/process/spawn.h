/*
 * spawn.h - starting programs. The only module that forks to exec.
 *
 * A start is never waited for. The child shares our memory until it execs, without vfork(2)'s wait, in which
 * the parent would be deaf to every signal but SIGKILL; where that can't be had, or where ids change, it is a
 * copy (fork(2)). What went wrong is in the start's record when the child has been reaped. posix_spawn(3)
 * can't tell a child its own pid, make it die with us, or say afterwards which step has failed.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/env.h"
#include "process/sigs.h"
#include "process/user.h"

enum { SPAWN_PID_SIZE = 12, SPAWN_PIDS = 2, SPAWN_FDS = 16 };

/* What is asked for. */
struct spawn {
    const char *path; /* what find_program found */
    char *const *argv, *const *envp;
    const int *fds; /* fds[i] becomes fd i of the program; -1: left as it is. Each is above all i, or is i */
    int nfds;       /* SPAWN_FDS at most */
    enum sigs_start signals;
    enum spawn_place {
        SPAWN_HERE,       /* in our process group */
        SPAWN_GROUP,      /* in a process group of its own */
        SPAWN_FOREGROUND, /* and that is the foreground group of `terminal` */
        SPAWN_TERMINAL,   /* in a session of its own, whose controlling terminal is fd 0 */
    } place;
    int terminal;
    const struct user *user; /* the user that it becomes; NULL: none other */
    int death_signal;        /* what it gets when we die (PR_SET_PDEATHSIG); 0: nothing */
    bool only_stdio;         /* no fd above 2 outlives the start, even while exec hangs */
    bool patient;            /* exec is tried again while memory or fds are short */
    /* each: SPAWN_PID_SIZE bytes inside an environment string, where the child writes its pid; or NULL */
    char *pid_text[SPAWN_PIDS];
};

/* The record of a start: what its child needs until exec, and what has become of it. */
struct start;

/* A record, to be used for one start after the other; NULL with ENOMEM. */
struct start *spawn_record(void);
void spawn_free(struct start *r);

/*
 * Starts a program and returns at once: the child's pid, or -1 with errno when there is no child (EAGAIN and
 * ENOMEM may pass). `env`, if not NULL, is its environment in place of s->envp and is copied, as are fds;
 * path, argv, envp and the base of env must live until spawn_is_on_its_way says no. Our fds stay ours to
 * close. r must be idle.
 */
pid_t spawn_program(struct start *r, const struct spawn *s, const struct env *env);

/* Whether the child has neither exec'd nor ended, as far as can be seen. */
bool spawn_is_on_its_way(const struct start *r);

/* Whether it has failed; what has failed is said by spawn_reaped, once the child has been reaped. */
bool spawn_has_failed(const struct start *r);

/* The errno of an exec that is tried again for want of memory or fds; 0: of none. Its child sends a SIGCHLD
 * for it. */
int spawn_shortage(const struct start *r);

/*
 * The child has been reaped, and r is idle again. 0 if its program had been executed, else the errno of
 * *step: "dup2", "setpgid", "setsid", "prctl", "change user" or "exec".
 */
int spawn_reaped(struct start *r, const char **step);

/*
 * Becomes the program, with the signals as we found them; a script without #! is run by /bin/sh, as execvp(3)
 * does. Returns only with errno.
 */
void spawn_become(const char *path, char *const *argv, char *const *envp);

#endif
