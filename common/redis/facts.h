/*
 * facts.h - what a Redis server is, as far as it decides whether it can be relied upon.
 */
#ifndef FACTS_H
#define FACTS_H

#include "redis/redis.h"

struct redis_facts {
    unsigned version; /* 6.2.7 is 602, of Valkey the version of Redis that it says it is */
    uint64_t uptime;  /* seconds */
    bool
        persistent; /* every write is in a file (appendonly): a restart forgets nothing but the last second */
    bool evicts;    /* short of memory, it removes keys */
    char policy[32]; /* maxmemory-policy */
};

/*
 * Adds the commands whose answers these are, three replies, to the batch: with others, that costs no round
 * trip of its own. A user of the server needs the right +info.
 */
void redis_ask_facts(struct redis *r);

/* Takes the three replies. Whether the server is one that will do: else it is too old, or r->trouble says
 * why. */
bool redis_take_facts(struct redis *r, struct redis_facts *f);

/*
 * The same as a call of its own. EXIT_DONE, or the exit status after what has been reported; a signal that
 * ends us is EXIT_SYSTEM, and nothing has been.
 */
int redis_facts(struct redis *r, struct redis_facts *f, int64_t deadline);

#endif
