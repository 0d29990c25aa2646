/*
 * sysv.h - System V IPC objects (sysvipc(7)): how they are named, what their errors mean, how they are shown.
 */
#ifndef SYSV_H
#define SYSV_H

#include <stddef.h>
#include <sys/ipc.h>
#include <time.h>

#include "cli/opts.h"

enum sysv_kind { SYSV_SHM, SYSV_SEM, SYSV_MSG };

/* What the caller does with an object, on which it depends how it can be named. */
enum sysv_use {
    SYSV_FINDS,  /* not private, which nobody can find */
    SYSV_MAKES,  /* not id:N, which is the kernel's to choose */
    SYSV_EITHER, /* neither */
};

struct sysv_key {
    const char *word; /* as it was given */
    enum { SYSV_KEY, SYSV_PRIVATE, SYSV_ID } form;
    key_t key;
    int id;
};

/*
 * Reads a KEY: decimal or 0x..., 1 to 2^32-1; PATH[:ID], which has a slash (ftok(3); ID is 1 to 255 or one
 * character, and 1 if it is missing, as in perl); id:N, an object by its identifier; private. Does not return
 * on another (exit 100), or when ftok(3) fails (111).
 */
void sysv_key(struct sysv_key *k, const struct msg *m, const char *word, enum sysv_use use);

/* The mode of an object that may be made: octal, 0 to 0777. Does not return on another. */
unsigned sysv_mode(const struct opts *o);

/*
 * The identifier of that object: shmget(2), semget(2), msgget(2). size is in bytes, or semaphores; flags as
 * there, 0 to find one that exists. -1 with errno.
 */
int sysv_get(enum sysv_kind kind, const struct sysv_key *k, size_t size, int flags);

/*
 * Says that something could not be done, and what that errno means for such an object; it may be different
 * when `what` is "create". EXIT_SYSTEM, but EXIT_NO for the EEXIST of an object that was to be made.
 */
int sysv_failed(
    const struct msg *m, enum sysv_kind kind, const char *what, const struct sysv_key *k, int err);

/*
 * After an object has been made: if its key is private its name on stdout, `id:N`; it is removed if that
 * can't be written. The exit status.
 */
int sysv_made(const struct msg *m, enum sysv_kind kind, const struct sysv_key *k, int id);

/* What an applet's `stat` says: lines of `name value`, or one JSON object. Written in pieces to stdout. */
struct sysv_report {
    bool json;
    int failed; /* the errno of a write(2), 0: none */
    bool first; /* the next value needs no separator */
    bool in_item;
    struct buf out;
    char mem[4096];
};

/* Begins with nothing. */
void sysv_report_start(struct sysv_report *r, bool json);

/* Begins with what all objects have: id, key, mode, owner and creator. */
void sysv_report_begin(struct sysv_report *r, bool json, int id, const struct ipc_perm *perm);
void sysv_report_num(struct sysv_report *r, const char *name, unsigned long long value);
void sysv_report_text(
    struct sysv_report *r, const char *name, const char *text, size_t n);    /* 128 bytes at most */
void sysv_report_time(struct sysv_report *r, const char *name, time_t when); /* 0: never */

/*
 * What there are many of: the name of the list in JSON, then each of its items, whose first value is its
 * number and whose others follow, on a line of its own in text.
 */
void sysv_report_list(struct sysv_report *r, const char *name);
void sysv_report_item(struct sysv_report *r, const char *name, unsigned long long number);
void sysv_report_list_end(struct sysv_report *r);

/* The exit status: EXIT_SYSTEM when stdout could not be written, which has been said. */
int sysv_report_end(struct sysv_report *r, const struct msg *m);

#endif
