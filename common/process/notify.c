/*
 * notify.c - see notify.h.
 */
#include "process/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/speak.h"

enum { RETRY_MS = 100 };

void notify_option(struct notify *n, int row, const struct opts *o)
{
    enum ready_row { READY_OPTIONS(OPT_ENUM, ) };
    switch ((enum ready_row)row) {
    case OPT_PRINT_PORT:
        n->print = true;
        break;
    case OPT_READY_FD:
        n->fd = opts_fd(o, STDOUT_FILENO);
        break;
    }
}

int notify_connect(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@')) /* vsock: and its like go to none that we know */
        return 0;
    size_t len = strlen(path);
    if (len >= sizeof to.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(to.sun_path, path, len);
    if (*path == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, to_len) < 0)
        fd_close(&fd);
    return fd;
}

/* Whether it failed only for want of room. */
static bool is_full(void)
{
    return errno == EAGAIN || errno == ENOBUFS;
}

/* READY=1: one datagram. 0, also when it has to wait, or -1 with errno. */
static int write_to_manager(struct notify *n)
{
    if (n->manager < 0)
        return 0;
    ssize_t done;
    do
        done = send(n->manager, n->state, strlen(n->state), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (done < 0 && errno == EINTR);
    if (done < 0 && is_full())
        return 0;
    fd_close(&n->manager);
    return done < 0 ? -1 : 0;
}

/* The newline on --ready-fd, which is closed; one of 0, 1, 2 keeps its place. */
static int write_to_fd(struct notify *n)
{
    if (!n->fd_waits)
        return 0;
    ssize_t done = speak_now(n->fd, "\n", 1);
    if (done < 0 && is_full())
        return 0;
    n->fd_waits = false;
    if (done < 0)
        return -1;
    if (n->fd <= STDERR_FILENO)
        return fd_to_null(n->fd);
    fd_close(&n->fd);
    return 0;
}

/*
 * The line on stdout, whose place /dev/null takes: whoever reads the line may count on all being done, so
 * nothing is opened after it.
 */
static int write_to_stdout(struct notify *n)
{
    if (!n->stdout_waits)
        return 0;
    ssize_t done = speak_now(STDOUT_FILENO, n->line + n->written, n->len - n->written);
    if (done < 0 && is_full())
        return 0;
    n->written += done > 0 ? (size_t)done : 0;
    if (done >= 0 && n->written < n->len)
        return 0;
    n->stdout_waits = false;
    if (done >= 0 && !n->stays)
        done = dup2(n->null, STDOUT_FILENO);
    fd_close(&n->null);
    return done < 0 ? -1 : 0;
}

/* As notify_ready. */
static int write_what_can_be(struct notify *n, const char **object)
{
    *object = "ready-fd";
    if (write_to_fd(n) < 0)
        return -1;
    *object = "NOTIFY_SOCKET";
    if (write_to_manager(n) < 0)
        return -1;
    *object = "stdout";
    return n->fd_waits || n->manager >= 0 ? 0 : write_to_stdout(n);
}

int64_t notify_tend(struct notify *n, const struct msg *m)
{
    const char *object;
    while (n->fd_waits || n->stdout_waits || n->manager > 0) {
        if (write_what_can_be(n, &object) == 0)
            return RETRY_MS * CLOCK_MS;
        msg_error(m, "report readiness to", object, errno);
    }
    return CLOCK_NEVER;
}

/* Copies a text that must fit. 0, or -1 with EMSGSIZE. */
static int keep(char *to, size_t size, const char *text)
{
    size_t len = strlen(text);
    errno = EMSGSIZE;
    if (len >= size)
        return -1;
    memcpy(to, text, len + 1);
    return 0;
}

int notify_ready(struct notify *n, const char *state, const char *line, const char **object)
{
    *object = "NOTIFY_SOCKET";
    if (keep(n->state, sizeof n->state, state) < 0 || (n->manager = notify_connect()) < 0)
        return -1;
    if (n->manager == 0)
        n->manager = -1;
    *object = "stdout";
    n->null = -1;
    if (keep(n->line, sizeof n->line - 1, line) < 0)
        return -1;
    *object = "stdout, for want of /dev/null";
    if (n->print && !n->stays && (n->null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
        return -1;
    n->len = strlen(n->line);
    n->line[n->len++] = '\n';
    n->stdout_waits = n->print;
    n->fd_waits = n->fd >= 0;
    return write_what_can_be(n, object);
}

int notify_pass(const char *state, bool *stalled)
{
    int fd = notify_connect(), done = 0;
    if (fd > 0) {
        done = speak_to(fd, state, strlen(state), stalled);
        close(fd);
    }
    return fd < 0 ? -1 : done;
}

void notify_stopping(void)
{
    notify_pass(NOTIFY_STOPPING, &(bool){false});
}
