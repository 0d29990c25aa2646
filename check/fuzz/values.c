/* values.c - the values of options: numbers, durations, sizes, modes, signals, schedules, lists of statuses.
 */
#include "harness/fuzz.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/signum.h"
#include "net/probe.h"
#include "process/schedule.h"

/* What has been taken reads the same when it is written out. */
static void numbers(const char *word)
{
    uint64_t n = 7, again;
    int64_t ns = -7;
    unsigned mode = 7;
    char mem[32];
    struct buf b = BUF(mem);
    if (num_u64(word, 10, UINT64_MAX, &n)) {
        buf_num(&b, n);
        MUST(n >= 10 && num_u64(buf_str(&b), 10, UINT64_MAX, &again) && again == n);
    } else {
        MUST(n == 7);
    }
    MUST(!num_size(word, 1, 1 << 30, &n) || (n >= 1 && n <= 1 << 30));
    MUST(num_duration(word, &ns) ? ns >= 0 : ns == -7);
    MUST(num_mode(word, &mode) ? mode <= 07777 : mode == 7);
    PLANTED(ns == 1500000000 && strstr(word, "ms"));
}

static void signals(const char *word)
{
    char mem[SIGNUM_SIZE];
    int sig = -7, again;
    if (!signum_parse(word, strlen(word), &sig)) {
        MUST(sig == -7);
        return;
    }
    const char *name = signum_name(sig, mem);
    MUST(sig >= 0 && sig <= SIGNUM_MAX && signum_parse(name, strlen(name), &again) && again == sig);
}

static void schedules(const char *word)
{
    struct schedule s;
    if (!schedule_parse(word, &s))
        return;
    schedule_fill(&s, 1);
    MUST(s.n <= SCHEDULE_MAX);
    for (size_t i = 0; i < s.n; i++)
        MUST(s.steps[i].sig != SIGKILL && s.steps[i].time >= 0);
    PLANTED(s.n == 3 && s.steps[2].time == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    while (in.left) {
        char *word = fuzz_text(&in, 256);
        numbers(word);
        signals(word);
        schedules(word);
        MUST(!probe_status(word, 200) || probe_status(word, 0));
        free(word);
    }
    return 0;
}
