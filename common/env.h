/*
 * env.h - the environment of programs: edits are gathered and applied once, at exec.
 *
 * There is a base, prepared once, and what is put on top of it for one program. Strings are not copied: they
 * belong to the caller and must live until the program has been started.
 */
#ifndef ENV_H
#define ENV_H

#include <stdbool.h>
#include <stddef.h>

struct env {
    char **base; /* ours: a copy of the pointers */
    size_t base_n;
    char **v; /* what a program gets: NULL-terminated, ours */
    size_t n, room;
};

/* A base made of `from` (as environ(7)). 0, or -1 with ENOMEM. */
int env_init(struct env *e, char *const *from);

/* Takes every variable whose name is `name`, or begins with it if it ends with '*', out of base and top. */
void env_drop(struct env *e, const char *name);

/* Back to the base. */
void env_reset(struct env *e);

/* "NAME=VALUE" on top, in place of one of that name. 0, or -1 with ENOMEM. */
int env_put(struct env *e, char *assignment);

/* The variable of that name as it is in `from` (as environ(7)), or none of it. 0, or -1 with ENOMEM. */
int env_restore(struct env *e, char *const *from, const char *name);

#endif
