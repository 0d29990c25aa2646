/*
 * fifo.h - the serving end of a FIFO (fifo(7)), which tells when readers come and go.
 *
 * A writer is held open all the time, so a reader's open never waits and is an event (inotify(7)); closing it
 * is the end of file for those who read. Nothing here waits. check/models/fifo.pml goes through every
 * interleaving of readers, and says what is assumed.
 */
#ifndef FIFO_H
#define FIFO_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/place.h"

struct fifo {
    const char *path;
    struct place place;
    const mode_t *mode; /* NULL: 0666 and the umask */
    int writer;         /* never blocks; -1: none, readers wait in open(2) */
    int events;         /* inotify's, to be polled */
    int claim;          /* keeps others from serving it; -1: none can be made there */
    int path_fd;        /* keeps a new FIFO from getting the number of the one that we serve */
    int watch;          /* of the FIFO; that of the directory is constant */
    int directory_watch;
    struct stat id;  /* which FIFO it is */
    bool made;       /* by us */
    bool served;     /* we have had a writer */
    bool moved;      /* what the path names may be another now */
    bool closed;     /* a reader has closed it */
    unsigned opened; /* how often others have opened it since fifo_open, as far as is known */
};

/* Begins to watch. path and mode must live as long as f. 0, or -1 with errno. */
int fifo_init(struct fifo *f, const char *path, const mode_t *mode);

/*
 * Makes sure that there is a FIFO, ours to serve: makes one if nothing is there, never touches anything else.
 * 0, or -1 with errno: EEXIST when it is no FIFO, EADDRINUSE when another process serves it, EINVAL
 * when its mode is another, PLACE_FOREIGN.
 */
int fifo_ensure(struct fifo *f);

/* fifo_ensure, and opens the writer. */
int fifo_open(struct fifo *f);

/* Whether the path still names the FIFO that the writer is of; `moved` is over then. */
bool fifo_is_here(struct fifo *f);

/* Takes the events that have come. */
void fifo_take_events(struct fifo *f);

/* Whether somebody has it open for reading. */
bool fifo_has_reader(const struct fifo *f);

/* Whether all that was written has been read. */
bool fifo_is_empty(const struct fifo *f);

/* The end of file for its readers. `closed` says from now on whether one of them has closed it. */
void fifo_hang_up(struct fifo *f);

/* In its place when who read has gone, and nothing is left to be read: the writer stays for the next one. */
void fifo_keep(struct fifo *f);

/* Closes everything; a FIFO that we made and that is still there goes. 0, or -1 with errno. */
int fifo_end(struct fifo *f);

#endif
