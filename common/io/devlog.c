/*
 * devlog.c - see devlog.h.
 */
#include "io/devlog.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/date.h"
#include "base/fd.h"

enum { LINE_MAX_BYTES = 1024 };

int devlog_open(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int devlog_facility(const char *name)
{
    /* from 1 on; four numbers have no name */
    static const char names[] = "user\0mail\0daemon\0auth\0syslog\0lpr\0news\0uucp\0cron\0authpriv\0ftp\0"
                                "-\0-\0-\0-\0"
                                "local0\0local1\0local2\0local3\0local4\0local5\0local6\0local7\0";
    int number = 1;
    for (const char *n = names; n < names + sizeof names - 1 && *name != '-'; n += strlen(n) + 1, number++)
        if (strcmp(n, name) == 0)
            return number << 3;
    return 0;
}

ssize_t devlog_line(int fd, const struct devlog *d, int severity, const char *bytes, size_t n)
{
    char mem[LINE_MAX_BYTES];
    struct buf line = BUF(mem);
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    const char *newline = memchr(bytes, '\n', n);
    size_t len = newline ? (size_t)(newline - bytes) : n;
    if (!len)
        return 1; /* an empty line says nothing */
    buf_fmt(&line, "<%d>", d->facility | severity);
    date_syslog(&line, time(NULL));
    buf_fmt(&line, " %.32s[%ld]: ", d->tag, (long)d->pid);
    if (len > sizeof mem - line.len) {
        len = sizeof mem - line.len;
        newline = NULL;
    }
    buf_bytes(&line, bytes, len);
    ssize_t sent = sendto(fd, mem, line.len, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    return sent < 0 ? -1 : (ssize_t)len + (newline != NULL);
}

void devlog_send(const struct devlog *d, int severity, const char *text)
{
    int fd = devlog_open();
    if (fd >= 0)
        devlog_line(fd, d, severity, text, strlen(text));
    fd_close(&fd);
}
