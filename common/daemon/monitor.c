/*
 * monitor.c - the life of a daemon's monitor; see monitor.h. How it comes up is in monitor_start.c.
 */
#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor_prog.h"
#include "daemon/monitor_start.h"
#include "process/notify.h"
#include "process/sigs.h"
#include "process/status_page.h"

void monitor_init(struct monitor *m, struct msg *msg)
{
    *m = (struct monitor){.msg = msg, .report = -1, .lock = -1, .out = -1, .err = -1, .ready_pipe = -1};
    pidfile_init(&m->prog_pid);
    pidfile_init(&m->own_pid);
    m->lock_place.dir = -1;
    m->notify = m->log.pipe = m->log.file.fd = m->status_page = -1;
    m->log.msg = msg;
    m->kill_at = m->start_at = CLOCK_NEVER;
    job_init(&m->job, msg);
}

/* ---- PROG ---- */

/* When to start PROG, which has ended: at once if we were asked to, else after a pause that doubles. */
static void plan_start(struct monitor *m)
{
    m->kill_at = CLOCK_NEVER;
    if (m->restart) {
        m->restart = false;
        m->backoff = 0;
        m->start_at = 0;
        return;
    }
    bool lived = clock_now() - m->started > m->backoff_max;
    m->backoff = lived || !m->backoff ? m->backoff_min : clock_first(2 * m->backoff, m->backoff_max);
    m->start_at = clock_in(m->backoff);
}

static void start_again(struct monitor *m)
{
    m->start_at = CLOCK_NEVER;
    if (monitor_prog_start(m) != 0) { /* said; the next try comes later */
        m->status.restarts++;
        monitor_note_end(m, true);
        return;
    }
    monitor_note_start(m, true);
    if (m->prog_pid.path && pidfile_write(&m->prog_pid, m->job.progs->pid) < 0)
        msg_error(m->msg, "write", m->prog_pid.path, errno);
}

/* What is to be done about PROG now. False: it has ended, and that is the end. */
static bool tend_prog(struct monitor *m)
{
    bool again = !m->stop && (m->supervise || m->restart || m->start_at != CLOCK_NEVER);
    if (m->job.running) {
        if (m->stop ? m->has_grace : m->restart)
            job_end_meanwhile(&m->job, &m->kill_at, m->grace);
        else
            m->kill_at = CLOCK_NEVER; /* of a restart that a stop has overtaken */
        if (m->reload)
            job_signal(&m->job, SIGHUP, false);
        m->reload = false;
        return true;
    }
    m->reload = false; /* the next one reads what there is to read */
    if (!m->is_end_noted)
        monitor_note_end(m, again);
    if (again && m->start_at == CLOCK_NEVER)
        monitor_prog_end(m); /* who is left of the old one */
    if (!again || m->stop) {
        monitor_report_end(m, false);
        return false;
    }
    if (m->restart || m->start_at == CLOCK_NEVER) {
        plan_start(m);
        monitor_report_end(m, true);
    }
    if (!clock_left(m->start_at))
        start_again(m);
    return true;
}

static void stay(struct monitor *m)
{
    while (tend_prog(m)) {
        if (m->reopen)
            logpump_reopen(&m->log);
        m->reopen = false;
        monitor_sleep(m, clock_first(clock_left(m->kill_at), clock_left(m->start_at)));
    }
}

/* ---- all of it ---- */

/* Who was told to end takes all its descendants along; who ended by itself may have meant to leave them. */
static void clean_up(struct monitor *m, bool told)
{
    if (m->job.running || told)
        monitor_prog_end(m);
    logpump_end(&m->log, !m->foreground);
    pidfile_remove(&m->prog_pid);
    pidfile_remove(&m->own_pid);
    place_close(&m->lock_place);
    fd_close(&m->lock);
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
    clean_up(m, failed || m->stop);
    if (failed) {
        monitor_report(m, failed);
        return failed;
    }
    return m->stop && !m->job.progs->exec_errno ? EXIT_DONE : job_end_alike(&m->job, 0);
}
