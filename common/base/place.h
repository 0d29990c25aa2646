/*
 * place.h - where a file is: its directory, opened once, and its name there. What is done to the file is done
 * there (openat(2) ...), so that nobody who may rename directories can have it done elsewhere.
 *
 * A directory is shared if anybody but us and root may make and rename files in it. In a shared directory we
 * use a file only if it is ours or root's and has no other name (see place_is_trusted); from the first
 * shared directory on, the path follows only such symbolic links. As its last component it follows none,
 * except /dev/stdout and its like.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Errors of what is below, which no call of the kernel's for files sets; strerror(3) has no words for them.
 */
enum {
    PLACE_FOREIGN = EKEYREJECTED, /* a file in a shared directory that place_is_trusted refuses */
    PLACE_LINK = ELIBBAD,         /* a symbolic link that is not followed */
};

struct place {
    int dir;          /* O_PATH; -1: not open */
    const char *name; /* points into the path */
    bool shared;      /* the directory, */
    bool path_shared; /* or one above it */
};

/*
 * Opens the directory that `path`, which must live as long as p, is in; p->dir is close-on-exec, and
 * place_close closes it. 0, or -1 with errno: EISDIR when path ends with a slash, PLACE_LINK.
 */
int place_open(struct place *p, const char *path);
void place_close(struct place *p);

/* Whether a file with that state may be used there; false with errno PLACE_FOREIGN. */
bool place_is_trusted(const struct place *p, const struct stat *st);

/*
 * Opens the file (openat(2)), close-on-exec, never as a controlling terminal, and looks whose it is; O_TRUNC
 * is the caller's to do by ftruncate(2), after that. The fd, which is the caller's to close, or -1 with
 * errno: PLACE_FOREIGN, PLACE_LINK.
 */
int place_file(const struct place *p, int flags, mode_t mode);

/* What is there: fstatat(2), which follows no link. 0, or -1 with errno. */
int place_look(const struct place *p, struct stat *st);

/* An order of all places, by directory and name: negative, 0 (the same) or positive. */
int place_compare(const struct place *a, const struct place *b);

/* Whether both are the same file. */
bool place_is_same_file(const struct stat *a, const struct stat *b);

/* strerror(3), which has words for the errors above, too. */
const char *place_error(int err);

/* Removes the file, if it is there, and trusted. */
void place_discard(const struct place *p);

/* What a file of our own beside it is called: .NAME.SUFFIX. False with ENAMETOOLONG. */
enum { PLACE_NAME_SIZE = 256 };
bool place_beside(const struct place *p, const char *suffix, char name[static PLACE_NAME_SIZE]);

#endif
