/*
 * rules.h - access rules in the source syntax of tcprules(1), read directly.
 *
 *     CLIENT:allow|deny[,NAME="VALUE"]...      CLIENT is 1.2.3.4, a prefix 1.2., a range 1.2.3.4-9
 * or 1.2-5., a block 10.0.0.0/8, [2001:db8::1], [2001:db8::]/32, a prefix [2001:db8:], a link-local address
 * on one interface [fe80::1%eth0], or nothing (all). The longest match decides, among equals that with an
 * interface, then the first. For the clients of a Unix socket, CLIENT is uid=USER, gid=GROUP (numbers, or
 * names, which are looked up when the file is read) or nothing; that of the user decides, else the first of
 * those of the groups, else that of all. A line that can't be understood is an error: no rule is ever
 * silently left out.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "net/addr.h"
#include "base/table.h"

struct rule {
    bool deny;
    unsigned long line;
    const char *text; /* the whole line */
    char *vars;       /* "NAME=VALUE\0NAME=VALUE\0\0" */
};

struct rules {
    struct rule *rule;
    size_t count, room;
    bool of_peers;       /* the clients are processes, not addresses */
    struct table by_key; /* the clients: lookup tries the ranks in use, the greatest first */
    unsigned long in_use[129];
    char (*interface)[IF_NAMESIZE]; /* those that rules name; a prefix has the number of its own, from 1 */
    unsigned char interfaces;
    char *mem; /* the file and, behind it, the variables */
};

struct rules_error {
    unsigned long line; /* 0: not a line's fault */
    const char *why;    /* NULL: errno */
};

/*
 * Adds to *r, which is made if it is NULL: ADDRESS[,ADDRESS]..., where IPv6 needs no brackets. NULL, or what
 * is wrong.
 */
const char *rules_add_list(struct rules **r, const char *list);

/*
 * Reads a file of rules for peers or for addresses. NULL with *error when it can't be read or understood;
 * errno then tells also of a line's names that could not be looked up for a shortage. The caller frees the
 * result.
 */
struct rules *rules_read(const char *path, bool of_peers, struct rules_error *error);
void rules_free(struct rules *r);

/*
 * Whether the file at path is another than *seen, by device, inode, size and times; *seen becomes it, all
 * zero when there is none. Costs one stat(2).
 */
bool rules_update_seen(const char *path, struct stat *seen);

/* The rule that decides for an address; NULL: none, which allows. */
const struct rule *rules_find(const struct rules *r, const struct addr *a);

/* The same for a process of that user, with n groups, and whether groups matter. */
const struct rule *rules_find_peer(const struct rules *r, uid_t uid, const gid_t *groups, size_t n);
bool rules_have_groups(const struct rules *r);

#endif
