/*
 * progress.c - see progress.h.
 */
#include "io/progress.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/speak.h"

void progress_start(struct progress *p, const char *applet, bool wanted)
{
    *p = (struct progress){.applet = applet, .wanted = wanted, .began = clock_now()};
    p->next = p->began + CLOCK_SECOND;
}

int64_t progress_left(const struct progress *p)
{
    return p->wanted ? clock_left(p->next) : CLOCK_NEVER;
}

static void show(struct progress *p, uint64_t sent, uint64_t received, bool last)
{
    char mem[256];
    struct buf b = BUF(mem);
    double seconds = (double)(clock_now() - p->began) / (double)CLOCK_SECOND;
    double mib = (double)(sent + received) / 1048576;
    bool terminal = isatty(STDERR_FILENO);
    if (last && !p->shown && terminal)
        return;
    buf_fmt(&b, "%s%s: sent %llu received %llu bytes in %.1f s, %.1f MiB/s%s", terminal ? "\r" : "",
        p->applet, (unsigned long long)sent, (unsigned long long)received, seconds,
        seconds > 0 ? mib / seconds : 0.0, terminal ? "\033[K" : "\n");
    if (last && terminal)
        buf_char(&b, '\n');
    speak(b.mem, b.len);
    p->shown = true;
}

void progress_tick(struct progress *p, uint64_t sent, uint64_t received)
{
    if (!p->wanted || clock_left(p->next))
        return;
    show(p, sent, received, false);
    p->next = clock_in(CLOCK_SECOND);
}

void progress_end(struct progress *p, uint64_t sent, uint64_t received)
{
    if (p->wanted)
        show(p, sent, received, true);
}
