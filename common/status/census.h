/*
 * census.h - the processes on this machine that are ours: whose executable is an ipcbox of any build.
 *
 * Neither names nor arguments are believed: the file that the kernel runs must carry our mark (mark.h). What
 * the caller could not look at is counted.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include "process/mark.h"
#include "process/procs.h"

enum { CENSUS_ARGV_SIZE = 4096, CENSUS_NAME_SIZE = 32 };

/* One of ours. */
struct found {
    struct process process;          /* first, as census.c looks it up by its pid */
    uid_t uid;                       /* the effective one */
    char version[MARK_VERSION_SIZE]; /* of its build */
    char applet[CENSUS_NAME_SIZE];   /* the caller's to find out */
    char *exe, *argv;                /* argv: its words, each with its NUL; both end with one more */
    char *listens;                   /* where it listens, as its page has it; NULL: it does not say */
    size_t argv_len;
    bool is_deleted;  /* exe was replaced or removed since it was started */
    bool is_cut;      /* argv is longer */
    bool has_sockets; /* of its own */
    bool is_worker;   /* a copy that its parent, which is one of ours, has made of itself */
};

struct census {
    struct procs all; /* what there is, sorted by pid */
    struct found *list;
    size_t n;
    unsigned long unseen; /* that may be ours: their executable could not be looked at */
    unsigned long hung;   /* that may be ours: it could not be read in time */
    bool is_hidden;       /* /proc does not show the processes of others at all (hidepid) */
};

/* Whoever runs now, except the caller and its children. 0, or -1 with errno (procs_list). */
int census_take(struct census *c);
void census_free(struct census *c);

/* The one of ours with that pid, or NULL. */
struct found *census_find(const struct census *c, pid_t pid);

/* The nearest of ours above that process, which is not a worker; NULL: there is none. */
struct found *census_above(const struct census *c, const struct process *p);

/* Reads a small file of /proc/PID, all that fits, and puts a NUL behind it; how many bytes, or -1 with errno.
 */
ssize_t census_read(pid_t pid, const char *name, char *text, size_t size);

#endif
