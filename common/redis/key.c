/*
 * key.c - see key.h.
 */
#include "redis/key.h"

#include <string.h>

const char *redis_name(const struct msg *m, const char *word)
{
    static const char prefix[] = "redis:";
    size_t n = sizeof prefix - 1;
    if (!word || strncmp(word, prefix, n) != 0)
        return NULL;
    if (!word[n] || strlen(word + n) > REDIS_NAME_MAX)
        msg_usage(m, "KEY redis:NAME: expected a NAME of 1 to %d bytes", REDIS_NAME_MAX);
    return word + n;
}
