// fd-state WHAT FD... - prints what is so about each of these fds, with a blank between them. WHAT:
//   nonblock     1 if O_NONBLOCK is set, else 0; set-nonblock: sets it first
//   nodelay      1 if TCP_NODELAY is set, else 0
//   pipe-size    the size of the pipe
//   ip-options   the length of the IP options that are sent
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int look(const char *what, int fd)
{
    int on = 0;
    char options[64];
    socklen_t size = sizeof on, length = sizeof options;
    if (!strcmp(what, "set-nonblock") && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return -1;
    if (strstr(what, "nonblock")) {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 ? flags : !!(flags & O_NONBLOCK);
    }
    if (!strcmp(what, "pipe-size"))
        return fcntl(fd, F_GETPIPE_SZ);
    if (!strcmp(what, "nodelay"))
        return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) < 0 ? -1 : !!on;
    return getsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, &length) < 0 ? -1 : (int)length;
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        int found = look(argv[1], atoi(argv[i]));
        if (found < 0)
            return perror(argv[i]), 111;
        printf("%s%d", i > 2 ? " " : "", found);
    }
    puts("");
    return 0;
}
