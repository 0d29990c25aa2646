/*
 * steps.c - lock-step: where each answer ends, by --until TEXT or --lines N. The answers are the same in
 * whole, in pieces, and as a search without any cleverness finds them.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipe/talk.h"

enum { ANSWERS = 64 };

struct ends {
    size_t n, at[ANSWERS];
};

/* The ends that TEXT, or every so many lines, has in the bytes. */
static void search(struct ends *e, const char *until, uint64_t lines, const uint8_t *bytes, size_t n)
{
    size_t begin = 0, len = until ? strlen(until) : 0;
    uint64_t seen = 0;
    e->n = 0;
    for (size_t i = 1; i <= n && e->n < ANSWERS; i++) {
        seen += bytes[i - 1] == '\n';
        bool whole = until ? i - begin >= len && memcmp(bytes + i - len, until, len) == 0 : seen == lines;
        if (!whole)
            continue;
        e->at[e->n++] = begin = i;
        seen = 0;
    }
}

/* A request, after which an answer is expected; what it puts into the sink is taken. */
static void ask(struct talk *t)
{
    memcpy(t->in.pump.buffer, "ask\n", 4);
    t->in.pump.start = 0;
    t->in.pump.len = 4;
    MUST(talk_request(t, &t->in, false) && t->in_sink.len == 4 && t->request_whole && !t->answer_whole);
    t->in_sink.len = 0;
}

static void relay(struct ends *e, struct coproc *c, const uint8_t *bytes, size_t n, size_t piece)
{
    static char memory[4][PUMP_BUFFER];
    struct talk t = {.c = c};
    t.in = (struct lane){.pump.buffer = memory[0], .sink = &t.in_sink};
    t.out = (struct lane){.pump.buffer = memory[2], .sink = &t.out_sink};
    t.in_sink.buffer = memory[1];
    t.out_sink.buffer = memory[3];
    MUST(talk_start_steps(&t) == 0);
    size_t done = 0, fed = 0;
    e->n = 0;
    ask(&t);
    while (done < n && e->n < ANSWERS) {
        if (!t.out.pump.len) {
            size_t part = n - fed < piece ? n - fed : piece;
            memcpy(t.out.pump.buffer, bytes + fed, part);
            t.out.pump.start = 0;
            t.out.pump.len = part;
            fed += part;
        }
        MUST(talk_answer(&t, &t.out, false) && t.out_sink.len);
        MUST(memcmp(t.out_sink.buffer, bytes + done, t.out_sink.len) == 0);
        done += t.out_sink.len;
        t.out_sink.len = 0;
        if (!t.answer_whole)
            continue;
        e->at[e->n++] = done;
        MUST(!talk_answer(&t, &t.out, false)); /* what follows is not passed on before the next request */
        ask(&t);
    }
    free(t.fallback);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "server", *words[] = {name, NULL};
    struct input in = {data, size};
    struct prog prog = {.argv = words};
    struct ends naive, whole, pieces;
    uint64_t lines = fuzz_byte(&in) % 4u;
    size_t piece = 1 + fuzz_byte(&in) % 7u;
    char *until = fuzz_text(&in, 32);
    struct coproc c = {
        .lock_step = true, .lines = lines, .until = lines ? NULL : until, .timeout = CLOCK_SECOND};
    c.job.progs = &prog;
    c.job.running = 1;
    if ((lines || *until) && in.left < 4096) {
        search(&naive, c.until, lines, in.at, in.left);
        relay(&whole, &c, in.at, in.left, 4096);
        relay(&pieces, &c, in.at, in.left, piece);
        MUST(whole.n == naive.n && memcmp(whole.at, naive.at, naive.n * sizeof *naive.at) == 0);
        MUST(pieces.n == naive.n && memcmp(pieces.at, naive.at, naive.n * sizeof *naive.at) == 0);
        PLANTED(c.until && strlen(until) > 2 && until[0] == until[1] && naive.n == 2);
    }
    free(until);
    return 0;
}
