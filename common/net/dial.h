/*
 * dial.h - a TCP connection to a host by name, as fast as its addresses allow (Happy Eyeballs, RFC 8305).
 */
#ifndef DIAL_H
#define DIAL_H

#include <poll.h>

#include "net/addr.h"

struct dial {
    const char *host; /* a name, an address; "0" and "" are this machine */
    uint16_t port;
    int family;        /* AF_UNSPEC, AF_INET, AF_INET6 */
    struct addr local; /* to bind to; length 0: none. With only a port set: local_port */
    uint16_t local_port;
    bool retry;               /* begin again, until the deadline, when nobody answers */
    const struct addr *known; /* of dial_look_up: no lookups, and connect(2) gets these; NULL: none */
    int64_t deadline;
    bool patient; /* with a deadline that has passed: a lookup has a second all the same */
};

enum { DIAL_TEXT = 512 };

struct dial_failure {
    char object[DIAL_TEXT]; /* HOST port PORT (ADDRESS) */
    const char *why;
};

/*
 * A connected socket, close-on-exec and non-blocking, the caller's to close; *peer is where. Or -1, and
 * *failure says what the matter was.
 */
int dial_tcp(const struct dial *d, struct addr *peer, struct dial_failure *failure);

/*
 * The same for a caller with other things to wait for: begins one race through all addresses, without a
 * retry. *d must live as long. NULL with ENOMEM.
 */
struct dialing *dial_begin(const struct dial *d);

enum { DIAL_POLLS = 35 };

/* What is to be polled, and until when at most, before the next step. How many they are; of each, fd may be
 * -1. */
nfds_t dial_polls(struct dialing *g, struct pollfd polls[static DIAL_POLLS], int64_t *until);

/*
 * Does what can be done without waiting. The fd, as dial_tcp's; or -1 with errno: EINPROGRESS, or another
 * when it has failed, as *failure says.
 */
int dial_step(struct dialing *g, struct addr *peer, struct dial_failure *failure);

/* Ends it, whatever has come of it, and gives its memory back. g may be NULL. */
void dial_stop(struct dialing *g);

/*
 * Whether the socket is connected to itself: a port that nobody listens on may be chosen as our own, and then
 * TCP's simultaneous open (RFC 9293, 3.5) succeeds.
 */
bool dial_is_own_end(int fd);

enum { DIAL_KNOWN = 64 };

/*
 * Looks the host up beforehand, for a process that can't do so later (confine.h): what is found is put into
 * known, which has room for DIAL_KNOWN, and used by dial_tcp. 0, or -1 as there.
 */
int dial_look_up(struct dial *d, struct addr *known, struct dial_failure *failure);

/* Sends all on a non-blocking socket, until the deadline. 0, or -1 with errno. Without SIGPIPE. */
int dial_send(int fd, const char *bytes, size_t n, int64_t deadline);

/*
 * A connected Unix stream socket, close-on-exec and the caller's to close. `retry`: also while nobody is
 * there. -1 with errno: ETIMEDOUT when the backlog stayed full.
 */
int dial_unix(const struct addr *to, bool retry, int64_t deadline);

#endif
