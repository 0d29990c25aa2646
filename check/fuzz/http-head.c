/* http-head.c - the head of a response, and what is read from it. */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "net/http_url.h"

static void headers(const char *head, size_t n)
{
    static const char *const names[] = {"Location", "ETag", "Retry-After", "X"};
    struct http_length length;
    char mem[1024];
    struct buf b = BUF(mem);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value;
        for (size_t at = 0, len; (value = http_header(head, n, &at, names[i], &len));) {
            MUST(value >= head && value + len <= head + n && at <= n);
            MUST(!memchr(value, '\n', len) && !memchr(value, '\0', len));
        }
    }
    const char *wrong = http_body_length(head, n, &length);
    PLANTED(!wrong && length.chunked && http_retry_after(head, n) == 7000000000);
    MUST(http_retry_after(head, n) >= 0);
    http_put_validator(&b, head, n);
    http_is_rest(head, n, 5, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t n, whole;
    const char *reason;
    char *head = (char *)fuzz_bytes(&in, 8192, &n);
    int status = http_status(head, n, &reason);
    MUST(status >= -1 && status <= 999 && (status < 0 || (reason >= head && reason <= head + n)));
    if ((whole = http_head_length(head, n)) && http_head_is_plain(head, whole)) {
        char *exact = memcpy(malloc(whole), head, whole);
        struct buf text = {.mem = malloc(4 * whole + 1), .size = 4 * whole + 1};
        MUST(whole <= n);
        headers(exact, whole);
        http_escape_head(&text, exact, whole);
        MUST(!text.cut);
        for (size_t at = 0, line; at < text.len; at += line + 1) {
            const char *end = memchr(text.mem + at, '\n', text.len - at);
            line = end ? (size_t)(end - text.mem) - at : text.len - at;
            MUST(fuzz_is_printable(text.mem + at, line - (line && text.mem[at + line - 1] == '\r')));
        }
        free(text.mem);
        free(exact);
    }
    free(head);
    return 0;
}
