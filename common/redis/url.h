/*
 * url.h - which Redis server, as which user: --redis URL or $REDIS_URL, --redis-auth FILE.
 *
 *     redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]
 *     unix://[USER[:PASSWORD]@]/PATH[?db=DB]
 *
 * As registered with IANA (redis), and as redis-py reads them (unix); %XX stands for a byte of any part. An
 * IPv6 address is in brackets. Without a USER it is Redis's `default`. No password is ever part of a message,
 * and nothing of ours puts one into the arguments of a process.
 */
#ifndef URL_H
#define URL_H

#include "cli/opts.h"
#include "net/addr.h"

/* The options of those who take KEYs; they follow the applet's own. */
#define REDIS_OPTIONS(X)                                                                              \
    X(REDIS, 0, "redis", "URL", "redis:NAME: use this server ($REDIS_URL, redis://127.0.0.1:6379/0)") \
    X(REDIS_AUTH, 0, "redis-auth", "FILE", "redis:NAME: the first line of FILE is [USER:]PASSWORD")

enum { REDIS_PORT = 6379, REDIS_SHOWN = 320 };

struct redis_server {
    const char *url, *auth; /* the arguments of the options; NULL: there was none */

    /* from redis_server_find on */
    char *text;       /* what the others are parts of, for good */
    const char *host; /* "": a Unix socket */
    uint16_t port;
    struct addr path;            /* of that socket */
    const char *user, *password; /* NULL: none */
    unsigned db;
    char shown[REDIS_SHOWN]; /* the URL for messages, escaped, without user and password */
};

/*
 * Fills the rest by what the options say, $REDIS_URL, or the default. Does not return on a usage error, such
 * as a password in --redis, which every user of the machine can read; or when FILE can't be read (111) or
 * others than its owner and group may read or write it (100).
 */
void redis_server_find(struct redis_server *s, const struct msg *m);

#endif
