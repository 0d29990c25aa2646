/*
 * keep.c - see keep.h.
 */
#include "redis/keep.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

enum { GIVE_MS = 2000 };

int64_t keep_end_at(const struct keep *k)
{
    return k->until - k->length / 3;
}

int64_t keep_kill_at(const struct keep *k)
{
    return k->until - k->length / 6;
}

/* Into the slot that does not count, as the keeper may be killed at any moment. */
static void tell_until(struct keep *k)
{
    unsigned next = k->page->written + 1;
    atomic_thread_fence(memory_order_release); /* not before all see that the other one counts */
    k->page->until[next % 2] = k->until;
    k->page->written = next;
}

static int64_t until_told(const struct keep_page *page)
{
    unsigned written;
    int64_t until;
    do {
        written = page->written;
        until = page->until[written % 2];
        atomic_thread_fence(memory_order_acquire);
    } while (page->written != written);
    return until;
}

int64_t keep_parent_kills_at(const struct keep *k)
{
    return until_told(k->page) - k->length / 12;
}

static void renew_lease(void *owner)
{
    lease_renewal(owner);
}

static void give_lease(void *owner, int64_t deadline)
{
    lease_give(owner, deadline);
}

struct keep keep_of_lease(struct lease *l)
{
    return (struct keep){.msg = l->msg,
        .word = l->word,
        .redis = &l->redis,
        .length = l->length,
        .until = l->until,
        .renewal = renew_lease,
        .give = give_lease,
        .owner = l};
}

int keep_prepare(struct keep *k)
{
    k->parent = getpid();
    k->watch.fd = -1;
    if (watch_begin(&k->watch, k->parent) < 0)
        return -1;
    if (!k->page)
        k->page = mmap(NULL, sizeof *k->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ((intptr_t)k->page == -1)
        return k->page = NULL, watch_end(&k->watch), -1;
    tell_until(k);
    k->page->done = k->page->lost = false;
    k->page->exec_errno = 0;
    return 0;
}

/* In another PID namespace the parent has no pid for us, but its pidfd is the same. */
static bool is_orphaned(const struct keep *k)
{
    pid_t now = getppid();
    return watch_is_over(&k->watch) || (now && now != k->parent);
}

bool keep_begin(struct keep *k)
{
    k->next = k->until - k->length * 2 / 3;
    return !is_orphaned(k);
}

static void begin_renewal(struct keep *k)
{
    int64_t left = keep_end_at(k) - lease_now();
    k->asking = true;
    k->sent = lease_now();
    k->renewal(k->owner);
    redis_start(k->redis, clock_in(left > 0 ? left : 0));
}

/* What has come of a renewal. */
static void take_answer(struct keep *k, enum redis_outcome outcome)
{
    struct resp_value v;
    k->asking = false;
    k->next = lease_now() + k->length / 12;
    if (outcome != REDIS_ANSWERED)
        return; /* once more, while there is time */
    resp_next(&k->redis->replies, &v);
    if (v.type != RESP_INTEGER || v.number != 1) {
        k->lost = "the server says that it was lost";
        return;
    }
    k->until = k->sent + k->length;
    tell_until(k);
    k->next = k->sent + k->length / 3;
}

void keep_step(struct keep *k)
{
    k->orphaned = is_orphaned(k);
    if (k->orphaned)
        k->lost = "the process that watched it was killed";
    if (k->lost)
        return;
    if (!k->asking && lease_now() >= k->next)
        begin_renewal(k);
    enum redis_outcome outcome = k->asking ? redis_step(k->redis) : REDIS_UNDER_WAY;
    if (outcome != REDIS_UNDER_WAY)
        take_answer(k, outcome);
    if (!k->lost && lease_now() >= keep_end_at(k))
        k->lost = *k->redis->trouble ? k->redis->trouble : "no answer in time";
}

nfds_t keep_polls(struct keep *k, struct pollfd polls[static KEEP_POLLS], int64_t *ns)
{
    int64_t until = CLOCK_NEVER, next = k->asking ? keep_end_at(k) : k->next;
    nfds_t n = 1;
    *polls = watch_poll(&k->watch);
    if (k->asking)
        n += redis_polls(k->redis, polls + 1, &until);
    *ns = next > lease_now() ? next - lease_now() : 0;
    *ns = clock_first(clock_first(*ns, clock_left(until)), watch_pause(&k->watch));
    return n;
}

void keep_give(struct keep *k)
{
    k->redis->silent = true;
    k->give(k->owner, clock_in(clock_first(GIVE_MS * CLOCK_MS, k->length / 3)));
}

void keep_finish(struct keep *k)
{
    if (k->lost ? k->orphaned : !k->parent_gives) /* else there is nothing to give, or nobody to give it to */
        keep_give(k);
    k->page->done = true;
}
