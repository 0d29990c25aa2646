/*
 * lease_hold.c - lease_hold, see lease.h: a lease for a program, which the keeper starts.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "process/reap.h"
#include "redis/kept.h"

static void put_environment(const struct lease *l, struct job *j, struct buf *fence, struct buf *slot)
{
    struct env *env = job_env(j);
    buf_fmt(fence, "IPCBOX_FENCE=%s", l->fence);
    buf_fmt(slot, "IPCBOX_SLOT=%u", l->slot);
    env_drop(env, "IPCBOX_FENCE");
    env_drop(env, "IPCBOX_SLOT");
    bool numbered = l->of == LEASE_COUNTED || l->slots > 1;
    if ((*l->fence && env_put(env, fence->mem) < 0) || (numbered && env_put(env, slot->mem) < 0))
        msg_die(l->msg, EXIT_SYSTEM, "run", *j->progs->argv, ENOMEM);
}

int lease_hold(struct lease *l, struct job *j, struct spawn *s)
{
    struct kept h = {.keep = keep_of_lease(l), .job = j, .spawn = s};
    char fence_mem[LEASE_FENCE + sizeof "IPCBOX_FENCE="], slot_mem[32];
    struct buf fence = BUF(fence_mem), slot = BUF(slot_mem);
    int status, sig;
    bool sent;
    descendants_begin(&j->descendants);
    put_environment(l, j, &fence, &slot);
    if (kept_start(&h) < 0) {
        status = msg_fatal(l->msg, EXIT_SYSTEM, "fork", NULL, errno);
        keep_give(&h.keep);
        return status;
    }
    redis_drop(&l->redis); /* it is the keeper's */
    job_let_go(j, NULL, 0);
    while (!reap_that(h.keeper, &status)) {
        sigs_sleep(NULL, 0, kept_tend(&h));
        sigs_take(SIGCHLD);
        while ((sig = sigs_take_ending(&sent)))
            if (sent)
                kill(h.keeper, sig);
    }
    if (!h.keep.page->done) {
        status = kept_clean_up(&h);
        keep_give(&h.keep);
        return status;
    }
    if (WIFSIGNALED(status))
        sigs_die(WTERMSIG(status));
    return reap_exit_status(status);
}
