/*
 * logpump.c - see logpump.h.
 */
#include "daemon/logpump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/speak.h"

enum { READER_SECONDS = 2, LOGGER_MS = 10 };

void logpump_init(struct logpump *p, const struct msg *msg)
{
    *p = (struct logpump){.msg = msg, .pipe = -1};
    logfile_init(&p->file);
}

static int make_pipe(struct logpump *p, int lowest, int *writer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    p->pipe = fd_set_nonblock(fds[0], true) < 0 ? -1 : fds[0];
    *writer = fds[1];
    return p->pipe < 0 ? -1 : fd_raise(writer, lowest);
}

int logpump_open(struct logpump *p, int lowest, int *writer)
{
    return logfile_open(&p->file) < 0 ? -1 : make_pipe(p, lowest, writer);
}

/* Whether nothing is read until the log takes something: not for the system's log, which stalls nobody. */
static bool is_stalled(const struct logpump *p)
{
    return p->file.error && !p->file.syslog.facility;
}

struct pollfd logpump_poll(const struct logpump *p)
{
    if (!is_stalled(p))
        return (struct pollfd){.fd = p->pipe, .events = POLLIN};
    return (struct pollfd){.fd = p->file.error == EAGAIN ? p->file.fd : -1, .events = POLLOUT};
}

int64_t logpump_wait(const struct logpump *p)
{
    return p->file.error ? clock_left(p->file.retry_at) : CLOCK_NEVER;
}

static void report_trouble(struct logpump *p)
{
    if (p->file.dropped && !p->file.error) {
        char mem[80];
        struct buf lost = BUF(mem);
        buf_fmt(&lost, "%s: %zu bytes of output were lost\n", p->msg->applet, p->file.dropped);
        p->file.dropped = 0;
        logfile_say(&p->file, mem, lost.len);
    }
    if (p->file.rotate_error)
        msg_error(p->msg, "rotate", p->file.path, p->file.rotate_error);
    p->file.rotate_error = 0;
}

void logpump_tend(struct logpump *p, bool ready)
{
    if (p->file.error && ((ready && is_stalled(p)) || !logpump_wait(p)))
        logfile_flush(&p->file, false);
    else if (!is_stalled(p) && ready)
        logfile_take(&p->file, p->pipe);
    report_trouble(p);
}

void logpump_empty(struct logpump *p)
{
    enum { PIPE_MAX = 1 << 20 };
    if (p->pipe < 0)
        return;
    if (p->file.error)
        logfile_flush(&p->file, false);
    for (size_t n = 0; n < PIPE_MAX && !is_stalled(p) && logfile_take(&p->file, p->pipe) > 0;)
        n += 8192;
    report_trouble(p);
}

void logpump_say(struct logpump *p, const char *line, size_t n)
{
    logpump_empty(p);
    if (logfile_say(&p->file, line, n) < 0)
        p->lost += n;
}

void logpump_reopen(struct logpump *p)
{
    if (p->pipe < 0)
        return;
    logpump_empty(p); /* what was written before belongs to the old one */
    logfile_flush(&p->file, false);
    if (logfile_reopen(&p->file) < 0)
        msg_error(p->msg, "open", p->file.path, errno);
}

void logpump_rotate(struct logpump *p)
{
    logpump_empty(p);
    logfile_ask_rotation(&p->file);
    if (p->pipe >= 0)
        logfile_flush(&p->file, false);
    report_trouble(p);
}

/* Until the reader has taken all, for a short time. */
static void wait_for_reader(struct logpump *p)
{
    struct pollfd reader = {.fd = p->file.syslog.facility ? -1 : p->file.fd, .events = POLLOUT};
    int64_t until = clock_in(READER_SECONDS * CLOCK_SECOND);
    while (p->file.error == EAGAIN && clock_left(until) >= CLOCK_MS) {
        poll(&reader, 1, reader.fd < 0 ? LOGGER_MS : (int)(clock_left(until) / CLOCK_MS));
        logpump_empty(p);
        logfile_flush(&p->file, true);
    }
}

void logpump_end(struct logpump *p, bool stderr_is_log)
{
    int in_pipe = 0;
    if (p->pipe < 0)
        return;
    logpump_empty(p);
    logfile_flush(&p->file, true);
    wait_for_reader(p);
    ioctl(p->pipe, FIONREAD, &in_pipe);
    size_t bytes = p->file.len + (size_t)in_pipe + p->lost + p->file.dropped;
    if (!bytes)
        return;
    char mem[160];
    struct buf lost = BUF(mem);
    if (stderr_is_log) { /* it gives up some lines for this one */
        bytes += logfile_make_room(&p->file, sizeof mem);
        buf_fmt(&lost, "%s: %zu bytes of output were lost: %s\n", p->msg->applet, bytes,
            p->file.error == EAGAIN ? "nobody reads it" : strerror(p->file.error));
        speak_to(p->file.fd, lost.mem, lost.len, &(bool){false});
    } else {
        buf_fmt(&lost, "%zu bytes of output were lost", bytes);
        msg_error(p->msg, buf_str(&lost), p->file.path, p->file.error);
    }
}
