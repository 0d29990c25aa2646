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
    static const char version[] = "HTTP/1.";
    const size_t len = sizeof version - 1, end = len + 5; /* "HTTP/1." "1" " " "200" */
    uint64_t status;
    if (n <= end || memcmp(head, version, len) != 0 || head[len] < '0' || head[len] > '9' ||
        head[len + 1] != ' ' || !num_u64n(head + len + 2, 3, 100, 999, &status) ||
        !memchr(" \r\n", head[end], 3))
        return -1;
    *reason = head + len + 2;
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
    if (strncasecmp(url, scheme, strlen(scheme)) != 0)
        return "only http is supported";
    const char *host = url + strlen(scheme), *rest = host + strcspn(host, "/?#");
    const char *end = *host == '[' ? memchr(host, ']', (size_t)(rest - host)) : NULL;
    const char *colon = memchr(end ? end : host, ':', (size_t)(rest - (end ? end : host)));
    if (*host == '[' && !end)
        return "missing ] after the address";
    if (colon && !num_u64n(colon + 1, (size_t)(rest - colon - 1), 1, UINT16_MAX, &port))
        return "expected a port from 1 to 65535";
    const char *host_end = colon ? colon : rest;
    if (end && end + 1 != host_end)
        return "expected a port or a path after ]";
    host += end != NULL;
    *u = (struct http_url){.host = host,
        .host_len = (size_t)((end ? end : host_end) - host),
        .port = (uint16_t)port,
        .path = rest,
        .path_len = strcspn(rest, "#")};
    return NULL;
}

const char *http_body_length(const char *head, size_t n, bool *has_length, uint64_t *length)
{
    size_t at = 0, len;
    const char *value;
    uint64_t one;
    *has_length = false;
    while ((value = http_header(head, n, &at, "Content-Length", &len))) {
        if (!num_u64n(value, len, 0, INT64_MAX, &one) || (*has_length && one != *length))
            return "invalid Content-Length";
        *has_length = true;
        *length = one;
    }
    at = 0;
    while ((value = http_header(head, n, &at, "Transfer-Encoding", &len)))
        if (len != 8 || strncasecmp(value, "identity", len) != 0)
            return "unsupported Transfer-Encoding, which HTTP/1.0 does not have";
    return NULL;
}

void http_put_request(struct buf *b, const char *path, const char *host, uint16_t port)
{
    buf_fmt(b, "GET %s HTTP/1.0\r\n", path);
    if (!host)
        return;
    int len = (int)strcspn(host, "%"); /* the interface of a link-local address is ours alone */
    bool brackets = strchr(host, ':') != NULL;
    buf_fmt(b, "Host: %s%.*s%s", brackets ? "[" : "", len, host, brackets ? "]" : "");
    if (port != HTTP_PORT)
        buf_fmt(b, ":%u", port);
    buf_text(b, "\r\n");
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
