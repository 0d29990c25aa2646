/*
 * speak.c - see speak.h.
 */
#include "base/speak.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pollfor.h"
#include "base/tick.h"

enum { PATIENCE_MS = 200, NOWAIT = 8 /* RWF_NOWAIT (pwritev2(2)), not in every libc's headers */ };

/* Of standard error. */
static struct {
    bool stalled; /* the last line was given up */
    bool partial; /* a part of it was written */
    unsigned long lost;
} state;

/* Whether there is room within that time: 1, 0, or -1 with errno. */
static int wait_for_room(int fd, int64_t ns)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    return poll_for(&room, 1, ns);
}

/* Another writer may take the room that there was. */
static ssize_t write_under_tick(int fd, const void *bytes, size_t n)
{
    ssize_t done = -1;
    if (tick_begin() < 0)
        return -1;
    done = write(fd, bytes, n);
    tick_end();
    if (done < 0 && errno == EINTR)
        errno = EAGAIN;
    return done;
}

static ssize_t write_nowait(int fd, const void *bytes, size_t n)
{
#ifdef SYS_pwritev2
    const struct iovec v = {.iov_base = (void *)bytes, .iov_len = n};
    return (ssize_t)syscall(SYS_pwritev2, fd, &v, 1UL, -1L, -1L, NOWAIT);
#else
    (void)fd, (void)bytes, (void)n;
    errno = ENOSYS;
    return -1;
#endif
}

ssize_t speak_now(int fd, const void *bytes, size_t n)
{
    struct stat st;
    ssize_t done = write_nowait(fd, bytes, n);
    int err = errno;
    if (done >= 0 || err == EPIPE || err == EBADF)
        return done;
    const mode_t kind = fstat(fd, &st) == 0 ? st.st_mode : 0;
    if (S_ISREG(kind))
        return write(fd, bytes, n);
    if (S_ISSOCK(kind))
        return send(fd, bytes, n, MSG_DONTWAIT);
    errno = EAGAIN;
    if (err == EAGAIN || wait_for_room(fd, 0) == 0)
        return -1;
    return write_under_tick(fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
}

/* How much of it was written within that time, n or less with errno. */
static size_t write_within(int fd, const char *bytes, size_t n, int64_t ns)
{
    size_t written = 0;
    int64_t deadline = 0;
    while (written < n) {
        ssize_t done = speak_now(fd, bytes + written, n - written);
        if (done > 0)
            written += (size_t)done;
        if (done >= 0 || errno == EINTR)
            continue;
        deadline = deadline ? deadline : clock_in(ns);
        if (errno != EAGAIN || wait_for_room(fd, clock_left(deadline)) <= 0)
            break;
    }
    return written;
}

int speak_to(int fd, const void *bytes, size_t n, bool *stalled)
{
    bool done = write_within(fd, bytes, n, *stalled ? 0 : PATIENCE_MS * CLOCK_MS) == n;
    *stalled = !done && errno == EAGAIN;
    return done ? 0 : -1;
}

void speak(const char *lines, size_t n)
{
    size_t most = n < PIPE_BUF ? n : PIPE_BUF;
    int64_t patience = state.stalled ? 0 : PATIENCE_MS * CLOCK_MS;
    if (state.partial && write_within(STDERR_FILENO, "\n", 1, patience) == 1)
        state.partial = false;
    size_t written = state.partial ? 0 : write_within(STDERR_FILENO, lines, most, patience);
    state.partial = state.partial || (written && written < most);
    state.stalled = written < most;
    state.lost = state.stalled ? state.lost + 1 : 0;
}

unsigned long speak_lost(void)
{
    return state.lost;
}
