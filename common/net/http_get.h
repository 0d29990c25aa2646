/*
 * http_get.h - the response of a server that nobody trusts: its head, limited in size and time, then its
 * body, of any length, which goes to an fd without a copy where the kernel can. Chunks are decoded (RFC
 * 9112, 7.1).
 */
#ifndef HTTP_GET_H
#define HTTP_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/progress.h"
#include "io/relay.h"
#include "net/http.h"

enum { HTTP_HEAD = 65536 };

struct http_get {
    int fd;  /* the connection, non-blocking, and */
    int out; /* where the body goes: the caller's to close */
    int64_t deadline, head_deadline;
    int64_t idle; /* how long the server may be silent within its body, in nanoseconds */
    struct progress progress;
    /* what take_head finds */
    int status;
    const char *reason; /* the status line from the status on, until the body is read */
    struct http_length length;
    size_t head_len;
    /* the last failure: the exit status, and the message's parts */
    struct http_failure {
        int status;
        const char *action;
        bool passes; /* another attempt may succeed */
        bool output; /* it was the output's */
        int err;     /* 0: why */
        char why[512];
    } failure;
    /* inside */
    struct pump body;
    bool began;       /* something was printed */
    uint64_t printed; /* bytes of the body that did not go through the pump */
    size_t got, at;   /* head[at] to head[got - 1] came behind what was read so far */
    char head[HTTP_HEAD + 1];
};

/*
 * Reads the head, and skips those of interim responses (1xx), which may come unasked. 0, or the exit status
 * of what then is in `failure`, as the others.
 */
int http_get_head(struct http_get *g);

/* Writes the head to `out`, not beyond the deadline; `escaped` for a terminal. */
int http_get_print_head(struct http_get *g, bool escaped);

/* Moves the body; the head is lost. */
int http_get_body(struct http_get *g);

/* Note a failure, of the action "get" at first, and return its exit status; the second one is errno's. */
int http_fail(struct http_get *g, const char *why, bool passes);
int http_fail_sys(struct http_get *g, const char *action);

#endif
