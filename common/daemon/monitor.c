/*
 * monitor.c - the life of a daemon's monitor; see monitor.h. How it comes up is in monitor_start.c.
 */
#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor_prog.h"
#include "daemon/monitor_start.h"
#include "process/notify.h"
#include "process/sigs.h"
#include "process/status_page.h"

enum { LATE_SECONDS = 2 }; /* for --on-exit, of those that --stop waits before it kills us */

void monitor_init(struct monitor *m, struct msg *msg)
{
    *m = (struct monitor){.msg = msg, .report = -1, .lock = -1, .out = -1, .err = -1, .ready_pipe = -1};
    pidfile_init(&m->prog_pid);
    pidfile_init(&m->own_pid);
    m->lock_place.dir = -1;
    m->notify = m->status_page = -1;
    for (size_t i = 0; i < LOGS; i++)
        logpump_init(&m->logs[i], msg);
    m->on_exit.name = "--on-exit";
    m->log_run.name = "--log-run";
    m->start_at = CLOCK_NEVER;
    ending_reset(&m->ending);
    job_init(&m->job, msg);
}

/* ---- PROG ---- */

/* Whether PROG, as it has ended, is to be started again. */
static bool is_for_restart(const struct monitor *m)
{
    const struct prog *p = m->job.progs;
    bool failed = p->exec_errno || WIFSIGNALED(p->wait_status);
    return m->supervise && (m->restart_on == RESTART_ALWAYS || failed ||
                               (m->restart_on == RESTART_FAILURE && p->wait_status));
}

/* Notes a restart that nobody asked for. False: there were too many. */
static bool may_restart(struct monitor *m)
{
    if (!m->max_restarts)
        return true;
    int64_t now = clock_now(), *oldest = &m->restarted[m->restarted_n++ % m->max_restarts];
    m->gave_up = *oldest && now - *oldest < m->max_restarts_time;
    *oldest = now;
    return !m->gave_up;
}

/*
 * When to start PROG, which has ended: at once if we were asked to, else after a pause that doubles. False:
 * not any more.
 */
static bool plan_start(struct monitor *m)
{
    ending_reset(&m->ending);
    if (m->restart) {
        m->restart = false;
        m->backoff = 0;
        m->start_at = 0;
        return true;
    }
    if (!may_restart(m))
        return false;
    bool lived = clock_now() - m->started > m->backoff_max;
    m->backoff = lived || !m->backoff ? m->backoff_min : clock_first(2 * m->backoff, m->backoff_max);
    m->start_at = clock_in(m->backoff);
    return true;
}

static void start_again(struct monitor *m)
{
    m->start_at = CLOCK_NEVER;
    logpump_empty(&m->logs[OUT_LOG]); /* what the old one wrote has its pid */
    if (monitor_prog_start(m) != 0) { /* said; the next try comes later */
        m->status.restarts++;
        monitor_note_end(m, true);
        return;
    }
    monitor_note_start(m, true);
    if (m->prog_pid.path && pidfile_write(&m->prog_pid, m->job.progs->pid) < 0)
        msg_error(m->msg, "write", m->prog_pid.path, errno);
}

/* The command of --on-exit, once an end: until it has ended, for a limited time. */
static void run_on_exit(struct monitor *m)
{
    struct hook *h = &m->on_exit;
    struct buf code = BUF(h->variables[0]), status = BUF(h->variables[1]);
    char name[SIGNUM_SIZE];
    if (!m->on_exit_due)
        return;
    m->on_exit_due = false;
    bool killed = m->status.last == LAST_KILLED;
    buf_fmt(&code, "EXIT_CODE=%s", killed ? "killed" : "exited"); /* systemd.exec(5) */
    buf_text(&status, "EXIT_STATUS=");
    if (killed)
        buf_text(&status, signum_name(m->status.value, name));
    else
        buf_num(&status, (unsigned)m->status.value);
    buf_str(&code);
    buf_str(&status);
    if (!hook_start(h, m, -1))
        return;
    const bool late =
        m->job.hurry; /* --stop had to kill PROG: what CMD has to put in order matters the more */
    int64_t until = clock_in(late ? clock_first(LATE_SECONDS * CLOCK_SECOND, m->timeout) : m->timeout);
    while (h->pid && clock_left(until) && m->job.hurry == late)
        monitor_sleep(m, clock_left(until));
    hook_kill(h);
    for (until = clock_in(CLOCK_SECOND); h->pid && clock_left(until);)
        monitor_sleep(m, clock_left(until));
}

/* PROG runs. */
static void tend_running(struct monitor *m)
{
    if (m->stop || m->restart)
        job_end_meanwhile(&m->job, &m->ending);
    if (m->stop && !m->has_grace)
        m->ending.next_at = CLOCK_NEVER;
    if (m->reload)
        job_signal(&m->job, SIGHUP, false);
    m->reload = false;
}

/* What is to be done about PROG now. False: it has ended, and that is the end. */
static bool tend_prog(struct monitor *m)
{
    if (m->job.running) {
        tend_running(m);
        return true;
    }
    bool again = !m->stop && (m->restart || m->start_at != CLOCK_NEVER || is_for_restart(m));
    m->reload = false; /* the next one reads what there is to read */
    if (!m->is_end_noted) {
        m->on_exit_due = true;
        monitor_note_end(m, again);
    }
    if (again && m->start_at == CLOCK_NEVER) {
        monitor_prog_end(m); /* who is left of the old one */
        run_on_exit(m);
    }
    bool plans = again && !m->stop && (m->restart || m->start_at == CLOCK_NEVER);
    if (!again || m->stop || (plans && !plan_start(m))) {
        monitor_report_end(m, false);
        return false;
    }
    if (plans)
        monitor_report_end(m, true);
    if (!clock_left(m->start_at))
        start_again(m);
    return true;
}

/* ---- its logs ---- */

/* The command of --log-run, once for each file, the oldest first; rotations that come meanwhile wait. */
static void run_log_run(struct monitor *m, struct logfile *l)
{
    struct hook *h = &m->log_run;
    struct buf file = BUF(h->variables[0]);
    if (!l->rotated)
        return;
    if (l->rotated > l->keep) /* the others are gone */
        l->rotated = l->keep ? l->keep : 1;
    buf_text(&file, "LOG_FILE=");
    int in = logfile_open_rotated(l, l->keep ? (unsigned)l->rotated : 0, &file), err = errno;
    buf_str(&file);
    l->rotated--;
    if (in < 0)
        hook_refuse(h, m, err);
    else if (hook_start(h, m, in))
        descendants_spare(&m->job.descendants, h->pid);
    fd_close(&in);
}

/* The logs take turns: one that is rotated all the time does not keep the other waiting for ever. */
static void run_log_runs(struct monitor *m)
{
    size_t first = m->log_run_next;
    for (size_t i = 0; i < LOGS && !m->log_run.pid; i++) {
        struct logfile *l = &m->logs[(first + i) % LOGS].file;
        m->log_run_next = (first + i + (l->rotated != 0)) % LOGS;
        run_log_run(m, l);
    }
}

static void stay(struct monitor *m)
{
    while (tend_prog(m)) {
        run_log_runs(m);
        /* a start that failed is to be planned again: nothing would wake us for it */
        bool is_unplanned = !m->job.running && m->start_at == CLOCK_NEVER;
        monitor_sleep(
            m, is_unplanned ? 0 : clock_first(clock_left(m->ending.next_at), clock_left(m->start_at)));
    }
}

/* ---- all of it ---- */

/* Whether it could be. */
static bool remove_pidfile(const struct monitor *m, struct pidfile *p)
{
    bool removed = pidfile_remove(p) == 0;
    if (!removed)
        msg_error(m->msg, "remove", p->path, errno);
    return removed;
}

/* A PROG that was told to end takes all its descendants along; one that ended by itself may have meant to
 * leave them. False: a pidfile is left. */
static bool clean_up(struct monitor *m, bool told)
{
    if (m->job.running || told)
        monitor_prog_end(m);
    run_on_exit(m);
    /* stderr is the log of stdout, if there is one; but where that is full, too, each reports its own loss */
    const struct logfile *out = &m->logs[OUT_LOG].file;
    logpump_end(&m->logs[ERR_LOG], !m->foreground && (!out->path || out->error));
    logpump_end(&m->logs[OUT_LOG], !m->foreground);
    bool removed = remove_pidfile(m, &m->prog_pid);
    removed = remove_pidfile(m, &m->own_pid) && removed;
    place_close(&m->lock_place);
    fd_close(&m->lock);
    return removed;
}

int monitor_run(struct monitor *m)
{
    int failed = monitor_start(m);
    if (!failed) {
        monitor_report(m, failed);
        if (m->leave)
            return EXIT_DONE;
        stay(m);
        notify_stopping();
    }
    bool removed = clean_up(m, failed || m->stop || m->gave_up);
    if (failed) {
        monitor_report(m, failed);
        return failed;
    }
    if (!removed)
        return EXIT_SYSTEM;
    return m->stop && !m->job.progs->exec_errno ? EXIT_DONE : job_end_alike(&m->job, 0);
}
