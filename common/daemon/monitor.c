/*
 * monitor.c - the life of a daemon's monitor; see monitor.h. How it comes up is in monitor_start.c.
 */
#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor_start.h"
#include "process/notify.h"
#include "process/sigs.h"
#include "process/status_page.h"

enum { LOG_RETRY_MS = 500 };

void monitor_init(struct monitor *m, struct msg *msg)
{
    *m = (struct monitor){.msg = msg, .report = -1, .lock = -1, .out = -1, .err = -1, .ready_pipe = -1};
    m->prog_pid.fresh = m->own_pid.fresh = -1;
    m->prog_pid.fd = m->own_pid.fd = m->notify = m->log_pipe = m->log.fd = m->status_page = -1;
    m->kill_at = m->start_at = CLOCK_NEVER;
    job_init(&m->job, msg);
}

/* ---- signals ---- */

static void take_hup(struct monitor *m)
{
    bool by_default = m->hup == HUP_DEFAULT;
    m->reopen = m->log_path && m->hup != HUP_FORWARD;
    if (m->hup == HUP_RESTART || (by_default && m->supervise))
        m->restart = true;
    else if (m->hup == HUP_FORWARD || (by_default && !m->log_path))
        m->reload = true;
}

void monitor_signal(void *owner, int sig, bool sent)
{
    struct monitor *m = owner;
    if (sig == SIGHUP) {
        take_hup(m);
    } else if (sig == MONITOR_RESTART) {
        m->restart = true;
    } else if (sig == MONITOR_RELOAD) {
        m->reload = true;
    } else if (sig == MONITOR_KILL) {
        m->stop = SIGTERM;
        m->has_grace = true;
        m->grace = m->kill_at = 0;
        m->job.hurry = true;
    } else {
        bool stops = sig == SIGTERM || sig == SIGINT || sig == SIGQUIT;
        if (stops)
            m->stop = sig;
        if (sent || !m->foreground) /* the terminal has told PROG, too */
            job_signal(&m->job, sig, false);
        if (stops)
            job_signal(&m->job, SIGCONT, false); /* one that is stopped would not hear it */
    }
}

/* ---- the log ---- */

/* What is in the pipe, once: a PROG that goes on writing must not keep us from all else. */
void monitor_take_log(void *owner)
{
    struct monitor *m = owner;
    if (m->log_pipe >= 0 && !m->log.error)
        logfile_take(&m->log, m->log_pipe);
    if (m->log.rotate_error)
        msg_error(m->msg, "rotate", m->log.path, m->log.rotate_error);
    m->log.rotate_error = 0;
}

void monitor_empty_log_pipe(struct monitor *m)
{
    enum { PIPE_MAX = 1 << 20 };
    if (m->log.error)
        logfile_flush(&m->log, false);
    for (size_t n = 0; n < PIPE_MAX && !m->log.error && logfile_take(&m->log, m->log_pipe) > 0;)
        n += LOGFILE_BUFFER / 2;
}

static void reopen_log(struct monitor *m)
{
    m->reopen = false;
    monitor_empty_log_pipe(m); /* what was written before the signal belongs to the old one */
    logfile_flush(&m->log, false);
    if (logfile_reopen(&m->log) < 0)
        msg_error(m->msg, "open", m->log.path, errno);
}

/* The rest of the log, and what there is no room for. */
static void end_log(struct monitor *m)
{
    int in_pipe = 0;
    if (m->log_pipe < 0)
        return;
    monitor_empty_log_pipe(m);
    logfile_flush(&m->log, true);
    ioctl(m->log_pipe, FIONREAD, &in_pipe);
    if (!m->log.len && !in_pipe)
        return;
    char mem[160];
    struct buf lost = BUF(mem);
    size_t bytes = m->log.len + (size_t)in_pipe;
    if (!m->foreground) /* our stderr is that log: it gives up some lines for this one */
        bytes += logfile_make_room(&m->log, sizeof mem);
    if (m->foreground) {
        buf_fmt(&lost, "%zu bytes of output were lost", bytes);
        msg_error(m->msg, buf_str(&lost), m->log.path, m->log.error);
    } else {
        buf_fmt(
            &lost, "%s: %zu bytes of output were lost: %s\n", m->msg->applet, bytes, strerror(m->log.error));
        fd_write_all(m->log.fd, lost.mem, lost.len);
    }
}

/* ---- PROG ---- */

/* Asks PROG to end, and sees to it that it does. */
static void end_prog(struct monitor *m)
{
    if (m->kill_at == CLOCK_NEVER) {
        m->kill_at = clock_in(m->grace);
        job_signal(&m->job, SIGTERM, false);
        job_signal(&m->job, SIGCONT, false);
    } else if (!clock_left(m->kill_at)) {
        m->kill_at = clock_in(CLOCK_SECOND);
        job_signal(&m->job, SIGKILL, false);
    }
}

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
    if (monitor_start_prog(m) != 0) { /* said; the next try comes later */
        m->status.restarts++;
        monitor_note_end(m, true);
        return;
    }
    monitor_note_start(m, true);
    if (m->prog_pid.path && pidfile_write(&m->prog_pid, m->job.progs->last_pid) < 0)
        msg_error(m->msg, "write", m->prog_pid.path, errno);
}

/* What is to be done about PROG now. False: it has ended, and that is the end. */
static bool tend_prog(struct monitor *m)
{
    bool again = !m->stop && (m->supervise || m->restart || m->start_at != CLOCK_NEVER);
    if (m->job.running) {
        if (m->stop ? m->has_grace : m->restart)
            end_prog(m);
        if (m->reload)
            job_signal(&m->job, SIGHUP, false);
        m->reload = false;
        return true;
    }
    if (!m->is_end_noted) {
        pidfile_clear(&m->prog_pid);
        monitor_note_end(m, again);
    }
    if (again && m->start_at == CLOCK_NEVER)
        job_end(&m->job, SIGTERM, m->grace); /* who is left of the old one */
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

void monitor_sleep(struct monitor *m, int64_t ns)
{
    struct pollfd polls[] = {
        {.fd = m->log.error ? -1 : m->log_pipe, .events = POLLIN},
        {.fd = m->ready_pipe, .events = POLLIN},
        {.fd = m->notify, .events = POLLIN},
    };
    if (m->log.error)
        ns = clock_first(ns, LOG_RETRY_MS * CLOCK_MS);
    job_sleep(&m->job, polls, 3, clock_first(ns, notify_tend(&m->readiness, m->msg)));
    if (m->log.error)
        logfile_flush(&m->log, false); /* is there room again? */
    if (polls[0].revents)
        monitor_take_log(m);
    if (polls[1].revents)
        monitor_take_newline(m);
    if (polls[2].revents)
        monitor_take_message(m);
}

static void stay(struct monitor *m)
{
    while (tend_prog(m)) {
        if (m->reopen)
            reopen_log(m);
        monitor_sleep(m, clock_first(clock_left(m->kill_at), clock_left(m->start_at)));
    }
}

/* ---- all of it ---- */

/* Who was told to end takes all its descendants along; who ended by itself may have meant to leave them. */
static void clean_up(struct monitor *m, bool told)
{
    if (m->job.running || told)
        job_end(&m->job, SIGTERM, m->grace);
    end_log(m);
    pidfile_remove(&m->prog_pid);
    pidfile_remove(&m->own_pid);
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
