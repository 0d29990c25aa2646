/*
 * http-body.c - a whole response on a socket, as webget reads it. By the first byte: whatever comes; chunks
 * of whatever comes behind a head that announces them; or a document, which is sent in chunks, and must come
 * out as it is.
 */
#include "harness/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_get.h"

/* The document in chunks of up to 37 bytes, with extensions and a trailer. */
static struct buf in_chunks(const uint8_t *bytes, size_t n)
{
    struct buf b = {.mem = malloc(n * 40 + 256), .size = n * 40 + 256};
    buf_text(&b, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0, part; i < n; i += part) {
        part = 1 + bytes[i] % 37u;
        part = part < n - i ? part : n - i;
        buf_fmt(&b, bytes[i] & 64 ? "%zx;a=b\r\n" : "%zX\r\n", part);
        buf_bytes(&b, bytes + i, part);
        buf_text(&b, "\r\n");
    }
    buf_text(&b, bytes && n && bytes[0] & 64 ? "000\r\nA: b\r\n\r\n" : "0\r\n\r\n");
    return b;
}

/* The exit status, and in `out` what was printed. */
static int get(struct http_get *g, const char *bytes, size_t n, int out)
{
    int fds[2];
    fuzz_pair(fds);
    *g = (struct http_get){.fd = fds[1], .out = out, .idle = CLOCK_SECOND};
    g->deadline = g->head_deadline = clock_in(CLOCK_SECOND);
    MUST(send(fds[0], bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
    shutdown(fds[0], SHUT_WR);
    int status = http_get_head(g);
    status = status ? status : http_get_body(g);
    close(fds[0]);
    close(fds[1]);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_get g;
    static char printed[8192];
    if (!size || size > 4096)
        return 0;
    unsigned how = *data++ % 3u;
    bool made = how == 2;
    size--;
    int out = fuzz_memory_file("", 0);
    struct buf b = in_chunks(data, made ? size : 0);
    if (!made) {
        b.len = 0;
        buf_text(&b, how ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" : "");
        b.mem = realloc(b.mem, b.len + size + 1);
        MUST(b.mem);
        memcpy(b.mem + b.len, data, size);
        b.len += size;
    }
    int status = get(&g, b.mem, b.len, out);
    ssize_t n = pread(out, printed, sizeof printed, 0);
    MUST(!made || (status == 0 && n == (ssize_t)size && memcmp(printed, data, size) == 0));
    MUST(status == 0 || *g.failure.why || g.failure.err);
    MUST(!g.length.known || status || g.length.chunked || n == (ssize_t)g.length.bytes);
    PLANTED(how == 1 && status == 0 && n >= 2);
    free(b.mem);
    close(out);
    return 0;
}
