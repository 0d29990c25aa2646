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

/* A program's environment that no longer needs anything of a struct env but the strings of its base. */
struct env_copy {
    char **v; /* the strings stand behind the pointers */
    size_t size;
};

/*
 * What e gives a program, into c (zeroed at first, then used again and again). inside[0] to
 * inside[n-1] point to where `size` bytes will be written in a string of e's, at most one in each, and then
 * to the same place in c's; NULL: nothing will be. 0, or -1 with ENOMEM.
 */
int env_copy(const struct env *e, struct env_copy *c, char **inside, size_t n, size_t size);

/* The variable of that name as it is in `from` (as environ(7)), or none of it. 0, or -1 with ENOMEM. */
int env_restore(struct env *e, char *const *from, const char *name);

#endif
