/*
 * logfile.h - a log that is written by line, and rotated by size between two lines.
 *
 * FILE becomes FILE.1, that FILE.2 and so on, before a line that would make it too large; the new FILE has
 * the owner and the mode of the old one. What can't be written, on a full disk, or to a FIFO or a terminal
 * whose reader has stopped, is kept, and nothing more is taken meanwhile: the processes that write to us
 * wait, and we never do. In place of a file there may be the system's log (devlog.h): there nobody waits, and
 * what finds no room here is counted and lost.
 */
#ifndef LOGFILE_H
#define LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/place.h"
#include "io/devlog.h"

enum { LOGFILE_BUFFER = 128 * 1024 };

struct logfile {
    /* what is asked for, before logfile_open */
    const char *path;     /* must live as long as this */
    uint64_t limit;       /* bytes; 0: only rotated when it is asked for */
    unsigned keep;        /* how many rotated ones */
    bool with_time;       /* each line begins with the time at which it was read */
    struct devlog syslog; /* with a facility: that is where lines go, and path is its name; pid may change */

    /* how it goes */
    struct place place; /* where it was when it was opened */
    int fd;             /* -1: not open */
    bool is_file;       /* a regular one: a write(2) to it waits for nobody */
    uint64_t size;
    char *buffer;
    size_t start, len;
    pid_t line_pid;   /* of the line that is being sent to the system's log */
    bool in_line;     /* what was written last ends inside a line */
    bool rotate;      /* before the next line, whatever its size */
    size_t rotated;   /* how often it was, until somebody has taken note */
    size_t dropped;   /* bytes, until somebody has said it */
    int error;        /* why nothing can be written now (EAGAIN: no reader makes room); 0: nothing is wrong */
    int64_t retry_at; /* then: when to try again (clock.h), */
    int64_t pause;    /* and how long that is */
    int rotate_error; /* why it could not be rotated, until somebody has said it */
};

/* Nothing asked for, not open. */
void logfile_init(struct logfile *l);

/* Opens it (place_file). 0, or -1 with errno. */
int logfile_open(struct logfile *l);

/* Opens the path again: what was there has been moved away (logrotate). On failure the old one stays. */
int logfile_reopen(struct logfile *l);

/* Has it rotated as soon as the line that is being written has ended, if it is not empty. */
void logfile_ask_rotation(struct logfile *l);

/*
 * Takes what `from` has, one read's worth, and writes what it can. 1; 0 at the end of `from`; -1 with errno:
 * EAGAIN when there is nothing now or no room.
 */
int logfile_take(struct logfile *l, int from);

/*
 * Opens rotated file n (1: the newest; 0: the log) for reading, close-on-exec, the caller's to close; its
 * name is added to `path`. -1 with errno.
 */
int logfile_open_rotated(const struct logfile *l, unsigned n, struct buf *path);

/* Takes whole lines off the end until n bytes can be written there. How many bytes were given up. */
size_t logfile_make_room(struct logfile *l, size_t n);

/*
 * Adds a line of the caller's own, which ends in a newline, after what it holds; an unfinished line before it
 * is ended first. 0, or -1 with errno: ENOBUFS when there is no room.
 */
int logfile_say(struct logfile *l, const char *line, size_t n);

/* Writes what it holds. 0, or -1 with errno, which l->error keeps. With `all`, an unfinished line, too. */
int logfile_flush(struct logfile *l, bool all);

#endif
