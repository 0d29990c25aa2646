/*
 * pidfile.h - pidfiles that can't lie: one is true as long as it is locked, and the lock (POSIX, fcntl(2))
 * tells who holds it, whatever the file says.
 *
 * A pidfile appears whole and locked (rename(2)); of two starters one at a time looks and makes one, as the
 * directory is locked meanwhile.
 */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

struct pidfile {
    const char *path; /* NULL: none */
    int fd;           /* locked by us; -1: not ours */
    int fresh;        /* the next one, locked, that is not there yet; -1: none */
};

/*
 * Who holds the lock on path: a pid; 0 when nobody does; -1 with errno when that can't be seen (ENOENT: there
 * is no file; EBUSY: somebody who has no pid for us, in another pid namespace).
 */
pid_t pidfile_holder(const char *path);

/*
 * Whether what is at path may be replaced: nothing, or a file that nobody holds with a pid in it, or empty.
 * False with errno: EEXIST when it is anything else.
 */
bool pidfile_is_replaceable(const char *path);

/* Removes a pidfile that nobody holds any more. */
void pidfile_remove_dead(const char *path);

/* All of pidfile_write that may fail, before there is a pid. 0, or -1 with errno. */
int pidfile_prepare(struct pidfile *p);

/*
 * Makes the pidfile say `pid`, in place of what was there. To be called with the directory locked
 * (lock_directory) the first time. 0, or -1 with errno.
 */
int pidfile_write(struct pidfile *p, pid_t pid);

/* Leaves it empty, and ours: there is no such process any more. The next pidfile_write fills it again. */
void pidfile_clear(struct pidfile *p);

/* Removes it if it is still ours, and lets go. */
void pidfile_remove(struct pidfile *p);

#endif
