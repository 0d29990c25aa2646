/*
 * monitor_launch.c - see monitor_launch.h.
 */
#include "daemon/monitor_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/worker.h"

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
    struct monitor *m = arg;
    if (drop_fds(m) < 0)
        return msg_fatal(m->msg, EXIT_SYSTEM, "dup", NULL, errno);
    return monitor_run(m);
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
        int ready = sigs_sleep(&p, 1, CLOCK_NEVER);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return came; /* in the second case read(2) waits */
        int sig = sigs_take_ending(NULL);
        if (!sig || poll(&p, 1, 0) > 0)
            continue;
        came = sig;
        kill(monitor, SIGTERM);
    }
}

/* What the monitor reports; after a signal we die of it. */
static int wait_for_report(const struct monitor *m, pid_t monitor, int report)
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
        return msg_fatal_why(m->msg, EXIT_SYSTEM, "start", *m->job.progs->argv, "its monitor was killed");
    return failed;
}

int monitor_launch(struct monitor *m)
{
    int fds[2];
    if (m->foreground)
        return monitor_run(m);
    if (pipe2(fds, O_CLOEXEC) < 0)
        msg_die_sys(m->msg, "pipe", NULL);
    m->report = fds[1];
    sigs_catch(SIGPIPE); /* as job_begin does: not one that is passed on */
    sigs_catch_ending(); /* before there is anybody to be told */
    pid_t monitor = worker_detach(be_monitor, m);
    if (monitor < 0)
        msg_die_sys(m->msg, "fork", NULL);
    close(fds[1]);
    return wait_for_report(m, monitor, fds[0]);
}
