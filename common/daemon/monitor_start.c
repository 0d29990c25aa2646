/*
 * monitor_start.c - brings a daemon up: nobody else's, executed, ready; see monitor.h.
 */
#include "daemon/monitor_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/lock.h"
#include "daemon/monitor_prog.h"
#include "process/notify.h"
#include "process/notify_socket.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/status_page.h"

enum { ENDING_MS = 200 };

static int fail(const struct monitor *m, const char *action, const char *object)
{
    return msg_fatal(m->msg, EXIT_SYSTEM, action, object, errno);
}

/* ---- nobody else's ---- */

static bool same_file(const struct place *a, const struct place *b)
{
    struct stat x, y;
    return place_compare(a, b) == 0 ||
           (place_look(a, &x) == 0 && place_look(b, &y) == 0 && place_is_same_file(&x, &y));
}

/* 0, or the exit status of a failure. */
static int open_place(const struct monitor *m, struct place *place, const char *path)
{
    if (!path || place_open(place, path) == 0)
        return 0;
    return msg_fatal_file(m->msg, "open the directory of", path, errno);
}

/* Where the files are that -p, -P, -l and the logs have: different ones, whatever the paths look like. */
static int open_places(struct monitor *m)
{
    struct place logs[LOGS] = {{.dir = -1}, {.dir = -1}};
    struct place *const places[] = {
        &m->prog_pid.place, &m->own_pid.place, &m->lock_place, &logs[OUT_LOG], &logs[ERR_LOG]};
    const char *const paths[] = {m->prog_pid.path, m->own_pid.path, m->lock_path, m->logs[OUT_LOG].file.path,
        m->logs[ERR_LOG].file.path};
    int failed = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places && !failed; i++) {
        failed = open_place(m, places[i], paths[i]);
        for (size_t k = 0; k < i && !failed; k++)
            if (paths[i] && paths[k] && same_file(places[i], places[k]))
                msg_usage(m->msg, "-p, -P, -l and logs need different files: '%s' and '%s' are the same",
                    paths[k], paths[i]);
    }
    place_close(&logs[OUT_LOG]);
    place_close(&logs[ERR_LOG]);
    return failed;
}

static int lock_pidfile(const struct monitor *m, struct pidfile *p)
{
    if (!p->path || (p->lock = lock_change(&p->place)) >= 0)
        return 0;
    int err = errno, sig = sigs_take_ending(NULL);
    return sig ? EXIT_SIGNAL + sig
               : msg_fatal_why(m->msg, EXIT_SYSTEM, "take the lock beside", p->path, lock_error(err));
}

/* In one order for all, so that no two starters wait for each other. 0, or the exit status of a failure. */
static int lock_pidfiles(struct monitor *m)
{
    struct pidfile *first = &m->prog_pid, *second = &m->own_pid;
    if (first->path && second->path && place_compare(&first->place, &second->place) > 0) {
        first = &m->own_pid;
        second = &m->prog_pid;
    }
    int failed = lock_pidfile(m, first);
    return failed ? failed : lock_pidfile(m, second);
}

/* 0 when no living daemon has that pidfile. */
static int check_pidfile(const struct monitor *m, const struct pidfile *p)
{
    pid_t holder = p->path ? pidfile_holder(&p->place, NULL) : 0;
    if (holder > 0) {
        char mem[64];
        struct buf why = BUF(mem);
        buf_fmt(&why, "already running as pid %ld", (long)holder);
        msg_error_why(m->msg, "start under", p->path, buf_str(&why));
        return EXIT_NO;
    }
    if (holder < 0 && errno != ENOENT)
        return fail(m, "look at", p->path);
    if (p->path && !pidfile_is_replaceable(&p->place))
        return errno == EEXIST ? msg_fatal_why(m->msg, EXIT_SYSTEM, "replace", p->path, "not a pidfile")
                               : fail(m, "replace", p->path);
    return 0;
}

static int take_lock(struct monitor *m)
{
    if (!m->lock_path || (m->lock = lock_named(&m->lock_place)) >= 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return fail(m, "lock", m->lock_path);
    msg_error_why(m->msg, "lock", m->lock_path, "it is taken");
    return EXIT_NO;
}

/* ---- where PROG writes ---- */

static int open_output(const struct monitor *m, const char *path)
{
    struct place place;
    struct stat st;
    if (place_open(&place, path) < 0)
        return -1;
    /* a FIFO that nobody reads is an error, not a wait */
    int fd = place_file(&place, O_WRONLY | O_CREAT | O_NONBLOCK | O_APPEND, 0666);
    int err = errno;
    place_close(&place);
    errno = err;
    if (fd < 0)
        return -1;
    bool truncate = !m->append && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if ((truncate && ftruncate(fd, 0) < 0) || fd_set_nonblock(fd, false) < 0)
        fd_close(&fd);
    return fd;
}

/* A pipe that is emptied into the log. */
static int open_log(const struct monitor *m, struct logpump *log, int *writer)
{
    if (!log->file.path || logpump_open(log, PROG_FDS, writer) == 0)
        return 0;
    return log->file.fd < 0 ? msg_fatal_file(m->msg, "open", log->file.path, errno) : fail(m, "pipe", NULL);
}

static int open_outputs(struct monitor *m)
{
    int failed = open_log(m, &m->logs[OUT_LOG], &m->out);
    if (!failed)
        failed = open_log(m, &m->logs[ERR_LOG], &m->err);
    if (failed)
        return failed;
    if (m->out_path && (m->out = open_output(m, m->out_path)) < 0)
        return msg_fatal_file(m->msg, "open", m->out_path, errno);
    bool same = m->out_path && m->err_path && strcmp(m->out_path, m->err_path) == 0;
    if (m->err_path && !same && (m->err = open_output(m, m->err_path)) < 0)
        return msg_fatal_file(m->msg, "open", m->err_path, errno);
    if (same)
        m->err = fd_dup(m->out, PROG_FDS);
    if ((m->out >= 0 && fd_raise(&m->out, PROG_FDS) < 0) || (m->err >= 0 && fd_raise(&m->err, PROG_FDS) < 0))
        return fail(m, "dup", NULL);
    return 0;
}

/* ---- readiness ---- */

/* A socket of our own in place of the manager's (sd_notify(3)). */
static int open_notify(struct monitor *m)
{
    if (notify_socket_open(&m->notify, m->notify_text) < 0)
        return fail(m, "socket", "NOTIFY_SOCKET");
    return env_put(job_env(&m->job), m->notify_text) < 0 ? fail(m, "malloc", NULL) : 0;
}

/* PROG has ended before its time. */
static int say_early_end(const struct monitor *m)
{
    char mem[128];
    struct buf why = BUF(mem);
    int status = job_status(&m->job, 0);
    buf_text(&why, "it ");
    job_describe_end(&m->job, 0, &why);
    if (monitor_prog_left_processes(m))
        buf_text(&why, MONITOR_SEEMS_DETACHED);
    return msg_fatal_why(
        m->msg, status ? status : EXIT_SYSTEM, "bring up", *m->job.progs->argv, buf_str(&why));
}

/* Whether PROG is ending: its fds are closed before its end can be seen. */
static bool ends_soon(struct monitor *m)
{
    int64_t until = clock_in(ENDING_MS * CLOCK_MS);
    while (m->job.running && clock_left(until))
        monitor_sleep(m, clock_left(until));
    return !m->job.running;
}

/* Until PROG has said that it is ready and has lived for the settle time. */
static int wait_until_up(struct monitor *m)
{
    int64_t deadline = clock_in(m->timeout), settled = clock_in(m->settle);
    bool asked = m->ready != READY_NONE;
    if (!asked && !m->settle) /* it has been executed: that was all */
        return m->stop ? EXIT_SIGNAL + m->stop : 0;
    while (!m->stop && m->job.running) {
        bool waits = asked && !m->is_ready;
        if (!waits && !clock_left(settled))
            return 0;
        if (waits && m->ready == READY_FD && m->ready_pipe < 0) {
            if (ends_soon(m))
                break;
            return msg_fatal_why(m->msg, EXIT_SYSTEM, "bring up", *m->job.progs->argv,
                "it closed READY_FD without writing a newline");
        }
        if (waits && !clock_left(deadline))
            return msg_fatal_why(
                m->msg, EXIT_DEADLINE, "bring up", *m->job.progs->argv, "it was not ready in time");
        monitor_sleep(m, clock_left(waits ? deadline : settled));
    }
    if (m->stop)
        return msg_fatal_why(m->msg, EXIT_SIGNAL + m->stop, "bring up", *m->job.progs->argv, "interrupted");
    return say_early_end(m);
}

static int start_and_write_pidfiles(struct monitor *m)
{
    if (pidfile_prepare(&m->prog_pid) < 0)
        return fail(m, "write", m->prog_pid.path);
    if (pidfile_prepare(&m->own_pid) < 0)
        return fail(m, "write", m->own_pid.path);
    int failed = monitor_prog_start(m);
    if (failed)
        return failed;
    monitor_note_start(m, false);
    if (pidfile_write(&m->prog_pid, m->job.progs->pid) < 0)
        return fail(m, "write", m->prog_pid.path);
    if (pidfile_write(&m->own_pid, getpid()) < 0)
        return fail(m, "write", m->own_pid.path);
    return 0;
}

static int start_alone(struct monitor *m)
{
    int failed = open_places(m);
    if (!failed)
        failed = lock_pidfiles(m);
    if (!failed)
        failed = check_pidfile(m, &m->prog_pid);
    if (!failed)
        failed = check_pidfile(m, &m->own_pid);
    if (!failed)
        failed = take_lock(m);
    if (!failed)
        failed = open_outputs(m);
    if (!failed && m->ready == READY_NOTIFY)
        failed = open_notify(m);
    if (!failed)
        failed = start_and_write_pidfiles(m);
    lock_change_end(&m->prog_pid.place, &m->prog_pid.lock);
    lock_change_end(&m->own_pid.place, &m->own_pid.lock);
    return failed;
}

/* ---- up ---- */

void monitor_report(struct monitor *m, int status)
{
    if (m->report < 0)
        return;
    fd_write_all(m->report, &status, sizeof status);
    fd_close(&m->report);
}

/* Where we complain from now on: the log, by a description that never blocks us; -e FILE; nowhere. */
static int move_stderr(struct monitor *m)
{
    char mem[64];
    struct buf path = BUF(mem);
    int to = m->logs[OUT_LOG].file.path ? m->out : m->err;
    buf_fmt(&path, "/proc/self/fd/%d", to);
    int fd = to >= 0 ? open(buf_str(&path), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd < 0)
        return fd_to_null(STDERR_FILENO);
    int done = dup2(fd, STDERR_FILENO);
    fd_close(&fd);
    return done < 0 ? -1 : 0;
}

static int detach(struct monitor *m)
{
    if (m->foreground)
        return 0;
    if (fd_to_null(STDIN_FILENO) < 0 || fd_to_null(STDOUT_FILENO) < 0 || move_stderr(m) < 0)
        return fail(m, "open", "/dev/null");
    return 0;
}

static int notify_manager(struct monitor *m)
{
    const char *object;
    const char *state = *m->ready_message ? m->ready_message : "READY=1";
    m->is_up = true;
    m->readiness = (struct notify){.fd = -1};
    return notify_ready(&m->readiness, state, "", &object) < 0 ? fail(m, "report readiness to", object) : 0;
}

/* What PROG gets: nothing that was meant for us. */
static int prepare_environment(struct monitor *m)
{
    static char *const nothing[] = {NULL};
    static const char *const ours[] = {"NOTIFY_SOCKET", "LISTEN_*", "READY_FD"};
    struct env *env = job_env(&m->job);
    struct buf ready = BUF(m->ready_text);
    buf_fmt(&ready, "READY_FD=%d", READY_FD_NUMBER);
    buf_str(&ready);
    if (m->clear_env && env_init(env, nothing) < 0)
        return fail(m, "malloc", NULL);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        env_drop(env, ours[i]);
    for (char **a = m->assignments; a && *a; a++)
        if (env_put(env, *a) < 0)
            return fail(m, "malloc", NULL);
    if (m->ready == READY_FD && env_put(env, m->ready_text) < 0)
        return fail(m, "malloc", NULL);
    return 0;
}

int monitor_start(struct monitor *m)
{
    m->job_msg = *m->msg;
    if (m->job_msg.level > MSG_NORMAL)
        m->job_msg.level = MSG_NORMAL;
    m->job.msg = &m->job_msg;
    m->status_page = m->leave ? -1 : status_page_open();
    monitor_prog_begin(m);
    sigs_learn_ignored();
    job_begin(&m->job, true);
    sigs_catch_also(SIGWINCH);
    sigs_catch_also(SIGCONT);
    /* a daemon hears these, whoever started it; nohup(1) and a shell's background would have us deaf */
    sigs_catch_also(SIGHUP);
    sigs_catch_also(SIGINT);
    sigs_catch_also(SIGQUIT);
    sigs_claim_term();
    if (m->has_umask)
        umask(m->umask);
    if (m->directory && chdir(m->directory) < 0)
        return fail(m, "chdir", m->directory);
    int failed = prepare_environment(m);
    if (!failed)
        failed = start_alone(m);
    if (!failed)
        failed = wait_until_up(m);
    if (!failed)
        failed = notify_manager(m);
    return failed ? failed : detach(m);
}
