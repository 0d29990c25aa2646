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

/* The status of "HTTP/1.1 200 OK", and where its reason begins; -1: it is no such line. */
int http_status(const char *head, size_t n, const char **reason);

/* Whether it can't be misread: no NUL, and no blank before the colon of a name. The head must be whole. */
bool http_head_is_plain(const char *head, size_t n);

/* Whether it may stand in a request (RFC 3986): it begins with a slash, without blanks or control characters.
 */
bool http_is_path(const char *path);

/* Whether it may be a host: nothing in it that has a meaning in a URL, no blanks or control characters. */
bool http_is_host(const char *host, size_t n);

/* What http://HOST[:PORT][/PATH] consists of, in place. */
struct http_url {
    const char *host; /* without the brackets of an IPv6 address */
    size_t host_len;
    uint16_t port;    /* 0: there is none */
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

/*
 * How long the body is, by Content-Length; *has_length is false where none is given. NULL, or what is wrong,
 * as any encoding of the body would be. The head must be whole.
 */
const char *http_body_length(const char *head, size_t n, bool *has_length, uint64_t *length);

/* The first lines of a GET request; host NULL: without Host. */
void http_put_request(struct buf *b, const char *path, const char *host, uint16_t port);

/* The head as lines that a terminal can't trip over. Up to four times as long. */
void http_escape_head(struct buf *b, const char *head, size_t n);

#endif
