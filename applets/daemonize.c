/*
 * daemonize - runs PROG as a daemon, reports whether it came up, and controls it through its pidfile.
 *
 * perlipc's "Complete Dissociation of Child from Parent". It returns once PROG has been executed and is
 * ready; the monitor that stays (common/monitor.c) holds the lock that makes a pidfile trustworthy.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor.h"
#include "daemon/monitor_control.h"
#include "base/num.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/worker.h"

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
    X(BACKOFF, 0, "backoff", "MIN:MAX", "pause before a restart, doubling from MIN to MAX (1:60)")          \
    X(GRACE, 'k', "kill-after", "TIME",                                                                     \
        "kill PROG if it has not exited TIME after a restart was requested (10); if given, also at a stop") \
    X(HUP, 0, "hup", "restart|forward|reopen",                                                              \
        "restart PROG, pass the signal on, or reopen the log on SIGHUP")                                    \
    X(FOREGROUND, 0, "foreground", NULL, "keep the monitor in the foreground")                              \
    X(LOG, 0, "log", "FILE", "write PROG's output and the monitor's messages to FILE")                      \
    X(LOG_SIZE, 0, "log-size", "SIZE", "rotate FILE before it grows larger than SIZE")                      \
    X(LOG_KEEP, 0, "log-keep", "COUNT", "keep COUNT rotated files (5)")                                     \
    X(STATUS, 0, "status", NULL, "print whether the daemon runs, its restarts and its last exit")           \
    X(STOP, 0, "stop", NULL, "stop the daemon and wait until it has exited")                                \
    X(RESTART, 0, "restart", NULL, "restart PROG")                                                          \
    X(RELOAD, 0, "reload", NULL, "send SIGHUP to PROG")

enum daemonize_option { DAEMONIZE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {DAEMONIZE_OPTIONS(OPT_ROW)};

enum { TIMEOUT_SECONDS = 30, GRACE_SECONDS = 10, BACKOFF_MAX_SECONDS = 60 };
enum { KEEP_DEFAULT = 5, KEEP_MAX = 1000 };

struct daemonize {
    struct msg *msg;
    struct monitor monitor;
    int command; /* OPT_STATUS to OPT_RELOAD; -1: start PROG */
    bool has_directory;
    size_t assignments;
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

/* ---- starting ---- */

/* Of the caller's fds only stdio is kept, until PROG is up. 0, or -1 with errno. */
static int drop_fds(struct monitor *m)
{
    enum { REPORT = STDERR_FILENO + 1, STATUS, FIRST };
    int *status_fd = &m->job.status_fd;
    if (fd_raise(&m->report, FIRST) < 0 || (*status_fd >= 0 && fd_raise(status_fd, FIRST) < 0) ||
        dup3(m->report, REPORT, O_CLOEXEC) < 0 ||
        (*status_fd >= 0 && dup3(*status_fd, STATUS, O_CLOEXEC) < 0))
        return -1;
    m->report = REPORT;
    *status_fd = *status_fd >= 0 ? STATUS : -1;
    fd_close_from(*status_fd >= 0 ? FIRST : STATUS);
    return 0;
}

static int be_monitor(void *arg)
{
    struct daemonize *d = arg;
    if (drop_fds(&d->monitor) < 0)
        return msg_fatal(d->msg, EXIT_SYSTEM, "dup", NULL, errno);
    return monitor_run(&d->monitor);
}

/*
 * Sleeps until the monitor reports. A signal that would end us makes it undo what it has begun, unless it has
 * reported already. The last such signal, 0: none came.
 */
static int sleep_for_report(pid_t monitor, int report)
{
    int came = 0;
    for (;;) {
        struct pollfd p = {.fd = report, .events = POLLIN};
        if (sigs_sleep(&p, 1, CLOCK_NEVER) > 0)
            return came;
        int sig = sigs_take_ending(NULL);
        if (!sig || poll(&p, 1, 0) > 0)
            continue;
        came = sig;
        kill(monitor, SIGTERM);
    }
}

/* What the monitor reports; after a signal we die of it. */
static int wait_for_report(const struct daemonize *d, pid_t monitor, int report)
{
    int failed = -1, came = sleep_for_report(monitor, report);
    ssize_t n = fd_read(report, &failed, sizeof failed);
    if (n == sizeof failed && failed == 0 && !came)
        return EXIT_DONE;
    if (n != sizeof failed)
        kill(monitor, SIGTERM); /* if it is alive, nobody knows of it */
    int end = reap_wait(monitor);
    if (came)
        sigs_die(came);
    if (n != sizeof failed && end >= 0 && reap_exit_status(end) > 0 && reap_exit_status(end) < EXIT_SIGNAL)
        return reap_exit_status(end); /* it has printed why */
    if (n != sizeof failed)
        return msg_fatal_why(
            d->msg, EXIT_SYSTEM, "start", *d->monitor.job.progs->argv, "its monitor was killed");
    return failed;
}

static int start(struct daemonize *d)
{
    int fds[2];
    if (d->monitor.foreground)
        return monitor_run(&d->monitor);
    if (pipe2(fds, O_CLOEXEC) < 0)
        msg_die_sys(d->msg, "pipe", NULL);
    d->monitor.report = fds[1];
    sigs_catch(SIGPIPE); /* as job_begin does: not one that is passed on */
    sigs_catch_ending(); /* before there is anybody to be told */
    pid_t monitor = worker_detach(be_monitor, d);
    if (monitor < 0)
        msg_die_sys(d->msg, "fork", NULL);
    close(fds[1]);
    return wait_for_report(d, monitor, fds[0]);
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
    case OPT_BACKOFF:
        take_backoff(m, o);
        break;
    case OPT_HUP:
        m->hup = HUP_RESTART + (unsigned)opts_choice(o);
        break;
    }
}

/* Where PROG's output goes. */
static void take_output_option(struct daemonize *d, int row, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    switch (row) {
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
        m->log_path = absolute(d, o->arg);
        break;
    case OPT_LOG_SIZE:
        m->log_size = opts_size(o, 1, INT64_MAX);
        break;
    case OPT_LOG_KEEP:
        m->log_keep = (unsigned)opts_num(o, 0, KEEP_MAX);
        break;
    }
}

static void take_option(struct daemonize *d, int row, const struct opts *o)
{
    struct monitor *m = &d->monitor;
    switch ((enum daemonize_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&m->job, row, o);
        break;
    case OPT_DIRECTORY:
    case OPT_UMASK:
    case OPT_USER:
    case OPT_GROUP:
    case OPT_NO_NEW_PRIVS:
    case OPT_ENV:
    case OPT_CLEAR_ENV:
    case OPT_READY:
    case OPT_BACKOFF:
    case OPT_HUP:
        take_process_option(d, row, o);
        break;
    case OPT_PROG_PID:
        m->prog_pid.path = absolute(d, o->arg);
        break;
    case OPT_OWN_PID:
        m->own_pid.path = absolute(d, o->arg);
        break;
    case OPT_LOCK:
        m->lock_path = absolute(d, o->arg);
        break;
    case OPT_TIMEOUT:
        m->timeout = opts_duration(o);
        break;
    case OPT_SETTLE:
        m->settle = opts_duration(o);
        break;
    case OPT_SUPERVISE:
        m->supervise = true;
        break;
    case OPT_GRACE:
        m->has_grace = true;
        m->grace = opts_duration(o);
        break;
    case OPT_FOREGROUND:
        m->foreground = true;
        break;
    case OPT_OUTPUT:
    case OPT_ERRORS:
    case OPT_APPEND:
    case OPT_LOG:
    case OPT_LOG_SIZE:
    case OPT_LOG_KEEP:
        take_output_option(d, row, o);
        break;
    case OPT_STATUS:
    case OPT_STOP:
    case OPT_RESTART:
    case OPT_RELOAD:
        d->command = row;
        break;
    }
}

static void check(struct daemonize *d)
{
    struct monitor *m = &d->monitor;
    struct stat log;
    if (m->log_path && (m->out_path || m->err_path))
        msg_usage(d->msg, "--log cannot be combined with -o or -e");
    if (!m->log_path && m->log_size)
        msg_usage(d->msg, "--log-size needs --log");
    if (m->log_size && stat(m->log_path, &log) == 0 && !S_ISREG(log.st_mode) && !S_ISDIR(log.st_mode))
        msg_usage(d->msg, "--log-size needs a regular file, which '%s' is not", m->log_path);
    if (m->hup == HUP_REOPEN && !m->log_path)
        msg_usage(d->msg, "--hup reopen needs --log");
    m->leave = !m->prog_pid.path && !m->own_pid.path && !m->lock_path && !m->supervise && !m->log_path &&
               !m->foreground;
    if (!d->has_directory && !m->foreground)
        m->directory = "/";
}

static const struct cli cli = {
    .name = "daemonize",
    .summary = "start a program as a daemon, or control one",
    .usage = "[OPTION]... PROG [ARG]...\n"
             "--status|--stop|--restart|--reload -p FILE|-P FILE [-t TIME]",
    .notes = "With -p, -P, -l, --supervise, --log or --foreground a monitor process stays, and PROG does not "
             "outlive it.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int daemonize_main(struct msg *m, int argc, char **argv)
{
    struct daemonize d = {.msg = m, .command = -1};
    struct opts o;
    int row;
    monitor_init(&d.monitor, m);
    d.monitor.timeout = TIMEOUT_SECONDS * CLOCK_SECOND;
    d.monitor.grace = GRACE_SECONDS * CLOCK_SECOND;
    d.monitor.backoff_min = CLOCK_SECOND;
    d.monitor.backoff_max = BACKOFF_MAX_SECONDS * CLOCK_SECOND;
    d.monitor.log_keep = KEEP_DEFAULT;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&d, row, &o);
    argv += o.first;
    if (d.command >= 0) {
        free(d.monitor.assignments); /* of -E, which is for a start */
        return control(&d, argv);
    }
    if (!*argv)
        msg_usage(m, "missing PROG");
    check(&d);
    job_single(&d.monitor.job, argv);
    int failed = job_find(&d.monitor.job);
    if (failed)
        return failed;
    d.monitor.job.progs->path = absolute(&d, d.monitor.job.progs->path);
    fd_cloexec_from(STDERR_FILENO + 1);
    struct job *j = &d.monitor.job; /* stdio will be let go */
    if (j->status_fd >= 0 && j->status_fd <= STDERR_FILENO &&
        (j->status_fd = fcntl(j->status_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
        msg_die_sys(m, "dup", "status-fd");
    return start(&d);
}

const struct applet applet_daemonize = {.cli = &cli, .theme = THEME_DAEMONS, .main = daemonize_main};
