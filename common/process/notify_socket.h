/*
 * notify_socket.h - a NOTIFY_SOCKET of our own (sd_notify(3)): the side of the service manager.
 */
#ifndef NOTIFY_SOCKET_H
#define NOTIFY_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A socket for programs that tell us. *fd is close-on-exec, non-blocking and the caller's to
 * close; its name, which the kernel finds and takes back with it, is put into `assignment`
 * (NOTIFY_SOCKET=...). 0, or -1 with errno.
 */
enum { NOTIFY_SOCKET_SIZE = 64 };
int notify_socket_open(int *fd, char assignment[static NOTIFY_SOCKET_SIZE]);

/*
 * The next message of a process of that user, of root, or of that process group (0: of none), as the name is
 * no secret; with a NUL behind it. Its length, or -1 with errno: EAGAIN when there is none, or when too many
 * of others come.
 */
ssize_t notify_socket_receive(int fd, uid_t user, pid_t group, char *text, size_t size);

/* Whether one of the message's lines is that one. */
bool notify_socket_says(const char *text, const char *line);

#endif
