/*
 * rules_client.h - the inside of rules: what stands before the colon of a rule, and how it is found again.
 *
 * A client is a key of 16 bytes and a rank: an address, IPv4 as mapped IPv6, and the length of its prefix; or
 * an id, and whether it is that of a user or a group. The rule with the greatest rank decides.
 */
#ifndef RULES_CLIENT_H
#define RULES_CLIENT_H

#include <stdint.h>
#include <string.h>

#include "serve/rules.h"

struct rules_key {
    unsigned char id[16], rank, interface; /* 0: any */
    /* not of the key */
    unsigned char unused[2];
    uint32_t rule;
};

/* NULL without memory. */
struct rules *rules_new(void);

/* 0, or -1 with ENOMEM. */
int rules_add(struct rules *r, const struct rule *rule);

/* A client of the rule that is added next. Each returns NULL, or what is wrong. */
const char *rules_add_key(
    struct rules *r, const unsigned char id[16], unsigned rank, unsigned char interface);
const char *rules_add_address(struct rules *r, const char *text, size_t n);
const char *rules_add_peer(struct rules *r, const char *text, size_t n);

/* The rule of that client; NULL: it has none. */
const struct rule *rules_find_key(const struct rules *r, const struct rules_key *key);

/* uid=..., gid=... */
static inline bool rules_is_peer(const char *text, size_t n)
{
    return n >= 4 && (!memcmp(text, "uid=", 4) || !memcmp(text, "gid=", 4));
}

#endif
