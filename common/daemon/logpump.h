/*
 * logpump.h - what a daemon writes, through a pipe, into its log: a file that is rotated, or a FIFO, a
 * terminal or the system's log, whose reader may keep others waiting, and us never.
 */
#ifndef LOGPUMP_H
#define LOGPUMP_H

#include <poll.h>

#include "base/msg.h"
#include "io/logfile.h"

struct logpump {
    const struct msg *msg;
    struct logfile file;
    size_t lost; /* bytes of our own lines that found no room */
    int pipe;    /* where the daemon's output arrives; -1: there is no log, and nothing below does anything */
};

/* Not open; what p->file asks for is the caller's to set. */
void logpump_init(struct logpump *p, const struct msg *msg);

/*
 * Opens the log and a pipe: *writer is the daemon's end, close-on-exec and not below lowest, which is the
 * caller's to close. 0, or -1 with errno; p->file.fd < 0 if it is the log that could not be opened.
 */
int logpump_open(struct logpump *p, int lowest, int *writer);

/* What to wait for: output in the pipe, or room in the log; fd is -1 when it is time alone. */
struct pollfd logpump_poll(const struct logpump *p);

/* How long at most, in ns: until what could not be written is tried again. */
int64_t logpump_wait(const struct logpump *p);

/* After that wait: moves what there is, one read's worth. `ready`: whether the poll has said so. */
void logpump_tend(struct logpump *p, bool ready);

/* Moves all that is in the pipe now, but not what is written meanwhile. */
void logpump_empty(struct logpump *p);

/* A line of the caller's, after all that is in the pipe. */
void logpump_say(struct logpump *p, const char *line, size_t n);

/* The log has been moved away (logrotate(8)): goes on in a new one. A failure is reported, and the old one
 * stays. */
void logpump_reopen(struct logpump *p);

/* Rotates it, once the line that is being written has ended; one that is empty is not. */
void logpump_rotate(struct logpump *p);

/*
 * Moves the rest. A log with a reader is waited for, two seconds in all. What can't be written is reported:
 * on stderr, or, where stderr is that log itself, in the log.
 */
void logpump_end(struct logpump *p, bool stderr_is_log);

#endif
