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

enum { RESOLVE_MAX = 24, RESOLVE_NAME_SIZE = 256 };

struct resolve {
    pid_t pid;
    int fd; /* readable when the answer is there; -1 when none is under way */
};

/* What a look-up answers: one atomic write to the pipe. */
struct resolved {
    int error; /* 0 or EAI_... (getaddrinfo(3)) */
    int err;   /* errno, for EAI_SYSTEM */
    int n;
    struct addr addrs[RESOLVE_MAX];
};

/* Starts the look-up of host (AF_INET, AF_INET6, AF_UNSPEC). 0, or -1 with errno. */
int resolve_start(struct resolve *r, const char *host, uint16_t port, int family);

/* Takes the answer; to be called once fd is readable. Ends the look-up. */
void resolve_take(struct resolve *r, struct resolved *answer);

/* Ends a look-up whose answer nobody wants any more. */
void resolve_stop(struct resolve *r);

/*
 * All addresses of host, numeric or not, in the order of RFC 6724. 0 and *answer filled, or -1 with errno
 * (ETIMEDOUT) or, when answer->error is set, with that reason.
 */
int resolve_wait(const char *host, uint16_t port, int family, int64_t deadline, struct resolved *answer);

/*
 * The host name of an address; `paranoid`: only if that name has this address too. 0; or -1: there is none,
 * or none in time, or it has characters that no host name has. A trailing dot is taken off.
 */
int resolve_name(const struct addr *a, bool paranoid, int64_t deadline, char name[static RESOLVE_NAME_SIZE]);

/* The reason for a message: of answer->error or, when that is 0, of errno. */
const char *resolve_reason(const struct resolved *answer);

#endif
