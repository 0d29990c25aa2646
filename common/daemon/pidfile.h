/*
 * pidfile.h - pidfiles that can't lie: one is true as long as it is locked, and the lock (POSIX, fcntl(2))
 * tells who holds it, whatever the file says.
 *
 * A pidfile appears whole and locked (rename(2)); of two starters one at a time looks and makes one
 * (lock_change). It is empty while there is no process for it to name. check/models/pidfile.pml goes through
 * every interleaving, and says what is assumed.
 */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/place.h"

struct pidfile {
    const char *path; /* NULL: none */
    struct place place;
    int lock;  /* lock_change's, while somebody starts */
    int fd;    /* locked by us; -1: not ours */
    int fresh; /* the next one, locked, that is not there yet; -1: none */
};

/* One that is not open yet. */
void pidfile_init(struct pidfile *p);

/*
 * The pid of the process that holds the lock on it; 0 when none does; -1 with errno when that can't be seen
 * (ENOENT: there is no file; EBUSY: a process that has no pid for us, in another pid namespace;
 * PLACE_FOREIGN). text, of which there may be none, gets what is in the file, and a NUL.
 */
enum { PIDFILE_TEXT_SIZE = 32 };
pid_t pidfile_holder(const struct place *place, char text[PIDFILE_TEXT_SIZE]);

/*
 * Whether what is there may be replaced: nothing, or a file that nobody holds with a pid in it, or empty.
 * False with errno: EEXIST when it is anything else, PLACE_FOREIGN.
 */
bool pidfile_is_replaceable(const struct place *place);

/* Removes a pidfile that nobody holds any more. */
void pidfile_remove_dead(const struct place *place);

/* All of pidfile_write that may fail, before there is a pid. 0, or -1 with errno. */
int pidfile_prepare(struct pidfile *p);

/*
 * Makes the pidfile say `pid`, or nothing for 0, in place of what was there. To be called with the change
 * locked the first time. 0, or -1 with errno.
 */
int pidfile_write(struct pidfile *p, pid_t pid);

/* Leaves it empty, and ours: there is no such process any more. The next pidfile_write fills it again. */
void pidfile_clear(struct pidfile *p);

/* Removes it if it is still ours, and lets go of all. 0, or -1 with errno: it is still there. */
int pidfile_remove(struct pidfile *p);

#endif
