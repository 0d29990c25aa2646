/*
 * devlog.c - see devlog.h.
 */
#include "daemon/devlog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/date.h"
#include "base/fd.h"

void devlog_send(int severity, const char *tag, const char *text)
{
    char mem[1024];
    struct buf line = BUF(mem);
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    buf_fmt(&line, "<%d>", LOG_DAEMON | severity);
    date_syslog(&line, time(NULL));
    buf_fmt(&line, " %s[%ld]: %s", tag, (long)getpid(), text);
    sendto(fd, line.mem, line.len, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    fd_close(&fd);
}
