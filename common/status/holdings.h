/*
 * holdings.h - what our processes have open: sockets, locks, pages. All by /proc/PID/fd, which only the user
 * of the process and root may look at.
 */
#ifndef HOLDINGS_H
#define HOLDINGS_H

#include "status/census.h"
#include "status/list.h"

/* A socket: of one of ours, or of a program that one of ours has started. */
struct held_socket {
    uint64_t inode;
    pid_t pid;
    struct found *owner;
    size_t seen; /* the caller's */
};

/* A lock that the kernel names among those of one of our descriptors, or that one of ours waits for. */
struct held_lock {
    struct found *owner;
    pid_t pid;
    bool waits;
    char kind[12], access[8]; /* as in /proc/locks: FLOCK, POSIX, OFDLCK; READ, WRITE */
    char start[24], end[24];
    char *path; /* of the file; device and inode where it is not known */
};

/* A regular file. */
struct held_file {
    pid_t pid;
    uint64_t inode; /* 0: not known */
    char *path;
};

struct holdings {
    struct list sockets; /* struct held_socket, sorted by inode, then pid */
    struct list locks;   /* struct held_lock */
    struct list files;   /* struct held_file */
};

/* 0, or -1 with ENOMEM. A process that has gone meanwhile has nothing. */
int holdings_take(struct holdings *h, const struct census *c);
void holdings_free(struct holdings *h);

/* Adds the sockets of the programs below those of ours that have sockets: connections are theirs. 0, or -1
 * with ENOMEM. */
int holdings_add_programs(struct holdings *h, const struct census *c);

/* The first entry of a socket's inode, or NULL; the others follow it. */
struct held_socket *holdings_socket(const struct holdings *h, uint64_t inode);

#endif
