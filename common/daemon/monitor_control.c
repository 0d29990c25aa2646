/*
 * monitor_control.c - see monitor_control.h.
 */
#include "daemon/monitor_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/monitor.h"
#include "base/num.h"
#include "process/procs.h"
#include "process/sigs.h"
#include "process/watch.h"

enum { LSB_RUNNING = 0, LSB_DEAD = 1, LSB_STOPPED = 3, LSB_UNKNOWN = 4 }; /* status codes of init scripts */
enum { KILL_SECONDS = 5 };

/*
 * Watches the process that holds the lock on that pidfile. A later process with the same pid does not hold
 * it. 0, or -1 with errno: ESRCH when nobody does.
 */
static int watch_holder(struct watch *w, const char *path)
{
    pid_t pid = pidfile_holder(path);
    if (pid == 0)
        errno = ESRCH;
    if (pid <= 0 || watch_begin(w, pid) < 0)
        return -1;
    pid_t again = pidfile_holder(path);
    if (again == pid)
        return 0;
    int err = again == 0 ? ESRCH : again > 0 ? EAGAIN : errno;
    watch_end(w);
    errno = err;
    return -1;
}

/* ---- status ---- */

static void add_time(struct buf *out, int64_t seconds)
{
    char text[64];
    struct tm tm;
    time_t when = (time_t)seconds;
    if (gmtime_r(&when, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf_text(out, text);
}

static void add_last_end(struct buf *out, const struct monitor_status *s)
{
    char name[SIGNUM_SIZE];
    switch (s->last) {
    case LAST_NONE:
        return;
    case LAST_EXITED:
        buf_fmt(out, ", last exit status %d", s->value);
        break;
    case LAST_KILLED:
        buf_fmt(out, ", last killed by SIG%s", signum_name(s->value, name));
        break;
    case LAST_FAILED:
        buf_fmt(out, ", last start failed (%s)", strerror(s->value));
        break;
    }
    buf_text(out, " at ");
    add_time(out, s->ended);
}

/* PROG's pid from the pidfile, where the monitor can't be asked: if that is a child of the monitor. 0: none.
 */
static pid_t prog_in_file(const char *path, pid_t monitor)
{
    char text[32];
    uint64_t pid;
    struct process prog;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text);
    fd_close(&fd);
    if (n < 2 || text[n - 1] != '\n' || !num_u64n(text, (size_t)n - 1, 1, INT32_MAX, &pid))
        return 0;
    return procs_look((pid_t)pid, &prog) && prog.parent == monitor ? prog.pid : 0;
}

static void describe(const struct monitor_control *c, pid_t monitor, struct buf *out)
{
    static const char *const phases[] = {"running", "restarting", "stopping"};
    struct monitor_status s = {.phase = PHASE_RUNNING};
    bool told = monitor_status_read(monitor, &s);
    if (!told && c->names_prog)
        s.prog = prog_in_file(c->path, monitor);
    buf_fmt(out, "%s: ", phases[s.phase]);
    if (s.phase == PHASE_RUNNING && s.prog)
        buf_fmt(out, "pid %ld, ", (long)s.prog);
    buf_fmt(out, "monitor %ld", (long)monitor);
    if (told) {
        buf_fmt(out, ", %llu restart%s", (unsigned long long)s.restarts, s.restarts == 1 ? "" : "s");
        add_last_end(out, &s);
    }
    if (s.phase == PHASE_RESTARTING && s.next_start) {
        buf_text(out, ", next start at ");
        add_time(out, s.next_start);
    }
    buf_char(out, '\n');
}

static int status(const struct monitor_control *c)
{
    char mem[512];
    struct buf out = BUF(mem);
    pid_t pid = pidfile_holder(c->path);
    if (pid > 0) {
        describe(c, pid, &out);
    } else if (pid == 0) {
        buf_text(&out, "not running, but the pidfile exists\n");
    } else if (errno == ENOENT) {
        buf_text(&out, "not running\n");
    } else {
        msg_error(c->msg, "look at", c->path, errno);
        return LSB_UNKNOWN;
    }
    int failed = opts_print(c->msg, &out);
    return failed ? LSB_UNKNOWN : pid > 0 ? LSB_RUNNING : pid == 0 ? LSB_DEAD : LSB_STOPPED;
}

/* ---- the others ---- */

/* Until the process has exited; false at the deadline. */
static bool wait_for_end(const struct watch *w, int64_t deadline)
{
    while (!watch_is_over(w)) {
        struct pollfd end = watch_poll(w);
        if (!clock_left(deadline))
            return false;
        sigs_sleep(&end, 1, clock_first(watch_pause(w), clock_left(deadline)));
    }
    return true;
}

/* The monitor stops PROG; when it can't, we kill the monitor, and the kernel kills PROG with it. */
static int wait_until_stopped(const struct monitor_control *c, const struct watch *w)
{
    if (wait_for_end(w, clock_in(c->timeout)))
        return EXIT_DONE;
    watch_signal(w, MONITOR_KILL);
    if (!wait_for_end(w, clock_in(KILL_SECONDS * CLOCK_SECOND))) {
        watch_signal(w, SIGKILL);
        wait_for_end(w, CLOCK_NEVER);
    }
    pidfile_remove_dead(c->path);
    return msg_fatal_why(c->msg, EXIT_DEADLINE, "stop", c->path, "it did not stop in time and was killed");
}

static int say_not_running(const struct monitor_control *c)
{
    msg_error_why(c->msg, c->name, c->path, "not running");
    return EXIT_NO;
}

static int send_command(const struct monitor_control *c)
{
    struct watch w;
    bool stops = c->command == MONITOR_CMD_STOP;
    int sig = stops ? SIGTERM : c->command == MONITOR_CMD_RESTART ? MONITOR_RESTART : MONITOR_RELOAD;
    if (watch_holder(&w, c->path) < 0) {
        if (errno != ESRCH && errno != ENOENT)
            return msg_fatal(c->msg, EXIT_SYSTEM, "look at", c->path, errno);
        return stops ? EXIT_DONE /* as init scripts have it: it is stopped */
                     : say_not_running(c);
    }
    int done = watch_signal(&w, sig), err = errno, failed = 0;
    if (done < 0 && err != ESRCH)
        failed = msg_fatal(c->msg, EXIT_SYSTEM, "signal the holder of", c->path, err);
    else if (stops)
        failed = wait_until_stopped(c, &w);
    watch_end(&w);
    return failed;
}

int monitor_control(const struct monitor_control *c)
{
    return c->command == MONITOR_CMD_STATUS ? status(c) : send_command(c);
}
