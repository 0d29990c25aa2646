/*
 * http.h - reading the head of an HTTP answer (RFC 1945, RFC 9112): lines that end with CR LF, or LF alone.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { HTTP_PORT = 80 };

/* How long the head is, with the blank line that ends it; 0: it is not all there. */
size_t http_head_length(const char *text, size_t n);

/*
 * The status of "HTTP/1.1 200 OK", of which not more than "HTTP/1.1 200 " need have come, and where it stands
 * there; -1: it is no such line. Zeros before the numbers of the version are ignored (RFC 1945, 3.1).
 */
int http_status(const char *head, size_t n, const char **reason);

/* Whether it can't be misread: no NUL, and no blank before the colon of a name. The head must be whole. */
bool http_head_is_plain(const char *head, size_t n);

/* Whether it may stand in a request (RFC 3986): it begins with a slash, without blanks or control characters.
 */
bool http_is_path(const char *path);

/* Whether it may be a host: nothing in it that has a meaning in a URL, no blanks or control characters. */
bool http_is_host(const char *host, size_t n);

/* What http://[USER@]HOST[:PORT][/PATH] consists of, in place. */
struct http_url {
    const char *user; /* NULL: there is none */
    size_t user_len;
    const char *authority; /* from the host on, brackets included */
    const char *host;      /* without the brackets of an IPv6 address */
    size_t host_len;
    uint16_t port;    /* 0: there is none, or it is empty (RFC 3986, 3.2.3) */
    const char *path; /* may lack its slash */
    size_t path_len;  /* without the fragment */
};

/* NULL, or what is wrong with the URL. Host and path are not checked. */
const char *http_split_url(struct http_url *u, const char *url);

/* Whether it is a line "Name: value" that may be sent: no control characters, no blank in the name. */
bool http_is_header(const char *line);

/*
 * The value of the next header of that name, without the blanks around it, and its length; *at is where to
 * look, 0 at first, and where to go on. NULL: there is none. The head must be whole.
 */
const char *http_header(const char *head, size_t n, size_t *at, const char *name, size_t *value_len);

/* That of the first one. */
const char *http_first(const char *head, size_t n, const char *name, size_t *value_len);

/* How the body ends: after that many bytes, with its last chunk, or else with the connection. */
struct http_length {
    bool known, chunked;
    uint64_t bytes;
};

/*
 * That, by Content-Length and Transfer-Encoding, of which only chunked is understood, and counts more. NULL,
 * or what is wrong. The head must be whole.
 */
const char *http_body_length(const char *head, size_t n, struct http_length *length);

/* The size in the line before a chunk (RFC 9112, 7.1), which has lost its CR LF. False: it is no such line.
 */
bool http_chunk_size(const char *line, size_t n, uint64_t *size);

/* "HOST", "[HOST]:8080": the first n bytes of an address or name, and the port unless it is 80. */
void http_put_origin(struct buf *b, const char *host, size_t n, uint16_t port);

/* The first lines of a GET request; host NULL: without Host. */
void http_put_request(struct buf *b, const char *path, const char *host, uint16_t port);

/* Whether lines of headers, perhaps behind a request's first one, have one of that name. */
bool http_has_header(const struct buf *headers, const char *name);

/* A line more, unless the value is empty or there is one of that name. */
void http_put_header(struct buf *b, const char *name, const char *value);

/* Lines of headers; unless `all`, without those that are for the host alone that the user has named. */
void http_put_headers(struct buf *b, const struct buf *headers, bool all);

/* The head as lines that a terminal can't trip over. Up to four times as long. */
void http_escape_head(struct buf *b, const char *head, size_t n);

#endif
