/*
 * pidfile.c - see pidfile.h.
 */
#include "daemon/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "process/lock.h"
#include "base/num.h"

/* One look; *replaced: another file has taken the place of the one that was looked at. */
static pid_t look_at_holder(const char *path, bool *replaced)
{
    *replaced = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    /* who may only read it can hold no lock that counts */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int done = fcntl(fd, F_GETLK, &lock), err = errno;
    *replaced = !lock_is_current(fd, path);
    fd_close(&fd);
    errno = err;
    if (done < 0)
        return -1;
    if (lock.l_type == F_UNLCK)
        return 0;
    errno = EBUSY;
    return lock.l_pid > 0 ? lock.l_pid : -1;
}

pid_t pidfile_holder(const char *path)
{
    bool replaced;
    pid_t pid;
    do
        pid = look_at_holder(path, &replaced);
    while (pid == 0 && replaced);
    return pid;
}

bool pidfile_is_replaceable(const char *path)
{
    char text[32];
    uint64_t pid;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT;
    int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text);
    fd_close(&fd);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    errno = EEXIST;
    return n == 0 || (n > 0 && num_u64n(text, (size_t)n, 0, UINT64_MAX, &pid));
}

void pidfile_remove_dead(const char *path)
{
    int lock = lock_directory(path);
    if (pidfile_holder(path) == 0 && pidfile_is_replaceable(path))
        unlink(path);
    fd_close(&lock);
}

/* A new file beside the pidfile, locked. */
static int make(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    unlink(path); /* of a namesake of ours that was killed just here */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return fd;
    int err = errno;
    unlink(path);
    fd_close(&fd);
    errno = err;
    return -1;
}

/* What the new file is called until it is the pidfile. False: too long. */
static bool fresh_name(const struct pidfile *p, char mem[static PATH_MAX])
{
    struct buf fresh = {.mem = mem, .size = PATH_MAX};
    buf_fmt(&fresh, "%s.%ld~", p->path, (long)getpid());
    buf_str(&fresh);
    errno = ENAMETOOLONG;
    return !fresh.cut;
}

int pidfile_prepare(struct pidfile *p)
{
    char name[PATH_MAX];
    if (!p->path)
        return 0;
    p->fresh = fresh_name(p, name) ? make(name) : -1;
    return p->fresh < 0 ? -1 : 0;
}

static void abandon(struct pidfile *p)
{
    char name[PATH_MAX];
    int err = errno;
    if (p->fresh >= 0 && fresh_name(p, name))
        unlink(name);
    fd_close(&p->fresh);
    errno = err;
}

int pidfile_write(struct pidfile *p, pid_t pid)
{
    char name[PATH_MAX], mem[32];
    struct buf text = BUF(mem);
    if (!p->path)
        return 0;
    buf_fmt(&text, "%ld\n", (long)pid);
    /* a restart: in place, so that there is no moment without the lock */
    if (p->fd >= 0 && lock_is_current(p->fd, p->path))
        return pwrite(p->fd, text.mem, text.len, 0) == (ssize_t)text.len ? ftruncate(p->fd, (off_t)text.len)
                                                                         : -1;
    if (p->fresh < 0 && pidfile_prepare(p) < 0)
        return -1;
    if (fd_write_all(p->fresh, text.mem, text.len) < 0 || !fresh_name(p, name) || rename(name, p->path) < 0) {
        abandon(p);
        return -1;
    }
    fd_close(&p->fd);
    p->fd = p->fresh;
    p->fresh = -1;
    return 0;
}

void pidfile_clear(struct pidfile *p)
{
    if (p->fd >= 0 && ftruncate(p->fd, 0) < 0) {
        /* then it names a dead process until the next start */
    }
}

void pidfile_remove(struct pidfile *p)
{
    abandon(p);
    if (p->fd < 0)
        return;
    int lock = lock_directory(p->path); /* between the look and the removal nobody puts another there */
    if (lock_is_current(p->fd, p->path))
        unlink(p->path);
    fd_close(&lock);
    fd_close(&p->fd);
}
