/*
 * devlog.h - a line to the system's log, by the datagram protocol of /dev/log (RFC 3164).
 *
 * syslog(3) may wait for a reader; this never does. Where nobody listens, or nobody reads, it is lost.
 */
#ifndef DEVLOG_H
#define DEVLOG_H

/* As LOG_DAEMON and that severity (LOG_WARNING, syslog(3)), with "TAG[our pid]: " before the text. */
void devlog_send(int severity, const char *tag, const char *text);

#endif
