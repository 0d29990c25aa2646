/*
 * notify_socket.c - see notify_socket.h.
 */
#include "process/notify_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

int notify_socket_open(int *fd, char assignment[static NOTIFY_SOCKET_SIZE])
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof a;
    const int on = 1;
    struct buf text = {.mem = assignment, .size = NOTIFY_SOCKET_SIZE};
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

ssize_t notify_socket_receive(int fd, uid_t user, pid_t group, char *text, size_t size)
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

bool notify_socket_says(const char *text, const char *line)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (strlen(line) == n && memcmp(text, line, n) == 0)
            return true;
    }
    return false;
}
