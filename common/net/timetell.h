/*
 * timetell.h - what udptime and tcptime print: a line, or a JSON object, a host.
 */
#ifndef TIMETELL_H
#define TIMETELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/msg.h"
#include "net/sntp.h"

struct timetell {
    const struct msg *msg;
    bool json;
    int width;                     /* of the column of names */
    unsigned long silent;          /* hosts without an answer */
    bool progress, progress_shown; /* on a terminal */
    int64_t next_progress;
    char *lines; /* TIMETELL_ROOM bytes where what is printed waits for timetell_flush; NULL: it doesn't */
    size_t len;
};

enum { TIMETELL_ROOM = 16384 };

void timetell_flush(struct timetell *t);

/*
 * With t->progress, ten times a second, at next_progress: a line on stderr, which whatever is printed next
 * takes the place of.
 */
void timetell_progress(struct timetell *t, size_t done, size_t n, size_t silent);

/* A usage error unless there are hosts, none of them longer than a name can be. */
void timetell_check(const struct msg *m, char *const *hosts);

/* Each ends the process when stdout can't be written. */

/* A host's Unix time, and how much later that is than ours: `NAME SECONDS DATE`, as perlipc prints it. */
void timetell_time(struct timetell *t, const char *host, int64_t there, int64_t here);

/* What SNTP has measured: `NAME OFFSET ROUND-TRIP DATE`, in milliseconds. */
void timetell_sntp(struct timetell *t, const char *host, const struct sntp *s, int64_t here_ns);

/* A host that has not told the time, and why: on stderr, or in JSON on stdout. */
void timetell_silent(struct timetell *t, const char *host, const char *why);

#endif
