/*
 * probe.h - whether a port or a Unix socket answers, by a connection to it.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

#include "net/addr.h"
#include "net/dial.h"

/* One round over all addresses of d->host, until d->deadline. Else *failure says why not. */
bool probe_tcp(const struct dial *d, struct dial_failure *failure);

/* The same for a port of 127.0.0.1 and ::1, with a second for each. */
bool probe_loopback(uint16_t port);

/* A socket of any type; one with a full backlog answers, too. Does not wait. Else errno says why not. */
bool probe_unix(const struct addr *a);

#endif
