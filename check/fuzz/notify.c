/*
 * notify.c - messages of programs that say that they are ready (sd_notify(3)), as datagrams with whatever
 * comes along: a first byte of each says how many descriptors, and its length follows.
 */
#include "harness/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/notify_socket.h"

static void send_message(int fd, struct input *in)
{
    union {
        struct cmsghdr align;
        char mem[CMSG_SPACE(8 * sizeof(int))];
    } control = {.mem = {0}};
    size_t fds = fuzz_byte(in) % 9u, n;
    uint8_t *bytes = fuzz_bytes(in, fuzz_number(in, 2) % 6000u, &n);
    struct iovec v = {bytes, n};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    if (fds) {
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        *c = (struct cmsghdr){CMSG_LEN(fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        for (size_t i = 0; i < fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof fd);
    }
    MUST(sendmsg(fd, &h, 0) == (ssize_t)n || errno == EAGAIN);
    free(bytes);
}

static void receive(int fd)
{
    static const struct descendants none;
    char text[NOTIFY_MESSAGE_SIZE];
    for (int i = 0; i < 9; i++) {
        memset(text, 'x', sizeof text);
        int done = notify_socket_receive(fd, getuid(), &none, text);
        if (done < 0 && errno == EAGAIN)
            return;
        MUST(done == 0 || errno == EMSGSIZE);
        MUST(memchr(text, '\0', sizeof text));
        bool ready = notify_socket_says(text, "READY=1");
        MUST(!ready || strstr(text, "READY=1"));
        PLANTED(ready && notify_socket_says(text, "STATUS=a"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1, to = -1;
    char assignment[NOTIFY_SOCKET_SIZE];
    struct input in = {data, size};
    if (fd < 0) {
        struct sockaddr_un a;
        socklen_t len = sizeof a;
        MUST(notify_socket_open(&fd, assignment) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
        to = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        MUST(connect(to, (struct sockaddr *)&a, len) == 0);
    }
    int next = dup(to);
    close(next);
    for (int i = 0; in.left && i < 4; i++)
        send_message(to, &in);
    receive(fd);
    int free_one = dup(to); /* every descriptor that came along has been closed */
    MUST(free_one == next);
    close(free_one);
    return 0;
}
