/*
 * find.h - the file that a program's name leads to, and what to say when there is none.
 */
#ifndef FIND_H
#define FIND_H

#include "base/msg.h"

/*
 * The file that `name` runs: `name` itself if it has a slash, else what $PATH leads to (environ(7),
 * execvp(3)). NULL with errno: ENOENT, EACCES (found, but can't be run), ENAMETOOLONG, ENOMEM. What was found
 * for a name is freed by find_free.
 */
const char *find_program(const char *name);
void find_free(const char *path, const char *name);

/* 126 or 127, for the errno of find_program or of an exec. */
int find_exit_status(int err);

/* Reports that find_program failed for `name` with that errno, as a shell does; returns 126 or 127. */
int find_failed(const struct msg *m, const char *name, int err);

#endif
