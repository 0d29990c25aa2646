/*
 * schedule.c - see schedule.h.
 */
#include "process/schedule.h"

#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/signum.h"

struct schedule schedule_of(int sig, int64_t time)
{
    return (struct schedule){.n = 1, .steps = {{sig, time}}};
}

bool schedule_parse(const char *text, struct schedule *s)
{
    int sig = 0;
    for (s->n = 0; sig != SIGKILL; text++) {
        char mem[32];
        struct buf time = BUF(mem);
        size_t n = strcspn(text, ","), name = strcspn(text, ":,");
        int64_t ns = -1;
        if (s->n == SCHEDULE_MAX || !signum_parse(text, name, &sig))
            return false;
        if (name < n) {
            buf_bytes(&time, text + name + 1, n - name - 1);
            if (!num_duration(buf_str(&time), &ns) || time.cut)
                return false;
        }
        if (sig != SIGKILL) {
            s->steps[s->n].sig = sig;
            s->steps[s->n++].time = ns;
        }
        text += n;
        if (!*text)
            return true;
    }
    return false;
}

void schedule_fill(struct schedule *s, int64_t time)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->steps[i].time < 0)
            s->steps[i].time = time;
}
