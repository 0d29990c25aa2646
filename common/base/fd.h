/*
 * fd.h - file descriptors: born close-on-exec, moved out of the way, written to the last byte.
 */
#ifndef FD_H
#define FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Makes sure that 0, 1 and 2 are open, so that no later fd can be mistaken for one of them. A missing one
 * is opened on /dev/null the wrong way round and close-on-exec: using it still fails with EBADF, and a
 * program still finds it closed. 0, or -1 with errno.
 */
int fd_fill_std(void);

/* Marks every fd from `first` up close-on-exec (close_range(2)). */
void fd_cloexec_from(int first);

/* Closes every fd from `first` up. */
void fd_close_from(int first);

/* The same, except the n in `keep`, of which each may be -1. */
void fd_close_others(int first, const int *keep, size_t n);

/* A copy of fd that is at least min, close-on-exec and the caller's to close. -1 with errno: EMFILE also
 * where fcntl(2) has EINVAL, as min is not below the limit. */
int fd_dup(int fd, int min);

/* Moves *fd to `min` or above, close-on-exec. 0, or -1 with errno and *fd as it was. */
int fd_raise(int *fd, int min);

int fd_set_cloexec(int fd, bool on);

/* O_NONBLOCK on a description that is ours alone. */
int fd_set_nonblock(int fd, bool on);

/* Puts /dev/null in place of fd, which stays open: nothing opened later can take its number. */
int fd_to_null(int fd);

/*
 * Writes all n bytes, through short writes and EINTR; on a non-blocking fd it waits. 0, or -1 with errno
 * (write(2)) when something was left unwritten.
 */
int fd_write_all(int fd, const void *bytes, size_t n);

/* write(2) and read(2), begun again on EINTR. */
ssize_t fd_write(int fd, const void *bytes, size_t n);
ssize_t fd_read(int fd, void *bytes, size_t n);

/* fd_read that waits on a non-blocking fd, too. */
ssize_t fd_read_wait(int fd, void *bytes, size_t n);

/* Closes *fd if it is open, keeps errno, and leaves -1 in it. */
void fd_close(int *fd);

#endif
