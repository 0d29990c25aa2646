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
#include "base/fd.h"

void devlog_send(int severity, const char *tag, const char *text)
{
    char mem[1024], date[32];
    struct buf line = BUF(mem);
    struct tm tm;
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    time_t now = time(NULL);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (!localtime_r(&now, &tm) || !strftime(date, sizeof date, "%b %e %H:%M:%S", &tm))
        *date = '\0';
    buf_fmt(&line, "<%d>%s %s[%ld]: %s", LOG_DAEMON | severity, date, tag, (long)getpid(), text);
    sendto(fd, line.mem, line.len, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    fd_close(&fd);
}
