/*
 * proxy.h - the PROXY protocol's header, versions 1 and 2 (haproxy's proxy-protocol.txt): who is at the other
 * end of the proxy that connected to us.
 *
 * It is read to its last byte and not one further, without waiting, in as many steps as it comes in.
 */
#ifndef PROXY_H
#define PROXY_H

#include "net/addr.h"

struct proxy {
    size_t len, skip;         /* bytes read; bytes of extensions (TLVs) still to be thrown away */
    unsigned char bytes[232]; /* 16 and the longest addresses (AF_UNIX), or a line of version 1 */
    bool complete;
    /* Once complete. Length 0: the connection's own ends count (LOCAL, UNKNOWN, AF_UNIX). */
    struct addr local, remote;
};

/*
 * Reads on. 1 when the header is complete, 0 when more is to come, -1 with errno: EPROTO when it is none,
 * ENODATA when the peer hung up without having sent a byte.
 */
int proxy_read(struct proxy *p, int fd);

/* After -1 with err: the peer hung up, or reset the connection, before its first byte, as health checks do.
 */
bool proxy_was_probe(const struct proxy *p, int err);

#endif
