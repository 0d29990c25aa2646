/*
 * resolve.h - name look-ups with a deadline.
 *
 * getaddrinfo(3) and getnameinfo(3) wait as long as they please, so each look-up is a process of its own that
 * answers over a pipe and is killed when its time is over.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/addr.h"

enum { RESOLVE_NAME_SIZE = 256 };

/* What a lookup answers. */
struct resolved {
    int error; /* 0 or EAI_... (getaddrinfo(3)) */
    int err;   /* errno, for EAI_SYSTEM */
    int n;
    struct addr *addrs; /* as many as there are, each once; NULL: none */
};

struct resolve {
    pid_t pid;
    int fd;                 /* readable when something of the answer is there; -1 when none is under way */
    struct resolved answer; /* as far as it has come */
    size_t got;             /* bytes of it */
};

/* Starts the look-up of host (AF_INET, AF_INET6, AF_UNSPEC). 0, or -1 with errno. */
int resolve_start(struct resolve *r, const char *host, uint16_t port, int family);

/*
 * Takes what has come of the answer, without waiting; to be called when fd is readable. True once it is
 * whole: *answer is the caller's, for resolve_free, and the look-up has ended.
 */
bool resolve_take(struct resolve *r, struct resolved *answer);

/* The answer that is this one address, as of a numeric host; or the error EAI_MEMORY. */
void resolve_one(struct resolved *answer, const struct addr *a);

/* The first address, and the first of the other family, of length 0 if there is none. */
void resolve_pair(const struct resolved *answer, struct addr pair[static 2]);

/* Gives the addresses of an answer back. */
void resolve_free(struct resolved *answer);

/* Ends a look-up whose answer nobody wants any more. */
void resolve_stop(struct resolve *r);

/*
 * All addresses of host, numeric or not, in the order of RFC 6724. 0 and *answer filled, for resolve_free; or
 * -1 with errno (ETIMEDOUT) or, when answer->error is set, with that reason, and nothing to be freed.
 */
int resolve_wait(const char *host, uint16_t port, int family, int64_t deadline, struct resolved *answer);

/*
 * The host name of an address; `paranoid`: only if that name has this address too. 0; or -1: there is none,
 * or none in time, or it has characters that no host name has, or looks like an address. A trailing dot is
 * taken off.
 */
int resolve_name(const struct addr *a, bool paranoid, int64_t deadline, char name[static RESOLVE_NAME_SIZE]);

/* The reason for a message: of answer->error or, when that is 0, of errno. */
const char *resolve_reason(const struct resolved *answer);

#endif
