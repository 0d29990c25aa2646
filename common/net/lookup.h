/*
 * lookup.h - the addresses of a name, each as soon as it is known, without waiting.
 *
 * Both families are looked up together, which is all that a name in /etc/hosts needs; after 50 ms without an
 * answer also each by itself, so that one that is never answered does not hold up the other.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <poll.h>

#include "net/resolve.h"

enum { LOOKUP_IPV6, LOOKUP_IPV4, LOOKUP_BOTH, LOOKUPS };

struct lookup {
    const char *host;
    uint16_t port;
    int family; /* AF_UNSPEC, or that of all addresses */
    struct resolve of[LOOKUPS];
    struct addr *list; /* what is known, for lookup_end; a family's addresses come all at once */
    int n;
    int64_t split_at;    /* each family is looked up by itself */
    int err;             /* errno, if a lookup could not be started or its answer not be kept */
    const char *error;   /* why the last one that failed did */
    const char *unclear; /* the same, if that says nothing about the name; else NULL */
};

/* Nothing is known yet. */
void lookup_init(struct lookup *l, const char *host, uint16_t port, int family);

/* Adds addresses, up to n or one of length 0, of families of which none was known. */
void lookup_know(struct lookup *l, const struct addr *addrs, int n);

/* Starts the lookup of the host. */
void lookup_start(struct lookup *l);

/* Whether something of it is still under way. */
bool lookup_is_open(const struct lookup *l);

/* What to poll; until split_at, at which lookup_split is due. */
void lookup_polls(const struct lookup *l, struct pollfd polls[static LOOKUPS]);
void lookup_split(struct lookup *l);

/* Takes one's answer, if it is there. False: not yet, or there is no such lookup. */
bool lookup_take(struct lookup *l, int which);

/* The index of the family's first address, LOOKUP_IPV6 or LOOKUP_IPV4, from there on; l->n: there is none. */
int lookup_next(const struct lookup *l, int which, int from);

/* Ends what is under way. */
void lookup_stop(struct lookup *l);

/* That, and gives the list back. */
void lookup_end(struct lookup *l);

#endif
