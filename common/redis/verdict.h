/*
 * verdict.h - what an error of a Redis server means: whether the same command may be answered later.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "redis/resp.h"

/*
 * Whether the error may pass: the server is loading, failing over, busy or short of memory. *advice is what
 * else there is to say about it. The code is looked for in errors of scripts, too, which Redis before 7
 * wraps.
 */
bool redis_may_pass(const struct resp_value *error, const char **advice);

#endif
