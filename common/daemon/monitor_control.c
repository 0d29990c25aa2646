/*
 * monitor_control.c - see monitor_control.h.
 */
#include "daemon/monitor_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
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
static int watch_holder(struct watch *w, const struct place *place)
{
    pid_t pid = pidfile_holder(place, NULL);
    if (pid == 0)
        errno = ESRCH;
    if (pid <= 0 || watch_begin(w, pid) < 0)
        return -1;
    pid_t again = pidfile_holder(place, NULL);
    if (again == pid)
        return 0;
    int err = again == 0 ? ESRCH : again > 0 ? EAGAIN : errno;
    watch_end(w);
    errno = err;
    return -1;
}

/* ---- status ---- */

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
    date_utc(out, (time_t)s->ended);
}

/* PROG's pid from the pidfile, where the monitor can't be asked: if that is a child of the monitor. 0: none.
 */
static pid_t prog_in_file(const char *text, pid_t monitor)
{
    uint64_t pid;
    struct process prog;
    size_t n = strlen(text);
    if (n < 2 || text[n - 1] != '\n' || !num_u64n(text, n - 1, 1, INT32_MAX, &pid))
        return 0;
    return procs_look((pid_t)pid, &prog) && prog.parent == monitor ? prog.pid : 0;
}

static void describe(const struct monitor_control *c, pid_t monitor, const char *text, struct buf *out)
{
    static const char *const phases[] = {"running", "restarting", "stopping"};
    struct monitor_status s = {.phase = PHASE_RUNNING};
    bool told = monitor_status_read(monitor, &s);
    if (!told && errno != ENOENT &&
        errno != EACCES) /* it has no page, or is another user's: the pidfile has to do */
        msg_error(c->msg, "ask the monitor for its state", NULL, errno);
    if (!told && c->names_prog)
        s.prog = prog_in_file(text, monitor);
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
        date_utc(out, (time_t)s.next_start);
    }
    buf_char(out, '\n');
}

static int status(const struct monitor_control *c, const struct place *place)
{
    char mem[512], text[PIDFILE_TEXT_SIZE];
    struct buf out = BUF(mem);
    pid_t pid = place->dir < 0 ? -1 : pidfile_holder(place, text);
    if (pid > 0) {
        describe(c, pid, text, &out);
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
        sigs_sleep_or_pause(&end, 1, clock_first(watch_pause(w), clock_left(deadline)));
    }
    return true;
}

/* The monitor stops PROG; when it can't, we kill the monitor, and the kernel kills PROG with it. */
static int wait_until_stopped(
    const struct monitor_control *c, const struct watch *w, const struct place *place)
{
    if (wait_for_end(w, clock_in(c->timeout)))
        return EXIT_DONE;
    watch_signal(w, MONITOR_KILL);
    if (!wait_for_end(w, clock_in(KILL_SECONDS * CLOCK_SECOND))) {
        watch_signal(w, SIGKILL);
        wait_for_end(w, CLOCK_NEVER);
    }
    pidfile_remove_dead(place);
    return msg_fatal_why(c->msg, EXIT_DEADLINE, "stop", c->path, "it did not stop in time and was killed");
}

/*
 * A signal that only a monitor knows would kill another program that locks its pidfile so. 0, or the exit
 * status when it is not to be sent, which has been reported.
 */
static int check_monitor(const struct monitor_control *c, const struct watch *w)
{
    struct monitor_status s;
    struct process holder;
    bool told = monitor_status_read(w->proc.pid, &s);
    if (!told && watch_signal(w, 0) < 0) /* then the signal fails likewise, for the same reason */
        return 0;
    if (!told && procs_look(w->proc.pid, &holder))
        return msg_fatal_why(c->msg, EXIT_SYSTEM, c->name, c->path, "not a pidfile of daemonize");
    bool logs = c->command == MONITOR_CMD_ROTATE;
    if (!told || (logs ? s.has_log : s.phase == PHASE_RUNNING || c->command == MONITOR_CMD_RESTART))
        return 0;
    msg_error_why(c->msg, c->name, c->path,
        logs ? "the daemon has no log file" : "PROG does not run now: nobody was told");
    return EXIT_NO;
}

static int send_command(const struct monitor_control *c, const struct watch *w, const struct place *place)
{
    bool stops = c->command == MONITOR_CMD_STOP;
    static const int sigs[] = {0, SIGTERM, MONITOR_RESTART, MONITOR_RELOAD, MONITOR_ROTATE};
    int sig = sigs[c->command];
    int failed = stops ? 0 : check_monitor(c, w);
    if (failed)
        return failed;
    if (watch_signal(w, sig) < 0 && errno != ESRCH)
        return msg_fatal(c->msg, EXIT_SYSTEM, "signal the holder of", c->path, errno);
    return stops ? wait_until_stopped(c, w, place) : 0;
}

/* Nobody has it locked, or why that can't be seen. */
static int no_holder(const struct monitor_control *c)
{
    if (errno != ESRCH && errno != ENOENT)
        return msg_fatal(c->msg, EXIT_SYSTEM, "look at", c->path, errno);
    if (c->command == MONITOR_CMD_STOP)
        return EXIT_DONE; /* as init scripts have it: it is stopped */
    msg_error_why(c->msg, c->name, c->path, "not running");
    return EXIT_NO;
}

int monitor_control(const struct monitor_control *c)
{
    struct place place;
    struct watch w;
    int failed;
    bool found = place_open(&place, c->path) == 0;
    if (c->command == MONITOR_CMD_STATUS) {
        failed = status(c, &place);
    } else if (!found || watch_holder(&w, &place) < 0) {
        failed = no_holder(c);
    } else {
        failed = send_command(c, &w, &place);
        watch_end(&w);
    }
    place_close(&place);
    return failed;
}
