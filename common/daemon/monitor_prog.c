/*
 * monitor_prog.c - see monitor_prog.h.
 */
#include "daemon/monitor_prog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/notify.h"
#include "process/notify_socket.h"

enum { MESSAGES_MAX = 64 };

/* ---- its start ---- */

/* Before there is a process: PROG counts as one that could not be started, not as ended once more. */
static int fail(struct monitor *m, const char *action)
{
    return job_start_failed(&m->job, 0, action, errno);
}

static int open_null(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && fd_raise(&null, PROG_FDS) < 0)
        fd_close(&null);
    return null;
}

int monitor_prog_start(struct monitor *m)
{
    int ready[2] = {-1, -1}, failed;
    m->started = clock_now(); /* also of a start that fails: the one before may have lived long */
    if (m->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) /* PROG inherits it */
        return fail(m, "prctl PR_SET_NO_NEW_PRIVS for");
    int null = open_null(), done = null;
    if (done >= 0 && m->ready == READY_FD && !m->is_up)
        done = pipe2(ready, O_CLOEXEC);
    if (done >= 0 && ready[1] >= 0)
        done = fd_raise(&ready[1], PROG_FDS);
    if (done >= 0) {
        int silent = m->foreground ? -1 : null;
        const int fds[PROG_FDS] = {null, m->out >= 0 ? m->out : silent,
            m->err >= 0                  ? m->err
            : m->logs[OUT_LOG].file.path ? m->out
                                         : silent,
            ready[1] >= 0 || m->ready != READY_FD ? ready[1] : null};
        struct spawn spawn = {.fds = fds,
            .nfds = PROG_FDS,
            .signals = SIGS_CLEAN,
            .place = m->foreground ? SPAWN_HERE : SPAWN_GROUP,
            .user = &m->user,
            .death_signal = m->leave ? 0 : SIGKILL};
        failed = job_execute(&m->job, 0, &spawn, m->is_up ? CLOCK_NEVER : clock_in(m->timeout));
    } else {
        failed = fail(m, null < 0 ? "open /dev/null for" : "pipe");
    }
    m->ready_pipe = ready[0];
    fd_close(&ready[1]);
    fd_close(&null);
    return failed;
}

/* ---- signals ---- */

static void take_hup(struct monitor *m)
{
    const struct logfile *out = &m->logs[OUT_LOG].file;
    bool by_default = m->hup == HUP_DEFAULT;
    bool has_log = (out->path && !out->syslog.facility) || m->logs[ERR_LOG].file.path;
    for (size_t i = 0; i < LOGS && has_log && m->hup != HUP_FORWARD; i++)
        logpump_reopen(&m->logs[i]);
    if (m->hup == HUP_RESTART || (by_default && m->supervise))
        m->restart = true;
    else if (m->hup == HUP_FORWARD || (by_default && !has_log))
        m->reload = true;
}

/* PROG gets the very signal, which is the first step of its end; but SIGTERM is what a schedule stands for.
 */
static void take_stop(struct monitor *m, int sig, bool sent)
{
    m->stop = sig;
    if (sig == SIGTERM && m->has_schedule)
        return;
    if (sent || !m->foreground)
        job_signal(&m->job, sig, false);
    job_signal(&m->job, SIGCONT, false); /* one that is stopped would not hear it */
    if (!m->ending.step && m->ending.by.n) {
        m->ending.next_at = clock_in(m->ending.by.steps->time);
        m->ending.step = 1;
    }
}

/* A struct job's on_signal. */
static void take_signal(void *owner, int sig, bool sent)
{
    struct monitor *m = owner;
    if (sig == SIGHUP) {
        take_hup(m);
    } else if (sig == MONITOR_RESTART) {
        m->restart = true;
    } else if (sig == MONITOR_RELOAD) {
        m->reload = true;
    } else if (sig == MONITOR_ROTATE) {
        for (size_t i = 0; i < LOGS; i++)
            logpump_rotate(&m->logs[i]);
    } else if (sig == MONITOR_KILL) {
        m->stop = SIGTERM;
        m->has_grace = true;
        m->ending.by.n = 0;
        m->ending.next_at = 0;
        m->job.hurry = true;
    } else if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT) {
        take_stop(m, sig, sent);
    } else if (sent || !m->foreground) { /* else the terminal has told PROG, too */
        job_signal(&m->job, sig, false);
    }
    if (m->stop &&
        m->status.phase == PHASE_RESTARTING) { /* --on-exit may run before the restart that is off */
        m->status.phase = PHASE_STOPPING;
        monitor_status_publish(m);
    }
}

/* ---- its readiness ---- */

static void take_newline(struct monitor *m)
{
    char bytes[64];
    ssize_t n = fd_read(m->ready_pipe, bytes, sizeof bytes);
    if (n > 0 && memchr(bytes, '\n', (size_t)n))
        m->is_ready = true;
    if (n <= 0 || m->is_ready)
        fd_close(&m->ready_pipe);
}

/* Passed on; but what says READY=1 waits, and all that comes after it, until we are up. */
static bool may_take_messages(const struct monitor *m)
{
    return m->is_up || !m->is_ready;
}

/*
 * Whether our own manager may be told that, as it will take it for ours: what PROG does, but nothing of fds,
 * and of no process that is not PROG's (sd_notify(3)).
 */
static bool may_pass(const struct monitor *m, const char *line, size_t n)
{
    static const char names[] =
        "\nREADY=\nSTATUS=\nRELOADING=\nMONOTONIC_USEC=\nSTOPPING=\nWATCHDOG=\nEXTEND_TIMEOUT_USEC=\nERRNO=";
    static const char main_pid[] = "MAINPID=";
    const size_t len = sizeof main_pid - 1;
    char mem[32];
    struct buf name = BUF(mem);
    uint64_t pid;
    if (n > len && memcmp(line, main_pid, len) == 0)
        return num_u64n(line + len, n - len, 1, INT32_MAX, &pid) &&
               descendants_have(&m->job.descendants, (pid_t)pid);
    const char *equals = memchr(line, '=', n);
    buf_char(&name, '\n');
    buf_bytes(&name, line, equals ? (size_t)(equals - line) + 1 : 0);
    return equals && strstr(names, buf_str(&name)) && !name.cut;
}

/* Leaves of a message the lines that may be passed on. */
static void filter(const struct monitor *m, char *text)
{
    size_t n;
    char *to = text;
    for (const char *line = text; *line; line += n) {
        n = strcspn(line, "\n");
        bool passes = may_pass(m, line, n);
        n += line[n] == '\n';
        if (passes)
            memmove(to, line, n);
        to += passes ? n : 0;
    }
    *to = '\0';
}

/* What says READY=1 is kept, to be passed on once we are up, with all else that it says. */
static void take_messages(struct monitor *m)
{
    char text[NOTIFY_MESSAGE_SIZE];
    uid_t user = m->user.has_uid ? m->user.uid : getuid();
    for (int n = 0; n < MESSAGES_MAX && may_take_messages(m); n++) {
        if (notify_socket_receive(m->notify, user, &m->job.descendants, text) < 0) {
            if (errno != EMSGSIZE)
                return;
            if (!m->is_cut_said)
                msg_error_why(
                    m->msg, "take", "a message of PROG", "it is too long: only lines that fit are passed on");
            m->is_cut_said = true;
        }
        filter(m, text);
        if (!m->is_up && notify_socket_says(text, "READY=1")) {
            m->is_ready = true;
            memcpy(m->ready_message, text, sizeof text);
        } else if (*text) {
            notify_pass(text, &m->manager_stalled);
        }
    }
}

/* ---- and its log ---- */

void monitor_sleep(struct monitor *m, int64_t ns)
{
    struct pollfd polls[] = {
        logpump_poll(&m->logs[OUT_LOG]),
        logpump_poll(&m->logs[ERR_LOG]),
        {.fd = m->ready_pipe, .events = POLLIN},
        {.fd = may_take_messages(m) ? m->notify : -1, .events = POLLIN},
    };
    ns = clock_first(ns, clock_first(logpump_wait(&m->logs[OUT_LOG]), logpump_wait(&m->logs[ERR_LOG])));
    job_sleep(&m->job, polls, LOGS + 2, clock_first(ns, notify_tend(&m->readiness, m->msg)));
    for (size_t i = 0; i < LOGS; i++)
        logpump_tend(&m->logs[i], polls[i].revents);
    if (polls[LOGS].revents)
        take_newline(m);
    if (polls[LOGS + 1].revents)
        take_messages(m);
}

/* A struct job's on_watched. */
static void take_log(void *owner)
{
    struct monitor *m = owner;
    for (size_t i = 0; i < LOGS; i++) {
        logpump_tend(&m->logs[i], true);
        m->job.hooks.watched[i] = logpump_poll(&m->logs[i]);
    }
}

/* A struct job's before_reap: from then on its pid may be another's. */
static void clear_pidfile(void *owner)
{
    struct monitor *m = owner;
    pidfile_clear(&m->prog_pid);
}

/* A struct job's on_other. */
static bool take_other(void *owner, pid_t pid, int status)
{
    struct monitor *m = owner;
    if (hook_note_end(&m->log_run, m, pid, status))
        descendants_forget(&m->job.descendants, pid);
    return hook_note_end(&m->on_exit, m, pid, status);
}

void monitor_prog_begin(struct monitor *m)
{
    m->job.hooks.on_other = take_other;
    m->job.hooks.before_reap = clear_pidfile;
    m->job.hooks.on_signal = take_signal;
    m->job.hooks.on_watched = take_log;
    m->job.hooks.owner = m;
    m->job.patient = true; /* a HUP of logrotate(8) cuts no schedule short, nor does a TERM after another */
}

int monitor_prog_end(struct monitor *m)
{
    take_log(m);
    return job_end_by(&m->job, &m->ending.by);
}
