/*
 * notify_socket.c - see notify_socket.h.
 */
#include "process/notify_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

#ifndef SO_PASSPIDFD /* Linux 6.5, on most machines */
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

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
    setsockopt(*fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on); /* where there is such a thing */
    buf_text(&text, "NOTIFY_SOCKET=@");
    buf_bytes(&text, a.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    buf_str(&text);
    return 0;
}

enum { OTHERS_MAX = 64, FDS_MAX = 253 /* SCM_MAX_FD */ };

/* Who has sent a message. */
struct sender {
    struct ucred who;
    int pidfd; /* NO_PIDFD: the kernel gives none; any other negative number: the process has gone */
};

enum { NO_PIDFD = -1, GONE = -2 };

/* The kernel's word on the sender; fds that came along are closed. */
static struct sender take_control(struct msghdr *h)
{
    struct sender s = {.who.uid = (uid_t)-1, .pidfd = h->msg_flags & MSG_CTRUNC ? GONE : NO_PIDFD};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        size_t n = c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        int fds[FDS_MAX];
        memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
        while (n)
            close(fds[--n]);
        if (c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&s.who, CMSG_DATA(c), sizeof s.who);
        else if (c->cmsg_type == SCM_PIDFD)
            memcpy(&s.pidfd, CMSG_DATA(c), sizeof s.pidfd);
    }
    return s;
}

/* Whether it is a descendant; and still the same process, after its parents have been looked at. */
static bool is_of_family(const struct sender *s, const struct descendants *family)
{
    return (s->pidfd >= 0 || s->pidfd == NO_PIDFD) && descendants_have(family, s->who.pid) &&
           (s->pidfd < 0 || syscall(SYS_pidfd_send_signal, s->pidfd, 0, NULL, 0) == 0 || errno == EPERM);
}

int notify_socket_receive(
    int fd, uid_t user, const struct descendants *family, char text[static NOTIFY_MESSAGE_SIZE])
{
    union {
        struct cmsghdr align;
        char mem[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
                 CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec v = {.iov_base = text, .iov_len = NOTIFY_MESSAGE_SIZE - 1};
    for (int others = 0; others < OTHERS_MAX; others++) {
        struct msghdr h = {
            .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        struct sender s = take_control(&h);
        bool may_speak = s.who.uid == 0 || s.who.uid == user || is_of_family(&s, family);
        if (s.pidfd >= 0)
            close(s.pidfd);
        if (!may_speak)
            continue;
        bool cut = h.msg_flags & MSG_TRUNC;
        while (cut && n && text[n - 1] != '\n')
            n--;
        text[n] = '\0';
        if (strlen(text) + 1 < (size_t)n) /* not a text */
            continue;
        errno = EMSGSIZE;
        return cut ? -1 : 0;
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
