/*
 * access.h - who may: the access rules of -x, by a client's address or, on Unix sockets, by its credentials,
 * and the networks of --per-net; and who counts as the same client.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "serve/rules.h"
#include "serve/serve.h"

/* In an applet's list in this order; `who` is how --explain is told of a client. */
#define RULES_OPTIONS(X, who)                                                                           \
    X(RULES, 'x', "rules", "FILE", "apply the access rules in FILE (tcprules source)")                  \
    X(NO_RULES_OK, 'X', "rules-optional", NULL, "with -x: allow all clients while FILE does not exist") \
    X(EXPLAIN, 0, "explain", who, "with -x: print the rule that applies to that client, and exit")

/* With those of addresses. */
#define ACCESS_OPTIONS(X, who) \
    RULES_OPTIONS(X, who)      \
    X(PER_NET, 0, "per-net", NULL, "with -C: count per IPv4 /24 or IPv6 /64 network")

struct access {
    struct msg *msg;
    bool is_unix;   /* the clients are processes with credentials */
    bool one_group; /* of whom no more than peer.gid is known: senders of datagrams */
    const char *path, *explain;
    bool optional, per_net, is_faulty; /* is_faulty: the machine, and the file is read again */
    struct rules *rules;
    struct stat seen; /* the file that was read last, even if that failed */
};

/* Takes an option; row counts from the first of ACCESS_OPTIONS. */
void access_option(struct access *a, int row, const struct opts *o);

/* Ends the process when the options can never work; else reads the rules. */
void access_check(struct access *a, const struct serve *s);

/* kind->refresh: reads the rules again if the file has changed, or if that was asked for. */
void access_refresh(struct access *a, bool asked);

/* --explain: what is to be said of that client, on stdout. The exit status. */
int access_explain(struct access *a);

/*
 * kind->admit: whether the client may; fills its key. A client whose groups are needed and cannot be had may
 * not, which is reported.
 */
bool access_admit(const struct access *a, struct serve_conn *c);

/* The variables of the rule that decides for a client that was admitted. 0, or -1 with ENOMEM. */
int access_env(const struct access *a, const struct serve_conn *c, struct env *e);

#endif
