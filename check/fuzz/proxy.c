/* proxy.c - PROXY headers, versions 1 and 2, in whole and in pieces: the same, and not a byte behind is lost.
 */
#include "harness/fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/proxy.h"

struct outcome {
    int done, err;
    size_t left; /* bytes behind the header */
    struct proxy p;
};

static void run(struct outcome *o, const uint8_t *bytes, size_t n, size_t piece)
{
    uint8_t rest[4096];
    int fds[2];
    ssize_t got;
    *o = (struct outcome){0};
    fuzz_pair(fds);
    for (size_t at = 0, part; at < n && o->done == 0; at += part) {
        part = n - at < piece ? n - at : piece;
        MUST(send(fds[0], bytes + at, part, MSG_NOSIGNAL) == (ssize_t)part);
        o->done = proxy_read(&o->p, fds[1]);
        o->left = o->done == 1 ? n - at - part : 0;
    }
    shutdown(fds[0], SHUT_WR);
    if (o->done == 0)
        o->done = proxy_read(&o->p, fds[1]);
    o->err = o->done < 0 ? errno : 0;
    MUST(o->done);
    while (o->done == 1 && (got = recv(fds[1], rest, sizeof rest, 0)) > 0)
        o->left += (size_t)got;
    close(fds[0]);
    close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;
    if (size > 4096)
        return 0;
    run(&whole, data, size, 4096);
    run(&pieces, data, size, size < 300 ? 1 : 61);
    MUST(whole.done == pieces.done && whole.err == pieces.err && whole.left == pieces.left);
    if (whole.done == 1)
        MUST(whole.p.len == pieces.p.len &&
             memcmp(&whole.p.remote, &pieces.p.remote, sizeof whole.p.remote) == 0);
    PLANTED(whole.done == 1 && addr_family(&whole.p.remote) == AF_INET6 && whole.left == 1);
    return 0;
}
