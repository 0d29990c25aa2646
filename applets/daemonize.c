/*
 * daemonize - runs PROG as a daemon, reports whether it came up, and controls it through its pidfile.
 *
 * perlipc's "Complete Dissociation of Child from Parent". It returns once PROG has been executed and is
 * ready; the monitor that stays (common/monitor.c) holds the lock that makes a pidfile trustworthy.
 */
#include "cli/applet.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor.h"
#include "daemon/monitor_control.h"
#include "daemon/monitor_launch.h"
#include "base/num.h"

#define DAEMONIZE_OPTIONS(X)                                                                                \
    JOB_ONE_OPTIONS(X)                                                                                      \
    X(PROG_PID, 'p', "pidfile", "FILE", "create a pidfile with PROG's PID")                                 \
    X(OWN_PID, 'P', "monitor-pidfile", "FILE", "create a pidfile with the monitor's PID")                   \
    X(LOCK, 'l', "lock", "FILE", "hold a lock on FILE while the monitor runs")                              \
    X(DIRECTORY, 'c', "chdir", "DIR", "change to DIR first (/; with --foreground, stay)")                   \
    X(UMASK, 'm', "umask", "MODE", "set the umask")                                                         \
    USER_OPTIONS(X, "run PROG as USER", "run PROG with GROUP as its group")                                 \
    X(NO_NEW_PRIVS, 0, "no-new-privs", NULL, "deny PROG the privileges of set-user-ID files")               \
    X(ENV, 'E', "env", "NAME=VALUE", "set a variable in PROG's environment")                                \
    X(CLEAR_ENV, 0, "clear-env", NULL, "start with an empty environment")                                   \
    X(OUTPUT, 'o', "output", "FILE", "write PROG's standard output to FILE (/dev/null)")                    \
    X(ERRORS, 'e', "errors", "FILE", "write PROG's standard error to FILE (/dev/null)")                     \
    X(APPEND, 'a', "append", NULL, "append to these files instead of truncating them")                      \
    X(READY, 0, "ready", "none|fd|notify", "wait until PROG reports that it is ready (none)")               \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME for readiness or a stop, then kill PROG (30)")    \
    X(SETTLE, 0, "settle", "TIME", "fail if PROG exits within TIME (0)")                                    \
    X(SUPERVISE, 0, "supervise", NULL, "restart PROG whenever it exits")                                    \
    X(RESTART_ON, 0, "restart-on", "always|failure|signal", "supervise, but only after such ends")          \
    X(MAX_RESTARTS, 0, "max-restarts", "N/TIME", "give up after N restarts within TIME")                    \
    X(BACKOFF, 0, "backoff", "MIN:MAX", "pause before a restart, doubling from MIN to MAX (1:60)")          \
    X(GRACE, 'k', "kill-after", "TIME",                                                                     \
        "kill PROG if it has not exited TIME after a restart was requested (10); if given, also at a stop") \
    X(STOP_SIGNAL, 0, "stop-signal", "SIG[:TIME],...", "stop PROG with these signals, then SIGKILL (TERM)") \
    X(ON_EXIT, 0, "on-exit", "CMD", "run CMD when PROG has exited")                                         \
    X(HUP, 0, "hup", "restart|forward|reopen",                                                              \
        "restart PROG, pass the signal on, or reopen the log on SIGHUP")                                    \
    X(FOREGROUND, 0, "foreground", NULL, "keep the monitor in the foreground")                              \
    X(LOG, 0, "log", "FILE", "write PROG's output and the monitor's messages to FILE")                      \
    X(LOG_SIZE, 0, "log-size", "SIZE", "rotate FILE before it grows larger than SIZE")                      \
    X(LOG_KEEP, 0, "log-keep", "COUNT", "keep COUNT rotated files (5)")                                     \
    X(LOG_TIME, 0, "log-time", NULL, "begin each line with the time")                                       \
    X(LOG_RUN, 0, "log-run", "CMD", "run CMD after each rotation")                                          \
    X(ERR_LOG, 0, "err-log", "FILE", "write PROG's standard error to a log of its own")                     \
    X(SYSLOG, 0, "syslog", "[FACILITY]", "write PROG's output to syslog (daemon)")                          \
    X(STATUS, 0, "status", NULL, "print whether the daemon runs, its restarts and its last exit")           \
    X(STOP, 0, "stop", NULL, "stop the daemon and wait until it has exited")                                \
    X(RESTART, 0, "restart", NULL, "restart PROG")                                                          \
    X(RELOAD, 0, "reload", NULL, "send SIGHUP to PROG")                                                     \
    X(ROTATE, 0, "rotate", NULL, "rotate the log")

enum daemonize_option { DAEMONIZE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {DAEMONIZE_OPTIONS(OPT_ROW)};

enum { TIMEOUT_SECONDS = 30, GRACE_SECONDS = 10, BACKOFF_MAX_SECONDS = 60 };
enum { KEEP_DEFAULT = 5, KEEP_MAX = 1000, RESTARTS_MAX = 10000 };

struct daemonize {
    struct msg *msg;
    struct monitor monitor;
    int command; /* OPT_STATUS to OPT_ROTATE; -1: start PROG */
    bool has_directory;
    size_t assignments;
    int64_t grace; /* of -k */
};

static int control(const struct daemonize *d, char *const *operands)
{
    const struct monitor *m = &d->monitor;
    const char *name = options[d->command].name;
    const struct monitor_control c = {.msg = d->msg,
        .command = MONITOR_CMD_STATUS + (unsigned)(d->command - OPT_STATUS),
        .name = name,
        .path = m->own_pid.path ? m->own_pid.path : m->prog_pid.path,
        .names_prog = !m->own_pid.path,
        .timeout = m->timeout};
    if (!c.path)
        msg_usage(d->msg, "--%s needs -p or -P", name);
    if (*operands)
        msg_usage(d->msg, "--%s takes no PROG: unexpected operand '%s'", name, *operands);
    return monitor_control(&c);
}

/* ---- the command line ---- */

/* Where a relative path is now: the monitor goes elsewhere. In memory of its own. */
static char *absolute(const struct daemonize *d, const char *path)
{
    char here[PATH_MAX] = "";
    if (*path != '/' && !getcwd(here, sizeof here))
        msg_die_sys(d->msg, "getcwd", NULL);
    size_t size = strlen(here) + strlen(path) + 2;
    char *whole = malloc(size);
    if (!whole)
        msg_die_sys(d->msg, "malloc", NULL);
    struct buf b = {.mem = whole, .size = size};
    buf_text(&b, here);
    if (*path != '/')
        buf_char(&b, '/');
    buf_text(&b, path);
    buf_str(&b);
    return whole;
}

static void take_backoff(struct monitor *m, const struct opts *o)
{
    char first[64];
    struct buf b = BUF(first);
    size_t n = strcspn(o->arg, ":");
    buf_bytes(&b, o->arg, n);
    if (!o->arg[n] || !num_duration(buf_str(&b), &m->backoff_min) ||
        !num_duration(o->arg + n + 1, &m->backoff_max) || m->backoff_min > m->backoff_max)
        opts_wrong(o, "expected two times such as 1:60 or 100ms:5");
}

/* How often PROG may be restarted. */
static void take_max_restarts(struct monitor *m, const struct opts *o)
{
    uint64_t n;
    size_t len = strcspn(o->arg, "/");
    if (!o->arg[len] || !num_u64n(o->arg, len, 1, RESTARTS_MAX, &n) ||
        !num_duration(o->arg + len + 1, &m->max_restarts_time))
        opts_wrong(o, "expected a number and a time such as 5/60");
    m->max_restarts = (size_t)n;
    free(m->restarted);
    m->restarted = calloc(m->max_restarts, sizeof *m->restarted);
    if (!m->restarted)
        msg_die_sys(o->msg, "malloc", NULL);
}

static bool ends_nothing(int sig)
{
    return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU || sig == SIGCONT ||
           sig == SIGCHLD;
}

static void take_stop_signal(struct monitor *m, const struct opts *o)
{
    if (!schedule_parse(o->arg, &m->ending.by))
        opts_wrong(o, "expected signals such as INT:10,TERM:5,KILL");
    for (size_t i = 0; i < m->ending.by.n; i++)
        if (ends_nothing(m->ending.by.steps[i].sig))
            opts_wrong(o, "SIGCHLD and signals that stop or continue a process do not end PROG");
    m->has_schedule = true;
    m->has_grace = m->has_grace || strpbrk(o->arg, ":,") || !m->ending.by.n;
}

static void add_assignment(struct daemonize *d, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    if (*o->arg == '=' || !strchr(o->arg, '='))
        opts_wrong(o, "expected NAME=VALUE");
    char **more = realloc(m->assignments, (d->assignments + 2) * sizeof *more);
    if (more) {
        more[d->assignments++] = o->arg;
        more[d->assignments] = NULL;
        m->assignments = more;
    } else {
        msg_die_sys(d->msg, "malloc", NULL);
    }
}

/* What concerns the process. */
static void take_process_option(struct daemonize *d, int row, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    switch (row) {
    case OPT_DIRECTORY:
        m->directory = absolute(d, o->arg);
        d->has_directory = true;
        break;
    case OPT_UMASK:
        m->has_umask = true;
        m->umask = opts_mode(o) & 0777;
        break;
    case OPT_USER:
    case OPT_GROUP:
        user_option(&m->user, row - OPT_USER, o);
        break;
    case OPT_NO_NEW_PRIVS:
        m->no_new_privs = true;
        break;
    case OPT_ENV:
        add_assignment(d, o);
        break;
    case OPT_CLEAR_ENV:
        m->clear_env = true;
        break;
    case OPT_READY:
        m->ready = (unsigned)opts_choice(o);
        break;
    case OPT_FOREGROUND:
        m->foreground = true;
        break;
    }
}

/* When it is started and stopped. */
static void take_life_option(struct daemonize *d, int row, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    switch (row) {
    case OPT_TIMEOUT:
        m->timeout = opts_duration(o);
        break;
    case OPT_SETTLE:
        m->settle = opts_duration(o);
        break;
    case OPT_RESTART_ON:
        m->restart_on = (unsigned)opts_choice(o);
        m->supervise = true;
        break;
    case OPT_SUPERVISE:
        m->supervise = true;
        break;
    case OPT_MAX_RESTARTS:
        take_max_restarts(m, o);
        break;
    case OPT_BACKOFF:
        take_backoff(m, o);
        break;
    case OPT_STOP_SIGNAL:
        take_stop_signal(m, o);
        break;
    case OPT_GRACE:
        m->has_grace = true;
        d->grace = opts_duration(o);
        break;
    case OPT_ON_EXIT:
        m->on_exit.command = o->arg;
        break;
    case OPT_HUP:
        m->hup = HUP_RESTART + (unsigned)opts_choice(o);
        break;
    }
}

/* Files. */
static void take_file_option(struct daemonize *d, int row, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    struct logfile *out = &m->logs[OUT_LOG].file, *err = &m->logs[ERR_LOG].file;
    switch (row) {
    case OPT_PROG_PID:
        m->prog_pid.path = absolute(d, o->arg);
        break;
    case OPT_OWN_PID:
        m->own_pid.path = absolute(d, o->arg);
        break;
    case OPT_LOCK:
        m->lock_path = absolute(d, o->arg);
        break;
    case OPT_OUTPUT:
        m->out_path = absolute(d, o->arg);
        break;
    case OPT_ERRORS:
        m->err_path = absolute(d, o->arg);
        break;
    case OPT_APPEND:
        m->append = true;
        break;
    case OPT_LOG:
        out->path = absolute(d, o->arg);
        break;
    case OPT_ERR_LOG:
        err->path = absolute(d, o->arg);
        break;
    case OPT_SYSLOG:
        out->syslog.facility = devlog_facility(o->arg ? o->arg : "daemon");
        if (!out->syslog.facility)
            opts_wrong(o, "expected a facility such as daemon or local0");
        break;
    case OPT_LOG_SIZE:
        out->limit = err->limit = opts_size(o, 1, INT64_MAX);
        break;
    case OPT_LOG_KEEP:
        out->keep = err->keep = (unsigned)opts_num(o, 0, KEEP_MAX);
        break;
    case OPT_LOG_TIME:
        out->with_time = err->with_time = true;
        break;
    case OPT_LOG_RUN:
        m->log_run.command = o->arg;
        break;
    }
}

static void take_option(struct daemonize *d, int row, const struct opts *o)
{
    switch ((enum daemonize_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&d->monitor.job, row, o);
        break;
    case OPT_DIRECTORY:
    case OPT_UMASK:
    case OPT_USER:
    case OPT_GROUP:
    case OPT_NO_NEW_PRIVS:
    case OPT_ENV:
    case OPT_CLEAR_ENV:
    case OPT_READY:
    case OPT_FOREGROUND:
        take_process_option(d, row, o);
        break;
    case OPT_TIMEOUT:
    case OPT_SETTLE:
    case OPT_SUPERVISE:
    case OPT_RESTART_ON:
    case OPT_MAX_RESTARTS:
    case OPT_BACKOFF:
    case OPT_STOP_SIGNAL:
    case OPT_GRACE:
    case OPT_ON_EXIT:
    case OPT_HUP:
        take_life_option(d, row, o);
        break;
    case OPT_PROG_PID:
    case OPT_OWN_PID:
    case OPT_LOCK:
    case OPT_OUTPUT:
    case OPT_ERRORS:
    case OPT_APPEND:
    case OPT_LOG:
    case OPT_LOG_SIZE:
    case OPT_LOG_KEEP:
    case OPT_LOG_TIME:
    case OPT_LOG_RUN:
    case OPT_ERR_LOG:
    case OPT_SYSLOG:
        take_file_option(d, row, o);
        break;
    case OPT_STATUS:
    case OPT_STOP:
    case OPT_RESTART:
    case OPT_RELOAD:
    case OPT_ROTATE:
        d->command = row;
        break;
    }
}

/* What is said of logs that are not there, or can't be that. */
static void check_logs(struct daemonize *d)
{
    struct monitor *m = &d->monitor;
    struct logfile *out = &m->logs[OUT_LOG].file, *err = &m->logs[ERR_LOG].file;
    struct stat st;
    if (out->path && out->syslog.facility)
        msg_usage(d->msg, "--log cannot be combined with --syslog");
    bool has_file = out->path || err->path;
    for (size_t i = 0; i < LOGS && out->limit; i++) {
        const char *path = m->logs[i].file.path;
        if (path && stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            msg_usage(d->msg, "--log-size needs a regular file, which '%s' is not", path);
    }
    if (out->syslog.facility) {
        const char *slash = strrchr(*m->job.progs->argv, '/');
        out->path = "/dev/log"; /* for messages */
        out->syslog.tag = slash ? slash + 1 : *m->job.progs->argv;
    }
    if ((out->path && (m->out_path || m->err_path)) || (err->path && m->err_path))
        msg_usage(d->msg, "a log cannot be combined with -o or -e for the same output");
    if (!has_file && (out->limit || m->log_run.command || m->hup == HUP_REOPEN))
        msg_usage(d->msg, "%s needs --log",
            out->limit           ? "--log-size"
            : m->log_run.command ? "--log-run"
                                 : "--hup reopen");
}

static void check(struct daemonize *d)
{
    struct monitor *m = &d->monitor;
    check_logs(d);
    if (m->max_restarts && !m->supervise)
        msg_usage(d->msg, "--max-restarts needs --supervise or --restart-on");
    schedule_fill(&m->ending.by, d->grace);
    m->leave = !m->prog_pid.path && !m->own_pid.path && !m->lock_path && !m->supervise &&
               !m->logs[OUT_LOG].file.path && !m->logs[ERR_LOG].file.path && !m->foreground;
    if (m->leave && (m->has_schedule || m->on_exit.command))
        msg_usage(d->msg, "%s needs the monitor: give -p, for example",
            m->has_schedule ? "--stop-signal" : "--on-exit");
    if (!d->has_directory && !m->foreground)
        m->directory = "/";
}

static const struct cli cli = {
    .name = "daemonize",
    .summary = "start a program as a daemon, or control one",
    .usage = "[OPTION]... PROG [ARG]...\n"
             "--status|--stop|--restart|--reload|--rotate -p FILE|-P FILE [-t TIME]",
    .notes = "With -p, -P, -l, --supervise, --log or --foreground a monitor process stays, and PROG does not "
             "outlive it.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int daemonize_main(struct msg *m, int argc, char **argv)
{
    struct daemonize d = {.msg = m, .command = -1, .grace = GRACE_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    monitor_init(&d.monitor, m);
    d.monitor.timeout = TIMEOUT_SECONDS * CLOCK_SECOND;
    d.monitor.ending.by = schedule_of(SIGTERM, -1);
    d.monitor.backoff_min = CLOCK_SECOND;
    d.monitor.backoff_max = BACKOFF_MAX_SECONDS * CLOCK_SECOND;
    for (size_t i = 0; i < LOGS; i++)
        d.monitor.logs[i].file.keep = KEEP_DEFAULT;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&d, row, &o);
    argv += o.first;
    if (d.command >= 0) {
        free(d.monitor.assignments); /* of -E, which is for a start */
        free(d.monitor.restarted);
        return control(&d, argv);
    }
    if (!*argv)
        msg_usage(m, "missing PROG");
    job_single(&d.monitor.job, argv);
    check(&d);
    int failed = job_find(&d.monitor.job);
    if (failed)
        return failed;
    d.monitor.job.progs->path = absolute(&d, d.monitor.job.progs->path);
    fd_cloexec_from(STDERR_FILENO + 1);
    struct job *j = &d.monitor.job; /* stdio will be let go */
    if (j->status_fd >= 0 && j->status_fd <= STDERR_FILENO &&
        (j->status_fd = fd_dup(j->status_fd, STDERR_FILENO + 1)) < 0)
        msg_die_sys(m, "dup", "status-fd");
    return monitor_launch(&d.monitor);
}

const struct applet applet_daemonize = {.cli = &cli, .theme = THEME_DAEMONS, .main = daemonize_main};
