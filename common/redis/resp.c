/*
 * resp.c - see resp.h.
 */
#include "redis/resp.h"

#include <string.h>
#include <sys/types.h>

#include "base/num.h"

static const char not_resp[] = "its answer is not RESP2: is it a Redis server?";

/* The number of a line `:N`, `$N`, `*N`. */
static bool take_number(const char *digits, size_t n, int64_t *number)
{
    bool negative = n && *digits == '-';
    uint64_t magnitude;
    if (!num_u64n(digits + negative, n - negative, 0, (uint64_t)INT64_MAX + negative, &magnitude))
        return false;
    *number = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/*
 * The value that text begins with, without the elements of an array: how many bytes it has; 0: they are not
 * all there, or *wrong says what is the matter. It and what follows it may have `limit` bytes.
 */
static size_t take(const char *text, size_t n, size_t limit, struct resp_value *v, const char **wrong)
{
    if (!n)
        return 0;
    bool is_line = *text == '+' || *text == '-';
    size_t max = is_line ? RESP_LINE : RESP_NUMBER_LINE;
    const char *end = memchr(text, '\n', n < max ? n : max);
    *v = (struct resp_value){.bytes = text + 1, .len = end ? (size_t)(end - text) - 2 : 0};
    if (!memchr("+-:$*", *text, 5) || (!end && n >= max) ||
        (end &&
            (end - text < 2 || end[-1] != '\r' || (!is_line && !take_number(v->bytes, v->len, &v->number)))))
        return *wrong = not_resp, 0;
    if (!end)
        return 0;
    size_t line = (size_t)(end + 1 - text);
    v->type = *text == '-' ? RESP_ERROR : *text == '+' ? RESP_TEXT : *text == ':' ? RESP_INTEGER : RESP_NIL;
    if (!is_line) {
        v->bytes = NULL;
        v->len = 0;
    }
    if (is_line || *text == ':' || v->number == -1)
        return line;
    if (v->number < 0)
        return *wrong = not_resp, 0;
    size_t each = *text == '*' ? 3 : 1; /* the least that an element has */
    if (line > limit || (uint64_t)v->number > (limit - line) / each)
        return *wrong = "its answer is too large", 0;
    v->type = *text == '*' ? RESP_ARRAY : RESP_TEXT;
    if (v->type == RESP_ARRAY)
        return line;
    v->len = (size_t)v->number;
    v->bytes = end + 1;
    v->number = 0;
    if (n - line >= v->len + 2 && memcmp(v->bytes + v->len, "\r\n", 2) != 0)
        *wrong = not_resp;
    return n - line < v->len + 2 || *wrong ? 0 : line + v->len + 2;
}

void resp_begin(struct resp *r, unsigned replies)
{
    *r = (struct resp){.left = {replies}};
}

bool resp_scan(struct resp *r, const char *bytes, size_t n, size_t limit)
{
    struct resp_value v;
    for (;;) {
        while (r->depth && !r->left[r->depth])
            r->depth--;
        if (!r->left[r->depth])
            return true;
        size_t size = take(bytes + r->at, n - r->at, limit - r->at, &v, &r->wrong);
        if (!size)
            return false;
        r->at += size;
        r->left[r->depth]--;
        if (r->at > limit)
            return r->wrong = "its answer is too large", false;
        if (v.type == RESP_ARRAY && r->depth == RESP_DEPTH)
            return r->wrong = "its answer has too many arrays in arrays", false;
        if (v.type == RESP_ARRAY)
            r->left[++r->depth] = (uint64_t)v.number;
    }
}

bool resp_next(struct resp_walk *w, struct resp_value *v)
{
    const char *wrong = NULL;
    size_t n = (size_t)(w->end - w->at), size = take(w->at, n, n, v, &wrong);
    w->at += size;
    if (!size)
        *v = (struct resp_value){.type = RESP_NIL};
    return size > 0;
}

void resp_skip(struct resp_walk *w, const struct resp_value *v)
{
    struct resp_value inner = *v;
    uint64_t left = 0;
    do {
        left += inner.type == RESP_ARRAY ? (uint64_t)inner.number : 0;
    } while (left-- && resp_next(w, &inner));
}

bool resp_begins(const struct resp_value *v, const char *words)
{
    size_t n = strlen(words);
    return (v->type == RESP_TEXT || v->type == RESP_ERROR) && v->len >= n && memcmp(v->bytes, words, n) == 0;
}
