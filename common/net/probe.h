/*
 * probe.h - whether a port, a Unix socket or an HTTP server answers, by a connection to it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"
#include "net/resolve.h"

/* Whether a port of 127.0.0.1 or ::1 answers, with a second for each. */
bool probe_loopback(uint16_t port);

/* A socket of any type; one with a full backlog answers, too. Does not wait. Else errno says why not. */
bool probe_unix(const struct addr *a);

/*
 * One that is asked again and again, without waiting, while its owner sleeps in poll(2). The addresses of
 * each family are looked up anew and tried one after the other, and no family waits for the other's lookup.
 * Each attempt, and each lookup, has 5 s; after one that took longer, twice as much.
 */
struct probe {
    const char *host;        /* a name, an address; "0" and "" are this machine; not for a Unix socket */
    struct addr unix_socket; /* length 0: none */
    uint16_t port;
    const char *request; /* of HTTP; NULL: a connection will do */
    size_t request_len;
    const char *statuses; /* of an answer that counts, for probe_status */
    const char *why;      /* the last attempt failed, or the last lookup if there was none */
    bool tried;
    char why_mem[32];
    struct probe_side {
        bool failed; /* its last round */
        struct resolve lookup;
        struct resolved answer;
        int family;
        int next; /* which address is tried */
        int fd;   /* its socket, -1: none */
        bool connected;
        size_t sent, got;
        int64_t until;           /* the lookup or the attempt is given up */
        int64_t pause, patience; /* before the next round; for the next attempt */
        char line[13];           /* as much of a response as its status takes; the rest is read for 1 s */
    } side[2];
    size_t sides;
};

/* Prepares it, once what it asks for is set. */
void probe_begin(struct probe *p);

enum probe_result { PROBE_WAITS, PROBE_YES, PROBE_NO };

/* Goes on as far as it can. PROBE_NO: each family has failed at its last turn. In any case it is asked again.
 */
enum probe_result probe_step(struct probe *p);

/* What to poll until the next step, two entries, and the time at which it is due in any case. */
int64_t probe_polls(const struct probe *p, struct pollfd polls[static 2]);

/* Ends what is under way. */
void probe_end(struct probe *p);

/* Whether a status is in a list such as 200,3xx; with status 0, whether it is such a list. */
bool probe_status(const char *list, int status);

#endif
