/*
 * keeper.h - the socket file of a server: its options, and its removal at the end also by a server that has
 * given up the right to it (-u).
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "cli/opts.h"
#include "net/socket_file.h"

#define SOCKET_FILE_OPTIONS(X)                                                 \
    X(OWNER, 'o', "owner", "USER[:GROUP]", "set the owner of the socket file") \
    X(MODE, 'p', "mode", "MODE", "create the socket file with MODE (0777 minus the umask)")

struct keeper {
    struct socket_file file; /* length 0 of its address: there is none of ours */
    pid_t server;            /* ourselves, for the keeper */
    pid_t pid;               /* removes the file when we have dropped the right to; 0: none */
    int fd;                  /* closed when we end */
    bool padded;             /* an abstract name, by NUL bytes to the full length */
    bool left;               /* the file could not be removed */
};

void keeper_init(struct keeper *k, const struct msg *m);

/* Takes an option; row counts from the first of SOCKET_FILE_OPTIONS. */
void keeper_option(struct keeper *k, int row, const struct opts *o);

/* Whether -o or -p came, which only a file can have. */
bool keeper_was_asked(const struct keeper *k);

/*
 * A socket of that type, bound to path or @NAME, listening if it is one for connections; the caller's to
 * close. With `user`, a process that keeps the right to remove the file and does nothing else is started.
 * Ends the process on a failure.
 */
int keeper_bind(struct keeper *k, int type, const char *path, int backlog, const struct user *user);

/*
 * For a client of the datagram socket at `path`: a socket bound to PATH.PID, made absolute, as the server has
 * another directory; the caller's to close. -1: no file can be there, or its name would be relative as others
 * can rename a directory on its way.
 */
int keeper_bind_beside(struct keeper *k, const char *path);

/* At the end, however it came: the file goes if it is ours, while our socket is still open. */
void keeper_remove(struct keeper *k);

#endif
