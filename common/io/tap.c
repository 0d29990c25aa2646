/*
 * tap.c - see tap.h.
 */
#include "io/tap.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

int tap_begin(struct tap *t, int from)
{
    return pump_init_half(&t->pump, from, STDERR_FILENO);
}

static void take_byte(struct tap *t, char c)
{
    if (t->ere || c == '\n')
        t->has_line = !t->ere || ere_feed(t->ere, c);
    else if (t->line_len < sizeof t->line - 1)
        t->line[t->line_len++] = c;
    t->decided = t->has_line || t->line_len == sizeof t->line - 1;
}

/* Looks at the bytes that have come, from `at` in the buffer. */
static void look(struct tap *t, size_t at)
{
    struct pump *p = &t->pump;
    while (!t->decided && at < p->len) {
        take_byte(t, p->buffer[at++]);
        if (t->ere)
            continue;
        p->start = at; /* all that came before has been taken out, too */
    }
    if (!t->ere)
        p->len -= p->start;
    if (t->lost)
        p->len = 0;
}

static void end_output(struct tap *t)
{
    t->has_line = t->has_line || (!t->decided && t->ere && t->ere->at_byte && ere_feed(t->ere, '\n'));
    t->decided = true;
    fd_close(&t->pump.from);
}

bool tap_step(struct tap *t)
{
    struct pump *p = &t->pump;
    enum pump_state out = PUMP_WAIT, in = PUMP_WAIT;
    if (p->len)
        out = pump_drain(p);
    if (out == PUMP_ERROR) {
        t->lost = true;
        p->len = 0;
    }
    size_t had = p->len;
    if (p->from >= 0 && had < PUMP_BUFFER)
        in = pump_fill(p);
    if (in == PUMP_AGAIN)
        look(t, had);
    else if (in != PUMP_WAIT)
        end_output(t);
    return in == PUMP_AGAIN || out == PUMP_AGAIN;
}

void tap_polls(const struct tap *t, struct pollfd polls[static 2])
{
    const struct pump *p = &t->pump;
    polls[0] = (struct pollfd){.fd = p->len < PUMP_BUFFER ? p->from : -1, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = p->len ? p->to : -1, .events = POLLOUT};
}

void tap_ready(struct tap *t, const struct pollfd polls[static 2])
{
    pump_ready(&t->pump, polls);
}

bool tap_is_over(const struct tap *t)
{
    return t->pump.from < 0 && !t->pump.len;
}

void tap_end(struct tap *t)
{
    fd_close(&t->pump.from);
    pump_free(&t->pump);
}
