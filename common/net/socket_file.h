/*
 * socket_file.h - the file of a Unix socket that listens (unix(7)): made with its mode and owner, taken over
 * from a dead server, never from a live one, and removed only while it is the one that was made.
 */
#ifndef SOCKET_FILE_H
#define SOCKET_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/msg.h"
#include "base/place.h"
#include "net/addr.h"
#include "process/user.h"

struct socket_file {
    const struct msg *msg;
    const char *path;    /* must live as long as this */
    struct addr address; /* the same */
    struct user owner;   /* -o; without ids: ours */
    bool mode_is_set;    /* -p; else 0777 and the umask */
    unsigned mode;

    struct place place; /* open from socket_file_bind on */
    int lock;           /* on what happens there */
    struct stat made;   /* what we made, */
    bool is_made;       /* if we did */
};

/*
 * Binds the socket, which is the caller's, and listens: before that, nobody can connect. A backlog of -1: it
 * is one for datagrams and does not listen. What is there already is replaced if it is a dead socket of
 * somebody's whom we trust, or of the owner's. Ends the process on a failure.
 */
void socket_file_bind(struct socket_file *f, int fd, int backlog);

/*
 * Removes the file if it is still the one that we made. While our socket is open its inode number can't be
 * another's; once it is closed, a successor may have got it, so a live socket stays. 0, or -1 with errno.
 */
int socket_file_remove(const struct socket_file *f, bool open);

#endif
