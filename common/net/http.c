/*
 * http.c - see http.h.
 */
#include "net/http.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

size_t http_head_length(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n')
            continue;
        if (i + 1 < n && text[i + 1] == '\n')
            return i + 2;
        if (i + 2 < n && text[i + 1] == '\r' && text[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

int http_status(const char *head, size_t n, const char **reason)
{
    static const char protocol[] = "HTTP/";
    const char *word = head + strlen(protocol), *end = memchr(head, '\n', n);
    uint64_t status;
    end = end ? end : head + n;
    if ((size_t)(end - head) < strlen(protocol) || memcmp(head, protocol, strlen(protocol)) != 0)
        return -1;
    const char *dot = memchr(word, '.', (size_t)(end - word)),
               *blank = memchr(word, ' ', (size_t)(end - word));
    if (!dot || !blank || blank < dot || !num_u64n(word, (size_t)(dot - word), 1, 1, &status) ||
        !num_u64n(dot + 1, (size_t)(blank - dot - 1), 0, UINT32_MAX, &status) || head + n - blank < 5 ||
        !num_u64n(blank + 1, 3, 100, 999, &status) || !memchr(" \r\n", blank[4], 3))
        return -1;
    *reason = blank + 1;
    return (int)status;
}

bool http_head_is_plain(const char *head, size_t n)
{
    if (memchr(head, '\0', n))
        return false;
    const char *line = head, *next;
    for (; (next = memchr(line, '\n', n - (size_t)(line - head))); line = next + 1) {
        const char *colon = memchr(line, ':', (size_t)(next - line));
        size_t name = strcspn(line, ": \t\r\n");
        if (line != head && name && colon && line + name != colon)
            return false;
    }
    return true;
}

/* Neither a blank nor a control character. */
static bool is_plain(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f;
}

bool http_is_path(const char *path)
{
    if (*path != '/')
        return false;
    while (*path && is_plain(*path))
        path++;
    return !*path;
}

bool http_is_host(const char *host, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_plain(host[i]) || strchr("/?#@[]", host[i]))
            return false;
    return n > 0;
}

bool http_is_header(const char *line)
{
    size_t name = strcspn(line, ": \t");
    if (!name || line[name] != ':')
        return false;
    for (; *line; line++)
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            return false;
    return true;
}

/* The value of one line if it is of that name, else NULL. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    const char *value = line + n + 1;
    len -= n + 1;
    for (; len && (*value == ' ' || *value == '\t'); value++)
        len--;
    while (len && memchr(" \t\r", value[len - 1], 3))
        len--;
    *value_len = len;
    return value;
}

const char *http_header(const char *head, size_t n, size_t *at, const char *name, size_t *value_len)
{
    while (*at < n) {
        const char *line = head + *at, *end = memchr(line, '\n', n - *at);
        size_t len = end ? (size_t)(end - line) : n - *at;
        *at += len + 1;
        const char *value = value_of(line, len, name, value_len);
        if (value)
            return value;
    }
    return NULL;
}

const char *http_split_url(struct http_url *u, const char *url)
{
    static const char scheme[] = "http://";
    uint64_t port = 0;
    if (strncasecmp(url, "https:", 6) == 0)
        return "https needs another program for TLS: openssl, socat, stunnel; see ipcbox(7), docs/tls.md";
    if (strncasecmp(url, scheme, strlen(scheme)) != 0)
        return "only http is supported";
    const char *user = url + strlen(scheme), *rest = user + strcspn(user, "/?#");
    const char *at = memrchr(user, '@', (size_t)(rest - user)), *host = at ? at + 1 : user;
    const char *end = *host == '[' ? memchr(host, ']', (size_t)(rest - host)) : NULL;
    const char *colon = memchr(end ? end : host, ':', (size_t)(rest - (end ? end : host)));
    if (*host == '[' && !end)
        return "missing ] after the address";
    if (colon && colon + 1 < rest && !num_u64n(colon + 1, (size_t)(rest - colon - 1), 1, UINT16_MAX, &port))
        return "expected a port from 1 to 65535";
    const char *host_end = colon ? colon : rest;
    if (end && end + 1 != host_end)
        return "expected a port or a path after ]";
    const char *authority = host;
    host += end != NULL;
    *u = (struct http_url){.user = at ? user : NULL,
        .user_len = at ? (size_t)(at - user) : 0,
        .authority = authority,
        .host = host,
        .host_len = (size_t)((end ? end : host_end) - host),
        .port = (uint16_t)port,
        .path = rest,
        .path_len = strcspn(rest, "#")};
    return NULL;
}

const char *http_first(const char *head, size_t n, const char *name, size_t *value_len)
{
    size_t at = 0;
    return http_header(head, n, &at, name, value_len);
}

static bool is_word(const char *value, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

const char *http_body_length(const char *head, size_t n, struct http_length *length)
{
    size_t at = 0, len;
    const char *value;
    uint64_t one;
    *length = (struct http_length){0};
    while ((value = http_header(head, n, &at, "Content-Length", &len))) {
        if (!num_u64n(value, len, 0, INT64_MAX, &one) || (length->known && one != length->bytes))
            return "invalid Content-Length";
        length->known = true;
        length->bytes = one;
    }
    at = 0;
    while ((value = http_header(head, n, &at, "Transfer-Encoding", &len))) {
        bool chunked = is_word(value, len, "chunked");
        if (length->chunked || (!chunked && !is_word(value, len, "identity")))
            return "unsupported Transfer-Encoding";
        length->chunked = chunked;
    }
    length->known = length->known && !length->chunked;
    return NULL;
}

bool http_chunk_size(const char *line, size_t n, uint64_t *size)
{
    static const char digits[] = "0123456789abcdef";
    size_t i = 0;
    *size = 0;
    for (const char *digit; i < n && line[i] > ' ' && (digit = strchr(digits, line[i] | ' ')); i++)
        if (i == 15) /* beyond what a file can hold */
            return false;
        else
            *size = *size * 16 + (uint64_t)(digit - digits);
    return i && (i == n || memchr("; \t", line[i], 3));
}

void http_put_origin(struct buf *b, const char *host, size_t n, uint16_t port)
{
    bool brackets = strchr(host, ':') != NULL;
    buf_fmt(b, "%s%.*s%s", brackets ? "[" : "", (int)n, host, brackets ? "]" : "");
    if (port != HTTP_PORT)
        buf_fmt(b, ":%u", port);
}

void http_put_request(struct buf *b, const char *path, const char *host, uint16_t port)
{
    buf_fmt(b, "GET %s HTTP/1.0\r\n", path);
    if (!host)
        return;
    buf_text(b, "Host: ");
    http_put_origin(b, host, strcspn(host, "%"), port); /* the interface is ours alone */
    buf_text(b, "\r\n");
}

bool http_has_header(const struct buf *headers, const char *name)
{
    size_t len;
    return http_first(headers->mem, headers->len, name, &len) != NULL;
}

void http_put_header(struct buf *b, const char *name, const char *value)
{
    if (*value && !http_has_header(b, name))
        buf_fmt(b, "%s: %s\r\n", name, value);
}

void http_put_headers(struct buf *b, const struct buf *headers, bool all)
{
    static const char *const first_only[] = {"Authorization:", "Cookie:", "Host:"};
    for (size_t at = 0, len; at < headers->len; at += len) {
        const char *line = headers->mem + at;
        bool wanted = true;
        len = (size_t)((char *)memchr(line, '\n', headers->len - at) + 1 - line);
        for (size_t i = 0; i < sizeof first_only / sizeof *first_only; i++)
            wanted = wanted && (all || strncasecmp(line, first_only[i], strlen(first_only[i])) != 0);
        buf_bytes(b, line, wanted ? len : 0);
    }
}

void http_escape_head(struct buf *b, const char *head, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t line = strcspn(head + at, "\r\n");
        buf_escaped(b, head + at, line);
        at += line;
        at += strspn(head + at, "\r");
        at += head[at] == '\n';
        buf_char(b, '\n');
    }
}
