/*
 * notify_socket.h - a NOTIFY_SOCKET of our own (sd_notify(3)): the side of the service manager.
 */
#ifndef NOTIFY_SOCKET_H
#define NOTIFY_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "process/descendants.h"

/*
 * A socket for programs that tell us. *fd is close-on-exec, non-blocking and the caller's to
 * close; its name, which the kernel finds and takes back with it, is put into `assignment`
 * (NOTIFY_SOCKET=...). 0, or -1 with errno.
 */
enum { NOTIFY_SOCKET_SIZE = 64 };
int notify_socket_open(int *fd, char assignment[static NOTIFY_SOCKET_SIZE]);

/* The longest message, as with systemd, and a NUL. */
enum { NOTIFY_MESSAGE_SIZE = 4097 };

/*
 * The next message of a process of that user, of root, or of our descendants, as the name is no secret; with
 * a NUL behind it. A descendant of another user must not have been waited for when its message is read:
 * SCM_PIDFD (Linux 6.5) tells it from another process that has got its pid since. What a message brings along
 * is closed, by which BARRIER=1 is answered. One that is too long loses the lines that do not fit. 0, or -1
 * with errno: EAGAIN when there is none, or when too many of others come; EMSGSIZE: lines are missing in what
 * was read.
 */
int notify_socket_receive(
    int fd, uid_t user, const struct descendants *family, char text[static NOTIFY_MESSAGE_SIZE]);

/* Whether one of the message's lines is that one. */
bool notify_socket_says(const char *text, const char *line);

#endif
