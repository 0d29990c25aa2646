/*
 * http_url.c - see http_url.h.
 */
#include "net/http_url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "net/http.h"

/* strcspn(3) within n bytes, which no NUL ends. */
static size_t span_to(const char *text, size_t n, const char *stop)
{
    size_t at = 0;
    while (at < n && !strchr(stop, text[at]))
        at++;
    return at;
}

const char *http_shown(const char *url, size_t n)
{
    const char *start = url, *end = url + n, *slashes = memmem(url, n, "//", 2);
    if (slashes && (slashes == url || slashes[-1] == ':'))
        url = slashes + 2;
    const char *rest = url + span_to(url, (size_t)(end - url), "/?#");
    const char *colon = memrchr(url, ':', (size_t)(rest - url));
    while (colon && ++colon < rest)
        if (*colon < '0' || *colon > '9') /* no port: of a password with a slash, we have seen a part */
            rest = end;
    const char *at = memrchr(url, '@', (size_t)(rest - url));
    return at ? at + 1 : start;
}

bool http_is_redirect(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

bool http_is_transient(int status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* Takes the steps . and .. out of the path from there on (RFC 3986, 5.2.4). */
static void remove_dots(struct buf *b, size_t from)
{
    char *path = b->mem + from, *to = path;
    const char *in = path, *end = path + strcspn(path, "?");
    while (in < end) {
        size_t step = 1 + strcspn(in + 1, "/?");
        bool one = step == 2 && in[1] == '.', two = step == 3 && in[1] == '.' && in[2] == '.';
        if (two)
            while (to > path && *--to != '/')
                ;
        if (!one && !two) {
            memmove(to, in, step);
            to += step;
        } else if (in + step == end) {
            *to++ = '/';
        }
        in += step;
    }
    size_t query = strlen(end);
    memmove(to, end, query + 1);
    b->len = from + (size_t)(to - path) + query;
}

/* The URL that Location leads to, without dots as steps of its path. */
static void put_url(struct buf *b, const struct http_target *t, const char *location, size_t n)
{
    size_t scheme = span_to(location, n, ":/?#"), zone = strcspn(t->host, "%");
    bool absolute = scheme < n && location[scheme] == ':', same_scheme = n > 1 && !memcmp(location, "//", 2);
    if (absolute || same_scheme) {
        buf_fmt(b, "%s%.*s", absolute ? "" : "http:", (int)n, location);
        buf_str(b);
        return;
    }
    buf_text(b, "http://");
    if (t->host[zone]) /* RFC 6874 */
        buf_fmt(b, "[%.*s%%25%s]:%u", (int)zone, t->host, t->host + zone + 1, t->port);
    else
        http_put_origin(b, t->host, zone, t->port);
    bool same_path = *location == '?' || *location == '#';
    size_t from = b->len, keep = *location == '/' ? 0 : strcspn(t->path, *location == '#' ? "#" : "?");
    while (keep && !same_path && t->path[keep - 1] != '/')
        keep--;
    buf_bytes(b, t->path, keep);
    buf_bytes(b, location, n);
    buf_str(b);
    if (!same_path)
        remove_dots(b, from);
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c > ' ' ? strchr(digits, c | ' ') : NULL;
    return digit ? (int)(digit - digits) : -1;
}

/* The next byte of text with %XX decoded. */
static unsigned char next_byte(const char **text, const char *end)
{
    const char *p = *text;
    bool coded = *p == '%' && end - p > 2 && hex(p[1]) >= 0 && hex(p[2]) >= 0;
    *text += coded ? 3 : 1;
    return (unsigned char)(coded ? hex(p[1]) * 16 + hex(p[2]) : *p);
}

/* "Basic ..." for USER[:PASSWORD], whose %XX are decoded. False: too long, or with a control character. */
static bool put_basic(struct buf *b, const char *user, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char mem[HTTP_USER] = {0};
    struct buf plain = {.mem = mem, .size = sizeof mem - 2}; /* the last group may lack two bytes */
    for (const char *end = user + n; user < end;) {
        char c = next_byte(&user, end);
        if ((unsigned char)c < ' ' || c == 0x7f)
            return false;
        buf_char(&plain, c);
    }
    if (!memchr(mem, ':', plain.len))
        buf_char(&plain, ':');
    buf_text(b, "Basic ");
    for (size_t i = 0; i < plain.len; i += 3) {
        const unsigned char *c = (const unsigned char *)mem + i;
        unsigned bits = (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2];
        for (unsigned k = 0; k < 4; k++)
            buf_char(b, i + k > plain.len ? '=' : letters[bits >> (18 - 6 * k) & 63]);
    }
    return !plain.cut;
}

const char *http_take_host(struct http_target *t, const char *host, size_t n)
{
    bool brackets = n > 1 && *host == '[' && host[n - 1] == ']';
    host += brackets;
    n -= brackets ? 2 : 0;
    if (n >= sizeof t->host || !http_is_host(host, n))
        return "expected a name or an address as host";
    memcpy(t->host, host, n);
    t->host[n] = '\0';
    char *zone = strchr(t->host, ':') ? strstr(t->host, "%25") : NULL;
    if (zone && zone[3])
        memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
    return NULL;
}

/* The same, of a URL that was split. */
static const char *take(struct http_target *t, const struct http_url *u, uint16_t default_port)
{
    static const char scheme[] = "http://";
    struct buf url = {.size = strlen(u->authority) + sizeof scheme + 1};
    const char *wrong = http_take_host(t, u->host, u->host_len);
    if (wrong)
        return wrong;
    url.mem = malloc(url.size);
    if (!url.mem)
        return strerror(ENOMEM);
    buf_text(&url, scheme);
    buf_bytes(&url, u->authority, (size_t)(u->path - u->authority));
    size_t path = url.len;
    if (*u->path != '/')
        buf_char(&url, '/');
    buf_bytes(&url, u->path, u->path_len);
    buf_str(&url);
    if (!http_is_path(url.mem + path)) {
        free(url.mem);
        return "expected a path with %20 for a blank";
    }
    free(t->url);
    t->url = url.mem;
    t->path = t->url + path;
    t->port = u->port ? u->port : default_port;
    return NULL;
}

const char *http_take_url(struct http_target *t, const char *url, uint16_t default_port)
{
    struct http_url u;
    struct buf credentials = BUF(t->credentials);
    const char *wrong = http_split_url(&u, url);
    if (wrong)
        return wrong;
    if (u.user && !put_basic(&credentials, u.user, u.user_len))
        return "expected a short user and password without control characters";
    buf_str(&credentials);
    return take(t, &u, default_port);
}

const char *http_follow(struct http_target *t, const char *location, size_t n)
{
    struct http_url u;
    struct buf b = {.size = n + strlen(t->path) + HTTP_HOST + sizeof "http://[%25]:65535"};
    b.mem = malloc(b.size);
    if (!b.mem)
        return strerror(ENOMEM);
    put_url(&b, t, location, n);
    const char *wrong = http_split_url(&u, b.mem);
    wrong = wrong ? wrong : take(t, &u, HTTP_PORT);
    free(b.mem);
    return wrong;
}

/* The moment "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) in seconds. -1: it is no such date. */
static int64_t moment_of(const char *date, size_t n)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const struct {
        unsigned char at, digits, max;
    } parts[] = {{5, 2, 31}, {12, 4, 0}, {17, 2, 23}, {20, 2, 59}, {23, 2, 60}};
    uint64_t found[5];
    struct tm t = {0};
    for (size_t i = 0; i < 5; i++)
        if (n != 29 ||
            !num_u64n(date + parts[i].at, parts[i].digits, 0, i == 1 ? 9999 : parts[i].max, &found[i]))
            return -1;
    while (t.tm_mon < 12 && memcmp(months + 3 * t.tm_mon, date + 8, 3) != 0)
        t.tm_mon++;
    t.tm_mday = (int)found[0];
    t.tm_year = (int)found[1] - 1900;
    t.tm_hour = (int)found[2];
    t.tm_min = (int)found[3];
    t.tm_sec = (int)found[4];
    return t.tm_mon < 12 ? timegm(&t) : -1;
}

int64_t http_retry_after(const char *head, size_t n)
{
    size_t len, now_len;
    uint64_t seconds = 0;
    const char *value = http_first(head, n, "Retry-After", &len);
    if (!value || !len)
        return 0;
    if (strspn(value, "0123456789") >= len) { /* a line end follows it */
        if (!num_u64n(value, len, 0, UINT32_MAX, &seconds))
            seconds = UINT32_MAX;
        return (int64_t)seconds * CLOCK_SECOND;
    }
    const char *now = http_first(head, n, "Date", &now_len);
    int64_t from = now ? moment_of(now, now_len) : -1, to = moment_of(value, len);
    if (from < 0 || to < from)
        return 0;
    return (to - from < UINT32_MAX ? to - from : UINT32_MAX) * CLOCK_SECOND;
}

void http_put_validator(struct buf *b, const char *head, size_t n)
{
    size_t len, date_len;
    const char *value = http_first(head, n, "ETag", &len);
    if (value && *value == '"') /* else W/"..." */
        buf_bytes(b, value, len);
    if (value)
        return;
    value = http_first(head, n, "Last-Modified", &len);
    const char *date = http_first(head, n, "Date", &date_len);
    if (value && date && (len != date_len || memcmp(value, date, len) != 0))
        buf_bytes(b, value, len);
}

bool http_is_rest(const char *head, size_t n, uint64_t start, uint64_t total)
{
    char mem[80];
    struct buf wanted = BUF(mem);
    size_t len;
    const char *value = http_first(head, n, "Content-Range", &len);
    buf_fmt(&wanted, "bytes %llu-%llu/%llu", (unsigned long long)start, (unsigned long long)total - 1,
        (unsigned long long)total);
    return value && len == wanted.len && memcmp(value, mem, len) == 0;
}
