/*
 * resp-fuzz.c - the parser of common/redis/resp.c under random replies (make B/check/resp-fuzz).
 *
 *     resp-fuzz SEED ROUNDS    makes replies, some of them spoilt, and looks at them in whole and in pieces
 *
 * Whatever the pieces are, the parser must say the same, when the same bytes have come; a whole reply must
 * have the values that were put into it. Memory ends where the bytes end, so that a sanitizer sees a step too
 * far.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/resp.h"

enum { ROOM = 1 << 16, VALUES = 4096, LIMIT = 1 << 15 };

struct made {
    char text[ROOM];
    size_t n, values;
    struct {
        enum resp_type type;
        size_t len;
        int64_t number;
    } value[VALUES];
};

static uint64_t state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
    return (unsigned)(next_random() % n);
}

static _Noreturn void fail(const char *what, const struct made *m)
{
    printf("resp-fuzz: %s: ", what);
    for (size_t i = 0; i < m->n && i < 400; i++)
        printf(m->text[i] >= ' ' && m->text[i] != '\\' ? "%c" : "\\x%02x", (unsigned char)m->text[i]);
    printf("\n");
    exit(1);
}

static void put(struct made *m, const char *text, size_t n)
{
    memcpy(m->text + m->n, text, n);
    m->n += n;
}

static void note(struct made *m, enum resp_type type, size_t len, int64_t number)
{
    m->value[m->values].type = type;
    m->value[m->values].len = len;
    m->value[m->values++].number = number;
}

static int64_t any_number(void)
{
    static const int64_t odd[] = {0, -1, 1, INT64_MAX, INT64_MIN, -2, 10};
    return below(3) ? (int64_t)next_random() >> below(64) : odd[below(7)];
}

static void make_text(struct made *m, bool bulk, char type)
{
    char head[32];
    size_t n = below(4) ? below(20) : below(3000);
    int len = bulk ? snprintf(head, sizeof head, "$%zu\r\n", n) : snprintf(head, sizeof head, "%c", type);
    put(m, head, (size_t)len);
    for (size_t i = 0; i < n; i++) {
        char c = bulk ? (char)below(256) : (char)(' ' + below(90));
        put(m, bulk && !below(20) ? "\r" : bulk && !below(20) ? "\n" : &c, 1);
    }
    put(m, "\r\n", 2);
    note(m, type == '-' ? RESP_ERROR : RESP_TEXT, n, 0);
}

static void make(struct made *m, unsigned depth)
{
    char head[32];
    unsigned kind = below(m->n > ROOM / 4 || m->values > VALUES / 2 || depth == RESP_DEPTH ? 5 : 7);
    int64_t number = kind == 2 ? any_number() : below(6);
    if (kind == 0)
        make_text(m, false, '+');
    else if (kind == 1)
        make_text(m, false, '-');
    else if (kind == 3)
        make_text(m, true, '$');
    else if (kind == 4) {
        put(m, below(2) ? "$-1\r\n" : "*-1\r\n", 5);
        note(m, RESP_NIL, 0, -1);
    } else {
        int len = snprintf(head, sizeof head, "%c%" PRId64 "\r\n", kind == 2 ? ':' : '*', number);
        put(m, head, (size_t)len);
        note(m, kind == 2 ? RESP_INTEGER : RESP_ARRAY, 0, number);
        for (; kind > 2 && number; number--)
            make(m, depth + 1);
    }
}

/* What the parser says when that many bytes more come each time: its end, in *r. */
static bool scan(const struct made *m, unsigned replies, unsigned most, struct resp *r)
{
    bool whole = false;
    size_t n = 0;
    resp_begin(r, replies);
    while (!whole && !r->wrong && n < m->n) {
        n += most ? 1 + below(most) : m->n;
        n = n < m->n ? n : m->n;
        char *exact = malloc(n);
        memcpy(exact, m->text, n);
        whole = resp_scan(r, exact, n, LIMIT);
        free(exact);
    }
    return whole;
}

static void compare_values(const struct made *m, size_t n)
{
    char *exact = malloc(n + !n);
    memcpy(exact, m->text, n);
    struct resp_walk walk = {exact, exact + n};
    struct resp_value v;
    for (size_t i = 0; i < m->values; i++) {
        bool is_text = m->value[i].type == RESP_TEXT || m->value[i].type == RESP_ERROR;
        if (!resp_next(&walk, &v) || v.type != m->value[i].type || v.len != m->value[i].len ||
            (!is_text && (v.bytes || v.number != m->value[i].number)))
            fail("another value", m);
    }
    if (resp_next(&walk, &v) || walk.at != walk.end)
        fail("a value too many", m);
    free(exact);
}

/* Skipping each reply must lead from one to the next. */
static void compare_skips(const struct made *m, unsigned replies)
{
    struct resp_walk walk = {m->text, m->text + m->n};
    struct resp_value v;
    for (; replies; replies--) {
        if (!resp_next(&walk, &v))
            fail("too few replies", m);
        resp_skip(&walk, &v);
    }
    if (walk.at != walk.end)
        fail("a skip that ends elsewhere", m);
}

static void spoil(struct made *m)
{
    for (unsigned times = 1 + below(3); times && m->n > 1; times--) {
        size_t at = below((unsigned)m->n), n = 1 + below(4);
        n = n < m->n - at ? n : m->n - at;
        if (below(3) == 0) {
            memmove(m->text + at, m->text + at + n, m->n - at - n);
            m->n -= n;
        } else if (below(2)) {
            m->text[at] = "0123456789-$*:+\r\n"[below(17)];
        } else {
            m->text[at] = (char)below(256);
        }
    }
}

static void one_round(struct made *m)
{
    unsigned replies = 1 + below(4);
    struct resp in_whole, in_pieces;
    m->n = m->values = 0;
    for (unsigned i = 0; i < replies; i++)
        make(m, 0);
    bool intact = below(2), fits = m->n <= LIMIT;
    if (!intact)
        spoil(m);
    bool whole = scan(m, replies, 0, &in_whole);
    for (int i = 0; i < 4; i++) {
        static const unsigned most[] = {1, 3, 40, 4000};
        if (m->n > 3000 && i < 2)
            continue;
        bool also = scan(m, replies, most[i], &in_pieces);
        if (also != whole || in_pieces.at != in_whole.at || in_pieces.wrong != in_whole.wrong)
            fail("another answer in pieces", m);
    }
    if (whole && (in_whole.wrong || in_whole.at > LIMIT || in_whole.at > m->n))
        fail("whole beyond its limit", m);
    if (intact && fits && !whole)
        fail("not whole", m);
    if (intact && !fits && !in_whole.wrong)
        fail("not too large", m);
    if (intact && fits) {
        compare_values(m, in_whole.at);
        compare_skips(m, replies);
    }
}

/* What needs no chance: each must be what stands before it. */
static void known_ones(struct made *m)
{
    static const char *const wrong[] = {"x", "$5\r\nhellox\r\n", "$-2\r\n", "*-2\r\n", ":\r\n", ":1x\r\n",
        ":+1\r\n", "+a\n", "\n", "\r\n", "$99999999999999999999\r\n", "*4000000000\r\n", "$32768\r\n",
        ":9223372036854775808\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ":00000000000000000000000000000001\r\n", "!5\r\n"};
    struct resp r;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        m->n = 0;
        put(m, wrong[i], strlen(wrong[i]));
        if (scan(m, 1, 1, &r) || !r.wrong)
            fail("taken", m);
    }
    m->n = 0; /* a line that never ends */
    memset(m->text, '+', ROOM);
    m->n = RESP_LINE + 1;
    if (scan(m, 1, 0, &r) || !r.wrong)
        fail("a line too long", m);
}

int main(int argc, char **argv)
{
    static struct made m;
    if (argc != 3)
        return 100;
    state = strtoull(argv[1], NULL, 10);
    known_ones(&m);
    for (unsigned long rounds = strtoul(argv[2], NULL, 10); rounds; rounds--)
        one_round(&m);
    printf("done\n");
    return 0;
}
