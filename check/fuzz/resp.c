/*
 * resp.c - replies of a Redis server, in whole and in pieces, and what is read of the server from them. The
 * first byte: how many replies.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "redis/facts.h"
#include "redis/verdict.h"

enum { LIMIT = 1 << 15 };

/* As many bytes more each time. */
static bool scan(struct resp *r, unsigned replies, const uint8_t *bytes, size_t n, size_t piece)
{
    bool whole = false;
    resp_begin(r, replies);
    for (size_t got = 0; got < n && !whole && !r->wrong;) {
        got = n - got < piece ? n : got + piece;
        char *exact = memcpy(malloc(got), bytes, got);
        whole = resp_scan(r, exact, got, LIMIT);
        free(exact);
    }
    return whole;
}

/* By every value, and from reply to reply, the same way. */
static void walk(const char *bytes, size_t n, unsigned replies)
{
    struct resp_walk all = {bytes, bytes + n}, skipping = all;
    struct resp_value v;
    const char *advice;
    while (resp_next(&all, &v)) {
        MUST(!v.bytes || (v.bytes >= bytes && v.bytes + v.len <= bytes + n));
        if (v.type == RESP_ERROR)
            redis_may_pass(&v, &advice);
        PLANTED(v.type == RESP_ARRAY && v.number == 2 && replies == 2);
    }
    for (; replies; replies--) {
        MUST(resp_next(&skipping, &v));
        resp_skip(&skipping, &v);
    }
    MUST(all.at == bytes + n && skipping.at == bytes + n);
}

static void facts(const char *bytes, size_t n)
{
    struct redis_server server = {.host = "", .shown = "redis://x"};
    struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    struct redis r;
    struct redis_facts f;
    redis_init(&r, &m, &server);
    r.replies = (struct resp_walk){bytes, bytes + n};
    bool will_do = redis_take_facts(&r, &f);
    MUST(!will_do || f.version >= 602);
    MUST(fuzz_is_printable(f.policy, strlen(f.policy)) && fuzz_is_printable(r.trouble, strlen(r.trouble)));
    PLANTED(will_do);
    redis_end(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct resp whole, pieces;
    unsigned replies = 1 + fuzz_byte(&in) % 4u;
    bool is_whole = scan(&whole, replies, in.at, in.left, SIZE_MAX);
    if (in.left < 2000) {
        MUST(scan(&pieces, replies, in.at, in.left, in.left < 300 ? 1 : 37) == is_whole);
        MUST(pieces.at == whole.at && pieces.wrong == whole.wrong);
    }
    if (is_whole) {
        char *exact = memcpy(malloc(whole.at), in.at, whole.at);
        MUST(!whole.wrong && whole.at <= LIMIT);
        walk(exact, whole.at, replies);
        if (replies == 3)
            facts(exact, whole.at);
        free(exact);
    }
    return 0;
}
