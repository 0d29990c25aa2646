/*
 * rules_peer.c - see rules.h: rules for the processes that connect to a Unix socket.
 */
#include "serve/rules_client.h"

#include "base/buf.h"
#include "process/user.h"

enum { ANY, GROUP, USER }; /* the more specific, the greater */

static struct rules_key key_of(unsigned rank, uint32_t id)
{
    struct rules_key key = {.rank = (unsigned char)rank};
    memcpy(key.id, &id, sizeof id);
    return key;
}

const char *rules_add_peer(struct rules *r, const char *text, size_t n)
{
    char mem[256];
    struct buf name = BUF(mem);
    unsigned rank = ANY;
    uint32_t id = 0;
    if (n) {
        if (!rules_is_peer(text, n))
            return "expected uid=USER, gid=GROUP or nothing before the colon: addresses are for tcpserver "
                   "and udpserver";
        buf_bytes(&name, text + 4, n - 4);
        rank = *text == 'u' ? USER : GROUP;
        const char *wrong = (rank == USER ? user_find : user_find_group)(name.cut ? "" : buf_str(&name), &id);
        if (wrong)
            return wrong;
    }
    struct rules_key key = key_of(rank, id);
    return rules_add_key(r, key.id, rank, 0);
}

bool rules_have_groups(const struct rules *r)
{
    return r->in_use[GROUP] > 0;
}

const struct rule *rules_find_peer(const struct rules *r, uid_t uid, const gid_t *groups, size_t n)
{
    struct rules_key key = key_of(USER, uid);
    const struct rule *found = rules_find_key(r, &key);
    if (found)
        return found;
    for (size_t i = 0; i < n; i++) {
        key = key_of(GROUP, groups[i]);
        const struct rule *rule = rules_find_key(r, &key);
        if (rule && (!found || rule < found)) /* the one that comes first */
            found = rule;
    }
    key = key_of(ANY, 0);
    return found ? found : rules_find_key(r, &key);
}
