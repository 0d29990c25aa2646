/*
 * talk.c - what is done to bytes on their way between a program and its caller: lock-step, tags, a terminal's
 * input; see talk.h.
 */
#include "pipe/talk.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Appends to the sink what has room there. */
static void put(struct pump *sink, const char *bytes, size_t n)
{
    memcpy(sink->buffer + sink->start + sink->len, bytes, n);
    sink->len += n;
}

static void take(struct pump *from, size_t n)
{
    from->start += n;
    from->len -= n;
}

/* Moves n bytes at the most to SERVER, in its terminal's code if it has one. How many it moved. */
static size_t move_to_server(struct talk *t, struct lane *l, size_t n)
{
    const size_t most = PUMP_BUFFER / 3;
    const char *bytes = l->pump.buffer + l->pump.start;
    if (n > most)
        n = most;
    if (t->c->pty == PTY_BOTH)
        l->sink->len = pty_encode(&t->line, l->sink->to, bytes, n, l->sink->buffer);
    else
        put(l->sink, bytes, n);
    take(&l->pump, n);
    return n;
}

/* A terminal doesn't learn by a closed fd that input has ended. */
static void end_input(struct talk *t, struct lane *l)
{
    bool again = t->input_ended;
    t->input_ended = true;
    if (t->c->pty == PTY_BOTH && !again)
        l->sink->len = pty_encode_end(&t->line, l->sink->to, l->sink->buffer);
}

bool talk_encode(struct talk *t, struct lane *l, bool ended)
{
    if (l->pump.len)
        return move_to_server(t, l, l->pump.len) > 0;
    if (ended)
        end_input(t, l);
    return false;
}

/* ---- tags ---- */

/*
 * "TIME out: line\n"; with + in place of : the line goes on in the next piece, or its newline never came.
 * False: no room.
 */
static bool put_piece(struct lane *l, const char *bytes, size_t n, bool whole)
{
    char mem[64];
    struct buf head = BUF(mem);
    msg_timestamp(&head);
    buf_fmt(&head, " %s%c ", l->tag, whole ? ':' : '+');
    if (l->sink->start + l->sink->len + head.len + n + 1 > PUMP_BUFFER)
        return false;
    put(l->sink, head.mem, head.len);
    put(l->sink, bytes, n);
    put(l->sink, "\n", 1);
    return true;
}

bool talk_tag(struct talk *t, struct lane *l, bool ended)
{
    enum { PIECE_MAX = PUMP_BUFFER / 2 };
    bool moved = false;
    (void)t;
    l->sink->start = 0;
    while (l->pump.len) {
        const char *bytes = l->pump.buffer + l->pump.start;
        const char *newline = memchr(bytes, '\n', l->pump.len);
        size_t n = newline ? (size_t)(newline - bytes) : l->pump.len;
        bool whole = newline && n <= PIECE_MAX;
        if (!newline && n < PIECE_MAX && !ended)
            break;
        if (n > PIECE_MAX)
            n = PIECE_MAX;
        if (!put_piece(l, bytes, n, whole))
            break;
        take(&l->pump, n + whole);
        moved = true;
    }
    return moved;
}

/* ---- lock-step ---- */

/* For each length of a matched beginning of the text: the longest shorter one that also fits (Knuth, Morris,
 * Pratt). */
static int prepare_match(struct talk *t)
{
    const char *text = t->c->until;
    size_t n = strlen(text), k = 0;
    t->fallback = calloc(n + 1, sizeof *t->fallback);
    if (!t->fallback)
        return -1;
    for (size_t i = 1; i < n; i++) {
        while (k && text[i] != text[k])
            k = t->fallback[k];
        k += text[i] == text[k];
        t->fallback[i + 1] = k;
    }
    return 0;
}

static void expect_answer(struct talk *t)
{
    t->answer_whole = false;
    t->lines = 0;
    t->matched = 0;
    t->answer_begun = t->answer_in_line = false;
    t->deadline = clock_in(t->c->timeout);
}

int talk_start_steps(struct talk *t)
{
    t->request_whole = t->answer_whole = true;
    if (t->c->greeting)
        expect_answer(t);
    return t->c->until ? prepare_match(t) : 0;
}

/* While a request waits for more of stdin, SERVER owes nothing; while it doesn't take what there is, it does.
 */
int64_t talk_deadline(const struct talk *t)
{
    bool owes = t->in_sink.len || t->free_running || (t->request_whole && !t->answer_whole);
    return t->c->lock_step && owes ? t->deadline : CLOCK_NEVER;
}

bool talk_request(struct talk *t, struct lane *l, bool ended)
{
    if (!l->pump.len) {
        if (ended && !t->input_ended) {
            end_input(t, l);
            t->free_running = true;
            t->deadline = clock_in(t->c->timeout);
        }
        return false;
    }
    l->pump.paused = t->request_whole && !t->answer_whole && !t->free_running;
    if (l->pump.paused)
        return false;
    if (t->request_whole)
        expect_answer(t);
    const char *bytes = l->pump.buffer + l->pump.start;
    const char *newline = memchr(bytes, '\n', l->pump.len);
    size_t line = newline ? (size_t)(newline - bytes) + 1 : l->pump.len;
    t->request_whole = move_to_server(t, l, line) == line && newline;
    t->deadline = clock_in(t->c->timeout);
    return true;
}

/* How many of the bytes belong to the present answer. */
static size_t measure_answer(struct talk *t, const char *bytes, size_t n)
{
    const char *text = t->c->until;
    for (size_t i = 0; i < n; i++) {
        if (text) {
            while (t->matched && bytes[i] != text[t->matched])
                t->matched = t->fallback[t->matched];
            t->matched += bytes[i] == text[t->matched];
        }
        t->lines += bytes[i] == '\n';
        t->answer_in_line = bytes[i] != '\n';
        t->answer_whole = text ? !text[t->matched] : t->lines == t->c->lines;
        if (t->answer_whole)
            return i + 1;
    }
    return n;
}

bool talk_is_unanswered(const struct talk *t)
{
    bool last_line = !t->c->until && t->answer_in_line && t->lines + 1 == t->c->lines;
    return t->c->lock_step && !t->answer_whole && !last_line;
}

/* "5", "0.25" */
static void put_seconds(struct buf *text, int64_t ns)
{
    char mem[32];
    struct buf number = BUF(mem);
    long long ms = ns % CLOCK_SECOND / CLOCK_MS;
    buf_fmt(&number, "%lld.%03lld", (long long)(ns / CLOCK_SECOND), ms);
    while (number.mem[number.len - 1] == '0')
        number.len--;
    number.len -= number.mem[number.len - 1] == '.';
    buf_text(text, buf_str(&number));
}

void talk_describe_late(const struct talk *t, struct buf *text)
{
    const char *server = *t->c->job.progs->argv;
    bool owes = talk_is_unanswered(t), reads = !t->in_sink.len;
    if (!reads)
        buf_fmt(text, "%s has not read its input for ", server);
    else if (owes)
        buf_fmt(text, "no %sanswer from %s within ", t->answer_begun ? "whole " : "", server);
    else
        buf_fmt(text, "%s did not exit within ", server);
    put_seconds(text, t->c->timeout);
    buf_text(text, reads && !owes ? " s of the end of its input" : " s");
    if (reads && owes && !t->heard && t->c->pty == PTY_NONE)
        buf_text(text, "; a program that buffers its output at a pipe answers at once under --pty");
}

bool talk_answer(struct talk *t, struct lane *l, bool ended)
{
    l->pump.paused = t->answer_whole && !t->free_running && !ended && t->c->job.running;
    if (!l->pump.len || l->pump.paused)
        return false;
    size_t n = l->pump.len;
    const char *bytes = l->pump.buffer + l->pump.start;
    t->heard = t->answer_begun = true;
    if (!t->answer_whole)
        n = measure_answer(t, bytes, n);
    l->sink->start = 0;
    put(l->sink, bytes, n);
    take(&l->pump, n);
    return true;
}
