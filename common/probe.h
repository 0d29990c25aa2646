/*
 * probe.h - whether somebody answers at a port or a Unix socket, found out by connecting to it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

#include "addr.h"
#include "dial.h"

/* One round over all addresses of d->host, until d->deadline. Else *failure says why not. */
bool probe_tcp(const struct dial *d, struct dial_failure *failure);

/* A socket of any type; one with a full backlog answers, too. Does not wait. Else errno says why not. */
bool probe_unix(const struct addr *a);

#endif
