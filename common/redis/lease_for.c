/*
 * lease_for.c - lease_hold_for, see lease.h: a lease for a process that is there already, which is signalled
 * before the lease runs out. Both processes of ours live in a session of their own, and say nothing.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/reap.h"
#include "process/worker.h"
#include "redis/keep.h"

struct hold_for {
    struct keep keep;
    const struct watch *holder;
    int lost_signal;
    pid_t keeper;
};

/* Sleeps, and takes the signals that come: none but SIGKILL ends us. */
static void sleep_deaf(struct pollfd *polls, nfds_t n, int64_t ns)
{
    sigs_sleep_or_pause(polls, n, ns);
    sigs_take(SIGCHLD);
    while (sigs_take_ending(NULL))
        ;
}

/* Ends the holder by then (lease_now), at the latest; returns when it has. */
static void end_holder(const struct hold_for *f, int64_t kill_at)
{
    int sig = f->lost_signal;
    while (!watch_is_over(f->holder)) {
        bool killing = lease_now() >= kill_at;
        if (killing || sig)
            watch_signal(f->holder, killing ? SIGKILL : sig);
        sig = 0;
        struct pollfd end = watch_poll(f->holder);
        int64_t left = killing ? CLOCK_SECOND : kill_at - lease_now();
        sleep_deaf(&end, 1, clock_first(left > 0 ? left : 0, watch_pause(f->holder)));
    }
}

static int keep(void *arg)
{
    struct hold_for *f = arg;
    struct keep *k = &f->keep;
    struct pollfd polls[KEEP_POLLS + 1];
    int64_t ns;
    if (!keep_begin(k))
        k->lost = "";
    for (keep_step(k); !watch_is_over(f->holder) && !k->lost; keep_step(k)) {
        nfds_t n = keep_polls(k, polls, &ns);
        polls[n] = watch_poll(f->holder);
        sleep_deaf(polls, n + 1, clock_first(ns, watch_pause(f->holder)));
    }
    bool over = watch_is_over(f->holder);
    if (!over)
        end_holder(f, keep_kill_at(k));
    k->lost = over ? NULL : k->lost;
    keep_finish(k);
    return EXIT_DONE;
}

/* The keeper's parent, once nobody waits for it any more. */
static int stay(void *arg)
{
    struct hold_for *f = arg;
    struct keep *k = &f->keep;
    int status;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        fd_to_null(fd);
    const int own[] = {f->holder->fd, k->redis->fd, sigs_fd()};
    fd_close_others(STDERR_FILENO + 1, own, 3);
    if (chdir("/") < 0) /* then a file system can't be unmounted for a while */
        errno = 0;
    k->parent = getpid();
    k->watch.fd = -1;
    f->keeper = watch_begin(&k->watch, k->parent) < 0 ? -1 : worker_beside(keep, f);
    watch_end(&k->watch);
    redis_drop(k->redis);
    while (f->keeper > 0 && !reap_that(f->keeper, &status)) {
        int64_t left = keep_parent_kills_at(k) - lease_now();
        if (left <= 0 && !k->page->done)
            kill(f->keeper, SIGKILL);
        sleep_deaf(NULL, 0, left > 0 ? left : CLOCK_SECOND / 50);
    }
    if (!k->page->done) {
        end_holder(f, clock_first(keep_parent_kills_at(k), lease_now() + k->length / 6));
        keep_give(k);
    }
    return EXIT_DONE;
}

int lease_hold_for(struct lease *l, const struct watch *holder, int lost_signal)
{
    struct hold_for f = {.keep = keep_of_lease(l), .holder = holder, .lost_signal = lost_signal};
    l->redis.silent = true;
    if (keep_prepare(&f.keep) < 0 || worker_detach(stay, &f) < 0) {
        int status = msg_fatal(l->msg, EXIT_SYSTEM, "fork", NULL, errno);
        keep_give(&f.keep);
        return status;
    }
    return EXIT_DONE;
}
