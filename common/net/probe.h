/*
 * probe.h - whether a port, a Unix socket or an HTTP server answers, by a connection to it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"
#include "net/lookup.h"

/* Whether a port of 127.0.0.1 or ::1 answers, with a second for each. */
bool probe_loopback(uint16_t port);

/* A socket of any type; one with a full backlog answers, too. Does not wait. Else errno says why not. */
bool probe_unix(const struct addr *a);

/*
 * Whether an error of connect(2), of a connection or of stat(2) says that nobody, or nothing, is there. All
 * others say no more than that we could not look.
 */
bool probe_is_absence(int err);

/*
 * One that is asked again and again, without waiting, while its owner sleeps in poll(2). In each round the
 * name is looked up anew (lookup.h), and the addresses of each family are tried one after the other; no
 * family waits for the other, and while a lookup is open, what is known is tried again. Each attempt, and the
 * lookup, has 5 s; after one that took longer, twice as much.
 */
struct probe {
    const char *host;        /* a name, an address; "0" and "" are this machine; not for a Unix socket */
    struct addr unix_socket; /* length 0: none */
    uint16_t port;
    const char *request; /* of HTTP; NULL: a connection will do */
    size_t request_len;
    const char *statuses; /* of an answer that counts, for probe_status */
    const char *why;      /* the last attempt failed, or the lookup if there was none */
    const char *unclear;  /* why it is not known whether somebody is there; NULL: it is */
    char why_mem[32];
    bool in_round, tried, refused; /* in this round: an address was tried, and nobody is there */
    struct lookup lookup;
    int64_t until;           /* the lookup is given up; or, between two rounds, the next one begins */
    int64_t pause, patience; /* before the next round; for a lookup */
    struct probe_side {
        int next; /* which address of the lookup's list is tried */
        int fd;   /* its socket, -1: none */
        bool connected;
        size_t sent, got;
        int64_t until;    /* the attempt is given up; or, with all of them tried, they are again */
        int64_t patience; /* for the next attempts */
        char line[13];    /* as much of a response as its status takes; the rest is read for 1 s */
    } side[2];
};

/* Prepares it, once what it asks for is set. */
void probe_begin(struct probe *p);

enum probe_result { PROBE_WAITS, PROBE_YES, PROBE_NO, PROBE_UNKNOWN };

/*
 * Goes on as far as it can. All but PROBE_WAITS end a round: PROBE_NO if nobody is there at any address,
 * PROBE_UNKNOWN if that could not be found out. In any case it is asked again.
 */
enum probe_result probe_step(struct probe *p);

enum { PROBE_POLLS = LOOKUPS + 2 };

/* What to poll until the next step (fd is -1 in entries without use), and when it is due in any case. */
int64_t probe_polls(const struct probe *p, struct pollfd polls[static PROBE_POLLS]);

/* Ends what is under way. */
void probe_end(struct probe *p);

/* Whether a status is in a list such as 200,3xx; with status 0, whether it is such a list. */
bool probe_status(const char *list, int status);

#endif
