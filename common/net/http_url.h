/*
 * http_url.h - what follows from URLs and heads when there is more than one request: where a redirect leads
 * (RFC 3986, RFC 9110, 10.2.2), credentials (RFC 7617), when to try again, what part of a document is there.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The n bytes of a URL, or a host, as they may be shown: from behind the @ of the authority on, and behind
 * any @ where the port is none, as a password with a slash makes it.
 */
const char *http_shown(const char *url, size_t n);

/* Whether the status tells of another place, for the same request. */
bool http_is_redirect(int status);

/* Whether a later attempt may have another status. */
bool http_is_transient(int status);

enum { HTTP_HOST = 256, HTTP_USER = 512 };

/* Where a document is. */
struct http_target {
    char host[HTTP_HOST]; /* without brackets; a zone follows % (RFC 4007) */
    uint16_t port;
    const char *path; /* with its slash */
    char *url;        /* without credentials and fragment, path is its end; the caller's to free; or NULL */
    char credentials[HTTP_USER * 2]; /* for Authorization, or empty */
};

/*
 * Take the URL; n bytes of a host alone. NULL, or what is wrong: the target is not to be used then. A zone
 * may begin with %25 (RFC 6874).
 */
const char *http_take_url(struct http_target *t, const char *url, uint16_t default_port);
const char *http_take_host(struct http_target *t, const char *host, size_t n);

/*
 * Takes the URL that the n bytes of a Location lead to from there (RFC 3986, 5.2). Credentials in it are
 * ignored; those that are there stay. NULL, or what is wrong: the URL is the old one then.
 */
const char *http_follow(struct http_target *t, const char *location, size_t n);

/*
 * Nanoseconds that Retry-After asks for, seconds or a date, which is compared with the server's Date; 0:
 * none, or it is neither. The head must be whole.
 */
int64_t http_retry_after(const char *head, size_t n);

/*
 * Puts into b what If-Range may have to ask for the rest of the document with this head: a strong ETag, or,
 * where there is no ETag, Last-Modified if it is strong, as Date is another second (RFC
 * 9110, 8.8.2.2, 13.1.5).
 */
void http_put_validator(struct buf *b, const char *head, size_t n);

/* Whether its Content-Range is from byte `start` of `total` to the end. */
bool http_is_rest(const char *head, size_t n, uint64_t start, uint64_t total);

#endif
