/*
 * job_end.c - see job.h: the one way to end programs: ask, wait, kill, and be sure.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "process/job.h"
#include "process/reap.h"
#include "process/sigs.h"

/* Where descendants can't be found: the programs, and the groups that are theirs alone. How many took it. */
static long signal_programs(const struct job *j, int sig)
{
    long took = 0;
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid > 0) /* unreaped, so that its number is its own, and that of its group */
            took += kill(j->progs[i].own_group ? -j->progs[i].pid : j->progs[i].pid, sig) == 0;
    return took;
}

/* Sends sig and SIGCONT, or 0 and nothing. How many of ours are alive and took it. */
static long ask_all(const struct job *j, int sig)
{
    long took = j->with_family ? descendants_ask(&j->descendants, sig) : -1;
    if (took >= 0)
        return took;
    took = signal_programs(j, sig);
    if (sig)
        signal_programs(j, SIGCONT);
    return took;
}

/* The proof is ECHILD. */
static bool nothing_left(struct job *j)
{
    job_reap(j);
    return !j->running && (!j->with_family || !reap_have_children());
}

/* Sleeps in job_end. Whether a signal says that we are in a hurry. */
static bool sleep_ending(struct job *j, int64_t ns)
{
    const struct pollfd *w = j->hooks.watched;
    struct pollfd p[] = {w[0], w[1]};
    bool hurry = false, sent = false;
    int sig;
    if (sigs_sleep_or_pause(p, 2, ns) > 0)
        j->hooks.on_watched(j->hooks.owner);
    while ((sig = sigs_take_ending(&sent))) {
        j->came = sig;
        hurry =
            hurry || (!j->patient && (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP));
        if (j->hooks.on_signal)
            j->hooks.on_signal(j->hooks.owner, sig, sent);
    }
    sigs_take(SIGCHLD);
    return hurry || j->hurry;
}

enum { LOOK_MS = 2, QUIET_LOOKS = 5, PATIENCE_MS = 2000 /* after SIGKILL */ };

/* Whether the next step is due: nobody is in a hurry. */
static bool ask(struct job *j, int sig, int64_t deadline)
{
    ask_all(j, sig);
    while (!nothing_left(j) && ask_all(j, 0) > 0 && clock_left(deadline))
        if (sleep_ending(j, clock_left(deadline)))
            return false;
    return !nothing_left(j);
}

/* Whether those that are left are such that we may not signal, or are to live. */
static bool is_excused(const struct job *j)
{
    return j->with_family ? descendants_are_excused(&j->descendants) : job_signal(j, 0, false) == 0;
}

/*
 * Again and again, without a pause as long as there is one to be killed or reaped. Whether nobody is left.
 * Where we have children that are to live, or that we may not signal, there is no ECHILD: then a while in
 * which no other child was seen or reaped must do. A process that forks and exits all the time would be one
 * or the other.
 */
static bool kill_all(struct job *j, int64_t deadline)
{
    int quiet = 0;
    while (!nothing_left(j)) {
        unsigned long reaped = j->reaped;
        long killed = j->with_family ? descendants_kill(&j->descendants) : -1;
        if (killed < 0)
            killed = signal_programs(j, SIGKILL);
        job_reap(j);
        quiet = killed || j->reaped != reaped ? 0 : quiet + 1;
        if (quiet >= QUIET_LOOKS && is_excused(j))
            return true;
        if (!clock_left(deadline))
            return nothing_left(j);
        if (quiet)
            sleep_ending(j, LOOK_MS * CLOCK_MS);
    }
    return true;
}

static int say_left(const struct job *j)
{
    char mem[160];
    struct buf pids = BUF(mem);
    const struct descendants *d = &j->descendants;
    if (j->with_family && d->missing)
        return msg_fatal_why(
            j->msg, EXIT_SYSTEM, "end all descendants: look at", d->missing, procs_reason(d->missing_errno));
    if (j->with_family)
        descendants_name(&j->descendants, &pids);
    else
        for (size_t i = 0; i < j->n; i++)
            if (j->progs[i].pid > 0)
                buf_fmt(&pids, "%s%ld", pids.len ? " " : "", (long)j->progs[i].pid);
    if (!pids.len)
        buf_text(&pids, "descendants that cannot be listed");
    return msg_fatal_why(j->msg, EXIT_SYSTEM, "kill", buf_str(&pids), "still there after SIGKILL");
}

int job_end_by(struct job *j, const struct schedule *s)
{
    job_reap(j); /* what has ended in time was not late */
    for (size_t i = 0; i < j->n; i++)
        j->progs[i].timed_out = j->progs[i].pid > 0 && !j->start_failed;
    if (nothing_left(j))
        return EXIT_DONE;
    for (size_t i = 0; i < s->n && ask(j, s->steps[i].sig, clock_in(s->steps[i].time));)
        i++;
    if (kill_all(j, clock_in(PATIENCE_MS * CLOCK_MS)))
        return EXIT_DONE;
    return say_left(j);
}

int job_end(struct job *j, int sig, int64_t grace)
{
    const struct schedule s = schedule_of(sig, grace);
    return job_end_by(j, &s);
}

void ending_reset(struct ending *e)
{
    e->step = 0;
    e->next_at = CLOCK_NEVER;
}

void job_end_meanwhile(const struct job *j, struct ending *e)
{
    bool asks = e->step < e->by.n;
    if (e->step && clock_left(e->next_at))
        return;
    e->next_at = clock_in(asks ? e->by.steps[e->step].time : CLOCK_SECOND);
    if (!job_signal(j, asks ? e->by.steps[e->step].sig : SIGKILL, false) && e->step <= e->by.n)
        msg_error(j->msg, asks ? "ask to end" : "kill", *j->progs->argv, errno);
    job_signal(j, SIGCONT, false);
    e->step++;
}
