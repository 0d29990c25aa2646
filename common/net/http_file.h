/*
 * http_file.h - a file that appears whole, or not at all. Until then it has no name (O_TMPFILE, open(2)), so
 * that nothing is left behind even if we are killed; where the file system can't do that, it has one of its
 * own beside the file, which is removed unless we are killed by SIGKILL.
 */
#ifndef HTTP_FILE_H
#define HTTP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/msg.h"

struct http_file {
    const char *path;
    int64_t deadline; /* of opening it: a FIFO may have no reader yet */
    int fd;           /* for `work` to write to */
    bool whole;       /* the file is a regular one, or none yet; else fd is the very file: a device, a FIFO */
};

/*
 * Has `work(arg)` write to f->fd. A file that is to be whole is written by a process of its own: if its
 * result is 0, the bytes before the offset of f->fd become the file, on disk (fsync(2)), with the mode and,
 * as far as we may, the owner of the one that it replaces. A symbolic link is followed (place.h); /dev/stdout
 * and its like are a copy of our descriptor, which is not closed, and a FIFO is non-blocking. Returns the
 * exit status: that of work, or of what went wrong here, which was reported. A signal that would end us, or
 * that ended work, ends us, and leaves nothing behind.
 */
int http_file_write(struct http_file *f, const struct msg *m, int (*work)(void *), void *arg);

#endif
