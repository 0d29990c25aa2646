/*
 * notify.c - see notify.h.
 */
#include "notify.h"

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

#include "buf.h"
#include "fd.h"
#include "num.h"

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

/* One datagram to $NOTIFY_SOCKET; 0 also when there is none. */
static int tell_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || !*path)
        return 0;
    size_t len = strlen(path);
    if ((*path != '/' && *path != '@') || len >= sizeof to.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(to.sun_path, path, len);
    if (*path == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t done;
    do
        done = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len);
    while (done < 0 && errno == EINTR);
    fd_close(&fd);
    return done < 0 ? -1 : 0;
}

/* The newline on --ready-fd, which is closed; one of 0, 1, 2 keeps its place. */
static int tell_fd(int fd)
{
    if (fd_write_all(fd, "\n", 1) < 0)
        return -1;
    if (fd <= STDERR_FILENO)
        return fd_to_null(fd);
    fd_close(&fd);
    return 0;
}

/* The line on stdout, whose place /dev/null takes. */
static int tell_stdout(const char *line)
{
    char mem[PATH_MAX + 1];
    size_t len = strlen(line);
    if (len >= sizeof mem) {
        errno = EMSGSIZE;
        return -1;
    }
    memcpy(mem, line, len);
    mem[len] = '\n';
    /* whoever reads the line may count on all being done, so nothing is opened after it */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -1;
    int done = fd_write_all(STDOUT_FILENO, mem, len + 1);
    if (done == 0)
        done = dup2(null, STDOUT_FILENO);
    fd_close(&null);
    return done < 0 ? -1 : 0;
}

int notify_ready(const struct notify *n, const char *line, const char **object)
{
    *object = "ready-fd";
    if (n->fd >= 0 && tell_fd(n->fd) < 0)
        return -1;
    *object = "NOTIFY_SOCKET";
    if (tell_manager("READY=1") < 0)
        return -1;
    *object = "stdout";
    return n->print ? tell_stdout(line) : 0;
}

int notify_pass(const char *state)
{
    return tell_manager(state);
}

void notify_stopping(void)
{
    tell_manager("STOPPING=1");
}

int notify_listen(int *fd, char assignment[static NOTIFY_SIZE])
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof a;
    const int on = 1;
    struct buf text = {.mem = assignment, .size = NOTIFY_SIZE};
    *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* without a path: the kernel finds a name that nobody has (unix(7), autobind) */
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(*fd, (const struct sockaddr *)&a, sizeof(sa_family_t)) < 0 ||
        getsockname(*fd, (struct sockaddr *)&a, &len) < 0) {
        fd_close(fd);
        return -1;
    }
    buf_text(&text, "NOTIFY_SOCKET=@");
    buf_bytes(&text, a.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    buf_str(&text);
    return 0;
}

enum { OTHERS_MAX = 64 };

static bool may_speak(struct msghdr *h, uid_t user, pid_t group)
{
    struct ucred who;
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
        return false;
    memcpy(&who, CMSG_DATA(c), sizeof who);
    return who.uid == 0 || who.uid == user || (group && getpgid(who.pid) == group);
}

ssize_t notify_receive(int fd, uid_t user, pid_t group, char *text, size_t size)
{
    union {
        struct cmsghdr align;
        char mem[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec v = {.iov_base = text, .iov_len = size - 1};
    for (int others = 0; others < OTHERS_MAX; others++) {
        struct msghdr h = {
            .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text[n] = '\0';
        if (may_speak(&h, user, group))
            return n;
    }
    errno = EAGAIN;
    return -1;
}

bool notify_has(const char *text, const char *line)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (strlen(line) == n && memcmp(text, line, n) == 0)
            return true;
    }
    return false;
}

/* Whether the i-th name of a colon-separated list is `name`. */
static bool is_named(const char *names, uint64_t i, const char *name)
{
    while (i-- && names) {
        names = strchr(names, ':');
        if (names)
            names++;
    }
    size_t len = names ? strcspn(names, ":") : 0;
    return names && len == strlen(name) && memcmp(names, name, len) == 0;
}

int notify_inherited(const char *name, int *fds, int max)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t n, owner;
    if (!pid || !count)
        return 0;
    if (!num_u64(pid, 1, INT32_MAX, &owner) || !num_u64(count, 0, 100000, &n)) {
        errno = EINVAL;
        return -1;
    }
    if ((pid_t)owner != getpid())
        return 0;
    int found = 0;
    for (uint64_t i = 0; i < n; i++) {
        int fd = 3 + (int)i;
        if (fd_set_cloexec(fd, true) < 0)
            return -1;
        if (name && !is_named(names, i, name))
            continue;
        if (found == max) {
            errno = E2BIG;
            return -1;
        }
        fds[found++] = fd;
    }
    return found;
}
