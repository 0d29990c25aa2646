/*
 * tap.c - the output of a program, in which a line is waited for. The first byte: in which pieces it comes;
 * the first line: the expression, or nothing, where the line is taken out.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tap.h"

static void run(struct tap *t, const uint8_t *bytes, size_t n, size_t piece)
{
    int fds[2];
    fuzz_pair(fds);
    t->pump.from = fds[1];
    t->pump.from_kind = PUMP_SOCKET;
    t->pump.can_read = true;
    for (size_t at = 0, part; at < n; at += part) {
        part = n - at < piece ? n - at : piece;
        MUST(send(fds[0], bytes + at, part, MSG_NOSIGNAL) == (ssize_t)part);
        while (tap_step(t))
            ;
        t->pump.can_read = true;
    }
    close(fds[0]);
    while (!tap_is_over(t)) {
        tap_step(t);
        t->pump.can_read = t->pump.can_write = true;
    }
    MUST(t->decided);
}

/* What of the output is passed on: without an expression all but the first line, if it is one. */
static size_t taken_out(const struct tap *t, const uint8_t *bytes, size_t n)
{
    const uint8_t *newline = memchr(bytes, '\n', n);
    size_t line = newline ? (size_t)(newline - bytes) + 1 : n;
    return t->ere ? 0 : line < sizeof t->line ? line : sizeof t->line - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[8192];
    struct input in = {data, size};
    struct ere ere;
    struct tap t = {.line_len = 0};
    size_t piece = 1 + fuzz_byte(&in);
    char *expression = fuzz_text(&in, 100);
    if (size < sizeof out && (!*expression || !ere_begin(&ere, expression))) {
        int to = fuzz_memory_file("", 0);
        MUST(tap_begin(&t, -1) == 0);
        t.pump.to = to; /* not the fuzzer's stderr */
        t.pump.to_kind = PUMP_FILE;
        t.pump.can_write = true;
        t.ere = *expression ? &ere : NULL;
        run(&t, in.at, in.left, piece);
        ssize_t n = pread(to, out, sizeof out, 0);
        size_t skip = taken_out(&t, in.at, in.left);
        MUST(n == (ssize_t)(in.left - skip) && memcmp(out, in.at + skip, in.left - skip) == 0);
        PLANTED(t.has_line && t.ere && strlen(expression) > 1);
        tap_end(&t);
        close(to);
    }
    free(expression);
    return 0;
}
