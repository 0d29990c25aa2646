/*
 * http_get.c - see http_get.h.
 */
#include "net/http_get.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/exitcode.h"
#include "base/fd.h"
#include "process/sigs.h"

enum { INTERIM_MAX = 8 };

int http_fail(struct http_get *g, const char *why, bool passes)
{
    g->failure = (struct http_failure){.status = EXIT_SYSTEM, .action = "get", .passes = passes};
    struct buf b = BUF(g->failure.why);
    buf_text(&b, why);
    buf_str(&b);
    return EXIT_SYSTEM;
}

int http_fail_sys(struct http_get *g, const char *action)
{
    int err = errno;
    bool late = !clock_left(g->deadline);
    http_fail(g, late ? "the deadline passed" : "nothing has moved for the time of --idle", !late);
    g->failure.action = action;
    if (err == ETIMEDOUT)
        return g->failure.status = EXIT_DEADLINE;
    g->failure.err = err;
    return EXIT_SYSTEM;
}

static int lose_output(struct http_get *g)
{
    http_fail_sys(g, "write");
    g->failure.output = true;
    g->failure.passes = false;
    return EXIT_SYSTEM;
}

/* Receives once behind what is in head, which is not full. */
static int receive(struct http_get *g, int64_t until, const char *end)
{
    for (;;) {
        errno = ETIMEDOUT;
        ssize_t n = clock_left(until) ? recv(g->fd, g->head + g->got, HTTP_HEAD - g->got, 0) : -1;
        if (n == 0)
            return http_fail(g, end, true);
        if (n > 0) {
            g->got += (size_t)n;
            return EXIT_DONE;
        }
        if (errno != EINTR && (errno != EAGAIN || sigs_wait(g->fd, POLLIN, until) < 0))
            return http_fail_sys(g, "get");
    }
}

/* ---- the head ---- */

static int read_head(struct http_get *g)
{
    while (!(g->head_len = http_head_length(g->head, g->got))) {
        if (g->got == HTTP_HEAD)
            return http_fail(g, "the head is longer than 64 KiB", false);
        int failed = receive(
            g, g->head_deadline, g->got ? "the response ends within its head" : "the response is empty");
        if (failed)
            return failed;
    }
    g->at = g->head_len;
    return EXIT_DONE;
}

/* What the head says about the body. */
static int read_headers(struct http_get *g)
{
    const char *wrong = http_body_length(g->head, g->head_len, &g->length);
    if (wrong)
        return http_fail(g, wrong, false);
    if (g->status == 204 || g->status == 304) /* these have no body */
        g->length = (struct http_length){.known = true};
    return EXIT_DONE;
}

int http_get_head(struct http_get *g)
{
    g->got = 0;
    for (int interim = 0; interim <= INTERIM_MAX; interim++) {
        int failed = read_head(g);
        if (failed)
            return failed;
        g->status = http_status(g->head, g->head_len, &g->reason);
        if (g->status < 0)
            return http_fail(g, "the response is not HTTP", false);
        if (!http_head_is_plain(g->head, g->head_len))
            return http_fail(g, "invalid header", false);
        if (g->status >= 200)
            return read_headers(g);
        g->got -= g->head_len;
        memmove(g->head, g->head + g->head_len, g->got);
    }
    return http_fail(g, "too many interim responses", false);
}

/* ---- the body ---- */

/* In pieces that can't block, so that a stalled reader does not outlast the deadline. */
static int print(struct http_get *g, const char *bytes, size_t n)
{
    while (n) {
        if (sigs_wait(g->out, POLLOUT, g->deadline) < 0)
            return http_fail_sys(g, "print");
        ssize_t done = fd_write(g->out, bytes, n < PIPE_BUF ? n : PIPE_BUF);
        if (done < 0 && errno != EAGAIN)
            return lose_output(g);
        g->began = g->began || done > 0;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return EXIT_DONE;
}

int http_get_print_head(struct http_get *g, bool escaped)
{
    struct buf text = {.size = 4 * g->head_len + 1};
    if (!escaped)
        return print(g, g->head, g->head_len);
    text.mem = malloc(text.size);
    if (!text.mem)
        return http_fail_sys(g, "malloc");
    http_escape_head(&text, g->head, g->head_len);
    int failed = print(g, text.mem, text.len);
    free(text.mem);
    return failed;
}

static uint64_t received(const struct http_get *g)
{
    return g->printed + g->body.moved;
}

/* Sleeps until the pump can go on. False with errno: ETIMEDOUT, or what poll(2) said. */
static bool sleep_for(struct http_get *g)
{
    struct pollfd polls[2];
    pump_polls(&g->body, polls);
    /* a silent server is given up; a slow reader is not */
    int64_t until = clock_first(g->deadline, polls[1].fd >= 0 ? CLOCK_NEVER : clock_in(g->idle));
    int ready = 0;
    while (ready <= 0 && clock_left(until)) {
        ready = sigs_sleep(polls, 2, clock_first(clock_left(until), progress_left(&g->progress)));
        if (ready < 0 && errno != EINTR)
            return false;
        progress_tick(&g->progress, 0, received(g));
    }
    pump_ready(&g->body, polls);
    errno = ETIMEDOUT;
    return ready > 0;
}

/* The pump to its end. */
static int move_rest(struct http_get *g)
{
    for (;;) {
        enum pump_state state = pump_step(&g->body);
        if (state == PUMP_END)
            return EXIT_DONE;
        if (state == PUMP_ERROR)
            return g->body.failed == PUMP_TARGET ? lose_output(g) : http_fail_sys(g, "get");
        progress_tick(&g->progress, 0, received(g));
        errno = ETIMEDOUT;
        if (!clock_left(g->deadline) || (state != PUMP_AGAIN && !sleep_for(g)))
            return http_fail_sys(g, "get");
    }
}

static int cut_off(struct http_get *g)
{
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "the body is cut off after %llu", (unsigned long long)received(g));
    if (g->length.known)
        buf_fmt(&why, " of %llu", (unsigned long long)g->length.bytes);
    buf_text(&why, " bytes");
    return http_fail(g, buf_str(&why), true);
}

/* The next n bytes of the body, UINT64_MAX: all. First those that came already. */
static int print_part(struct http_get *g, uint64_t n)
{
    struct pump *p = &g->body;
    size_t there = g->got - g->at;
    if (there > n)
        there = (size_t)n;
    int failed = print(g, g->head + g->at, there);
    if (failed)
        return failed;
    g->at += there;
    g->printed += there;
    p->limited = n != UINT64_MAX;
    p->left = n - there;
    failed = move_rest(g);
    return failed || !p->limited || !p->left ? failed : cut_off(g);
}

/* The next line, without its end. */
static int read_line(struct http_get *g, const char **line, size_t *n)
{
    const char *end;
    while (!(end = memchr(g->head + g->at, '\n', g->got - g->at))) {
        g->got -= g->at;
        memmove(g->head, g->head + g->at, g->got);
        g->at = 0;
        if (g->got == HTTP_HEAD)
            return http_fail(g, "invalid chunk", false);
        int failed = receive(g, clock_first(g->deadline, clock_in(g->idle)), "");
        if (failed)
            return *g->failure.why ? failed : cut_off(g);
    }
    *line = g->head + g->at;
    g->at = (size_t)(end + 1 - g->head);
    *n = (size_t)(end - *line);
    *n -= *n && end[-1] == '\r';
    return EXIT_DONE;
}

/* The empty line behind a chunk; behind the last one are headers before it, which are dropped. */
static int end_chunk(struct http_get *g, bool last)
{
    const char *line;
    size_t n, dropped = 0;
    do {
        int failed = read_line(g, &line, &n);
        if (failed)
            return failed;
        dropped += n;
        if (n && (!last || dropped > HTTP_HEAD))
            return http_fail(g, "invalid chunk", false);
    } while (n);
    return EXIT_DONE;
}

static int print_chunks(struct http_get *g)
{
    const char *line;
    size_t n;
    uint64_t size;
    int failed;
    do {
        failed = read_line(g, &line, &n);
        if (!failed && !http_chunk_size(line, n, &size))
            failed = http_fail(g, "invalid chunk", false);
        failed = failed ? failed : print_part(g, size);
        failed = failed ? failed : end_chunk(g, !size);
    } while (!failed && size);
    return failed;
}

int http_get_body(struct http_get *g)
{
    g->printed = 0;
    pump_init(&g->body, g->fd, g->out);
    int failed =
        g->length.chunked ? print_chunks(g) : print_part(g, g->length.known ? g->length.bytes : UINT64_MAX);
    progress_end(&g->progress, 0, received(g));
    pump_free(&g->body);
    return failed;
}
