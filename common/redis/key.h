/*
 * key.h - the KEY redis:NAME, in place of a file or of a key of System V IPC.
 */
#ifndef KEY_H
#define KEY_H

#include "base/msg.h"

enum { REDIS_NAME_MAX = 255 };

/*
 * NAME, if the word is redis:NAME, which stands before all other kinds of words (a file of that name is
 * ./redis:NAME); NULL: it is none. Does not return if NAME is empty or has more than REDIS_NAME_MAX bytes.
 */
const char *redis_name(const struct msg *m, const char *word);

#endif
