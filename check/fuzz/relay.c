/*
 * relay.c - the pump between two ends that do what the input says: write, read, hang up, in any order. Ends
 * are sockets, pipes or files. What arrives is what was sent, in order, without a gap.
 */
#include "harness/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/relay.h"

enum { SOCKETS, PIPES, FILES, KINDS, MOST = 1 << 20 };

struct script {
    struct pump p;
    int far_from, far_to; /* the peers' ends, -1: hung up, or a file */
    size_t sent, got;     /* bytes of the stream so far */
    bool ended, failed, to_hung_up;
};

/* The stream: every byte can be told from its neighbors. */
static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static void make_ends(int kind, int *near, int *far, bool near_reads)
{
    int fds[2];
    if (kind == FILES) {
        *near = fuzz_memory_file("", 0);
        *far = -1;
        return;
    }
    if (kind == SOCKETS)
        fuzz_pair(fds);
    else
        MUST(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    *near = fds[near_reads ? 0 : 1];
    *far = fds[near_reads ? 1 : 0];
}

static void write_some(struct script *s, size_t n)
{
    static uint8_t bytes[(1 << 17) + 8];
    if (s->ended) /* a file ends where it ended when it was read */
        return;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(s->sent + i);
    if (s->p.from_kind == PUMP_FILE) {
        MUST(pwrite(s->p.from, bytes, n, (off_t)s->sent) == (ssize_t)n);
        s->sent += n;
        return;
    }
    ssize_t done = s->far_from < 0 ? 0 : write(s->far_from, bytes, n);
    s->sent += done > 0 ? (size_t)done : 0;
}

static void check(struct script *s, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        MUST(bytes[i] == byte_at(s->got + i));
    s->got += n;
    MUST(s->got <= s->sent);
}

static bool read_some(struct script *s, size_t n)
{
    static uint8_t bytes[(1 << 17) + 8];
    n = n < sizeof bytes ? n : sizeof bytes;
    ssize_t done = s->p.to_kind == PUMP_FILE ? pread(s->p.to, bytes, n, (off_t)s->got)
                   : s->far_to < 0           ? 0
                                             : read(s->far_to, bytes, n);
    if (done > 0)
        check(s, bytes, (size_t)done);
    return done > 0;
}

static enum pump_state step(struct script *s)
{
    struct pollfd polls[2];
    if (s->ended || s->failed)
        return PUMP_END;
    enum pump_state state = pump_step(&s->p);
    s->ended = state == PUMP_END;
    s->failed = state == PUMP_ERROR;
    MUST(!s->failed || s->to_hung_up);
    if (state == PUMP_WAIT) {
        pump_polls(&s->p, polls);
        MUST(polls[0].fd >= 0 || polls[1].fd >= 0);
        poll(polls, 2, 0);
        pump_ready(&s->p, polls);
    }
    return state;
}

/* The source ends, the reader reads on: all must arrive. */
static void finish(struct script *s, uint64_t limit)
{
    fd_close(&s->far_from);
    for (int idle = 0; !s->ended && !s->failed && idle < 8;)
        idle = step(s) == PUMP_WAIT && !read_some(s, MOST) ? idle + 1 : 0;
    while (read_some(s, MOST))
        ;
    if (s->to_hung_up)
        return;
    MUST(s->ended && s->got == s->p.moved);
    MUST(s->got == (s->p.limited && s->sent > limit ? limit : s->sent));
    PLANTED(s->p.from_kind == PUMP_SOCKET && s->p.to_kind == PUMP_PIPE && s->got > 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct script s = {.ended = false};
    sigset_t pipes; /* blocked, as in every applet */
    int from, to;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipes, NULL);
    unsigned kinds = fuzz_byte(&in);
    make_ends((int)(kinds % KINDS), &from, &s.far_from, true);
    make_ends((int)(kinds / KINDS % KINDS), &to, &s.far_to, false);
    pump_init(&s.p, from, to);
    uint64_t limit = fuzz_number(&in, 2);
    s.p.limited = kinds & 128;
    s.p.left = limit;
    for (int i = 0; in.left && i < 64; i++) {
        unsigned op = fuzz_byte(&in);
        size_t n = (size_t)1 << (op >> 3) % 18;
        switch (op & 7) {
        case 0:
        case 1:
            if (s.sent < MOST)
                write_some(&s, n + op % 3);
            break;
        case 2:
        case 3:
            read_some(&s, n + op % 5);
            break;
        case 7:
            if (op == 255) {
                s.to_hung_up = s.to_hung_up || s.far_to >= 0;
                fd_close(&s.far_to);
            } else if (op == 247) {
                fd_close(&s.far_from);
            }
            break;
        default:
            step(&s);
        }
    }
    finish(&s, limit);
    pump_free(&s.p);
    fd_close(&s.far_to);
    close(from);
    close(to);
    return 0;
}
