/*
 * devlog.h - lines to the system's log, by the datagram protocol of /dev/log (RFC 3164).
 *
 * syslog(3) may wait for a reader; this never does. Nothing is connected, so that a system logger that is
 * started again gets the next line.
 */
#ifndef DEVLOG_H
#define DEVLOG_H

#include <sys/types.h>

/* Who writes, and how urgent it is: PRI and TAG[PID] of RFC 3164. */
struct devlog {
    int facility; /* as in syslog(3), LOG_DAEMON; 0: none, as LOG_KERN is not ours */
    const char *tag;
    pid_t pid;
};

/* A socket, close-on-exec. -1 with errno. */
int devlog_open(void);

/* The facility of that name, "daemon", "local0"; 0: there is none. */
int devlog_facility(const char *name);

/*
 * Sends the first of the lines in n bytes, or as much of it as a message holds (1024 bytes in all). How many
 * bytes that was, or -1 with errno: EAGAIN when the logger takes no more now, ENOENT or ECONNREFUSED when
 * there is none.
 */
ssize_t devlog_line(int fd, const struct devlog *d, int severity, const char *bytes, size_t n);

/* A single text, by a socket of its own. Where nobody listens, or nobody reads, it is lost. */
void devlog_send(const struct devlog *d, int severity, const char *text);

#endif
