/*
 * monitor_status.c - see monitor_status.h.
 */
#include "daemon/monitor_status.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/monitor.h"
#include "base/num.h"
#include "process/reap.h"
#include "process/status_page.h"

enum { AT_ONCE_SECONDS = 5 };

/* ---- the page ---- */

/* "exited with status 7"; nothing before the first end */
static void add_how(const struct monitor *m, struct buf *b)
{
    char name[SIGNUM_SIZE];
    const struct monitor_status *s = &m->status;
    const char *prog = *m->job.progs->argv;
    switch (s->last) {
    case LAST_NONE:
        break;
    case LAST_EXITED:
        buf_fmt(b, "exited with status %d", s->value);
        break;
    case LAST_KILLED:
        buf_fmt(b, "was killed by SIG%s", signum_name(s->value, name));
        break;
    case LAST_FAILED:
        buf_escaped(b, prog, strnlen(prog, 200));
        buf_fmt(b, " could not be started: %s", strerror(s->value));
        break;
    }
}

/* For people: "PROG 4711 is running; restarts: 2; before that, it exited with status 7". */
static void add_state(const struct monitor *m, struct buf *b)
{
    static const char *const phases[] = {" is running", " is to be restarted", " is being stopped"};
    const struct monitor_status *s = &m->status;
    buf_fmt(b, "PROG %ld%s", (long)s->prog, phases[s->phase]);
    if (s->restarts)
        buf_fmt(b, "; restarts: %llu", (unsigned long long)s->restarts);
    if (s->last == LAST_EXITED || s->last == LAST_KILLED)
        buf_text(b, s->phase == PHASE_RUNNING ? "; before that, it " : "; it ");
    else if (s->last == LAST_FAILED)
        buf_text(b, "; ");
    add_how(m, b);
}

/* All of the line, or, where there is no room for it, nothing: the numbers matter more. */
static void add_line(struct buf *lines, const char *name, const char *text)
{
    char mem[STATUS_LINES_SIZE];
    struct buf line = BUF(mem);
    if (!text)
        return;
    buf_fmt(&line, "%s=", name);
    buf_escaped(&line, text, strlen(text));
    buf_char(&line, '\n');
    if (!line.cut && line.len <= lines->size - lines->len)
        buf_bytes(lines, line.mem, line.len);
}

void monitor_status_publish(struct monitor *m)
{
    char mem[STATUS_LINES_SIZE], state_mem[1024];
    struct buf lines = BUF(mem), state = BUF(state_mem);
    const struct monitor_status *s = &m->status;
    buf_fmt(&lines, "applet=%s\nphase=%d\nprog=%ld\nrestarts=%llu\nlast=%d\nvalue=%d\n", m->msg->applet,
        (int)s->phase, (long)s->prog, (unsigned long long)s->restarts, (int)s->last, s->value);
    buf_fmt(&lines, "ended=%lld\nnext_start=%lld\nlog=%d\n", (long long)s->ended, (long long)s->next_start,
        s->has_log);
    add_state(m, &state);
    add_line(&lines, "state", buf_str(&state));
    add_line(&lines, "pidfile", m->prog_pid.path);
    add_line(&lines, "monitor_pidfile", m->own_pid.path);
    status_page_write(m->status_page, &lines);
}

/* The number of the line NAME=; false: there is none, or it is larger. */
static bool take(const char *text, const char *name, uint64_t max, uint64_t *out)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, name, n) == 0 && line[n] == '=')
            return num_u64n(line + n + 1, strcspn(line + n + 1, "\n"), 0, max, out);
    return false;
}

bool monitor_status_read(pid_t monitor, struct monitor_status *status)
{
    enum { YEAR_9999 = 253402300799 };
    char text[STATUS_PAGE_SIZE];
    uint64_t phase, prog, restarts, last, value, ended, next, log;
    if (status_page_read(monitor, text) < 0)
        return false;
    errno = EPROTO;
    if (!take(text, "phase", PHASE_STOPPING, &phase) || !take(text, "prog", INT32_MAX, &prog) ||
        !take(text, "restarts", UINT64_MAX, &restarts) || !take(text, "last", LAST_FAILED, &last) ||
        !take(text, "value", INT32_MAX, &value) || !take(text, "ended", YEAR_9999, &ended) ||
        !take(text, "next_start", YEAR_9999, &next) || !take(text, "log", 1, &log))
        return false;
    *status = (struct monitor_status){.prog = (pid_t)prog,
        .restarts = restarts,
        .value = (int)value,
        .ended = (int64_t)ended,
        .next_start = (int64_t)next,
        .has_log = log};
    status->phase = (unsigned)phase;
    status->last = (unsigned)last;
    return true;
}

/* ---- what happens to PROG ---- */

void monitor_note_start(struct monitor *m, bool again)
{
    struct monitor_status *s = &m->status;
    s->phase = PHASE_RUNNING;
    s->prog = m->job.progs->last_pid;
    s->has_log = m->logs[OUT_LOG].file.is_file || m->logs[ERR_LOG].file.is_file;
    m->logs[OUT_LOG].file.syslog.pid = s->prog;
    s->restarts += again;
    s->next_start = 0;
    m->is_end_noted = false;
    monitor_status_publish(m);
}

bool monitor_prog_left_processes(const struct monitor *m)
{
    return !m->job.progs->exec_errno && !m->job.progs->wait_status && !m->job.descendants.had_children &&
           !m->log_run.pid && reap_have_children();
}

void monitor_note_end(struct monitor *m, bool again)
{
    struct monitor_status *s = &m->status;
    const struct prog *p = m->job.progs;
    bool killed = WIFSIGNALED(p->wait_status);
    m->is_end_noted = true;
    m->is_end_reported = false;
    m->seems_detached =
        clock_now() - m->started < AT_ONCE_SECONDS * CLOCK_SECOND && monitor_prog_left_processes(m);
    s->phase = again ? PHASE_RESTARTING : PHASE_STOPPING;
    s->last = p->exec_errno ? LAST_FAILED : killed ? LAST_KILLED : LAST_EXITED;
    s->value = p->exec_errno ? p->exec_errno
               : killed      ? WTERMSIG(p->wait_status)
                             : WEXITSTATUS(p->wait_status);
    s->ended = time(NULL);
    monitor_status_publish(m);
}

/* "2 s", "0.25 s" */
static void add_seconds(struct buf *b, int64_t ns)
{
    int64_t ms = ns / CLOCK_MS;
    buf_num(b, (unsigned long long)(ms / 1000));
    if (ms % 1000) {
        buf_fmt(b, ".%03d", (int)(ms % 1000));
        while (b->len && b->mem[b->len - 1] == '0')
            b->len--;
    }
    buf_text(b, " s");
}

/* "4711 exited with status 7" */
static void add_end(const struct monitor *m, struct buf *b)
{
    if (m->status.last == LAST_EXITED || m->status.last == LAST_KILLED)
        buf_fmt(b, "%ld ", (long)m->status.prog);
    add_how(m, b);
    if (m->status.last == LAST_EXITED && m->seems_detached)
        buf_text(b, MONITOR_SEEMS_DETACHED);
}

/*
 * With --supervise every end is news, and so is any before a restart; without, a failure that nobody asked
 * for: in the foreground our exit status tells it.
 */
static bool is_news(const struct monitor *m, bool again)
{
    bool failed = m->status.last != LAST_EXITED || m->status.value != 0;
    return m->msg->level > MSG_QUIET &&
           (m->supervise || again || m->seems_detached || m->msg->level >= MSG_VERBOSE ||
               (failed && !m->stop && !m->foreground));
}

void monitor_say(struct monitor *m, const char *text)
{
    char mem[1024];
    struct buf line = BUF(mem);
    struct logpump *log = &m->logs[m->logs[OUT_LOG].file.path ? OUT_LOG : ERR_LOG];
    int facility = log->file.syslog.facility;
    logpump_empty(log);
    if (facility || (!log->file.path && !m->foreground)) {
        const struct devlog d = {facility ? facility : LOG_DAEMON, m->msg->applet, getpid()};
        devlog_send(&d, m->stop ? LOG_NOTICE : LOG_WARNING, text);
    } else if (!log->file.path) {
        msg_error(m->msg, NULL, text, 0);
    } else {
        buf_fmt(&line, "%s: %s\n", m->msg->applet, text);
        logpump_say(log, line.mem, line.len);
    }
}

void monitor_report_end(struct monitor *m, bool again)
{
    char mem[512];
    struct buf line = BUF(mem);
    if (again) {
        m->status.phase = PHASE_RESTARTING;
        m->status.next_start = time(NULL) + m->backoff / CLOCK_SECOND;
        monitor_status_publish(m);
    }
    if (m->is_end_reported || !is_news(m, again))
        return;
    m->is_end_reported = true;
    add_end(m, &line);
    if (again) {
        buf_fmt(&line, "; restart %llu ", (unsigned long long)m->status.restarts + 1);
        buf_text(&line, m->backoff ? "in " : "now");
        if (m->backoff)
            add_seconds(&line, m->backoff);
    } else if (m->gave_up) {
        buf_fmt(&line, "; gave up after %zu restart%s in ", m->max_restarts, m->max_restarts == 1 ? "" : "s");
        add_seconds(&line, m->max_restarts_time);
    } else {
        buf_text(&line, "; no restart");
    }
    monitor_say(m, buf_str(&line));
}
