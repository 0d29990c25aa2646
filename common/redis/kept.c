/*
 * kept.c - see kept.h.
 */
#include "redis/kept.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "process/reap.h"
#include "process/worker.h"

enum { KILL_PAUSE_MS = 20 };

/* ---- the keeper ---- */

/*
 * Ends the program, which must not outlive the lease; then there is time for a message. Descendants are found
 * by open(2), for which these descriptors may be the last. While any of them lives, nothing is given back.
 */
static int end_program(struct kept *h)
{
    struct keep *k = &h->keep;
    int64_t grace = keep_kill_at(k) - lease_now();
    watch_end(&k->watch);
    redis_drop(k->redis);
    if (job_end(h->job, SIGTERM, grace > 0 ? clock_first(grace, k->length / 6) : 0) != EXIT_DONE)
        k->orphaned = false;
    return msg_fatal_why(k->msg, EXIT_SYSTEM, "keep", k->word, k->lost);
}

/* The other programs, if there are any, are not ours. */
static void leave_others(struct job *j, size_t i)
{
    for (size_t other = 0; other < j->n; other++)
        j->progs[other].pid = 0;
    j->progs[i].ended = false;
    j->running = 0;
}

static int keep(void *arg)
{
    struct kept *h = arg;
    struct keep *k = &h->keep;
    struct job *j = h->job;
    struct pollfd polls[KEEP_POLLS];
    int64_t ns;
    leave_others(j, h->i);
    if (!keep_begin(k)) {
        keep_give(k);
        return EXIT_SYSTEM;
    }
    job_begin(j, true);
    job_stay_awake();
    sigs_catch(SIGTSTP); /* what stops the program and our parent must not stop the renewals */
    h->spawn->death_signal = SIGKILL;
    int status = EXIT_DONE;
    if (lease_now() < keep_end_at(k))
        status = job_start(j, h->i, h->spawn) < 0 ? job_start_failed(j, h->i, "fork", errno) : EXIT_DONE;
    else
        k->lost = "no time is left";
    const int own[] = {k->watch.fd, k->redis->fd};
    job_let_go(j, own, 2);
    for (keep_step(k); j->running && !k->lost; keep_step(k)) {
        nfds_t n = keep_polls(k, polls, &ns);
        job_sleep(j, polls, n, ns);
    }
    bool lost = k->lost && !j->progs[h->i].ended;
    if (lost)
        status = end_program(h);
    k->page->lost = lost;
    k->page->exec_errno = j->progs[h->i].exec_errno;
    keep_finish(k);
    return lost || status != EXIT_DONE ? status : job_end_alike(j, h->i);
}

/* ---- its parent ---- */

/* The program is the keeper's; here it counts as running until the keeper ends, to which signals go. */
static void adopt(struct job *j, size_t i, pid_t keeper)
{
    struct prog *p = &j->progs[i];
    p->pid = keeper;
    p->ended = p->own_group = false;
    p->adopted = true;
    p->exec_errno = 0;
    j->running++;
}

int kept_start(struct kept *h)
{
    if (keep_prepare(&h->keep) < 0)
        return -1;
    pid_t pid = worker_beside(keep, h);
    int err = errno;
    watch_end(&h->keep.watch);
    errno = err;
    if (pid < 0)
        return -1;
    h->keeper = pid;
    adopt(h->job, h->i, pid);
    return 0;
}

int64_t kept_tend(const struct kept *h)
{
    int64_t left = h->keeper ? keep_parent_kills_at(&h->keep) - lease_now() : CLOCK_NEVER;
    if (left > 0)
        return left;
    if (!h->keep.page->done)
        kill(h->keeper, SIGKILL);
    return KILL_PAUSE_MS * CLOCK_MS;
}

int kept_clean_up(struct kept *h)
{
    const struct descendants *d = &h->job->descendants;
    do {
        descendants_kill(d);
        job_reap(h->job);
        if (reap_have_children() && !descendants_are_excused(d))
            sigs_sleep(NULL, 0, KILL_PAUSE_MS * CLOCK_MS);
        sigs_take(SIGCHLD);
        job_reap(h->job);
    } while (reap_have_children() && !descendants_are_excused(d));
    return msg_fatal_why(h->keep.msg, EXIT_SYSTEM, "keep", h->keep.word,
        "the process that renewed it was killed; the program was, too");
}
