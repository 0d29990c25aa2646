/*
 * signum.h - signals by name and number. Linux numbers its real-time signals 32 to 64, of which libc keeps
 * the first two: RTMIN is 34 in every build.
 */
#ifndef SIGNUM_H
#define SIGNUM_H

#include <stdbool.h>
#include <stddef.h>

enum { SIGNUM_RTMIN = 34, SIGNUM_MAX = 64, SIGNUM_SIZE = 16 };

/* TERM, SIGTERM, 15, RTMIN+1, RTMAX-1, in any case. False, and *sig left alone, for anything else. */
bool signum_parse(const char *text, size_t n, int *sig);

/* Whether it is one of those that libc keeps for itself and lets nobody catch. */
bool signum_is_reserved(int sig);

/* The name without SIG; a number where there is none. Points into mem or to a constant. */
const char *signum_name(int sig, char mem[static SIGNUM_SIZE]);

#endif
